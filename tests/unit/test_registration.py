"""Client metadata: what is taken, what is refused, and that an update reaches nothing that a create could not."""

import string
from dataclasses import replace
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from idp import clock, registration
from idp.errors import InvalidClientMetadata, InvalidRedirectUri, Refusal
from idp.store.durable.clients import SETTINGS, Client
from idp.tenants import Policy, Tenant, entered

ACME = Tenant(UUID(int=1), "acme", "Acme", "active", "https://id.test/t/acme")
WEB = {"redirect_uris": ["https://app.test/cb"]}
RSA = {"kty": "RSA", "n": "u" * 341 + "w", "e": "AQAB", "kid": "1"}
EC = {"kty": "EC", "crv": "P-256", "x": "A" * 42 + "8", "y": "A" * 42 + "8"}


@pytest.fixture(autouse=True)
def acme():
    with entered(ACME):
        yield


def validate(metadata, current=None, **settings):
    return registration.validate(metadata, settings=settings, current=current)


def client(metadata, **settings):
    new, kept = validate(metadata, **settings)
    return Client(UUID(int=2), "web", new, kept, "active", clock.now(), clock.now())


def test_rfc7591_2_defaults():
    new, kept = validate(WEB)
    assert new == {
        "redirect_uris": ["https://app.test/cb"],
        "grant_types": ["authorization_code"],
        "response_types": ["code"],
        "token_endpoint_auth_method": "client_secret_basic",
        "application_type": "web",
    }
    assert kept == {}


def test_every_setting_has_a_default_and_a_check():
    assert set(SETTINGS) == set(registration.SETTING)


def test_response_types_follow_the_grants():
    assert validate({"grant_types": ["client_credentials"]})[0]["response_types"] == []
    with pytest.raises(InvalidClientMetadata):
        validate({"grant_types": ["client_credentials"], "response_types": ["code"]})
    with pytest.raises(InvalidClientMetadata):
        validate(WEB | {"response_types": []})


