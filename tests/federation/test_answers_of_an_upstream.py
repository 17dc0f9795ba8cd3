"""What an upstream, or whoever stands between, may send back and get nowhere with."""

import base64
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import pytest

from idp import directory
from idp.control import clients, groups, tenants, upstreams, users
from idp.store.durable import identities
from idp.tenants import Tenant, entered
from tests.attacks.acting import at_once, events, policy
from tests.attacks.assertions import OTHER, RSA
from tests.federating import Provider, button, forget, provider, query
from tests.playing import RelyingParty, Visit, local, relying_party


@pytest.fixture
def op() -> Iterator[Provider]:
    """A provider that says what it is told to say."""
    forget()
    with provider() as made:
        yield made


@dataclass
class Way:
    """A person on the way to an upstream and back: what was asked there, and the page that it began at."""

    rp: RelyingParty
    browser: Any
    page: Visit
    op: Provider
    asked: dict[str, str]
    name: str = "corp"

    def claims(self, **changes: Any) -> dict[str, Any]:
        """What a good ID token says; None takes a claim away."""
        now = int(time.time())
        plain = {
            "iss": self.op.issuer, "sub": "s-1", "aud": self.asked["client_id"], "nonce": self.asked["nonce"],
            "iat": now, "exp": now + 300, "email": "zoe@corp.example", "email_verified": True, "name": "Zoe",
        }  # fmt: skip
        return {name: value for name, value in {**plain, **changes}.items() if value is not None}

    def back(self, *, browser: Any = None, name: str | None = None, **answer: str | None) -> Visit:
        """Come back with an answer; None takes a parameter away."""
        plain = {"code": "c-1", "state": self.asked["state"], "iss": self.op.issuer, **answer}
        given = urlencode({key: value for key, value in plain.items() if value is not None})
        browser = browser or self.browser
        slug = self.rp.tenant.slug
        return Visit(
            self.rp, browser, browser.get(f"/t/{slug}/upstream/{name or self.name}/callback?{given}")
        ).follow()


def trust(tenant: Tenant, op: Provider, name: str = "corp", **fields: Any) -> None:
    """Let the tenant's people sign in by the provider."""
    given = {"issuer": op.issuer, "client_id": "us", "display_name": name.title(), "creation": True, **fields}
    with entered(tenant):
        upstreams.create(name, given, client_secret="a secret of ours, there")
    directory.forget_all()


def leave(
    app: Any, tenant: Tenant, op: Provider, name: str = "corp", browser: Any = None, **request: str
) -> Way:
    """Send somebody on the way."""
    rp = relying_party(app, tenant)
    browser = browser or rp.browser()
    visit = rp.authorize(browser, **request)
    away = browser.get(local(button(visit.html, name.title()), tenant))
    assert away.status_code == 303, away.get_data(as_text=True)
    return Way(rp, browser, visit, op, query(away.headers["Location"]), name)


def refused(visit: Visit, kind: str = "failed", status: int = 400) -> None:
    """The answer is a page with a way on, and nobody is signed in."""
    assert visit.answer.status_code == status, (visit.answer.status_code, visit.location, visit.html[:600])
    assert f'data-kind="{kind}"' in visit.html and "button-primary" in visit.html
    assert not any("session=" in cookie for cookie in visit.answer.headers.getlist("Set-Cookie"))


def nobody(database: Any) -> None:
    """Nobody new is there, and nothing is linked."""
    assert database("SELECT count(*) FROM identities")[0][0] == 0
    assert database("SELECT count(*) FROM users WHERE email = 'zoe@corp.example'")[0][0] == 0


def test_a_good_answer_signs_in(app: Any, acme: Tenant, op: Provider, database: Any) -> None:
    trust(acme, op)
    way = leave(app, acme, op)
    op.claims = way.claims(amr=["otp", "pwd", "made-up"])
    visit = way.back()
    claims = way.rp.verified(way.rp.exchange(visit.code)["id_token"], "web")
    assert claims["amr"] == ["fed", "otp", "pwd"]
    (asked,) = [each for each in op.asked if each[1] == "/token_endpoint"]
    assert asked[2]["code"] == "c-1" and len(asked[2]["code_verifier"]) == 43
    assert asked[2]["redirect_uri"] == f"{acme.issuer}/upstream/corp/callback"
    assert asked[3]["Authorization"].startswith("Basic ") and "client_secret" not in asked[2]
    assert events(database, acme, "identity.linked") == 1


