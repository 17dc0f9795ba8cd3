"""Codes, sign-ins, sessions, refresh tokens and tokens through their whole lives, by a clock that is moved."""

import json
from collections.abc import Iterator
from datetime import UTC
from typing import Any

import jwt as pyjwt
import pytest

from idp import directory
from idp.store.durable import users
from idp.tenants import Tenant, entered
from tests.playing import RelyingParty, relying_party

HOUR, DAY = 3600, 86400


@pytest.fixture
def clock(frozen: Any, acme: Tenant) -> Iterator[Any]:
    """Hands that move: `clock.tick(60)`. The tenants' keys were born now, so it starts now."""
    with frozen() as hands:
        yield hands


@pytest.fixture
def rp(app: Any, acme: Tenant, clock: Any) -> RelyingParty:
    """Acme's client `web`."""
    return relying_party(app, acme)


def policy(database: Any, tenant: Tenant, **values: int) -> None:
    """Give a tenant another policy, as an operator would."""
    database(
        "UPDATE tenants SET policy = policy || %s::jsonb, version = version + 1, changed_at = clock_timestamp() "
        "WHERE id = %s", json.dumps(values), str(tenant.id),
    )  # fmt: skip
    directory.forget(tenant.id)


def error(answer: Any) -> str | None:
    """What a token answer says is wrong."""
    return answer.get_json().get("error")  # type: ignore[no-any-return]


def test_rfc6749_4_1_2_a_code_lives_a_minute(rp: RelyingParty, clock: Any) -> None:
    code = rp.authorize().login("alice").code
    clock.tick(59)
    assert rp.redeem(code).status_code == 200
    code = rp.authorize().login("alice").code
    clock.tick(60)
    assert error(rp.redeem(code)) == "invalid_grant"


def test_a_sign_in_page_lives_half_an_hour(rp: RelyingParty, clock: Any) -> None:
    visit = rp.authorize()
    clock.tick(1799)
    assert "code" in visit.login("alice").params
    visit = rp.authorize()
    clock.tick(1800)
    visit.login("alice")
    assert visit.answer.status_code == 400 and not visit.location


def test_a_session_ends_when_it_is_idle(rp: RelyingParty, clock: Any) -> None:
    browser = rp.browser()
    rp.authorize(browser).login("alice")
    for _ in range(3):
        clock.tick(HOUR - 61)
        assert "code" in rp.authorize(browser, prompt="none").params
    clock.tick(HOUR)
    assert rp.authorize(browser, prompt="none").params["error"] == "login_required"


def test_a_session_ends_after_a_day_however_busy(rp: RelyingParty, clock: Any) -> None:
    browser = rp.browser()
    rp.authorize(browser).login("alice")
    for _ in range(47):
        clock.tick(1800)
        assert "code" in rp.authorize(browser, prompt="none").params
    clock.tick(1800)
    assert rp.authorize(browser, prompt="none").params["error"] == "login_required"


def test_oidc_3_1_2_1_max_age_asks_again(rp: RelyingParty, clock: Any) -> None:
    browser = rp.browser()
    rp.authorize(browser).login("alice")
    clock.tick(100)
    assert "code" in rp.authorize(browser, prompt="none", max_age="101").params
    assert rp.authorize(browser, prompt="none", max_age="99").params["error"] == "login_required"


def test_rfc9068_4_an_access_token_ends(rp: RelyingParty, clock: Any) -> None:
    tokens = rp.sign_in()
    clock.tick(599)
    assert rp.userinfo(tokens["access_token"]).status_code == 200
    assert rp.introspect(tokens["access_token"])["active"] is True
    clock.tick(1)
    assert rp.userinfo(tokens["access_token"]).status_code == 401
    assert rp.introspect(tokens["access_token"]) == {"active": False}


def test_oidc_2_an_id_token_ends(rp: RelyingParty, clock: Any) -> None:
    claims = pyjwt.decode(rp.sign_in()["id_token"], options={"verify_signature": False})
    assert claims["exp"] - claims["iat"] == 600
    assert claims["iat"] == int(clock().replace(tzinfo=UTC).timestamp())


def test_an_offline_refresh_token_ends_when_idle_and_lives_on_when_used(rp: RelyingParty, clock: Any) -> None:
    token = rp.sign_in()["refresh_token"]
    for _ in range(2):
        clock.tick(29 * DAY)
        token = rp.refresh(token).get_json()["refresh_token"]
        assert rp.introspect(token)["active"] is True
    clock.tick(30 * DAY)
    assert rp.introspect(token) == {"active": False}
    assert error(rp.refresh(token)) == "invalid_grant"


