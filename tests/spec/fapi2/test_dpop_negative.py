"""fapi2-security-profile-final-dpop-negative-tests: what a resource refuses of proofs, and what it takes."""

import hashlib
import time
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from idp import ids
from idp.tenants import Tenant
from tests.spec.fapi2.driving import Fapi
from tests.spec.rfc9449.proving import Key, b64

RSA = rsa.generate_private_key(65537, 2048)


@pytest.fixture
def bound(app: Any, acme: Tenant) -> tuple[Fapi, str]:
    """A client of the profile, and a token of its own."""
    one = Fapi(app, acme, "first").registered()
    return one, str(one.tokens()["access_token"])


def ask(one: Fapi, token: str, *proofs: str, scheme: str = "DPoP", header: str = "DPoP") -> Any:
    """The answer of userinfo to these headers."""
    sent = [("Authorization", f"{scheme} {token}"), *((header, proof) for proof in proofs)]
    return one.app.test_client().get(f"/t/{one.tenant.slug}/userinfo", headers=sent)


def test_dpop_negative_tests(bound: tuple[Fapi, str]) -> None:
    one, token = bound
    key, place = one.holds, one.at("userinfo")

    def proof(**changes: Any) -> str:
        return key.proof(place, "GET", **{"token": token, **changes})

    private = key.private.private_numbers().private_value.to_bytes(32)  # type: ignore[union-attr]
    now, claims = int(time.time()), {"jti": "j", "htm": "GET", "htu": place, "iat": int(time.time())}
    whole = {**claims, "ath": b64(hashlib.sha256(token.encode()).digest())}
    head, body, _ = proof().split(".")
    unsigned = b64(b'{"typ":"dpop+jwt","alg":"none"}')
    wrong = {
        "malformed": "x.y.z",
        "no typ": proof(headers={"typ": ...}),
        "no alg": key.raw({"typ": "dpop+jwt", "jwk": key.jwk, "alg": None}, whole),
        "no jwk": key.raw({"typ": "dpop+jwt"}, whole),
        **{f"no {name}": proof(**{name: ...}) for name in ("jti", "htm", "htu", "iat", "ath")},
        "wrong typ": proof(headers={"typ": "JWT"}),
        "RS256": Key(RSA, "RS256").proof(place, "GET", token=token),
        "none": f"{unsigned}.{body}.",
        "bad signature": f"{head}.{body}.{b64(bytes(64))}",
        "private key": key.raw({"typ": "dpop+jwt", "jwk": {**key.jwk, "d": b64(private)}}, whole),
        "wrong htm": proof(htm="POST"),
        "wrong htu": proof(htu=one.at("token")),
        "an hour ago": proof(iat=now - 3_600),
        "in an hour": proof(iat=now + 3_600),
        "wrong ath": proof(ath=b64(hashlib.sha256(b"another").digest())),
        "another key": Key().proof(place, "GET", token=token),
    }  # fmt: skip
    for what, text in wrong.items():
        answer = ask(one, token, text)
        assert answer.status_code in (400, 401), (what, answer.get_data(as_text=True))
        assert answer.headers["WWW-Authenticate"].startswith("DPoP "), what
    assert ask(one, token).status_code == 401, "no proof"
    assert ask(one, token, proof(), proof()).status_code in (400, 401), "two headers"
    assert ask(one, token, proof(), scheme="Bearer").status_code == 401, "downgraded"
    once = proof(jti=ids.secret())
    assert [ask(one, token, once).status_code for _ in range(2)] == [200, 401]
    assert ask(one, token, proof()).status_code == 200


def test_dpop_negative_tests_what_is_taken(bound: tuple[Fapi, str]) -> None:
    one, token = bound
    place = one.at("userinfo")
    scheme, _, rest = place.partition("://")
    host, _, path = rest.partition("/")
    port = {"http": ":80", "https": ":443"}[scheme]
    spelled = [f"{place}?a=b", f"{place}#part", f"{scheme.upper()}://{host.upper()}/{path}"]
    spelled += [f"{scheme}://{host}{port}/{path}"] if ":" not in host else []
    for htu in spelled:
        assert ask(one, token, one.holds.proof(htu, "GET", token=token)).status_code == 200, htu
    more = one.holds.proof(place, "GET", token=token, extra={"a": [1]}, headers={"x": "y"})
    assert ask(one, token, more).status_code == 200
    assert ask(one, token, one.holds.proof(place, "GET", token=token), header="DPOP").status_code == 200