@pytest.mark.parametrize(
    ("metadata", "field"),
    [
        ({}, "redirect_uris"),
        ({"redirect_uris": []}, "redirect_uris"),
        ({"redirect_uris": "https://app.test/cb"}, "redirect_uris"),
        ({"redirect_uris": ["https://app.test/cb", "javascript:alert(1)"]}, "redirect_uris[1]"),
        ({"redirect_uris": ["http://app.test/cb"]}, "redirect_uris[0]"),
        ({"redirect_uris": ["com.app:/cb"]}, "redirect_uris[0]"),
        ({"redirect_uris": [5]}, "redirect_uris"),
        ({"redirect_uris": ["https://app.test/cb"] * 51}, "redirect_uris"),
        (WEB | {"grant_types": ["client_credentials"]}, "redirect_uris"),
    ],
)
def test_rfc7591_3_2_2_invalid_redirect_uri(metadata, field):
    with pytest.raises(InvalidRedirectUri) as refusal:
        validate(metadata)
    assert refusal.value.rule == field
    assert refusal.value.code == "invalid_redirect_uri"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"grant_types": []}, "grant_types"),
        ({"grant_types": ["implicit"]}, "response_types"),
        ({"grant_types": ["password"]}, "grant_types"),
        ({"grant_types": [["authorization_code"]]}, "grant_types"),
        ({"response_types": ["code", "token"]}, "response_types"),
        ({"response_types": ["id_token"]}, "response_types"),
        ({"token_endpoint_auth_method": "client_secret_jwt"}, "token_endpoint_auth_method"),  # CA13
        ({"token_endpoint_auth_method": ["none"]}, "token_endpoint_auth_method"),
        ({"token_endpoint_auth_method": "private_key_jwt"}, "jwks"),
        ({"token_endpoint_auth_signing_alg": "RS256"}, "token_endpoint_auth_signing_alg"),
        ({"id_token_signed_response_alg": "none"}, "id_token_signed_response_alg"),
        ({"id_token_signed_response_alg": "HS256"}, "id_token_signed_response_alg"),
        ({"subject_type": "private"}, "subject_type"),
        ({"scope": "openid  profile"}, "scope"),
        ({"scope": ["openid"]}, "scope"),
        ({"scope": 'a"b'}, "scope"),
        ({"client_name": "a\u202eb"}, "client_name"),
        ({"client_name": "x" * 65}, "client_name"),
        ({"client_name": "a\nb"}, "client_name"),
        ({"client_name": ""}, "client_name"),
        ({"client_name": {"en": "x"}}, "client_name"),
        ({"logo_uri": "javascript:alert(1)"}, "logo_uri"),
        ({"client_uri": "data:text/html,x"}, "client_uri"),
        ({"tos_uri": "http://app.test/"}, "tos_uri"),
        ({"policy_uri": "//app.test/"}, "policy_uri"),
        ({"post_logout_redirect_uris": ["javascript:alert(1)"]}, "post_logout_redirect_uris[0]"),
        ({"initiate_login_uri": "http://app.test/"}, "initiate_login_uri"),
        ({"backchannel_logout_uri": "http://app.test/out"}, "backchannel_logout_uri"),
        ({"backchannel_logout_uri": "https://app.test/out#x"}, "backchannel_logout_uri"),
        ({"backchannel_logout_uri": "https://u:p@app.test/out"}, "backchannel_logout_uri"),
        ({"backchannel_logout_session_required": "true"}, "backchannel_logout_session_required"),
        ({"frontchannel_logout_uri": "https://other.test/out"}, "frontchannel_logout_uri"),
        ({"frontchannel_logout_uri": "https://app.test:8443/out"}, "frontchannel_logout_uri"),
        ({"frontchannel_logout_uri": "https://app.test.evil.test/out"}, "frontchannel_logout_uri"),
        ({"frontchannel_logout_uri": "javascript:alert(1)"}, "frontchannel_logout_uri"),
        ({"frontchannel_logout_session_required": 1}, "frontchannel_logout_session_required"),
        ({"contacts": ["a@@b.test"]}, "contacts"),
        ({"default_max_age": -1}, "default_max_age"),
        ({"default_max_age": True}, "default_max_age"),
        ({"default_max_age": 1.5}, "default_max_age"),
        ({"require_auth_time": 1}, "require_auth_time"),
        ({"jwks": {"keys": []}}, "jwks"),
        ({"jwks": {"keys": [RSA], "x": 1}}, "jwks"),
        ({"jwks": {"keys": [RSA | {"d": "AQAB"}]}}, "jwks"),
        ({"jwks": {"keys": [{"kty": "oct", "k": "AAAA"}]}}, "jwks"),
        ({"jwks": {"keys": [{"kty": ["RSA"]}]}}, "jwks"),
        ({"jwks": {"keys": [RSA, RSA]}}, "jwks"),
        ({"jwks": {"keys": [RSA | {"n": "u" * 170 + "w"}]}}, "jwks"),
        ({"jwks": {"keys": [RSA | {"n": "!"}]}}, "jwks"),
        ({"jwks": {"keys": [RSA | {"use": "wrap"}]}}, "jwks"),
        ({"jwks": {"keys": [EC | {"crv": "P-521"}]}}, "jwks"),
        ({"jwks": {"keys": [EC | {"crv": ["P-256"]}]}}, "jwks"),
        ({"jwks": {"keys": [RSA | {"kid": str(n)} for n in range(21)]}}, "jwks"),
        ({"jwks": {"keys": [RSA]}, "jwks_uri": "https://app.test/jwks"}, "jwks_uri"),
    ],
)
def test_rfc7591_3_2_2_invalid_client_metadata(change, field):
    with pytest.raises(InvalidClientMetadata) as refusal:
        validate(WEB | change)
    assert refusal.value.rule == field
    assert refusal.value.code == "invalid_client_metadata"


@pytest.mark.parametrize(
    "name",
    ["tenant_id", "client_id", "client_secret", "first_party", "skip_consent", "require_consent", "status", "id",
     "allowed_origins", "claims", "is_admin", "require_pkce", "rotate_refresh_tokens", "__class__"],
)  # fmt: skip
def test_dr03_what_is_not_on_the_list_is_refused(name):
    with pytest.raises(InvalidClientMetadata) as refusal:
        validate(WEB | {name: True})
    assert refusal.value.rule == name


def test_a_service():
    new, _ = validate({"grant_types": ["client_credentials"], "scope": "orders.read"})
    assert new["grant_types"] == ["client_credentials"]
    assert "redirect_uris" not in new


def test_private_key_jwt():
    assert validate(WEB | {"token_endpoint_auth_method": "private_key_jwt", "jwks": {"keys": [RSA, EC]}})
    new, _ = validate(
        WEB
        | {"token_endpoint_auth_method": "private_key_jwt", "jwks": {"keys": [EC]}}
        | {"token_endpoint_auth_signing_alg": "Ed25519"}
    )
    assert new["token_endpoint_auth_signing_alg"] == "EdDSA"


