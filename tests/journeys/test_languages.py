"""In which language the pages speak: what the application asks for, the person, the browser, within the policy."""

import json
import re
from datetime import UTC, datetime
from typing import Any

import pytest

from idp import clock
from idp.audit import Event
from idp.errors import Invalid
from idp.speech import say
from idp.tenants import LANGUAGES, Tenant
from idp.web import languages, pages, words
from idp.web.account import history
from idp.web.account_faces import SECTIONS
from tests.attacks.acting import change, party, policy
from tests.attacks.acting import client as made
from tests.house import words as marked
from tests.playing import PASSWORDS, RelyingParty, relying_party

SIGN_IN = {"en": "Sign in", "de": "Anmelden", "fr": "Se connecter", "es": "Iniciar sesión", "pt": "Entrar",
           "ja": "サインイン", "ar": "تسجيل الدخول"}  # fmt: skip


@pytest.fixture
def rp(app: Any, acme: Tenant) -> RelyingParty:
    return relying_party(app, acme)


def spoken(html: str) -> str:
    """The language that a page says it speaks, held to its button."""
    found = re.search(r'<html lang="(\w+)" dir="(\w+)"', html)
    assert found is not None
    assert found[2] == ("rtl" if found[1] == "ar" else "ltr")
    if 'id="login-submit"' in html:
        assert f">{SIGN_IN[found[1]]}</button>" in html
    return found[1]


@pytest.mark.parametrize("language", LANGUAGES)
def test_3_1_2_1_ui_locales_chooses_the_language_of_each_page(rp: RelyingParty, language: str) -> None:
    rp = relying_party(rp.app, rp.tenant, "asks")
    visit = rp.authorize(ui_locales=f"tlh {language} en", scope="openid profile email")
    assert spoken(visit.html) == language
    again = visit.login("alice", password="wrong")
    assert spoken(again.html) == language and 'role="alert"' in again.html
    consent = again.login("alice")
    assert 'id="consent"' in consent.html and spoken(consent.html) == language
    with languages.speaking(language):
        assert words.scope_sentence("email") in consent.html


@pytest.mark.parametrize(
    "wish",
    [
        "se",
        "xx-yy de-AT",
        "DE",
        "de-Latn-DE-1996",
        "de",
        "%%% de",
        "x" * 5_000 + " de",
        "12 !! de",
        "tlh i-klingon de",
    ],
)
def test_ox10_what_nobody_speaks_is_passed_over_and_never_an_error(rp: RelyingParty, wish: str) -> None:
    visit = rp.authorize(ui_locales=wish)
    assert visit.answer.status_code == 200
    assert spoken(visit.html) == ("en" if wish == "se" or len(wish) > 1_000 else "de")


@pytest.mark.parametrize("name", ["display", "claims_locales", "ui_locales"])
@pytest.mark.parametrize(
    "value", ["popup", "wap", "nonsense", "se", "ja-Kana-JP fr", "<script>", "\u202e", "a" * 3_000]
)
def test_display_and_locales_are_wishes(rp: RelyingParty, name: str, value: str) -> None:
    assert rp.authorize(**{name: value}).login("alice").code


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("de", "de"), ("de-CH, en;q=0.5", "de"), ("en;q=0.5, fr;q=0.9", "fr"), ("nl, pt-BR;q=0.8", "pt"), ("*", "en"),
        ("de;q=0, es", "es"), ("", "en"), (";;;,,=", "en"), ("x" * 10_000, "en"), ("de;q=abc, ar;q=0.2", "ar"),
    ],
)  # fmt: skip
def test_without_a_wish_the_browsers_own_languages_count(
    rp: RelyingParty, header: str, language: str
) -> None:
    browser = rp.browser()
    browser.environ_base["HTTP_ACCEPT_LANGUAGE"] = header
    assert spoken(rp.authorize(browser).html) == language
    assert spoken(browser.get("/t/acme/").get_data(as_text=True)) == language
    assert spoken(browser.get("/t/acme/authorize?client_id=nobody").get_data(as_text=True)) == language


