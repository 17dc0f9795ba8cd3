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
from dataclasses import fields
from functools import cache
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from idp import branding, ids, paths
from idp.tenants import Tenant
from idp.web import (
    account_faces,
    content_policy,
    displays,
    elsewhere_faces,
    faces,
    factor_faces,
    joining_faces,
    languages,
    leading_faces,
    mail_faces,
    upstream_faces,
    words,
)
from idp.web.content_policy import form_target as form_target
from idp.web.content_policy import policy as policy

STATIC: Final = "/static/"


TenantFace = faces.TenantFace
ClientFace = faces.ClientFace
Scope = faces.Scope
ApiFace = faces.ApiFace
DemoTenant = faces.DemoTenant
DemoUser = faces.DemoUser

PAGES: Final[Mapping[str, type[faces.Page]]] = {
    **faces.HOSTED,
    **account_faces.PAGES,
    **joining_faces.PAGES,
    **factor_faces.PAGES,
    **upstream_faces.PAGES,
    **elsewhere_faces.PAGES,
    **mail_faces.PAGES,
    **leading_faces.PAGES,
}
"""Each page and what it is told. A name with a slash is below `templates/`, any other one in `hosted/`."""


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
        extensions=["jinja2.ext.i18n"],
    )
    made.install_gettext_callables(languages._, languages.plural, newstyle=True)  # type: ignore[attr-defined]
    made.globals["asset"] = asset
    made.filters.update(
        ago=words.ago,
        direction=languages.direction,
        duration=words.duration,
        https=words.https_only,
        initial=words.initial,
        instant=words.instant,
        past=words.past,
        scope_sentence=words.scope_sentence,
        exact=lambda value: Markup(escape(value)),
        short=words.short,
        validated_css=Markup,
    )
    return made


def _logo_origins(page: faces.Page) -> tuple[str, ...]:
    """The origins of the logos on this page: no other image may load."""
    faces = (getattr(page, "tenant", None), getattr(page, "client", None))
    logos = (words.https_only(shown.logo_uri) for shown in faces if shown is not None)
    return tuple(dict.fromkeys(form_target(logo) for logo in logos if logo))


def render(name: str, /, *, form_action: tuple[str, ...] = (), **context: Any) -> tuple[str, str]:
    """The HTML of a page and its Content-Security-Policy.

    `form_action` are CSP sources (see `form_target`) that a post from this page may be redirected to,
    validated by the caller. Raises KeyError for an unknown page, TypeError for unknown or missing fields.
    """
    page = PAGES[name](**context)
    nonce = "" if isinstance(page, faces.NotFound) else ids.secret(128)
    if isinstance(page, faces.FormPost):
        form_action = (*form_action, form_target(page.redirect_uri))
    values = {"tenant": None, "client": None} | {
        field.name: getattr(page, field.name) for field in fields(page)
    }
    template = f"{name}.html" if "/" in name else f"hosted/{name}.html"
    values |= _language(template, page) | {"display": page.display or displays.now()}
    with languages.speaking(values["lang"]):
        html = environment().get_template(template).render(nonce=nonce, **values)
    frames = tuple(form_target(frame) for frame in getattr(page, "frames", ()))
    watches = bool(getattr(page, "watches", False))
    return html, policy(
        nonce, tuple(dict.fromkeys(form_action)), _logo_origins(page), frames, watches=watches
    )


def _language(template: str, page: faces.Page) -> dict[str, Any]:
    """In which language a page speaks, which way it reads, and which others it offers."""
    alone = template in languages.WAITING
    lang = page.lang or (languages.WRITTEN if alone else languages.now())
    own = alone or isinstance(page, faces.NotFound | faces.FormPost)
    return {
        "lang": lang,
        "direction": page.direction or languages.direction(lang),
        "languages": () if own else languages.offered(),
    }


def frame(cookie: str, ancestors: tuple[str, ...]) -> tuple[str, str]:
    """The frame that reads the cookie of that name for applications, and its policy: `ancestors` alone may hold it."""
    nonce = ids.secret(128)
    html = environment().get_template("check_session.html").render(nonce=nonce, cookie=cookie)
    return html, content_policy.framed(nonce, ancestors)


@cache
def not_found() -> tuple[str, str]:
    """The constant 404 page: no nonce, no tenant, no request id, the same bytes each time."""
    return render("not_found", lang=languages.WRITTEN)