def test_an_offline_refresh_token_ends_after_ninety_days_however_busy(rp: RelyingParty, clock: Any) -> None:
    token = rp.sign_in()["refresh_token"]
    for _ in range(4):
        clock.tick(20 * DAY)
        token = rp.refresh(token).get_json()["refresh_token"]
    clock.tick(10 * DAY)
    assert error(rp.refresh(token)) == "invalid_grant"


def test_a_refresh_token_without_offline_access_ends_with_the_session(rp: RelyingParty, clock: Any) -> None:
    token = rp.sign_in(scope="openid")["refresh_token"]
    clock.tick(1800)
    token = rp.refresh(token).get_json()["refresh_token"]
    clock.tick(1800)
    token = rp.refresh(token).get_json()["refresh_token"]
    clock.tick(HOUR)
    assert error(rp.refresh(token)) == "invalid_grant"


def test_rfc9700_4_14_the_grace_of_a_refresh_is_ten_seconds(rp: RelyingParty, clock: Any) -> None:
    token = rp.sign_in()["refresh_token"]
    first = rp.refresh(token).get_json()["refresh_token"]
    clock.tick(10)
    assert rp.refresh(token).get_json()["refresh_token"] == first
    clock.tick(1)
    assert error(rp.refresh(token)) == "invalid_grant"
    assert error(rp.refresh(first)) == "invalid_grant"


def test_once_the_successor_was_used_there_is_no_grace(rp: RelyingParty, clock: Any) -> None:
    token = rp.sign_in()["refresh_token"]
    first = rp.refresh(token).get_json()["refresh_token"]
    second = rp.refresh(first).get_json()["refresh_token"]
    assert error(rp.refresh(token)) == "invalid_grant"
    assert error(rp.refresh(second)) == "invalid_grant"


@pytest.mark.parametrize("seconds", [20, 5])
def test_a_policy_shortens_codes(app: Any, acme: Tenant, database: Any, clock: Any, seconds: int) -> None:
    policy(database, acme, code_lifetime=seconds)
    tenant = directory.resolve("acme")
    assert tenant is not None and tenant.policy.code_lifetime == seconds
    rp = relying_party(app, tenant)
    code = rp.authorize().login("alice").code
    clock.tick(seconds - 1)
    assert rp.redeem(code).status_code == 200
    code = rp.authorize().login("alice").code
    clock.tick(seconds)
    assert error(rp.redeem(code)) == "invalid_grant"


def test_a_policy_shortens_sessions_that_are_there(
    rp: RelyingParty, acme: Tenant, database: Any, clock: Any
) -> None:
    browser = rp.browser()
    rp.authorize(browser).login("alice")
    clock.tick(600)
    assert "code" in rp.authorize(browser, prompt="none").params
    policy(database, acme, session_idle=300)
    clock.tick(301)
    assert rp.authorize(browser, prompt="none").params["error"] == "login_required"


def test_a_policy_changes_tokens_and_their_grace(app: Any, acme: Tenant, database: Any, clock: Any) -> None:
    policy(database, acme, access_token_lifetime=120, refresh_grace=0, refresh_idle=3600)
    tenant = directory.resolve("acme")
    assert tenant is not None
    rp = relying_party(app, tenant)
    tokens = rp.sign_in()
    assert tokens["expires_in"] == 120
    clock.tick(120)
    assert rp.userinfo(tokens["access_token"]).status_code == 401
    following = rp.refresh(tokens["refresh_token"]).get_json()["refresh_token"]
    clock.tick(1)
    assert error(rp.refresh(tokens["refresh_token"])) == "invalid_grant"
    assert error(rp.refresh(following)) == "invalid_grant"
    lasting = rp.sign_in()["refresh_token"]
    clock.tick(3600)
    assert error(rp.refresh(lasting)) == "invalid_grant"


def test_globex_keeps_its_own_policy(
    app: Any, acme: Tenant, globex: Tenant, database: Any, clock: Any
) -> None:
    policy(database, acme, code_lifetime=5)
    theirs = relying_party(app, globex)
    code = theirs.authorize().login("alice").code
    clock.tick(59)
    assert theirs.redeem(code).status_code == 200


@pytest.mark.parametrize("instant", ["2031-06-01", "2037-12-31"])
def test_contexts_go_on_working_whatever_the_protocol_clock_says(
    frozen: Any, acme: Tenant, instant: str
) -> None:
    with frozen(instant):
        directory.forget_all()
        again = directory.resolve("acme")
        assert again is not None
        with entered(again):
            assert users.by_username("alice") is not None
