"""The request of the moment as plain values, read through the strict parser.

Views take what they need from here and hand it to a room; below the door nobody sees the framework.
"""

import re
from contextvars import ContextVar
from typing import Any
from urllib.parse import urlsplit

from idp import config
from idp.errors import InvalidRequest
from idp.tenants import maybe_current
from idp.web import bodies, parse

Environ = dict[str, Any]

of_request: ContextVar[Environ] = ContextVar("idp_environ")
"""The WSGI environ that this thread answers, made trustworthy; the doorstep enters it."""


def environ() -> Environ:
    """The WSGI environ of the moment. Raises LookupError outside of requests."""
    return of_request.get()


def method() -> str:
    """The request's method."""
    found: str = environ()["REQUEST_METHOD"]
    return found


def request_id() -> str:
    """The name of this request, as `X-Request-Id` carries it."""
    found: str = environ()["idp.request_id"]
    return found


def address() -> str:
    """The client's address: the peer, or what a trusted proxy says."""
    found: str = environ().get("REMOTE_ADDR", "")
    return found


def agent() -> str:
    """The User-Agent, at most 256 characters."""
    return str(environ().get("HTTP_USER_AGENT", ""))[:256]


def _raw_query() -> bytes:
    text: str = environ().get("QUERY_STRING", "")
    return text.encode("latin-1", "replace")


def body() -> bytes:
    """The body, at most 64 KiB. Raises InvalidRequest when the sender left before its end."""
    here = environ()
    kept: bytes | None = here.get("idp.body")
    if kept is None:
        length = int(here.get("CONTENT_LENGTH") or 0)
        kept = bodies.read(address(), here["wsgi.input"].read, length) if length else b""
        if len(kept) != length:
            raise InvalidRequest("The body ended early.", rule="parse.body", expected=length, got=len(kept))
        here["idp.body"] = kept
    return kept


def form() -> dict[str, str]:
    """The form of a POST to an endpoint that reads nothing else, such as token (RFC 6749 §3.2).

    Raises UnsupportedMediaType unless it is `application/x-www-form-urlencoded` or empty, InvalidRequest when the
    address has a query, and what `parse.urlencoded` raises.
    """
    if environ().get("QUERY_STRING"):
        raise InvalidRequest(
            "Parameters belong in the body.", rule="parse.query", expected="no query", got="a query"
        )
    _form_type()
    return parse.urlencoded(body())


def _form_type() -> None:
    """Raise UnsupportedMediaType unless the body is a form; none at all is a form without parameters."""
    kind = environ().get("CONTENT_TYPE", "")
    if kind or body():
        parse.expect_type(kind, parse.FORM)


def token_form() -> tuple[dict[str, str], tuple[str, ...]]:
    """As `form`, with `resource` apart: the one parameter that may come more than once (RFC 8707 §2.2)."""
    if environ().get("QUERY_STRING"):
        raise InvalidRequest(
            "Parameters belong in the body.", rule="parse.query", expected="no query", got="a query"
        )
    _form_type()
    return _with_resources(parse.pairs(body()))


def page_form() -> dict[str, str]:
    """The form that a hosted page posts; the address may have a query, which is not read."""
    parse.expect_type(environ().get("CONTENT_TYPE", ""), parse.FORM)
    return parse.urlencoded(body())


def query() -> dict[str, str]:
    """The parameters of the address; raises what `parse.urlencoded` raises."""
    return parse.urlencoded(_raw_query())


def parameters() -> dict[str, str]:
    """Query of a GET, or query and form of a POST together (OpenID Connect Core 1.0 §3.1.2.1).

    Raises InvalidRequest when a name comes twice, in either or across both.
    """
    if method() != "POST":
        return query()
    parse.expect_type(environ().get("CONTENT_TYPE", ""), parse.FORM)
    return parse.merged(_raw_query(), body())


def authorization_parameters() -> tuple[dict[str, str], tuple[str, ...]]:
    """The parameters of an authorization request, and `resource`, the one that may come more than once.

    RFC 8707 §2 allows that; every other name comes once. Raises what `parameters` raises.
    """
    if method() == "POST":
        parse.expect_type(environ().get("CONTENT_TYPE", ""), parse.FORM)
    found = [*parse.pairs(_raw_query()), *(parse.pairs(body()) if method() == "POST" else [])]
    return _with_resources(found)


def _with_resources(found: list[tuple[str, str]]) -> tuple[dict[str, str], tuple[str, ...]]:
    named = [value for name, value in found if name == "resource"]
    if not named:
        return parse.single(found), ()
    resources = tuple(value for value in named if value)
    return parse.single(pair for pair in found if pair[0] != "resource"), resources


def json_object() -> dict[str, Any]:
    """A JSON object in the body; raises UnsupportedMediaType and what `parse.json_object` raises."""
    parse.expect_type(environ().get("CONTENT_TYPE", ""), parse.JSON)
    return parse.json_object(body())


def authorization() -> str | None:
    """The Authorization header as it came."""
    found: str | None = environ().get("HTTP_AUTHORIZATION")
    return found


def basic() -> tuple[str, str] | None:
    """Client credentials of the Authorization header (RFC 6749 §2.3.1); raises InvalidClient."""
    return parse.basic(authorization())


def access_token() -> tuple[str, str] | None:
    """Scheme, in lower case, and token of the Authorization header (RFC 6750 §2.1, RFC 9449 §7.1).

    Raises InvalidToken.
    """
    return parse.access_token(authorization())


def proof() -> str | None:
    """The DPoP header as it came (RFC 9449 §4.1); several are one with commas."""
    found: str | None = environ().get("HTTP_DPOP")
    return found


def certificate() -> str | None:
    """The client's certificate in PEM, where a trusted proxy has handed one on (RFC 8705)."""
    found: str | None = environ().get("idp.certificate")
    return found


def accepts(kind: str) -> bool:
    """Whether the Accept header names exactly this media type, and not with a weight of nothing (RFC 9110 §12.5.1)."""
    for part in str(environ().get("HTTP_ACCEPT", "")).split(","):
        name, *parameters = (each.strip().lower() for each in part.split(";"))
        if name == kind:
            return not any(re.fullmatch(r"q=0(\.0*)?", each) for each in parameters)
    return False


def bearer() -> str | None:
    """The access token of the Authorization header (RFC 6750 §2.1); raises InvalidToken."""
    return parse.bearer(authorization())


def cookie(name: str) -> str | None:
    """A cookie by its exact name; None when it is absent, empty, or came more than once."""
    header: str = environ().get("HTTP_COOKIE", "")
    found = [
        value for key, _, value in (part.strip().partition("=") for part in header.split(";")) if key == name
    ]
    return found[0] if len(found) == 1 and found[0] else None


def foreign() -> bool:
    """Whether a browser says that another site made it send this request.

    `Origin` must be the entered tenant's own when there is one; its absence says nothing.
    """
    if environ().get("HTTP_SEC_FETCH_SITE") == "cross-site":
        return True
    origin = environ().get("HTTP_ORIGIN")
    return origin is not None and origin != _own_origin()


def _own_origin() -> str:
    tenant = maybe_current()
    parts = urlsplit(tenant.issuer if tenant is not None else config.settings().base_url)
    return f"{parts.scheme}://{parts.netloc}"