@pytest.mark.parametrize(
    ("whose", "acr", "amr"), [("ours", "1", ["fed", "otp"]), ("theirs", "2", ["fed", "mfa", "otp"])]
)
def test_their_second_factor_counts_where_the_operator_says_so(
    app: Any, acme: Tenant, op: Provider, whose: str, acr: str, amr: list[str]
) -> None:
    policy(acme, second_factor="offered")
    trust(acme, op, second_factor=whose)
    way = leave(app, acme, op)
    op.claims = way.claims(amr=["mfa", "otp"], acr="phr")
    claims = way.rp.verified(way.rp.exchange(way.back().code)["id_token"], "web")
    assert (claims["acr"], claims["amr"]) == (acr, amr)


def test_our_second_factor_is_asked_after_theirs_and_the_sign_in_stays_as_old(
    app: Any, acme: Tenant, op: Provider
) -> None:
    trust(acme, op)
    policy(acme, second_factor="required")
    way = leave(app, acme, op)
    since = int(time.time()) - 100
    op.claims = way.claims(auth_time=since)
    visit = way.back()
    assert "/interaction/enrol" in visit.page, (visit.page, visit.location)
    assert not any("session=" in cookie for cookie in visit.answer.headers.getlist("Set-Cookie"))
    again = way.browser.get(f"/t/acme/authorize?{urlencode(way.rp.request(prompt='none'))}")
    assert "error=login_required" in again.headers["Location"], "half a sign-in is one"


FORGED = {
    "another issuer": {"iss": "https://evil.example"},
    "no issuer": {"iss": None},
    "a foreign audience": {"aud": "another-client"},
    "no audience": {"aud": None},
    "two audiences and no azp": {"aud": ["us", "another-client"]},
    "two audiences and another azp": {"aud": ["us", "another-client"], "azp": "another-client"},
    "another azp": {"azp": "another-client"},
    "another nonce": {"nonce": "n-of-another-sign-in"},
    "no nonce": {"nonce": None},
    "expired": {"exp": int(time.time()) - 60},
    "no exp": {"exp": None},
    "for years": {"exp": int(time.time()) + 10 * 365 * 86_400},
    "no iat": {"iat": None},
    "from the future": {"iat": int(time.time()) + 3_600},
    "not yet": {"nbf": int(time.time()) + 3_600},
    "no subject": {"sub": None},
    "an empty subject": {"sub": ""},
    "a long subject": {"sub": "s" * 256},
    "a subject with a line's end": {"sub": "s\n1"},
    "a subject that is a number": {"sub": 1},
    "a subject that is a list": {"sub": ["s-1"]},
    "an age that is a text": {"auth_time": "yesterday"},
    "an age in the future": {"auth_time": int(time.time()) + 3_600},
}


@pytest.mark.parametrize("changes", FORGED.values(), ids=FORGED)
def test_an_id_token_with_something_wrong(
    app: Any, acme: Tenant, op: Provider, database: Any, changes: dict[str, Any]
) -> None:
    trust(acme, op)
    way = leave(app, acme, op)
    op.claims = way.claims(**changes)
    refused(way.back())
    nobody(database)
    op.claims = way.claims()
    refused(way.back())  # the state is used up
    nobody(database)


def test_an_id_token_of_another_key_or_algorithm(app: Any, acme: Tenant, op: Provider, database: Any) -> None:
    trust(acme, op)
    forged: tuple[tuple[Any, str, dict[str, Any]], ...] = (
        (OTHER, "ES256", {}),
        (OTHER, "ES256", {"kid": "unknown"}),
        (str(op.jwks()["keys"][0]), "HS256", {}),
        ("a secret of ours, there, of 32 bytes", "HS256", {}),
        (RSA, "RS256", {}),
        (None, "none", {}),
        (op.key, "ES256", {"typ": "at+jwt"}),
        (op.key, "ES256", {"crit": ["x"], "x": 1}),
    )
    for key, algorithm, header in forged:
        way = leave(app, acme, op)
        forger = Provider(key=key, claims=way.claims(), header=header, algorithm=algorithm)
        op.tokens = {"id_token": forger.id_token()}
        refused(way.back())
    nobody(database)
    way = leave(app, acme, op)
    op.tokens, op.claims = {}, way.claims()
    assert way.back().code, "the very same with the right key is refused, too"


