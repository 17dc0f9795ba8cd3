"""What the pages are told on which people answer what was asked for at another place. Imports no Flask."""

from dataclasses import dataclass
from typing import Final, Literal

from idp.web.faces import ApiFace, ClientFace, Detail, Form, Page, TenantFace


@dataclass(frozen=True, kw_only=True)
class Device(Form):
    """Where the code of a device is typed. The field's name and id are a public contract."""

    tenant: TenantFace
    user_code: str = ""
    filled: bool = False
    """True when the address brought the code, so that it has to be compared instead of typed."""
    error: Literal["", "nothing", "unknown", "stale"] = ""


@dataclass(frozen=True, kw_only=True)
class Approve(Form):
    """What a device or a service asks for, from where, and for how long."""

    tenant: TenantFace
    client: ClientFace
    kind: Literal["device", "service"]
    apis: tuple[ApiFace, ...]
    access_seconds: int
    in_detail: tuple[Detail, ...] = ()
    offline_seconds: int | None = None
    user: str = ""
    address: str = ""
    """From where it was asked for; empty: not known."""
    agent: str = ""
    same_place: bool = False
    """Whether that is where this browser is, too."""
    ago: int = 0
    """Seconds since then."""
    message: str = ""
    """What the application says, which its own screen shows too (CIBA Core §7.1)."""


@dataclass(frozen=True)
class Asked:
    """A request that waits for a person: by what it is answered, who asks, what they say, seconds since then."""

    name: str
    client: str
    message: str
    ago: int


@dataclass(frozen=True, kw_only=True)
class Waiting(Form):
    """What waits for the answer of the person who is signed in."""

    tenant: TenantFace
    user: str
    requests: tuple[Asked, ...] = ()


ENDS: Final = ("allowed", "denied", "left", "other")
"""How what was asked for elsewhere may end in this browser."""


@dataclass(frozen=True, kw_only=True)
class Done(Page):
    """The end of what was asked for elsewhere: `how` is one of ENDS."""

    tenant: TenantFace
    how: str


PAGES: Final[dict[str, type[Page]]] = {
    "device": Device,
    "approve": Approve,
    "done": Done,
    "waiting": Waiting,
}
"""Pages of `templates/hosted`, by name."""
