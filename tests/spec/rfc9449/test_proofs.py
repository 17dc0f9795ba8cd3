"""What is a good proof (RFC 9449 §4.3), against the example of the RFC, against a list, and against chance."""

import hashlib
import hmac
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis import Redis

from idp import clock
from idp.embedded.redis import OPERATOR
from idp.errors import Refusal
from idp.oauth.binding import dpop, nonces
from idp.oauth.binding.addresses import normalised
from idp.signing import ring
from idp.store import redis as vault
from idp.tenants import Tenant, entered
from tests.attacks.acting import policy
from tests.spec.rfc9449.proving import KINDS, Key, b64

PLACE = "https://resource.example.org/protectedresource"
EXAMPLE = (
    "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJo"
    "RjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19"
    ".eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm90ZWN0ZWRy"
    "ZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9"
    ".2oW9RP35yRqzhrtNP86L-Ey71EOptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA"
)
EXAMPLE_TOKEN = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU"
RSA, ED = rsa.generate_private_key(65537, 2048), ed25519.Ed25519PrivateKey.generate()
KEY = Key()


@pytest.fixture
def here(acme: Tenant) -> Any:
    with entered(acme):
        yield acme


def good(text: str, method: str = "GET", place: str = PLACE, token: str | None = None) -> dpop.Proof:
    return dpop.read(text, method, (place,), token)


def bad(text: str, rule: str | None = None, **options: Any) -> None:
    with pytest.raises(dpop.InvalidDpopProof) as caught:
        good(text, **options)
    assert caught.value.code == "invalid_dpop_proof" and caught.value.status == 400
    assert rule is None or caught.value.rule == rule, caught.value.rule


def get(**changes: Any) -> str:
    return KEY.proof(PLACE, "GET", **changes)


