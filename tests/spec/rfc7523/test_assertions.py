"""Assertions of people (RFC 7523 §2.1, §3; the identity assertion authorization grant), and workloads (§2.2)."""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from idp.control import apis, users
from idp.errors import InvalidClientMetadata
from idp.oauth import client_keys
from idp.oauth.grants.jwt_bearer import ID_JAG
from idp.registration import JWT_BEARER
from idp.tenants import Tenant, entered
from tests.attacks.acting import THREADS, at_once, change, client, events, party, policy, refused
from tests.attacks.assertions import EC, OTHER, RSA, assertion, public
from tests.playing import RelyingParty, relying_party
from tests.receiving import Serving, document_server
from tests.spec.rfc7523.asserting import (
    ISSUER,
    asserted,
    brings,
    issuing,
    linked,
    trusting,
)
from tests.spec.rfc9449.proving import Key

SECRET = "j" * 43
TYPE = "urn:ietf:params:oauth:client-assertion-type:"


@pytest.fixture
def server() -> Iterator[Serving]:
    with issuing() as made:
        yield made


def agent(app: Any, tenant: Tenant, client_id: str = "agent", **fields: Any) -> RelyingParty:
    """A client that may bring assertions of the issuer."""
    values = {
        "redirect_uris": [], "grant_types": [JWT_BEARER], "scope": "profile things", "assertion_issuers": [ISSUER],
        **fields,
    }  # fmt: skip
    return party(app, tenant, client(tenant, client_id, secret=SECRET, **values), SECRET)


@pytest.fixture
def rp(app: Any, acme: Tenant, server: Serving) -> RelyingParty:
    trusting(acme, server)
    linked(acme, "alice")
    return agent(app, acme)


def test_2_1_the_whole_way(rp: RelyingParty, acme: Tenant, database: Any) -> None:
    answer = brings(rp, asserted(acme), scope="things")
    assert answer.status_code == 200, answer.get_data(as_text=True)
    body = answer.get_json()
    assert set(body) == {"access_token", "token_type", "expires_in", "scope"} and body["scope"] == "things"
    claims = rp.verified(body["access_token"], acme.issuer)
    assert claims["client_id"] == "agent" and rp.introspect(body["access_token"])["active"]
    assert database("SELECT count(*) FROM refresh_tokens")[0][0] == 0
    assert events(database, acme, "token.asserted") == 1
    with entered(acme):
        users.suspend("alice")
    assert rp.introspect(body["access_token"]) == {"active": False}


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": ...}, {"aud": ""}, {"aud": []}, {"aud": "https://other.example"}, {"iss": "https://evil.example"},
        {"iss": ...}, {"sub": ...}, {"sub": ""}, {"sub": "nobody"}, {"sub": 7}, {"exp": ...}, {"exp": 1}, {"iat": ...},
        {"iat": 1}, {"jti": ...}, {"jti": ""}, {"jti": 7}, {"exp": "+4000"}, {"nbf": "+400"},
    ],
)  # fmt: skip
def test_tx05_3_what_an_assertion_needs(rp: RelyingParty, acme: Tenant, changes: dict[str, Any]) -> None:
    moved = {
        name: int(time.time()) + int(value) if isinstance(value, str) and value.startswith("+") else value
        for name, value in changes.items()
    }
    refused(brings(rp, asserted(acme, **moved), scope="things"), "invalid_grant")


def test_tx05_whose_key_and_which_algorithm(rp: RelyingParty, acme: Tenant, server: Serving) -> None:
    for made in (
        asserted(acme, OTHER), asserted(acme, "secret" * 8, "HS256"), asserted(acme, None, "none"),
        asserted(acme, RSA, "RS256"), asserted(acme, headers={"typ": "at+jwt"}), "x", "a.b.c",
    ):  # fmt: skip
        refused(brings(rp, made, scope="things"), "invalid_grant")
    refused(brings(rp, "", scope="things"), "invalid_request")
    refused(brings(rp, "y" * 20_000, scope="things"), "invalid_request")
    assert brings(rp, asserted(acme), scope="things").status_code == 200