def test_a_person_chooses_on_the_page_and_it_is_remembered(rp: RelyingParty) -> None:
    browser = rp.browser()
    browser.environ_base["HTTP_ACCEPT_LANGUAGE"] = "de"
    visit = rp.authorize(browser)
    links = dict(re.findall(r'<a href="(\?[^"]*)" lang="(\w+)"', visit.html))
    offered = {language: address for address, language in links.items()}
    assert set(offered) == set(LANGUAGES) - {"de"}
    page = browser.get("/t/acme/interaction/login" + offered["ja"].replace("&amp;", "&"))
    assert spoken(page.get_data(as_text=True)) == "ja"
    cookie = next(each for each in page.headers.getlist("Set-Cookie") if "language" in each)
    assert "=ja;" in cookie and "HttpOnly" in cookie and "Max-Age" in cookie
    assert spoken(rp.authorize(browser).html) == "ja", "before what the browser asks for"
    assert spoken(browser.get("/t/acme/").get_data(as_text=True)) == "ja"
    assert spoken(rp.authorize(browser, ui_locales="es").html) == "es", "after what the application asks for"
    assert spoken(rp.authorize(browser).html) == "ja", "which is no choice of the person's"


def test_a_choice_on_the_page_goes_before_the_applications_wish_until_the_end(rp: RelyingParty) -> None:
    browser = rp.browser()
    visit = rp.authorize(browser, ui_locales="fr")
    address = next(
        each for each, code in re.findall(r'<a href="(\?[^"]*)" lang="(\w+)"', visit.html) if code == "ar"
    )
    page = browser.get("/t/acme/interaction/login" + address.replace("&amp;", "&")).get_data(as_text=True)
    assert spoken(page) == "ar"
    form = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page))
    action = re.search(r'action="http://localhost([^"]*)"', page)
    assert action is not None and "ui_locales=ar" in action[1]
    failed = browser.post(
        action[1].replace("&amp;", "&"),
        data={**form, "username": "alice", "password": "x", "action": "login"},
    )
    assert spoken(failed.get_data(as_text=True)) == "ar"


def test_within_what_the_policy_allows(app: Any, acme: Tenant) -> None:
    def told() -> list[str]:
        document = app.test_client().get("/t/acme/.well-known/openid-configuration").get_json()
        return list(document["ui_locales_supported"])

    assert told() == list(LANGUAGES)
    rp = relying_party(app, policy(acme, languages=["fr", "ar"]))
    assert told() == ["fr", "ar"]
    assert spoken(rp.authorize(ui_locales="de en").html) == "fr", (
        "the first, where none is spoken that is asked for"
    )
    visit = rp.authorize(ui_locales="ar")
    assert spoken(visit.html) == "ar" and 'lang="de"' not in visit.html
    rp = relying_party(app, policy(acme, languages=["de"]))
    assert 'class="languages"' not in rp.authorize().html, "there is nothing to choose"


