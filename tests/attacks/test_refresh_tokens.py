"""Refresh tokens: one family, one successor, one end for all of it."""

from datetime import timedelta
from typing import Any

import pytest
from redis import Redis

from idp.control import tenants, users
from idp.embedded.redis import OPERATOR
from idp.store.database import Unavailable
from idp.store.durable import grants
from idp.tenants import Tenant, entered
from tests.attacks.acting import change, client, events, party, policy, refused
from tests.playing import RelyingParty, inputs, relying_party

GONE = "invalid_grant"


@pytest.fixture
def rp(app: Any, acme: Tenant) -> RelyingParty:
    return relying_party(app, acme)


def sign_out(browser: Any) -> None:
    page = browser.get("/t/acme/logout").get_data(as_text=True)
    assert (
        browser.post("/t/acme/logout/confirm", data={**inputs(page), "action": "confirm"}).status_code == 303
    )


def test_rt01_an_old_token_ends_the_family(
    rp: RelyingParty, acme: Tenant, database: Any, frozen: Any
) -> None:
    with frozen() as clock:
        first = rp.sign_in()
        second = rp.refresh(first["refresh_token"]).get_json()
        clock.tick(timedelta(seconds=acme.policy.refresh_grace + 1))
        refused(rp.refresh(first["refresh_token"]), GONE)
        refused(rp.refresh(second["refresh_token"]), GONE)
        assert rp.userinfo(second["access_token"]).status_code == 401
    assert events(database, acme, "refresh.replayed") == 1


def test_rt01_a_used_successor_ends_the_grace(rp: RelyingParty) -> None:
    first = rp.sign_in()["refresh_token"]
    second = rp.refresh(first).get_json()["refresh_token"]
    third = rp.refresh(second).get_json()["refresh_token"]
    refused(rp.refresh(first), GONE)
    refused(rp.refresh(third), GONE)


def test_rt01_a_replay_counts_even_when_the_old_token_has_expired(
    rp: RelyingParty, acme: Tenant, frozen: Any
) -> None:
    idle = timedelta(seconds=acme.policy.refresh_idle)
    with frozen() as clock:
        first = rp.sign_in()["refresh_token"]
        clock.tick(idle - timedelta(minutes=1))
        second = rp.refresh(first).get_json()["refresh_token"]
        clock.tick(timedelta(minutes=2))
        refused(rp.refresh(first), GONE)
        refused(rp.refresh(second), GONE)


def test_rt02_rt12_a_lost_answer_is_given_again_within_the_grace(
    rp: RelyingParty, acme: Tenant, frozen: Any
) -> None:
    with frozen() as clock:
        first = rp.sign_in()["refresh_token"]
        answers = []
        for _ in range(5):
            answers.append(rp.refresh(first).get_json())
            clock.tick(timedelta(seconds=2))
        assert len({each["refresh_token"] for each in answers}) == 1
        assert len({each["access_token"] for each in answers}) == 5
        assert rp.refresh(answers[0]["refresh_token"]).status_code == 200


def test_rt03_another_client_and_another_tenant_get_nothing(
    app: Any, acme: Tenant, globex: Tenant, rp: RelyingParty
) -> None:
    token = rp.sign_in()["refresh_token"]
    for thief in (
        relying_party(app, acme, "asks"),
        relying_party(app, acme, "spa"),
        relying_party(app, globex),
    ):
        foreign = thief.refresh(token)
        nothing = thief.refresh("idp_rt_" + "x" * 51)
        refused(foreign, GONE)
        assert foreign.get_data() == nothing.get_data()
    assert rp.refresh(token).status_code == 200


@pytest.mark.parametrize(
    "event",
    [
        "user disabled",
        "user deleted",
        "password changed",
        "client disabled",
        "consent withdrawn",
        "grant_type withdrawn",
        "scope withdrawn",
        "tenant suspended",
    ],
)
def test_rt05_what_ends_meanwhile_ends_the_token(app: Any, acme: Tenant, database: Any, event: str) -> None:
    rp = relying_party(app, acme, "asks")
    token = rp.exchange(rp.authorize(scope="openid offline_access").login("alice").consent().code)[
        "refresh_token"
    ]
    code = GONE
    if event == "client disabled":
        database(
            "UPDATE clients SET status = 'suspended' WHERE tenant_id = %s AND client_id = 'asks'",
            str(acme.id),
        )
    elif event == "consent withdrawn":
        database("DELETE FROM consents WHERE tenant_id = %s", str(acme.id))
    elif event == "grant_type withdrawn":
        change(acme, "asks", grant_types=["authorization_code"])
        code = "unauthorized_client"
    elif event == "scope withdrawn":
        change(acme, "asks", scope="profile")
        code = "invalid_scope"
    elif event == "tenant suspended":
        tenants.suspend("acme")
        assert rp.refresh(token).status_code == 404
        return
    else:
        with entered(acme):
            {
                "user disabled": lambda: users.suspend("alice"),
                "user deleted": lambda: users.delete("alice"),
                "password changed": lambda: users.update("alice", {"password": "another horse battery"}),
            }[event]()
    answer = rp.refresh(token)
    refused(
        answer,
        *(
            ("invalid_client", 401)
            if answer.status_code == 401 and event == "client disabled"
            else (code, 400)
        ),
    )


