"""PKCE: demanded where the request is made, S256 alone, and one code for one verifier."""

from typing import Any

import pytest

from idp.errors import InvalidClientMetadata
from idp.tenants import Tenant
from tests.attacks.acting import ask, change, client, paged, party, policy, refused
from tests.playing import pkce, query, relying_party


def error(answer: Any) -> str:
    assert answer.status_code == 303, answer.get_data(as_text=True)[:300]
    return query(answer.headers["Location"])["error"][0]


@pytest.mark.parametrize("client_id", ["spa", "web", "asks"])
@pytest.mark.parametrize("present", [{}, {"code_challenge_method": "S256"}])
def test_pk01_pk06_without_a_challenge_nobody_begins(
    app: Any, acme: Tenant, client_id: str, present: dict[str, str]
) -> None:
    redirect = relying_party(app, acme, client_id).redirect_uri
    changes = {"code_challenge": None, "code_challenge_method": None, **present}
    assert error(ask(app, acme, client_id=client_id, redirect_uri=redirect, **changes)) == "invalid_request"


def test_pk01_no_setting_frees_a_public_client(app: Any, acme: Tenant) -> None:
    with pytest.raises(InvalidClientMetadata):
        change(acme, "spa", require_pkce=False)
    loose = policy(acme, require_pkce="public")
    redirect = relying_party(app, loose, "spa").redirect_uri
    bare = {"code_challenge": None, "code_challenge_method": None}
    assert error(ask(app, loose, client_id="spa", redirect_uri=redirect, **bare)) == "invalid_request"


@pytest.mark.parametrize("method", [None, "plain", "s256", "S512", "", "S256 plain"])
def test_pk02_only_s256_and_it_is_said(app: Any, acme: Tenant, method: str | None) -> None:
    assert error(ask(app, acme, code_challenge_method=method)) == "invalid_request"
    document = app.test_client().get("/t/acme/.well-known/openid-configuration").get_json()
    assert document["code_challenge_methods_supported"] == ["S256"]


@pytest.mark.parametrize(
    "challenge", ["x", "A" * 42, "A" * 44, "A" * 42 + "=", "A" * 42 + "+", "A" * 42 + "\u00e9", "A" * 4000]
)
def test_pk02_a_challenge_is_43_characters_of_base64url(app: Any, acme: Tenant, challenge: str) -> None:
    assert error(ask(app, acme, code_challenge=challenge)) == "invalid_request"


def test_pk03_a_verifier_without_a_challenge_is_a_downgrade(app: Any, acme: Tenant) -> None:
    change(acme, "web", require_pkce=False)
    rp = relying_party(app, acme)
    bare = {"code_challenge": None, "code_challenge_method": None}
    code = rp.authorize(**bare).login("alice").code
    refused(rp.redeem(code), "invalid_grant")
    refused(rp.redeem(code, code_verifier=None), "invalid_grant")  # burned
    assert rp.redeem(rp.authorize(**bare).login("alice").code, code_verifier=None).status_code == 200


@pytest.mark.parametrize(
    "verifier", [None, "", "A" * 42, "A" * 129, "A" * 43, "A" * 42 + "!", "A" * 42 + " ", "A" * 42 + "\u00e9"]
)
def test_pk04_a_wrong_verifier_burns_the_code(app: Any, acme: Tenant, verifier: str | None) -> None:
    rp = relying_party(app, acme, "spa")
    code = rp.authorize(scope="openid").login("alice").code
    refused(rp.redeem(code, code_verifier=verifier), "invalid_grant")
    refused(rp.redeem(code), "invalid_grant")


def test_pk04_a_verifier_of_128_characters_is_good(app: Any, acme: Tenant) -> None:
    import base64
    import hashlib

    rp, verifier = relying_party(app, acme, "spa"), "-._~" * 32
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    code = rp.authorize(scope="openid", code_challenge=challenge).login("alice").code
    assert rp.redeem(code, code_verifier=verifier).status_code == 200


def test_pk06_the_opt_out_is_one_clients_and_recorded(app: Any, acme: Tenant, database: Any) -> None:
    change(acme, "web", require_pkce=False)
    bare = {"code_challenge": None, "code_challenge_method": None}
    answer = ask(app, acme, **bare)
    assert "/interaction/login" in answer.headers["Location"]
    redirect = relying_party(app, acme, "asks").redirect_uri
    assert error(ask(app, acme, client_id="asks", redirect_uri=redirect, **bare)) == "invalid_request"
    told = database(
        "SELECT facts::text FROM audit_log WHERE tenant_id = %s AND event = 'client.updated'", str(acme.id)
    )
    assert any("require_pkce" in facts for (facts,) in told)


def test_pk06_even_then_a_challenge_that_was_sent_counts(app: Any, acme: Tenant) -> None:
    change(acme, "web", require_pkce=False)
    rp = relying_party(app, acme)
    refused(rp.redeem(rp.authorize().login("alice").code, code_verifier=None), "invalid_grant")


def test_pk07_two_challenges_are_none(app: Any, acme: Tenant) -> None:
    from urllib.parse import urlencode

    request = relying_party(app, acme).request()
    path = f"/t/acme/authorize?{urlencode(request)}"
    other = pkce()[1]
    paged(app.test_client().get(f"{path}&code_challenge={other}"))
    paged(app.test_client().post(path, data={"code_challenge": other}))


def test_pk08_one_challenge_for_two_requests_still_makes_two_codes(app: Any, acme: Tenant) -> None:
    rp = party(app, acme, client(acme, "one", token_endpoint_auth_method="none", scope="openid"))
    browser = rp.browser()
    verifier, challenge = pkce()
    codes = [
        rp.authorize(browser, code_challenge=challenge).login("alice").code,
        rp.authorize(browser, code_challenge=challenge).code,
    ]
    assert codes[0] != codes[1]
    assert [rp.redeem(code, code_verifier=verifier).status_code for code in codes] == [200, 200]


def test_pk08_a_code_injected_into_another_session_fits_no_verifier(app: Any, acme: Tenant) -> None:
    victim, attacker = (relying_party(app, acme, "spa") for _ in range(2))
    stolen = victim.authorize(scope="openid").login("alice").code
    attacker.authorize(scope="openid").login("bob")
    refused(attacker.redeem(stolen), "invalid_grant")
