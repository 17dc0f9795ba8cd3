"""RFC 9470 and OpenID Connect Core 1.0 §3.1.2.1, §5.5.1.1: an application asks for two factors, and gets them."""

from typing import Any

import pytest

from idp.tenants import Tenant
from tests.attacks.acting import change, policy
from tests.attacks.factoring import at, with_app
from tests.playing import RelyingParty, Visit, relying_party

ESSENTIAL = '{"id_token":{"acr":{"essential":true,"values":%s}}}'


@pytest.fixture
def rp(app: Any, acme: Tenant) -> RelyingParty:
    """An application of acme."""
    return relying_party(app, acme)


def _told(rp: RelyingParty, visit: Visit) -> dict[str, Any]:
    return dict(rp.verified(rp.exchange(visit.code)["id_token"], "web"))


def test_5_acr_values_lead_to_a_second_factor_in_a_session_that_has_one(
    rp: RelyingParty, acme: Tenant, frozen: Any
) -> None:
    with frozen() as time:
        browser = rp.browser()
        first = _told(rp, rp.authorize(browser).login("alice"))
        mine = with_app(acme)
        time.tick(100)
        told = _told(
            rp, at(rp.authorize(browser, acr_values="2"), "mfa").submit(code=mine.code(), action="verify")
        )
        assert (told["acr"], told["amr"]) == ("2", ["pwd", "otp", "mfa"])
        assert told["auth_time"] == first["auth_time"]  # the password is as old as it was
        time.tick(30)
        assert _told(rp, rp.authorize(browser, acr_values="2"))["acr"] == "2"
        assert _told(rp, rp.authorize(browser))["acr"] == "2"
        page = at(rp.authorize(browser, acr_values="2", max_age="60"), "login")
        again = _told(rp, at(page.login("alice"), "mfa").submit(code=mine.code(), action="verify"))
        assert again["auth_time"] == first["auth_time"] + 130 and again["acr"] == "2"


@pytest.mark.parametrize("values", ["1", "1 2", "urn:x", "2 1"])
def test_3_1_2_1_what_one_factor_is_enough_for_asks_nothing_more_of_who_has_one(
    rp: RelyingParty, values: str
) -> None:
    assert _told(rp, rp.authorize(acr_values=values).login("alice"))["acr"] == "1"


def test_3_1_2_1_the_best_value_is_reached_where_the_person_can(rp: RelyingParty, acme: Tenant) -> None:
    browser = rp.browser()
    assert rp.authorize(browser).login("alice").code
    mine = with_app(acme)
    assert rp.authorize(browser, acr_values="1 2").code
    assert (
        _told(
            rp, at(rp.authorize(browser, acr_values="2 1"), "mfa").submit(code=mine.code(), action="verify")
        )["acr"]
        == "2"
    )


def test_5_5_1_1_an_essential_class_is_reached_or_the_sign_in_fails(rp: RelyingParty, acme: Tenant) -> None:
    at(rp.authorize(claims=ESSENTIAL % '["2"]').login("alice"), "enrol")
    mine = with_app(acme, "bob")
    visit = at(rp.authorize(claims=ESSENTIAL % '["gold","2"]').login("bob"), "mfa")
    assert _told(rp, visit.submit(code=mine.code(), action="verify"))["acr"] == "2"
    assert _told(rp, rp.authorize(visit.browser, claims=ESSENTIAL % '["1"]'))["acr"] == "1"
    policy(acme, second_factor="off")
    assert rp.authorize(claims=ESSENTIAL % '["2"]').params["error"] == "unmet_authentication_requirements"
    assert _told(rp, rp.authorize(acr_values="2").login("alice"))["acr"] == "1"


def test_a_class_that_nobody_can_reach_is_not_published(rp: RelyingParty, acme: Tenant) -> None:
    document = "/t/acme/.well-known/openid-configuration"
    assert rp.app.test_client().get(document).get_json()["acr_values_supported"] == ["1", "2"]
    policy(acme, second_factor="off")
    assert rp.app.test_client().get(document).get_json()["acr_values_supported"] == ["1"]


def test_registration_2_default_acr_values_step_up_too(rp: RelyingParty, acme: Tenant) -> None:
    change(acme, "web", default_acr_values=["2"])
    mine = with_app(acme)
    visit = at(rp.authorize().login("alice"), "mfa").submit(code=mine.code(), action="verify")
    assert _told(rp, visit)["acr"] == "2"


def test_prompt_none_says_that_somebody_is_needed(rp: RelyingParty, acme: Tenant) -> None:
    browser = rp.browser()
    assert rp.authorize(browser).login("alice").code
    with_app(acme)
    assert rp.authorize(browser, prompt="none", acr_values="2").params["error"] == "interaction_required"
    assert rp.authorize(browser, prompt="none").code
