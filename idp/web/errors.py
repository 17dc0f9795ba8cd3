"""The only writer of errors: a refusal becomes JSON, a page, or a redirect to a verified address.

Every refusal is kept for `idp explain` under the request's id. Whatever else is raised becomes a 500 that
says nothing but that id; its trace goes to the log alone.
"""

import datetime as dt
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeVar
from urllib.parse import urlencode

from flask import Response
from werkzeug.exceptions import HTTPException

from idp import clock, config, metrics
from idp.errors import InvalidRequest, MethodNotAllowed, NotFound, Refusal, TooLarge, UnsupportedMediaType
from idp.logs import log
from idp.oauth import jarm
from idp.tenants import maybe_current
from idp.web import asked, nowhere, outside, pages
from idp.web.reply import Heads, Reply

if TYPE_CHECKING:
    from idp.store.durable.clients import Client

_log = log(__name__)
Answered = TypeVar("Answered", Response, Reply)
_PAGED = frozenset({"authorization_error", "logout_error"})


@dataclass(frozen=True, slots=True)
class VerifiedRedirect:
    """Where an authorization response may go: client and redirect_uri have been checked against each other."""

    uri: str
    issuer: str
    state: str | None = None
    mode: Literal["query", "fragment", "form_post"] = "query"
    sealed_for: "Client | None" = None
    """Whose answers are signed JWTs."""


def note(refusal: Refusal) -> None:
    """Count the refusal and keep its private half for `idp explain`; never fails."""
    metrics.count("refusals_total", code=refusal.code if len(refusal.code) < 40 else "other")
    try:
        environ = asked.environ()
        outside.keep(environ, refusal, environ.get("idp.pattern", ""))
    except Exception as error:  # an answer must not be lost because its explanation could not be kept
        _log.warning("refusal not kept", request_id=asked.request_id(), reason=type(error).__name__)


def json_answer(refusal: Refusal) -> Reply:
    """`{"error", "error_description"}` (RFC 6749 §5.2), with a challenge on 401 (RFC 9110 §11.6.1)."""
    note(refusal)
    body = json.dumps(refusal.public(), separators=(",", ":")).encode()
    reply = Reply.of("application/json", body, refusal.status)
    _challenge(refusal, reply)
    return _finish(refusal, reply)


def _challenge(refusal: Refusal, reply: Reply) -> None:
    tenant = maybe_current()
    realm = f'realm="{tenant.issuer}"' if tenant is not None else 'realm="provider"'
    if refusal.code in {"invalid_token", "insufficient_scope"}:
        reply.headers["WWW-Authenticate"] = (
            f'Bearer {realm}, error="{refusal.code}", error_description="{refusal.description}"'
        )
    elif refusal.status == 401:
        reply.headers["WWW-Authenticate"] = f"Basic {realm}"


def _finish(refusal: Refusal, response: Answered) -> Answered:
    for name, value in refusal.headers.items():
        response.headers[name] = value
    response.headers["Cache-Control"] = "no-store"
    if refusal.status == 503 and "Retry-After" not in response.headers:
        response.headers["Retry-After"] = "1"
    return response


def page_answer(refusal: Refusal, name: str = "error") -> Response:
    """A page for people; `name`: error, authorization_error or logout_error."""
    note(refusal)
    status = 400 if refusal.status == 401 else refusal.status
    tenant = maybe_current()
    values: dict[str, Any] = {
        "tenant": pages.face(tenant) if tenant is not None else None,
        "request_id": asked.request_id(),
        "details": details(refusal),
    }
    if status == 429:
        seconds = refusal.retry_after or 1
        html, csp = pages.render(
            "too_many", seconds=seconds, ends_at=clock.now() + dt.timedelta(seconds=seconds), **values
        )
    elif name in _PAGED and status in {400, 403}:
        html, csp = pages.render(name, code=refusal.code, description=refusal.description, **values)
    else:
        html, csp = pages.render(
            "error", status=status, code=refusal.code, description=refusal.description, **values
        )
    response = Response(html, status, mimetype="text/html")
    response.headers["Content-Security-Policy"] = csp
    return _finish(refusal, response)


def details(refusal: Refusal) -> tuple[tuple[str, str], ...]:
    """What an operator would learn from `idp explain`; told on the page in development alone."""
    if not config.settings().development:
        return ()
    private = {
        "rule": refusal.rule,
        "expected": refusal.expected,
        "got": refusal.got,
        "setting": refusal.setting,
    }
    return tuple((name, str(value)[:200]) for name, value in private.items() if value is not None)


def authorization_answer(redirect: VerifiedRedirect, parameters: dict[str, str]) -> Response:
    """An authorization response, success or error, with `state` and `iss`, by 303 in query or fragment, or as a form.

    RFC 6749 §4.1.2 and §4.1.2.1, RFC 9207 §2; all of it inside one JWT where that is asked for (JARM). An error gets
    here only with an address that was verified; every other one is a page.
    """
    sent = dict(parameters)
    if redirect.state is not None:
        sent["state"] = redirect.state
    sent["iss"] = redirect.issuer
    if redirect.sealed_for is not None:
        sent = jarm.sealed(redirect.sealed_for, sent)
    if redirect.mode == "form_post":
        html, csp = pages.render("form_post", redirect_uri=redirect.uri, parameters=tuple(sent.items()))
        page = Response(html, 200, mimetype="text/html")
        page.headers["Content-Security-Policy"] = csp
        return page
    response = Response(status=303, mimetype="text/plain")
    response.autocorrect_location_header = False
    # The registered address byte for byte: taking it apart would re-spell what the client compares exactly.
    mark = "#" if redirect.mode == "fragment" else "&" if "?" in redirect.uri else "?"
    response.headers["Location"] = f"{redirect.uri}{mark}{urlencode(sent)}"
    return response


def write(refusal: Refusal, page: str | None) -> Response | Reply:
    """The refusal as the route answers: JSON, or the page of that name."""
    return json_answer(refusal) if page is None else page_answer(refusal, page)


_BY_STATUS: dict[int, type[Refusal]] = {
    404: NotFound,
    405: MethodNotAllowed,
    413: TooLarge,
    415: UnsupportedMediaType,
}


def from_http(error: HTTPException) -> Refusal:
    """What the framework refused, as one of our refusals with a registered code."""
    status = error.code or 400
    kind = _BY_STATUS.get(status, InvalidRequest)
    refusal = kind(rule="http", got=status, code=None if status == 404 else "invalid_request")
    if status == 405:
        allowed = ", ".join(sorted(getattr(error, "valid_methods", None) or ()))
        refusal.headers["Allow"] = allowed
        refusal.rule, refusal.expected, refusal.got = "request.method", allowed, asked.method()
    return refusal


def missing() -> Reply:
    """The constant answer for what is not there; the same bytes whether or not it is somebody else's."""
    status, headers, body = nowhere.answer(asked.address())
    if status.startswith("404"):
        outside.missing(asked.environ())
    return Reply(int(status[:3]), body, Heads(*(pair for pair in headers if pair[0] != "Content-Length")))


def unexpected(error: BaseException) -> Refusal:
    """A 500 that says nothing but the request's id; the trace goes to the log."""
    endpoint = asked.environ().get("idp.endpoint")
    _log.error("unexpected error", request_id=asked.request_id(), endpoint=endpoint, exc_info=error)
    return Refusal(
        "Something went wrong on our side.", code="server_error", status=500, rule=type(error).__name__
    )
