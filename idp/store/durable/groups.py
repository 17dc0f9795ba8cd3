"""Groups (nested) and roles (of the tenant, of one client, or of one API), and who has them."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, UniqueConstraint, bindparam, select
from sqlalchemy import delete as sql_delete
from sqlalchemy import update as sql_update
from sqlalchemy.dialects.postgresql import insert

from idp import ids
from idp.errors import Conflict
from idp.store.database import transaction
from idp.store.durable.columns import belongs, here, home, index, tenant_table, text, unique, uuid

groups = tenant_table(
    "groups",
    text("name"),
    uuid("parent_id", null=True),
    belongs("parent_id", "groups", survives=True),
    unique("name"),
    index("groups", "parent_id"),
)

group_members = tenant_table(
    "group_members",
    uuid("group_id"),
    uuid("user_id"),
    belongs("group_id", "groups"),
    belongs("user_id", "users"),
    unique("group_id", "user_id"),
    unique("user_id", "group_id"),
)

roles = tenant_table(
    "roles",
    text("name"),
    uuid("client_id", null=True),
    uuid("api_id", null=True),
    belongs("client_id", "clients"),
    belongs("api_id", "apis"),
    UniqueConstraint("tenant_id", "client_id", "api_id", "name", postgresql_nulls_not_distinct=True),
    CheckConstraint("client_id IS NULL OR api_id IS NULL", name="roles_one_owner"),
    index("roles", "client_id"),
    index("roles", "api_id"),
)

role_members = tenant_table(
    "role_members",
    uuid("role_id"),
    uuid("user_id", null=True),
    uuid("group_id", null=True),
    belongs("role_id", "roles"),
    belongs("user_id", "users"),
    belongs("group_id", "groups"),
    UniqueConstraint("tenant_id", "role_id", "user_id", "group_id", postgresql_nulls_not_distinct=True),
    CheckConstraint("(user_id IS NULL) <> (group_id IS NULL)", name="role_members_one_member"),
    index("role_members", "role_id"),
    index("role_members", "user_id"),
    index("role_members", "group_id"),
)


@dataclass(frozen=True, slots=True)
class Group:
    """A group; whoever is in it is in its parent, too."""

    id: UUID
    name: str
    parent_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Role:
    """A role of the tenant, or of the one client or API that it names."""

    id: UUID
    name: str
    client_id: UUID | None = None
    api_id: UUID | None = None


def _one(row: Any) -> Group:
    return Group(row.id, row.name, row.parent_id)


def every() -> tuple[Group, ...]:
    """All groups of the tenant, by name."""
    with transaction(readonly=True) as tx:
        return tuple(map(_one, tx.execute(select(groups).where(here(groups)).order_by(groups.c.name))))


def by_name(name: str) -> Group | None:
    """The group of that name."""
    with transaction(readonly=True) as tx:
        row = tx.execute(select(groups).where(here(groups), groups.c.name == name)).first()
    return None if row is None else _one(row)


def create(group: Group) -> None:
    """Insert a group. Raises Conflict when its name is taken."""
    row = {"tenant_id": home(), "id": group.id, "name": group.name, "parent_id": group.parent_id}
    with transaction() as tx:
        if (
            tx.execute(insert(groups).values(row).on_conflict_do_nothing().returning(groups.c.id)).first()
            is None
        ):
            raise Conflict("A group of this name exists already.", rule="groups.unique")


def move(group: UUID, parent: UUID | None) -> bool:
    """Put a group below another one, or on top; False when it does not exist here. Looks for no circle."""
    with transaction() as tx:
        wanted = sql_update(groups).where(here(groups), groups.c.id == group).values(parent_id=parent)
        return tx.execute(wanted.returning(groups.c.id)).first() is not None


def delete(group: UUID) -> bool:
    """Delete a group, not its people; groups below it go on top. False when it does not exist here."""
    with transaction() as tx:
        return (
            tx.execute(
                sql_delete(groups).where(here(groups), groups.c.id == group).returning(groups.c.id)
            ).first()
            is not None
        )


def add(group: UUID, user: UUID) -> bool:
    """Put a person into a group; False when the person is in it already."""
    row = {"tenant_id": home(), "id": ids.uuid7(), "group_id": group, "user_id": user}
    with transaction() as tx:
        made = insert(group_members).values(row).on_conflict_do_nothing().returning(group_members.c.id)
        return tx.execute(made).first() is not None


def remove(group: UUID, user: UUID) -> bool:
    """Take a person out of a group; False when there is no such membership here."""
    wanted = (here(group_members), group_members.c.group_id == group, group_members.c.user_id == user)
    with transaction() as tx:
        return (
            tx.execute(sql_delete(group_members).where(*wanted).returning(group_members.c.id)).first()
            is not None
        )


def direct(user: UUID) -> tuple[Group, ...]:
    """The groups into which a person was put, without those above them, by name."""
    joined = select(groups).join(group_members, _pair(group_members.c.group_id, groups, group_members))
    wanted = joined.where(here(groups), group_members.c.user_id == user).order_by(groups.c.name)
    with transaction(readonly=True) as tx:
        return tuple(map(_one, tx.execute(wanted)))


def _pair(column: Any, table: Any, other: Any) -> Any:
    return (table.c.tenant_id == other.c.tenant_id) & (table.c.id == column)


def _of_user() -> Any:
    mine = groups.c.tenant_id == bindparam("tenant")
    first = select(groups.c.tenant_id, groups.c.id, groups.c.name, groups.c.parent_id).join(
        group_members, _pair(group_members.c.group_id, groups, group_members)
    )
    above = first.where(mine, group_members.c.user_id == bindparam("user")).cte("above", recursive=True)
    higher = select(groups.c.tenant_id, groups.c.id, groups.c.name, groups.c.parent_id).join(
        above, _pair(above.c.parent_id, groups, above)
    )
    # UNION, not UNION ALL: a circle, which nothing should have made, ends
    all_above = above.union(higher.where(mine))
    return select(all_above.c.id, all_above.c.name, all_above.c.parent_id)


_OF_USER = _of_user()  # built once: it is in the way of every token


def of_user(user: UUID) -> tuple[Group, ...]:
    """The groups of a person, those above them included, by name."""
    with transaction(readonly=True) as tx:
        found = tx.execute(_OF_USER, {"tenant": home(), "user": user})
        return tuple(sorted(map(_one, found), key=lambda group: group.name))


def members(group: UUID) -> tuple[UUID, ...]:
    """The ids of the people who were put into a group."""
    wanted = select(group_members.c.user_id).where(here(group_members), group_members.c.group_id == group)
    with transaction(readonly=True) as tx:
        return tuple(tx.execute(wanted.order_by(group_members.c.user_id)).scalars())


def every_role() -> tuple[Role, ...]:
    """All roles of the tenant, its clients and its APIs, by name."""
    with transaction(readonly=True) as tx:
        rows = tx.execute(select(roles).where(here(roles)).order_by(roles.c.name, roles.c.id))
        return tuple(Role(row.id, row.name, row.client_id, row.api_id) for row in rows)


def create_role(role: Role) -> None:
    """Insert a role. Raises Conflict when its owner has one of that name."""
    row = {
        "tenant_id": home(),
        "id": role.id,
        "name": role.name,
        "client_id": role.client_id,
        "api_id": role.api_id,
    }
    with transaction() as tx:
        if (
            tx.execute(insert(roles).values(row).on_conflict_do_nothing().returning(roles.c.id)).first()
            is None
        ):
            raise Conflict("A role of this name exists already.", rule="roles.unique")


def delete_role(role: UUID) -> bool:
    """Delete a role and everybody's having it; False when it does not exist here."""
    with transaction() as tx:
        return (
            tx.execute(sql_delete(roles).where(here(roles), roles.c.id == role).returning(roles.c.id)).first()
            is not None
        )


