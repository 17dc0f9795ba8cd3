"""The prover's relying party, person and service: the whole way over HTTP, and what each of them refuses."""

import json
from dataclasses import replace
from typing import Any

import pytest

from idp.prove.browser import Browser
from idp.prove.canaries import API, CALLBACK, KEY_CLIENT
from idp.prove.promises import Unexpected
from idp.prove.service import Refused, Service, parts
from idp.prove.target import Canary, Target
from idp.prove.visitor import Party, assertion, b64
from idp.prove.wire import Net

pytestmark = pytest.mark.slow


def party(net: Net, canary: Canary, client_id: str = "web", **more: Any) -> Party:
    """A client of a canary."""
    return Party(net, canary.issuer, client_id, CALLBACK, canary.secrets.get(client_id), **more)


@pytest.fixture(scope="module")
def signed_in(target: Target) -> dict[str, Any]:
    """Tokens of A's Alice."""
    with Net() as net:
        rp = party(net, target.a, scope="openid profile offline_access orders.read")
        return rp.sign_in(Browser(net, target.a.issuer), "alice", target.a.passwords["alice"])


def test_from_sign_in_to_sign_out(target: Target, net: Net) -> None:
    rp, browser = party(net, target.a), Browser(net, target.a.issuer)
    tokens = rp.sign_in(browser, "alice", target.a.passwords["alice"])
    assert rp.userinfo(tokens["access_token"]).json()["name"] == "Alice Canary"
    assert rp.introspect(tokens["access_token"]).json()["active"] is True
    fresh = rp.refresh(tokens["refresh_token"]).json()
    assert rp.introspect(fresh["access_token"]).json()["active"] is True
    assert rp.revoke(fresh["refresh_token"]).status == 200
    assert rp.introspect(fresh["access_token"]).json() == {"active": False}
    assert rp.code(rp.authorize(browser, prompt="none"))
    left = rp.logout(browser, tokens["id_token"], post_logout_redirect_uri=CALLBACK, state="s")
    assert left.header("Location") == f"{CALLBACK}?state=s"
    assert rp.returned(rp.authorize(browser, prompt="none"))["error"] == "login_required"


@pytest.mark.parametrize(("client_id", "method"), [
    ("web", "client_secret_basic"), ("post", "client_secret_post"), ("asks", "client_secret_basic"),
    ("spa", "none"), (KEY_CLIENT, "private_key_jwt"),
])  # fmt: skip
def test_every_way_to_authenticate(target: Target, net: Net, client_id: str, method: str) -> None:
    rp = party(net, target.b, client_id, method=method, key=target.b.keys.get(client_id))
    tokens = rp.sign_in(Browser(net, target.b.issuer), "bob", target.b.passwords["bob"])
    assert rp.userinfo(tokens["access_token"]).json()["sub"]


def test_machines(target: Target, net: Net) -> None:
    for client_id, method in (("service", "client_secret_basic"), (KEY_CLIENT, "private_key_jwt")):
        rp = party(net, target.a, client_id, method=method, key=target.a.keys.get(client_id))
        token = rp.client_credentials("orders.read").json()["access_token"]
        assert Service(net, target.a.issuer, API, target.a.slug).check(token)["client_id"] == client_id
    key = target.a.keys[KEY_CLIENT]
    wrong = {
        "client_assertion": assertion(KEY_CLIENT, target.b.issuer, key),
        "grant_type": "client_credentials",
    }
    answer = net.post(party(net, target.a).metadata["token_endpoint"], wrong)
    assert answer.status == 401


def test_a_service_takes_a_token_and_says_why_not(
    target: Target, net: Net, signed_in: dict[str, Any]
) -> None:
    token = signed_in["access_token"]
    service = Service(net, target.a.issuer, API, target.a.slug)
    assert service.check(token)["tenant_id"] == target.a.id
    head, body, signature = token.split(".")
    unsigned = b64(json.dumps({"alg": "none", "typ": "at+jwt", "kid": next(iter(service.keys()))}).encode())
    for check, changed, given in (
        ("aud", replace(service, audience="https://other.example"), token),
        ("tenant", replace(service, tenant=target.b.slug), token),
        ("typ", service, signed_in["id_token"]),
        ("kid", replace(service, issuer=target.b.issuer, _keys={}), token),
        ("signature", service, f"{head}.{body}.{b64(bytes(len(parts(token)[3])))}"),
        ("form", service, f"{head}.{body}"),
        ("alg", service, f"{unsigned}.{body}.{signature}"),
    ):
        with pytest.raises(Refused) as refused:
            changed.check(given)
        assert refused.value.check == check


def test_what_is_not_there_is_told_in_one_sentence(target: Target, net: Net) -> None:
    rp, browser = party(net, target.a), Browser(net, target.a.issuer)
    with pytest.raises(Unexpected, match="where the way back to web is due"):
        rp.login(browser, "alice", target.b.passwords["alice"])
    with pytest.raises(Unexpected, match="without the form logout-form"):
        browser.submit(rp.authorize(browser), "logout-form", "logout-confirm")
    with pytest.raises(Unexpected, match=r"answered 404"):
        assert party(net, replace(target.a, issuer=f"{target.a.issuer}x")).metadata
    with pytest.raises(Unexpected, match=r"/token answered 400 invalid_grant where JSON"):
        rp.redeem("nothing").json()
