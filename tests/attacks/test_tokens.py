"""Attacks on tokens: whatever a token says about how it is to be checked, it is checked our way."""

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from typing import Any

import jwt as oracle
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from idp import clock
from idp.errors import InvalidToken
from idp.signing import cache, jwks, jwt, keys
from idp.tenants import Tenant, entered
from tests.unit.keyrings import Keyring, keyring


@pytest.fixture
def ring() -> Iterator[Keyring]:
    with keyring() as made:
        yield made


@pytest.fixture
def acme(ring: Keyring) -> Iterator[Tenant]:
    with entered(ring.tenant()) as tenant:
        yield tenant


def part(value: object) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def claims(tenant: Tenant, /, **others: Any) -> dict[str, Any]:
    now = clock.epoch()
    return {
        "iss": tenant.issuer,
        "sub": "alice",
        "aud": tenant.issuer,
        "iat": now,
        "exp": now + 600,
        **others,
    }


def forged(
    tenant: Tenant, header: dict[str, Any] | bytes, payload: dict[str, Any] | bytes, alg: str = "ES256"
) -> str:
    """A token whose signature by the tenant's own active key is right over whatever header and payload are given."""
    row = cache.load(tenant).signer(alg, clock.now())
    assert row is not None
    if isinstance(header, dict):
        header = {name: value for name, value in {"alg": alg, "kid": row.kid, "typ": "at+jwt", **header}.items()
                  if value is not ...}  # fmt: skip
    signed = f"{part(header)}.{part(payload)}"
    return f"{signed}.{part(jwt._ALGORITHMS[alg].sign(signed.encode(), cache.private_key(row, tenant.id)))}"


def refused(token: object, rule: str | None = None, **how: Any) -> InvalidToken:
    with pytest.raises(InvalidToken) as caught:
        jwt.verify(token, **{"typ": {"at+jwt"}, "audience": None, **how})  # type: ignore[arg-type]
    assert caught.value.status == 401
    if rule:
        assert caught.value.rule == rule
    return caught.value


def test_the_forger_of_these_tests_makes_good_tokens_when_it_is_honest(acme: Tenant) -> None:
    assert jwt.verify(forged(acme, {}, claims(acme)), typ={"at+jwt"}, audience=acme.issuer)["sub"] == "alice"


@pytest.mark.parametrize("name", ["none", "None", "NONE", "nOnE", "", None, 0, [], {}, ["ES256"]])
def test_tk01_no_algorithm_is_no_signature(acme: Tenant, name: object) -> None:
    row = cache.load(acme).signer("ES256", clock.now())
    assert row is not None
    head = part({"alg": name, "kid": row.kid, "typ": "at+jwt"})
    for signature in ("", part(b"x"), part(b"\0" * 64)):
        refused(f"{head}.{part(claims(acme))}.{signature}")


def test_tk01_a_signature_that_is_empty_cut_off_or_another_tokens_is_none(acme: Tenant) -> None:
    token = jwt.sign(claims(acme), alg="ES256", typ="at+jwt")
    head, payload, signature = token.split(".")
    other = jwt.sign(claims(acme, sub="bob"), alg="ES256", typ="at+jwt").split(".")[2]
    for bad in (f"{head}.{payload}.", f"{head}.{payload}", f"{head}..{signature}", f".{payload}.{signature}",
                f"{head}.{payload}.{other}", f"{token}.", f"{token}.{signature}", f"{head}.{payload}.{signature[:-4]}",
                f"{token}=", f" {token}", f"{token}\n", "", ".", "..", "a.b.c"):  # fmt: skip
        refused(bad)


@pytest.mark.parametrize("alg", ["HS256", "HS384", "HS512"])
def test_tk02_a_public_key_is_never_a_shared_secret(acme: Tenant, alg: str) -> None:
    row = cache.load(acme).signer("RS256", clock.now())
    assert row is not None
    public = cache.private_key(row, acme.id).public_key
    encodings = [
        public.public_bytes(encoding, form)
        for encoding in (serialization.Encoding.PEM, serialization.Encoding.DER)
        for form in (serialization.PublicFormat.SubjectPublicKeyInfo, serialization.PublicFormat.PKCS1)
    ]
    described = next(key for key in jwks.document()["keys"] if key["kid"] == row.kid)
    for secret in (*encodings, json.dumps(described).encode(), json.dumps(row.public).encode(), b""):
        signed = f"{part({'alg': alg, 'kid': row.kid, 'typ': 'at+jwt'})}.{part(claims(acme))}"
        mac = hmac.new(secret, signed.encode(), getattr(hashlib, f"sha{alg[2:]}")).digest()
        refused(f"{signed}.{part(mac)}", "token.alg")


