"""Messages to people: with their change or not at all, sealed on their way, handed to a real SMTP server."""

import json
import ssl
from collections.abc import Iterator
from dataclasses import replace
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from jinja2 import UndefinedError

from idp import config, mail, speech
from idp.config import ConfigError, Settings
from idp.control.readiness import run
from idp.control.readiness.check import State
from idp.control.readiness.table import CHECKS
from idp.control.readiness.world import World
from idp.jobs import worker
from idp.mail import Kind, What, kept, messages, smtp
from idp.outbox import Undelivered
from idp.signing import sealed
from idp.store.database import transaction
from idp.store.durable import users
from idp.tenants import LANGUAGES, Branding, Tenant, entered
from tests.attacks.acting import events
from tests.doctor.certificates import CA_KEY, certificate, pem
from tests.mailing import Sink, link, sink, text
from tests.visiting import Person, at_account

FROM = "no-reply@id.example.com"
NASTY = 'Eve\r\nBcc: all@example.com\r\n\r\n<script>{{7*7}}"\u202e'


@pytest.fixture
def server(vault: Settings, database: Any) -> Iterator[Sink]:
    """A mail server, and a deployment that knows it."""
    with sink() as taken:
        config.use(vault.with_(smtp_url=taken.url, mail_from=FROM))
        yield taken
    config.use(vault)


def changed(tenant: Tenant, address: str = "alice@example.com", **fields: Any) -> bool:
    with entered(tenant):
        return mail.send(
            Kind.PASSWORD_CHANGED,
            address,
            link=f"{tenant.issuer}/account",
            what=What.PASSWORD_BY_LINK,
            **fields,
        )


def waiting(database: Any) -> list[tuple[Any, ...]]:
    return list(database("SELECT payload::text, attempts FROM outbox WHERE topic = 'mail.send'"))


def test_a_message_arrives_as_text_and_html_with_its_headers(acme: Tenant, server: Sink) -> None:
    assert changed(acme)
    [arrived] = server.deliver()
    assert server.envelopes[0].mail_from == FROM and server.envelopes[0].rcpt_tos == ["alice@example.com"]
    assert str(arrived["From"]) == f"Acme Corporation <{FROM}>" and str(arrived["To"]) == "alice@example.com"
    assert str(arrived["Subject"]) == "Your Acme Corporation password was changed"
    assert arrived["Auto-Submitted"] == "auto-generated" and arrived["Date"]
    assert str(arrived["Message-ID"]).endswith("@id.example.com>")
    assert [part.get_content_type() for part in arrived.iter_parts()] == ["text/plain", "text/html"]
    assert "by a link in an e-mail" in text(arrived) and link(arrived) == f"{acme.issuer}/account"
    body = arrived.get_body(("html",))
    assert body is not None
    html = body.get_content()
    assert f'href="{acme.issuer}/account"' in html and "max-width:600px" in html and "http-equiv" not in html
    assert not {"<script", "<img", "@import"} & set(html.split())


def test_a_message_stands_or_falls_with_its_change(acme: Tenant, server: Sink, database: Any) -> None:
    with entered(acme), pytest.raises(RuntimeError), transaction():
        mail.send(
            Kind.PASSWORD_CHANGED, "alice@example.com", link="https://x.example/", what=What.PASSWORD_BY_LINK
        )
        raise RuntimeError
    assert waiting(database) == [] and server.deliver() == []


def test_neither_address_nor_link_is_readable_on_the_way(acme: Tenant, server: Sink, database: Any) -> None:
    changed(acme)
    [(payload, _)] = waiting(database)
    assert json.loads(payload).keys() == {"sealed"} and "alice" not in payload
    server.deliver()
    assert waiting(database) == []


def test_au08_a_message_of_one_tenant_opens_in_no_other(
    acme: Tenant, globex: Tenant, server: Sink, database: Any
) -> None:
    changed(acme)
    database("UPDATE outbox SET tenant_id = %s WHERE topic = 'mail.send'", str(globex.id))
    assert server.deliver() == []
    [(_, attempts)] = waiting(database)
    assert attempts == 1


