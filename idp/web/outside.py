"""Refusals before or beside the gates, kept for `idp explain`: under their tenant where the path names one.

What strangers cause costs a bounded amount: so many lines a second and process are kept, the rest is counted.
"""

import re
import threading
from contextlib import nullcontext
from typing import Any

from idp import clock, directory, explain, metrics
from idp.errors import Busy, NotFound, Refusal
from idp.tenants import Tenant, entered, maybe_current

PER_SECOND = 20

_PATH = re.compile(r"/t/([a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)(?:/|\Z)")
_lock = threading.Lock()
_second, _count = 0, 0


def keep(environ: dict[str, Any], refusal: Refusal, pattern: str = "") -> None:
    """Keep the private half of a refusal; `pattern`: the route's, where one was found. Never raises Busy."""
    if maybe_current() is not None:
        explain.refused(environ["idp.request_id"], refusal, pattern)
        return
    if not _room():
        metrics.count("journal_dropped_total", kind="refusal_without_tenant")
        return
    tenant = _tenant(environ.get("PATH_INFO", ""))
    with entered(tenant) if tenant is not None else nullcontext():
        explain.refused(environ["idp.request_id"], refusal, pattern)


def missing(environ: dict[str, Any]) -> None:
    """Keep that there is nothing at this address."""
    keep(environ, NotFound(rule="address.known", expected="an address of `idp routes`", got=_asked(environ)))


def beyond(environ: dict[str, Any], status: str) -> None:
    """Keep that a request was turned away by its head alone; `status`: the line of the answer."""
    code, _, phrase = status.partition(" ")
    sizes = {
        "413": ("request.body", environ.get("CONTENT_LENGTH")),
        "414": ("request.target", len(environ.get("PATH_INFO", "")) + len(environ.get("QUERY_STRING", ""))),
        "415": ("request.encoding", environ.get("HTTP_CONTENT_ENCODING")),
        "431": ("request.headers", None),
    }
    rule, got = sizes.get(code, ("request.head", None))
    keep(environ, Refusal(code="invalid_request", status=int(code), rule=rule, expected=phrase, got=got))


def _asked(environ: dict[str, Any]) -> str:
    return f"{environ.get('REQUEST_METHOD')} {environ.get('PATH_INFO', '')[:128]}"


def _tenant(path: str) -> Tenant | None:
    named = _PATH.match(path)
    try:
        return directory.resolve(named.group(1)) if named else None
    except Busy:
        return None


def _room() -> bool:
    global _second, _count
    with _lock:
        now = int(clock.monotonic())
        _second, _count = (_second, _count + 1) if now == _second else (now, 1)
        return _count <= PER_SECOND
