"""Signing and verifying, with PyJWT as the independent judge."""

import base64
import hashlib
from collections.abc import Iterator
from typing import Any

import freezegun
import jwt as oracle
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from idp import clock
from idp.errors import InvalidToken
from idp.signing import cache, envelope, jwks, jwt, keys, rotation
from idp.tenants import Tenant, entered
from tests.unit.keyrings import Keyring, keyring

TYP = {"at+jwt"}


@pytest.fixture
def ring() -> Iterator[Keyring]:
    with keyring() as made:
        yield made


@pytest.fixture
def acme(ring: Keyring) -> Iterator[Tenant]:
    with entered(ring.tenant()) as tenant:
        yield tenant


def claims(tenant: Tenant, **others: Any) -> dict[str, Any]:
    now = clock.epoch()
    given = {"iss": tenant.issuer, "sub": "alice", "aud": "https://api.example", "iat": now, "exp": now + 600}
    return {name: value for name, value in {**given, **others}.items() if value is not ...}


@pytest.mark.parametrize("alg", keys.ALGORITHMS)
def test_what_we_sign_others_verify_by_the_public_set_alone(acme: Tenant, alg: str) -> None:
    token = jwt.sign(claims(acme, name="Zoë"), alg=alg, typ="at+jwt")
    header = oracle.get_unverified_header(token)
    assert set(header) == {"alg", "kid", "typ"}
    assert (header["alg"], header["typ"]) == (alg, "at+jwt")
    (key,) = [key for key in jwks.document()["keys"] if key["kid"] == header["kid"]]
    told = oracle.decode(
        token, oracle.PyJWK(key), algorithms=[alg], audience="https://api.example", issuer=acme.issuer
    )
    assert told == claims(acme, name="Zoë", iat=told["iat"], exp=told["exp"])
    assert jwt.verify(token, typ=TYP, audience="https://api.example") == told


def test_a_thousand_tokens_are_signed_by_the_active_key_only(acme: Tenant) -> None:
    """A library given the whole set would sign with next and retiring keys as well."""
    kids = {
        oracle.get_unverified_header(jwt.sign(claims(acme), alg="ES256", typ="JWT"))["kid"]
        for _ in range(1000)
    }
    active = cache.load().signer("ES256", clock.now())
    assert active is not None
    assert kids == {active.kid}


def test_signing_follows_the_states_without_any_message(ring: Keyring) -> None:
    with freezegun.freeze_time("2026-01-01") as time_, entered(ring.tenant(algs=("ES256",))) as tenant:
        first = jwt.sign(claims(tenant), alg="ES256", typ="at+jwt")
        change = jwks.expires()
        assert change is not None
        time_.move_to(change)
        second = jwt.sign(claims(tenant), alg="ES256", typ="at+jwt")
        assert oracle.get_unverified_header(first)["kid"] != oracle.get_unverified_header(second)["kid"]
        assert jwt.verify(second, typ=TYP, audience=None)["sub"] == "alice"


def test_tk24_a_token_outlives_the_retirement_of_its_key_and_ends_with_it(ring: Keyring) -> None:
    longest = int(keys.LONGEST_TOKEN.total_seconds())
    with freezegun.freeze_time("2026-01-01") as time_, entered(ring.tenant(algs=("ES256",))) as tenant:
        change = jwks.expires()
        assert change is not None
        time_.move_to(change)
        time_.tick(-1)
        token = jwt.sign(claims(tenant, exp=clock.epoch() + longest), alg="ES256", typ="at+jwt")
        time_.tick(longest - 1)
        assert jwt.verify(token, typ=TYP, audience=None)
        time_.tick(2)
        with pytest.raises(InvalidToken):
            jwt.verify(token, typ=TYP, audience=None, expired_is_fine=True)


def test_an_algorithm_without_a_key_is_told(ring: Keyring) -> None:
    with entered(ring.tenant(algs=("ES256",))) as tenant:
        assert jwt.algorithms() == ("ES256",)
        with pytest.raises(jwt.NoKey, match="RS256"):
            jwt.sign(claims(tenant), alg="RS256", typ="JWT")


def test_ed25519_is_said_as_eddsa_on_the_wire(acme: Tenant) -> None:
    token = jwt.sign(claims(acme), alg="Ed25519", typ="JWT")
    assert oracle.get_unverified_header(token)["alg"] == "EdDSA"


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_numbers_that_json_lacks_are_never_signed(acme: Tenant, number: float) -> None:
    with pytest.raises(ValueError, match="JSON"):
        jwt.sign(claims(acme, x=number), alg="ES256", typ="JWT")


def test_an_expired_token_is_fine_as_a_hint_only(acme: Tenant) -> None:
    token = jwt.sign(claims(acme), alg="ES256", typ="JWT")
    later = clock.epoch() + 600
    assert jwt.verify(token, typ={"JWT"}, audience=None, now=later - 1)
    with pytest.raises(InvalidToken):
        jwt.verify(token, typ={"JWT"}, audience=None, now=later)
    assert jwt.verify(token, typ={"JWT"}, audience=None, now=later, expired_is_fine=True)["sub"] == "alice"


