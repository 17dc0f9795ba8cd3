"""The plan fapi-ciba-id1 (plain_fapi) by its modules' names, each for both ways to authenticate and both modes.

A client with private_key_jwt shows a certificate as well, since it binds its tokens.
"""

import json
import math
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import jwt as pyjwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from idp import clock, config, outbox
from idp.app import create_app
from idp.config import Settings
from idp.oauth import pings
from idp.registration import CIBA
from idp.store.durable import outbox as rows
from idp.tenants import Tenant, entered
from tests.receiving import Receiver, receiver
from tests.spec.certification.fapi_ciba.asking import NOTIFICATION, VARIANTS, Asker, Variant
from tests.spec.rfc8705.certifying import PROXY, SECRET, certificate
from tests.spec.rfc9449.proving import Key

RSA = rsa.generate_private_key(65537, 2048)
RS256 = Key(RSA, "RS256")


@pytest.fixture
def app(vault: Settings, twins: tuple[Tenant, Tenant]) -> Iterator[Any]:
    """The application of a deployment whose proxy hands on certificates."""
    mine = vault.with_(
        trusted_proxies=(PROXY,), client_certificate_secret=SECRET, mtls_base_url="https://mtls.localhost"
    )
    config.use(mine)
    try:
        yield create_app(mine)
    finally:
        config.use(vault)


@pytest.fixture(params=VARIANTS, ids=str)
def variant(request: pytest.FixtureRequest) -> Variant:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def first(app: Any, certification: Tenant, variant: Variant) -> Asker:
    return Asker(app, certification, "ciba-first", variant).registered()


@pytest.fixture
def second(app: Any, certification: Tenant, variant: Variant) -> Asker:
    return Asker(app, certification, "ciba-second", variant).registered()


def of(*auth: str) -> Any:
    """Modules that the suite plays for some ways to authenticate alone."""
    chosen = [variant for variant in VARIANTS if variant.auth in auth or variant.mode in auth]
    return pytest.mark.parametrize("variant", chosen, ids=str, indirect=False)


def no(answer: Any, *errors: str) -> None:
    """A 400 or 401 with one of these errors."""
    assert answer.status_code in (400, 401), answer.get_data(as_text=True)
    body = answer.get_json()
    assert body["error"] in errors, body
    assert set(body) <= {"error", "error_description", "error_uri"}


def entropy(text: str) -> float:
    counts = Counter(text)
    return -sum(n * math.log2(n / len(text)) for n in counts.values())


def test_fapi_ciba_id1_discovery_end_point_verification(first: Asker) -> None:
    told = first.app.test_client().get(f"/t/{first.tenant.slug}/.well-known/openid-configuration").get_json()
    assert told["backchannel_authentication_endpoint"] == first.at("bc-authorize")
    assert {"poll", "ping"} <= set(told["backchannel_token_delivery_modes_supported"])
    assert CIBA in told["grant_types_supported"]
    assert {"PS256", "ES256"} <= set(told["backchannel_authentication_request_signing_alg_values_supported"])
    assert isinstance(told["backchannel_user_code_parameter_supported"], bool)
    assert told["tls_client_certificate_bound_access_tokens"] is True
    methods = set(told["token_endpoint_auth_methods_supported"])
    assert {"private_key_jwt", "tls_client_auth", "self_signed_tls_client_auth"} <= methods
    aliases = told["mtls_endpoint_aliases"]
    assert {"token_endpoint", "backchannel_authentication_endpoint", "userinfo_endpoint"} <= set(aliases)


