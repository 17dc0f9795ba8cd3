"""OpenID Connect Core 1.0 §3.2 and §3.3, OAuth 2.0 Multiple Response Types: tokens that come with the answer.

They are off unless the tenant's policy turns them on; on, they pass the one mint like every other.
"""

import base64
import hashlib
from typing import Any

import pytest

from idp.errors import InvalidClientMetadata
from idp.tenants import Tenant
from tests.attacks.acting import change, client, party, policy
from tests.playing import RelyingParty, inputs, relying_party

FRONT = ("id_token", "id_token token", "code id_token", "code token", "code id_token token")
EVERY = ("code", *FRONT)


@pytest.fixture
def speaking(acme: Tenant) -> Tenant:
    return policy(acme, implicit_flow=True, hybrid_flow=True, tenant_claims_in_id_token=False)


@pytest.fixture
def rp(app: Any, speaking: Tenant) -> RelyingParty:
    change(
        speaking,
        "web",
        grant_types=["authorization_code", "implicit", "refresh_token"],
        response_types=list(EVERY),
    )
    return relying_party(app, speaking)


def half(value: str) -> str:
    """The half hash of RS256 (OpenID Connect Core 1.0 §3.1.3.6)."""
    return base64.urlsafe_b64encode(hashlib.sha256(value.encode()).digest()[:16]).rstrip(b"=").decode()


def expected(response_type: str) -> set[str]:
    words = set(response_type.split())
    names = {"state", "iss"}
    names |= {"code"} if "code" in words else set()
    names |= {"id_token"} if "id_token" in words else set()
    return names | ({"access_token", "token_type", "expires_in", "scope"} if "token" in words else set())


def judged(rp: RelyingParty, got: dict[str, str], response_type: str) -> None:
    """What came back is what was asked for, and all of it is good."""
    assert set(got) == expected(response_type) and got["state"] == rp.state
    assert got["iss"] == rp.tenant.issuer
    if "access_token" in got:
        assert got["token_type"] == "Bearer" and int(got["expires_in"]) == 600
        assert "offline_access" not in got["scope"].split()
        assert rp.userinfo(got["access_token"]).status_code == 200
        assert rp.introspect(got["access_token"])["active"]
    if "id_token" in got:
        claims = rp.verified(got["id_token"], rp.client_id)
        assert claims["nonce"] == rp.nonce
        assert claims.get("at_hash") == (half(got["access_token"]) if "access_token" in got else None)
        assert claims.get("c_hash") == (half(got["code"]) if "code" in got else None)
        assert ("name" in claims) == (response_type == "id_token")
        assert set(claims) <= {
            "iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "at_hash", "c_hash",
            *(("name", "given_name", "family_name", "email", "email_verified", "updated_at", "preferred_username")
              if response_type == "id_token" else ()),
        }  # fmt: skip
    if "code" in got:
        tokens = rp.exchange(got["code"])
        later = rp.verified(tokens["id_token"], rp.client_id)
        assert "c_hash" not in later and later["nonce"] == rp.nonce and tokens["refresh_token"]
        if "id_token" in got:
            assert rp.verified(got["id_token"], rp.client_id)["sub"] == later["sub"]


@pytest.mark.parametrize("response_type", FRONT)
def test_3_2_2_5_and_3_3_2_5_what_was_asked_for_comes_in_the_fragment(
    rp: RelyingParty, response_type: str
) -> None:
    judged(rp, rp.authorize(response_type=response_type).login("alice").fragment, response_type)


@pytest.mark.parametrize("response_type", FRONT)
def test_the_order_of_the_words_does_not_matter(rp: RelyingParty, response_type: str) -> None:
    turned = " ".join(reversed(response_type.split()))
    assert set(rp.authorize(response_type=turned).login("alice").fragment) == expected(response_type)


@pytest.mark.parametrize("response_type", EVERY)
def test_form_post_carries_every_one(rp: RelyingParty, response_type: str) -> None:
    visit = rp.authorize(response_type=response_type, response_mode="form_post").login("alice")
    assert visit.answer.status_code == 200 and not visit.location
    judged(rp, inputs(visit.html), response_type)


def test_a_code_may_come_in_a_fragment_too(rp: RelyingParty) -> None:
    judged(rp, rp.authorize(response_mode="fragment").login("alice").fragment, "code")


