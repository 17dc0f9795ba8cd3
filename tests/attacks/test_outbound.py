"""What leaves the house at a sign-out goes where it was registered, to public addresses, and not for long."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from idp import config, outbound
from idp.tenants import Tenant, entered
from tests.doctor.certificates import CA_KEY, certificate, pem


@contextlib.contextmanager
def listener(answer: Any) -> Iterator[int]:
    """A port whose connections are answered by `answer(connection)`."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def run() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    threading.Thread(target=_one, args=(answer, connection), daemon=True).start()

        threading.Thread(target=run, daemon=True).start()
        yield server.getsockname()[1]


def _one(answer: Any, connection: socket.socket) -> None:
    with contextlib.suppress(OSError), connection:
        answer(connection)


def answered(said: bytes) -> Any:
    return lambda connection: (connection.recv(65_536), connection.sendall(said))


@pytest.fixture
def public(acme: Tenant) -> Iterator[Tenant]:
    """Acme as it is in production: under https."""
    with entered(replace(acme, issuer="https://id.acme.example")) as tenant:
        yield tenant


@pytest.mark.parametrize(
    "uri",
    [
        "https://127.0.0.1/out",
        "https://[::1]/out",
        "https://169.254.169.254/latest",
        "https://10.0.0.1/",
        "https://172.16.0.1/",
        "https://192.168.1.1/",
        "https://100.64.0.1/",
        "https://[fe80::1]/",
        "https://[fc00::1]/",
        "https://localhost/out",
        "https://192.0.2.1/",
        "https://198.18.0.1/",
        "https://[2001:db8::1]/",
        "http://localhost:8001/out",
        "http://example.com/out",
        "https://user@example.com/",
        "ftp://example.com/",
        "https://0x7f000001/",
        "https://2130706433/",
        "https://[::ffff:127.0.0.1]/",
        "https://[64:ff9b::7f00:1]/",
    ],
)
def test_lo04_ss01_nothing_inside_is_reached(
    public: Tenant, uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    reached: list[Any] = []
    monkeypatch.setattr(socket, "create_connection", lambda *args: reached.append(args))
    with pytest.raises(outbound.NotSent):
        outbound.post(uri, {"logout_token": "x"})
    assert reached == []


def test_lo04_ss01_a_name_with_one_address_inside_is_not_reached(
    public: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, 443)) for each in ("1.1.1.1", "10.0.0.1")]
    asked: list[str] = []
    monkeypatch.setattr(socket, "getaddrinfo", lambda name, *_, **__: asked.append(name) or found)
    with pytest.raises(outbound.NotSent, match="not public"):
        outbound.post("https://app.example.com/out", {})
    assert asked == ["app.example.com"]