def test_7_1_the_example_of_the_rfc(here: Tenant, frozen: Any) -> None:
    with frozen("2019-07-04T17:50:18Z"):
        assert clock.epoch() == 1562262618
        seen = good(EXAMPLE, token=EXAMPLE_TOKEN)
        assert seen.binding.cnf == {"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}  # RFC 9449 §6.1
        bad(EXAMPLE, "dpop.ath", token=EXAMPLE_TOKEN + "x")
        bad(EXAMPLE[:-2] + "xx", token=EXAMPLE_TOKEN)
        bad(EXAMPLE, "dpop.htm", method="POST", token=EXAMPLE_TOKEN)
    bad(EXAMPLE, "dpop.iat", token=EXAMPLE_TOKEN)


def test_rfc7638_thumbprints_are_those_of_another_library(here: Tenant) -> None:
    for key in (KEY, Key(RSA, "PS256"), Key(ED, "EdDSA")):
        assert good(key.proof(PLACE, "GET")).binding.thumbprint == key.thumbprint


@pytest.mark.parametrize("typ", ["dpop+jwt", "DPoP+JWT"])
def test_4_2_typ_is_compared_as_media_types_are(here: Tenant, typ: str) -> None:
    good(get(headers={"typ": typ}))


@pytest.mark.parametrize("typ", ["JWT", "at+jwt", "dpop", "", None, 7, ["dpop+jwt"], ...])
def test_4_2_tk07_another_typ(here: Tenant, typ: Any) -> None:
    bad(KEY.raw({"typ": typ, "jwk": KEY.jwk} if typ is not ... else {"jwk": KEY.jwk}, {}), "dpop.typ")


@pytest.mark.parametrize("alg", ["none", "None", "HS256", "RS256", "ES384", "", None, 5, ["ES256"]])
def test_dp04_another_alg(here: Tenant, alg: Any) -> None:
    bad(KEY.raw({"typ": "dpop+jwt", "jwk": KEY.jwk, "alg": alg}, {}), "dpop.alg")


def test_dp04_rs256_is_no_alg_for_proofs(here: Tenant) -> None:
    bad(Key(RSA, "RS256").proof(PLACE, "GET"), "dpop.alg")


def test_dp04_hs256_under_the_public_key_and_an_octet_key(here: Tenant) -> None:
    for jwk in (KEY.jwk, {"kty": "oct", "k": b64(b"k" * 32)}):
        head = b64(json.dumps({"typ": "dpop+jwt", "alg": "HS256", "jwk": jwk}).encode())
        signed = f"{head}.{b64(b'{}')}"
        mac = hmac.digest(json.dumps(jwk).encode(), signed.encode(), hashlib.sha256)
        bad(f"{signed}.{b64(mac)}", "dpop.alg")


def private(key: Key) -> dict[str, Any]:
    return dict(KINDS[key.alg].to_jwk(key.private, as_dict=True))


@pytest.mark.parametrize("key", [KEY, Key(RSA, "PS256"), Key(ED, "EdDSA")], ids=lambda key: key.alg)
def test_dp04_a_private_key_in_the_header(here: Tenant, key: Key) -> None:
    bad(key.proof(PLACE, "GET", headers={"jwk": private(key)}), "dpop.jwk")


SMALL = {"kty": "OKP", "crv": "Ed25519", "x": b64(bytes(32))}


@pytest.mark.parametrize(
    "jwk",
    [
        ..., None, 7, "x", [], {}, {"kty": "oct", "k": "AAAA"}, {"kty": "EC"}, {"kty": ["EC"], "crv": "P-256"},
        {**KEY.jwk, "x": KEY.jwk["x"] + "="}, {**KEY.jwk, "x": KEY.jwk["y"]}, {**KEY.jwk, "crv": "P-384"},
        {**KEY.jwk, "use": "enc"}, {**KEY.jwk, "key_ops": ["sign"]}, {**KEY.jwk, "alg": "ES384"}, SMALL,
        {"kty": "RSA", "n": b64(b"\xff" * 128), "e": "AQAB"}, Key().jwk,
    ],
)  # fmt: skip
def test_4_3_another_jwk(here: Tenant, jwk: Any) -> None:
    head = {"typ": "dpop+jwt", **({} if jwk is ... else {"jwk": jwk})}
    claims = {"jti": "j", "htm": "GET", "htu": PLACE, "iat": clock.epoch()}
    bad(KEY.raw(head, claims))


@pytest.mark.parametrize("name", ["jti", "htm", "htu", "iat"])
def test_4_3_what_has_to_be_there(here: Tenant, name: str) -> None:
    bad(get(**{name: ...}), f"dpop.{name}")


def test_4_3_dp05_ath_has_to_be_there_with_a_token(here: Tenant) -> None:
    good(get(token="a-token"), token="a-token")
    for ath in (..., "", None, 7, ["x"], b64(b"x" * 32), "\u00e4"):
        bad(get(token="a-token", ath=ath), "dpop.ath", token="a-token")


@pytest.mark.parametrize("jti", ["", None, 7, ["x"], "x" * 257])
def test_4_2_jti_is_a_text(here: Tenant, jti: Any) -> None:
    bad(get(jti=jti))


@pytest.mark.parametrize("htm", ["get", "POST", "GET ", "", None, 1, ["GET"]])
def test_dp02_another_method(here: Tenant, htm: Any) -> None:
    bad(get(htm=htm), "dpop.htm")


@pytest.mark.parametrize(
    "htu",
    [
        "https://resource.example.org/other", "https://resource.example.org/protectedresource/",
        "http://resource.example.org/protectedresource", "https://resource.example.org:8443/protectedresource",
        "https://evil.example/protectedresource", "https://resource.example.org.evil.example/protectedresource",
        "https://resource.example.org@evil.example/protectedresource", "//resource.example.org/protectedresource",
        "https://user@resource.example.org/protectedresource", "https:resource.example.org/protectedresource",
        "https://resource.example.org\\@evil.example/protectedresource", "/protectedresource",
        "https://resource.example.org/x/../protectedresource", "https://resource.example.org/ProtectedResource",
        "https://resource.example.org/protected\tresource", " " + PLACE, PLACE + " ", PLACE + "\n", "", None, 5,
        [PLACE], {"htu": PLACE}, PLACE + "%2f", "https://[resource.example.org/protectedresource", PLACE + "x" * 3_000,
    ],
)  # fmt: skip
def test_dp02_another_address(here: Tenant, htu: Any) -> None:
    bad(get(htu=htu), "dpop.htu")


@pytest.mark.parametrize(
    "htu",
    [
        PLACE + "?a=b", PLACE + "#f", PLACE + "?", "HTTPS://Resource.Example.ORG/protectedresource",
        "https://resource.example.org:443/protectedresource", "https://resource.example.org:/protectedresource",
        "https://resource.example.org/%70rotected%72esource", "https://resource.exampl%65.org/protectedresource",
    ],
)  # fmt: skip
def test_dp02_another_spelling_of_the_same(here: Tenant, htu: str) -> None:
    good(get(htu=htu))


def test_3986_6_2_what_must_be_escaped_stays_so_in_capitals() -> None:
    assert normalised("http://h:80") == normalised("HTTP://H/") == "http://h/"
    assert normalised("https://h/a%2fb") == normalised("https://h/a%2Fb") != normalised("https://h/a/b")
    assert normalised("https://h/%7e") == "https://h/~"


@pytest.mark.parametrize("away", [-60, -16, 16, 60, 3_600, -3_600])
def test_dp03_too_old_or_ahead(here: Tenant, frozen: Any, away: int) -> None:
    with frozen("2030-01-01"):
        bad(get(iat=clock.epoch() + away), "dpop.iat")


@pytest.mark.parametrize("away", [-15, -10, 0, 10, 15])
def test_dp03_clocks_that_differ_by_some_seconds(here: Tenant, frozen: Any, away: int) -> None:
    with frozen("2030-01-01"):
        good(get(iat=clock.epoch() + away, nbf=clock.epoch() + away, exp=clock.epoch() + 60))


@pytest.mark.parametrize("iat", [None, "1", 1.5, True, -1, 10**13, float("inf"), float("nan")])
def test_tk11_iat_is_a_whole_number(here: Tenant, iat: Any) -> None:
    bad(get(iat=iat))


def test_exp_and_nbf_count_where_they_are(here: Tenant) -> None:
    bad(get(exp=clock.epoch() - 60), "dpop.exp")
    bad(get(nbf=clock.epoch() + 60), "dpop.nbf")


def test_4_2_members_that_are_not_known_are_left_alone(here: Tenant) -> None:
    good(get(extra={"a": [1]}, headers={"kid": "k", "x": 1}))


def test_tk09_tk12_tk13_other_forms(here: Tenant) -> None:
    proof = get()
    head, body, signature = proof.split(".")
    twice = b64(b'{"jti":"a","jti":"b","htm":"GET","htu":"' + PLACE.encode() + b'","iat":1}')
    for text in (
        "", ".", "..", "a.b", f"{head}.{body}", f"{head}.{body}.", f"{head}.{body}.{signature}.", f"{proof},{get()}",
        f"{proof}, {get()}", proof + "=", f"{head}.{twice}.{signature}", "x" * 9_000,
        f"{b64(b'[]')}.{body}.{signature}", "\u00e4.b.c",
        KEY.raw({"typ": "dpop+jwt", "jwk": KEY.jwk, "crit": ["exp"]}, {}),
    ):  # fmt: skip
        bad(text)


TEXT = st.text(max_size=40)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
ONCE = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@ONCE
@given(
    st.fixed_dictionaries({}, optional=dict.fromkeys(("typ", "alg", "jwk", "kid", "crit"), JSON)),
    st.fixed_dictionaries(
        {}, optional=dict.fromkeys(("jti", "htm", "htu", "iat", "ath", "nonce", "exp"), JSON)
    ),
)
def test_whatever_a_proof_says_the_answer_is_a_refusal(here: Tenant, head: Any, claims: Any) -> None:
    base = {"typ": "dpop+jwt", "jwk": KEY.jwk}
    honest = {"jti": "j", "htm": "GET", "htu": PLACE, "iat": clock.epoch()}
    for text in (
        KEY.raw({**base, **head}, claims),
        KEY.raw(base, {**honest, **claims}),
        KEY.raw(head, honest),
    ):
        try:
            seen = good(text)
        except Refusal as refusal:
            assert refusal.code in ("invalid_dpop_proof", "use_dpop_nonce")
        else:
            assert seen.claims["htm"] == "GET" and normalised(seen.claims["htu"]) == PLACE


@ONCE
@given(st.binary(max_size=200), st.integers(0, 2))
def test_whatever_bytes_stand_in_a_part(here: Tenant, junk: bytes, number: int) -> None:
    pieces = get().split(".")
    pieces[number] = b64(junk)
    bad(".".join(pieces))


@ONCE
@given(st.text(max_size=300))
def test_whatever_text_is_sent(here: Tenant, text: str) -> None:
    bad(text)


def test_dp01_after_a_redis_that_came_back_empty(here: Tenant, services: Any) -> None:
    """DP01 by its mechanism: see the tests by HTTP for the race."""
    seen = good(get())
    dpop.once(seen)
    with Redis.from_url(services.redis.url(OPERATOR)) as redis:
        redis.flushall()
    with pytest.raises(dpop.InvalidDpopProof):
        dpop.once(seen)


def test_dp01_other_processes_know(here: Tenant) -> None:
    seen = good(get())
    dpop.once(seen)
    dpop.forget()  # as another process, which has seen nothing
    with pytest.raises(dpop.InvalidDpopProof):
        dpop.once(seen)


def test_dp01_a_jti_is_of_its_key_and_tenant(here: Tenant) -> None:
    other = Key()
    for key in (KEY, other):
        dpop.once(good(key.proof(PLACE, "GET", jti="the same")))
    with pytest.raises(dpop.InvalidDpopProof):
        dpop.once(good(other.proof(PLACE, "GET", jti="the same")))


def test_dp01_the_same_key_and_jti_at_the_twin(acme: Tenant, globex: Tenant) -> None:
    proof = get()
    for tenant in (acme, globex):
        with entered(tenant):
            dpop.once(good(proof))


def test_dp01_while_redis_is_away_and_when_it_is_back(here: Tenant, services: Any) -> None:
    first, second = good(get()), good(get())
    with Redis.from_url(services.redis.url(OPERATOR)) as redis:
        for _ in range(vault.FAILURES):
            vault.breaker().failed()
        try:
            assert vault.breaker().open
            dpop.once(first)
            dpop.forget()
            with pytest.raises(dpop.InvalidDpopProof):
                dpop.once(first)
        finally:
            vault.breaker().succeeded()
        assert redis.ping() and not vault.breaker().open
        dpop.forget()
        with pytest.raises(dpop.InvalidDpopProof):
            dpop.once(first)
        dpop.once(second)


def test_8_nonces_are_taken_for_two_periods_and_by_a_node_that_is_behind(acme: Tenant, frozen: Any) -> None:
    with frozen("2030-01-01T00:00:00Z") as now, entered(policy(acme, require_dpop_nonce=True)):
        first = nonces.fresh()
        good(get(nonce=first))
        now.tick(nonces.PERIOD)
        second = nonces.fresh()
        assert first != second and nonces.good(first) and nonces.good(second)
        now.tick(-1)
        assert nonces.good(second)  # a node whose clock is a second behind
        now.tick(-30)
        assert not nonces.good(second)
        now.tick(31 + nonces.PERIOD)
        assert not nonces.good(first)


def test_8_a_ring_that_changes_takes_the_nonces_of_before(acme: Tenant) -> None:
    before = ring.ring()
    with entered(acme):
        old = nonces.fresh()
        try:
            ring.use(ring.added(before))
            assert nonces.fresh() != old and nonces.good(old)
        finally:
            ring.use(before)


def test_elliptic_curves_of_other_names(here: Tenant) -> None:
    other = Key(ec.generate_private_key(ec.SECP384R1()), "ES256")
    jwk = {**other.jwk, "crv": "P-256"}
    claims = {"jti": "j", "htm": "GET", "htu": PLACE, "iat": clock.epoch()}
    bad(KEY.raw({"typ": "dpop+jwt", "jwk": jwk}, claims))