def test_pw09_what_others_typed_breaks_out_of_nothing(acme: Tenant, vault: Settings) -> None:
    evil = Tenant(acme.id, acme.slug, NASTY, "active", acme.issuer, branding=Branding())
    with entered(evil):
        made = messages.render(Kind.APPROVAL_ASKED, "https://x.example/", client=NASTY, message=NASTY)
    assert "\n" not in made.subject and "<script" not in made.html and "&lt;script" in made.html
    assert "{{7*7}}" in made.html and "\u202e" not in made.html + made.text
    letter = {"to": "alice@example.com", "subject": NASTY, "text": made.text, "html": made.html}
    raw = smtp.composed(letter, NASTY, FROM).as_bytes()
    head = raw.partition(b"\r\n\r\n")[0]
    assert b"\nBcc" not in head and b"\nSubject: Eve" in head
    for address in (
        "a@example.com\r\nBcc: b@example.com",
        "a@example.com, b@example.com",
        "a@x\x00.com",
        "<a@x.com>",
    ):
        with pytest.raises(ValueError):
            smtp.composed({**letter, "to": address}, "Acme", FROM)


def test_a_name_of_another_script_and_an_address_with_an_idn_are_sent(acme: Tenant, server: Sink) -> None:
    changed(acme, "dora@bücher.example")
    server.deliver()
    assert server.envelopes[0].rcpt_tos == ["dora@xn--bcher-kva.example"]


def test_f23_a_server_that_is_away_holds_messages_back_and_gets_them_later(
    acme: Tenant, vault: Settings, database: Any
) -> None:
    with sink() as first:
        gone = first.url
    config.use(vault.with_(smtp_url=gone, mail_from=FROM))
    changed(acme)
    changed(acme, "bob@example.com")
    worker.once()
    assert [attempts for _, attempts in waiting(database)].count(0) >= 1, "the first silence ends the round"
    with sink() as back:
        config.use(vault.with_(smtp_url=back.url, mail_from=FROM))
        database("UPDATE outbox SET run_after = now() - interval '1 minute', locked_until = NULL")
        assert {str(each["To"]) for each in back.deliver()} == {"alice@example.com", "bob@example.com"}
    config.use(vault)


def test_a_refusal_for_good_is_recorded_and_one_for_now_tried_again(
    acme: Tenant, server: Sink, database: Any
) -> None:
    with entered(acme):
        alice = users.by_username("alice")
        assert alice is not None
    server.answers = ["rcpt 550 no such person"]
    changed(acme, user_id=alice.id)
    assert server.deliver() == [] and waiting(database) == []
    [(facts, person)] = database("SELECT facts, person FROM audit_log WHERE event = 'mail.refused'")
    assert facts["status"] == 550 and str(person) == str(alice.id) and "alice" not in json.dumps(facts)
    server.answers = ["451 later"]
    changed(acme, "bob@example.com")
    assert server.deliver() == []
    [(_, attempts)] = waiting(database)
    assert attempts == 1
    database("UPDATE outbox SET run_after = now() - interval '1 minute', locked_until = NULL")
    assert len(server.deliver()) == 1


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


@pytest.mark.parametrize("kind", ["tls", "starttls"])
def test_it_is_encrypted_and_signed_in(
    certified: tuple[ssl.SSLContext, Path], kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    context, authority = certified
    monkeypatch.setattr(smtp, "LOOPBACK", ())
    letter = EmailMessage()
    letter["From"], letter["To"] = FROM, "alice@example.com"
    letter.set_content("hello")
    with sink(**{kind: context}, password="s3cret/@:") as taken:  # type: ignore[arg-type]
        url = taken.url.replace("idp:s3cret/@:@", "idp:s3cret%2F%40%3A@")
        smtp.send(url, letter, authority)
        assert taken.people == ["idp"] and taken.encrypted == [kind == "starttls"], (
            "the library does not tell TLS from the first byte"
        )
        with pytest.raises(Undelivered, match="smtp"):
            smtp.send(url.replace("s3cret", "wrong"), letter, authority)
        with pytest.raises(Undelivered, match="CertVerif"):
            smtp.send(url, letter)
        assert len(taken.envelopes) == 1


def test_nothing_is_said_in_clear_to_a_server_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smtp, "LOOPBACK", ())
    letter = EmailMessage()
    letter["From"], letter["To"] = FROM, "alice@example.com"
    with sink() as taken:
        with pytest.raises((Undelivered, smtp.Refused)):
            smtp.send(taken.url, letter)
        assert taken.envelopes == []


