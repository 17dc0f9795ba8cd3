"""What is encrypted for a client, and what a client encrypts for us (RFC 7516, OpenID Connect Core 1.0 §2, §6.1)."""

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from joserfc import jwe
from joserfc.jwk import ECKey, RSAKey

from idp.control import clients
from idp.errors import InvalidClientMetadata
from idp.ids import b64
from idp.oauth import client_keys
from idp.oauth.tokens import logout_token
from idp.signing import jwe as ours
from idp.tenants import Tenant, entered
from tests.attacks.acting import change, client, party, policy
from tests.attacks.assertions import EC, OTHER, public
from tests.playing import RelyingParty
from tests.receiving import document_server
from tests.spec.rfc9101.test_request_objects import CALLBACK, asked, signed

CURVE, MODULUS = ec.generate_private_key(ec.SECP256R1()), rsa.generate_private_key(65537, 2048)
KEYS: dict[str, Any] = {
    "EC": ECKey.import_key(ECKey(CURVE, CURVE).as_dict(private=True)),
    "RSA": RSAKey.import_key(RSAKey(MODULUS, MODULUS).as_dict(private=True)),
}
NONE = b'{"alg":"none"}'
ALLOWED = [*ours.ALGORITHMS, *ours.CONTENT]


def enc(kind: str, kid: str = "enc", **more: Any) -> dict[str, Any]:
    """The public half of an encryption key as a client registers it."""
    return {**KEYS[kind].as_dict(private=False), "kid": kid, "use": "enc", **more}


def kind(alg: str) -> str:
    return "RSA" if alg.startswith("RSA") else "EC"


def opened(token: str, alg: str, content: str = ours.CONTENT[0], nested: bool = True) -> str:
    """What the client reads, by an independent reading of the header."""
    found = jwe.decrypt_compact(token, KEYS[kind(alg)], algorithms=ALLOWED)
    head = found.headers()
    assert (head["alg"], head["enc"], head.get("cty")) == (alg, content, "JWT" if nested else None)
    assert found.plaintext is not None
    return found.plaintext.decode()


def made(app: Any, tenant: Tenant, *keys: dict[str, Any], **fields: Any) -> RelyingParty:
    known = {"keys": [public(EC, "e"), *keys]}
    return party(app, tenant, client(tenant, "signer", jwks=known, secret="s" * 43, **fields), "s" * 43)


@pytest.mark.parametrize("alg", ours.ALGORITHMS)
@pytest.mark.parametrize("content", [None, *ours.CONTENT])
def test_2_an_id_token_is_signed_and_then_encrypted(
    app: Any, acme: Tenant, alg: str, content: str | None
) -> None:
    more = {} if content is None else {"id_token_encrypted_response_enc": content}
    rp = made(app, acme, enc(kind(alg)), id_token_encrypted_response_alg=alg, **more)
    tokens = rp.sign_in(scope="openid offline_access")
    again = rp.refresh(tokens["refresh_token"]).get_json()
    for each in (tokens, again):
        token = opened(each["id_token"], alg, content or ours.CONTENT[0])
        assert rp.verified(token, "signer")["sub"]
    assert tokens["access_token"].count(".") == 2


@pytest.mark.parametrize("signing", [None, "ES256"])
def test_5_3_2_userinfo_is_encrypted_and_signed_where_the_client_wants_both(
    app: Any, acme: Tenant, signing: str | None
) -> None:
    more = {} if signing is None else {"userinfo_signed_response_alg": signing}
    rp = made(app, acme, enc("EC"), userinfo_encrypted_response_alg="ECDH-ES", **more)
    answer = rp.userinfo(rp.sign_in(scope="openid profile")["access_token"])
    assert answer.mimetype == "application/jwt" and answer.headers["Cache-Control"] == "no-store"
    text = opened(answer.get_data(as_text=True), "ECDH-ES", nested=signing is not None)
    told = json.loads(text) if signing is None else rp.verified(text, "signer")
    assert told["sub"] and told["name"] and (told["iss"], told["aud"]) == (acme.issuer, "signer")


def test_an_id_token_at_once_is_encrypted_too(app: Any, acme: Tenant) -> None:
    there = policy(acme, implicit_flow=True)
    rp = made(
        app, there, enc("EC"), id_token_encrypted_response_alg="ECDH-ES", response_types=["id_token"],
        grant_types=["implicit"],
    )  # fmt: skip
    got = rp.authorize(
        response_type="id_token", scope="openid", code_challenge=None, code_challenge_method=None
    )
    assert rp.verified(opened(got.login("alice").fragment["id_token"], "ECDH-ES"), "signer")["nonce"]