@pytest.mark.parametrize(
    "kid",
    [
        "../../dev/null",
        "' OR 1=1--",
        "x" * 10_000,
        "",
        None,
        0,
        True,
        [],
        ["k"],
        {},
        "\x00",
        "\ud800",
        "https://e.example/k",
    ],
)
def test_tk04_a_kid_is_looked_up_and_nothing_more(
    acme: Tenant, kid: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    jwt.verify(forged(acme, {}, claims(acme)), typ={"at+jwt"}, audience=None)
    from idp.store.durable import signing_keys

    def asked() -> None:
        raise AssertionError("an unknown kid must not reach the database")

    monkeypatch.setattr(signing_keys, "all_keys", asked)
    refused(forged(acme, {"kid": kid}, claims(acme)))


def test_tk04_a_header_that_brings_its_own_key_is_refused(acme: Tenant) -> None:
    for extra in (
        {"jwk": {"kty": "oct", "k": "AA"}},
        {"jku": "https://evil.example/"},
        {"x5u": "https://evil.example/"},
        {"x5c": ["AA"]},
        {"crit": ["b64"], "b64": False},
        {"zip": "DEF"},
        {"enc": "A256GCM"},
        {"p2c": 2**31},
    ):
        refused(forged(acme, extra, claims(acme)))


def test_tk05_tk06_a_key_of_another_tenant_signs_nothing_here(ring: Keyring) -> None:
    acme, globex = ring.tenant("acme"), ring.tenant("globex", turn=1)
    with entered(globex):
        foreign = forged(globex, {}, claims(acme))
        own = forged(globex, {}, claims(globex))
    with entered(acme):
        refused(foreign, "token.kid")
        refused(own, "token.kid")


def test_tk05_a_twin_with_the_same_kid_is_still_another(ring: Keyring) -> None:
    from dataclasses import replace

    acme, globex = ring.tenant("acme", ("ES256",)), ring.tenant("globex", ("ES256",), turn=1)
    twins = zip(ring.rows[acme.id], ring.rows[globex.id], strict=True)
    ring.rows[globex.id] = tuple(replace(theirs, kid=ours.kid) for ours, theirs in twins)
    with entered(globex), pytest.raises(Exception, match="moved"):  # sealed for another kid
        jwt.sign(claims(acme), alg="ES256", typ="at+jwt")
    with entered(acme):
        ours = jwt.sign(claims(acme), alg="ES256", typ="at+jwt")
    with entered(globex):
        refused(ours, "token.signature")


def test_tk06_a_token_of_a_former_issuer_of_the_same_tenant_is_not_ours(acme: Tenant) -> None:
    for iss in (
        "http://localhost/t/globex",
        acme.issuer + "/",
        acme.issuer.upper(),
        "",
        None,
        1,
        [acme.issuer],
        {},
    ):
        refused(forged(acme, {}, claims(acme, iss=iss)), "token.iss")


def test_tk06_a_token_that_names_another_tenant_than_its_issuer_is_refused(acme: Tenant) -> None:
    own = {"tenant": acme.slug, "tenant_id": str(acme.id)}
    assert (
        jwt.verify(forged(acme, {}, claims(acme, **own)), typ={"at+jwt"}, audience=None)["tenant"] == "acme"
    )
    for name in own:
        for other in ("globex", "", None, 1, [own[name]]):
            refused(forged(acme, {}, claims(acme, **{**own, name: other})), f"token.{name}")


def test_tk07_a_token_of_one_type_is_none_of_another(acme: Tenant) -> None:
    for made, wanted in (
        ("JWT", "at+jwt"),
        ("at+jwt", "JWT"),
        ("logout+jwt", "JWT"),
        ("oauth-authz-req+jwt", "at+jwt"),
    ):
        token = jwt.sign(claims(acme), alg="ES256", typ=made)
        refused(token, "token.typ", typ={wanted})
        assert jwt.verify(token, typ={made}, audience=None)
    for odd in (..., None, 1, [], "AT+JWT", "application/at+jwt", ""):
        refused(forged(acme, {"typ": odd}, claims(acme)))


def test_tk09_the_json_form_is_refused(acme: Tenant) -> None:
    token = jwt.sign(claims(acme), alg="ES256", typ="at+jwt")
    head, payload, signature = token.split(".")
    general = {"payload": payload, "signatures": [{"protected": head, "signature": signature}]}
    for form in (general, {"payload": payload, "signatures": []}, {"payload": payload},
                 {"payload": payload, "protected": head, "signature": signature}):  # fmt: skip
        refused(json.dumps(form))
        refused(form)
    for thing in (None, 1, b"bytes", [token], token.encode()):
        refused(thing)


@pytest.mark.parametrize("odd", [1, 1.5, True, None, [], ["alice"], {}])
def test_tk10_texts_are_texts(acme: Tenant, odd: object) -> None:
    for name in ("sub", "jti", "client_id", "scope"):
        refused(forged(acme, {}, claims(acme, **{name: odd})), f"token.{name}")


@pytest.mark.parametrize(
    "aud", [None, 1, {}, [], [1], [None], ["https://other.example"], "https://other.example", ""]
)
def test_tk20_an_audience_is_for_this_or_not_at_all(acme: Tenant, aud: object) -> None:
    refused(forged(acme, {}, claims(acme, aud=aud)), "token.aud", audience=acme.issuer)


@pytest.mark.parametrize(
    "exp", ["9999999999", 1e300, 9999999999.0, True, None, [], {}, -1, 2**63, 10**40, 9_999_999_999, 0]
)
def test_tk11_exp_is_a_whole_number_within_the_ceiling(acme: Tenant, exp: object) -> None:
    refused(forged(acme, {}, claims(acme, exp=exp)))


@pytest.mark.parametrize("word", [b"NaN", b"Infinity", b"-Infinity"])
def test_tk11_what_is_no_json_number_is_refused(acme: Tenant, word: bytes) -> None:
    payload = json.dumps(claims(acme, exp="X")).encode().replace(b'"X"', word)
    refused(forged(acme, {}, payload), "token.payload")


def test_tk11_exp_and_iat_must_be_there_and_sane(acme: Tenant) -> None:
    now = clock.epoch()
    for name in ("exp", "iat"):
        refused(
            forged(acme, {}, {key: value for key, value in claims(acme).items() if key != name}),
            f"token.{name}",
        )
    longest = int(keys.LONGEST_TOKEN.total_seconds())
    refused(forged(acme, {}, claims(acme, exp=now + longest + 1)), "token.lifetime")
    refused(forged(acme, {}, claims(acme, iat=now + 60, exp=now + 120)), "token.iat")
    refused(forged(acme, {}, claims(acme, nbf=now + 60)), "token.nbf")
    refused(forged(acme, {}, claims(acme, exp=now)), "token.exp")


def test_tk12_a_name_that_stands_twice_is_refused(acme: Tenant) -> None:
    honest = json.dumps(claims(acme))
    twice = honest[:-1].encode() + b',"sub":"mallory"}'
    refused(forged(acme, {}, twice), "token.payload")
    nested = honest[:-1].encode() + b',"act":{"sub":"a","sub":"b"}}'
    refused(forged(acme, {}, nested), "token.payload")
    row = cache.load(acme).signer("ES256", clock.now())
    assert row is not None
    head = f'{{"alg":"none","alg":"ES256","kid":"{row.kid}","typ":"at+jwt"}}'.encode()
    refused(forged(acme, head, claims(acme)), "token.header")


@pytest.mark.parametrize(
    "payload",
    [b"", b"null", b"[]", b'"x"', b"1", b"{", b"\xff\xfe", b"\x00", b'{"a":"\\ud800"}', b"[" * 5000 + b"]" * 5000,
     b'{"a":' * 2000 + b"1" + b"}" * 2000, b'{"a":' + b"9" * 5000 + b"}"],
)  # fmt: skip
def test_tk13_payloads_that_are_no_object_are_refused(acme: Tenant, payload: bytes) -> None:
    refused(forged(acme, {}, payload))


def test_tk13_size_and_depth_are_judged_before_anything_is_decoded(
    acme: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jwt.ids, "unb64", lambda _text: pytest.fail("a huge token was decoded"))
    for huge in ("a" * (jwt.LONGEST + 1), f"{'a' * 200_000_000}.b.c", "." * (jwt.LONGEST + 1)):
        refused(huge, "token.size")


@pytest.mark.parametrize("piece", ["ab=", "ab==", "a+b/", "a b", "ab\n", "é", "A", "AB", "a"])
def test_encodings_that_are_not_canonical_are_refused(acme: Tenant, piece: str) -> None:
    head, payload, signature = jwt.sign(claims(acme), alg="ES256", typ="at+jwt").split(".")
    for token in (
        f"{piece}.{payload}.{signature}",
        f"{head}.{piece}.{signature}",
        f"{head}.{payload}.{piece}",
    ):
        refused(token)


def test_tk14_an_encrypted_token_is_no_token_of_ours(acme: Tenant) -> None:
    head = part({"alg": "PBES2-HS256+A128KW", "enc": "A128GCM", "p2c": 2**31, "p2s": "AA", "zip": "DEF"})
    refused(f"{head}.AA.AA.AA.AA", "token.form")


ZERO, ORDER = (
    b"\x00" * 32,
    int("FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551", 16).to_bytes(32, "big"),
)


@pytest.mark.parametrize("r", [ZERO, ORDER, ZERO[:-1] + b"\x01"])
@pytest.mark.parametrize("s", [ZERO, ORDER, ZERO[:-1] + b"\x01"])
def test_tk16_es256_signatures_outside_the_group_are_refused(acme: Tenant, r: bytes, s: bytes) -> None:
    head, payload, _ = jwt.sign(claims(acme), alg="ES256", typ="at+jwt").split(".")
    refused(f"{head}.{payload}.{part(r + s)}", "token.signature")


def test_tk16_der_signatures_and_other_lengths_are_refused(acme: Tenant) -> None:
    row = cache.load(acme).signer("ES256", clock.now())
    assert row is not None
    head, payload, _ = jwt.sign(claims(acme), alg="ES256", typ="at+jwt").split(".")
    from cryptography.hazmat.primitives import hashes

    der = cache.private_key(row, acme.id).private_key.sign(
        f"{head}.{payload}".encode(), ec.ECDSA(hashes.SHA256())
    )  # type: ignore
    for signature in (der, b"\0" * 63, b"\0" * 65, b"\0" * 96):
        refused(f"{head}.{payload}.{part(signature)}", "token.signature")


def test_tk16_small_order_ed25519_keys_verify_nothing() -> None:
    for point in (
        "00" * 32,
        "01" + "00" * 31,
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    ):
        weak = {"kty": "OKP", "crv": "Ed25519", "x": part(bytes.fromhex(point)), "kid": "w"}
        head, payload = (
            part({"alg": "EdDSA", "kid": "w"}),
            part({"iss": "c", "sub": "c", "exp": clock.epoch() + 60}),
        )
        for signature in (bytes(64), bytes.fromhex(point) + bytes(32), b"\x01" + bytes(63)):
            with pytest.raises(InvalidToken):
                jwt.verify_with(f"{head}.{payload}.{part(signature)}", {"keys": [weak]}, algs={"EdDSA"})


def test_tk17_header_and_key_must_name_the_same_algorithm(acme: Tenant) -> None:
    rows = {row.alg: row for row in cache.load(acme).keys}
    for named, key in (("PS256", "RS256"), ("RS256", "PS256"), ("RS256", "ES256"), ("ES256", "EdDSA")):
        signed = f"{part({'alg': named, 'kid': rows[key].kid, 'typ': 'at+jwt'})}.{part(claims(acme))}"
        private = cache.private_key(rows[key], acme.id)
        model = jwt._ALGORITHMS[named if {named, key} == {"RS256", "PS256"} else key]
        refused(f"{signed}.{part(model.sign(signed.encode(), private))}", "token.alg")


CLIENT = rsa.generate_private_key(65537, 2048)
WEAK = rsa.generate_private_key(65537, 1024)


def assertion(**header: Any) -> str:
    body = {"iss": "web", "sub": "web", "aud": "x", "exp": clock.epoch() + 60}
    return oracle.encode(body, CLIENT, algorithm="RS256", headers={"kid": "c", **header})


def client_jwk(**others: Any) -> dict[str, Any]:
    return {**cache.describe(CLIENT.public_key()), "kid": "c", **others}


@pytest.mark.parametrize(
    "members",
    [
        [],
        "keys",
        None,
        [None, 1, "x", []],
        [client_jwk(), client_jwk()],
        [client_jwk(kid="other")],
        [client_jwk(use="enc")],
        [client_jwk(alg="PS256")],
        [client_jwk(alg=["RS256"])],
        [client_jwk(key_ops=["sign"])],
        [client_jwk(key_ops="verify")],
        [client_jwk(d="AQAB")],
        [client_jwk(kty="oct", k="AA")],
        [client_jwk(n="AQAB")],
        [client_jwk(n="A" * 5000)],
        [client_jwk(n=5)],
        [client_jwk(e="")],
        [client_jwk(kid=["c"])],
        [{**cache.describe(WEAK.public_key()), "kid": "c"}],
    ],
)
def test_tk17_ca11_a_clients_key_that_is_not_for_this_verifies_nothing(members: object) -> None:
    assert jwt.verify_with(assertion(), {"keys": [client_jwk()]}, algs={"RS256"})
    with pytest.raises(InvalidToken):
        jwt.verify_with(assertion(), {"keys": members}, algs={"RS256"})


def test_tk17_only_admitted_algorithms_count() -> None:
    jwks_ = {"keys": [client_jwk()]}
    for algs in ((), {"PS256"}, {"ES256", "EdDSA"}, {"HS256"}, {"none"}):
        with pytest.raises(InvalidToken):
            jwt.verify_with(assertion(), jwks_, algs=algs)
    secret = oracle.encode({"exp": clock.epoch() + 60}, "s" * 32, algorithm="HS256", headers={"kid": "c"})
    with pytest.raises(InvalidToken):
        jwt.verify_with(
            secret, {"keys": [{"kty": "oct", "k": part(b"s" * 32), "kid": "c"}]}, algs={"HS256", "RS256"}
        )


def test_tk07_an_assertion_is_no_request_object_and_no_token_of_ours(acme: Tenant) -> None:
    for typ in ("at+jwt", "oauth-authz-req+jwt", "logout+jwt", 1, ["JWT"], {"a": 1}):
        with pytest.raises(InvalidToken):
            jwt.verify_with(assertion(typ=typ), {"keys": [client_jwk()]}, algs={"RS256"})
    refused(assertion())
    own = jwt.sign(claims(acme), alg="RS256", typ="at+jwt")
    with pytest.raises(InvalidToken):
        jwt.verify_with(own, jwks.document(), algs={"RS256"})


@pytest.mark.parametrize("alg", ["ES256K", "none", "HS256", "", "RS512"])
def test_tk18_no_half_hash_of_an_unknown_algorithm(alg: str) -> None:
    with pytest.raises(ValueError, match="half hash"):
        jwt.half_hash("x", alg)


def test_tk24_a_revoked_keys_tokens_end_at_once(ring: Keyring) -> None:
    from dataclasses import replace

    with entered(ring.tenant(algs=("ES256",))) as tenant:
        token = jwt.sign(claims(tenant), alg="ES256", typ="at+jwt")
        kid = oracle.get_unverified_header(token)["kid"]
        now = clock.now()
        ring.rows[tenant.id] = tuple(
            replace(row, revoked_at=now) if row.kid == kid else row for row in ring.rows[tenant.id]
        )
    with entered(replace(tenant, version=2)):  # what the directory tells within half a second
        refused(token, "token.kid")
        assert kid not in json.dumps(jwks.document())


def test_the_public_half_of_a_refusal_says_nothing_of_the_token(acme: Tenant) -> None:
    sentences = {
        refused(bad).description for bad in ("", "a.b.c", forged(acme, {"kid": '"x\\'}, claims(acme)))
    }
    assert len(sentences) == 1
