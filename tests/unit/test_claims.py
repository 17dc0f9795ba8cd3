"""What is told about a person, for each document and by which rule."""

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import pytest

from idp.accounts import claims
from idp.store.durable.apis import Api
from idp.store.durable.clients import Client
from idp.store.durable.groups import Group, Role
from idp.store.durable.users import User

AT = datetime(2026, 5, 1, 12, tzinfo=UTC)
WEB, OTHER = UUID(int=1), UUID(int=2)
ORDERS = UUID(int=3)
ALICE = User(
    id=UUID("01890a5d-ac96-774b-bcce-b302099a8057"),
    username="alice",
    email="alice@acme.example",
    email_verified=True,
    claims={
        "name": "Alice Adams",
        "given_name": "Alice",
        "nickname": "",
        "website": None,
        "gender": 7,
        "phone_number": "+44 20 7946 0000",
        "address": {"locality": "Berlin", "region": "", "planet": "Earth"},
        "department": "sales",
        "desks": ["a", "", "b", "c"],
        "remote": False,
    },
    status="active",
    not_before=None,
    created_at=AT,
    updated_at=AT,
)


def client(*rules, scope="openid profile email", row=WEB):
    return Client(row, "web", {"scope": scope}, {"claims": list(rules)}, "active", AT, AT)


@pytest.fixture(autouse=True)
def _memberships(monkeypatch):
    monkeypatch.setattr(
        claims.groups, "of_user", lambda _: (Group(UUID(int=9), "staff"), Group(UUID(int=8), "all"))
    )
    held = (Role(UUID(int=5), "admin"), Role(UUID(int=6), "editor", client_id=WEB),
            Role(UUID(int=7), "stranger", client_id=OTHER), Role(UUID(int=4), "clerk", api_id=ORDERS))  # fmt: skip
    monkeypatch.setattr(claims.groups, "roles_of_user", lambda _: held)


def test_oidc_core_5_4_profile_and_email_to_userinfo():
    told = claims.for_user(ALICE, ["openid", "profile", "email", "phone", "address"])
    assert told == {
        "sub": str(ALICE.id),
        "name": "Alice Adams",
        "given_name": "Alice",
        "preferred_username": "alice",
        "updated_at": int(AT.timestamp()),
        "email": "alice@acme.example",
        "email_verified": True,
        "phone_number": "+44 20 7946 0000",
        "phone_number_verified": False,
        "address": {"locality": "Berlin"},
    }


def test_oidc_core_5_4_the_id_token_of_a_code_flow_has_no_profile():
    assert claims.for_user(ALICE, ["openid", "profile", "email"], where="id_token") == {"sub": str(ALICE.id)}


def test_oidc_core_5_5_the_claims_parameter_asks_one_by_one():
    told = claims.for_user(
        ALICE,
        ["openid"],
        requested={
            "name": {"essential": True},
            "email_verified": None,
            "nickname": None,
            "other": None,
            "sub": None,
        },
        where="id_token",
        client=client(),
    )
    assert told == {"sub": str(ALICE.id), "name": "Alice Adams", "email_verified": True}


def test_oidc_core_5_5_a_client_gets_no_claim_of_a_scope_it_may_not_have():
    asked = {"phone_number": None, "groups": None, "name": None}
    told = claims.for_user(
        ALICE, ["openid"], requested=asked, where="userinfo", client=client(scope="openid profile")
    )
    assert told == {"sub": str(ALICE.id), "name": "Alice Adams"}


@pytest.mark.parametrize("where", ["userinfo", "id_token", "access_token"])
def test_groups_and_roles_are_scopes(where):
    api = Api(ORDERS, "https://orders", "Orders", {}, {}, AT, {})
    assert "groups" not in claims.for_user(ALICE, ["openid"], where=where, client=client())
    told = claims.for_user(ALICE, ["openid", "groups", "roles"], where=where, client=client(), apis=(api,))
    assert told["groups"] == ["all", "staff"]
    assert told["roles"] == ["admin", "clerk", "editor"]


