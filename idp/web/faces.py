"""What the hosted pages are told: one frozen dataclass a page, and what several of them show.

Owns the fields and nothing else; `idp.web.pages` renders them. Imports no Flask.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final, Literal

from idp.speech import say

if TYPE_CHECKING:
    from idp.web.upstream_faces import ProviderFace


@dataclass(frozen=True)
class TenantFace:
    """How a tenant shows itself; made by `face`."""

    name: str
    home: str
    """The issuer, where the tenant's name links to."""
    logo_uri: str | None = None
    css: str = ""
    appearance: str = "auto"


@dataclass(frozen=True)
class ClientFace:
    """How an application shows itself. Addresses that are not https are left out when rendered."""

    name: str
    host: str = ""
    """Host of its redirect URI, or the scheme of a native application: what a person can check.

    Of a client that describes itself, the host of the document.
    """
    document: str = ""
    """The address at which it describes itself, where it does."""
    answer_host: str = ""
    """Where its answer goes, told beside `document`."""
    logo_uri: str | None = None
    policy_uri: str | None = None
    tos_uri: str | None = None
    assured: bool = True
    """False where nobody vouches for the name (dynamic registration, custom scheme): marked unverified."""


@dataclass(frozen=True)
class Scope:
    """A line of the consent page. An empty sentence gets the standard words, or the name itself."""

    name: str
    sentence: str = ""


@dataclass(frozen=True)
class ApiFace:
    """An API whose scopes are asked for. The default API of the tenant is named like the tenant."""

    name: str
    scopes: tuple[Scope, ...]
    identifier: str = ""


@dataclass(frozen=True)
class Page:
    """What every page has. `details` are rows under "Details for developers"; empty in production."""

    lang: str = ""
    """In which language it speaks; empty: in that of the moment."""
    direction: Literal["", "ltr", "rtl"] = ""
    """Which way it reads; empty: as its language does."""
    display: Literal["", "page", "popup", "touch"] = ""
    """For which window it is laid out; empty: for that which the application names."""
    request_id: str = ""
    details: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, kw_only=True)
class Form(Page):
    """What every page with a form has; the hidden fields are `csrf` and those named here."""

    csrf: str
    action: str = ""
    """Where the form posts to; empty: the page's own address."""
    hidden: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, kw_only=True)
class Login(Form):
    """Sign-in. The field names and ids are a public contract."""

    tenant: TenantFace
    client: ClientFace | None = None
    username: str = ""
    error: Literal[
        "", "failed", "no_username", "no_password", "nothing", "stale", "busy", "no_lead", "passkey"
    ] = ""
    passkey_options: str = ""
    """What the browser asks a passkey with, as JSON; empty: none is offered."""
    again: bool = False
    """True when the person is signed in and must prove it once more (prompt=login, max_age)."""
    can_cancel: bool = True
    register_url: str = ""
    """Where people go who have no account; empty: not offered."""
    forgot_url: str = ""
    """Where people go who forgot their password; empty: not offered."""
    providers: "tuple[ProviderFace, ...]" = ()
    by_mail: bool = False
    """Whether a code by e-mail is offered."""
    by_domain: bool = False
    """Whether an address can lead to the provider of its organisation."""


@dataclass(frozen=True, kw_only=True)
class Account(Form):
    """As whom to go on: `user`, who is signed in, or somebody else."""

    tenant: TenantFace
    client: ClientFace
    user: str


@dataclass(frozen=True)
class Detail:
    """What is asked for in detail: the name of its kind, the API, and each thing that it says by its name."""

    name: str
    api: str
    rows: tuple[tuple[str, str], ...]


@dataclass(frozen=True, kw_only=True)
class Consent(Form):
    """What the application asks for, and for how long."""

    tenant: TenantFace
    client: ClientFace
    apis: tuple[ApiFace, ...]
    access_seconds: int
    in_detail: tuple[Detail, ...] = ()
    offline_seconds: int | None = None
    """Lifetime of offline access; None where none is asked for."""
    user: str = ""
    switch_url: str = ""
    """Where "Not you?" leads; empty: not offered."""


@dataclass(frozen=True, kw_only=True)
class AuthorizationError(Page):
    """An authorization request that may not be answered by a redirect. `code` as the wire says it."""

    code: str
    description: str = ""
    tenant: TenantFace | None = None
    client: ClientFace | None = None


@dataclass(frozen=True, kw_only=True)
class Logout(Form):
    """The sign-out question."""

    tenant: TenantFace
    client: ClientFace | None = None
    """The application that asked, if one did."""
    user: str = ""
    keeps_access: tuple[str, ...] = ()
    """Names of applications whose offline access outlives the session."""


@dataclass(frozen=True, kw_only=True)
class LogoutError(Page):
    """A sign-out request that cannot be honoured; `code` names why."""

    code: str
    description: str = ""
    tenant: TenantFace | None = None
    logout_url: str = ""
    """Where the person can sign out without the application; empty: not offered."""


