"""Operators' verbs: each does one thing in one tenant and leaves one event."""

import pytest

from idp import directory
from idp.accounts import passwords, sessions
from idp.audit import Actor
from idp.control import apis, clients, groups, tenants, users
from idp.errors import Conflict, Invalid, NotFound
from idp.prove.allowed import TENANT
from idp.store.durable import apis as api_store
from idp.store.durable import groups as group_store
from idp.store.durable import signing_keys
from idp.tenants import entered

CAROL = Actor("operator", "carol", reason="ticket 7")


@pytest.fixture
def events(database):
    """`events()`: what has been recorded since the last call, without keys."""
    seen = {row for (row,) in database("SELECT id FROM audit_log")}

    def since():
        rows = database("SELECT id, event, actor->>'id' FROM audit_log ORDER BY at, id")
        new = [
            (event, actor) for row, event, actor in rows if row not in seen and not event.startswith("key.")
        ]
        seen.update(row for row, *_ in rows)
        return new

    return since


def test_one_verb_one_event(in_acme, events):
    events()
    group = groups.create("staff", actor=CAROL)
    role = groups.create_role("reader", actor=CAROL)
    alice = users.show("alice")
    users.create({"username": "dora"}, CAROL)
    users.update("dora", {"name": "Dora"}, CAROL)
    users.update("dora", {"name": "Dora"}, CAROL)  # nothing to do, nothing to tell
    users.suspend("dora", CAROL)
    users.resume("dora", CAROL)
    users.delete("dora", CAROL)
    groups.add(group, alice, CAROL)
    groups.add(group, alice, CAROL)
    groups.give(role, alice, CAROL)
    groups.take(role, alice, CAROL)
    groups.remove(group, alice, CAROL)
    groups.delete_role(role, CAROL)
    groups.delete(group, CAROL)
    clients.create("shop", {"redirect_uris": ["https://shop.test/cb"]}, CAROL)
    clients.update("shop", {"scope": "openid"}, CAROL)
    clients.suspend("shop", CAROL)
    clients.resume("shop", CAROL)
    clients.rotate_secret("shop", CAROL)
    api = apis.create("https://stock.test", {"scopes": {"stock": "Read the stock"}}, CAROL)
    apis.update("https://stock.test", {"name": "Stock"}, CAROL)
    apis.grant(api, clients.show("shop"), ("stock",), CAROL)
    apis.ungrant(apis.show("https://stock.test"), clients.show("shop"), CAROL)
    apis.delete("https://stock.test", CAROL)
    clients.delete("shop", CAROL)
    found = events()
    assert {actor for _, actor in found} == {"carol"}
    assert [event for event, _ in found] == [
        "group.created", "role.created", "user.created", "user.updated", "user.disabled", "user.enabled",
        "user.deleted", "group.member_added", "role.member_added", "role.member_removed", "group.member_removed",
        "role.deleted", "group.deleted", "client.created", "client.updated", "client.suspended", "client.resumed",
        "client_secret.added", "api.created", "api.updated", "api_grant.added", "api_grant.removed", "api.deleted",
        "client.deleted",
    ]  # fmt: skip


def test_nothing_reaches_the_twin(acme, globex):
    with entered(acme):
        users.suspend("alice")
        clients.suspend("web")
        apis.delete("https://api.example.com")
        clients.delete("nightly")
        users.delete("bob")
    with entered(globex):
        assert users.show("alice").active
        assert users.show("bob")
        assert clients.show("web").active
        assert clients.show("nightly")
        assert len(apis.show("https://api.example.com").grants) == 2


@pytest.mark.parametrize("change", [{"password": "a new password"}, {"status": "disabled"}])
def test_a_new_password_and_disabling_end_what_was_open(in_acme, change):
    alice = users.show("alice")
    _, cookie = sessions.start(alice, ["pwd"], "127.0.0.1", "test")
    assert sessions.read(cookie) is not None
    users.update("alice", {"nickname": "Al"})
    assert sessions.read(cookie) is not None
    users.update("alice", change)
    assert sessions.read(cookie) is None
    assert users.show("alice").not_before is not None


def test_a_password_is_set(in_acme):
    users.update("alice", {"password": "x"})
    assert passwords.verify(users.show("alice"), "x")
    for wrong in ({"password": ""}, {"password": "x" * 257}, {"password": 5}, {"password_hash": "$2b$12$x"},
                  {"password": "x", "password_hash": "y"}):  # fmt: skip
        with pytest.raises(Invalid):
            users.update("alice", wrong)


def test_pw07_a_new_address_is_not_proved(in_acme):
    assert users.show("alice").email_verified
    assert not users.update("alice", {"email": "new@example.com"}).email_verified
    assert users.update("alice", {"email": "new2@example.com", "email_verified": True}).email_verified


