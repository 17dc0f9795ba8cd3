"""What the server handed over, made trustworthy: the outermost layer that every dynamic request passes.

Owns the allow-list of WSGI keys (the server copies the process environment into each request), the bounds
on headers and address, who the client is (forwarded headers count only from a trusted proxy) and whose
host was asked for. A tenant's own host, or `{slug}.{domain}`, becomes the path `/t/{slug}/…`; an unknown
host is answered here. Downstream, `HTTP_HOST` is a configured name and no forwarded header is left, so
that nothing can be built from what a stranger sent.
"""

import ipaddress
import itertools
import os
import re
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import unquote, urlsplit

from idp import clock, directory, ids, lanes, logs, places
from idp.config import Settings
from idp.errors import Busy
from idp.tenants import Tenant
from idp.web import access, asked, headers, nowhere, outside, parse

Environ = dict[str, Any]
Application = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

ANY_HOST = frozenset({"/livez", "/readyz"})
_KEPT = frozenset({
    "REQUEST_METHOD", "PATH_INFO", "QUERY_STRING", "CONTENT_TYPE", "CONTENT_LENGTH", "REMOTE_ADDR",
    "SERVER_NAME", "SERVER_PORT", "SERVER_PROTOCOL", "SCRIPT_NAME",
})  # fmt: skip
_FORWARDED = ("HTTP_FORWARDED", "HTTP_X_FORWARDED_", "HTTP_X_REAL_IP", "HTTP_X_ORIGINAL_", "HTTP_X_REWRITE_")
CERTIFICATE = "HTTP_X_CLIENT_CERTIFICATE"
"""Where the trusted proxy puts the shared secret, a blank, and the client's certificate in escaped PEM."""
_OVERRIDES = frozenset(
    {"HTTP_X_HTTP_METHOD_OVERRIDE", "HTTP_X_HTTP_METHOD", "HTTP_X_METHOD_OVERRIDE", "HTTP_PROXY", CERTIFICATE}
)
_MOST_NAMES = 1_000
_verdicts: dict[str, bool] = {}
_HOST = re.compile(r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?(?::[0-9]{1,5})?")
_MALFORMED = b'{"error":"invalid_request","error_description":"The request is malformed or too large."}'
_BUSY = b'{"error":"temporarily_unavailable","error_description":"The service is busy. Try again shortly."}'
_prefix = os.urandom(5).hex()
_numbers = itertools.count(int.from_bytes(os.urandom(3), "big"))


def request_id() -> str:
    """A name for one request, unique among processes; nothing depends on its being hard to guess."""
    return f"{_prefix}{next(_numbers):08x}"


def host_of(header: str, default_port: str) -> str:
    """A Host header in the form in which hosts are compared: lower case, without the scheme's own port."""
    host = header.lower()
    if host.endswith(default_port):
        host = host[: -len(default_port)]
    return host


def is_host(text: str) -> bool:
    """Whether `text` can be a host of a tenant at all: a name in lower case, with a port or without."""
    return len(text) <= 255 and _HOST.fullmatch(text) is not None


class Proxies:
    """The peers whose forwarded headers count."""

    def __init__(self, trusted: Iterable[str]) -> None:
        """`trusted`: addresses or networks; raises ValueError for anything else."""
        self._networks: list[Network] = [ipaddress.ip_network(one, strict=False) for one in trusted]
        self._known: dict[str, bool] = {}

    def __bool__(self) -> bool:
        """Whether any peer is trusted at all."""
        return bool(self._networks)

    def trusts(self, address: str) -> bool:
        """Whether `address` is a trusted proxy's."""
        known = self._known.get(address)
        if known is None:
            try:
                parsed = ipaddress.ip_address(address)
                known = any(parsed in network for network in self._networks)
            except ValueError:
                known = False
            if len(self._known) < 4096:
                self._known[address] = known
        return known

    def client(self, peer: str, forwarded_for: str) -> str:
        """The address nearest to us in `X-Forwarded-For` that is no trusted proxy; `peer` when none is valid."""
        for hop in reversed(forwarded_for.split(",")):
            address = hop.strip()
            try:
                ipaddress.ip_address(address)
            except ValueError:
                return peer
            if not self.trusts(address):
                return address
            peer = address
        return peer


class Doorstep:
    """The middleware; `app` sees only requests that hold what they seem to."""

    def __init__(self, app: Application, settings: Settings) -> None:
        """Raises ValueError when a trusted proxy is no address or network."""
        self._app = app
        self._proxies = Proxies(settings.trusted_proxies)
        self._base = settings.host
        self._hsts = settings.hsts
        self._scheme = "https" if settings.secure else "http"
        self._default_port = ":443" if settings.secure else ":80"
        self._secret = settings.client_certificate_secret
        mutual = settings.mtls_base_url
        self._mutual = urlsplit(mutual).netloc.lower() if mutual else None
        self._domain = f".{settings.domain.lower()}" if settings.domain else None

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        """WSGI."""
        began = clock.monotonic()
        certificate = self._certificate(environ)
        forwarded_host = self._scrub(environ)
        clean = self._clean(environ)
        if certificate is not None:
            clean["idp.certificate"] = certificate
        name: str = clean["idp.request_id"]

        def respond(status: str, answered: headers.Headers, exc_info: Any = None) -> Any:
            headers.protect(answered, hsts=self._hsts, request_id=name)
            access.note(name, clean, int(status[:3]), clock.monotonic() - began)
            return start_response(status, answered)

        mark, entered = logs.request.set(name), asked.of_request.set(clean)
        asker = places.asker.set(clean.get("REMOTE_ADDR", ""))
        try:
            with lanes.taken():
                return self._route(clean, forwarded_host, respond)
        finally:
            places.asker.reset(asker)
            asked.of_request.reset(entered)
            logs.request.reset(mark)

    def _route(
        self, clean: Environ, forwarded_host: str | None, respond: Callable[..., Any]
    ) -> Iterable[bytes]:
        problem = beyond_bounds(clean)
        if problem is not None:
            outside.beyond(clean, problem)
            return _plain(problem, clean, respond)
        path = clean["PATH_INFO"]
        if path.startswith("//"):
            # The router would drop what precedes the last of them, and one route would have many spellings.
            return nowhere.respond(clean, respond)
        host = host_of(forwarded_host or clean.get("HTTP_HOST", ""), self._default_port)
        clean["HTTP_HOST"] = self._base
        if host == self._mutual and path.startswith("/t/"):
            clean["idp.mutual"] = True
            return self._app(clean, respond)
        if host == self._base or path in ANY_HOST:
            return self._app(clean, respond)
        try:
            tenant = self._tenant(host)
        except Busy:
            return _plain("503 Service Unavailable", clean, respond)
        if tenant is None:
            return nowhere.respond(clean, respond)
        clean["HTTP_HOST"] = host
        clean["idp.host"] = host
        if not path.startswith("/static/"):
            clean["PATH_INFO"] = f"/t/{tenant.slug}{path}"
        return self._app(clean, respond)

    def _scrub(self, environ: Environ) -> str | None:
        """Resolve who asks; the forwarded host when a trusted proxy names one."""
        peer = environ.get("REMOTE_ADDR", "")
        if not self._proxies or not self._proxies.trusts(peer):
            return None
        forwarded = environ.get("HTTP_X_FORWARDED_FOR")
        if forwarded:
            environ["REMOTE_ADDR"] = self._proxies.client(peer, forwarded)
        host: str | None = environ.get("HTTP_X_FORWARDED_HOST")
        return host

    def _certificate(self, environ: Environ) -> str | None:
        """The client's certificate, from a proxy that is trusted by its address and by the secret of both.

        Secret and certificate are one value, so that a header which somebody else has put there, in whichever
        spelling, replaces both or nothing.
        """
        told = environ.get(CERTIFICATE)
        if told is None or self._secret is None or not self._proxies.trusts(environ.get("REMOTE_ADDR", "")):
            return None
        secret, _, escaped = told.partition(" ")
        if not ids.same(secret.encode("latin-1", "replace"), self._secret.encode()):
            return None
        return unquote(escaped.strip(), errors="replace") or None

    def _clean(self, environ: Environ) -> Environ:
        kept = _verdicts.get
        clean = {
            key: value for key, value in environ.items() if kept(key) or (kept(key) is None and _kept(key))
        }
        clean["wsgi.url_scheme"] = self._scheme
        clean["idp.request_id"] = request_id()
        return clean

    def _tenant(self, host: str) -> Tenant | None:
        domain = self._domain
        if domain and host.endswith(domain):
            slug = host[: -len(domain)]
            return directory.resolve(slug) if is_host(slug) and "." not in slug else None
        return directory.resolve_host(host) if is_host(host) else None


def _kept(key: str) -> bool:
    """Whether a name of the environ came with the request and may go on; names are few, and remembered."""
    good = (
        key in _KEPT
        or (key[:5] == "HTTP_" and not key.startswith(_FORWARDED) and key not in _OVERRIDES)
        or key[:5] == "wsgi."
    )
    if len(_verdicts) < _MOST_NAMES:
        _verdicts[key] = good
    return good


def beyond_bounds(environ: Environ) -> str | None:
    """The status line for a request whose head is too large or ambiguous (RFC 9112 §6.1, RFC 6585 §5)."""
    if len(environ["PATH_INFO"]) + len(environ.get("QUERY_STRING", "")) > parse.URL_BYTES:
        return "414 URI Too Long"
    sizes = [len(key) + len(value) for key, value in environ.items() if key[:5] == "HTTP_"]
    if sum(sizes) > parse.HEADER_BYTES:
        return "431 Request Header Fields Too Large"
    # The server drops the Content-Length of a message that carries both, so that what a proxy in front
    # thought of its end can no longer be seen: every transfer coding is refused.
    if "HTTP_TRANSFER_ENCODING" in environ or "," in environ.get("HTTP_HOST", ""):
        return "400 Bad Request"
    if "HTTP_CONTENT_ENCODING" in environ:
        return "415 Unsupported Media Type"
    length = environ.get("CONTENT_LENGTH") or "0"
    if not (length.isascii() and length.isdigit()):
        return "400 Bad Request"
    return "413 Content Too Large" if len(length) > 9 or int(length) > parse.BODY_BYTES else None


def _plain(status: str, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
    """A refusal before anything of the request is read; JSON, as no page can be meant."""
    busy = status[:3] == "503"
    body = _BUSY if busy else _MALFORMED
    start_response(
        status,
        [
            ("Content-Type", parse.JSON),
            ("Content-Length", str(len(body))),
            ("Retry-After", "1") if busy else ("Connection", "close"),
        ],
    )
    return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]
