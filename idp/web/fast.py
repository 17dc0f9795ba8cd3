"""Bytes kept ready in front of everything: discovery and JWKS cost a lookup and two comparisons.

Keyed by host and path exactly as they were asked when Flask answered with a document that may be kept, so
that an unknown host or spelling never finds one. An entry goes when its tenant or its keys change;
while what makes it is away, the old bytes are served instead of an error.
"""

import itertools
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any
from uuid import UUID

from idp import clock, directory, metrics
from idp.memory import Recent
from idp.tenants import Tenant
from idp.web import parse
from idp.web.environ import Application, Environ, beyond_bounds, request_id
from idp.web.headers import HSTS

KEEP = 900.0
"""Seconds after which a document is built again even though nothing told of a change."""
LATER = 2.0
"""Seconds for which old bytes go on when they could not be built again."""
MOST_BYTES = 96 * 1024 * 1024
MOST_PER_TENANT = 12

Headers = tuple[tuple[str, str], ...]

_OK, _UNCHANGED = "200 OK", "304 Not Modified"
_COUNT_EVERY = 256


@dataclass(slots=True)
class Kept:
    """One document, ready to be written. What documents of many tenants have in common is there once."""

    parts: tuple[bytes, ...]
    """The body, or its pieces between the issuer's names."""
    issuer: bytes
    alike: tuple[Headers, Headers]
    """Headers of a 200 and of a 304 (RFC 9110 §15.4.5) that are the same for every tenant."""
    own: Headers
    """Headers of a 200 that are this document's; the first of them, its ETag, goes with a 304 as well."""
    etag: str
    until: float
    tenant: UUID
    version: int
    """The tenant's, as of which the document was made."""

    @classmethod
    def of(
        cls, body: bytes, mimetype: str, etag: str, caching: str, tenant: Tenant, most: float = KEEP
    ) -> "Kept":
        """The document `body` of `tenant`; `caching` is its Cache-Control, `most` the seconds that it may be kept."""
        issuer = tenant.issuer.encode()
        parts = tuple(body.split(issuer))
        # A document that names its issuer again and again says little else that is the tenant's alone.
        parts = _pieces.get(parts) or _pieces.put(parts, parts) if len(parts) > 2 else (body,)
        return cls(
            parts,
            issuer,
            _alike(mimetype, caching),
            (("ETag", etag), ("Content-Length", str(len(body)))),
            etag,
            clock.monotonic() + min(KEEP, most),
            tenant.id,
            tenant.version,
        )

    def body(self) -> bytes:
        """The document."""
        return self.issuer.join(self.parts)

    def size(self) -> int:
        """Bytes of memory that only this document takes, about."""
        return _EACH + (len(self.parts[0]) if len(self.parts) == 1 else 0)


_EACH = 1024
_pieces: Recent[tuple[bytes, ...], tuple[bytes, ...]] = Recent(512)


@cache
def _alike(mimetype: str, cache_control: str) -> tuple[Headers, Headers]:
    short = (
        ("Cache-Control", cache_control),
        ("Access-Control-Allow-Origin", "*"),
        ("X-Content-Type-Options", "nosniff"),
        ("Referrer-Policy", "no-referrer"),
    )
    return (("Content-Type", mimetype), *short), short


