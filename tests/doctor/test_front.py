"""The provider as asked from outside, with something between that changes one thing: each is noticed by its code."""

import ssl
import threading
from contextlib import contextmanager

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from werkzeug.serving import WSGIRequestHandler, make_server

from idp import config, directory
from idp.app import create_app
from idp.embedded import ports
from tests.doctor.certificates import certificate, pem


class Quiet(WSGIRequestHandler):
    """Says nothing on standard error."""

    def log(self, *_given):
        """Nothing."""


@contextmanager
def between(app, *, environ=None, status=None, header=None, body=None, tls=None):
    """A port on which the provider answers, with somebody between who changes requests or answers."""

    def changed(given, start):
        if environ is not None:
            environ(given)
        begun = []

        def begin(line, headers, exc_info=None):
            begun.append((line, headers))

        parts = app(given, begin)
        try:
            content = b"".join(parts)
        finally:
            if hasattr(parts, "close"):
                parts.close()
        line, headers = begun[0]
        if body is not None:
            content = body(given["PATH_INFO"], content, given)
            headers = [pair for pair in headers if pair[0].lower() != "content-length"]
        start(status or line, [header(*pair) if header else pair for pair in headers])
        return [content]

    server = make_server("127.0.0.1", 0, changed, threaded=True, request_handler=Quiet, ssl_context=tls)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield ("127.0.0.1", server.server_port)
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()


ALL = ("port", "discovery", "jwks", "headers", "cookies")


def test_a_provider_as_it_is_has_no_findings(codes, world, app):
    with between(app) as via:
        for name in ALL:
            assert codes(name, world(via=via)) == []


def test_nothing_is_tried_where_nobody_answers(codes, world):
    silent = ("127.0.0.1", ports.free())
    for name in ALL:
        assert "nothing listens on port" in codes(name, world(via=silent))[0]
    assert codes("port", world(via=silent, serving=8000)) == ["port.silent"]


def host(name):
    return lambda environ: environ.update(HTTP_HOST=name)


def in_document(member, value):
    import json

    def change(path, content, _environ):
        if not path.endswith("openid-configuration"):
            return content
        return json.dumps({**json.loads(content), member: value}).encode()

    return change


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ({"environ": host("upstream:8000")}, ["discovery.absent"]),
        ({"status": "502 Bad Gateway"}, ["discovery.status"]),
        ({"body": in_document("issuer", "https://id.example.com/t/acme")}, ["discovery.issuer"]),
        ({"body": in_document("token_endpoint", "http://upstream/token")}, ["discovery.endpoint"]),
        ({"body": in_document("scopes_supported", [])}, ["discovery.differs"]),
    ],
)
def test_documents(codes, world, app, how, expected):
    with between(app, **how) as via:
        assert codes("discovery", world(via=via)) == expected * 2  # one for each tenant


def test_keys_that_a_cache_holds_back(codes, world, app):
    with between(
        app, body=lambda path, content, _environ: b'{"keys": []}' if "jwks" in path else content
    ) as via:
        assert codes("jwks", world(via=via)) == ["discovery.keys"] * 2


def believes(environ):
    environ["HTTP_HOST"] = environ.get("HTTP_X_FORWARDED_HOST", environ["HTTP_HOST"])


def test_foreign_headers(codes, world, app):
    with between(app, environ=believes) as via:
        assert codes("headers", world(via=via)) == ["headers.stranger"]
        assert codes("headers", world(via=via, trusted_proxies=("127.0.0.0/8", "nonsense"))) == []

    def scheme(_path, content, environ):
        return content.replace(b"http:", environ.get("HTTP_X_FORWARDED_PROTO", "http").encode() + b":")

    with between(app, body=scheme) as via:
        assert codes("headers", world(via=via)) == ["headers.document"]
    with between(app, environ=host("localhost")) as via:
        assert codes("headers", world(via=via)) == ["headers.host"]
    with between(app) as via:
        assert codes("headers", world(via=via, trusted_proxies=("127.0.0.1",))) == ["headers.ignored"]


def cookie(change):
    return lambda name, value: (name, change(value) if name == "Set-Cookie" else value)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda line: f"x{line}", ["cookies.name"]),
        (lambda line: f"{line}; Secure", ["cookies.secure"]),
        (lambda line: line.replace("; HttpOnly", ""), ["cookies.httponly"]),
        (lambda line: line.replace("SameSite=Lax", "SameSite=None"), ["cookies.samesite"]),
        (lambda line: line.replace("; SameSite=Lax", ""), ["cookies.samesite"]),
        (lambda line: f"{line}; Domain=example.com", ["cookies.scope"]),
        (lambda line: line.replace("Path=/", "Path=/t/acme"), ["cookies.scope"]),
    ],
)
def test_cookies(codes, world, app, change, expected):
    with between(app, header=cookie(change)) as via:
        assert codes("cookies", world(via=via)) == expected


def test_no_cookie_without_a_page(codes, world, app, database):
    with between(app, header=lambda name, value: ("X-Gone" if name == "Set-Cookie" else name, value)) as via:
        assert codes("cookies", world(via=via))[0].startswith("not tried: No page set a cookie")
    database("UPDATE clients SET metadata = '{}'")
    with between(app) as via:
        assert codes("cookies", world(via=via))[0].startswith("not tried: No tenant has an application")


@pytest.fixture
def secure(services, vault, app, tmp_path):
    """The provider under an https base URL, and what a proxy shows its certificate with."""
    key = ec.generate_private_key(ec.SECP256R1())
    (tmp_path / "server.pem").write_bytes(pem(certificate("localhost", "server", key)) + pem(key))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.pem")
    config.use(services.settings.with_(base_url="https://localhost"))
    directory.forget_all()
    try:
        yield create_app(config.settings()), context
    finally:
        config.use(vault)
        directory.forget_all()


def test_an_https_provider_has_no_findings_and_its_cookies_are_judged_as_such(codes, world, secure, trusting):
    app, context = secure
    given = {"base_url": "https://localhost", "context": trusting}
    with between(app, tls=context) as via:
        for name in (*ALL, "tls"):
            assert codes(name, world(via=via, **given)) == []
        assert "is not trusted" in codes("discovery", world(via=via, base_url="https://localhost"))[0]
    with between(app, tls=context, header=cookie(lambda line: line.replace("; Secure", ""))) as via:
        assert codes("cookies", world(via=via, **given)) == ["cookies.secure"]
    with between(app, tls=context, header=cookie(lambda line: line.replace("__Host-", ""))) as via:
        assert codes("cookies", world(via=via, **given)) == ["cookies.name"]
    with between(app, tls=context, environ=believes) as via:
        trusted = {"trusted_proxies": ("127.0.0.1",), **given}
        assert codes("headers", world(via=via, **trusted)) == [
            "headers.stranger"
        ]  # a proxy ends https: we are strangers