def test_fapi_ciba_id1(first: Asker, second: Asker) -> None:
    answer = first.ask()
    body = answer.get_json()
    assert answer.status_code == 200 and answer.mimetype == "application/json"
    assert set(body) == {"auth_req_id", "expires_in", "interval"} and body["expires_in"] > 0
    assert len(body["auth_req_id"]) * 6 >= 160 and entropy(body["auth_req_id"]) >= 128
    no(first.poll(body["auth_req_id"]), "authorization_pending")
    first.decide(body["auth_req_id"])
    tokens = first.poll(body["auth_req_id"]).get_json()
    assert tokens["token_type"] == "Bearer" and tokens["expires_in"] > 0
    claims = first.verified(tokens["id_token"])
    assert pyjwt.get_unverified_header(tokens["id_token"])["alg"] == "ES256"
    assert not {"c_hash", "s_hash", "nonce"} & set(claims)
    assert first.resource(tokens["access_token"]).status_code == 200
    theirs = second.tokens()["access_token"]
    assert first.resource(theirs).status_code == 401 and second.resource(theirs).status_code == 200


def test_fapi_ciba_id1_user_rejects_authentication(first: Asker) -> None:
    handle = first.begun()
    first.decide(handle, "deny")
    no(first.poll(handle), "access_denied")


def test_fapi_ciba_id1_multiple_call_to_token_endpoint(first: Asker, frozen: Any) -> None:
    with frozen() as time_:
        handle = first.begun()
        no(first.poll(handle), "authorization_pending")
        for _ in range(3):
            no(first.poll(handle), "authorization_pending", "slow_down")
        time_.tick(30)
        first.decide(handle)
        assert first.poll(handle).status_code == 200


def test_fapi_ciba_id1_auth_req_id_expired(first: Asker, frozen: Any) -> None:
    with frozen() as time_:
        handle = first.begun(requested_expiry=30)
        time_.tick(31)
        no(first.poll(handle), "expired_token")


def test_fapi_ciba_id1_ensure_authorization_request_with_binding_message_succeeds(first: Asker) -> None:
    assert first.tokens(binding_message="1234")["access_token"]


def test_fapi_ciba_id1_ensure_other_scope_order_succeeds(first: Asker) -> None:
    assert set(first.tokens(scope="profile openid")["scope"].split()) == {"openid", "profile"}


def test_fapi_ciba_id1_ensure_requested_expiry_as_string_succeeds(first: Asker) -> None:
    assert first.ask(first.request(requested_expiry="30")).get_json()["expires_in"] == 30


def test_fapi_ciba_id1_ensure_authorization_request_with_potentially_bad_binding_message(
    first: Asker,
) -> None:
    long = "1234 \U0001f44d\U0001f3ff \u12fb " + "very long " * 20
    no(first.ask(first.request(binding_message=long)), "invalid_binding_message")
    assert first.tokens(binding_message="1234 \u12fb \u00e4")["access_token"], "what can be shown is"


BAD: dict[str, dict[str, Any]] = {
    "missing-aud": {"aud": ...},
    "bad-aud": {"aud": "https://apple.com"},
    "missing-iss": {"iss": ...},
    "bad-iss": {"iss": "https://apple.com"},
    "missing-exp": {"exp": ...},
    "expired-exp": {"exp": -300},
    "exp-is-70-minutes-in-future": {"exp": 4_200},
    "missing-iat": {"iat": ...},
    "missing-nbf": {"nbf": ...},
    "nbf-is-10-minutes-in-future": {"nbf": 600, "exp": 900},
    "nbf-is-70-minutes-in-past": {"nbf": -4_200},
    "missing-jti": {"jti": ...},
}


@pytest.mark.parametrize("module", BAD)
def test_fapi_ciba_id1_ensure_request_object_claims_fail(first: Asker, module: str) -> None:
    """…-ensure-request-object-…-fails, for each claim that is missing or wrong."""
    moved = {
        name: int(time.time()) + value if type(value) is int else value for name, value in BAD[module].items()
    }
    no(first.ask(first.request(**moved)), "invalid_request_object", "invalid_request")


