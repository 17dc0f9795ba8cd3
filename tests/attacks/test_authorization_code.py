"""Authorization codes: used once, by whom they are for, while everything behind them stands."""

import hashlib
import json
from datetime import timedelta
from typing import Any

import pytest
from redis import Redis

from idp.control import tenants, users
from idp.embedded.redis import OPERATOR
from idp.ids import digest
from idp.store import redis
from idp.store.database import Unavailable
from idp.store.durable import grants
from idp.store.ephemeral import codes
from idp.tenants import Tenant, entered
from tests.attacks.acting import ask, at_once, change, events, policy, refused
from tests.playing import RelyingParty, inputs, query, relying_party

GONE = "invalid_grant"


@pytest.fixture
def rp(app: Any, acme: Tenant) -> RelyingParty:
    return relying_party(app, acme)


def test_co01_a_second_redemption_ends_all_the_first_one_made(
    rp: RelyingParty, acme: Tenant, database: Any
) -> None:
    code = rp.authorize().login("alice").code
    tokens = rp.exchange(code)
    fresh = rp.refresh(tokens["refresh_token"]).get_json()
    assert rp.userinfo(tokens["access_token"]).status_code == 200
    refused(rp.redeem(code), GONE)
    assert rp.userinfo(tokens["access_token"]).status_code == 401
    assert rp.userinfo(fresh["access_token"]).status_code == 401
    assert rp.introspect(tokens["access_token"]) == rp.introspect(fresh["refresh_token"]) == {"active": False}
    refused(rp.refresh(fresh["refresh_token"]), GONE)
    assert events(database, acme, "code.replayed") == 1


def test_co02_a_code_that_redis_gives_twice_is_still_used_once(
    rp: RelyingParty, acme: Tenant, database: Any
) -> None:
    """A failover may bring a burned code back: the unique digest in Postgres has the last word."""
    code = rp.authorize().login("alice").code
    with entered(acme):
        meaning = redis.get(codes.KIND, digest(code).hex())
        tokens = rp.exchange(code)
        assert meaning is not None
        codes.restore(code, meaning, 60)
    refused(rp.redeem(code), GONE)
    assert rp.userinfo(tokens["access_token"]).status_code == 401
    assert events(database, acme, "code.replayed") == 1


