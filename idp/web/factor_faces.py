"""What the pages of second factors are told: one frozen dataclass a page, as in `idp.web.faces`."""

from dataclasses import dataclass
from typing import Final, Literal

from idp.web.faces import ClientFace, Form, Page, TenantFace
from idp.web.qr import Picture


@dataclass(frozen=True, kw_only=True)
class Mfa(Form):
    """The second factor. `way`: which is asked for; `others` (way, address): what may be given instead."""

    tenant: TenantFace
    client: ClientFace | None = None
    way: Literal["passkey", "totp", "email", "recovery"]
    others: tuple[tuple[str, str], ...] = ()
    user: str = ""
    remember_days: int = 0
    """For how many days the device may be remembered; 0: not offered."""
    error: Literal["", "wrong", "nothing", "stale", "passkey", "not_sent"] = ""
    sent: str = ""
    """Where a code was sent to by e-mail; empty: none was."""
    passkey_options: str = ""
    """What the browser asks a passkey with, as JSON; empty: none is asked for."""


@dataclass(frozen=True, kw_only=True)
class Enrol(Form):
    """An authenticator app is set up: its QR code, and the key for who cannot scan it."""

    tenant: TenantFace
    client: ClientFace | None = None
    picture: Picture
    key: str
    address: str
    """The `otpauth:` address, which an app on this very device opens."""
    user: str = ""
    error: Literal["", "wrong", "nothing", "passkey"] = ""
    passkey_options: str = ""
    """What the browser makes a passkey with, as JSON; empty: there are none here."""
    anew: bool = False
    """Whether the page had been open for so long that another code is shown now."""


@dataclass(frozen=True, kw_only=True)
class Codes(Form):
    """Recovery codes, shown once."""

    tenant: TenantFace
    client: ClientFace | None = None
    codes: tuple[str, ...]
    user: str = ""


PAGES: Final[dict[str, type[Page]]] = {"mfa": Mfa, "enrol": Enrol, "codes": Codes}