def test_a_key_that_says_it_is_for_it_comes_first(app: Any, acme: Tenant) -> None:
    other = ECKey.generate_key("P-256").as_dict(private=False)
    anything = {**other, "kid": "any"}
    rp = made(app, acme, anything, enc("EC"), id_token_encrypted_response_alg="ECDH-ES")
    assert opened(rp.sign_in(scope="openid")["id_token"], "ECDH-ES")


@pytest.mark.parametrize(
    "fields",
    [
        {"id_token_encrypted_response_alg": "RSA1_5"}, {"id_token_encrypted_response_alg": "dir"},
        {"id_token_encrypted_response_alg": "A128KW"}, {"id_token_encrypted_response_alg": "PBES2-HS256+A128KW"},
        {"id_token_encrypted_response_enc": "A128GCM"}, {"userinfo_encrypted_response_enc": "A128GCM"},
        {"request_object_encryption_enc": "A128GCM"}, {"id_token_encrypted_response_alg": "RSA-OAEP-256"},
        {"id_token_encrypted_response_alg": "ECDH-ES", "id_token_encrypted_response_enc": "none"},
        {"userinfo_encrypted_response_alg": "ECDH-ES", "jwks": None},
    ],
)  # fmt: skip
def test_what_nobody_could_read_is_refused(acme: Tenant, fields: dict[str, Any]) -> None:
    known = {"jwks": {"keys": [enc("EC")]}}
    with pytest.raises(InvalidClientMetadata):
        client(acme, "signer", **{**known, **fields})


def test_a_key_at_the_clients_address_is_looked_for_before_a_code_is_burned(app: Any, acme: Tenant) -> None:
    client_keys.forget()
    with document_server() as server:
        server.keys(public(EC, "e"))
        made_ = client(
            acme, "signer", jwks_uri=server.uri, secret="s" * 43, id_token_encrypted_response_alg="ECDH-ES"
        )
        rp = party(app, acme, made_, "s" * 43)
        code = rp.authorize(scope="openid").login("alice").code
        answer = rp.redeem(code)
        assert answer.status_code == 400 and answer.get_json()["error"] == "invalid_request"
        client_keys.forget()
        server.keys(enc("EC"))
        assert rp.verified(opened(rp.exchange(code)["id_token"], "ECDH-ES"), "signer")
    client_keys.forget()


@pytest.fixture
def sealed(app: Any, acme: Tenant) -> RelyingParty:
    """A client of a tenant that publishes encryption keys."""
    return made(app, policy(acme, encryption_keys=True))


def theirs(rp: RelyingParty, kty: str) -> Any:
    """The tenant's encryption key of a kind, as it is published."""
    keys = rp.app.test_client().get("/t/acme/jwks.json").get_json()["keys"]
    [found] = [key for key in keys if key.get("use") == "enc" and key["kty"] == kty][:1]
    return found


def put(rp: RelyingParty, text: str, alg: str = "ECDH-ES", content: str = "A256GCM", **header: Any) -> str:
    """`text` encrypted for the tenant."""
    key = theirs(rp, kind(alg))
    wrapper = RSAKey if kind(alg) == "RSA" else ECKey
    head = {"alg": alg, "enc": content, "kid": key["kid"], "cty": "JWT", **header}
    head = {name: value for name, value in head.items() if value is not None}
    registry = jwe.JWERegistry(strict_check_header=False, algorithms=[*ALLOWED, "RSA1_5", "DEF"])
    return jwe.encrypt_compact(head, text, wrapper.import_key(key), registry=registry)


@pytest.mark.parametrize("alg", ours.DECRYPTED)
@pytest.mark.parametrize("content", ours.CONTENT)
@pytest.mark.parametrize("kid", [{}, {"kid": None}])
def test_6_1_a_request_object_may_be_encrypted(
    sealed: RelyingParty, alg: str, content: str, kid: dict[str, Any]
) -> None:
    token = put(sealed, signed(sealed, state="inner"), alg, content, **kid)
    assert asked(sealed, token).login("alice").params["state"] == "inner"


def test_pj05_encryption_stands_in_no_signatures_place(sealed: RelyingParty) -> None:
    claims = {"iss": "signer", "aud": sealed.tenant.issuer, "redirect_uri": CALLBACK, "response_type": "code"}
    for inner in (
        signed(sealed, OTHER), json.dumps(claims), "", "a.b.c", put(sealed, signed(sealed)),
        f"{b64(NONE)}.{b64(json.dumps(claims).encode())}.",
    ):  # fmt: skip
        got = asked(sealed, put(sealed, inner), redirect_uri=CALLBACK).params
        assert got["error"] == "invalid_request_object", inner[:40]