@pytest.mark.parametrize(
    ("settings_", "field"),
    [
        ({"require_pkce": False}, "require_pkce"),
        ({"rotate_refresh_tokens": False}, "rotate_refresh_tokens"),
        ({"client_secret_any": True}, "client_secret_any"),
    ],
)
def test_dr04_a_public_client_has_no_weakening(settings_, field):
    public = WEB | {"token_endpoint_auth_method": "none"}
    assert validate(public)
    with pytest.raises(InvalidClientMetadata) as refusal:
        validate(public, **settings_)
    assert refusal.value.rule == field
    confidential = client(WEB, **settings_)
    with pytest.raises(InvalidClientMetadata):  # nor does it get one by changing sides
        validate({"token_endpoint_auth_method": "none"}, current=confidential)


def test_a_public_client_has_no_client_credentials():
    with pytest.raises(InvalidClientMetadata):
        validate({"grant_types": ["client_credentials"], "token_endpoint_auth_method": "none"})


def test_dr04_update_is_a_patch_and_the_whole_is_checked_again():
    web = client(WEB | {"client_name": "Web"}, require_consent=False)
    new, kept = validate({"scope": "openid"}, current=web)
    assert new["client_name"] == "Web"
    assert new["scope"] == "openid"
    assert kept == {"require_consent": False}
    assert "client_name" not in validate({"client_name": None}, current=web)[0]
    with pytest.raises(InvalidRedirectUri):
        validate({"redirect_uris": None}, current=web)
    native = client({"redirect_uris": ["com.app:/cb"], "application_type": "native"})
    with pytest.raises(InvalidRedirectUri):  # a type swap
        validate({"application_type": "web"}, current=native)
    with pytest.raises(InvalidRedirectUri):
        validate({"grant_types": ["client_credentials"]}, current=web)
    new, _ = validate({"grant_types": ["client_credentials"], "redirect_uris": None}, current=web)
    assert new["response_types"] == []


def test_dr04_what_became_invalid_meanwhile_is_found_by_the_next_update():
    web = client(WEB)
    old = replace(web, metadata=web.metadata | {"redirect_uris": ["http://app.test/cb"]})
    with pytest.raises(InvalidRedirectUri):
        validate({"client_name": "Web"}, current=old)


def test_a_client_has_at_most_what_its_tenant_has():
    assert registration.effective(client(WEB), "access_token_lifetime") == 600
    short = client(WEB, access_token_lifetime=60)
    assert registration.effective(short, "access_token_lifetime") == 60
    for wrong in (601, 0, -1, "60", True, 1e3):
        with pytest.raises(InvalidClientMetadata):
            validate(WEB, access_token_lifetime=wrong)
    strict = replace(ACME, policy=Policy.parse({"access_token_lifetime": 30}))
    assert _in(strict, lambda: registration.effective(short, "access_token_lifetime")) == 30


def _in(tenant, call):
    from contextvars import Context

    def enter():
        with entered(tenant):
            return call()

    return Context().run(enter)


def test_cr01_origins_are_those_of_the_redirect_uris_and_the_allowed_ones():
    spa = client(
        {"redirect_uris": ["https://spa.test/cb", "http://localhost:8001/cb"]},
        allowed_origins=["https://two.test"],
    )
    assert registration.origins(spa) == {"https://spa.test", "http://localhost:8001", "https://two.test"}
    for wrong in ("null", "*", "https://two.test/", "https://*.test"):
        with pytest.raises(InvalidClientMetadata):
            validate(WEB, allowed_origins=[wrong])


def test_tk19_reserved_claims_are_refused():
    with pytest.raises(InvalidClientMetadata) as refusal:
        validate(WEB, claims=[{"claim": "sub", "attribute": "email"}])
    assert refusal.value.rule == "claims[0].claim"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(string.ascii_letters, max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from(sorted(registration.METADATA)), JSON, max_size=4),
       st.dictionaries(st.sampled_from(sorted(SETTINGS)), JSON, max_size=3))  # fmt: skip
def test_no_shape_raises_anything_but_a_refusal(metadata, settings_):
    with entered(ACME):
        try:
            registration.validate(WEB | metadata, settings=settings_)
        except Refusal as refusal:
            assert refusal.status == 400
            assert refusal.rule