@pytest.mark.parametrize("response_type", FRONT)
def test_multiple_response_types_5_no_token_travels_in_a_query(rp: RelyingParty, response_type: str) -> None:
    got = rp.authorize(response_type=response_type, response_mode="query").fragment
    assert got["error"] == "invalid_request" and got["state"] == rp.state


@pytest.mark.parametrize("response_type", FRONT)
def test_3_2_2_1_and_3_3_2_11_without_a_nonce_there_is_no_id_token(
    rp: RelyingParty, response_type: str
) -> None:
    visit = rp.authorize(response_type=response_type, nonce=None)
    if "id_token" in response_type:
        assert visit.fragment["error"] == "invalid_request"
    else:
        assert set(visit.login("alice").fragment) == expected(response_type)


@pytest.mark.parametrize("response_type", ("id_token", "id_token token", "code id_token"))
def test_an_id_token_needs_openid(rp: RelyingParty, response_type: str) -> None:
    assert rp.authorize(response_type=response_type, scope="profile").fragment["error"] == "invalid_request"


@pytest.mark.parametrize(
    "changes",
    [
        {"prompt": "none"}, {"scope": "x"}, {"claims": "x"}, {"max_age": "x"}, {"prompt": "x"}, {"resource": "x"},
        {"request": "x"}, {"response_mode": "web_message"},
    ],
)  # fmt: skip
def test_3_2_2_6_errors_come_where_the_answer_would(rp: RelyingParty, changes: dict[str, str]) -> None:
    got = rp.authorize(response_type="id_token token", **changes).fragment
    assert set(got) == {"error", "error_description", "state", "iss"}


@pytest.mark.parametrize(
    "response_type", ["token", "none", "id_token id_token", "code  token", "code;token", "CODE"]
)
def test_3_1_1_what_nobody_speaks_is_unsupported(rp: RelyingParty, response_type: str) -> None:
    visit = rp.authorize(response_type=response_type)
    told = visit.fragment if "#" in visit.location else visit.params
    assert told["error"] == "unsupported_response_type" and not {"code", "access_token"} & set(told)


@pytest.mark.parametrize("response_type", FRONT)
def test_rfc9700_2_1_2_off_unless_the_policy_turns_it_on(app: Any, acme: Tenant, response_type: str) -> None:
    told = relying_party(app, acme).authorize(response_type=response_type).fragment
    assert told["error"] == "unsupported_response_type"
    with pytest.raises(InvalidClientMetadata) as refusal:
        change(
            acme,
            "web",
            grant_types=["authorization_code", "implicit"],
            response_types=["code", response_type],
        )
    assert refusal.value.rule == "response_types"
    document = app.test_client().get("/t/acme/.well-known/openid-configuration").get_json()
    assert (
        document["response_types_supported"] == ["code"]
        and "implicit" not in document["grant_types_supported"]
    )


def test_each_flow_has_its_own_switch(app: Any, acme: Tenant) -> None:
    def told() -> list[str]:
        found = app.test_client().get("/t/acme/.well-known/openid-configuration").get_json()
        return list(found["response_types_supported"])

    policy(acme, implicit_flow=True)
    assert told() == ["code", "id_token", "id_token token"]
    policy(acme, implicit_flow=False, hybrid_flow=True)
    assert told() == ["code", "code id_token", "code token", "code id_token token"]


def test_a_flow_that_is_turned_off_ends_at_once_for_those_who_had_it(rp: RelyingParty) -> None:
    browser = rp.browser()
    rp.authorize(browser, response_type="id_token").login("alice")
    policy(rp.tenant, implicit_flow=False)
    assert rp.authorize(browser, response_type="id_token").fragment["error"] == "unsupported_response_type"


def test_a_client_has_only_what_it_registered(app: Any, speaking: Tenant) -> None:
    rp = relying_party(app, speaking)
    assert rp.authorize(response_type="id_token").fragment["error"] == "unauthorized_client"