def test_opening_an_rsa_key_costs_no_consistency_check(acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    """The check takes 35 ms of what is else microseconds; AES-GCM has authenticated the bytes."""
    row = cache.load().signer("RS256", clock.now())
    assert row is not None
    real, asked = envelope.serialization.load_der_private_key, []

    def watched(der: bytes, password: None, **options: bool) -> Any:
        asked.append(options)
        return real(der, password, **options)

    monkeypatch.setattr(envelope.serialization, "load_der_private_key", watched)
    cache._opened.clear()
    cache.private_key(row, acme.id)
    assert asked == [{"unsafe_skip_rsa_key_validation": True}]


def test_an_opened_key_describes_itself_by_its_public_half(acme: Tenant) -> None:
    for alg in keys.ALGORITHMS:
        row = cache.load().signer(alg, clock.now())
        assert row is not None
        assert not {"d", "p", "q"} & set(cache.private_key(row, acme.id).dict_value)


@pytest.mark.parametrize(
    ("alg", "name"),
    [
        ("RS256", "sha256"),
        ("PS256", "sha256"),
        ("ES256", "sha256"),
        ("EdDSA", "sha512"),
        ("Ed25519", "sha512"),
    ],
)
def test_core_3_1_3_6_half_hash(alg: str, name: str) -> None:
    full = hashlib.new(name, b"jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y").digest()
    half = base64.urlsafe_b64encode(full[: len(full) // 2]).rstrip(b"=").decode()
    assert jwt.half_hash("jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y", alg) == half


def test_core_a_3_half_hash_of_the_specifications_example() -> None:
    assert jwt.half_hash("jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y", "RS256") == "77QmUPtjPfzWtF2AnpK9RQ"


# -- what others sign ----------------------------------------------------------------------------------------

SIGNERS = {
    "RS256": rsa.generate_private_key(65537, 2048),
    "ES256": ec.generate_private_key(ec.SECP256R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate(),
}


def jwk(signer: str, /, **others: Any) -> dict[str, Any]:
    return {**cache.describe(SIGNERS[signer].public_key()), "kid": "c1", **others}


def assertion(alg: str = "ES256", header: dict[str, Any] | None = None, **others: Any) -> str:
    now = clock.epoch()
    given = {
        "iss": "web",
        "sub": "web",
        "aud": "https://op",
        "iat": now,
        "exp": now + 60,
        "jti": "1",
        **others,
    }
    content = {name: value for name, value in given.items() if value is not ...}
    return oracle.encode(content, SIGNERS[alg], algorithm=alg, headers={"kid": "c1", **(header or {})})


def judged(token: str, *members: dict[str, Any], **rules: Any) -> dict[str, Any]:
    given: dict[str, Any] = {"algs": {"ES256", "RS256", "EdDSA"}, "issuer": "web", "subject": "web", **rules}
    return jwt.verify_with(token, {"keys": list(members)}, audience={"https://op"}, **given)[1]


@pytest.mark.parametrize("alg", list(SIGNERS))
def test_an_assertion_is_verified_by_the_clients_keys(alg: str) -> None:
    assert judged(assertion(alg), jwk(alg))["sub"] == "web"
    assert judged(assertion(alg), jwk(alg, alg=alg, use="sig", key_ops=["verify"]))["jti"] == "1"


def test_ed25519_is_accepted_under_both_names() -> None:
    token = assertion("EdDSA")
    assert judged(token, jwk("EdDSA", alg="Ed25519"), algs={"Ed25519"})["sub"] == "web"
    head = {"alg": "Ed25519", "kid": "c1", "typ": "JWT"}
    body = {"iss": "web", "sub": "web", "aud": "https://op", "exp": clock.epoch() + 60}
    signed = ".".join(jwt.ids.b64(jwt._encode(part).encode()) for part in (head, body))
    token = f"{signed}.{jwt.ids.b64(SIGNERS['EdDSA'].sign(signed.encode()))}"
    assert judged(token, jwk("EdDSA"), algs={"EdDSA"})["sub"] == "web"


def test_a_key_without_kid_is_found_when_it_is_the_only_one_that_fits() -> None:
    now = clock.epoch()
    bare = oracle.encode(
        {"iss": "web", "sub": "web", "aud": "https://op", "exp": now + 60},
        SIGNERS["ES256"],
        algorithm="ES256",
    )
    assert judged(bare, jwk("ES256"), jwk("RS256", kid="other"))["sub"] == "web"
    with pytest.raises(InvalidToken):
        judged(bare, jwk("ES256"), jwk("ES256", kid="other"))


@pytest.mark.parametrize(
    ("others", "good"),
    [
        ({"iat": 10}, True),
        ({"iat": 60}, False),
        ({"nbf": 10}, True),
        ({"nbf": 60}, False),
        ({"exp": -10}, True),
        ({"exp": -60}, False),
        ({"exp": 300}, True),
        ({"exp": 400}, False),
        ({"exp": 86_400}, False),
    ],
)
def test_skew_10_s_is_accepted_and_60_s_refused(others: dict[str, int], good: bool) -> None:
    token = assertion(**{name: clock.epoch() + seconds for name, seconds in others.items()})
    if good:
        assert judged(token, jwk("ES256"))
    else:
        with pytest.raises(InvalidToken):
            judged(token, jwk("ES256"))


def test_rotation_generates_what_it_says() -> None:
    for alg, size in (("RS256", 2048), ("PS256", 2048)):
        made = envelope.from_der(rotation.generate(alg).der)
        assert made.key_size == size  # type: ignore[union-attr]
    with pytest.raises(ValueError, match="HS256"):
        rotation.generate("HS256")