@pytest.mark.parametrize(
    ("name", "environ"),
    [
        ("IDP_SMTP_URL", {"IDP_SMTP_URL": "http://mail.example", "IDP_MAIL_FROM": FROM}),
        ("IDP_SMTP_URL", {"IDP_SMTP_URL": "smtp://", "IDP_MAIL_FROM": FROM}),
        ("IDP_SMTP_URL", {"IDP_SMTP_URL": "smtp://mail.example:99999", "IDP_MAIL_FROM": FROM}),
        ("IDP_SMTP_URL", {"IDP_SMTP_URL": "smtp://mail.example/x", "IDP_MAIL_FROM": FROM}),
        ("IDP_MAIL_FROM", {"IDP_SMTP_URL": "smtp://mail.example"}),
        ("IDP_MAIL_FROM", {"IDP_MAIL_FROM": "Acme <a@example.com>"}),
        ("IDP_MAIL_FROM", {"IDP_MAIL_FROM": "a@example.com\nBcc: b@example.com"}),
    ],
)
def test_settings_that_cannot_be_are_named(name: str, environ: dict[str, str]) -> None:
    with pytest.raises(ConfigError) as refused:
        Settings.load(environ)
    assert refused.value.field == name


def test_the_readiness_of_mail_is_looked_at(vault: Settings, server: Sink) -> None:
    [check] = [each for each in CHECKS if each.code == "IDP-INF-022"]

    def state(settings: Settings) -> State:
        return run.one(check, World(settings)).state

    production = vault.with_(env="production", base_url="https://id.example.com")
    assert state(vault) is State.ABSENT
    assert state(production) is State.WARN
    assert state(production.with_(smtp_url=server.url)) is State.GREEN
    with sink() as gone:
        away = gone.url
    assert state(production.with_(smtp_url=away)) is State.WARN


def test_a_development_shows_what_it_would_have_sent(
    app: Any, acme: Tenant, vault: Settings, tmp_path: Path, database: Any
) -> None:
    here = config.use(vault.with_(home=tmp_path))
    changed(acme)
    worker.once()
    assert waiting(database) == []
    [letter] = kept.every()
    assert letter.tenant == "acme" and letter.to == "alice@example.com"
    page = app.test_client().get("/mail")
    assert "Your Acme Corporation password was changed" in page.get_data(as_text=True)
    one = app.test_client().get(f"/mail?id={letter.name}").get_data(as_text=True)
    assert f'<a href="{acme.issuer}/account">' in one and "by a link in an e-mail" in one
    policy = app.test_client().get(f"/mail?id={letter.name}&as=html").headers["Content-Security-Policy"]
    assert "sandbox" in policy and "script" not in policy
    for name in ("../../etc/passwd", "x", letter.name + "/../x"):
        assert "Mail that was not sent" in app.test_client().get(f"/mail?id={name}").get_data(as_text=True)
    config.use(here.with_(env="production", base_url="https://id.example.com"))
    assert kept.every() == () and kept.read(letter.name) is None
    with entered(acme), pytest.raises(Undelivered):
        mail.deliver({"sealed": _sealed(acme)})
    config.use(here.with_(env="production"))
    assert app.test_client().get("/mail").status_code == 404
    config.use(vault)


def _sealed(tenant: Tenant) -> str:
    letter = {"to": "a@example.com", "subject": "x", "text": "x", "html": "x", "kind": "x", "user": None}
    return sealed.write(mail.TOPIC, letter)


