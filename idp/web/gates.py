"""The gates of the doors: who may come in, by which address, and what is refused inside.

A :class:`Door` is a Blueprint whose routes cannot exist without saying what guards them and which
credentials they take. The tenant gate resolves the tenant once, from the path alone; nothing later in the
request can change it. `idp routes` prints the declarations, and a test holds them equal to the URL map.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import wraps
from typing import Any, cast
from urllib.parse import quote

from flask import Blueprint, Flask, Response, current_app
from werkzeug.exceptions import HTTPException

from idp import config, directory, platform
from idp.errors import Refusal
from idp.oauth import mutual
from idp.tenants import Tenant, entered
from idp.web import asked, errors, named, persons, shares
from idp.web.cors import Cors, allow, preflight
from idp.web.reply import Reply

CREDENTIALS = frozenset({
    "cookie", "csrf", "password", "second_factor", "passkey", "client_id", "client_secret", "private_key_jwt",
    "access_token", "bound_token", "refresh_token", "code", "id_token", "request_object", "par_uri",
    "initial_access_token", "registration_access_token", "device_code", "user_code", "link", "upstream_state",
    "auth_req_id", "email_code",
})  # fmt: skip
"""The kinds of credential that a route can say it takes."""

SLUG = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
"""What a tenant may be called."""

View = Callable[..., Any]
Answer = Response | Reply
Guarded = Callable[[str], Reply]
"""A plain view behind its gate, called with the slug of the path."""
_VARIABLE = re.compile(r"<(?:[^:<>]+:)?([^<>]+)>")


class Gate(StrEnum):
    """What must hold before a view is called."""

    PUBLIC = "public"
    """Anybody; no tenant is entered."""
    TENANT = "tenant"
    """The path names an active tenant, reached by the address of its issuer; it is entered."""
    PERSON = "person"
    """The same, and somebody is signed in there; whoever is not signs in first. A post has a CSRF token."""

    PLATFORM = "platform"
    """The platform's issuer, where there is one: it speaks for the tenant that the request names, else for none."""


class Undeclared(RuntimeError):
    """A route exists without a gate."""


@dataclass(frozen=True, slots=True)
class Declared:
    """What one route says of itself."""

    endpoint: str
    gate: Gate
    methods: tuple[str, ...]
    credentials: tuple[str, ...]
    page: str | None
    """Name of the page on which it refuses; None: it refuses in JSON."""
    cors: Cors
    pattern: str
    """The path with its variables in braces."""
    plain: Guarded | None = None
    """The guarded view, where it needs nothing of the framework."""


class Door(Blueprint):
    """A Blueprint with a gate. Routes of the tenant gate lie under `/t/{slug}` unless they are `rooted`."""

    def __init__(
        self, name: str, import_name: str, *, gate: Gate, page: str | None = None, plain: bool = False
    ) -> None:
        """`page`: the page on which its routes refuse ("error" and kin); None for JSON.

        `plain`: its views answer with a Reply and need nothing of the framework (`idp.web.direct`).
        """
        super().__init__(name, import_name)
        self.gate = gate
        self.page = page
        self.plain = plain
        self.declared: list[Declared] = []

    def route(  # type: ignore[override]
        self,
        rule: str,
        *,
        credentials: Iterable[str],
        methods: Iterable[str] = ("GET",),
        cors: Cors = Cors.NONE,
        page: str | None = None,
        rooted: bool = False,
        fresh: bool = False,
        endpoint: str | None = None,
    ) -> Callable[[View], View]:
        """Register a view. `credentials`: what it takes, `()` for none. Raises Undeclared on an unknown kind.

        `rooted`: the rule is the whole path and names `<slug:slug>` itself. `fresh`, of the person gate: who comes in
        must have signed in within `sessions.FRESH` seconds.
        """
        taken, verbs = tuple(credentials), tuple(methods)
        if not CREDENTIALS.issuperset(taken):
            raise Undeclared(f"{rule}: unknown credential in {taken}")
        if self.gate is Gate.PERSON and not {"cookie", *(["csrf"] if "POST" in verbs else [])} <= {*taken}:
            raise Undeclared(f"{rule}: a person's page takes the cookie, and a post of it a CSRF token")
        answered = (*verbs, "OPTIONS") if cors is not Cors.NONE else verbs
        inside = self.gate in (Gate.TENANT, Gate.PERSON)
        prefix = "/t/<slug:slug>" if inside and not rooted else ""

        def register(view: View) -> View:
            name = endpoint or view.__name__
            shown = self.page if page is None else page
            pattern = _VARIABLE.sub(r"{\1}", prefix + rule)
            one = Declared(f"{self.name}.{name}", self.gate, answered, taken, shown, cors, pattern)
            asked_for = persons.signed_in(view, rule, fresh=fresh) if self.gate is Gate.PERSON else view
            guarded = _GATES[self.gate](asked_for, one)
            self.declared.append(replace(one, plain=cast(Guarded, guarded) if self.plain else None))
            self.add_url_rule(
                prefix + rule,
                endpoint=name,
                view_func=_framed(guarded),
                methods=answered,
                provide_automatic_options=False,
            )
            return view

        return register


def _framed(guarded: View) -> View:
    """The guarded view as the framework calls it."""

    @wraps(guarded)
    def framed(**values: Any) -> Response:
        answer: Answer = guarded(**values)
        return answer.framed() if isinstance(answer, Reply) else answer

    return framed