class Fast:
    """The outermost WSGI callable: a hit never reaches `app`."""

    def __init__(self, app: Application, *, proxied: bool, hsts: bool) -> None:
        """`proxied`: forwarded headers may count; `hsts`: answers carry it."""
        self._app = app
        self._proxied = proxied
        self._always: Headers = (HSTS,) if hsts else ()
        self._entries: dict[tuple[str, str], Kept] = {}
        self._of: dict[UUID, list[tuple[str, str]]] = {}
        self._bytes = 0
        self._lock = threading.Lock()
        self._served = itertools.count(1)
        directory.on_change(self.forget)

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        """WSGI."""
        kept = self._entries.get((environ.get("HTTP_HOST", ""), environ["PATH_INFO"]))
        if kept is None or kept.until < clock.monotonic():
            return self._miss(environ, start_response, kept)
        method = environ["REQUEST_METHOD"]
        if (method != "GET" and method != "HEAD") or (self._proxied and _renamed(environ)):
            return self._app(environ, start_response)
        if _unusual(environ) and beyond_bounds(environ):
            return self._app(environ, start_response)
        return self._hit(kept, environ, start_response)

    def _hit(
        self, kept: Kept, environ: Environ, start_response: Callable[..., Any], name: str | None = None
    ) -> Iterable[bytes]:
        """`name`: of the request, where it has one already."""
        name = name or request_id()
        if not next(self._served) % _COUNT_EVERY:
            metrics.count("requests_total", _COUNT_EVERY, endpoint="wellknown.kept", status="200")
        wanted = environ.get("HTTP_IF_NONE_MATCH")
        if wanted is not None and (kept.etag in wanted or wanted == "*"):
            head = [*kept.alike[1], kept.own[0], *self._always, ("X-Request-Id", name)]
            start_response(_UNCHANGED, head)
            return []
        start_response(_OK, [*kept.alike[0], *kept.own, *self._always, ("X-Request-Id", name)])
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [kept.body()]

    def _miss(
        self, environ: Environ, start_response: Callable[..., Any], old: Kept | None
    ) -> Iterable[bytes]:
        """Let `app` answer; keep what it marked, or go on with `old` when it is busy."""
        path = environ["PATH_INFO"]
        if environ["REQUEST_METHOD"] != "GET" or not (path.endswith("/jwks.json") or "/.well-known/" in path):
            return self._app(environ, start_response)
        if old is not None:
            # One request builds it again; for all others, and for this one while Postgres is away, the old bytes.
            old.until = clock.monotonic() + LATER
            if directory.away():
                return self._hit(old, environ, start_response)
        asked: list[Any] = []
        # The inner layers work on a dictionary of their own; this box is how they hand a document back.
        box: dict[str, Kept] = {}
        environ["wsgi.idp_box"] = box
        host, renamed = environ.get("HTTP_HOST", ""), self._proxied and _renamed(environ)
        answer = self._app(environ, lambda *given: asked.append(given))
        status, headers, *rest = asked[0]
        if old is not None and status[:3] in {"500", "503"}:
            return self._hit(old, environ, start_response)
        fresh = box.get("kept")
        if fresh is not None and not renamed:
            self._keep((host, path), fresh)
            # As every later answer, to the last header: nobody tells from it whether it was just made.
            getattr(answer, "close", lambda: None)()
            return self._hit(fresh, environ, start_response, dict(headers).get("X-Request-Id"))
        elif old is not None and status[:3] == "404":
            self.forget(old.tenant)
        start_response(status, headers, *rest)
        return answer

    def _keep(self, key: tuple[str, str], kept: Kept) -> None:
        with self._lock:
            # The directory forgets a tenant before it tells of it here, so that what was overtaken is seen
            # by its version, or is dropped by `forget`, which waits for this lock.
            if directory.version_of(kept.tenant) != kept.version:
                return
            mine = self._of.setdefault(kept.tenant, [])
            if key not in mine:
                if len(mine) >= MOST_PER_TENANT:
                    return
                mine.append(key)
            before = self._entries.pop(key, None)
            self._bytes += kept.size() - (before.size() if before is not None else 0)
            self._entries[key] = kept
            while self._bytes > MOST_BYTES:
                self._drop(next(iter(self._entries)))

    def _drop(self, key: tuple[str, str]) -> None:
        kept = self._entries.pop(key)
        self._bytes -= kept.size()
        mine = self._of.get(kept.tenant, [])
        if key in mine:
            mine.remove(key)
        if not mine:
            self._of.pop(kept.tenant, None)

    def forget(self, tenant: UUID) -> None:
        """Drop everything kept of `tenant`; the directory calls it when the tenant has changed."""
        with self._lock:
            for key in list(self._of.get(tenant, ())):
                self._drop(key)


def _unusual(environ: Environ) -> bool:
    """Whether a request may be beyond the bounds of its head or carry a body; too much is told for too little.

    Every text that there is, joined: that takes less than looking for those that came with the request.
    """
    texts = "".join([text for text in environ.values() if text.__class__ is str])
    return (
        len(texts) + len("".join(environ)) > parse.URL_BYTES
        or bool(environ.get("CONTENT_LENGTH"))
        or "HTTP_TRANSFER_ENCODING" in environ
        or "HTTP_CONTENT_ENCODING" in environ
    )


def _renamed(environ: Environ) -> bool:
    """Whether a proxy says that another host was asked for than the one in `Host`."""
    forwarded = environ.get("HTTP_X_FORWARDED_HOST")
    return forwarded is not None and forwarded != environ.get("HTTP_HOST")