def test_fapi_ciba_id1_ensure_request_object_signature_algorithm_is_none_fails(first: Asker) -> None:
    claims = pyjwt.decode(first.request(), options={"verify_signature": False})
    for token in (pyjwt.encode(claims, None, algorithm="none"), Key().raw({"alg": "none"}, claims)):
        no(first.ask(token), "invalid_request_object", "invalid_request")


def test_fapi_ciba_id1_ensure_request_object_signature_algorithm_is_bad_fails(first: Asker) -> None:
    claims = pyjwt.decode(first.request(), options={"verify_signature": False})
    no(
        first.ask(first.key.raw({"kid": "k", "alg": "PS256"}, claims)),
        "invalid_request_object",
        "invalid_request",
    )


def test_fapi_ciba_id1_ensure_request_object_signature_algorithm_is_rs256_fails(
    app: Any, certification: Tenant, variant: Variant
) -> None:
    """The client's key is an RSA key that would do for PS256."""
    asker = Asker(app, certification, "ciba-rsa", variant, key=Key(RSA, "PS256")).registered(
        backchannel_authentication_request_signing_alg="PS256",
        **({"token_endpoint_auth_signing_alg": "PS256"} if variant.auth == "private_key_jwt" else {}),
    )
    assert asker.ask().status_code == 200
    no(asker.ask(asker.request(RS256)), "invalid_request_object", "invalid_request")


def test_fapi_ciba_id1_ensure_request_object_signed_by_other_client_fails(
    first: Asker, second: Asker
) -> None:
    no(first.ask(first.request(second.key)), "invalid_request_object", "invalid_request")
    no(first.ask(second.request()), "invalid_request_object", "invalid_request")


def test_fapi_ciba_id1_ensure_authorization_request_with_multiple_hints_fails(first: Asker) -> None:
    no(first.ask(first.request(id_token_hint="x")), "invalid_request")


def test_fapi_ciba_id1_ensure_wrong_auth_req_id_in_token_endpoint_request(
    first: Asker, second: Asker
) -> None:
    handle = second.begun()
    second.decide(handle)
    for wrong in (handle, f"{handle}x", "unknown"):
        no(first.poll(wrong), "invalid_grant")
    assert second.poll(handle).status_code == 200, "nothing was used up"


@of("mtls")
def test_fapi_ciba_id1_ensure_different_client_id_and_issuer_in_backchannel_authorization_request(
    first: Asker, second: Asker
) -> None:
    no(first.ask(client_id="ciba-second"), "invalid_client", "invalid_request_object", "invalid_request")


@of("mtls")
def test_fapi_ciba_id1_ensure_wrong_client_id_in_token_endpoint_request(first: Asker, second: Asker) -> None:
    handle = first.begun()
    first.decide(handle)
    no(first.poll(handle, client_id="ciba-second"), "invalid_client", "invalid_grant")
    assert first.poll(handle).status_code == 200, "nothing was used up"


@of("mtls")
def test_fapi_ciba_id1_ensure_wrong_client_id_in_backchannel_authorization_request(
    first: Asker, second: Asker
) -> None:
    no(first.ask(second.request(), client_id="ciba-second"), "invalid_client")


@of("private_key_jwt")
def test_fapi_ciba_id1_ensure_without_client_assertion_in_token_endpoint_request(first: Asker) -> None:
    handle = first.begun()
    first.decide(handle)
    no(first.poll(handle, client_id="ciba-first"), "invalid_client", "invalid_request")


@of("private_key_jwt")
def test_fapi_ciba_id1_ensure_without_client_assertion_in_backchannel_authorization_request(
    first: Asker,
) -> None:
    no(first.ask(client_id="ciba-first"), "invalid_client", "invalid_request")