@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")
@pytest.mark.parametrize(
    ("alg", "header"),
    [
        ("ECDH-ES", {"zip": "DEF"}), ("RSA-OAEP", {}), ("RSA1_5", {}), ("ECDH-ES", {"kid": "another"}),
        ("ECDH-ES", {"x": 1}), ("ECDH-ES", {"jku": "https://evil.example"}),
    ],
)  # fmt: skip
def test_pj05_what_is_encrypted_in_another_way(
    sealed: RelyingParty, alg: str, header: dict[str, Any]
) -> None:
    got = asked(sealed, put(sealed, signed(sealed), alg, **header), redirect_uri=CALLBACK).params
    assert got["error"] == "invalid_request_object"


def test_pj05_parts_that_are_changed(sealed: RelyingParty) -> None:
    pieces = put(sealed, signed(sealed)).split(".")
    for at in range(5):
        for other in ("", "AAAA", pieces[at][:-2] or "AA", "é", pieces[at] + "A"):
            token = ".".join([*pieces[:at], other, *pieces[at + 1 :]])
            if other != pieces[at]:
                got = asked(sealed, token, redirect_uri=CALLBACK).params
                assert got["error"] == "invalid_request_object", (at, other)


def test_another_tenants_key_opens_nothing(app: Any, sealed: RelyingParty, globex: Tenant) -> None:
    there = policy(globex, encryption_keys=True)
    made(app, there)
    own = signed(sealed)
    foreign = RelyingParty(app, there, "signer", "s" * 43, CALLBACK)
    keys = app.test_client().get("/t/globex/jwks.json").get_json()["keys"]
    [key] = [each for each in keys if each.get("use") == "enc" and each["kty"] == "EC"][:1]
    token = jwe.encrypt_compact(
        {"alg": "ECDH-ES", "enc": "A256GCM"}, own, ECKey.import_key(key), algorithms=ALLOWED
    )
    assert asked(sealed, token, redirect_uri=CALLBACK).params["error"] == "invalid_request_object"
    assert asked(foreign, token, redirect_uri=CALLBACK).params["error"] == "invalid_request_object"


def test_without_the_policy_nothing_is_opened(app: Any, acme: Tenant) -> None:
    rp = made(app, acme)
    key = ECKey.generate_key("P-256")
    token = jwe.encrypt_compact({"alg": "ECDH-ES", "enc": "A256GCM"}, signed(rp), key, algorithms=ALLOWED)
    assert asked(rp, token, redirect_uri=CALLBACK).params["error"] == "invalid_request_object"
    told = app.test_client().get("/t/acme/.well-known/openid-configuration").get_json()
    assert "request_object_encryption_alg_values_supported" not in told
    assert told["id_token_encryption_alg_values_supported"] == list(ours.ALGORITHMS)
    policy(acme, encryption_keys=True)
    told = app.test_client().get("/t/acme/.well-known/openid-configuration").get_json()
    assert told["request_object_encryption_enc_values_supported"] == list(ours.CONTENT)
    assert not {"RSA-OAEP-256", "ECDH-ES"} & set(told["id_token_signing_alg_values_supported"])


def test_a_hint_may_be_encrypted_for_us(app: Any, acme: Tenant, sealed: RelyingParty) -> None:
    browser = sealed.browser()
    tokens = sealed.sign_in("alice", browser, scope="openid")
    hint = put(sealed, tokens["id_token"])
    assert sealed.authorize(browser, scope="openid", prompt="none", id_token_hint=hint).code
    got = sealed.authorize(
        browser, scope="openid", prompt="none", id_token_hint=put(sealed, tokens["access_token"])
    )
    assert got.params["error"] == "login_required"


def test_an_encryption_key_never_signs(app: Any, acme: Tenant, sealed: RelyingParty) -> None:
    tokens = sealed.sign_in("alice", scope="openid")
    _, body, mark = tokens["access_token"].split(".")
    for kty in ("EC", "RSA"):
        for alg in ("ES256", "RS256", "ECDH-ES", "RSA-OAEP-256"):
            forged = b64(
                json.dumps({"alg": alg, "kid": theirs(sealed, kty)["kid"], "typ": "at+jwt"}).encode()
            )
            assert sealed.userinfo(f"{forged}.{body}.{mark}").status_code == 401
    change(acme, "signer", client_name="Other")


def test_a_logout_token_is_encrypted_like_the_id_tokens(app: Any, acme: Tenant) -> None:
    rp = made(app, acme, enc("EC"), id_token_encrypted_response_alg="ECDH-ES")
    with entered(acme):
        known = clients.show("signer")
        token = logout_token.make(known, subject="s", sid="x", issuer=acme.issuer)
    assert rp.verified(opened(token, "ECDH-ES"), "signer")["sid"] == "x"
