"""Messages that come back, limits of messages, and what operators see of both."""

import json
from collections.abc import Iterator
from contextlib import nullcontext
from email.message import EmailMessage
from typing import Any

import pytest
from click.testing import CliRunner

from idp import clock, config, mail
from idp.audit import Actor
from idp.cli import mail as mail_command
from idp.cli import session
from idp.config import Settings
from idp.control import help_desk, mailing, tenants
from idp.errors import Invalid, NotFound
from idp.mail import Kind, What, bounces
from idp.signing import sealed
from idp.store.durable import users
from idp.tenants import Tenant, entered
from tests.attacks.acting import events, policy
from tests.mailing import Sink, sink

DESK = Actor("operator", "carol", reason="ticket 7")
ALICE, BOB = "alice@example.com", "bob@example.com"


@pytest.fixture
def server(vault: Settings, database: Any) -> Iterator[Sink]:
    """A mail server, and a deployment that knows it."""
    with sink() as taken:
        config.use(vault.with_(smtp_url=taken.url, mail_from="no-reply@id.example.com"))
        yield taken
    config.use(vault)


def tell(tenant: Tenant, address: str = ALICE) -> bool:
    with entered(tenant):
        alice = users.by_username(address.partition("@")[0])
        return mail.send(
            Kind.PASSWORD_CHANGED, address, user_id=alice.id if alice else None, what=What.PASSWORD_BY_LINK
        )


def sent(tenant: Tenant, server: Sink, address: str = ALICE) -> EmailMessage:
    assert tell(tenant, address)
    [arrived] = server.deliver()
    return arrived


def notification(
    original: EmailMessage | str, *, action: str = "failed", status: str = "5.1.1", to: str = ALICE,
    whole: bool = False, kind: str = "multipart/report",
) -> bytes:  # fmt: skip
    """What a mail server sends back (RFC 3464, appendix E)."""
    identifier = original if isinstance(original, str) else str(original["Message-ID"])
    returned = "message/rfc822" if whole else "text/rfc822-headers"
    return f"""\
From: MAILER-DAEMON@mx.example
To: no-reply@id.example.com
Subject: Undelivered Mail Returned to Sender
MIME-Version: 1.0
Content-Type: {kind}; report-type=delivery-status; boundary="between"

--between
Content-Type: text/plain

Your message could not be delivered.

--between
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example

Final-Recipient: rfc822; {to}
Action: {action}
Status: {status}
Diagnostic-Code: smtp; 550 no such user

--between
Content-Type: {returned}

Message-ID: {identifier}
To: {to}
Subject: x

what it said

--between--
""".replace("\n", "\r\n").encode()


@pytest.mark.parametrize("whole", [False, True])
def test_what_comes_back_suppresses_its_address_in_its_tenant_until_it_is_lifted(
    acme: Tenant, globex: Tenant, server: Sink, database: Any, whole: bool
) -> None:
    original = sent(acme, server)
    assert (
        "=?"
        not in server.envelopes[-1]
        .original_content.partition(b"\r\n\r\n")[0]
        .decode()
        .partition("Message-ID")[2]
    )
    assert mailing.bounce(notification(original, whole=whole)) == ("acme", True)
    assert mailing.bounce(notification(original, whole=whole)) == ("acme", False), (
        "a second one changes nothing"
    )
    assert not tell(acme) and tell(acme, BOB) and tell(globex)
    assert events(database, acme, "mail.suppressed") == 1 and events(database, acme, "mail.bounced") == 2
    [(facts,)] = database("SELECT facts FROM audit_log WHERE event = 'mail.withheld'")
    assert facts["why"] == "suppressed" and "alice" not in json.dumps(facts)
    with entered(acme):
        [shown] = mailing.suppressed()
        assert (shown["address"], shown["why"], shown["status"]) == (ALICE, "bounced", "5.1.1")
        [reason] = [each for each in help_desk.why("alice", DESK)["reasons"] if each["code"] == "mail"]
        assert (
            "bounced with 5.1.1" in reason["sentence"]
            and reason["command"] == f"idp mail lift {ALICE} --tenant acme"
        )
        mailing.lift("ALICE@example.com")
        with pytest.raises(NotFound):
            mailing.lift(ALICE)
    assert tell(acme) and events(database, acme, "mail.lifted") == 1


def test_nobody_suppresses_an_address_of_which_they_have_no_message(
    acme: Tenant, globex: Tenant, server: Sink, database: Any
) -> None:
    original = sent(acme, server, BOB)
    identifier = str(original["Message-ID"])
    slug, mark = identifier[1:].partition("@")[0].split(".")
    forged = (
        f"<{slug}.{mark[:-1]}{'A' if mark[-1] != 'A' else 'B'}@id.example.com>",
        f"<globex.{mark}@id.example.com>",
        f"<nobody.{mark}@id.example.com>",
        f"<acme.{'A' * 120}@id.example.com>",
        "<x@id.example.com>",
        "",
    )
    for each in forged:
        with pytest.raises(Invalid):
            mailing.bounce(notification(each))
    # Bob has his own message, and names Alice in what he says came back.
    assert mailing.bounce(notification(original, to=ALICE)) == ("acme", True)
    assert tell(acme) and not tell(acme, BOB) and tell(globex, BOB)
    with entered(acme):
        old = sealed.write(
            "mail.bounce", {"to": ALICE, "user": None, "at": clock.epoch() - bounces.FRESH - 1}
        )
        other = sealed.write("recovery.asked", {"to": ALICE, "user": None, "at": clock.epoch()})
    for text in (old, other):
        with pytest.raises(Invalid):
            mailing.bounce(notification(f"<acme.{text}@id.example.com>"))
    assert tell(acme)