def test_a_person_is_found_by_name_and_by_sub(in_acme, globex):
    alice = users.show("ALICE")
    assert users.show(str(alice.id)) == alice
    for nobody in ("", "nobody", "x" * 36, "\x00", str(alice.id)[:-1] + "g"):
        with pytest.raises(NotFound):
            users.show(nobody)


def test_groups_have_no_circles_and_no_towers(in_acme):
    top = group = groups.create("g0")
    for number in range(1, 10):
        group = groups.create(f"g{number}", group)
    with pytest.raises(Invalid):
        groups.create("g10", group)
    with pytest.raises(Invalid):
        groups.move(top, group)
    with pytest.raises(Invalid):
        groups.move(top, top)
    assert groups.move(groups.show("g5"), None)
    assert group_store.by_name("g5").parent_id is None


def test_what_an_api_loses_its_grants_lose(in_acme):
    api = apis.show("https://api.example.com")
    nightly = clients.show("nightly")
    assert set(api.grants[nightly.id]) == {"orders.read", "orders.write"}
    api = apis.update("https://api.example.com", {"scopes": {"orders.read": "Read"}})
    assert api.grants[nightly.id] == ("orders.read",)
    assert apis.update("https://api.example.com", {"scopes": {}}).grants == {}
    assert api_store.by_id(api.id).scopes == {}


@pytest.mark.parametrize(
    "fields",
    [{"typ": "jwt"}, {"alg": "HS256"}, {"alg": ["RS256"]}, {"access_token_lifetime": 601},
     {"access_token_lifetime": True}, {"scopes": {"openid": "x"}}, {"scopes": {"a b": "x"}}, {"scopes": {"a": ""}},
     {"scopes": ["a"]}, {"introspected_by": "web"}, {"introspected_by": [5]}, {"nothing": 1}, {"name": "a\nb"}],
)  # fmt: skip
def test_apis_that_are_refused(in_acme, fields):
    with pytest.raises(Invalid):
        apis.create("https://stock.test", fields)
    with pytest.raises(Invalid):
        apis.update("https://api.example.com", fields)


def test_the_default_api_is_not_an_object(in_acme):
    with pytest.raises(Conflict):
        apis.create(in_acme.issuer, {})


def test_grants_are_of_the_apis_own_scopes(in_acme):
    api = apis.show("https://api.example.com")
    assert apis.granted(api, "orders.read") == ("orders.read",)
    for wrong in ("", "orders.read openid", "orders.delete", 5, None, "orders.read  orders.write"):
        with pytest.raises(Invalid):
            apis.granted(api, wrong)


def test_a_policy_that_names_an_algorithm_makes_its_keys(acme):
    tenants.update("acme", {"policy": {"id_token_signing_alg": "EdDSA"}})
    with tenants.enter("acme"):
        assert "EdDSA" in {key.alg for key in signing_keys.all_keys()}
    row = tenants.update("acme", {"policy": {"id_token_signing_alg": None}})
    assert row.policy == {}


def test_tn05_a_tenant_is_suspended_deleted_and_brought_back(acme):
    assert tenants.suspend("acme").status == "suspended"
    assert not directory.resolve("acme").active
    assert tenants.delete("acme").status == "deleted"
    assert directory.resolve("acme") is None
    with pytest.raises(Conflict):
        tenants.suspend("acme")
    with pytest.raises(Conflict):
        tenants.create("acme")
    assert tenants.resume("acme").status == "active"
    with tenants.enter("acme"):
        assert users.show("alice")


def test_purged_is_gone_and_the_twin_is_not(twins, database):
    tenants.delete("acme", purge=True)
    left = {name: database(f"SELECT count(*) FROM {name} WHERE tenant_id = %s", str(twins[0].id))[0][0]
            for name in (*TENANT, "hosts")}  # fmt: skip
    assert set(left.values()) == {0}
    with entered(twins[1]):
        assert users.show("alice")
    made = tenants.create("acme")
    assert made.id != twins[0].id


def test_a_crash_half_way_is_finished_by_the_same_command(database, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("idp.control.tenants.rotation.ensure", lambda tenant: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            tenants.create("umbrella", "Before")
    assert tenants.show("umbrella").status == "provisioning"
    row = tenants.create("umbrella", "After")
    assert (row.status, row.name) == ("active", "After")
    with pytest.raises(Conflict):
        tenants.create("umbrella")


def test_rfc7591_2_a_client_without_a_name_is_called_by_its_id(in_acme):
    made = clients.create("nameless", {"redirect_uris": ["https://app.test/cb"]}).client
    assert made.metadata["client_name"] == clients.show("nameless").metadata["client_name"] == "nameless"
    assert clients.update("nameless", {"client_name": "Named"}).client.metadata["client_name"] == "Named"
    assert clients.update("nameless", {"client_name": None}).client.metadata["client_name"] == "nameless"
    assert clients.described(made)["client_name"] == "nameless"