def _ask(view: View, values: dict[str, Any], declared: Declared) -> Answer:
    """Call the view; whatever it raises is written as the route answers."""
    try:
        answer: Answer = view(**values)
        return answer
    except Refusal as refusal:
        return errors.write(refusal, declared.page)
    except HTTPException as error:
        return errors.missing() if error.code == 404 else errors.write(errors.from_http(error), declared.page)
    except Exception as error:
        return errors.write(errors.unexpected(error), declared.page)


def _public_gate(view: View, declared: Declared) -> View:
    @wraps(view)
    def guarded(**values: Any) -> Answer:
        environ = _arrived(declared)
        if environ["REQUEST_METHOD"] == "OPTIONS":
            return preflight(declared.cors, ", ".join(declared.methods))
        return allow(_ask(view, values, declared), declared.cors)

    return guarded


def _tenant_gate(view: View, declared: Declared) -> View:
    @wraps(view)
    def guarded(slug: str, **values: Any) -> Answer:
        environ = _arrived(declared)
        tenant = directory.resolve(slug)
        if tenant is None or not tenant.active:
            return errors.missing()
        issuer = _issuer_asked(tenant, environ)
        if issuer is None:
            return _elsewhere(tenant, declared)
        tenant = tenant.at(issuer)
        environ["idp.tenant"] = slug
        with entered(tenant):
            return _inside(tenant, view, values, declared)

    return guarded


def _platform_gate(view: View, declared: Declared) -> View:
    @wraps(view)
    def guarded(**values: Any) -> Answer:
        environ = _arrived(declared)
        realm = platform.realm()
        if realm is None or not {"idp.mutual", "idp.host"}.isdisjoint(environ):
            return errors.missing()
        with entered(named.tenant(realm)) as tenant:
            environ["idp.tenant"] = tenant.slug
            return _inside(tenant, view, values, declared)

    return guarded


_GATES: dict[Gate, Callable[[View, Declared], View]] = {
    Gate.PUBLIC: _public_gate,
    Gate.TENANT: _tenant_gate,
    Gate.PERSON: _tenant_gate,
    Gate.PLATFORM: _platform_gate,
}


def _arrived(declared: Declared) -> asked.Environ:
    """The request's environ, which names from here on the route that it has reached."""
    environ = asked.environ()
    environ["idp.endpoint"] = declared.endpoint
    environ["idp.pattern"] = declared.pattern
    return environ


def _inside(tenant: Tenant, view: View, values: dict[str, Any], declared: Declared) -> Answer:
    """Call the view for the entered tenant with one of its threads."""
    if asked.method() == "OPTIONS":
        return preflight(declared.cors, ", ".join(declared.methods))
    try:
        held = shares.take(tenant.id)
    except Refusal as refusal:
        return allow(errors.write(refusal, declared.page), declared.cors)
    try:
        return allow(_ask(view, values, declared), declared.cors)
    finally:
        shares.give(tenant.id, held)


def _issuer_asked(tenant: Tenant, environ: dict[str, Any]) -> str | None:
    """The issuer whose host and path, as resolved against configured names, were asked; None: another address.

    There is one, and two while the tenant moves. The scheme is not compared: behind a proxy that ends TLS the
    server never sees it, and an issuer with a host of its own is https.
    """
    if "idp.mutual" in environ:  # where clients show certificates, for every tenant (RFC 8705 §5)
        aliased = environ["idp.pattern"].removeprefix("/t/{slug}/") in mutual.ALIASED
        return tenant.issuer if aliased else None
    host = environ.get("idp.host")
    path = f"{config.settings().base_url}/t/{tenant.slug}"
    for issuer in tenant.issuers:
        if (issuer == path) if host is None else (issuer.partition("://")[2] == host):
            return issuer
    return None


def _elsewhere(tenant: Tenant, declared: Declared) -> Answer:
    """A tenant has one issuer: by another of its addresses a page moves there, a protocol endpoint is nothing.

    What clients send requests to is of the protocol also where it answers with a page: sent on, a request meant
    for one issuer would be answered by another.
    """
    if "idp.mutual" in asked.environ():
        return errors.missing()
    if declared.page is None or "client_id" in declared.credentials or asked.method() not in {"GET", "HEAD"}:
        return errors.missing()
    environ = asked.environ()
    rest = environ["PATH_INFO"].removeprefix(f"/t/{tenant.slug}")
    query = environ.get("QUERY_STRING", "")
    target = tenant.issuer + quote(rest.encode("latin-1", "replace"))
    if query:
        target += "?" + quote(query, safe=_QUERY)
    response = Response(status=307, mimetype="text/plain")
    response.autocorrect_location_header = False
    response.headers["Location"] = target
    return response


_QUERY = "!$&'()*+,;=:@/?%-._~"


def declarations(app: Flask | None = None) -> dict[str, Declared]:
    """Every route's declaration by endpoint, of `app` or the current application."""
    found: dict[str, Declared] = (app or current_app).extensions["idp_routes"]
    return found


def register(app: Flask, doors: Iterable[Door]) -> None:
    """Hang the doors into `app`. Raises Undeclared when a route of its URL map has no gate."""
    known: dict[str, Declared] = app.extensions.setdefault("idp_routes", {})
    for door in doors:
        app.register_blueprint(door)
        known.update({one.endpoint: one for one in door.declared})
    for rule in app.url_map.iter_rules():
        if rule.endpoint not in known:
            raise Undeclared(f"{rule.rule} has no gate")