def test_co02_rc01_even_if_redis_burned_nothing_one_wins(
    rp: RelyingParty, acme: Tenant, database: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = rp.authorize().login("alice").code
    monkeypatch.setattr(codes, "burn", lambda given: redis.get(codes.KIND, digest(given).hex()))
    answers = at_once(16, lambda _: rp.redeem(code))
    statuses = [answer.status_code for answer in answers]
    assert statuses.count(200) == 1 and set(statuses) <= {200, 400, 503}
    assert database("SELECT count(*), count(DISTINCT code_digest) FROM grants") == [(1, 1)]
    assert database("SELECT count(*) FROM refresh_tokens")[0][0] == 1


def test_co03_a_code_of_another_client_is_burned_and_recorded(
    app: Any, acme: Tenant, rp: RelyingParty, database: Any
) -> None:
    for thief in ("asks", "spa"):
        code = rp.authorize().login("alice").code
        other = relying_party(app, acme, thief)
        refused(other.redeem(code, redirect_uri=rp.redirect_uri, code_verifier=rp.verifier), GONE)
        refused(rp.redeem(code), GONE)
    assert events(database, acme, "code.burned") == 2


def test_co03_failed_client_authentication_touches_no_code(rp: RelyingParty) -> None:
    code = rp.authorize().login("alice").code
    refused(
        rp.post(
            "token",
            {"grant_type": "authorization_code", "code": code, "client_id": "web"},
            authenticated=False,
        ),
        "invalid_client",
        401,
    )
    assert rp.redeem(code).status_code == 200


def test_co04_the_other_tenant_cannot_even_burn_it(
    app: Any, globex: Tenant, rp: RelyingParty, database: Any
) -> None:
    code = rp.authorize().login("alice").code
    foreign = relying_party(app, globex)
    theirs = foreign.redeem(code, code_verifier=rp.verifier)
    nothing = foreign.redeem("x" * len(code), code_verifier=rp.verifier)
    assert (theirs.status_code, theirs.get_data()) == (nothing.status_code, nothing.get_data())
    assert events(database, globex, "code.burned") == events(database, globex, "code.replayed") == 0
    assert rp.redeem(code).status_code == 200


def test_co05_a_code_lives_at_most_a_minute(rp: RelyingParty, frozen: Any) -> None:
    with frozen() as clock:
        young = rp.authorize().login("alice").code
        clock.tick(timedelta(seconds=59))
        assert rp.redeem(young).status_code == 200
        old = rp.authorize().login("alice").code
        clock.tick(timedelta(seconds=60))
        refused(rp.redeem(old), GONE)
    assert rp.tenant.policy.code_lifetime <= 60


def test_co05_no_policy_makes_it_longer(acme: Tenant) -> None:
    with pytest.raises(Exception, match="code_lifetime"):
        policy(acme, code_lifetime=61)


def test_co07_nothing_that_is_kept_gives_a_code(rp: RelyingParty, services: Any, database: Any) -> None:
    code = rp.authorize().login("alice").code
    with Redis.from_url(services.redis.url(OPERATOR)) as client:
        kept = list(client.scan_iter("*"))
        everything = b"".join(kept) + b"".join(
            client.get(name) or b"" for name in kept if client.type(name) == b"string"
        )
    assert (
        code.encode() not in everything and hashlib.sha256(code.encode()).hexdigest().encode() in everything
    )
    rp.exchange(code)
    for table in database.tables():
        assert database(f"SELECT count(*) FROM {table} t WHERE t::text LIKE %s", f"%{code}%")[0][0] == 0, (
            table
        )


def test_co08_a_value_of_another_kind_under_the_codes_key_is_no_code(
    rp: RelyingParty, acme: Tenant, globex: Tenant
) -> None:
    code = rp.authorize().login("alice").code
    with entered(acme):
        meaning = redis.get("code", digest(code).hex())
        assert meaning is not None
        redis.drop("code", digest(code).hex())
        redis.put("transaction", digest(code).hex(), meaning, 60)
        refused(rp.redeem(code), GONE)
        sealed = redis.call(lambda client: client.get(redis.key("transaction", digest(code).hex())))
        redis.call(lambda client: client.set(redis.key("code", digest(code).hex()), sealed))
        refused(rp.redeem(code), GONE)
    with entered(globex):
        redis.put("code", digest(code).hex(), meaning, 60)
        foreign = redis.call(lambda client: client.get(redis.key("code", digest(code).hex())))
    with entered(acme):
        redis.call(lambda client: client.set(redis.key("code", digest(code).hex()), foreign))
        refused(rp.redeem(code), GONE)


@pytest.mark.parametrize(
    "event",
    [
        "user disabled",
        "user deleted",
        "password changed",
        "session ended",
        "client disabled",
        "consent withdrawn",
        "tenant suspended",
    ],
)
def test_co09_what_changes_between_the_page_and_the_redemption_counts(
    app: Any, acme: Tenant, database: Any, event: str
) -> None:
    rp = relying_party(app, acme, "asks")
    browser = rp.browser()
    code = rp.authorize(browser).login("alice").consent().code
    if event == "session ended":
        page = browser.get("/t/acme/logout").get_data(as_text=True)
        browser.post("/t/acme/logout/confirm", data={**inputs(page), "action": "confirm"})
    elif event == "tenant suspended":
        tenants.suspend("acme")
        assert rp.redeem(code).status_code == 404
        return
    elif event == "client disabled":
        database(
            "UPDATE clients SET status = 'suspended' WHERE tenant_id = %s AND client_id = 'asks'",
            str(acme.id),
        )
    elif event == "consent withdrawn":
        database("DELETE FROM consents WHERE tenant_id = %s", str(acme.id))
    else:
        with entered(acme):
            {
                "user disabled": lambda: users.suspend("alice"),
                "user deleted": lambda: users.delete("alice"),
                "password changed": lambda: users.update("alice", {"password": "another horse battery"}),
            }[event]()
    answer = rp.redeem(code)
    refused(
        answer,
        *(
            ("invalid_client", 401)
            if event == "client disabled" and answer.status_code == 401
            else (GONE, 400)
        ),
    )
    assert database("SELECT count(*) FROM grants WHERE revoked_at IS NULL")[0][0] == 0


def test_co09_a_client_deleted_meanwhile_is_no_server_error(
    rp: RelyingParty, acme: Tenant, database: Any
) -> None:
    code = rp.authorize().login("alice").code
    database("DELETE FROM clients WHERE tenant_id = %s AND client_id = 'web'", str(acme.id))
    assert rp.redeem(code).get_json()["error"] in {GONE, "invalid_client"}


def test_co10_pages_send_no_referrer_abroad_and_load_nothing_foreign(rp: RelyingParty) -> None:
    visit = rp.authorize()
    # A form that comes back here says same-origin, which sends nothing abroad either (see BR15).
    assert visit.answer.headers["Referrer-Policy"] == "same-origin"
    assert not [
        part for part in ('src="http', "src='http", 'href="//', 'src="//', "@import") if part in visit.html
    ]
    assert visit.login("alice").answer.headers["Referrer-Policy"] == "no-referrer"


def test_co11_iss_is_in_every_answer_and_advertised(app: Any, acme: Tenant, rp: RelyingParty) -> None:
    assert rp.authorize().login("alice").params["iss"] == acme.issuer
    assert query(ask(app, acme, prompt="none").headers["Location"])["iss"] == [acme.issuer]
    document = app.test_client().get("/t/acme/.well-known/openid-configuration").get_json()
    assert (
        document["authorization_response_iss_parameter_supported"] is True
        and document["issuer"] == acme.issuer
    )


@pytest.mark.parametrize(
    "kind",
    [
        "token",
        "id_token",
        "id_token token",
        "none",
        "code code",
        "CODE",
        "code id_token",
        " code",
        "code ",
        "code\u00a0",
    ],
)
def test_co13_code_is_the_only_response_type_where_the_policy_has_no_other(
    app: Any, acme: Tenant, kind: str
) -> None:
    told = ask(app, acme, response_type=kind).headers["Location"].replace("#", "?")
    assert query(told)["error"] == ["unsupported_response_type"] and "code" not in query(told)


@pytest.mark.parametrize("mode", ["JWT", "query jwt", "jwt.query", "web_message", "QUERY", "form_post "])
def test_co14_an_unknown_response_mode_is_refused(app: Any, acme: Tenant, mode: str) -> None:
    answer = query(ask(app, acme, response_mode=mode).headers["Location"])
    assert answer["error"] == ["invalid_request"]


def test_co15_what_was_asked_cannot_change_on_the_way(rp: RelyingParty) -> None:
    visit = rp.authorize(scope="openid")
    page = visit.page
    visit.page = (
        page
        + "&scope=openid+email&response_type=token&redirect_uri=https://evil.test/&client_id=spa&state=other"
    )
    fields = {
        "scope": "openid email",
        "redirect_uri": "https://evil.test/",
        "client_id": "spa",
        "state": "other",
    }
    visit.submit(username="alice", password="correct horse battery staple", action="login", **fields)
    assert visit.params["state"] == rp.state
    assert rp.exchange(visit.code)["scope"] == "openid"


def test_co17_a_hint_of_somebody_else_is_never_answered_as_me(rp: RelyingParty) -> None:
    hint = rp.sign_in("bob", scope="openid")["id_token"]
    browser = rp.browser()
    rp.authorize(browser).login("alice")
    assert rp.authorize(browser, id_token_hint=hint, prompt="none").params["error"] == "login_required"
    visit = rp.authorize(browser, id_token_hint=hint)
    assert 'id="login-form"' in visit.html
    assert visit.login("alice").params["error"] == "login_required"
    assert rp.exchange(rp.authorize(browser, id_token_hint=hint).login("bob").code)["id_token"]


@pytest.mark.parametrize("hint", ["garbage", "a.b.c", "access token", "other client", "other tenant"])
def test_co17_a_hint_that_names_nobody_is_not_silent(
    app: Any, acme: Tenant, globex: Tenant, rp: RelyingParty, hint: str
) -> None:
    if hint == "access token":
        hint = rp.sign_in(scope="openid")["access_token"]
    elif hint == "other client":
        hint = relying_party(app, acme, "spa").sign_in(scope="openid")["id_token"]
    elif hint == "other tenant":
        hint = relying_party(app, globex).sign_in(scope="openid")["id_token"]
    browser = rp.browser()
    rp.authorize(browser).login("alice")
    assert rp.authorize(browser, id_token_hint=hint, prompt="none").params["error"] == "login_required"
    visit = rp.authorize(browser, id_token_hint=hint)
    assert 'id="login-form"' in visit.html and "code" in visit.login("alice").params


def test_co17_the_claims_parameter_names_the_person(rp: RelyingParty) -> None:
    browser = rp.browser()
    me = rp.verified(
        rp.exchange(rp.authorize(browser, scope="openid").login("alice").code)["id_token"], "web"
    )["sub"]
    for part in ("id_token", "userinfo"):
        for wish in ({"value": me}, {"values": ["x", me]}, {"essential": True, "value": me}):
            assert (
                "code"
                in rp.authorize(browser, prompt="none", claims=json.dumps({part: {"sub": wish}})).params
            )
        for wish in ({"value": "x"}, {"values": ["x"]}, {"values": []}, {"value": None}, {"value": 1}):
            asked = rp.authorize(browser, prompt="none", claims=json.dumps({part: {"sub": wish}}))
            assert asked.params["error"] == "login_required", wish


def test_rc13_when_the_database_fails_the_code_is_given_back(
    rp: RelyingParty, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = rp.authorize().login("alice").code

    def away(*_: Any) -> bool:
        raise Unavailable()

    with monkeypatch.context() as patch:
        patch.setattr(grants, "add", away)
        answer = rp.redeem(code)
    assert answer.status_code == 503 and int(answer.headers["Retry-After"]) >= 1
    assert answer.get_json()["error"] == "temporarily_unavailable"
    assert rp.redeem(code).status_code == 200
    refused(rp.redeem(code), GONE)


def test_a_scope_at_the_redemption_is_no_parameter_there(rp: RelyingParty) -> None:
    code = rp.authorize(scope="openid profile").login("alice").code
    assert rp.redeem(code, scope="openid profile unheard of").get_json()["scope"] == "openid profile"


def test_a_code_is_of_256_random_bits(rp: RelyingParty, acme: Tenant) -> None:
    change(acme, "web", require_consent=False)
    browser = rp.browser()
    codes = {
        rp.authorize(browser).login("alice").code,
        *(rp.authorize(browser, prompt="none").code for _ in range(5)),
    }
    assert len(codes) == 6 and {len(code) for code in codes} == {43}
