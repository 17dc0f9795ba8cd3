"""A tenant's own words in messages: plain text with named fields, in each language, ours where it has none."""

import json
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from idp import config, mail, speech
from idp.cli import mail as mail_command
from idp.cli import session
from idp.config import Settings
from idp.control import blueprints, mail_words, mailing
from idp.errors import Invalid, NotFound
from idp.mail import Kind, What, texts
from idp.tenants import Tenant, entered
from tests.attacks.acting import events
from tests.mailing import Sink, link, sink, text

NASTY = "<script>{tenant}</script>{7*7}%(tenant)s"


@pytest.fixture
def server(vault: Settings, database: Any) -> Iterator[Sink]:
    """A mail server, and a deployment that knows it."""
    with sink() as taken:
        config.use(vault.with_(smtp_url=taken.url, mail_from="no-reply@id.example.com"))
        yield taken
    config.use(vault)


def sent(tenant: Tenant, server: Sink, language: str, kind: Kind = Kind.PASSWORD_RESET, **fields: Any) -> Any:
    with entered(tenant), speech.speaking(language):
        given = fields or {"lasts": 3_600}
        assert mail.send(kind, "bob@example.com", link="https://id.example.com/x", **given)
    [arrived] = server.deliver()
    return arrived


def test_its_own_words_stand_in_its_messages_in_their_language_alone(
    acme: Tenant, globex: Tenant, server: Sink, database: Any
) -> None:
    said = "Hallo,\n\nbei {tenant} gilt der Link {lasts} lang.\nBis bald & <3".replace("<3", "♥")
    with entered(acme):
        changed = mail_words.set_text("password_reset", "de", {"subject": "Neu bei {tenant}", "text": said})
        assert changed == ["subject", "text"]
        assert mail_words.set_text("password_reset", "de", {"subject": "Neu bei {tenant}"}) == []
    arrived = sent(acme, server, "de")
    assert str(arrived["Subject"]) == "Neu bei Acme Corporation"
    assert "bei Acme Corporation gilt der Link 1 Stunde lang. Bis bald & ♥" in text(arrived)
    assert "Neues Passwort festlegen" in text(arrived) and link(arrived), "what it does not say is said by us"
    body = arrived.get_body(("html",)).get_content()
    assert "Bis bald &amp; ♥</p>" in body and ">Hallo,</p>" in body
    assert str(sent(acme, server, "fr")["Subject"]).startswith("Définissez")
    assert str(sent(globex, server, "de")["Subject"]).startswith("Neues Passwort")
    with entered(acme):
        assert mailing.preview("password_reset", "de").subject == "Neu bei Acme Corporation"
        mail_words.set_text("password_reset", "de", {"subject": None})
        assert [list(each) for each in mail_words.list_()] == [["kind", "language", "text"]]
        mail_words.remove_text("password_reset", "de")
        with pytest.raises(NotFound):
            mail_words.remove_text("password_reset", "de")
    assert str(sent(acme, server, "de")["Subject"]).startswith("Neues Passwort")
    assert events(database, acme, "mail_text.set") == 2 and events(database, acme, "mail_text.removed") == 1


def test_pw09_what_stands_in_a_field_is_never_a_field_or_markup(acme: Tenant, server: Sink) -> None:
    with entered(acme):
        mail_words.set_text("approval_asked", "en", {"text": "{client}: {message}", "subject": "{client}"})
    arrived = sent(
        acme, server, "en", Kind.APPROVAL_ASKED, client=NASTY, message="{client}\r\nBcc: x@example.com"
    )
    assert str(arrived["Subject"]) == NASTY and arrived["Bcc"] is None
    body = arrived.get_body(("html",)).get_content()
    assert "&lt;script&gt;{tenant}&lt;/script&gt;{7*7}%(tenant)s: {client}" in body and "<script" not in body


def test_every_message_can_be_said_with_all_its_fields(acme: Tenant) -> None:
    with entered(acme):
        for kind in Kind:
            named = " ".join(f"{{{field}}}" for field in texts.fields(kind))
            mail_words.set_text(kind, "ar", {"subject": "{tenant}", "text": f"own {named}", "button": "x"})
            made = mailing.preview(kind, "ar")
            assert "own " in made.text and "{" not in made.text and 'dir="rtl"' in made.html


