"""DNS, certificates and what tenants have registered: each finding is caused by exactly one thing."""

import datetime as dt
import socket
import ssl
import threading
from contextlib import contextmanager

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from idp.control import hosts
from idp.errors import Busy
from tests.doctor.certificates import NOW, certificate, pem
from tests.running import within

HOST = "id.acme.example"


@pytest.fixture
def own_host(acme, monkeypatch):
    """Acme has a proved host; its record."""
    proof = hosts.add("acme", HOST)
    hosts.prove("acme", HOST, lookup=lambda _name: [proof.value])
    return proof


def test_names_of_the_provider(codes, world):
    assert (
        codes("dns.provider", world(resolve=lambda _host: False)) == []
    )  # loopback and addresses need no DNS
    assert codes("dns.provider", world(base_url="https://192.0.2.1", resolve=lambda _host: False)) == []
    silent = {"resolve": lambda _host: False, "base_url": "https://id.example.com"}
    assert codes("dns.provider", world(**silent)) == ["dns.base"]
    only_base = {"resolve": lambda host: host == "id.example.com", "base_url": "https://id.example.com"}
    assert codes("dns.provider", world(**only_base, domain="id.example.net")) == ["dns.domain"]


def test_hosts_of_tenants(codes, world, own_host, database):
    there = {"lookup": lambda _name: [own_host.value]}
    assert codes("dns.hosts", world()) == []
    assert codes("dns.hosts", world(resolve=lambda host: host != HOST)) == ["dns.host"]
    assert codes("dns.proofs", world(**there)) == []
    assert codes("dns.proofs", world()) == ["dns.proof"]

    def away(_name):
        raise Busy

    assert codes("dns.proofs", world(lookup=away))[0].startswith("not tried: The DNS did not answer")
    database("UPDATE hosts SET lapsed_at = now()")
    assert codes("dns.proofs", world(**there)) == ["dns.lapsed"]
    hosts.add("globex", "id.globex.example")
    database("UPDATE hosts SET lapsed_at = NULL")
    assert codes("dns.proofs", world(**there)) == ["dns.unproved"]


def uris(database, *given, native=False):
    kind = ', "application_type": "native"' if native else ""
    listed = ", ".join(f'"{uri}"' for uri in given)
    database("UPDATE clients SET metadata = '{}' WHERE client_id <> 'web'")
    database(f"UPDATE clients SET metadata = '{{\"redirect_uris\": [{listed}]{kind}}}' "
             "WHERE client_id = 'web' AND tenant_id = (SELECT id FROM tenants WHERE slug = 'acme')")  # fmt: skip
    database(
        "UPDATE clients SET metadata = '{}' WHERE tenant_id <> (SELECT id FROM tenants WHERE slug = 'acme')"
    )


@pytest.mark.parametrize(
    ("given", "changes", "expected"),
    [
        (["https://app.example.com/callback"], {}, []),
        (["http://localhost:8001/callback"], {}, []),
        (["http://localhost:8001/callback"], {"env": "production"}, ["redirect.loopback"]),
        (["https://app.example.com/c", "https://app.example.com/c"], {}, ["redirect.duplicate"]),
        (["http://app.example.com/callback"], {}, ["redirect.invalid"]),
        (["https://*.example.com/callback"], {}, ["redirect.invalid"]),
        (["https://intranet/callback"], {}, ["redirect.private"]),
        (["https://app.corp.internal/callback"], {}, ["redirect.private"]),
        (["https://app.example.com/callback"], {"resolve": lambda _host: False}, ["redirect.unresolved"]),
    ],
)
def test_redirect_uris(codes, world, database, given, changes, expected):
    uris(database, *given)
    assert codes("redirects", world(**changes)) == expected


def test_a_native_application_may_listen_on_loopback_in_production(codes, world, database):
    uris(database, "http://127.0.0.1/callback", "com.example.app:/callback", native=True)
    assert codes("redirects", world(env="production")) == []


def test_a_move_that_never_ends(codes, world, own_host, database):
    assert codes("moves", world()) == []
    database(
        f"UPDATE tenants SET moving_host = '{HOST}', moving_since = now() - interval '40 days' WHERE slug = 'acme'"
    )
    assert codes("moves", world()) == ["issuer.moving"]


@contextmanager
def listening(folder, **how):
    """A server that shows one certificate; its port."""
    key = ec.generate_private_key(ec.SECP256R1())
    (folder / "server.pem").write_bytes(
        pem(certificate(how.pop("name", "localhost"), "server", key, **how)) + pem(key)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem")
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=_serve, args=(server, context), daemon=True)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            _stop(server)
            assert within(10, lambda: not thread.is_alive())


def _serve(server, context):
    while True:
        line, _ = server.accept()
        with line:
            line.settimeout(10)
            first = line.recv(1, 2)  # MSG_PEEK: what ends the server is not TLS
            if first == b"!":
                return
            try:
                with context.wrap_socket(line, server_side=True) as spoken:
                    spoken.recv(1)
            except OSError:
                pass


def _stop(server):
    with socket.create_connection(server.getsockname()) as line:
        line.sendall(b"!")


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ({}, []),
        ({"name": "other.example"}, ["tls.host"]),
        ({"days": 10}, ["tls.expired"]),
        ({"begins": NOW + dt.timedelta(days=2)}, ["tls.expired"]),
        ({"days": 105}, ["tls.soon"]),
        ({"issuer": "Nobody"}, ["tls.untrusted"]),
    ],
)
def test_certificates(codes, world, trusting, tmp_path, how, expected):
    with listening(tmp_path, **how) as port:
        seen = world(base_url="https://localhost", via=("127.0.0.1", port), context=trusting)
        assert codes("tls", seen) == expected


def test_a_port_without_tls(codes, world, trusting):
    def answer(server):
        line, _ = server.accept()
        with line:
            line.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            line.recv(4096)

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=answer, args=(server,), daemon=True)
        thread.start()
        seen = world(base_url="https://localhost", via=server.getsockname(), context=trusting)
        assert codes("tls", seen) == ["tls.none"]
        thread.join(10)


def test_no_certificate_is_looked_for_where_nobody_listens_or_speaks_https(codes, world):
    assert codes("tls", world())[0].startswith("not tried: The base URL is http")
    assert (
        "nothing listens on port 1"
        in codes("tls", world(base_url="https://localhost", via=("127.0.0.1", 1)))[0]
    )
