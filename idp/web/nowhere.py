"""The constant answer for a tenant, a host or a path that is not there: the same bytes for everyone.

Written as plain WSGI, so that the outermost middleware and the gates give exactly the same one.
"""

from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

from idp.web import outside, pages, strangers

StartResponse = Callable[..., Any]


@cache
def page() -> tuple[bytes, list[tuple[str, str]]]:
    """Body and headers of the constant page, without the request id."""
    html, policy = pages.not_found()
    body = html.encode()
    return body, [
        ("Content-Type", "text/html; charset=utf-8"),
        ("Content-Length", str(len(body))),
        ("Content-Security-Policy", policy),
        ("Cache-Control", "no-store"),
        ("Referrer-Policy", "no-referrer"),
    ]


def answer(address: str) -> tuple[str, list[tuple[str, str]], bytes]:
    """Status, headers and body for a stranger at `address`: 404, or 429 when it asks too often."""
    body, headers = page()
    wait = strangers.patience(address)
    if wait is None:
        return "404 Not Found", list(headers), body
    return "429 Too Many Requests", [*headers, ("Retry-After", str(wait))], body


def respond(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
    """The constant answer as a WSGI application, for a request that `environ` has made trustworthy."""
    status, headers, body = answer(environ.get("REMOTE_ADDR", ""))
    if status.startswith("404"):
        outside.missing(environ)
    start_response(status, headers)
    return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]
