"""Operators' verbs for groups and roles of the entered tenant, each with one event in the same transaction."""

from uuid import UUID

from idp import audit, identifiers, ids
from idp.audit import Actor, Event
from idp.errors import Conflict, Invalid, NotFound
from idp.store.database import transaction
from idp.store.durable import groups
from idp.store.durable.groups import Group, Role
from idp.store.durable.users import User

DEEPEST = 10  # groups above one another


def create(name: str, parent: Group | None = None, actor: Actor | None = None) -> Group:
    """A new group, below `parent` or on top. Raises Invalid, Conflict when the name is taken."""
    group = Group(ids.uuid7(), _named(name), parent.id if parent else None)
    with transaction():
        _check_depth(group, parent)
        groups.create(group)
        audit.record(Event.GROUP_CREATED, actor, group=name, parent=parent.name if parent else None)
    return group


def _named(name: object) -> str:
    try:
        return identifiers.name(name)
    except ValueError as problem:
        raise Invalid(f"name {problem}.", rule="name") from None


def _check_depth(group: Group, parent: Group | None) -> None:
    """No circles, no towers: whoever is in a group is in all above it."""
    by_id = {one.id: one for one in groups.every()}
    depth, above = 0, parent
    while above is not None:
        depth += 1
        if above.id == group.id or depth >= DEEPEST:
            raise Invalid(f"parent makes a circle or more than {DEEPEST} levels.", rule="parent")
        above = by_id.get(above.parent_id) if above.parent_id else None


def show(name: str) -> Group:
    """The group of that name. Raises NotFound."""
    group = groups.by_name(name)
    if group is None:
        raise NotFound("There is no such group.", rule="name")
    return group


def move(group: Group, parent: Group | None, actor: Actor | None = None) -> bool:
    """Put a group below another one, or on top; False when it is there already. Raises Invalid."""
    if group.parent_id == (parent.id if parent else None):
        return False
    with transaction():
        _check_depth(group, parent)
        groups.move(group.id, parent.id if parent else None)
        audit.record(Event.GROUP_UPDATED, actor, group=group.name, parent=parent.name if parent else None)
    return True


def delete(group: Group, actor: Actor | None = None) -> None:
    """Delete a group, not its people; groups below it go on top."""
    with transaction():
        groups.delete(group.id)
        audit.record(Event.GROUP_DELETED, actor, group=group.name)


def add(group: Group, user: User, actor: Actor | None = None) -> bool:
    """Put a person into a group; False when they are in it already."""
    with transaction():
        done = groups.add(group.id, user.id)
        if done:
            audit.record(Event.GROUP_MEMBER_ADDED, actor, group=group.name, user_id=user.id)
    return done


def remove(group: Group, user: User, actor: Actor | None = None) -> bool:
    """Take a person out of a group; False when they are not in it."""
    with transaction():
        done = groups.remove(group.id, user.id)
        if done:
            audit.record(Event.GROUP_MEMBER_REMOVED, actor, group=group.name, user_id=user.id)
    return done


def role(name: str, *, client: UUID | None = None, api: UUID | None = None) -> Role | None:
    """The role of that name of the tenant, of one client or of one API, or None."""
    return next(
        (one for one in groups.every_role() if (one.name, one.client_id, one.api_id) == (name, client, api)),
        None,
    )


def create_role(
    name: str, *, client: UUID | None = None, api: UUID | None = None, actor: Actor | None = None
) -> Role:
    """A new role of the tenant, of one client or of one API. Raises Invalid, Conflict when it is there."""
    if client is not None and api is not None:
        raise Conflict("A role belongs to a client or to an API.", rule="api")
    made = Role(ids.uuid7(), _named(name), client, api)
    with transaction():
        groups.create_role(made)
        audit.record(Event.ROLE_CREATED, actor, role=name, of_client=client, of_api=api)
    return made


def delete_role(gone: Role, actor: Actor | None = None) -> None:
    """Delete a role and everybody's having it."""
    with transaction():
        groups.delete_role(gone.id)
        audit.record(Event.ROLE_DELETED, actor, role=gone.name, of_client=gone.client_id, of_api=gone.api_id)


def give(given: Role, to: User | Group, actor: Actor | None = None) -> bool:
    """Give a role to a person or to a group; False when they have it already."""
    return _change(given, to, True, actor)


def take(taken: Role, of: User | Group, actor: Actor | None = None) -> bool:
    """Take a role from a person or from a group; False when they do not have it themselves."""
    return _change(taken, of, False, actor)


def _change(changed: Role, who: User | Group, given: bool, actor: Actor | None) -> bool:
    user, group = (who.id, None) if isinstance(who, User) else (None, who.id)
    event = Event.ROLE_MEMBER_ADDED if given else Event.ROLE_MEMBER_REMOVED
    with transaction():
        done = (groups.give if given else groups.take)(changed.id, user=user, group=group)
        if done:
            audit.record(event, actor, role=changed.name, user_id=user, group_id=group)
    return done
