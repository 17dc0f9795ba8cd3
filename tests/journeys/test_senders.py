"""A tenant's own sender: on a domain that it has proved, by its own mail server over TLS, or by the platform's."""

import json
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from idp import config, mail, outbound
from idp.config import Settings
from idp.control import blueprints, hosts, mailing, tenants
from idp.control.doctor import run
from idp.errors import Invalid, NotFound
from idp.mail import Kind, What, senders, smtp
from idp.signing import ring
from idp.tenants import Tenant
from tests.attacks.acting import events
from tests.doctor.certificates import CA_KEY, certificate, pem
from tests.mailing import Sink, sink
from tests.resolving import resolver

DOMAIN = "acme.example"
FROM = f"hello@{DOMAIN}"
PLATFORM = "no-reply@id.example.com"


@pytest.fixture
def server(vault: Settings, database: Any) -> Iterator[Sink]:
    """The platform's mail server."""
    with sink() as taken:
        config.use(vault.with_(smtp_url=taken.url, mail_from=PLATFORM))
        yield taken
    config.use(vault)


@pytest.fixture
def proved(acme: Tenant) -> str:
    """A domain that acme has proved."""
    proof = hosts.add("acme", DOMAIN)
    hosts.prove("acme", DOMAIN, lookup=lambda _name: [proof.value])
    return DOMAIN


@pytest.fixture
def certified(tmp_path: Path) -> tuple[ssl.SSLContext, Path]:
    """TLS for `localhost` by a CA of these tests, and the CA's certificate."""
    key = ec.generate_private_key(ec.SECP256R1())
    chain, authority = tmp_path / "server.pem", tmp_path / "ca.pem"
    chain.write_bytes(pem(certificate("localhost", "localhost", key)) + pem(key))
    authority.write_bytes(pem(certificate("", "Doctor CA", CA_KEY, ca=True)))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(chain)
    return context, authority


def tell(slug: str = "acme") -> None:
    with tenants.enter(slug):
        assert mail.send(Kind.PASSWORD_CHANGED, "alice@example.com", what=What.PASSWORD_BY_LINK)


def test_messages_come_from_the_tenants_address_once_its_domain_is_proved(
    acme: Tenant, globex: Tenant, server: Sink, database: Any
) -> None:
    with tenants.enter("acme"):
        mailing.set_sender({"address": FROM, "name": "Acme Accounts"})
        assert mailing.described()["proved"] is False and mailing.described()["from"] == PLATFORM
    tell()
    [early] = server.deliver()
    assert str(early["From"]) == f"Acme Corporation <{PLATFORM}>"
    proof = hosts.add("acme", DOMAIN)
    hosts.prove("acme", DOMAIN, lookup=lambda _name: [proof.value])
    tell()
    tell("globex")
    arrived = server.deliver()
    assert {str(each["From"]) for each in arrived} == {
        f"Acme Accounts <{FROM}>",
        f"{globex.name} <{PLATFORM}>",
    }
    assert {each.mail_from for each in server.envelopes[1:]} == {FROM, PLATFORM}
    hosts.remove("acme", DOMAIN)
    tell()
    assert str(server.deliver()[0]["From"]) == f"Acme Corporation <{PLATFORM}>", "the proof is gone"