@pytest.mark.parametrize("tokens", [
    {"id_token": None}, {"id_token": ["x"]}, {"id_token": "a.b"}, {"access_token": None}, {"token_type": "mac"},
], ids=str)  # fmt: skip
def test_a_token_response_that_is_none(
    app: Any, acme: Tenant, op: Provider, database: Any, tokens: dict[str, Any]
) -> None:
    trust(acme, op)
    way = leave(app, acme, op)
    op.claims, op.tokens = way.claims(), tokens
    refused(way.back())
    nobody(database)


@pytest.mark.parametrize("token", ["a\r\nX-Evil: 1", "a b", "a\u00e9", "x" * 9_000])
def test_an_access_token_never_writes_a_header_field(
    app: Any, acme: Tenant, op: Provider, database: Any, token: str
) -> None:
    op.userinfo = {"sub": "s-1"}
    trust(acme, op)
    way = leave(app, acme, op)
    op.claims, op.tokens = way.claims(), {"access_token": token}
    refused(way.back())
    assert not [each for each in op.asked if each[1] == "/userinfo_endpoint"]
    nobody(database)


@pytest.mark.parametrize("told", [{"sub": "s-2"}, {}, {"sub": None}], ids=str)
def test_userinfo_of_somebody_else(
    app: Any, acme: Tenant, op: Provider, database: Any, told: dict[str, Any]
) -> None:
    op.userinfo = told
    trust(acme, op)
    way = leave(app, acme, op)
    op.claims = way.claims()
    refused(way.back())
    nobody(database)


def test_mix_up_an_answer_of_one_provider_at_the_others_address(app: Any, acme: Tenant, op: Provider) -> None:
    with provider() as evil:
        trust(acme, op)
        trust(acme, evil, "evil")
        way = leave(app, acme, op)
        # The honest provider's code is brought where the attacker's provider is expected (RFC 9700 §4.4).
        refused(way.back(name="evil", iss=None))
        refused(way.back(name="evil"))
        other = leave(app, acme, evil, "evil")
        refused(other.back(iss=op.issuer))
        other = leave(app, acme, evil, "evil")
        refused(other.back(iss=None), "failed")
        other = leave(app, acme, evil, "evil")
        refused(other.back(name="corp"))
        assert not [each for each in (*op.asked, *evil.asked) if each[1] == "/token_endpoint"]
        way = leave(app, acme, op)
        op.claims = way.claims()
        assert way.back().code


def test_an_answer_without_iss_is_one_where_the_provider_does_not_tell_it(
    app: Any, acme: Tenant, op: Provider
) -> None:
    op.document = {"authorization_response_iss_parameter_supported": None}
    trust(acme, op)
    way = leave(app, acme, op)
    op.claims = way.claims()
    assert way.back(iss=None).code
    way = leave(app, acme, op)
    op.claims = way.claims()
    refused(way.back(iss="https://evil.example"))


def test_a_state_is_of_one_browser_and_good_once(app: Any, acme: Tenant, op: Provider, database: Any) -> None:
    trust(acme, op)
    way = leave(app, acme, op)
    op.claims = way.claims()
    victim = way.rp.browser()
    way.rp.authorize(victim)
    refused(way.back(browser=victim))  # sign-in as the attacker (CSRF), RFC 9700 §4.7
    refused(way.back(browser=way.rp.browser()))
    nobody(database)
    assert way.back().code, "another browser has used it up"
    refused(way.back())
    for state in (None, "", "x", "x" * 43, "x" * 5_000, "\u00e9"):
        refused(way.back(state=state))