@pytest.mark.parametrize(
    "changes",
    [{"action": "delayed", "status": "4.4.1"}, {"action": "delivered", "status": "2.0.0"}, {"status": "4.2.2"},
     {"status": "nothing"}, {"kind": "multipart/mixed"}],
)  # fmt: skip
def test_what_has_not_failed_for_good_is_no_bounce(
    acme: Tenant, server: Sink, changes: dict[str, str]
) -> None:
    original = sent(acme, server)
    why = "no delivery status" if "kind" in changes else "failed for good"
    with pytest.raises(Invalid, match=why):
        mailing.bounce(notification(original, **changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "raw", [b"", b"\xff\x00", b"Content-Type: multipart/report\r\n\r\n", b"x" * 1_048_577]
)
def test_what_is_no_message_is_refused(acme: Tenant, raw: bytes) -> None:
    with pytest.raises(Invalid):
        mailing.bounce(raw)


@pytest.mark.parametrize("status", ["5.2.2", "5.7.1", "5.4.4"])
def test_a_full_mailbox_or_a_bad_opinion_of_us_is_told_and_suppresses_nothing(
    acme: Tenant, server: Sink, database: Any, status: str
) -> None:
    assert mailing.bounce(notification(sent(acme, server), status=status)) == ("acme", False)
    assert tell(acme) and events(database, acme, "mail.bounced") == 1


@pytest.mark.parametrize(
    ("answer", "gone"),
    [
        ("550 5.1.1 no such user", True),
        ("550 no such user", True),
        ("553 5.7.1 blocked", False),
        ("552 5.2.2 full", False),
    ],
)
def test_a_recipient_that_the_server_refuses_is_suppressed(
    acme: Tenant, server: Sink, database: Any, answer: str, gone: bool
) -> None:
    server.answers = [f"rcpt {answer}"]
    assert tell(acme) and server.deliver() == []
    assert events(database, acme, "mail.refused") == 1 and events(database, acme, "mail.suppressed") == int(
        gone
    )
    assert tell(acme) is not gone
    server.answers = ["550 5.6.0 we do not like what it says"]
    assert tell(acme, BOB)
    server.deliver()
    assert tell(acme, BOB), "a message that is refused says nothing of its address"


def test_above_the_tenants_number_what_is_not_about_safety_is_withheld_and_told(
    acme: Tenant, globex: Tenant, server: Sink, database: Any
) -> None:
    few = policy(acme, tenant_mails=2)

    def invite(tenant: Tenant, number: int) -> bool:
        with entered(tenant):
            return mail.send(Kind.INVITATION, f"n{number}@example.com", lasts=86_400)

    assert [invite(few, number) for number in range(4)] == [True, True, False, False]
    assert tell(few), "a changed password is always told"
    assert invite(globex, 1)
    whys = [
        facts["why"] for (facts,) in database("SELECT facts FROM audit_log WHERE event = 'mail.withheld'")
    ]
    assert whys == ["tenant", "tenant"]
    with tenants.enter("acme"):
        assert mailing.described()["withheld_in_a_day"] == 2


def test_the_commands(acme: Tenant, server: Sink, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "deployment", nullcontext)  # it is open in this process already

    def run(*arguments: str, given: bytes = b"") -> tuple[int, Any]:
        done = CliRunner().invoke(mail_command.command, [*arguments, "--json"], input=given)
        return done.exit_code, json.loads(done.stdout) if done.stdout else done.output

    original = sent(acme, server)
    code, said = run("bounce", given=notification("<x@y>"))
    assert code == 1 and said["suppressed"] is False and "none of ours" in said["why"]
    assert run("bounce", given=notification(original)) == (0, {"suppressed": True, "tenant": "acme"})
    code, rows = run("suppressed", "--tenant", "acme")
    assert code == 0 and [each["address"] for each in rows] == [ALICE]
    assert run("lift", ALICE, "--tenant", "acme")[0] == 0 and run("suppressed", "--tenant", "acme") == (0, [])
    assert run("show", "--tenant", "acme")[1]["server"] == "the platform's"
    assert run("test", BOB, "--tenant", "acme", "--language", "fr")[0] == 0
    assert server.mails[-1]["Subject"] == "Message de test de Acme Corporation"
    assert run("preview", "leaving", "--tenant", "acme", "--language", "es")[1]["subject"].startswith(
        "Su cuenta"
    )