@pytest.mark.parametrize("kind", ["tls", "starttls"])
def test_its_own_server_is_encrypted_signed_in_and_has_no_password_in_any_row(
    acme: Tenant, server: Sink, proved: str, certified: tuple[ssl.SSLContext, Path], kind: str, database: Any
) -> None:
    context, authority = certified
    config.use(config.settings().with_(outbound_ca=authority))
    with sink(**{kind: context}, password="s3cret/@:") as own:  # type: ignore[arg-type]
        url = own.url.replace(":s3cret/@:@", "@")
        with tenants.enter("acme"):
            mailing.set_sender({"address": FROM, "smtp": url}, password="s3cret/@:")
            assert mailing.described()["server"] == url.replace("idp@", "")
        tell()
        tell("globex")
        [theirs] = server.deliver()
        assert str(theirs["From"]).endswith(f"<{PLATFORM}>")
        assert [each.mail_from for each in own.envelopes] == [FROM] and own.people == ["idp"]
        kept = database("SELECT mail_senders::text FROM mail_senders")
        assert "s3cret" not in json.dumps(kept) and "s3cret" not in repr(mailing_sender())
        assert "s3cret" not in json.dumps(database("SELECT facts::text FROM audit_log"))
        with tenants.enter("acme"):
            mailing.set_sender({"name": "Acme"})
            mailing.test("bob@example.com", "de")
            assert own.mails[-1]["Subject"] == "Testnachricht von Acme Corporation"
            with pytest.raises(Invalid, match="password is missing"):
                mailing.set_sender({"smtp": url.replace("localhost", "elsewhere.example")})
            mailing.set_sender({}, password="wrong")
            with pytest.raises(Invalid, match="not sent"):
                mailing.test("bob@example.com", None)
    assert events(database, acme, "mail_sender.set") == 3


def mailing_sender() -> object:
    with tenants.enter("acme"):
        return mailing.sender()


def test_nothing_is_said_in_clear_to_a_tenants_server_even_on_this_machine(server: Sink, proved: str) -> None:
    with sink() as clear, tenants.enter("acme"):
        mailing.set_sender({"address": FROM, "smtp": clear.url})
        with pytest.raises(Invalid):
            mailing.test("bob@example.com", None)
        assert clear.envelopes == [] and server.envelopes == []


