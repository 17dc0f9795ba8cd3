"""A relying party's web server for tests: it takes what is posted, and serves what it is told to serve."""

import json
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs


@dataclass
class Receiver:
    """Where it listens, how it answers, what it got. `hold`: it does not answer before this is set."""

    port: int = 0
    status: int = 200
    posts: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    hold: threading.Event | None = None
    came: threading.Event = field(default_factory=threading.Event)
    body: bytes = b""
    scheme: str = "http"
    versions: list[str | None] = field(default_factory=list)
    """Of TLS, one for each post."""

    @property
    def base(self) -> str:
        """Its origin."""
        return f"{self.scheme}://localhost:{self.port}"

    @property
    def tokens(self) -> list[str]:
        """The logout tokens that came, the first first."""
        return [parse_qs(body.decode())["logout_token"][0] for _, _, body in self.posts]


@contextmanager
def receiver(tls: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    """A server on a port of its own, until the block ends."""
    made = Receiver(scheme="http" if tls is None else "https")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            made.posts.append((self.path, dict(self.headers.items()), body))
            if isinstance(self.connection, ssl.SSLSocket):
                made.versions.append(self.connection.version())
            made.came.set()
            if made.hold is not None:
                made.hold.wait(60)
            self.send_response(made.status)
            if made.status in (302, 307):
                self.send_header("Location", f"{made.base}/elsewhere")
            self.send_header("Content-Length", str(len(made.body)))
            self.end_headers()
            self.wfile.write(made.body)

        do_GET = do_POST

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # type: ignore[method-assign] # whoever asked may have hung up
    made.port = server.server_address[1]
    wrap(server, tls)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield made
    finally:
        if made.hold is not None:
            made.hold.set()
        server.shutdown()
        server.server_close()


def wrap(server: ThreadingHTTPServer, tls: ssl.SSLContext | None) -> None:
    """Speak TLS, where there is what for; each connection shakes hands when it is first read."""
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)


HEADS = {"Content-Type": "application/json"}


@dataclass
class Serving:
    """What a client's own server answers to a GET, and how often it was asked."""

    port: int = 0
    status: int = 200
    body: bytes = b""
    heads: dict[str, str] = field(default_factory=lambda: dict(HEADS))
    asked: int = 0
    wait: float = 0.0
    scheme: str = "http"

    def keys(self, *keys: dict[str, Any]) -> None:
        """Serve a set of keys."""
        self.json({"keys": keys})

    def json(self, value: Any) -> None:
        """Serve a JSON document."""
        self.body = json.dumps(value).encode()

    def text(self, text: str, kind: str) -> None:
        """Serve a text of a media type."""
        self.body, self.heads = text.encode(), {"Content-Type": kind}

    @property
    def uri(self) -> str:
        """Where it lies; every path is answered alike."""
        return f"{self.scheme}://localhost:{self.port}/keys"


@contextmanager
def document_server(tls: ssl.SSLContext | None = None) -> Iterator[Serving]:
    """A server of documents on a port of its own, until the block ends."""
    said = Serving(scheme="http" if tls is None else "https")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            said.asked += 1
            time.sleep(said.wait)
            self.send_response(said.status)
            for name, value in {**said.heads, "Content-Length": str(len(said.body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(said.body)

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.handle_error = lambda *_: None  # type: ignore[method-assign] # whoever asked may have hung up
        said.port = server.server_port
        wrap(server, tls)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield said
        server.shutdown()