def test_only_so_many_are_kept(vault: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config.use(vault.with_(home=tmp_path))
    monkeypatch.setattr(kept, "MOST", 3)
    for number in range(5):
        letter = EmailMessage()
        letter["To"], letter["Subject"], letter["Date"] = "a@example.com", f"number {number}", "x"
        letter.set_content("x")
        kept.keep("acme", letter)
    assert [each.subject for each in kept.every()] == ["number 4", "number 3", "number 2"]
    config.use(vault)


def test_a_production_without_a_server_sends_nothing(acme: Tenant, vault: Settings, database: Any) -> None:
    config.use(vault.with_(env="production", base_url="https://id.example.com"))
    with entered(acme):
        assert not mail.possible()
    assert not changed(acme) and waiting(database) == []
    config.use(vault)


def test_a_changed_password_is_told_at_the_confirmed_address_alone(
    app: Any, acme: Tenant, globex: Tenant, server: Sink, database: Any
) -> None:
    person = at_account(app, acme, path="account/password")
    person.submit(current_password="correct horse battery staple", new_password="purple otter reads maps")
    [told] = server.deliver()
    assert str(told["To"]) == "alice@example.com" and "password was changed" in str(told["Subject"])
    database("UPDATE users SET email_verified = false WHERE username = 'bob'")
    bob = at_account(app, acme, "bob", "account/password")
    bob.submit(current_password="paper lantern quiet harbour", new_password="purple otter reads maps")
    assert bob.at == "account/security" and server.deliver() == []
    assert events(database, globex, "password.changed") == 0


def given(kind: Kind) -> dict[str, Any]:
    """Something for every field that the words of a kind name."""
    return {name: What.PASSKEY_ADDED if name == "what" else 7 * 86_400 if name == "lasts" else "Seven"
            for name in messages.fields(kind)}  # fmt: skip


@pytest.mark.parametrize("kind", list(Kind))
def test_every_kind_has_its_words(kind: Kind, acme: Tenant) -> None:
    fields = given(kind)
    with entered(acme):
        made = messages.render(kind, "https://x.example/", **fields)
        for name in fields:
            with pytest.raises(UndefinedError):
                messages.render(kind, **{each: value for each, value in fields.items() if each != name})
    assert made.subject and "\n" not in made.subject and "{" not in made.subject + made.text
    assert "https://x.example/" in made.text and 'href="https://x.example/"' in made.html
    assert "You get this" in made.text


@pytest.mark.parametrize("language", LANGUAGES[1:])
@pytest.mark.parametrize("kind", list(Kind))
def test_every_kind_speaks_every_language(kind: Kind, language: str, acme: Tenant) -> None:
    fields = given(kind)
    with entered(acme):
        english = messages.render(kind, "https://x.example/", **fields)
        with speech.speaking(language):
            made = messages.render(kind, "https://x.example/", **fields)
    assert made.subject != english.subject and "%" not in made.subject + made.text
    assert f'<html lang="{language}" dir="{speech.direction(language)}">' in made.html
    paragraphs = english.text.partition("-- ")[0].split("\n\n")
    said = [each for each in paragraphs if len(each) > 20 and "://" not in each]
    assert said and not [each for each in said if each in made.text], "something of it is still English"
    if language == "ar":
        assert "\u2068Acme Corporation\u2069" in made.text and "\u2068" not in made.subject
        assert "text-align:right" in made.html and 'dir="ltr" href="https://x.example/"' in made.html


def test_a_message_is_in_the_language_of_its_person_else_of_the_request_else_the_tenants_first(
    acme: Tenant, server: Sink, database: Any
) -> None:
    def subject(tenant: Tenant, locale: str | None, wish: str | None) -> str:
        with entered(tenant):
            alice = users.by_username("alice")
            assert alice is not None
            users.change(alice.id, claims={**alice.claims, "locale": locale} if locale else {})
            with speech.speaking(wish):
                mail.send(
                    Kind.PASSWORD_CHANGED, "alice@example.com", user_id=alice.id, what=What.PASSWORD_BY_LINK
                )
        [arrived] = server.deliver()
        return f"{arrived['Content-Language']}: {arrived['Subject']}"

    english, german = "en: Your Acme Corporation password was", "de: Ihr Passwort bei Acme Corporation wurde"
    assert subject(acme, "de_AT", "fr").startswith(german)
    assert subject(acme, None, "de").startswith(german)
    assert subject(acme, "tlh", None).startswith(english)
    policy = replace(acme.policy, languages=("de", "en"))
    only = replace(acme, policy=policy)
    assert subject(only, None, None).startswith(german)
    assert subject(only, "fr-CA", "en").startswith(english)
    assert subject(only, "fr-CA", "ja").startswith(german), "neither is spoken there"


def test_whoever_asks_in_japanese_is_answered_in_japanese(app: Any, acme: Tenant, server: Sink) -> None:
    """The name goes through the outbox, and the wish of the browser with it."""
    person = Person(app, acme)
    person.browser.environ_base["HTTP_ACCEPT_LANGUAGE"] = "ja,en;q=0.5"
    person.open("forgot").submit(username="alice")
    [arrived] = server.deliver()
    assert str(arrived["Subject"]) == "Acme Corporation の新しいパスワードの設定" and "30 分以内" in text(
        arrived
    )