@pytest.mark.parametrize(
    ("grant_types", "response_types"),
    [
        (["implicit"], ["code"]), (["authorization_code"], ["id_token"]), (["authorization_code"], ["code id_token"]),
        (["authorization_code", "implicit"], ["code"]), (["authorization_code", "implicit"], ["id_token"]),
        (["implicit"], []), (["implicit", "refresh_token"], ["id_token"]), (["implicit"], ["token"]),
    ],
)  # fmt: skip
def test_registration_2_grants_and_response_types_fit(
    speaking: Tenant, grant_types: list[str], response_types: list[str]
) -> None:
    with pytest.raises(InvalidClientMetadata) as refusal:
        change(speaking, "web", grant_types=grant_types, response_types=response_types)
    assert refusal.value.rule in {"grant_types", "response_types"}


def test_an_implicit_client_needs_no_code_and_no_pkce(app: Any, speaking: Tenant) -> None:
    made = client(
        speaking, "browser", grant_types=["implicit"], response_types=["token id_token"], scope="openid profile",
        token_endpoint_auth_method="none",
    )  # fmt: skip
    assert made.response_types == ("id_token token",)
    rp = party(app, speaking, made)
    visit = rp.authorize(response_type="id_token token", code_challenge=None, code_challenge_method=None)
    assert set(visit.login("alice").fragment) == expected("id_token token")


@pytest.mark.parametrize("response_type", ["code token", "code id_token", "code id_token token"])
def test_pkce_is_asked_of_whoever_gets_a_code(rp: RelyingParty, response_type: str) -> None:
    visit = rp.authorize(response_type=response_type, code_challenge=None, code_challenge_method=None)
    assert visit.fragment["error"] == "invalid_request"


def test_a_replay_of_the_code_ends_the_token_that_came_with_it(rp: RelyingParty) -> None:
    got = rp.authorize(response_type="code token").login("alice").fragment
    tokens = rp.exchange(got["code"])
    for token in (got["access_token"], tokens["access_token"]):
        assert rp.userinfo(token).status_code == 200
    assert rp.redeem(got["code"]).get_json()["error"] == "invalid_grant"
    for token in (got["access_token"], tokens["access_token"]):
        assert rp.userinfo(token).status_code == 401


def test_a_token_from_the_answer_ends_with_the_session(rp: RelyingParty) -> None:
    browser = rp.browser()
    got = rp.authorize(browser, response_type="id_token token").login("alice").fragment
    assert rp.userinfo(got["access_token"]).status_code == 200
    path = f"/t/acme/logout?id_token_hint={got['id_token']}"
    page = browser.get(path)
    browser.post("/t/acme/logout/confirm", data={**inputs(page.get_data(as_text=True)), "action": "confirm"})
    assert rp.userinfo(got["access_token"]).status_code == 401


def test_silently_and_with_a_session_the_same_comes_back(rp: RelyingParty) -> None:
    browser = rp.browser()
    first = rp.authorize(browser, response_type="code id_token token").login("alice").fragment
    second = rp.authorize(browser, response_type="code id_token token", prompt="none").fragment
    one, two = (rp.verified(each["id_token"], rp.client_id) for each in (first, second))
    assert one["sub"] == two["sub"] and one["auth_time"] == two["auth_time"]
    judged(rp, second, "code id_token token")


def test_claims_that_were_asked_for_are_in_the_id_token_when_nothing_else_comes(rp: RelyingParty) -> None:
    asked = '{"userinfo":{"name":{"essential":true}},"id_token":{"email":null}}'
    alone = rp.authorize(response_type="id_token", scope="openid", claims=asked).login("alice").fragment
    claims = rp.verified(alone["id_token"], rp.client_id)
    assert claims["name"] == "Alice Adams" and claims["email"] == "alice@example.com"
    beside = (
        rp.authorize(response_type="id_token token", scope="openid", claims=asked).login("alice").fragment
    )
    claims = rp.verified(beside["id_token"], rp.client_id)
    assert "name" not in claims and claims["email"] == "alice@example.com"


def test_the_refusal_of_a_person_comes_where_the_answer_would(app: Any, speaking: Tenant) -> None:
    change(
        speaking, "asks", grant_types=["authorization_code", "implicit", "refresh_token"],
        response_types=["code", "id_token token"],
    )  # fmt: skip
    rp = relying_party(app, speaking, "asks")
    visit = rp.authorize(response_type="id_token token").login("alice")
    assert visit.consent("deny").fragment["error"] == "access_denied"
    visit = rp.authorize(response_type="id_token token").login("alice").consent()
    judged(rp, visit.fragment, "id_token token")