def test_lo04_ss02_what_was_judged_is_what_is_connected_to(
    public: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The DNS may answer otherwise a moment later: it is not asked again."""
    answers = iter(["1.1.1.1", "127.0.0.1"])
    reached: list[Any] = []

    def connect(where: Any, *_: Any) -> Any:
        reached.append(where)
        raise OSError

    monkeypatch.setattr(
        socket, "getaddrinfo", lambda *_, **__: [(socket.AF_INET, 1, 6, "", (next(answers), 443))]
    )
    monkeypatch.setattr(socket, "create_connection", connect)
    with pytest.raises(outbound.NotSent):
        outbound.post("https://app.example.com/out", {})
    assert reached == [("1.1.1.1", 443)]


@pytest.mark.parametrize(
    "said", [b"", b"\r\n", b"HTTP/2 200\r\n", b"x" * 100_000, b"HTTP/1.1 99999 x\r\n", b"200 OK\r\n"]
)
def test_lo04_ss05_garbage_is_no_answer(in_acme: Tenant, said: bytes) -> None:
    with listener(answered(said)) as port, pytest.raises(outbound.NotSent):
        outbound.post(f"http://localhost:{port}/", {"logout_token": "x"})


def test_lo04_ss05_an_endless_body_is_not_read(in_acme: Tenant) -> None:
    def endless(connection: socket.socket) -> None:
        connection.recv(65_536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            connection.sendall(b"10000\r\n" + b"x" * 65_536 + b"\r\n")

    with listener(endless) as port:
        assert outbound.post(f"http://localhost:{port}/", {"logout_token": "x"}) == 200


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_lo04_ss05_one_byte_at_a_time_ends_in_time(
    in_acme: Tenant, monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    """Neither an answer nor a handshake can be stretched: each byte comes in time, all of them do not."""
    monkeypatch.setattr(outbound, "SECONDS", 0.5)
    stop = threading.Event()

    def drip(connection: socket.socket) -> None:
        connection.recv(65_536)
        head = b"\x16\x03\x03\x3f\xff" if scheme == "https" else b"HTTP/1.1 200 "
        for byte in head + b"\x00" * 10_000:
            if stop.wait(0.05):
                return
            connection.sendall(bytes([byte]))

    with listener(drip) as port:
        try:
            with pytest.raises(outbound.NotSent):
                outbound.post(f"{scheme}://localhost:{port}/", {"logout_token": "x"})
        finally:
            stop.set()


@pytest.mark.parametrize("who", ["right", "stranger", "other name"])
def test_lo04_ss02_over_tls_the_certificate_must_be_right(
    public: Tenant, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, who: str
) -> None:
    """The certificate is checked for the name that was registered, whatever address it has."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = "elsewhere.test" if who == "other name" else "localhost"
    (tmp_path / "key").write_bytes(pem(key))
    (tmp_path / "leaf").write_bytes(pem(certificate(name, name, key)))
    (tmp_path / "ca").write_bytes(pem(certificate("Doctor CA", "Doctor CA", CA_KEY, ca=True)))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(tmp_path / "leaf", tmp_path / "key")
    trusted = ssl.create_default_context(cafile=None if who == "stranger" else str(tmp_path / "ca"))
    monkeypatch.setattr(outbound, "_trust", lambda _ca: trusted)
    monkeypatch.setattr(config, "_settings", replace(config.settings(), outbound_allow=("localhost",)))
    seen: list[bytes] = []
    versions: list[str | None] = []

    def answer(connection: socket.socket) -> None:
        with server.wrap_socket(connection, server_side=True) as secured:
            versions.append(secured.version())
            seen.append(secured.recv(65_536))
            secured.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")

    with listener(answer) as port:
        uri = f"https://localhost:{port}/out"
        if who == "right":
            assert outbound.post(uri, {"logout_token": "x"}) == 204
            assert versions == ["TLSv1.3"] and f"Host: localhost:{port}\r\n".encode() in seen[0]
        else:
            with pytest.raises(outbound.NotSent, match="no TLS"):
                outbound.post(uri, {"logout_token": "x"})
            assert seen == []


SPECIAL = (
    "0.0.0.1", "10.1.1.1", "127.0.0.1", "169.254.169.254", "172.31.0.1", "192.168.0.1", "198.51.100.1", "203.0.113.9",
    "224.0.0.1", "100.64.0.1", "192.0.0.1", "192.0.0.9", "192.31.196.1", "192.52.193.1", "192.88.99.1", "192.175.48.1",
    "198.18.0.1", "240.0.0.1", "255.255.255.255", "::", "::1", "::7f00:1", "64:ff9b::7f00:1", "64:ff9b:1::a00:1",
    "100::1",
    "100:0:0:1::1", "2001::1", "2001:2::1", "2001:20::1", "2620:4f:8000::1", "3fff::1", "5f00::1", "fec0::1",
    "fe80::1%eth0",
    "fc00::1", "2002:7f00:1::", "::ffff:127.0.0.1", "::ffff:0:7f00:1", "4000::1", "e000::1", "ff02::1", "2001:db8::1",
)  # fmt: skip
PUBLIC = ("8.8.8.8", "1.1.1.1", "223.255.255.1", "2606:4700::1111", "2a00:1450::1", "2001:4860:4860::8888")


@pytest.mark.parametrize("address", [*SPECIAL, *PUBLIC])
def test_ss01_whatever_a_name_resolves_to_only_the_public_internet_is_reached(
    public: Tenant, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    reached: list[str] = []

    def connect(where: Any, *_: Any) -> Any:
        reached.append(where[0])
        raise OSError

    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [(0, 1, 6, "", (address, 443))])
    monkeypatch.setattr(socket, "create_connection", connect)
    with pytest.raises(outbound.NotSent):
        outbound.get("https://app.example.com/keys", ("application/json",), 100)
    assert reached == ([address] if address in PUBLIC else [])


@pytest.mark.parametrize("port", [22, 25, 80, 444, 6379, 8443])
def test_ss04_only_the_port_of_https(public: Tenant, monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    reached: list[Any] = []
    monkeypatch.setattr(socket, "create_connection", lambda *args: reached.append(args))
    with pytest.raises(outbound.NotSent, match="port"):
        outbound.get(f"https://1.1.1.1:{port}/", ("application/json",), 100)
    assert reached == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_ss03_no_redirect_is_followed(in_acme: Tenant, status: int) -> None:
    asked: list[bytes] = []

    def inside(connection: socket.socket) -> None:
        asked.append(connection.recv(65_536))
        connection.sendall(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
        )

    with listener(inside) as port:
        head = f"HTTP/1.1 {status} Go\r\nLocation: http://localhost:{port}/\r\n"
        said = head + "Content-Type: application/json\r\n\r\n{}"
        with listener(answered(said.encode())) as first, pytest.raises(outbound.NotSent, match=str(status)):
            outbound.get(f"http://localhost:{first}/", ("application/json",), 100)
    assert asked == []


_JSON = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


@pytest.mark.parametrize(
    "said",
    [
        _JSON + b"Content-Length: 500\r\n\r\n{}", _JSON + b"Content-Length: 1000000000\r\n\r\n" + b"x" * 200,
        _JSON + b"Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}",
        _JSON + b"Transfer-Encoding: chunked\r\n\r\nffffffff\r\n" + b"x" * 200,
        _JSON + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 500 + b"\r\n", b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000, b"\x00" * 100,
    ],
)  # fmt: skip
def test_ss05_too_much_too_little_and_packed_documents_are_none(in_acme: Tenant, said: bytes) -> None:
    with listener(answered(said)) as port, pytest.raises(outbound.NotSent):
        outbound.get(f"http://localhost:{port}/", ("application/json",), 100)


def test_ss05_a_resolver_that_does_not_answer_holds_nobody_for_long(
    in_acme: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbound, "SECONDS", 0.3)
    answers = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answers.wait(30) and [])
    try:
        for _ in range(3):
            with pytest.raises(outbound.NotSent, match="no address"):
                outbound.get("http://localhost:9/", ("application/json",), 100)
    finally:
        answers.set()


def test_ss07_nothing_of_ours_goes_along(in_acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    seen: list[bytes] = []

    def answer(connection: socket.socket) -> None:
        seen.append(connection.recv(65_536))
        connection.sendall(_JSON + b"Content-Length: 2\r\n\r\n{}")

    with listener(answer) as port:
        assert outbound.get(f"http://localhost:{port}/a?b=c", ("application/json",), 100).body == b"{}"
    head = seen[0].decode()
    assert head.startswith("GET /a?b=c HTTP/1.1\r\n")
    names = {line.partition(":")[0] for line in head.split("\r\n")[1:] if line}
    assert names == {"Host", "Accept", "Accept-Encoding", "User-Agent", "Connection"}
