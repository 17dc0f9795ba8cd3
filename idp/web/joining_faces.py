"""What the pages are told by which people come to an account, or to another address. Imports no Flask."""

from dataclasses import dataclass
from typing import Final

from idp.web.faces import Form, Page, TenantFace


@dataclass(frozen=True, kw_only=True)
class Register(Form):
    """Asking for an account, before it is asked for and after (`sent`), which looks the same for everybody."""

    tenant: TenantFace
    email: str = ""
    error: str = ""
    sent: bool = False
    hours: int = 24
    back_url: str = ""
    """Where people sign in who have an account."""


@dataclass(frozen=True, kw_only=True)
class Join(Form):
    """Making the account, by a link."""

    tenant: TenantFace
    email: str
    least: int
    invited: bool = False
    name: str = ""
    error: str = ""
    where: str = ""
    """The field that the error is about: `name` or `new_password`."""


@dataclass(frozen=True, kw_only=True)
class Confirm(Form):
    """Confirming an address, by a link."""

    tenant: TenantFace
    email: str
    user: str


@dataclass(frozen=True, kw_only=True)
class Keep(Form):
    """Keeping an account that is about to be deleted, by a link."""

    tenant: TenantFace
    user: str


PAGES: Final[dict[str, type[Page]]] = {"register": Register, "join": Join, "confirm": Confirm, "keep": Keep}