@pytest.mark.parametrize(
    ("kind", "language", "given", "field"),
    [
        ("nothing", "en", {"subject": "x"}, "kind"),
        ("leaving", "tlh", {"subject": "x"}, "language"),
        ("leaving", "en", {}, "text"),
        ("leaving", "en", {"colour": "x"}, "colour"),
        ("leaving", "en", {"why": "x"}, "why"),
        ("leaving", "en", {"subject": ""}, "subject"),
        ("leaving", "en", {"subject": 7}, "subject"),
        ("leaving", "en", {"subject": "x" * 151}, "subject"),
        ("leaving", "en", {"subject": "a\nBcc: b"}, "subject"),
        ("leaving", "en", {"subject": "a\u202eb"}, "subject"),
        ("leaving", "en", {"text": "x" * 4_001}, "text"),
        ("leaving", "en", {"text": "a\x00b"}, "text"),
        ("leaving", "en", {"text": "<b>now</b>"}, "text"),
        ("leaving", "en", {"text": "{client}"}, "text"),
        ("leaving", "en", {"text": "{{ tenant }}"}, "text"),
        ("leaving", "en", {"text": "{tenant.__class__}"}, "text"),
        ("leaving", "en", {"text": "{% if x %}"}, "text"),
        ("email_code", "en", {"text": "Here it is."}, "text"),
        ("password_changed", "en", {"text": "Something happened."}, "text"),
    ],
)
def test_what_cannot_be_said_is_named(
    acme: Tenant, kind: str, language: str, given: dict[str, Any], field: str
) -> None:
    with entered(acme), pytest.raises(Invalid) as refused:
        mail_words.set_text(kind, language, given)
    assert refused.value.rule == field


def test_words_of_before_that_name_a_field_which_is_gone_are_said_by_us(
    acme: Tenant, server: Sink, database: Any
) -> None:
    with entered(acme):
        mail_words.set_text("password_reset", "en", {"subject": "{tenant}", "text": "{lasts}"})
    database("""UPDATE mail_texts SET parts = '{"subject": "{gone}", "text": "It is {lasts}"}'""")
    arrived = sent(acme, server, "en")
    assert str(arrived["Subject"]).startswith("Set a new password") and "It is 1 hour" in text(arrived)


FILE = """
tenants:
  - slug: {slug}
    mail_texts:
      - kind: password_changed
        language: de
        subject: {subject}
        text: "{{what}} Bitte prüfen."
"""


def test_a_blueprint_sets_them_and_diff_sees_what_differs(acme: Tenant, tmp_path: Path) -> None:
    path = tmp_path / "file.yaml"

    def changes(subject: str, slug: str = "acme", rest: str = "") -> list[str]:
        path.write_text(FILE.format(slug=slug, subject=subject) + rest)
        rehearsed = [str(each) for each in blueprints.apply_files([path], dry_run=True).changes]
        if slug == "acme":
            assert rehearsed == [str(each) for each in blueprints.apply_files([path]).changes]
        return rehearsed

    assert changes("Neu") == ["acme: create words password_changed in de"]
    assert changes("Neu") == []
    assert changes("Anders") == ["acme: change words password_changed in de (subject)"]
    assert changes("Anders", rest="        state: absent\n") == ["acme: delete words password_changed in de"]
    assert "newone: create words password_changed in de" in changes("Neu", "newone")


def test_the_commands(acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "deployment", nullcontext)  # it is open in this process already

    def run(*arguments: str, given: str = "") -> tuple[int, Any]:
        done = CliRunner().invoke(mail_command.command, ["text", *arguments, "--json"], input=given)
        return done.exit_code, json.loads(done.stdout) if done.stdout else str(done.exception)

    here = ("--tenant", "acme", "--language", "en")
    code, said = run(
        "set", "factors_changed", *here, "--button", "Look", "--text-file", "-", given="{what}\n\nBye\n"
    )
    assert code == 0 and said["changed"] == ["text", "button"]
    assert run("list", "--tenant", "acme")[1] == [
        {"kind": "factors_changed", "language": "en", "text": "{what}\n\nBye", "button": "Look"}
    ]
    fields = {each["kind"]: each["fields"] for each in run("kinds")[1]}
    assert fields["factors_changed"] == ["tenant", "what"] and fields["address_taken"] == ["tenant"]
    assert run("remove", "factors_changed", *here)[0] == 0 and run("list", "--tenant", "acme") == (0, [])
    with entered(acme):
        assert mail.send(Kind.FACTORS_CHANGED, "bob@example.com", what=What.CODES_MADE)