def test_fapi_5_4_1_a_client_of_the_profile_brings_no_rs256(
    rp: RelyingParty, acme: Tenant, server: Serving
) -> None:
    server.keys(public(RSA, "e", "RS256"))
    client_keys.forget()
    assert brings(rp, asserted(acme, RSA, "RS256"), scope="things").status_code == 200
    key, jwk = Key(), {"keys": [public(EC, "k")]}
    change(acme, "agent", token_endpoint_auth_method="private_key_jwt", jwks=jwk, profile="fapi2")
    own = {"client_assertion_type": f"{TYPE}jwt-bearer", "grant_type": JWT_BEARER, "scope": "things"}

    def answered(made: str) -> Any:
        proof = assertion(acme, headers={"kid": "k"}, iss="agent", sub="agent")
        sent = {**own, "assertion": made, "client_assertion": proof}
        headers = {"DPoP": key.proof(f"{acme.issuer}/token")}
        return rp.app.test_client().post(f"/t/{acme.slug}/token", data=sent, headers=headers)

    refused(answered(asserted(acme, RSA, "RS256")), "invalid_grant")
    server.keys(public(RSA, "e", "PS256"))
    client_keys.forget()
    assert answered(asserted(acme, RSA, "PS256")).status_code == 200


def test_tx05_nothing_is_trusted_by_itself(app: Any, acme: Tenant, rp: RelyingParty, server: Serving) -> None:
    closed = agent(app, acme, "closed", assertion_issuers=None)
    refused(brings(closed, asserted(acme), scope="things"), "invalid_grant")
    refused(brings(relying_party(app, acme), asserted(acme)), "unauthorized_client")
    refused(brings(relying_party(app, acme, "spa"), asserted(acme)), "invalid_client", 401)
    good = asserted(acme)
    policy(acme, assertion_issuers=[])
    refused(brings(rp, good, scope="things"), "invalid_grant")
    trusting(acme, server)
    assert brings(rp, good, scope="things").status_code == 200, "nothing was used up"
    with pytest.raises(InvalidClientMetadata):
        agent(app, acme, "public", token_endpoint_auth_method="none")


def test_tx05_it_is_used_once(rp: RelyingParty, acme: Tenant, database: Any) -> None:
    good = asserted(acme)
    found = [answer.status_code for answer in at_once(THREADS, lambda _: brings(rp, good, scope="things"))]
    assert found.count(200) == 1 and set(found) <= {200, 400, 503}
    refused(brings(rp, good, scope="things"), "invalid_grant")
    assert events(database, acme, "assertion.replayed") >= 1


def test_tx05_another_tenant_s_people_are_its_own(
    app: Any, twins: tuple[Tenant, Tenant], server: Serving
) -> None:
    acme, globex = twins
    for tenant in twins:
        trusting(tenant, server)
    linked(acme, "alice")
    there = agent(app, globex)
    refused(brings(there, asserted(acme), scope="things"), "invalid_grant")
    refused(brings(there, asserted(globex), scope="things"), "invalid_grant")
    linked(globex, "bob")
    assert brings(there, asserted(globex), scope="things").status_code == 200


@pytest.mark.parametrize(
    "scope", ["openid", "offline_access", "profile openid", "orders.read", "unheard-of", ""]
)
def test_what_is_not_granted(rp: RelyingParty, acme: Tenant, scope: str) -> None:
    refused(brings(rp, asserted(acme), scope=scope), "invalid_scope")


def test_who_is_disabled_or_was_signed_out_by_a_new_password_gets_nothing(
    rp: RelyingParty, acme: Tenant
) -> None:
    good = asserted(acme)
    with entered(acme):
        users.update("alice", {"password": "another one that nobody knows"})
    refused(brings(rp, good, scope="things"), "invalid_grant")
    with entered(acme):
        users.suspend("alice")
    refused(brings(rp, asserted(acme, iat=int(time.time()) + 5), scope="things"), "invalid_grant")


def test_id_jag_is_for_the_client_that_it_names_and_bounds_what_is_granted(
    app: Any, acme: Tenant, rp: RelyingParty
) -> None:
    head = {"typ": ID_JAG}
    refused(brings(rp, asserted(acme, headers=head)), "invalid_grant")
    refused(brings(rp, asserted(acme, headers=head, client_id="web")), "invalid_grant")
    good = {"headers": head, "client_id": "agent", "scope": "things"}
    assert brings(rp, asserted(acme, **good)).get_json()["scope"] == "things"
    refused(brings(rp, asserted(acme, **good), scope="profile things"), "invalid_scope")
    with entered(acme):
        made = apis.show("https://api.example.com")
        from idp import directory

        found = directory.client("agent")
        assert found is not None
        apis.grant(made, found, ("orders.read",))
        directory.forget_all()
    api = {
        "headers": head,
        "client_id": "agent",
        "scope": "orders.read",
        "resource": "https://api.example.com",
    }
    body = brings(rp, asserted(acme, **api)).get_json()
    assert rp.verified(body["access_token"], "https://api.example.com")["scope"] == "orders.read"
    refused(brings(rp, asserted(acme, **api), resource=acme.issuer), "invalid_grant")