def test_rt05_without_offline_access_it_ends_with_the_session(rp: RelyingParty) -> None:
    browser = rp.browser()
    token = rp.exchange(rp.authorize(browser, scope="openid").login("alice").code)["refresh_token"]
    token = rp.refresh(token).get_json()["refresh_token"]
    sign_out(browser)
    refused(rp.refresh(token), GONE)


def test_rt05_a_disabled_person_stays_out_after_being_enabled(rp: RelyingParty, acme: Tenant) -> None:
    token = rp.sign_in()["refresh_token"]
    with entered(acme):
        users.suspend("alice")
        users.resume("alice")
    refused(rp.refresh(token), GONE)


def test_rt06_what_was_revoked_stays_so_without_redis(rp: RelyingParty, services: Any) -> None:
    tokens = rp.sign_in()
    assert rp.post("revoke", {"token": tokens["refresh_token"]}).status_code == 200
    with Redis.from_url(services.redis.url(OPERATOR)) as server:
        server.flushall()
    refused(rp.refresh(tokens["refresh_token"]), GONE)
    assert rp.userinfo(tokens["access_token"]).status_code == 401


def test_rt07_idle_and_absolute_age_both_end_it(app: Any, acme: Tenant, frozen: Any) -> None:
    short = policy(acme, refresh_idle=3600, refresh_absolute=3600 * 3)
    rp = relying_party(app, short)
    with frozen() as clock:
        idle = rp.sign_in()["refresh_token"]
        clock.tick(timedelta(seconds=3600))
        refused(rp.refresh(idle), GONE)
        used = rp.sign_in()["refresh_token"]
        for _ in range(3):
            clock.tick(timedelta(seconds=3590))
            used = rp.refresh(used).get_json()["refresh_token"]
        clock.tick(timedelta(seconds=60))
        refused(rp.refresh(used), GONE)


def test_rt07_a_clients_own_lifetime_never_passes_its_tenants(app: Any, acme: Tenant, frozen: Any) -> None:
    change(acme, "web", refresh_idle=7200, access_token_lifetime=500)
    rp = relying_party(app, policy(acme, refresh_idle=3600, access_token_lifetime=300))
    with frozen() as clock:
        tokens = rp.sign_in()
        assert tokens["expires_in"] == 300
        clock.tick(timedelta(seconds=3601))
        refused(rp.refresh(tokens["refresh_token"]), GONE)


def test_rt09_revoking_one_ends_its_access_tokens_and_only_by_its_own_client(
    app: Any, acme: Tenant, rp: RelyingParty
) -> None:
    tokens = rp.sign_in()
    other = relying_party(app, acme, "asks")
    for hint in ("refresh_token", "access_token", "nonsense"):
        assert (
            other.post("revoke", {"token": tokens["refresh_token"], "token_type_hint": hint}).status_code
            == 200
        )
        assert (
            other.post("revoke", {"token": tokens["access_token"], "token_type_hint": hint}).status_code
            == 200
        )
    assert rp.userinfo(tokens["access_token"]).status_code == 200
    answer = rp.post("revoke", {"token": tokens["refresh_token"], "token_type_hint": "access_token"})
    assert answer.status_code == 200 and rp.userinfo(tokens["access_token"]).status_code == 401
    refused(rp.refresh(tokens["refresh_token"]), GONE)