@of("private_key_jwt")
def test_fapi_ciba_id1_ensure_client_assertion_signature_algorithm_is_rs256_fails(
    app: Any, certification: Tenant, variant: Variant
) -> None:
    """…-in-backchannel-authorization-request-…, …-in-token-endpoint-request-is-RS256-fails."""
    asker = Asker(app, certification, "ciba-rsa", variant, key=Key(RSA, "PS256")).registered(
        backchannel_authentication_request_signing_alg="PS256", token_endpoint_auth_signing_alg="PS256"
    )
    weak = {"client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}
    no(asker.ask(**weak, client_assertion=asker.assertion(RS256)), "invalid_client")
    handle = asker.begun()
    asker.decide(handle)
    no(asker.poll(handle, **weak, client_assertion=asker.assertion(RS256)), "invalid_client")
    assert asker.poll(handle).status_code == 200


@of("private_key_jwt")
def test_fapi_ciba_id1_ensure_client_assertion_with_iss_aud_to_token_endpoint_succeeds(first: Asker) -> None:
    handle = first.begun()
    first.decide(handle)
    made = first.assertion(aud=first.tenant.issuer)
    kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    assert first.poll(handle, client_assertion_type=kind, client_assertion=made).status_code == 200


def test_fapi_ciba_id1_ensure_backchannel_authorization_request_without_request_fails(first: Asker) -> None:
    form = {"scope": "openid", "login_hint": "foo", "client_notification_token": NOTIFICATION}
    no(first.post("bc-authorize", form), "invalid_request", "invalid_request_object")


def test_fapi_ciba_id1_refresh_token(first: Asker, second: Asker) -> None:
    tokens = first.tokens(scope="openid profile offline_access")
    form = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
    no(second.post("token", form), "invalid_grant")
    no(first.post("token", form, bare=True), "invalid_request", "invalid_client", "invalid_grant")
    answer = first.post("token", form)
    assert answer.status_code == 200 and answer.headers["Cache-Control"] == "no-store"
    assert first.resource(answer.get_json()["access_token"]).status_code == 200
    former, following = (first.verified(each["id_token"]) for each in (tokens, answer.get_json()))
    assert all(former[name] == following[name] for name in ("iss", "sub", "aud", "auth_time"))


def test_fapi_ciba_id1_ensure_mtls_holder_of_key_required(first: Asker) -> None:
    handle = first.begun()
    first.decide(handle)
    no(first.poll(handle, bare=True), "invalid_request", "invalid_client", "invalid_grant")
    tokens = first.poll(handle).get_json()
    other = certificate()
    for answer in (
        first.resource(tokens["access_token"], bare=True),
        first.resource(tokens["access_token"], other),
    ):
        assert answer.status_code == 401 and answer.get_json()["error"] == "invalid_token"
    assert first.resource(tokens["access_token"]).status_code == 200


def pinged(app: Any, tenant: Tenant, variant: Variant, there: Receiver) -> Asker:
    """A request of a client at `there` that was allowed and told, and once more when its time had come."""
    asker = Asker(app, tenant, "ciba-pinged", variant, notified=f"{there.base}/ping").registered()
    handle = asker.begun()
    asker.decide(handle)
    with entered(tenant):
        outbox.handle(pings.TOPIC, pings.tell)
        for _ in range(2):
            for recipient in rows.recipients(clock.now(), 5):
                if recipient != "smtp":
                    outbox.deliver_to(recipient)
    ((_, headers, body),) = there.posts
    assert headers["Authorization"] == f"Bearer {NOTIFICATION}"
    assert headers["Content-Type"] == "application/json" and json.loads(body) == {"auth_req_id": handle}
    assert asker.poll(handle).status_code == 200
    return asker


@of("ping")
@pytest.mark.parametrize("status", [200, 204, 401, 403, 302])
def test_fapi_ciba_id1_ping_backchannel_notification_endpoint_response(
    app: Any, certification: Tenant, variant: Variant, status: int
) -> None:
    """…-has-body, -response-401 and -403, -401-and-require-server-does-not-retry, -return-redirect-request."""
    with receiver() as there:
        there.status, there.body = status, b"" if status == 204 else b'{"a": "body"}'
        pinged(app, certification, variant, there)
