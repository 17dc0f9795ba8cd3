"""Grants: which there are, for whom, and that every one of them hears at once what has ended."""

from typing import Any

import pytest

from idp import directory
from idp.errors import InvalidClientMetadata
from idp.store.durable import grants
from idp.tenants import Tenant, entered
from tests.attacks.acting import client, events, party, refused
from tests.playing import relying_party

PERSONAL = [
    "openid",
    "offline_access",
    "profile",
    "email",
    "address",
    "phone",
    "groups",
    "roles",
    "openid orders.read",
]


@pytest.mark.parametrize(
    "kind",
    [
        "password",
        "implicit",
        "PASSWORD",
        "x",
        "authorization_code ",
        "refresh_token,password",
    ],
)
def test_tx07_there_is_no_grant_for_passwords_nor_any_unknown_one(app: Any, acme: Tenant, kind: str) -> None:
    for client_id in ("web", "nightly"):
        answer = relying_party(app, acme, client_id).post(
            "token",
            {
                "grant_type": kind,
                "username": "alice",
                "password": "correct horse battery staple",
                "scope": "openid",
            },
        )
        refused(answer, "unsupported_grant_type")
    document = app.test_client().get("/t/acme/.well-known/openid-configuration").get_json()
    assert set(document["grant_types_supported"]) == {
        "authorization_code",
        "refresh_token",
        "client_credentials",
        "urn:ietf:params:oauth:grant-type:device_code",
        "urn:ietf:params:oauth:grant-type:token-exchange",
        "urn:openid:params:grant-type:ciba",
        "urn:ietf:params:oauth:grant-type:jwt-bearer",
    }


def test_tx07_no_client_can_be_registered_for_it(acme: Tenant) -> None:
    for kind in ("password", "implicit"):
        with pytest.raises(InvalidClientMetadata):
            client(acme, "old", grant_types=[kind])


@pytest.mark.parametrize("scope", PERSONAL)
def test_tx08_a_client_alone_has_nothing_personal(app: Any, acme: Tenant, scope: str) -> None:
    nightly = relying_party(app, acme, "nightly")
    refused(nightly.post("token", {"grant_type": "client_credentials", "scope": scope}), "invalid_scope")


def test_tx08_its_token_is_its_own(app: Any, acme: Tenant, database: Any) -> None:
    both = party(
        app,
        acme,
        client(
            acme,
            "both",
            secret="b" * 43,
            scope="openid profile things offline_access",
            grant_types=["authorization_code", "refresh_token", "client_credentials"],
        ),
        "b" * 43,
    )
    body = both.post("token", {"grant_type": "client_credentials"}).get_json()
    assert set(body) == {"access_token", "token_type", "expires_in", "scope"} and body["scope"] == "things"
    claims = both.verified(body["access_token"], acme.issuer)
    assert claims["sub"] == claims["client_id"] == "both" and "auth_time" not in claims
    assert both.userinfo(body["access_token"]).status_code == 401
    assert database("SELECT count(*) FROM refresh_tokens")[0][0] == 0


@pytest.mark.parametrize("scope", ["nothing known", "orders.read\u00e9", '"', "web"])
def test_tx08_unknown_scopes_alone_are_none(app: Any, acme: Tenant, scope: str) -> None:
    nightly = relying_party(app, acme, "nightly")
    refused(nightly.post("token", {"grant_type": "client_credentials", "scope": scope}), "invalid_scope")


def test_tx08_a_scope_of_an_api_that_is_closed_to_the_client_is_refused(app: Any, acme: Tenant) -> None:
    web = party(
        app,
        acme,
        client(
            acme,
            "closed",
            secret="c" * 43,
            grant_types=["client_credentials"],
            redirect_uris=[],
            scope="things",
        ),
        "c" * 43,
    )
    refused(web.post("token", {"grant_type": "client_credentials", "scope": "orders.read"}), "invalid_scope")
    refused(
        web.post("token", {"grant_type": "client_credentials", "resource": "https://api.example.com"}),
        "invalid_target",
    )


def test_a_grant_that_a_client_has_not_is_refused(app: Any, acme: Tenant) -> None:
    refused(
        relying_party(app, acme).post("token", {"grant_type": "client_credentials"}), "unauthorized_client"
    )
    refused(relying_party(app, acme, "nightly").refresh("x"), "unauthorized_client")
    refused(relying_party(app, acme, "nightly").redeem("x"), "unauthorized_client")
    refused(
        relying_party(app, acme, "spa").post("token", {"grant_type": "client_credentials"}),
        "invalid_client",
        401,
    )


@pytest.mark.parametrize("step", ["redeem", "refresh", "userinfo", "introspect"])
def test_rc13_a_client_that_is_off_is_noticed_though_memory_still_knows_it(
    app: Any, acme: Tenant, database: Any, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    rp = relying_party(app, acme)
    tokens, code = rp.sign_in(), rp.authorize().login("alice").code
    with entered(acme):
        stale = {"web": directory.client("web")}
    database(
        "UPDATE clients SET status = 'suspended' WHERE tenant_id = %s AND client_id = 'web'", str(acme.id)
    )
    monkeypatch.setattr(directory, "client", stale.get)
    if step == "redeem":
        refused(rp.redeem(code), "invalid_grant")
        assert events(database, acme, "code.burned") == 1
    elif step == "refresh":
        refused(rp.refresh(tokens["refresh_token"]), "invalid_grant")
    elif step == "userinfo":
        assert rp.userinfo(tokens["access_token"]).status_code == 401
    else:
        assert (
            rp.introspect(tokens["access_token"])
            == rp.introspect(tokens["refresh_token"])
            == {"active": False}
        )


def test_tn01_the_twin_of_a_client_does_not_stand_for_it(twins: tuple[Tenant, Tenant]) -> None:
    acme, globex = twins
    with entered(acme):
        ours = directory.client("web")
        assert ours is not None and grants.client_stands(ours.id)
    with entered(globex):
        assert not grants.client_stands(ours.id)


@pytest.mark.parametrize("endpoint", ["userinfo", "introspect"])
def test_tk23_a_token_of_a_session_that_ended_is_dead_here(
    app: Any, acme: Tenant, database: Any, endpoint: str
) -> None:
    rp = relying_party(app, acme)
    token = rp.sign_in(scope="openid")["access_token"]
    assert rp.userinfo(token).status_code == 200 and rp.introspect(token)["active"]
    database("UPDATE sessions SET ended_at = now(), end_reason = 'test' WHERE tenant_id = %s", str(acme.id))
    if endpoint == "userinfo":
        assert rp.userinfo(token).status_code == 401
    else:
        assert rp.introspect(token) == {"active": False}


def test_tk21_introspection_tells_only_who_may_know(app: Any, acme: Tenant) -> None:
    rp = relying_party(app, acme)
    tokens = rp.sign_in()
    for other in ("asks", "nightly"):
        for token in (tokens["access_token"], tokens["refresh_token"], tokens["id_token"], "x"):
            assert relying_party(app, acme, other).introspect(token) == {"active": False}
    refused(
        relying_party(app, acme, "spa").post("introspect", {"token": tokens["access_token"]}),
        "invalid_client",
        401,
    )
    for hint in ("refresh_token", "access_token", "x"):
        assert (
            rp.post("introspect", {"token": tokens["access_token"], "token_type_hint": hint}).get_json()[
                "active"
            ]
            is True
        )
    assert rp.introspect(tokens["id_token"]) == {"active": False}
