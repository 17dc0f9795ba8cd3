"""private_key_jwt: an assertion is by the client, for this issuer, for now, and used once."""

import time
from typing import Any

import jwt as pyjwt
import pytest

from idp.memory import Recent
from idp.oauth import client_auth
from idp.tenants import Tenant
from tests.attacks.acting import at_once, change, client, events, refused
from tests.attacks.assertions import EC, OTHER, RSA, TYPE, assertion, basic, present, public

ENDPOINTS = ("token", "introspect", "revoke")


@pytest.fixture
def signer(acme: Tenant) -> Tenant:
    """Acme with the client `signer`, which authenticates by private_key_jwt with an EC key."""
    client(
        acme,
        "signer",
        token_endpoint_auth_method="private_key_jwt",
        grant_types=["client_credentials"],
        redirect_uris=[],
        scope="things",
        jwks={"keys": [public(EC, "e")]},
    )
    return acme


def test_ca08_rc05_an_assertion_is_used_once(app: Any, signer: Tenant) -> None:
    jwt = assertion(signer)
    assert present(app, signer, jwt).status_code == 200
    for endpoint in ENDPOINTS:
        refused(present(app, signer, jwt, endpoint), "invalid_client", 401)
    same = assertion(signer, jti="one")
    assert present(app, signer, same, "revoke").status_code == 200
    refused(
        present(app, signer, assertion(signer, jti="one", iat=int(time.time()) - 1)), "invalid_client", 401
    )


def test_ca08_rc05_of_equal_assertions_at_once_one_wins(app: Any, signer: Tenant) -> None:
    jwt = assertion(signer)
    statuses = [answer.status_code for answer in at_once(16, lambda _: present(app, signer, jwt))]
    assert sorted(statuses) == [200] + [401] * 15


def times(**offsets: int) -> dict[str, int]:
    return {name: int(time.time()) + offset for name, offset in offsets.items()}


@pytest.mark.parametrize(
    "changes",
    [
        {"exp": ...},
        {"exp": "9999999999"},
        {"exp": True},
        {"exp": -60},
        {"exp": 330},
        {"iat": 60},
        {"nbf": 60},
        {"iss": "web"},
        {"sub": "web"},
        {"iss": ...},
        {"sub": ...},
        {"jti": ...},
        {"jti": ""},
        {"jti": "j" * 300},
        {"jti": 1},
        {"aud": ...},
        {"aud": "http://localhost/t/globex"},
        {"aud": []},
        {"aud": "http://localhost"},
        {"aud": "http://localhost/t/acme/"},
        {"iss": "signer", "sub": "signer\x00"},
        {"aud": [1]},
        {"sub": ["signer"]},
        {"iss": ["signer"]},
    ],
)
def test_ca10_an_assertion_is_by_us_for_here_and_now(
    app: Any, signer: Tenant, changes: dict[str, Any]
) -> None:
    moved = {
        name: value + int(time.time()) if name in {"exp", "iat", "nbf"} and type(value) is int else value
        for name, value in changes.items()
    }
    refused(present(app, signer, assertion(signer, **moved)), "invalid_client", 401)


@pytest.mark.parametrize("offsets", [{"iat": 10, "exp": 60}, {"nbf": 10}, {"exp": -10}, {"exp": 290}])
def test_ca10_ten_seconds_of_skew_are_nothing(app: Any, signer: Tenant, offsets: dict[str, int]) -> None:
    assert present(app, signer, assertion(signer, **times(**offsets))).status_code == 200


def test_ca10_an_assertion_of_the_other_tenants_twin_is_not_ours(
    app: Any, signer: Tenant, globex: Tenant
) -> None:
    client(
        globex,
        "signer",
        token_endpoint_auth_method="private_key_jwt",
        grant_types=["client_credentials"],
        redirect_uris=[],
        scope="things",
        jwks={"keys": [public(OTHER, "e")]},
    )
    refused(present(app, signer, assertion(globex, OTHER)), "invalid_client", 401)
    refused(present(app, signer, assertion(signer, OTHER)), "invalid_client", 401)
    refused(present(app, globex, assertion(globex, EC)), "invalid_client", 401)
    assert present(app, globex, assertion(globex, OTHER)).status_code == 200


