"""Groups and roles of a blueprint, and who is in which and has which."""

from collections.abc import Mapping
from typing import Any

from idp.control import apis, clients, groups, users
from idp.control.blueprint_work import Work, absent, gone, listed, named
from idp.errors import NotFound
from idp.store.durable.apis import Api
from idp.store.durable.clients import Client
from idp.store.durable.groups import Group, Role
from idp.store.durable.users import User


def group(work: Work, given: object, where: str, above: Group | None = None) -> None:
    """A group and those inside it, made or deleted."""
    entry = named(work, given, where, "name", ("parent", "groups", "roles", "members"))
    name = entry["name"]
    if absent(entry):
        return gone(work, "group", name, lambda: groups.delete(groups.show(name), work.actor))
    present = _find_group(name)
    if present is None:
        present = groups.create(name, above, work.actor)
        work.note("group", name, "create")
    elif above is not None and groups.move(present, above, work.actor):
        work.note("group", name, "change", "parent")
    for index, child in enumerate(listed(work.file, entry, where, "groups")):
        with work.file.at(f"{where}.groups[{index}]"):
            group(work, child, f"{where}.groups[{index}]", present)
    return None


def _find_group(name: str) -> Group | None:
    try:
        return groups.show(name)
    except NotFound:
        return None


def role(work: Work, given: object, where: str) -> None:
    """A role of the tenant, or of the client or API that it names, made or deleted."""
    entry = _role_entry(work, given, where, ("client_id", "api", "groups", "users"))
    client = clients.show(entry["client_id"]) if "client_id" in entry else None
    api = apis.show(entry["api"]) if "api" in entry else None
    _make_role(work, entry, client, api)


def own_roles(
    work: Work, entry: Mapping[str, Any], where: str, client: Client | None, api: Api | None
) -> None:
    """The roles that stand inside a client or an API, made or deleted."""
    for index, given in enumerate(listed(work.file, entry, where, "roles")):
        at = f"{where}.roles[{index}]"
        with work.file.at(at):
            _make_role(work, _role_entry(work, given, at, ("groups", "users")), client, api)


def _role_entry(work: Work, given: object, where: str, allowed: tuple[str, ...]) -> dict[str, Any]:
    return named(work, {"name": given} if isinstance(given, str) else given, where, "name", allowed)


def _make_role(work: Work, entry: Mapping[str, Any], client: Client | None, api: Api | None) -> None:
    owner = {"client": client.id if client else None, "api": api.id if api else None}
    name = entry["name"]
    of = client.client_id if client else api.identifier if api else None
    shown = f"{name} of {of}" if of else name
    present = groups.role(name, **owner)
    if absent(entry):
        if present is not None:
            groups.delete_role(present, work.actor)
            work.note("role", shown, "delete")
    elif present is None:
        groups.create_role(name, **owner, actor=work.actor)
        work.note("role", shown, "create")


def _named_role(work: Work, given: object, where: str) -> Role:
    entry = _role_entry(work, given, where, ("client_id", "api"))
    client = clients.show(entry["client_id"]).id if "client_id" in entry else None
    api = apis.show(entry["api"]).id if "api" in entry else None
    found = groups.role(entry["name"], client=client, api=api)
    if found is None:
        raise work.file.mistake(where, "There is no such role.")
    return found


def connect(work: Work, entry: Mapping[str, Any], where: str) -> None:
    """Who is in which group and has which role; last, because all of them must be there."""
    for index, user in enumerate(listed(work.file, entry, where, "users")):
        if not absent(user):
            _join(work, user, users.show(user["username"]), f"{where}.users[{index}]")
    _connect_groups(work, entry, where)
    owners = [(entry, where)]
    owners += [
        (one, f"{where}.clients[{n}]") for n, one in enumerate(listed(work.file, entry, where, "clients"))
    ]
    owners += [(one, f"{where}.apis[{n}]") for n, one in enumerate(listed(work.file, entry, where, "apis"))]
    for owner, at in owners:
        if not absent(owner):
            _connect_roles(work, owner, at)


def _connect_groups(work: Work, entry: Mapping[str, Any], where: str) -> None:
    for index, given in enumerate(listed(work.file, entry, where, "groups")):
        at = f"{where}.groups[{index}]"
        if absent(given):
            continue
        group = groups.show(given["name"])
        with work.file.at(at):
            if "parent" in given and groups.move(group, _parent(given["parent"]), work.actor):
                work.note("group", group.name, "change", "parent")
        for number, member in enumerate(listed(work.file, given, at, "members")):
            with work.file.at(f"{at}.members[{number}]"):
                _member(work, group, users.show(_text(work, member, f"{at}.members[{number}]")))
        _roles_of(work, given, group, at)
        _connect_groups(work, given, at)


def _parent(name: object) -> Group | None:
    return None if name is None else groups.show(str(name))


def _connect_roles(work: Work, owner: Mapping[str, Any], where: str) -> None:
    for index, given in enumerate(listed(work.file, owner, where, "roles")):
        at = f"{where}.roles[{index}]"
        if isinstance(given, str) or absent(given):
            continue
        named = {"name": given["name"]} | {key: given[key] for key in ("client_id", "api") if key in given}
        named |= {"client_id": owner["client_id"]} if "client_id" in owner else {}
        named |= {"api": owner["identifier"]} if "identifier" in owner else {}
        for kind, find in (("users", users.show), ("groups", groups.show)):
            for number, name in enumerate(listed(work.file, given, at, kind)):
                with work.file.at(f"{at}.{kind}[{number}]"):
                    _give(
                        work, _named_role(work, named, at), find(_text(work, name, f"{at}.{kind}[{number}]"))
                    )


def _join(work: Work, entry: Mapping[str, Any], user: User, where: str) -> None:
    for index, given in enumerate(listed(work.file, entry, where, "groups")):
        at = f"{where}.groups[{index}]"
        with work.file.at(at):
            one = named(work, {"name": given} if isinstance(given, str) else given, at, "name", ("state",))
            _member(work, groups.show(one["name"]), user, out=absent(one))
    _roles_of(work, entry, user, where)


def _member(work: Work, group: Group, user: User, *, out: bool = False) -> None:
    if (groups.remove if out else groups.add)(group, user, work.actor):
        work.note("member", f"{user.username} of {group.name}", "remove" if out else "add")


def _roles_of(work: Work, entry: Mapping[str, Any], who: User | Group, where: str) -> None:
    for index, given in enumerate(listed(work.file, entry, where, "roles")):
        at = f"{where}.roles[{index}]"
        with work.file.at(at):
            _give(work, _named_role(work, given, at), who, out=isinstance(given, dict) and absent(given))


def _give(work: Work, role: Role, who: User | Group, *, out: bool = False) -> None:
    if (groups.take if out else groups.give)(role, who, work.actor):
        name = who.username if isinstance(who, User) else who.name
        work.note("role", f"{role.name} of {name}", "remove" if out else "add")


def _text(work: Work, value: object, where: str) -> str:
    if not isinstance(value, str):
        raise work.file.mistake(where, "must be a string.")
    return value