def test_of_many_who_bring_one_answer_one_comes_in(
    app: Any, acme: Tenant, op: Provider, database: Any
) -> None:
    trust(acme, op)
    way = leave(app, acme, op)
    op.claims = way.claims()
    cookies = [(each.key, each.value) for each in way.browser._cookies.values()]

    def come(_: int) -> bool:
        browser = app.test_client()
        for name, value in cookies:
            browser.set_cookie(name, value)
        visit = way.back(browser=browser)
        return visit.location.startswith(way.rp.redirect_uri) and "code=" in visit.location

    assert sum(at_once(8, come)) == 1
    assert len([each for each in op.asked if each[1] == "/token_endpoint"]) == 1
    assert database("SELECT count(*) FROM identities")[0][0] == 1


def test_a_changed_subject_is_somebody_else_whatever_the_address(
    app: Any, acme: Tenant, op: Provider, database: Any
) -> None:
    trust(acme, op)
    way = leave(app, acme, op)
    op.claims = way.claims()
    assert way.back().code
    way = leave(app, acme, op)
    op.claims = way.claims(sub="s-2")
    refused(way.back(), "taken", 403)
    way = leave(app, acme, op)
    op.claims = way.claims(email="new@corp.example", preferred_username="new")
    first = way.rp.verified(way.rp.exchange(way.back().code)["id_token"], "web")["sub"]
    with entered(acme):
        assert users.show(first).email == "zoe@corp.example", "a known person's address follows the upstream"


@pytest.mark.parametrize(("rule", "claims", "kept"), [
    ("as_sent", {"email_verified": True}, True),
    ("as_sent", {"email_verified": False}, False),
    ("as_sent", {"email_verified": "true"}, False),
    ("as_sent", {"email_verified": None}, False),
    ("never", {"email_verified": True}, False),
    ("proved_domains", {"email": "zoe@acme.example", "email_verified": None}, True),
    ("proved_domains", {"email": "zoe@acme.example", "email_verified": False}, False),
    ("proved_domains", {"email_verified": True}, False),
    ("proved_domains", {"email": "zoe@sub.acme.example", "email_verified": True}, False),
    ("as_sent", {"email": "zoe@corp.example\r\nBcc: x", "email_verified": True}, False),
])  # fmt: skip
def test_whose_word_makes_an_address_proved(
    app: Any, acme: Tenant, op: Provider, database: Any, rule: str, claims: dict[str, Any], kept: bool
) -> None:
    database(
        "INSERT INTO hosts (tenant_id, id, host, status, challenge, created_at, proved_at) "
        "VALUES (%s, gen_random_uuid(), 'acme.example', 'proved', 'x', now(), now())", str(acme.id),
    )  # fmt: skip
    trust(acme, op, email_verified=rule)
    way = leave(app, acme, op)
    op.claims = way.claims(**claims)
    sub = way.rp.verified(way.rp.exchange(way.back().code)["id_token"], "web")["sub"]
    with entered(acme):
        user = users.show(sub)
    assert user.email_verified is kept and (user.email is not None) is kept


def test_an_address_that_is_not_proved_neither_squats_nor_tells(app: Any, acme: Tenant, op: Provider) -> None:
    trust(acme, op)
    seen = []
    for subject, email in (("s-1", "alice@example.com"), ("s-2", "nobody@example.com")):
        way = leave(app, acme, op)
        op.claims = way.claims(sub=subject, email=email, email_verified=False, preferred_username=email)
        sub = way.rp.verified(way.rp.exchange(way.back().code)["id_token"], "web")["sub"]
        with entered(acme):
            user = users.show(sub)
        seen.append((user.email, user.username.partition("-")[0]))
    assert seen == [(None, "corp"), (None, "corp")]


def test_prompt_and_max_age_are_asked_for_and_looked_at(app: Any, acme: Tenant, op: Provider) -> None:
    trust(acme, op)
    now = int(time.time())
    way = leave(app, acme, op, prompt="login")
    assert (way.asked["prompt"], way.asked["max_age"]) == ("login", "0")
    op.claims = way.claims(auth_time=now - 3_600)
    refused(way.back(), "not_fresh")
    way = leave(app, acme, op, prompt="login")
    op.claims = way.claims()  # an upstream that does not say when
    refused(way.back(), "not_fresh")
    way = leave(app, acme, op, max_age="60")
    assert way.asked["max_age"] == "60" and "prompt" not in way.asked
    op.claims = way.claims(auth_time=now - 120)
    refused(way.back(), "not_fresh")
    way = leave(app, acme, op, max_age="600")
    op.claims = way.claims(auth_time=now - 120)
    claims = way.rp.verified(way.rp.exchange(way.back().code)["id_token"], "web")
    assert claims["auth_time"] == now - 120


