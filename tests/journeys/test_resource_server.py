"""examples/resource_server: a service that takes bound tokens from whoever they are bound to, and from nobody else."""

import base64
import hashlib
import importlib
import json
import sys
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
import requests

from idp.app import create_app
from idp.config import Settings
from idp.tenants import Tenant
from tests.attacks.acting import change
from tests.attacks.factoring import with_app
from tests.playing import relying_party
from tests.running import TOP
from tests.spec.rfc8705.certifying import PEER, PROXY, Shown, certificate
from tests.spec.rfc8705.certifying import SECRET as THEIRS
from tests.spec.rfc9449.proving import Key, Prover

SERVICE, AUDIENCE, SECRET = "https://orders.example", "https://api.example.com", "s" * 40
MINE, OTHER = certificate(), certificate("CN=thief")


@pytest.fixture
def service(app: Any, acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The example, which asks the application of this process for the issuer's documents."""
    given = {"IDP_ISSUER": acme.issuer, "AUDIENCE": AUDIENCE, "SERVICE_URL": SERVICE, "TENANT": "acme",
             "CLIENT_CERTIFICATE_SECRET": SECRET}  # fmt: skip
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    monkeypatch.syspath_prepend(str(TOP / "examples" / "resource_server"))

    class Answer:
        def __init__(self, path: str) -> None:
            self.body = app.test_client().get(path.removeprefix("http://localhost")).get_json()

        def json(self) -> Any:
            return self.body

        def raise_for_status(self) -> None:
            assert self.body

    monkeypatch.setattr(requests, "get", lambda url, timeout: Answer(url))
    try:
        yield importlib.import_module("app").app.test_client()
    finally:
        for name in ("app", "binding", "refusals"):
            sys.modules.pop(name, None)


@pytest.fixture
def nightly(app: Any, acme: Tenant) -> Prover:
    return Prover(relying_party(app, acme, "nightly"))


def issued(prover: Prover, *, bound: bool = True) -> str:
    """A token of the service `nightly`, for the API."""
    headers = prover.headers() if bound else {}
    answer = prover.rp.post(
        "token", {"grant_type": "client_credentials", "scope": "orders.read"}, headers=headers
    )
    return str(answer.get_json()["access_token"])


def ordered(service: Any, token: str, scheme: str, **headers: str) -> int:
    answer = service.get("/orders", headers={"Authorization": f"{scheme} {token}", **headers})
    assert answer.status_code == 200 or 'algs="ES256 PS256 EdDSA"' in answer.headers["WWW-Authenticate"]
    return int(answer.status_code)


def test_a_plain_token_is_taken_as_before(service: Any, nightly: Prover) -> None:
    token = issued(nightly, bound=False)
    assert ordered(service, token, "Bearer") == 200
    assert (
        ordered(service, token, "DPoP", DPoP=nightly.key.proof(f"{SERVICE}/orders", "GET", token=token))
        == 401
    )
    assert ordered(service, token, "Basic") == ordered(service, "x", "Bearer") == 401


def test_a_token_that_is_not_for_it_opens_nothing(
    app: Any, service: Any, nightly: Prover, acme: Tenant, globex: Tenant
) -> None:
    """Of another tenant, of another kind, for another service, with another's name in it, or no longer whole."""
    good = issued(nightly, bound=False)
    assert ordered(service, good, "Bearer") == 200
    head, body, signature = good.split(".")
    told = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    forged = base64.urlsafe_b64encode(json.dumps(told | {"tenant": "globex"}).encode()).decode().rstrip("=")
    none = base64.urlsafe_b64encode(b'{"alg":"none","typ":"at+jwt"}').decode().rstrip("=")
    rp = relying_party(app, acme)
    tokens = rp.exchange(rp.authorize().login("alice").code)
    for wrong in (
        issued(Prover(relying_party(app, globex, "nightly")), bound=False),
        tokens["id_token"],
        f"{head}.{forged}.{signature}",
        f"{none}.{body}.",
        f"{none}.{body}.{signature}",
        good[:-6] + "AAAAAA",
        good + "A",
        "",
    ):
        assert ordered(service, wrong, "Bearer") == 401, wrong[:40]
    others = relying_party(app, acme)
    theirs = others.exchange(others.authorize(scope="openid profile").login("alice").code)["access_token"]
    assert ordered(service, theirs, "Bearer") == 401, "a token for the issuer alone is none for the service"


def test_a_token_that_is_over_opens_nothing(service: Any, nightly: Prover, frozen: Any) -> None:
    with frozen() as clock:
        token = issued(nightly, bound=False)
        assert ordered(service, token, "Bearer") == 200
        clock.tick(700)
        assert ordered(service, token, "Bearer") == 401


def test_a_token_that_a_key_binds(service: Any, nightly: Prover) -> None:
    token = issued(nightly)

    def proof(key: Key = nightly.key, place: str = f"{SERVICE}/orders", **changes: Any) -> str:
        return key.proof(place, changes.pop("method", "GET"), token=changes.pop("token", token), **changes)

    once = proof()
    assert ordered(service, token, "DPoP", DPoP=once) == 200
    assert ordered(service, token, "DPoP", DPoP=once) == 401
    assert ordered(service, token, "Bearer") == ordered(service, token, "DPoP") == 401
    wrong = [
        proof(Key()), proof(place="https://other.example/orders"), proof(method="POST"), proof(token="another"),
        proof(iat=int(time.time()) - 60), proof(iat="x"), proof(iat=...), proof(jti=...), proof(ath=...),
        proof(headers={"typ": "JWT"}), proof(headers={"jwk": ...}), proof(headers={"jwk": {"kty": "oct", "k": "AA"}}),
        "x", "a.b.c", once[:-4] + "AAAA",
    ]  # fmt: skip
    assert {ordered(service, token, "DPoP", DPoP=each) for each in wrong} == {401}
    assert ordered(service, token, "DPoP", DPoP=proof()) == 200


def test_a_token_that_a_certificate_binds(
    service: Any, nightly: Prover, acme: Tenant, vault: Settings
) -> None:
    change(acme, "nightly", tls_client_certificate_bound_access_tokens=True)
    mine = vault.with_(trusted_proxies=(PROXY,), client_certificate_secret=THEIRS)
    form = {"grant_type": "client_credentials", "scope": "orders.read"}
    pair = base64.b64encode(f"nightly:{nightly.rp.secret}".encode()).decode()
    headers = {"Authorization": f"Basic {pair}", **MINE.headers}
    answer = (
        create_app(mine).test_client().post("/t/acme/token", data=form, headers=headers, environ_base=PEER)
    )
    token = str(answer.get_json()["access_token"])

    def sent(shown: Shown, secret: str = SECRET) -> dict[str, str]:
        return {"X-Client-Certificate": f"{secret} {quote(shown.pem)}"}

    der = base64.b64decode(MINE.der)
    assert MINE.thumbprint == base64.urlsafe_b64encode(hashlib.sha256(der).digest()).rstrip(b"=").decode()
    assert ordered(service, token, "Bearer", **sent(MINE)) == 200
    for headers in (
        {},
        sent(OTHER),
        sent(MINE, "x" * 40),
        {"X-Client-Cert": sent(MINE)["X-Client-Certificate"]},
    ):
        assert ordered(service, token, "Bearer", **headers) == 401


@pytest.fixture
def asking(monkeypatch: pytest.MonkeyPatch) -> None:
    """The service asks for two factors, and for a sign-in of the last minute."""
    monkeypatch.setenv("ACR_VALUES", "2")
    monkeypatch.setenv("MAX_AGE", "60")


@pytest.mark.usefixtures("asking")
def test_9470_a_better_sign_in_is_asked_for(service: Any, app: Any, acme: Tenant) -> None:
    rp = relying_party(app, acme)
    token = rp.exchange(rp.authorize(scope="openid orders.read").login("alice").code)["access_token"]
    answer = service.get("/orders", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 401 and answer.get_json()["error"] == "insufficient_user_authentication"
    assert 'acr_values="2", max_age="60"' in answer.headers["WWW-Authenticate"]
    browser = rp.browser()
    mine = with_app(acme)
    page = rp.authorize(browser, scope="openid orders.read", acr_values="2", max_age="60").login("alice")
    better = rp.exchange(page.submit(code=mine.code(), action="verify").code)["access_token"]
    assert service.get("/orders", headers={"Authorization": f"Bearer {better}"}).status_code == 200