@pytest.mark.parametrize("kind", ["refresh_token", "access_token"])
def test_rt09_a_store_that_is_away_is_503_and_no_success(
    rp: RelyingParty, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = rp.sign_in()[kind]

    def away(*_: Any) -> None:
        raise Unavailable()

    monkeypatch.setattr(grants, "revoke", away)
    monkeypatch.setattr(grants, "revoke_token", away)
    answer = rp.post("revoke", {"token": token})
    assert (
        answer.status_code == 503
        and answer.headers["Retry-After"]
        and answer.get_json()["error"] == "temporarily_unavailable"
    )


def test_rt10_offline_access_is_what_the_person_or_the_operator_approved(app: Any, acme: Tenant) -> None:
    asks = relying_party(app, acme, "asks")
    browser = asks.browser()
    plain = asks.exchange(asks.authorize(browser, scope="openid").login("alice").consent().code)
    assert "offline_access" not in plain["scope"].split()
    visit = asks.authorize(browser, scope="openid offline_access")
    assert 'id="consent-form"' in visit.html
    assert "offline_access" in asks.exchange(visit.consent().code)["scope"].split()
    web = relying_party(app, acme)
    assert "offline_access" in web.sign_in(scope="openid offline_access")["scope"].split()


def test_rt10_a_client_without_refresh_tokens_gets_no_offline_access(app: Any, acme: Tenant) -> None:
    made = client(acme, "noref", grant_types=["authorization_code"], token_endpoint_auth_method="none")
    tokens = party(app, acme, made).sign_in(scope="openid offline_access")
    assert "refresh_token" not in tokens and tokens["scope"] == "openid"


def test_rt11_a_refresh_says_the_same_of_the_sign_in(rp: RelyingParty, frozen: Any) -> None:
    with frozen() as clock:
        tokens = rp.sign_in()
        first = rp.verified(tokens["id_token"], "web")
        clock.tick(timedelta(minutes=5))
        fresh = rp.refresh(tokens["refresh_token"]).get_json()
        second = rp.verified(fresh["id_token"], "web")
    for name in ("iss", "sub", "aud", "auth_time", "acr", "amr"):
        assert second[name] == first[name], name
    assert second["iat"] == first["iat"] + 300 and "nonce" not in second and "azp" not in second
    assert second["at_hash"] != first["at_hash"]


def test_rt11_a_refresh_narrows_and_never_widens(rp: RelyingParty) -> None:
    token = rp.sign_in(scope="openid profile offline_access")["refresh_token"]
    narrow = rp.refresh(token, scope="openid").get_json()
    assert narrow["scope"] == "openid"
    refused(rp.refresh(narrow["refresh_token"], scope="openid email"), "invalid_scope")
    whole = rp.refresh(narrow["refresh_token"]).get_json()
    assert whole["scope"] == "openid profile offline_access"


def test_a_client_may_be_set_not_to_rotate(rp: RelyingParty, acme: Tenant, frozen: Any) -> None:
    change(acme, "web", rotate_refresh_tokens=False)
    with frozen() as clock:
        token = rp.sign_in()["refresh_token"]
        for _ in range(3):
            clock.tick(timedelta(minutes=1))
            assert rp.refresh(token).get_json()["refresh_token"] == token


def test_a_used_token_does_not_come_to_life_when_rotation_is_turned_off(
    rp: RelyingParty, acme: Tenant, frozen: Any
) -> None:
    with frozen() as clock:
        token = rp.sign_in()["refresh_token"]
        rp.refresh(token)
        clock.tick(timedelta(minutes=1))
        change(acme, "web", rotate_refresh_tokens=False)
        refused(rp.refresh(token), GONE)


@pytest.mark.parametrize(
    "token", ["", "x", "idp_rt_", "idp_rt_" + "A" * 51, "\u00e9", "idp_rt_" + "A" * 9000]
)
def test_what_is_no_refresh_token_is_no_grant(rp: RelyingParty, token: str) -> None:
    assert rp.refresh(token).get_json()["error"] in {GONE, "invalid_request"}


@pytest.mark.parametrize("changes", [{"scope": "openid admin"}, {"resource": "https://nowhere.example"}])
def test_rt01_a_replay_cannot_hide_behind_a_request_that_fails_anyway(
    rp: RelyingParty, acme: Tenant, database: Any, frozen: Any, changes: dict[str, str]
) -> None:
    with frozen() as clock:
        old = rp.sign_in()["refresh_token"]
        new = rp.refresh(old).get_json()["refresh_token"]
        clock.tick(11)
        refused(rp.refresh(old, **changes), "invalid_grant")
        refused(rp.refresh(new), "invalid_grant")
        refused(rp.refresh(old), "invalid_grant")
    assert events(database, acme, "refresh.replayed") == 1