def test_ca10_the_token_endpoint_is_an_audience_by_an_operators_setting_alone(
    app: Any, signer: Tenant
) -> None:
    endpoint = f"{signer.issuer}/token"
    refused(present(app, signer, assertion(signer, aud=endpoint)), "invalid_client", 401)
    change(signer, "signer", assertion_for_token_endpoint=True)
    assert present(app, signer, assertion(signer, aud=endpoint)).status_code == 200
    assert present(app, signer, assertion(signer, aud=[signer.issuer])).status_code == 200


def test_ca11_the_algorithm_and_the_key_are_the_clients(app: Any, signer: Tenant) -> None:
    bad = [
        pyjwt.encode({"iss": "signer"}, None, algorithm="none"),
        assertion(signer, "s" * 64, "HS256"),
        assertion(signer, RSA, "RS256", {"kid": "enc"}),
        assertion(signer, EC, "ES256", {"kid": "x"}),
        assertion(signer, OTHER),
        assertion(signer, RSA, "RS256"),
        assertion(signer)[:-4] + "AAAA",
        assertion(signer).rsplit(".", 1)[0] + ".",
        "",
        "x",
        "a.b.c",
    ]
    for jwt in bad:
        assert present(app, signer, jwt).status_code in {400, 401}, jwt
        assert present(app, signer, jwt).get_json()["error"] in {"invalid_client"}, jwt
    change(signer, "signer", token_endpoint_auth_signing_alg="PS256")
    refused(present(app, signer, assertion(signer)), "invalid_client", 401)


@pytest.mark.parametrize(
    "kind", [None, "", "x", TYPE.upper(), "urn:ietf:params:oauth:client-assertion-type:saml2-bearer"]
)
def test_ca11_the_kind_of_assertion_is_named(app: Any, signer: Tenant, kind: str | None) -> None:
    refused(present(app, signer, assertion(signer), client_assertion_type=kind), "invalid_client", 401)


def test_ca12_credentials_of_two_kinds_are_none(app: Any, acme: Tenant, signer: Tenant) -> None:
    secret = "acme-web-secret-0123456789-0123456789"
    http, jwt = app.test_client(), assertion(signer)
    for form, headers in (
        ({"client_assertion": "x", "client_assertion_type": TYPE}, basic("web", secret)),
        (
            {
                "client_assertion": jwt,
                "client_assertion_type": TYPE,
                "client_secret": secret,
                "client_id": "web",
            },
            {},
        ),
        ({"client_secret": secret, "client_id": "web"}, basic("web", secret)),
        ({"client_id": "asks"}, basic("web", secret)),
    ):
        refused(
            http.post("/t/acme/token", data={"grant_type": "client_credentials", **form}, headers=headers),
            "invalid_request",
        )
    refused(present(app, signer, jwt, client_id="web"), "invalid_request")
    assert present(app, signer, jwt, client_id="signer").status_code == 200


@pytest.mark.parametrize("kind", ["client-authentication+jwt", "JWT", "jwt"])
def test_ca10_an_assertion_may_say_what_it_is(app: Any, signer: Tenant, kind: str) -> None:
    assert present(app, signer, assertion(signer, headers={"typ": kind})).status_code == 200
    refused(present(app, signer, assertion(signer, headers={"typ": "at+jwt"})), "invalid_client", 401)


def test_ca08_a_replay_and_a_wrong_key_are_recorded(
    app: Any, signer: Tenant, database: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_auth, "_recorded", Recent(10))
    jwt = assertion(signer)
    assert present(app, signer, jwt).status_code == 200
    refused(present(app, signer, jwt), "invalid_client", 401)
    assert events(database, signer, "assertion.replayed") == 1
    for _ in range(3):
        refused(present(app, signer, assertion(signer, OTHER)), "invalid_client", 401)
    assert events(database, signer, "client.authentication_failed") == 1
    refused(present(app, signer, assertion(signer, sub="nobody", iss="nobody")), "invalid_client", 401)
    assert events(database, signer, "client.authentication_failed") == 1