@dataclass(frozen=True, kw_only=True)
class SignedOut(Page):
    """The end of a session."""

    tenant: TenantFace
    keeps_access: tuple[str, ...] = ()
    client: ClientFace | None = None
    continue_url: str = ""
    """A verified address to go on to; empty: none."""
    frames: tuple[str, ...] = ()
    """Pages of applications that hear of the sign-out by being loaded; then the page goes on by itself."""


@dataclass(frozen=True, kw_only=True)
class Stale(Page):
    """A step that is too old, was opened twice, or was gone back to."""

    kind: Literal["old", "twice", "done"]
    tenant: TenantFace | None = None
    continue_url: str = ""


@dataclass(frozen=True, kw_only=True)
class TooMany(Page):
    """Too many attempts (429): `seconds` until they are accepted again, `ends_at` that moment in UTC."""

    seconds: int
    ends_at: datetime
    tenant: TenantFace | None = None
    continue_url: str = ""


@dataclass(frozen=True, kw_only=True)
class Error(Page):
    """Everything else that went wrong. `sentence` empty: the words for that status.

    `description` is what a developer reads, under the details; `sentence` is for everyone.
    """

    status: int
    code: str
    sentence: str = ""
    description: str = ""
    tenant: TenantFace | None = None
    continue_url: str = ""
    continue_label: str = ""


@dataclass(frozen=True)
class NotFound(Page):
    """An unknown tenant, host or page: the same bytes for everyone. Use `not_found()`."""


@dataclass(frozen=True)
class DemoUser:
    """A person of the demo; the password is shown in development only."""

    username: str
    name: str = ""
    password: str = ""


@dataclass(frozen=True)
class DemoTenant:
    """A tenant on the base page in development."""

    name: str
    slug: str
    issuer: str
    users: tuple[DemoUser, ...] = ()
    links: tuple[tuple[str, str], ...] = ()
    """(label, address) pairs."""


@dataclass(frozen=True, kw_only=True)
class Home(Page):
    """`{base}/`: in production one quiet line, in development the tenants, demo users and links."""

    development: bool = False
    tenants: tuple[DemoTenant, ...] = ()
    links: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, kw_only=True)
class TenantHome(Page):
    """`{issuer}/`: the tenant's name; `links` (label, address) in development."""

    tenant: TenantFace
    links: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, kw_only=True)
class FormPost(Page):
    """OAuth 2.0 Form Post Response Mode: the answer travels as a form, byte for byte as given."""

    redirect_uri: str
    parameters: tuple[tuple[str, str], ...]
    tenant: TenantFace | None = None
    client: ClientFace | None = None


@dataclass(frozen=True, kw_only=True)
class Forgot(Form):
    """Asking for a new password, before it is asked for and after (`sent`), which looks the same for everybody."""

    tenant: TenantFace
    username: str = ""
    error: Literal["", "nothing"] = ""
    sent: bool = False
    minutes: int = 30
    back_url: str = ""
    """Where the sign-in goes on."""


@dataclass(frozen=True, kw_only=True)
class Recover(Form):
    """Setting a new password by a link."""

    tenant: TenantFace
    username: str
    least: int
    error: str = ""


@dataclass(frozen=True, kw_only=True)
class Message(Page):
    """Something that is done, or that cannot be done, and the way on: a heading, a sentence, a link."""

    tenant: TenantFace
    called: str
    """Which page it is, as its main element is called."""
    heading: str
    sentence: str
    good: bool = True
    continue_url: str = ""
    continue_label: str = say("Go on")


_LINK = re.compile(r"(https?://[^\s<>]+)")


@dataclass(frozen=True)
class Letter:
    """A message that a development kept instead of sending it."""

    name: str
    tenant: str
    to: str
    subject: str
    date: str
    text: str

    @property
    def parts(self) -> tuple[tuple[str, bool], ...]:
        """The text in pieces, and which of them are addresses."""
        return tuple((part, bool(_LINK.fullmatch(part))) for part in _LINK.split(self.text) if part)


@dataclass(frozen=True, kw_only=True)
class Mailbox(Page):
    """The developers' mail page: every message, or the one that is open."""

    letters: tuple[Letter, ...] = ()
    letter: Letter | None = None


HOSTED: Final[dict[str, type[Page]]] = {
    "login": Login,
    "account": Account,
    "consent": Consent,
    "authorization_error": AuthorizationError,
    "logout": Logout,
    "logout_error": LogoutError,
    "signed_out": SignedOut,
    "stale": Stale,
    "too_many": TooMany,
    "error": Error,
    "not_found": NotFound,
    "home": Home,
    "tenant_home": TenantHome,
    "form_post": FormPost,
    "forgot": Forgot,
    "recover": Recover,
    "message": Message,
    "mailbox": Mailbox,
}
"""The pages of `templates/hosted`, by name."""