def test_ss_a_tenants_server_is_none_of_ours(
    server: Sink, proved: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Names and addresses of this machine, where a tenant does not live on it itself."""
    monkeypatch.setattr(outbound, "current", lambda: type("Tenant", (), {"local": False})())
    with closing(socket.socket()) as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        listening.settimeout(0.2)
        port = listening.getsockname()[1]
        with tenants.enter("acme"):
            for host in ("localhost", "127.0.0.1"):
                mailing.set_sender({"address": FROM, "smtp": f"smtps://{host}:{port}"})
                with pytest.raises(Invalid, match="not public"):
                    mailing.test("bob@example.com", None)
        with pytest.raises(TimeoutError):
            listening.accept()


def test_a_server_that_drips_has_a_minute(proved: str, server: Sink, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smtp, "LONGEST", 0.5)
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:

        def drip() -> None:
            channel, _ = listening.accept()
            with closing(channel):
                while True:
                    try:
                        channel.sendall(b"2")
                    except OSError:
                        return
                    time.sleep(0.05)

        threading.Thread(target=drip, daemon=True).start()
        with tenants.enter("acme"):
            mailing.set_sender({"address": FROM, "smtp": f"smtp://localhost:{listening.getsockname()[1]}"})
            begun = time.monotonic()
            with pytest.raises(Invalid, match="not sent"):
                mailing.test("bob@example.com", None)
    assert time.monotonic() - begun < 5


@pytest.mark.parametrize(
    ("given", "password", "field"),
    [
        ({"address": "no address"}, None, "address"),
        ({"name": "Acme"}, None, "address"),
        ({"address": FROM, "name": "a\nb"}, None, "name"),
        ({"address": FROM, "colour": "x"}, None, "colour"),
        ({"address": FROM, "smtp": "http://mail.example"}, None, "smtp"),
        ({"address": FROM, "smtp": "smtps://u:p@mail.example"}, None, "smtp"),
        ({"address": FROM, "smtp": "smtps://mail.example/x"}, None, "smtp"),
        ({"address": FROM, "smtp": "smtps://a@b@mail.example"}, None, "smtp"),
        ({"address": FROM, "smtp": "smtps://mail.example:99999"}, None, "smtp"),
        ({"address": FROM, "smtp": "smtps://u@mail.example"}, None, "password"),
        ({"address": FROM, "smtp": "smtps://mail.example"}, "x", "password"),
        ({"address": FROM, "smtp": "smtps://u@mail.example"}, "x\ny", "password"),
    ],
)
def test_what_cannot_be_a_sender_is_named(
    acme: Tenant, given: dict[str, Any], password: str | None, field: str
) -> None:
    with tenants.enter("acme"), pytest.raises(Invalid) as refused:
        mailing.set_sender(given, password=password)
    assert refused.value.rule == field


def test_a_password_survives_a_new_ring_key_and_holds_the_old_one(
    acme: Tenant, proved: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tenants.enter("acme"):
        mailing.set_sender({"address": FROM, "smtp": "smtps://u@mail.example"}, password="one two")
        old = ring.ring()
        ring.use(ring.added(old))
        try:
            assert senders.sealed_by() == {old.newest.id: 1}
            assert senders.rewrap() == 1 and senders.rewrap() == 0
            assert senders.sealed_by() == {ring.ring().newest.id: 1}
            assert senders.opened(mailing.sender()) == "one two"
        finally:
            ring.use(old)


FILE = """
tenants:
  - slug: acme
    senders:
      - address: {address}
        name: {name}
        smtp: smtps://u@mail.example
        password: {password}
"""


def test_a_blueprint_sets_it_and_diff_sees_what_differs(acme: Tenant, tmp_path: Path) -> None:
    def changes(**said: str) -> list[str]:
        given = {"address": FROM, "name": "Acme", "password": "one two", **said}
        path = tmp_path / "file.yaml"
        path.write_text(FILE.format(**given))
        rehearsed = [str(each) for each in blueprints.apply_files([path], dry_run=True).changes]
        assert rehearsed == [str(each) for each in blueprints.apply_files([path]).changes]
        return rehearsed

    assert changes() == [f"acme: create sender {FROM}"]
    assert changes() == []
    assert changes(name="Other") == [f"acme: change sender {FROM} (name)"]
    assert changes(name="Other", password="three") == [f"acme: change sender {FROM} (password)"]
    assert changes(name="Other", password="three\n        state: absent") == [f"acme: delete sender {FROM}"]
    assert changes(name="Other", password="three\n        state: absent") == []


def test_the_doctor_looks_at_a_tenants_own_domain(acme: Tenant, vault: Settings, proved: str) -> None:
    with tenants.enter("acme"):
        mailing.set_sender({"address": FROM, "smtp": "smtps://mail.acme.example"})
    zone = {
        (DOMAIN, "TXT"): ["v=spf1 -all"],
        (DOMAIN, "A"): ["192.0.2.1"],
        ("mail.acme.example", "A"): ["192.0.2.7"],
    }
    settings = vault.with_(smtp_url="smtp://localhost", mail_from=PLATFORM)
    with resolver(zone) as address:
        own = list(run.mail(settings, None, address, "acme"))
        ours = list(run.mail(settings, None, address, "globex"))
    found = {finding.code: finding for result in own for finding in result.findings}
    assert set(found) == {"mail.dmarc.none", "mail.ptr"}
    assert found["mail.ptr"].where == "tenant acme: senders" and "192.0.2.7" in found["mail.ptr"].cause
    assert "id.example.com has no SPF" in next(each for result in ours for each in result.findings).cause
    with pytest.raises(NotFound):
        list(run.mail(settings, None, None, "nobody"))


def test_a_preview_shows_every_message_and_sends_none(acme: Tenant, server: Sink) -> None:
    with tenants.enter("acme"):
        for kind in Kind:
            made = mailing.preview(kind, "ja")
            assert made.subject and 'lang="ja"' in made.html
        for kind, language in (("nothing", "en"), ("leaving", "tlh")):
            with pytest.raises(Invalid):
                mailing.preview(kind, language)
    assert server.deliver() == []
