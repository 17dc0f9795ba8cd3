"""The management listener: metrics, readiness with its reasons, and whether a host may have a certificate.

It runs beside the web server, on an address that the public does not reach, answers from memory, and takes
no credentials; it shows no tenant's data.
"""

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socket import AF_INET, AF_INET6
from urllib.parse import parse_qs, urlsplit

from idp import directory
from idp.config import ConfigError, Settings
from idp.control import proofs
from idp.control.readiness import shown
from idp.errors import Busy
from idp.web import metrics_view, strangers
from idp.web.environ import is_host
from idp.web.health import Readiness

Answer = tuple[int, str, bytes]
_TEXT = "text/plain; charset=utf-8"


class Management:
    """What the listener answers, apart from how it listens."""

    def __init__(self, settings: Settings, readiness: Readiness, metrics: Path) -> None:
        """`metrics`: the folder into which the worker processes count."""
        self._base = urlsplit(settings.base_url).hostname
        self._readiness = readiness
        self._metrics = metrics
        self._deployment = shown.Shown(settings)
        self._paths: dict[str, Callable[[str], Answer]] = {
            "/livez": lambda _query: (200, _TEXT, b"alive\n"),
            "/readyz": lambda _query: self._ready(),
            "/metrics": lambda _query: (
                200,
                metrics_view.CONTENT_TYPE,
                metrics_view.exposition(self._metrics, proofs.figures()),
            ),
            "/tls/ask": self._ask,
            "/caddy/ask": self._ask,
        }

    def answer(self, path: str, query: str) -> Answer:
        """Status, content type and body for a GET."""
        asked = self._paths.get(path)
        return (404, _TEXT, b"not found\n") if asked is None else asked(query)

    def _ready(self) -> Answer:
        """The process itself, then the deployment as it looks from here, then the gates that a command ran last."""
        ready = self._readiness.ready()
        content = {
            "ready": ready,
            "draining": self._readiness.draining.is_set(),
            "checks": [result.content() for result in (*self._readiness.arrived(), *self._readiness.gone())],
            "directory": directory.known_names(),
            "deployment": self._deployment.look(),
        }
        return 200 if ready else 503, "application/json", json.dumps(content, indent=1).encode()

    def _ask(self, query: str) -> Answer:
        """Whether a certificate may be made for `domain`: only for our own host and those tenants have proved."""
        domain = parse_qs(query).get("domain", [""])[0].lower()
        if domain and (domain == self._base or self._proved(domain)):
            return 200, _TEXT, b"yes\n"
        return 404, _TEXT, b"no\n"

    def _proved(self, domain: str) -> bool:
        if not is_host(domain) or strangers.patience("certificates") is not None:
            return False
        try:
            tenant = directory.resolve_host(domain)
        except Busy:
            return False
        return tenant is not None and tenant.active


def listen(management: Management, bind: str) -> tuple[ThreadingHTTPServer, str]:
    """Answer on `bind` ("host:port", port 0 takes a free one) in a thread; the server and its base URL.

    Raises ConfigError when the address is none or taken.
    """
    host, _, port = bind.rpartition(":")
    host = host.strip("[]") or "127.0.0.1"
    try:
        server = _Server((host, int(port)), _handler(management), host)
    except (OSError, ValueError, OverflowError) as error:
        raise ConfigError("IDP_MANAGEMENT_BIND", f"cannot be listened on: {bind} ({error})") from None
    threading.Thread(target=server.serve_forever, name="management", daemon=True).start()
    shown = f"[{host}]" if ":" in host else host
    return server, f"http://{shown}:{server.server_address[1]}"


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler], host: str) -> None:
        self.address_family = AF_INET6 if ":" in host else AF_INET
        super().__init__(address, handler)


def _handler(management: Management) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = 5
        server_version = "idp"
        sys_version = ""

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            try:
                status, kind, body = management.answer(parts.path, parts.query)
            except Exception:  # the listener outlives a failed scrape
                status, kind, body = 500, _TEXT, b"failed\n"
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Cache-Control", "no-store")
            self.send_header("X-Content-Type-Options", "nosniff")
            if status == 503:
                self.send_header("Retry-After", "1")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing: scrapes and probes would drown what matters."""

    return Handler
