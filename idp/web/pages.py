"""Renders the hosted pages: one frozen dataclass a page is the whole contract with the views.

Owns the Jinja environment, the words that do not depend on a request (durations, scopes), the nonce and the
Content-Security-Policy of a page. Leaves to the views: what is shown to whom, the CSRF token, every other
header (no-store, `Referrer-Policy: same-origin`, nosniff). Imports no Flask.

    html, csp = render("login", tenant=face(tenant), client=ClientFace("Acme Web"), csrf=token)

`render` takes the fields of that page's class below, and refuses unknown or missing ones, so that a view and
its page cannot drift apart. Fields are plain text: everything is escaped, and control and bidirectional
override characters are taken out of all of it, wherever a template prints it. Tenant text is never compiled.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from functools import cache
from typing import Any, Final, Literal

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from idp import branding, ids, paths
from idp.tenants import Tenant
from idp.web import content_policy, words
from idp.web.content_policy import form_target as form_target
from idp.web.content_policy import policy as policy

STATIC: Final = "/static/"


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

    lang: str = "en"
    direction: Literal["ltr", "rtl"] = "ltr"
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
    error: Literal["", "failed", "no_username", "no_password", "nothing", "stale", "busy"] = ""
    again: bool = False
    """True when the person is signed in and must prove it once more (prompt=login, max_age)."""
    can_cancel: bool = True


@dataclass(frozen=True, kw_only=True)
class Account(Form):
    """As whom to go on: `user`, who is signed in, or somebody else."""

    tenant: TenantFace
    client: ClientFace
    user: str


@dataclass(frozen=True, kw_only=True)
class Consent(Form):
    """What the application asks for, and for how long."""

    tenant: TenantFace
    client: ClientFace
    apis: tuple[ApiFace, ...]
    access_seconds: int
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
    continue_label: str = "Start again"


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
    continue_label: str = "Go back"


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


PAGES: Final[Mapping[str, type[Page]]] = {
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
}


def face(tenant: Tenant) -> TenantFace:
    """How this tenant's pages look: its name, logo and validated design tokens."""
    look = tenant.branding
    return TenantFace(
        name=tenant.name,
        home=tenant.issuer + "/",
        logo_uri=look.logo_uri,
        css=branding.css(look),
        appearance=branding.appearance_of(look),
    )


def asset(name: str) -> str:
    """The address of a static file; it changes with the file's content, so that it may be cached for ever."""
    return f"{STATIC}{name}?v={_content_hash(name)}"


@cache
def _content_hash(name: str) -> str:
    return hashlib.sha256((paths.static() / name).read_bytes()).hexdigest()[:12]


@cache
def environment() -> Environment:
    """The one Jinja environment: autoescape always on, a missing name is an error."""
    made = Environment(
        loader=FileSystemLoader(paths.templates()),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=words.neutral,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals["asset"] = asset
    made.filters.update(
        duration=words.duration,
        https=words.https_only,
        initial=words.initial,
        scope_sentence=words.scope_sentence,
        exact=lambda value: Markup(escape(value)),
        short=words.short,
        validated_css=Markup,
    )
    return made


def _logo_origins(page: Page) -> tuple[str, ...]:
    """The origins of the logos on this page: no other image may load."""
    faces = (getattr(page, "tenant", None), getattr(page, "client", None))
    logos = (words.https_only(shown.logo_uri) for shown in faces if shown is not None)
    return tuple(dict.fromkeys(form_target(logo) for logo in logos if logo))


def render(name: str, *, form_action: tuple[str, ...] = (), **context: Any) -> tuple[str, str]:
    """The HTML of a page and its Content-Security-Policy.

    `form_action` are CSP sources (see `form_target`) that a post from this page may be redirected to,
    validated by the caller. Raises KeyError for an unknown page, TypeError for unknown or missing fields.
    """
    page = PAGES[name](**context)
    nonce = "" if isinstance(page, NotFound) else ids.secret(128)
    if isinstance(page, FormPost):
        form_action = (*form_action, form_target(page.redirect_uri))
    values = {"tenant": None, "client": None} | {
        field.name: getattr(page, field.name) for field in fields(page)
    }
    html = environment().get_template(f"hosted/{name}.html").render(nonce=nonce, **values)
    frames = tuple(form_target(frame) for frame in getattr(page, "frames", ()))
    return html, policy(nonce, tuple(dict.fromkeys(form_action)), _logo_origins(page), frames)


def frame(cookie: str, ancestors: tuple[str, ...]) -> tuple[str, str]:
    """The frame that reads the cookie of that name for applications, and its policy: `ancestors` alone may hold it."""
    nonce = ids.secret(128)
    html = environment().get_template("check_session.html").render(nonce=nonce, cookie=cookie)
    return html, content_policy.framed(nonce, ancestors)


@cache
def not_found() -> tuple[str, str]:
    """The constant 404 page: no nonce, no tenant, no request id, the same bytes each time."""
    return render("not_found")