def test_another_clients_roles_stay_away():
    assert claims.for_user(ALICE, ["roles"], client=client(row=OTHER))["roles"] == ["admin", "stranger"]


@pytest.mark.parametrize(
    ("rule", "value"),
    [
        ({"claim": "dept", "attribute": "department"}, "sales"),
        ({"claim": "dept", "attribute": "department", "shape": "list"}, ["sales"]),
        ({"claim": "desks", "attribute": "desks", "shape": "list", "max": 2}, ["a", "b"]),
        ({"claim": "desks", "attribute": "desks", "shape": "space-separated"}, "a b c"),
        ({"claim": "remote", "attribute": "remote"}, False),
        ({"claim": "who", "attribute": "username"}, "alice"),
        ({"claim": "teams", "source": "groups"}, ["all", "staff"]),
        ({"claim": "perms", "source": "roles", "shape": "space-separated"}, "admin editor"),
        ({"claim": "tier", "constant": "gold"}, "gold"),
        ({"claim": "level", "constant": 3}, 3),
    ],
)
def test_claim_rules_make_claims(rule, value):
    told = claims.explained(
        ALICE, ["openid"], where="id_token", client=client({**rule, "where": ["id_token"]})
    )
    assert told[rule["claim"]].value == value
    assert "claim rule 1 of client web" in told[rule["claim"]].rule


def test_claim_rules_keep_to_their_document():
    there = client({"claim": "tier", "constant": "gold", "where": ["access_token"]})
    assert "tier" not in claims.for_user(ALICE, ["openid"], where="userinfo", client=there)
    assert claims.for_user(ALICE, ["openid"], where="access_token", client=there)["tier"] == "gold"


@pytest.mark.parametrize(
    "name", ["iss", "sub", "aud", "exp", "tenant", "tenant_id", "email_verified", "cnf", "nonce"]
)
def test_reserved_names_are_never_made(name):
    evil = client({"claim": name, "constant": "evil", "where": ["id_token", "userinfo", "access_token"]})
    for where in ("id_token", "userinfo", "access_token"):
        assert claims.for_user(ALICE, ["openid", "email"], where=where, client=evil).get(name) != "evil"


def test_a_mapped_address_does_not_inherit_the_proof_of_another():
    mapped = client({"claim": "email", "constant": "boss@acme.example", "where": ["userinfo"]})
    told = claims.for_user(ALICE, ["openid", "email"], client=mapped)
    assert told["email"] == "boss@acme.example"
    assert "email_verified" not in told


@pytest.mark.parametrize("empty", [None, "", [], {}, "null", [""]])
def test_nothing_empty_is_told(empty):
    bob = replace(ALICE, claims={"name": empty, "extra": empty, "address": empty}, email=None)
    rules = client({"claim": "extra", "attribute": "extra", "shape": "list", "where": ["userinfo"]})
    told = claims.for_user(bob, ["openid", "profile", "email", "address", "phone"], client=rules)
    assert set(told) <= {"sub", "preferred_username", "updated_at", "extra"}
    assert told.get("extra", ["x"])


def test_without_a_user_only_constants_are_told():
    api = Api(ORDERS, "https://orders", "Orders", {}, {"claims": [
        {"claim": "tier", "constant": "gold", "where": ["access_token"]},
        {"claim": "who", "attribute": "username", "where": ["access_token"]},
        {"claim": "teams", "source": "groups", "where": ["access_token"]},
    ]}, AT, {})  # fmt: skip
    assert claims.for_user(None, ["orders.read"], where="access_token", apis=(api,)) == {"tier": "gold"}


def test_every_claim_says_which_rule_made_it():
    told = claims.explained(ALICE, ["openid", "profile"], requested={"email": None}, client=client())
    assert told["sub"].rule == "subject"
    assert told["name"].rule == "scope profile"
    assert told["email"].rule == "claims parameter (userinfo)"