# Workloads (RFC 7523 §2.2 with the platform's issuer; draft-ietf-oauth-spiffe-client-auth).

CLUSTER = "https://kubernetes.corp.example"
ACCOUNT = "system:serviceaccount:shop:orders"


@pytest.fixture
def workload(acme: Tenant) -> Iterator[Serving]:
    with document_server() as made:
        made.keys(public(EC, "e"))
        client(
            acme, "pod", grant_types=["client_credentials"], redirect_uris=[], scope="things",
            token_endpoint_auth_method="private_key_jwt",
            workload_identity={"issuer": CLUSTER, "subject": ACCOUNT, "jwks_uri": made.uri},
        )  # fmt: skip
        yield made


def projected(acme: Tenant, key: Any = EC, **changes: Any) -> str:
    """A service account's token as Kubernetes projects it: for an hour, no `jti` needed."""
    now = int(time.time())
    claims = {
        "iss": CLUSTER,
        "sub": ACCOUNT,
        "aud": [acme.issuer],
        "exp": now + 3_607,
        "nbf": now,
        "jti": ...,
    }
    return asserted(acme, key, **{**claims, **changes})


def proves(app: Any, token: str, kind: str = "jwt-bearer", client_id: str | None = "pod") -> Any:
    """The answer to the workload that asks for a token of its own."""
    form = {
        "grant_type": "client_credentials", "client_assertion": token, "client_assertion_type": TYPE + kind,
        **({"client_id": client_id} if client_id else {}),
    }  # fmt: skip
    return app.test_client().post("/t/acme/token", data=form)


def test_2_2_a_workload_proves_itself_as_often_as_it_needs_to(
    app: Any, acme: Tenant, workload: Serving
) -> None:
    token = projected(acme)
    for kind in ("jwt-bearer", "jwt-spiffe", "jwt-bearer"):
        answer = proves(app, token, kind)
        assert answer.status_code == 200, answer.get_data(as_text=True)
        assert answer.get_json()["scope"] == "things"


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://other.example"}, {"sub": "system:serviceaccount:shop:other"}, {"sub": ...},
        {"aud": ["https://kubernetes.default.svc"]}, {"aud": ...}, {"exp": 1}, {"exp": ...}, {"exp": "+90000"},
        {"nbf": "+400"},
    ],
)  # fmt: skip
def test_2_2_what_is_no_proof(app: Any, acme: Tenant, workload: Serving, changes: dict[str, Any]) -> None:
    moved = {
        name: int(time.time()) + int(value) if isinstance(value, str) and value.startswith("+") else value
        for name, value in changes.items()
    }
    refused(proves(app, projected(acme, **moved)), "invalid_client", 401)


def test_2_2_another_key_another_client_or_no_name(app: Any, acme: Tenant, workload: Serving) -> None:
    refused(proves(app, projected(acme, OTHER)), "invalid_client", 401)
    refused(proves(app, projected(acme), client_id=None), "invalid_client", 401)
    refused(proves(app, projected(acme), client_id="web"), "invalid_request")
    own = asserted(acme, iss="pod", sub="pod")
    refused(proves(app, own), "invalid_client", 401)
    client(
        acme, "signer", grant_types=["client_credentials"], redirect_uris=[], scope="things",
        token_endpoint_auth_method="private_key_jwt", jwks={"keys": [public(EC, "e")]},
    )  # fmt: skip
    signed = asserted(acme, iss="signer", sub="signer")
    refused(proves(app, signed, "jwt-spiffe", None), "invalid_client", 401)


def test_2_2_what_an_operator_may_not_set(acme: Tenant) -> None:
    good = {"issuer": CLUSTER, "subject": ACCOUNT, "jwks_uri": f"{CLUSTER}/keys"}
    for wrong in (
        {**good, "subject": ""}, {**good, "more": 1}, {"issuer": CLUSTER}, {**good, "jwks_uri": "ftp://x.example"},
        "x",
    ):  # fmt: skip
        with pytest.raises(InvalidClientMetadata):
            client(acme, "bad", redirect_uris=[], grant_types=["client_credentials"],
                   token_endpoint_auth_method="private_key_jwt", workload_identity=wrong)  # fmt: skip
    with pytest.raises(InvalidClientMetadata):
        change(acme, "nightly", workload_identity=good)
