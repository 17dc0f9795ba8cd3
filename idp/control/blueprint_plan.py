"""What applying would make of a tenant that is not there yet: names and who refers to them, nothing written.

The same order and the same refusals as `blueprint_tenant` and `blueprint_members`, over names in memory. Who is
in what and has what is a change of its own, as it is when the file is applied.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from idp import identifiers
from idp.control import apis
from idp.control.blueprint_file import File
from idp.control.blueprint_work import Change, absent, listed, named
from idp.errors import NotFound

Role = tuple[str, str | None, str | None]
"""Name, and the client_id or the identifier of the API that it belongs to."""
_INSIDE = ("parent", "groups", "roles", "members")


@dataclass(slots=True)
class Plan:
    """The tenant as it would be, as far as others refer to it."""

    file: File
    slug: str
    changes: list[Change] = field(default_factory=list)
    groups: dict[str, str | None] = field(default_factory=dict)
    users: dict[str, str] = field(default_factory=dict)
    clients: set[str] = field(default_factory=set)
    apis: set[str] = field(default_factory=set)
    upstreams: set[str] = field(default_factory=set)
    roles: set[Role] = field(default_factory=set)
    held: set[tuple[object, ...]] = field(default_factory=set)

    def note(self, kind: str, name: str, action: str, *fields: str) -> None:
        """Remember a change."""
        self.changes.append(Change(self.slug, kind, name, action, fields))

    def make(self, kind: str, name: str, present: Any) -> None:
        """Note that `name` would be made, unless it stands in `present` already."""
        if name not in present:
            self.note(kind, name, "create")

    def hold(self, what: tuple[object, ...], kind: str, shown: str, *, out: bool = False) -> None:
        """Note that somebody would get `what`, or lose it again."""
        if (what in self.held) == out:
            (self.held.discard if out else self.held.add)(what)
            self.note(kind, shown, "remove" if out else "add")

    def user(self, name: str) -> str:
        """The person of that name as the file first spells it. Raises NotFound."""
        return self._found(self.users, _prepared(name), "user", "username")

    def client(self, name: object) -> str:
        """Raises NotFound where there would be no such client."""
        return self._found({one: one for one in self.clients}, name, "client", "client_id")

    def api(self, name: object) -> str:
        """Raises NotFound where there would be no such API."""
        return self._found({one: one for one in self.apis}, name, "API", "identifier")

    def group(self, name: object) -> str:
        """Raises NotFound where there would be no such group."""
        return self._found({one: one for one in self.groups}, name, "group", "name")

    def role(self, role: Role, where: str) -> Role:
        """Raises Mistake where there would be no such role."""
        if role not in self.roles:
            raise self.file.mistake(where, "There is no such role.")
        return role

    def _found(self, known: Mapping[str, str], name: object, kind: str, rule: str) -> str:
        if not isinstance(name, str) or name not in known:
            raise NotFound(f"There is no such {kind}.", rule=rule)
        return known[name]


def _prepared(name: str) -> str:
    try:
        return identifiers.username(name)
    except ValueError:
        return name


def add_user(plan: Plan, fields: Mapping[str, Any], _where: str) -> None:
    """A person."""
    name = fields["username"]
    plan.make("user", name, () if _prepared(name) not in plan.users else (name,))
    plan.users.setdefault(_prepared(name), name)


def add_upstream(plan: Plan, fields: Mapping[str, Any], _where: str) -> None:
    """A provider with which people may sign in."""
    plan.make("upstream", fields["name"], plan.upstreams)
    plan.upstreams.add(fields["name"])


def add_sender(plan: Plan, fields: Mapping[str, Any], _where: str) -> None:
    """From which address messages come."""
    plan.note("sender", fields["address"], "create")


def add_words(plan: Plan, fields: Mapping[str, Any], _where: str) -> None:
    """Words of a message."""
    plan.note("words", f"{fields['kind']} in {fields['language']}", "create")


def add_client(plan: Plan, fields: Mapping[str, Any], where: str) -> None:
    """A client and the roles inside it."""
    name = fields["client_id"]
    plan.make("client", name, plan.clients)
    plan.clients.add(name)
    _own_roles(plan, fields, where, name, None)


def add_api(plan: Plan, fields: Mapping[str, Any], where: str) -> None:
    """An API, who may ask for what of it, and the roles inside it."""
    name = fields["identifier"]
    plan.make("api", name, plan.apis)
    plan.apis.add(name)
    for index, given in enumerate(listed(plan.file, fields, where, "grants")):
        with plan.file.at(f"{where}.grants[{index}]"):
            _grant(plan, fields, given, f"{where}.grants[{index}]")
    _own_roles(plan, fields, where, None, name)


def _grant(plan: Plan, api: Mapping[str, Any], given: object, where: str) -> None:
    entry = named(plan, given, where, "client_id", ("scope",))
    what = ("grant", entry["client_id"], api["identifier"])
    shown = f"{entry['client_id']} for {api['identifier']}"
    if absent(entry):
        if what in plan.held:
            plan.held.discard(what)
            plan.note("grant", shown, "delete")
        return
    plan.client(entry["client_id"])
    apis.scopes_of(api.get("scopes") or {}, entry.get("scope"))
    if what not in plan.held:
        plan.held.add(what)
        plan.note("grant", shown, "create")


def add_role(plan: Plan, given: object, where: str) -> None:
    """A role of the tenant, or of the client or API that it names."""
    entry = _role_entry(plan, given, where, ("client_id", "api", "groups", "users"))
    client = plan.client(entry["client_id"]) if "client_id" in entry else None
    api = plan.api(entry["api"]) if "api" in entry else None
    _make_role(plan, entry, client, api)


def _own_roles(
    plan: Plan, fields: Mapping[str, Any], where: str, client: str | None, api: str | None
) -> None:
    for index, given in enumerate(listed(plan.file, fields, where, "roles")):
        at = f"{where}.roles[{index}]"
        with plan.file.at(at):
            _make_role(plan, _role_entry(plan, given, at, ("groups", "users")), client, api)


def _role_entry(plan: Plan, given: object, where: str, allowed: tuple[str, ...]) -> dict[str, Any]:
    return named(plan, {"name": given} if isinstance(given, str) else given, where, "name", allowed)


def _make_role(plan: Plan, entry: Mapping[str, Any], client: str | None, api: str | None) -> None:
    role = (entry["name"], client, api)
    owner = client or api
    shown = f"{role[0]} of {owner}" if owner else role[0]
    if absent(entry):
        if role in plan.roles:
            plan.roles.discard(role)
            plan.note("role", shown, "delete")
    elif role not in plan.roles:
        plan.roles.add(role)
        plan.note("role", shown, "create")


def add_group(plan: Plan, given: object, where: str, above: str | None = None) -> None:
    """A group and those inside it."""
    entry = named(plan, given, where, "name", _INSIDE)
    name = entry["name"]
    if absent(entry):
        return
    if name not in plan.groups:
        plan.note("group", name, "create")
        plan.groups[name] = above
    elif above is not None and plan.groups[name] != above:
        plan.note("group", name, "change", "parent")
        plan.groups[name] = above
    for index, child in enumerate(listed(plan.file, entry, where, "groups")):
        with plan.file.at(f"{where}.groups[{index}]"):
            add_group(plan, child, f"{where}.groups[{index}]", name)


def connect(plan: Plan, entry: Mapping[str, Any], where: str) -> None:
    """Who is in which group and has which role; last, because all of them must be known."""
    for index, given in enumerate(listed(plan.file, entry, where, "users")):
        if not absent(given):
            _join(plan, given, plan.user(given["username"]), f"{where}.users[{index}]")
    _connect_groups(plan, entry, where)
    owners = [(entry, where)]
    for kind in ("clients", "apis"):
        owners += [
            (one, f"{where}.{kind}[{n}]") for n, one in enumerate(listed(plan.file, entry, where, kind))
        ]
    for owner, at in owners:
        if not absent(owner):
            _connect_roles(plan, owner, at)


def _join(plan: Plan, entry: Mapping[str, Any], user: str, where: str) -> None:
    for index, given in enumerate(listed(plan.file, entry, where, "groups")):
        at = f"{where}.groups[{index}]"
        with plan.file.at(at):
            one = named(plan, {"name": given} if isinstance(given, str) else given, at, "name", ("state",))
            group = plan.group(one["name"])
            plan.hold(("member", group, user), "member", f"{user} of {group}", out=absent(one))
    _roles_of(plan, entry, ("user", user), where)


def _connect_groups(plan: Plan, entry: Mapping[str, Any], where: str) -> None:
    for index, given in enumerate(listed(plan.file, entry, where, "groups")):
        at = f"{where}.groups[{index}]"
        if absent(given):
            continue
        name = given["name"]
        with plan.file.at(at):
            _move(plan, given, name)
        for number, member in enumerate(listed(plan.file, given, at, "members")):
            with plan.file.at(f"{at}.members[{number}]"):
                user = plan.user(_text(plan, member, f"{at}.members[{number}]"))
                plan.hold(("member", name, user), "member", f"{user} of {name}")
        _roles_of(plan, given, ("group", name), at)
        _connect_groups(plan, given, at)


def _move(plan: Plan, given: Mapping[str, Any], name: str) -> None:
    if "parent" not in given:
        return
    parent = None if given["parent"] is None else plan.group(str(given["parent"]))
    if plan.groups[name] != parent:
        plan.groups[name] = parent
        plan.note("group", name, "change", "parent")


def _connect_roles(plan: Plan, owner: Mapping[str, Any], where: str) -> None:
    for index, given in enumerate(listed(plan.file, owner, where, "roles")):
        at = f"{where}.roles[{index}]"
        if isinstance(given, str) or absent(given):
            continue
        role = (
            given["name"],
            owner.get("client_id", given.get("client_id")),
            owner.get("identifier", given.get("api")),
        )
        for kind in ("users", "groups"):
            for number, name in enumerate(listed(plan.file, given, at, kind)):
                place = f"{at}.{kind}[{number}]"
                with plan.file.at(place):
                    one = _text(plan, name, place)
                    who = ("user", plan.user(one)) if kind == "users" else ("group", plan.group(one))
                    _give(plan, plan.role(role, at), who)


def _roles_of(plan: Plan, entry: Mapping[str, Any], who: tuple[str, str], where: str) -> None:
    for index, given in enumerate(listed(plan.file, entry, where, "roles")):
        at = f"{where}.roles[{index}]"
        with plan.file.at(at):
            one = _role_entry(plan, given, at, ("client_id", "api"))
            client = plan.client(one["client_id"]) if "client_id" in one else None
            api = plan.api(one["api"]) if "api" in one else None
            out = isinstance(given, dict) and absent(given)
            _give(plan, plan.role((one["name"], client, api), at), who, out=out)


def _give(plan: Plan, role: Role, who: tuple[str, str], *, out: bool = False) -> None:
    plan.hold(("role", role, who), "role", f"{role[0]} of {who[1]}", out=out)


def _text(plan: Plan, value: object, where: str) -> str:
    if not isinstance(value, str):
        raise plan.file.mistake(where, "must be a string.")
    return value