def test_a_tenant_knows_nothing_of_what_was_chosen_at_another(app: Any, acme: Tenant, globex: Tenant) -> None:
    browser = app.test_client()
    browser.get("/t/acme/?ui_locales=fr")
    assert spoken(browser.get("/t/acme/").get_data(as_text=True)) == "fr"
    assert spoken(browser.get("/t/globex/").get_data(as_text=True)) == "en"


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_account_pages_speak_each_language_to_the_last_word(
    app: Any, acme: Tenant, language: str
) -> None:
    rp = relying_party(app, acme)
    browser = rp.browser()
    assert rp.authorize(browser, ui_locales=language).login("alice").code
    shown = {
        path: browser.get(f"/t/acme/{path}?ui_locales={language}").get_data(as_text=True)
        for path in (*(path for path, _label in SECTIONS), "account/password", "account/passkeys", "device")
    }
    with languages.speaking(language):
        for path, label in SECTIONS:
            assert spoken(shown[path]) == language, path
            assert all(f">{languages.told(each)}</a>" in shown[path] for _path, each in SECTIONS), (
                path,
                label,
            )
        assert re.search(r"<time [^>]*>(.*?)</time>", shown["account/sessions"])[1] == languages._("just now")  # type: ignore[index]
        assert languages.told(history.SENTENCES[Event.SESSION_STARTED]) in shown["account/history"]
        assert words.day(clock.now()) in shown["account"]
        assert languages._("Current password") in shown["account/password"]
        marks = {mark for mark in marked.said() if isinstance(mark, str) and languages._(mark) != mark}
    texts = {each.strip() for html in shown.values() for each in re.findall(r">([^<>]+)<", html)}
    assert marks & texts == set(), "said in English"


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_sentence_of_a_room_is_said_in_the_language_of_the_page(
    app: Any, acme: Tenant, language: str
) -> None:
    browser = app.test_client()
    rp = relying_party(app, acme)
    assert rp.authorize(browser, ui_locales=language).login("alice").code
    page = browser.get(f"/t/acme/account/password?ui_locales={language}").get_data(as_text=True)
    form = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page))
    answer = browser.post(
        "/t/acme/account/password",
        data={**form, "current_password": PASSWORDS["acme", "alice"], "new_password": "short"},
    ).get_data(as_text=True)
    with languages.speaking(language):
        wanted = languages._(
            "Use at least %(least)s characters. A few unrelated words are a good choice.", least=15
        )
    assert spoken(answer) == language and answer.count(wanted) == 2, "in the summary and beside the field"


def test_a_sentence_that_waits_for_its_language_is_english_text_like_any_other() -> None:
    sentence = say("Use at most %(most)s characters.", most=256)
    assert (
        sentence == "Use at most 256 characters." and json.dumps(sentence) == '"Use at most 256 characters."'
    )
    assert str(Invalid(sentence)) == "invalid: Use at most 256 characters."
    with languages.speaking("de"):
        assert languages.told(Invalid(sentence).sentence) == "Verwenden Sie höchstens 256 Zeichen."
        assert words.neutral(sentence) == languages.told(sentence) and languages.told("plain") == "plain"


@pytest.mark.parametrize(
    ("language", "seconds", "said"),
    [
        ("en", 59, "just now"), ("en", 60, "1 minute ago"), ("en", 7_199, "1 hour ago"),
        ("en", 45 * 86_400, "45 days ago"), ("ar", 11 * 86_400, "قبل 11 يومًا"),
        ("de", 86_400, "vor 1 Tag"), ("fr", 7_200, "il y a 2 heures"), ("es", 172_800, "hace 2 días"),
        ("pt", 120, "há 2 minutos"), ("ja", 600, "10 分前"), ("ar", 172_800, "قبل يومين"),
        ("de", 0, "gerade eben"),
    ],
)  # fmt: skip
def test_how_long_ago_is_said_as_the_language_says_it(language: str, seconds: int, said: str) -> None:
    with languages.speaking(language):
        assert words.past(seconds) == said


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en", "30 November 2026, 22:04 UTC"), ("de", "30. November 2026, 22:04 UTC"),
        ("fr", "30 novembre 2026 à 22:04 UTC"), ("es", "30 de noviembre de 2026, 22:04 UTC"),
        ("pt", "30 de novembro de 2026, 22:04 UTC"), ("ja", "2026年11月30日 22:04 UTC"),
        ("ar", "30 نوفمبر 2026، 22:04 بالتوقيت العالمي"),
    ],
)  # fmt: skip
def test_moments_are_written_as_the_language_writes_them(language: str, said: str) -> None:
    with languages.speaking(language):
        assert words.instant(datetime(2026, 11, 30, 22, 4, 59, tzinfo=UTC)) == said


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (1, "متصفح آخر واحد"), (2, "متصفحين آخرين"), (3, "3 متصفحات أخرى"), (10, "10 متصفحات أخرى"),
        (11, "11 متصفحًا آخر"), (99, "99 متصفحًا آخر"), (100, "100 متصفح آخر"), (103, "103 متصفحات أخرى"),
    ],
)  # fmt: skip
def test_arabic_counts_in_its_six_forms(acme: Tenant, count: int, said: str) -> None:
    face = pages.face(acme)
    html, _csp = pages.render(
        "account/password", lang="ar", tenant=face, user="alice", section="account/security", csrf="x",
        username="alice", least=15, others=count,
    )  # fmt: skip
    assert f"سيُسجَّل الخروج من {said}، وستطلب" in html


