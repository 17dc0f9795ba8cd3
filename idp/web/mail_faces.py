"""What the pages are told on which people sign in by a message: one frozen dataclass a page, as in `idp.web.faces`."""

from dataclasses import dataclass
from typing import Final, Literal

from idp.web.faces import ClientFace, Form, Page, TenantFace


@dataclass(frozen=True, kw_only=True)
class Email(Form):
    """Where the code of the message is typed, which looks the same whether anybody is called so or not.

    `state`: whether it can be given (`open`), was ended (`over`), or its link was confirmed elsewhere (`confirmed`).
    """

    tenant: TenantFace
    client: ClientFace | None = None
    user: str
    """The name that was typed."""
    state: Literal["open", "over", "confirmed"] = "open"
    seconds: int = 600
    link: bool = False
    """Whether a link stands in the message, too."""
    error: Literal["", "wrong", "nothing", "stale", "not_yet"] = ""
    watches: bool = True
    """The page may ask by itself how it stands."""


@dataclass(frozen=True, kw_only=True)
class SignIn(Form):
    """What a link signs in: `here`, in this browser, or in the one in which it was asked for; `how` it has ended."""

    tenant: TenantFace
    client: ClientFace | None = None
    user: str = ""
    here: bool = False
    address: str = ""
    """From where it was asked for."""
    agent: str = ""
    same_place: bool = False
    """Whether that is where this browser is, too."""
    ago: int = 0
    """Seconds since then."""
    how: Literal["", "confirmed", "denied"] = ""


PAGES: Final[dict[str, type[Page]]] = {"email": Email, "sign_in": SignIn}
"""Pages of `templates/hosted`, by name."""
