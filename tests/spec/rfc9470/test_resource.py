"""RFC 9470 at a resource of the issuer's own: userinfo says which sign-in it wants, and /authorize gives it."""

import re
from typing import Any

import pytest

from idp.errors import Invalid
from idp.tenants import Tenant
from tests.attacks.acting import policy
from tests.attacks.factoring import at, with_app
from tests.playing import RelyingParty, relying_party
from tests.spec.rfc9449.proving import Prover


@pytest.fixture
def rp(app: Any, acme: Tenant) -> RelyingParty:
    return relying_party(app, acme)


def wanted(answer: Any, scheme: str = "Bearer") -> dict[str, str]:
    """What the challenge asks for (§3)."""
    assert answer.status_code == 401 and answer.get_json()["error"] == "insufficient_user_authentication"
    assert set(answer.get_json()) == {"error", "error_description"}
    challenge = answer.headers["WWW-Authenticate"]
    assert challenge.startswith(f"{scheme} ") and 'error="insufficient_user_authentication"' in challenge
    return dict(re.findall(r'(acr_values|max_age)="([^"]*)"', challenge))


def test_3_a_class_of_sign_in(rp: RelyingParty, acme: Tenant, frozen: Any) -> None:
    with frozen() as time:
        browser = rp.browser()
        token = rp.sign_in(browser=browser)["access_token"]
        mine = with_app(acme)
        time.tick(100)
        assert rp.userinfo(token).status_code == 200
        policy(acme, resource_acr="2")
        asked = wanted(rp.userinfo(token))
        assert asked == {"acr_values": "2"}
        visit = at(rp.authorize(browser, **asked), "mfa").submit(code=mine.code(), action="verify")
        assert rp.userinfo(rp.exchange(visit.code)["access_token"]).status_code == 200
        assert wanted(rp.userinfo(token)) == asked


def test_3_the_age_of_a_sign_in(rp: RelyingParty, acme: Tenant, frozen: Any) -> None:
    with frozen() as time:
        policy(acme, resource_max_age=300)
        browser = rp.browser()
        tokens = rp.sign_in(browser=browser)
        time.tick(300)
        assert rp.userinfo(tokens["access_token"]).status_code == 200
        time.tick(1)
        asked = wanted(rp.userinfo(tokens["access_token"]))
        assert asked == {"max_age": "300"}
        fresh = rp.refresh(tokens["refresh_token"]).get_json()["access_token"]
        assert wanted(rp.userinfo(fresh)) == asked  # a refresh is no sign-in
        code = at(rp.authorize(browser, **asked), "login").login("alice").code
        assert rp.userinfo(rp.exchange(code)["access_token"]).status_code == 200


def test_3_both_at_once_and_by_the_scheme_of_the_token(rp: RelyingParty, acme: Tenant) -> None:
    prover = Prover(rp)
    token = prover.sign_in()["access_token"]
    policy(acme, resource_acr="2", resource_max_age=60)
    assert wanted(prover.userinfo(token), "DPoP") == {"acr_values": "2", "max_age": "60"}


@pytest.mark.parametrize("values", [{"resource_acr": "3"}, {"resource_acr": 2}, {"resource_max_age": -1}])
def test_the_policy_takes_no_other_values(acme: Tenant, values: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        policy(acme, **values)
