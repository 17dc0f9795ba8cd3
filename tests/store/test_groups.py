"""Groups and roles in the vault: nested, and of one tenant."""

import pytest
from sqlalchemy.exc import IntegrityError

from idp import ids
from idp.errors import Conflict
from idp.store.durable import apis, clients, groups, users
from idp.store.durable.groups import Group, Role
from idp.tenants import entered


@pytest.fixture
def both(acme, globex):
    """staff > sales > emea and three roles in both tenants, with identical ids."""
    staff, sales, emea = (ids.uuid7() for _ in range(3))
    admin = ids.uuid7()
    for tenant in (acme, globex):
        with entered(tenant):
            groups.create(Group(staff, "staff"))
            groups.create(Group(sales, "sales", staff))
            groups.create(Group(emea, "emea", sales))
            groups.create_role(Role(admin, "admin"))
    return staff, sales, emea, admin


def names(found):
    return [one.name for one in found]


def test_what_is_written_is_read(acme, both):
    with entered(acme):
        assert names(groups.every()) == ["emea", "sales", "staff"]
        assert groups.by_name("sales").parent_id == both[0]
        assert groups.by_name("nobody") is None
        with pytest.raises(Conflict):
            groups.create(Group(ids.uuid7(), "staff"))
        with pytest.raises(Conflict):
            groups.create_role(Role(ids.uuid7(), "admin"))


def test_whoever_is_in_a_group_is_in_those_above_it(acme, globex, both):
    *_, emea, _ = both
    with entered(acme):
        alice = users.by_username("alice")
        assert groups.add(emea, alice.id)
        assert not groups.add(emea, alice.id)
        assert names(groups.of_user(alice.id)) == ["emea", "sales", "staff"]
        assert names(groups.direct(alice.id)) == ["emea"]
        assert groups.members(emea) == (alice.id,)
    with entered(globex):
        assert groups.of_user(alice.id) == ()
        assert groups.direct(alice.id) == ()
        assert groups.members(emea) == ()
        assert not groups.remove(emea, alice.id)
        with pytest.raises(IntegrityError):  # a person of acme
            groups.add(emea, alice.id)
    with entered(acme):
        assert groups.remove(emea, alice.id)
        assert groups.of_user(alice.id) == ()


def test_a_circle_ends(acme, both):
    staff, _, emea, _ = both
    with entered(acme):
        alice = users.by_username("alice")
        groups.move(staff, emea)
        groups.add(staff, alice.id)
        assert names(groups.of_user(alice.id)) == ["emea", "sales", "staff"]


def test_moving_and_deleting_reach_one_tenant_only(acme, globex, both):
    staff, sales, emea, _ = both
    with entered(globex):
        assert groups.move(emea, None)
        assert groups.delete(staff)
        assert groups.by_name("sales").parent_id is None
        assert not groups.delete(staff)
        assert not groups.move(staff, None)
    with entered(acme):
        assert groups.by_name("emea").parent_id == sales
        assert groups.by_name("staff")


def test_what_only_acme_has_globex_cannot_reach(acme, globex):
    group, role = Group(ids.uuid7(), "alone"), Role(ids.uuid7(), "alone")
    with entered(acme):
        groups.create(group)
        groups.create_role(role)
        groups.give(role.id, group=group.id)
    with entered(globex):
        assert groups.by_name("alone") is None
        assert group not in groups.every()
        assert role not in groups.every_role()
        assert groups.direct_roles(group=group.id) == ()
        assert not groups.take(role.id, group=group.id)
        assert not groups.delete_role(role.id)
        assert not groups.delete(group.id)
        alice = users.by_username("alice")
        with pytest.raises(IntegrityError):
            groups.give(role.id, user=alice.id)
    with entered(acme):
        assert groups.direct_roles(group=group.id) == (role,)
        assert groups.take(role.id, group=group.id)
        assert groups.delete_role(role.id)


def test_roles_come_from_oneself_and_from_every_group(acme, globex, both):
    staff, _, emea, admin = both
    with entered(acme):
        alice, web = users.by_username("alice"), clients.by_client_id("web")
        api = apis.by_identifier("https://api.example.com")
        of_web, of_api = (
            Role(ids.uuid7(), "admin", client_id=web.id),
            Role(ids.uuid7(), "admin", api_id=api.id),
        )
        groups.create_role(of_web)
        groups.create_role(of_api)
        groups.add(emea, alice.id)
        assert groups.give(admin, group=staff)
        assert not groups.give(admin, group=staff)
        assert groups.give(of_web.id, user=alice.id)
        assert set(groups.roles_of_user(alice.id)) == {Role(admin, "admin"), of_web}
        assert groups.direct_roles(user=alice.id) == (of_web,)
    with entered(globex):
        assert groups.roles_of_user(alice.id) == ()
        assert groups.direct_roles(user=alice.id) == ()
        assert not groups.take(of_web.id, user=alice.id)
    with entered(acme):
        assert groups.take(of_web.id, user=alice.id)
        clients.delete(web.id)
        assert of_web not in groups.every_role()
        assert of_api in groups.every_role()
