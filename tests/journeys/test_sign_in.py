"""The main job, from /authorize to signed-out, in one thread over WSGI."""

from typing import Any

from idp.tenants import Tenant
from tests.playing import relying_party


def test_alice_signs_in_and_acme_signs_her_tokens(app: Any, acme: Tenant) -> None:
    rp = relying_party(app, acme)
    visit = rp.authorize()
    assert "Sign in" in visit.html and visit.answer.status_code == 200
    visit.login("alice")
    assert visit.params["state"] == rp.state
    assert visit.params["iss"] == acme.issuer
    tokens = rp.exchange(visit.code)
    assert tokens["token_type"] == "Bearer" and tokens["expires_in"] == 600
    assert tokens["scope"] == "openid profile email offline_access"
    identity = rp.verified(tokens["id_token"], "web")
    assert identity["nonce"] == rp.nonce
    assert identity["tenant"] == "acme" and identity["tenant_id"] == str(acme.id)
    assert "name" not in identity and "email" not in identity
    access = rp.verified(tokens["access_token"], acme.issuer)
    assert access["client_id"] == "web" and access["sub"] == identity["sub"]
    told = rp.userinfo(tokens["access_token"]).get_json()
    assert told["name"] == "Alice Adams" and told["email_verified"] is True and told["sub"] == identity["sub"]


def test_a_second_request_finds_the_session(app: Any, acme: Tenant) -> None:
    rp = relying_party(app, acme)
    browser = rp.browser()
    first = rp.exchange(rp.authorize(browser).login("alice").code)
    again = rp.authorize(browser, prompt="none")
    second = rp.exchange(again.code)
    one, two = (rp.verified(each["id_token"], "web") for each in (first, second))
    assert one["sub"] == two["sub"] and one["auth_time"] == two["auth_time"]


def test_prompt_none_without_a_session_is_login_required(app: Any, acme: Tenant) -> None:
    params = relying_party(app, acme).authorize(prompt="none").params
    assert params["error"] == "login_required" and params["iss"] == acme.issuer and params["state"] == "s-123"


def test_refresh_rotates_and_the_old_one_answers_the_same_successor_within_the_grace(
    app: Any, acme: Tenant
) -> None:
    rp = relying_party(app, acme)
    tokens = rp.sign_in()
    first = rp.refresh(tokens["refresh_token"])
    assert first.status_code == 200, first.get_data(as_text=True)
    again = rp.refresh(tokens["refresh_token"])
    assert again.get_json()["refresh_token"] == first.get_json()["refresh_token"] != tokens["refresh_token"]
    assert again.get_json()["access_token"] != first.get_json()["access_token"]


def test_consent_is_asked_shown_and_remembered(app: Any, acme: Tenant) -> None:
    rp = relying_party(app, acme, "asks")
    browser = rp.browser()
    visit = rp.authorize(browser).login("alice")
    assert 'id="consent-form"' in visit.html and "Acme Asks First" in visit.html
    tokens = rp.exchange(visit.consent().code)
    assert "refresh_token" in tokens
    assert "code" in rp.authorize(browser, prompt="none").params


def test_denied_consent_and_cancelled_login_are_access_denied(app: Any, acme: Tenant) -> None:
    rp = relying_party(app, acme, "asks")
    assert rp.authorize().login("alice").consent("deny").params["error"] == "access_denied"
    assert rp.authorize().submit(action="cancel").params["error"] == "access_denied"


def test_sign_out_ends_session_and_grant_but_not_offline_access(app: Any, acme: Tenant) -> None:
    rp = relying_party(app, acme)
    browser = rp.browser()
    lasting = rp.exchange(rp.authorize(browser).login("alice").code)
    ending = rp.exchange(rp.authorize(browser, scope="openid").code)
    page = browser.get(
        f"/t/acme/logout?id_token_hint={ending['id_token']}&post_logout_redirect_uri=http://localhost:8001/&state=bye"
    )
    assert 'id="logout-form"' in page.get_data(as_text=True)
    from tests.playing import inputs

    done = browser.post(
        "/t/acme/logout/confirm", data={**inputs(page.get_data(as_text=True)), "action": "confirm"}
    )
    assert done.status_code == 303 and done.headers["Location"] == "http://localhost:8001/?state=bye"
    assert rp.authorize(browser, prompt="none").params["error"] == "login_required"
    assert rp.userinfo(ending["access_token"]).status_code == 401
    assert rp.refresh(ending["refresh_token"]).get_json()["error"] == "invalid_grant"
    assert rp.refresh(lasting["refresh_token"]).status_code == 200


def test_a_service_gets_its_own_token_for_its_api(app: Any, acme: Tenant) -> None:
    nightly = relying_party(app, acme, "nightly")
    body = nightly.post("token", {"grant_type": "client_credentials", "scope": "orders.read"}).get_json()
    claims = nightly.verified(body["access_token"], "https://api.example.com")
    assert claims["sub"] == "nightly" and claims["scope"] == "orders.read"
    assert "refresh_token" not in body and "id_token" not in body


def test_nothing_of_acme_is_reachable_at_globex(app: Any, acme: Tenant, globex: Tenant) -> None:
    ours, theirs = relying_party(app, acme), relying_party(app, globex)
    browser = ours.browser()
    visit = ours.authorize(browser).login("alice")
    assert theirs.redeem(visit.code, code_verifier=ours.verifier).get_json()["error"] == "invalid_grant"
    tokens = ours.exchange(visit.code)
    assert theirs.authorize(browser, prompt="none").params["error"] == "login_required"
    assert theirs.userinfo(tokens["access_token"]).status_code == 401
    assert theirs.introspect(tokens["access_token"]) == {"active": False}
    assert theirs.refresh(tokens["refresh_token"]).get_json()["error"] == "invalid_grant"