def give(role: UUID, *, user: UUID | None = None, group: UUID | None = None) -> bool:
    """Give a role to a person or to a group; False when they have it already."""
    row = {"tenant_id": home(), "id": ids.uuid7(), "role_id": role, "user_id": user, "group_id": group}
    with transaction() as tx:
        made = insert(role_members).values(row).on_conflict_do_nothing().returning(role_members.c.id)
        return tx.execute(made).first() is not None


def take(role: UUID, *, user: UUID | None = None, group: UUID | None = None) -> bool:
    """Take a role from a person or from a group; False when they do not have it here."""
    column, who = (role_members.c.user_id, user) if user else (role_members.c.group_id, group)
    wanted = (here(role_members), role_members.c.role_id == role, column == who)
    with transaction() as tx:
        return (
            tx.execute(sql_delete(role_members).where(*wanted).returning(role_members.c.id)).first()
            is not None
        )


def direct_roles(*, user: UUID | None = None, group: UUID | None = None) -> tuple[Role, ...]:
    """The roles given to a person, or to a group, themselves."""
    column, who = (role_members.c.user_id, user) if user else (role_members.c.group_id, group)
    return _roles(column == who)


def roles_of_user(user: UUID) -> tuple[Role, ...]:
    """The roles of a person, given to them or to a group of theirs, by name."""
    theirs = [group.id for group in of_user(user)]
    return _roles((role_members.c.user_id == user) | role_members.c.group_id.in_(theirs))


def _roles(clause: Any) -> tuple[Role, ...]:
    held = select(role_members.c.role_id).where(here(role_members), clause)
    wanted = select(roles).where(here(roles), roles.c.id.in_(held)).order_by(roles.c.name, roles.c.id)
    with transaction(readonly=True) as tx:
        return tuple(Role(row.id, row.name, row.client_id, row.api_id) for row in tx.execute(wanted))