def test_an_upstream_that_cannot_ask_anew_is_not_sent_who_must_be_asked(
    app: Any, acme: Tenant, op: Provider
) -> None:
    trust(acme, op, reauthentication=False)
    rp = relying_party(app, acme)
    browser = rp.browser()
    visit = rp.authorize(browser, prompt="login")
    refused(Visit(rp, browser, browser.get(local(button(visit.html, "Corp"), acme))), "not_fresh")


def test_a_password_that_changed_since_the_upstream_asked_counts(
    app: Any, acme: Tenant, op: Provider
) -> None:
    trust(acme, op)
    way = leave(app, acme, op)
    op.claims = way.claims()
    sub = way.rp.verified(way.rp.exchange(way.back().code)["id_token"], "web")["sub"]
    with entered(acme):
        users.update(sub, {"password": "a new one, long enough"})
    way = leave(app, acme, op, browser=relying_party(app, acme).browser())
    op.claims = way.claims(auth_time=int(time.time()) - 3_600)
    visit = way.back()
    assert visit.location.startswith(op.issuer), "a sign-in of before the change is taken"
    again = query(visit.location)
    assert again["prompt"] == "login"
    way.asked = again
    op.claims = way.claims(auth_time=int(time.time()) - 3_600)
    refused(way.back(), "not_fresh")


@pytest.mark.parametrize("document", [
    {"issuer": "https://evil.example"}, {"issuer": None}, {"token_endpoint": None}, {"jwks_uri": "file:///etc/passwd"},
    {"token_endpoint": "http://10.0.0.1/token"}, {"authorization_endpoint": "javascript:alert(1)"},
    {"token_endpoint_auth_methods_supported": "x"},
], ids=str)  # fmt: skip
def test_a_discovery_document_that_is_anothers_or_none(
    app: Any, acme: Tenant, op: Provider, document: dict[str, Any]
) -> None:
    op.document = document
    trust(acme, op)
    rp = relying_party(app, acme)
    browser = rp.browser()
    visit = rp.authorize(browser)
    refused(Visit(rp, browser, browser.get(local(button(visit.html, "Corp"), acme))), "away", 503)
    assert visit.login("alice").code, "the other way in is still there"


@pytest.mark.parametrize(
    ("status", "kind", "told"), [(400, "failed", 400), (401, "failed", 400), (500, "away", 503)]
)
def test_a_code_that_the_upstream_refuses(
    app: Any, acme: Tenant, op: Provider, database: Any, status: int, kind: str, told: int
) -> None:
    trust(acme, op)
    way = leave(app, acme, op)
    op.claims = way.claims()
    op.status = status
    refused(way.back(), kind, told)
    nobody(database)


@pytest.mark.parametrize("answer", [
    {"code": None}, {"code": ""}, {"code": None, "error": "access_denied"},
    {"error": "login_required"},
], ids=lambda each: "-".join(each))  # fmt: skip
def test_an_answer_without_a_code(
    app: Any, acme: Tenant, op: Provider, database: Any, answer: dict[str, str | None]
) -> None:
    trust(acme, op)
    way = leave(app, acme, op)
    op.claims = way.claims()
    refused(way.back(**answer), "declined" if "error" in answer else "failed")
    assert not [each for each in op.asked if each[1] == "/token_endpoint"]
    nobody(database)


def test_an_answer_that_says_things_twice(app: Any, acme: Tenant, op: Provider) -> None:
    trust(acme, op)
    way = leave(app, acme, op)
    op.claims = way.claims()
    given = urlencode([("state", way.asked["state"]), ("code", "a"), ("code", "b"), ("iss", op.issuer)])
    answer = way.browser.get(f"/t/acme/upstream/corp/callback?{given}")
    assert answer.status_code == 400 and "Location" not in answer.headers
    assert way.back().code, "the state was burned by an answer that is none"


