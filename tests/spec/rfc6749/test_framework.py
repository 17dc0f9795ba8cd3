"""RFC 6749: the authorization code flow and the token endpoint, as far as OpenID Connect leaves it open."""

from typing import Any
from urllib.parse import quote_plus, urlencode

import pytest

from idp.tenants import Tenant
from tests.attacks.acting import change, client, party, refused
from tests.attacks.assertions import basic
from tests.playing import RelyingParty, query, relying_party


@pytest.fixture
def rp(app: Any, acme: Tenant) -> RelyingParty:
    return relying_party(app, acme)


def test_2_3_1_id_and_secret_are_form_decoded_in_basic(app: Any, acme: Tenant) -> None:
    secret = "p+q_r%&=:~" + "x" * 30
    made = client(
        acme, "a:b/c+d", secret=secret, grant_types=["client_credentials"], redirect_uris=[], scope="things"
    )
    headers = basic(quote_plus(made.client_id), quote_plus(secret))
    answer = app.test_client().post(
        "/t/acme/token", data={"grant_type": "client_credentials"}, headers=headers
    )
    assert answer.status_code == 200, answer.get_data(as_text=True)


def test_3_1_get_and_post_of_authorize_and_empty_values_count_as_absent(app: Any, rp: RelyingParty) -> None:
    request = {**rp.request(), "prompt": "", "max_age": "", "claims": "", "resource": ""}
    for answer in (
        app.test_client().get("/t/acme/authorize?" + urlencode(request)),
        app.test_client().post("/t/acme/authorize", data=request),
    ):
        assert answer.status_code == 303 and "/interaction/login?tx=" in answer.headers["Location"]


def test_3_2_only_post_at_the_token_endpoint(app: Any, acme: Tenant) -> None:
    for method in ("get", "put", "delete", "head", "patch"):
        answer = getattr(app.test_client(), method)("/t/acme/token")
        assert answer.status_code == 405 and "POST" in answer.headers["Allow"]


def test_3_2_unknown_parameters_are_ignored(rp: RelyingParty) -> None:
    assert rp.redeem(rp.authorize(extra="1").login("alice").code, extra="1").status_code == 200


def test_3_3_the_answer_names_the_scope_that_was_granted(rp: RelyingParty) -> None:
    assert rp.sign_in(scope="openid unheard of profile")["scope"] == "openid profile"
    assert rp.authorize(scope="unheard of").params["error"] == "invalid_scope"
    assert rp.authorize(scope=None).params["error"] == "invalid_scope"
    assert rp.authorize(scope="openid orders.write").params["error"] == "invalid_scope"


@pytest.mark.parametrize(
    "scope", [" openid", "openid  email", "openid\temail", 'openid "x"', "openid \\", "\u00e9"]
)
def test_3_3_a_scope_is_printable_ascii_with_single_spaces(rp: RelyingParty, scope: str) -> None:
    assert rp.authorize(scope=scope).params["error"] == "invalid_scope"


def test_4_1_2_1_access_denied_and_the_state(app: Any, acme: Tenant) -> None:
    asks = relying_party(app, acme, "asks")
    params = asks.authorize(state="s").login("alice").consent("deny").params
    assert (
        params["error"] == "access_denied"
        and params["state"] == "s"
        and set(params) == {"error", "error_description", "state", "iss"}
    )


def test_4_1_2_1_a_client_without_the_grant_is_unauthorized(app: Any, acme: Tenant) -> None:
    made = client(acme, "later")
    change(acme, "later", grant_types=["client_credentials"], response_types=[], redirect_uris=[])
    answer = app.test_client().get("/t/acme/authorize?" + urlencode(party(app, acme, made).request()))
    assert answer.status_code == 400


def test_4_1_3_a_code_needs_its_parameters(rp: RelyingParty) -> None:
    refused(rp.post("token", {"grant_type": "authorization_code"}), "invalid_request")
    refused(rp.post("token", {"grant_type": "refresh_token"}), "invalid_request")
    refused(rp.post("token", {"x": "1"}), "invalid_request")
    refused(rp.post("token", {"grant_type": "x"}), "unsupported_grant_type")
    refused(rp.redeem("unknown"), "invalid_grant")


def test_4_4_3_client_credentials_have_no_refresh_token(app: Any, acme: Tenant) -> None:
    body = relying_party(app, acme, "nightly").post("token", {"grant_type": "client_credentials"}).get_json()
    assert set(body) == {"access_token", "token_type", "expires_in", "scope"}


def test_5_1_and_5_2_nothing_of_the_token_endpoint_is_stored(rp: RelyingParty) -> None:
    for answer in (
        rp.redeem(rp.authorize().login("alice").code),
        rp.redeem("x"),
        rp.post("token", {}, authenticated=False),
    ):
        assert answer.headers["Cache-Control"] == "no-store" and answer.mimetype == "application/json"
    assert rp.post("token", {"grant_type": "refresh_token"}, authenticated=False).status_code == 401


def test_6_a_refresh_keeps_or_narrows_the_scope(rp: RelyingParty) -> None:
    token = rp.sign_in(scope="openid profile offline_access")["refresh_token"]
    assert rp.refresh(token).get_json()["scope"] == "openid profile offline_access"


def test_10_12_state_protects_and_nothing_is_added_to_it(rp: RelyingParty) -> None:
    visit = rp.authorize(state="a=b&c=d").login("alice")
    assert query(visit.location)["state"] == ["a=b&c=d"]
