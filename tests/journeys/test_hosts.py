"""Hosts of a tenant's own: noted, proved by the DNS, of one tenant, and no change by themselves."""

import socket
import struct
import threading
from contextlib import suppress
from datetime import timedelta

import pytest

from idp import clock, directory
from idp.audit import SYSTEM
from idp.control import dns_text, hosts, issuers, tenants
from idp.errors import Busy, Conflict, Invalid, NotFound
from idp.tenants import entered

HOST = "id.acme.example"


def test_ox08_a_host_counts_once_it_is_proved(acme, globex, database):
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


@pytest.fixture
def proved(acme):
    proof = hosts.add("acme", HOST, SYSTEM)
    hosts.prove("acme", HOST, SYSTEM, lookup=lambda name: [proof.value])
    directory.forget_all()
    return proof


def look_on(day, answer, frozen):
    """What a daily look finds on the day that is `day` days from now."""

    def lookup(name):
        if isinstance(answer, Exception):
            raise answer
        return answer

    with frozen(clock.now() + timedelta(days=day, minutes=5)):
        directory.forget_all()
        with entered(directory.resolve("acme")):
            return hosts.look_again(lookup)


def test_a_host_whose_record_is_gone_for_three_days_counts_no_more(proved, frozen, database):
    assert look_on(0, [], frozen) == 0, "looked at a moment ago"
    assert [look_on(day, [], frozen) for day in (1, 2, 3)] == [0, 0, 0]
    assert directory.resolve_host(HOST).slug == "acme"
    assert look_on(4, [], frozen) == 1
    assert look_on(5, [], frozen) == 0
    directory.poll()
    assert directory.resolve_host(HOST) is None
    assert [each.status for each in hosts.list_("acme")] == ["lapsed"]
    assert database("SELECT event FROM audit_log WHERE event = 'host.lapsed'") == [("host.lapsed",)]
    assert hosts.prove("acme", HOST, SYSTEM, lookup=lambda name: [proved.value]).status == "proved"
    directory.poll()
    assert directory.resolve_host(HOST).slug == "acme"


def test_a_record_that_came_back_and_a_dns_that_does_not_answer_end_nothing(proved, frozen):
    answers = [[], [], [proved.value], [], [], Busy("away"), Busy("away"), Busy("away")]
    assert [look_on(day, answer, frozen) for day, answer in enumerate(answers, 1)] == [0] * len(answers)
    assert look_on(len(answers) + 1, [proved.value], frozen) == 0
    assert directory.resolve_host(HOST).slug == "acme"


def test_an_issuer_is_not_ended_by_a_slip_in_the_dns(proved, frozen):
    issuers.begin("acme", f"https://{HOST}", SYSTEM)
    issuers.finish("acme", actor=SYSTEM)
    assert [look_on(day, [], frozen) for day in range(1, 7)] == [0] * 6
    assert directory.resolve_host(HOST).issuer == f"https://{HOST}"


def test_ox08_a_host_that_went_to_another_tenant_is_not_remembered(proved, globex):
    """Found under the old owner's other name again, its host is still not its host."""
    assert directory.resolve_host(HOST).slug == "acme"
    hosts.remove("acme", HOST, SYSTEM)
    assert directory.resolve("acme").hosts == ()
    assert directory.resolve_host(HOST) is None
    taken = hosts.add("globex", HOST, SYSTEM)
    hosts.prove("globex", HOST, SYSTEM, lookup=lambda name: [taken.value])
    directory.poll()
    assert directory.resolve_host(HOST).slug == "globex"


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
                with suppress(OSError):  # the test is over and has closed the channel
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