def test_2_2_names_and_addresses_in_the_language_of_the_page(app: Any, acme: Tenant) -> None:
    fields = {
        "client_name": "Shop", "client_name#de": "Laden", "client_name#ja-Kana-JP": "ショップ",
        "policy_uri": "https://app.example.com/privacy", "policy_uri#DE": "https://app.example.com/datenschutz",
    }  # fmt: skip
    rp = party(app, acme, made(acme, "shop", secret="s" * 43, require_consent=True, **fields), "s" * 43)
    for language, name, page in (
        ("en", "Shop", "privacy"), ("de", "Laden", "datenschutz"), ("ja", "ショップ", "privacy"),
        ("ar", "Shop", "privacy"),
    ):  # fmt: skip
        html = rp.authorize(ui_locales=language).html
        assert f"<bdi>{name}</bdi>" in html and f'href="https://app.example.com/{page}"' in html
    change(acme, "shop", **{"client_name#de": None})
    assert "<bdi>Shop</bdi>" in rp.authorize(ui_locales="de").html


@pytest.mark.parametrize(
    ("language", "seconds", "said"),
    [
        ("en", 5_400, "1 hour 30 minutes"), ("de", 5_400, "1 Stunde 30 Minuten"), ("fr", 86_400, "1\u00a0jour"),
        ("ja", 600, "10 分"), ("es", 1, "1 segundo"), ("ar", 120, "دقيقتان"), ("pt", 7_200, "2 horas"),
        ("de", 0, "einem Moment"), ("ar", 5_400, "ساعة 30 دقيقة"),
    ],
)  # fmt: skip
def test_durations_are_words_of_the_language(language: str, seconds: int, said: str) -> None:
    with languages.speaking(language):
        assert words.duration(seconds) == said


def test_mails_and_pictures_can_say_in_which_language() -> None:
    assert languages.now() == "en" and languages._("Password") == "Password"
    with languages.speaking("fr"):
        assert languages._("Password") == "Mot de passe"
        assert languages.plural("This application keeps the offline access that you allowed, also after you sign out:",
                                "These applications keep the offline access that you allowed, also after you sign out:",
                                2).startswith("Ces applications")  # fmt: skip
    assert languages.now() == "en"


def test_a_pushed_wish_is_heard_as_well(rp: RelyingParty) -> None:
    """RFC 9126: the address names only who pushed and what."""
    pushed = rp.post("par", rp.request(ui_locales="ja"))
    assert pushed.status_code == 201
    visit = rp.authorize(
        request_uri=pushed.get_json()["request_uri"],
        **dict.fromkeys([name for name in rp.request() if name != "client_id"]),
    )
    assert spoken(visit.html) == "ja"


def test_what_was_asked_of_an_endpoint_is_not_written_into_its_answer(rp: RelyingParty) -> None:
    for path in (
        "authorize?client_id=nobody&tenant=globex",
        "logout?state=globex",
        "?tenant=globex",
        "nothing?x=globex",
    ):
        html = rp.browser().get(f"/t/acme/{path}").get_data(as_text=True)
        assert "globex" not in html and 'class="languages"' not in html, path