def test_a_state_of_one_tenant_is_nothing_in_the_other(
    app: Any, twins: tuple[Tenant, Tenant], op: Provider
) -> None:
    acme, globex = twins
    for tenant in twins:
        trust(tenant, op)
    way = leave(app, acme, op)
    op.claims = way.claims()
    elsewhere = leave(app, globex, op)
    browser = way.browser
    for cookie in list(browser._cookies.values()):
        browser.set_cookie(cookie.key.replace("acme", "globex"), cookie.value)
    elsewhere.asked["state"] = way.asked["state"]
    elsewhere.browser = browser
    refused(elsewhere.back())
    assert way.back().code


def test_groups_and_roles_follow_the_upstream(app: Any, acme: Tenant, op: Provider) -> None:
    with entered(acme):
        for name in ("staff", "by hand"):
            groups.create(name, None)
        groups.create_role("buyer")
    trust(
        acme, op, groups={"claim": "teams", "names": {"T1": "staff", "T2": "staff", "T3": "not there"}},
        roles={"claim": "duty", "names": {"purchasing": "buyer"}},
    )  # fmt: skip

    def member(**claims: Any) -> tuple[set[str], set[str]]:
        way = leave(app, acme, op)
        op.claims = way.claims(**claims)
        sub = way.rp.verified(way.rp.exchange(way.back().code)["id_token"], "web")["sub"]
        with entered(acme):
            user = users.show(sub)
            if not claims:
                groups.add(groups.show("by hand"), user)
            shown = users.described(user)
        return set(shown["groups"]), set(shown["roles"])

    assert member() == ({"by hand"}, set())
    assert member(teams=["T2", "T9", 7, None], duty="purchasing") == ({"by hand", "staff"}, {"buyer"})
    assert member(teams=["T1"], duty="selling") == ({"by hand", "staff"}, set())
    assert member(teams={"T1": 1}, duty=None) == ({"by hand"}, set())


def test_claims_that_cannot_be_kept_are_left_out(app: Any, acme: Tenant, op: Provider) -> None:
    trust(
        acme, op, claims={"name": "name", "given_name": "given_name", "department": "dept", "website": "url"}
    )
    way = leave(app, acme, op)
    op.claims = way.claims(
        name="Zo\u202ee", given_name="Zoe", dept="R&D", url="javascript:alert(1)", family_name="No"
    )
    sub = way.rp.verified(way.rp.exchange(way.back().code)["id_token"], "web")["sub"]
    with entered(acme):
        assert dict(users.show(sub).claims) == {"given_name": "Zoe", "department": "R&D"}


def test_client_ids_and_secrets_are_spelled_for_the_header(app: Any, acme: Tenant, op: Provider) -> None:
    trust(acme, op, client_id="a:b/c")
    way = leave(app, acme, op)
    op.claims = way.claims()
    assert way.back().code
    (asked,) = [each for each in op.asked if each[1] == "/token_endpoint"]
    pair = base64.b64decode(asked[3]["Authorization"].removeprefix("Basic ")).decode()
    assert pair == "a%3Ab%2Fc:a+secret+of+ours%2C+there"


def test_pw12_a_suspended_upstream_offers_nothing_and_takes_nothing(
    app: Any, acme: Tenant, op: Provider
) -> None:
    trust(acme, op)
    way = leave(app, acme, op)
    op.claims = way.claims()
    with tenants.enter("acme"):
        upstreams.update("corp", {"status": "suspended"})
    directory.forget_all()
    refused(way.back())
    page = relying_party(app, acme).authorize()
    assert "Continue with" not in page.html
    assert way.browser.get(local(button(way.page.html, "Corp"), acme)).status_code == 404


def test_two_applications_at_once(app: Any, acme: Tenant, op: Provider) -> None:
    trust(acme, op)
    one = leave(app, acme, op)
    two = leave(app, acme, op, browser=one.browser)
    op.claims = two.claims()
    assert two.back().code
    op.claims = one.claims()
    visit = one.back()  # the session is there already: the first application goes on with it
    assert visit.code
    with entered(acme):
        assert clients.show("web") and len(identities.of_user(users.show("zoe@corp.example").id)) == 1
