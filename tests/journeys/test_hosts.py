"""Hosts of a tenant's own: noted, proved by the DNS, of one tenant, and no change by themselves."""

import socket
import struct
import threading

import pytest

from idp import directory
from idp.audit import SYSTEM
from idp.control import dns_text, hosts, tenants
from idp.errors import Busy, Conflict, Invalid, NotFound

HOST = "id.acme.example"


def test_a_host_counts_once_it_is_proved(acme, globex, database):
    proof = hosts.add("acme", HOST, SYSTEM)
    assert proof == hosts.add("acme", HOST, SYSTEM)
    assert (proof.status, proof.record) == ("pending", f"_idp-challenge.{HOST}")
    assert directory.resolve_host(HOST) is None
    with pytest.raises(Conflict):
        hosts.prove("acme", HOST, SYSTEM, lookup=lambda name: ["idp-verify=something else"])
    assert hosts.prove("acme", HOST, SYSTEM, lookup=lambda name: ["x", proof.value]).status == "proved"
    directory.forget_all()
    assert directory.resolve_host(HOST).slug == "acme"
    assert tenants.described(tenants.show("acme"))["issuer"] == acme.issuer
    with pytest.raises(Conflict):
        hosts.add("globex", HOST, SYSTEM)
    with pytest.raises(NotFound):
        hosts.remove("globex", HOST, SYSTEM)
    hosts.remove("acme", HOST, SYSTEM)
    assert hosts.list_("acme") == []
    assert hosts.add("globex", HOST, SYSTEM).value != proof.value
    found = [
        event for (event,) in database("SELECT event FROM audit_log WHERE event LIKE 'host.%' ORDER BY id")
    ]
    assert found == ["host.added", "host.proved", "host.removed", "host.added"]


@pytest.mark.parametrize(
    "host", ["localhost", "127.0.0.1", "ID.acme.example", "acme", "*.acme.example", "a.test/x", "a..b"]
)
def test_hosts_that_are_refused(acme, host):
    with pytest.raises(Invalid):
        hosts.add("acme", host, SYSTEM)


@pytest.fixture
def resolver():
    """A resolver of ours that answers one question: `resolver(reply)` gives its address."""
    channel = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    channel.bind(("127.0.0.1", 0))

    def serve(reply):
        def answer():
            for _ in range(dns_text.TRIES):
                query, whom = channel.recvfrom(512)
                channel.sendto(reply(query), whom)

        threading.Thread(target=answer, daemon=True).start()
        return channel.getsockname()

    yield serve
    channel.close()


def records(query, *texts, number=None, flags=0x8180):
    found = b"".join(
        b"\xc0\x0c" + struct.pack(">HHIH", 16, 1, 60, len(text) + 1) + bytes([len(text)]) + text
        for text in texts
    )
    head = struct.pack(">HHHHHH", number or struct.unpack(">H", query[:2])[0], flags, 1, len(texts), 0, 0)
    return head + query[12:] + found


def test_rfc1035_text_records(resolver):
    assert dns_text.lookup(
        "_idp-challenge.a.test", resolver(lambda query: records(query, b"one", b"two"))
    ) == ["one", "two"]


def test_rfc1035_no_such_name(resolver):
    assert dns_text.lookup("a.test", resolver(lambda query: records(query, flags=0x8183))) == []


@pytest.mark.parametrize(
    "reply",
    [
        lambda query: b"",
        lambda query: b"\x00" * 12,
        lambda query: records(query, b"x", number=(struct.unpack(">H", query[:2])[0] + 1) % 65536 or 1),
        lambda query: records(query, flags=0x8182),
        lambda query: records(query, b"x")[:-3] + b"",
        lambda query: records(query)[:6] + b"\x00\x09" + records(query)[8:],
        lambda query: query[:2] + b"\xff" * 400,
    ],
)
def test_an_answer_to_something_else_is_none(resolver, reply, monkeypatch):
    monkeypatch.setattr(dns_text, "TIMEOUT", 0.2)
    try:
        assert dns_text.lookup("a.test", resolver(reply)) != ["x"]
    except Busy as refusal:
        assert refusal.retry_after == 30
