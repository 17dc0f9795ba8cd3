"""One tenant of a blueprint against the entered tenant: what differs is made, changed or deleted, by the verbs.

What the file names is made so; what it does not name is left alone: a field that does not stand there keeps its
value, and so does everybody's membership. `state: absent` deletes what it stands at. Order: what others refer to
comes first.
"""

import hashlib
import hmac
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from idp.accounts import passwords
from idp.audit import Actor
from idp.control import apis, clients, groups, users
from idp.control.blueprint_file import File, secret
from idp.errors import NotFound
from idp.signing import ring
from idp.store.durable import credentials
from idp.store.durable.apis import Api
from idp.store.durable.clients import Client
from idp.store.durable.groups import Group, Role
from idp.store.durable.users import User
from idp.tenants import current

# A hash of ours of nothing: it stands in where a password would be hashed only to be rolled back
_STAND_IN = (
    "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
)


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that was done, or would be: `action` is create, change, delete, add or remove."""

    tenant: str
    kind: str
    name: str
    action: str
    fields: tuple[str, ...] = ()

    def __str__(self) -> str:
        members = f" ({', '.join(self.fields)})" if self.fields else ""
        return f"{self.tenant}: {self.action} {self.kind} {self.name}{members}"


@dataclass(slots=True)
class Work:
    """What reconciling one tenant needs and leaves behind."""

    file: File
    actor: Actor | None
    plain_secrets: bool
    hashing: bool  # false where everything will be rolled back anyway
    hashes: dict[str, str] = field(default_factory=dict)
    changes: list[Change] = field(default_factory=list)
    client_secrets: dict[str, str] = field(default_factory=dict, repr=False)

    def note(self, kind: str, name: str, action: str, *fields: str) -> None:
        """Remember a change."""
        self.changes.append(Change(current().slug, kind, name, action, tuple(fields)))


def reconcile(work: Work, entry: Mapping[str, Any], where: str) -> None:
    """Make the entered tenant match `entry`, which stands at `where`. Raises Mistake."""
    for name, step in STEPS:
        for index, member in enumerate(_list(work.file, entry, where, name)):
            at = f"{where}.{name}[{index}]"
            with work.file.at(at):
                step(work, member, at)
    _connect(work, entry, where)


def _list(file: File, entry: Mapping[str, Any], where: str, name: str) -> list[Any]:
    members = entry.get(name)
    if members is None:
        return []
    if not isinstance(members, list):
        raise file.mistake(f"{where}.{name}", "must be a list.")
    return members


def _members(
    work: Work, entry: object, where: str, key: str, allowed: tuple[str, ...] = ()
) -> dict[str, Any]:
    """The members of an object that has a name under `key`, and only `allowed` ones where those are given."""
    if not isinstance(entry, dict):
        raise work.file.mistake(where, f"must be a mapping with the key {key}.")
    if not isinstance(entry.get(key), str):
        raise work.file.mistake(f"{where}.{key}", "must be a string.")
    if entry.get("state", "present") not in ("present", "absent"):
        raise work.file.mistake(f"{where}.state", "must be present or absent.")
    for name in entry:
        if allowed and name not in (key, "state", *allowed):
            raise work.file.mistake(f"{where}.{name}", "is not known here.")
    return entry


def _absent(entry: Mapping[str, Any]) -> bool:
    return entry.get("state") == "absent"


def _gone(work: Work, kind: str, name: str, delete: Callable[[], object]) -> None:
    with suppress(NotFound):
        delete()
        work.note(kind, name, "delete")


# Groups and roles -----------------------------------------------------------------------------------------------


def _group(work: Work, given: object, where: str, above: Group | None = None) -> None:
    entry = _members(work, given, where, "name", ("parent", "groups", "roles", "members"))
    name = entry["name"]
    if _absent(entry):
        return _gone(work, "group", name, lambda: groups.delete(groups.show(name), work.actor))
    group = _find_group(name)
    if group is None:
        group = groups.create(name, above, work.actor)
        work.note("group", name, "create")
    elif above is not None and groups.move(group, above, work.actor):
        work.note("group", name, "change", "parent")
    for index, child in enumerate(_list(work.file, entry, where, "groups")):
        with work.file.at(f"{where}.groups[{index}]"):
            _group(work, child, f"{where}.groups[{index}]", group)
    return None


def _find_group(name: str) -> Group | None:
    try:
        return groups.show(name)
    except NotFound:
        return None


def _role(work: Work, given: object, where: str) -> None:
    entry = {"name": given} if isinstance(given, str) else given
    members = _members(work, entry, where, "name", ("client_id", "api", "groups", "users"))
    client = clients.show(members["client_id"]) if "client_id" in members else None
    api = apis.show(members["api"]) if "api" in members else None
    _make_role(work, members, client, api)


def _make_role(work: Work, members: Mapping[str, Any], client: Client | None, api: Api | None) -> None:
    owner = {"client": client.id if client else None, "api": api.id if api else None}
    name = members["name"]
    shown = f"{name} of {client.client_id if client else api.identifier}" if client or api else name  # type: ignore[union-attr]
    role = groups.role(name, **owner)
    if _absent(members):
        if role is not None:
            groups.delete_role(role, work.actor)
            work.note("role", shown, "delete")
    elif role is None:
        groups.create_role(name, **owner, actor=work.actor)
        work.note("role", shown, "create")


def _own_roles(
    work: Work, entry: Mapping[str, Any], where: str, client: Client | None, api: Api | None
) -> None:
    for index, given in enumerate(_list(work.file, entry, where, "roles")):
        at = f"{where}.roles[{index}]"
        with work.file.at(at):
            _make_role(work, _members(work, {"name": given} if isinstance(given, str) else given, at, "name",
                                      ("groups", "users")), client, api)  # fmt: skip


def _named_role(work: Work, given: object, where: str) -> Role:
    members = _members(
        work, {"name": given} if isinstance(given, str) else given, where, "name", ("client_id", "api")
    )
    client = clients.show(members["client_id"]).id if "client_id" in members else None
    api = apis.show(members["api"]).id if "api" in members else None
    role = groups.role(members["name"], client=client, api=api)
    if role is None:
        raise work.file.mistake(where, "There is no such role.")
    return role


# Clients --------------------------------------------------------------------------------------------------------


def _client(work: Work, given: object, where: str) -> None:
    entry = _members(work, given, where, "client_id")
    name = entry["client_id"]
    if _absent(entry):
        return _gone(work, "client", name, lambda: clients.delete(name, work.actor))
    apart = ("client_id", "client_secret", "state", "roles")
    fields = {key: value for key, value in entry.items() if key not in apart}
    value = secret(work.file, f"{where}.client_secret", entry.get("client_secret"), plain=work.plain_secrets)
    present = _find_client(name)
    if present is None:
        digest = source("client_secret", name, value)
        made = clients.create(name, fields, work.actor, client_secret=value, source_digest=digest)
        work.note("client", name, "create")
    else:
        made = clients.update(name, fields, work.actor)
        changed = clients.differences(present, made.client)
        if value is not None and _new_secret(work, made.client, value):
            changed.append("client_secret")
        if changed:
            work.note("client", name, "change", *changed)
    if made.client_secret:
        work.client_secrets[f"{current().slug}/{name}"] = made.client_secret
    return _own_roles(work, entry, where, made.client, None)


def _find_client(name: str) -> Client | None:
    try:
        return clients.show(name)
    except NotFound:
        return None


def _new_secret(work: Work, client: Client, value: str) -> bool:
    """Give a client the file's secret when that is new; whether it was."""
    clients.checked_secret(value)
    if any(
        same_source(kept.source_digest, "client_secret", client.client_id, value) for kept in client.secrets
    ):
        return False
    clients.rotate_secret(
        client.client_id,
        work.actor,
        client_secret=value,
        source_digest=source("client_secret", client.client_id, value),
        keep_old=timedelta(0),
    )
    return True


# APIs -----------------------------------------------------------------------------------------------------------


def _api(work: Work, given: object, where: str) -> None:
    entry = _members(work, given, where, "identifier")
    name = entry["identifier"]
    if _absent(entry):
        return _gone(work, "api", name, lambda: apis.delete(name, work.actor))
    fields = {
        key: value for key, value in entry.items() if key not in ("identifier", "state", "grants", "roles")
    }
    try:
        present = apis.show(name)
    except NotFound:
        api = apis.create(name, fields, work.actor)
        work.note("api", name, "create")
    else:
        api = apis.update(name, fields, work.actor)
        if changed := apis.differences(present, api):
            work.note("api", name, "change", *changed)
    for index, grant in enumerate(_list(work.file, entry, where, "grants")):
        with work.file.at(f"{where}.grants[{index}]"):
            _grant(work, api, grant, f"{where}.grants[{index}]")
    return _own_roles(work, entry, where, None, api)


def _grant(work: Work, api: Api, given: object, where: str) -> None:
    entry = _members(work, given, where, "client_id", ("scope",))
    shown = f"{entry['client_id']} for {api.identifier}"
    if _absent(entry):
        client = _find_client(entry["client_id"])
        if client is not None and apis.ungrant(api, client, work.actor):
            work.note("grant", shown, "delete")
        return
    client = clients.show(entry["client_id"])
    scopes = apis.granted(api, entry.get("scope"))
    if apis.grant(api, client, scopes, work.actor):
        work.note("grant", shown, "change" if client.id in api.grants else "create")


# Users ----------------------------------------------------------------------------------------------------------


def _user(work: Work, given: object, where: str) -> None:
    entry = _members(work, given, where, "username")
    name = entry["username"]
    if _absent(entry):
        return _gone(work, "user", name, lambda: users.delete(name, work.actor))
    fields = {
        key: value for key, value in entry.items() if key not in (*users.SECRET, "state", "groups", "roles")
    }
    present = _find_user(name)
    kind, value = _password(work, entry, where)
    digest = source(kind, name, value)
    kept = credentials.password_source(present.id) if present else None
    new = value is not None and not same_source(kept, kind, name, value)
    if new:
        fields["password_hash"] = _hashed(work, kind, str(value), where)
    if present is None:
        users.create(fields, work.actor, source_digest=digest)
        return work.note("user", name, "create")
    own, claims = users.checked({key: value for key, value in fields.items() if key != "password_hash"})
    changed = users.differences(present, own, claims) + ([kind] if new else [])
    if changed:
        users.update(name, fields, work.actor, source_digest=digest)
        work.note("user", name, "change", *changed)
    return None


def _find_user(name: str) -> User | None:
    try:
        return users.show(name)
    except NotFound:
        return None


def _password(work: Work, entry: Mapping[str, Any], where: str) -> tuple[str, str | None]:
    given = [name for name in users.SECRET if entry.get(name) is not None]
    if len(given) > 1:
        raise work.file.mistake(f"{where}.password_hash", "must not stand beside password.")
    kind = given[0] if given else "password"
    plain = work.plain_secrets or kind == "password_hash"
    return kind, secret(work.file, f"{where}.{kind}", entry.get(kind), plain=plain)


def _hashed(work: Work, kind: str, value: str, where: str) -> str:
    """The hash of a password: made once, for the rehearsal, so that the real transaction stays short."""
    with work.file.at(f"{where}.{kind}"):
        if kind == "password_hash":
            return passwords.accepted(value)
        if where not in work.hashes:
            if not 1 <= len(value) <= passwords.LONGEST:
                raise work.file.mistake(
                    f"{where}.password", f"must have 1 to {passwords.LONGEST} characters."
                )
            work.hashes[where] = passwords.hash(value) if work.hashing else _STAND_IN
        return work.hashes[where]


# Memberships ----------------------------------------------------------------------------------------------------


def _connect(work: Work, entry: Mapping[str, Any], where: str) -> None:
    """Who is in which group and has which role; last, because all of them must be there."""
    for index, user in enumerate(_list(work.file, entry, where, "users")):
        if not _absent(user):
            _join(work, user, users.show(user["username"]), f"{where}.users[{index}]")
    _connect_groups(work, entry, where)
    owners = [(entry, where)]
    owners += [
        (one, f"{where}.clients[{n}]") for n, one in enumerate(_list(work.file, entry, where, "clients"))
    ]
    owners += [(one, f"{where}.apis[{n}]") for n, one in enumerate(_list(work.file, entry, where, "apis"))]
    for owner, at in owners:
        if not _absent(owner):
            _connect_roles(work, owner, at)


def _connect_groups(work: Work, entry: Mapping[str, Any], where: str) -> None:
    for index, given in enumerate(_list(work.file, entry, where, "groups")):
        at = f"{where}.groups[{index}]"
        if _absent(given):
            continue
        group = groups.show(given["name"])
        with work.file.at(at):
            if "parent" in given and groups.move(group, _parent(given["parent"]), work.actor):
                work.note("group", group.name, "change", "parent")
        for number, member in enumerate(_list(work.file, given, at, "members")):
            with work.file.at(f"{at}.members[{number}]"):
                _member(work, group, users.show(_text(work, member, f"{at}.members[{number}]")))
        _roles_of(work, given, group, at)
        _connect_groups(work, given, at)


def _parent(name: object) -> Group | None:
    return None if name is None else groups.show(str(name))


def _connect_roles(work: Work, owner: Mapping[str, Any], where: str) -> None:
    for index, given in enumerate(_list(work.file, owner, where, "roles")):
        at = f"{where}.roles[{index}]"
        if isinstance(given, str) or _absent(given):
            continue
        named = {"name": given["name"]} | {key: given[key] for key in ("client_id", "api") if key in given}
        named |= {"client_id": owner["client_id"]} if "client_id" in owner else {}
        named |= {"api": owner["identifier"]} if "identifier" in owner else {}
        for kind, find in (("users", users.show), ("groups", groups.show)):
            for number, name in enumerate(_list(work.file, given, at, kind)):
                with work.file.at(f"{at}.{kind}[{number}]"):
                    _give(
                        work, _named_role(work, named, at), find(_text(work, name, f"{at}.{kind}[{number}]"))
                    )


def _join(work: Work, entry: Mapping[str, Any], user: User, where: str) -> None:
    for index, given in enumerate(_list(work.file, entry, where, "groups")):
        at = f"{where}.groups[{index}]"
        with work.file.at(at):
            named = _members(
                work, {"name": given} if isinstance(given, str) else given, at, "name", ("state",)
            )
            _member(work, groups.show(named["name"]), user, out=_absent(named))
    _roles_of(work, entry, user, where)


def _member(work: Work, group: Group, user: User, *, out: bool = False) -> None:
    if (groups.remove if out else groups.add)(group, user, work.actor):
        work.note("member", f"{user.username} of {group.name}", "remove" if out else "add")


def _roles_of(work: Work, entry: Mapping[str, Any], who: User | Group, where: str) -> None:
    for index, given in enumerate(_list(work.file, entry, where, "roles")):
        at = f"{where}.roles[{index}]"
        with work.file.at(at):
            _give(work, _named_role(work, given, at), who, out=isinstance(given, dict) and _absent(given))


def _give(work: Work, role: Role, who: User | Group, *, out: bool = False) -> None:
    if (groups.take if out else groups.give)(role, who, work.actor):
        name = who.username if isinstance(who, User) else who.name
        work.note("role", f"{role.name} of {name}", "remove" if out else "add")


def _text(work: Work, value: object, where: str) -> str:
    if not isinstance(value, str):
        raise work.file.mistake(where, "must be a string.")
    return value


STEPS: tuple[tuple[str, Callable[[Work, Any, str], None]], ...] = (
    ("groups", _group),
    ("clients", _client),
    ("apis", _api),
    ("roles", _role),
    ("users", _user),
)
"""The objects of a tenant, in the order in which they are made."""


# Where a secret came from ---------------------------------------------------------------------------------------


def source(kind: str, name: str, value: str | None) -> bytes | None:
    """A keyed digest of a secret as it stands in a file: it tells only whether the file's own value changed."""
    return None if value is None else _digest(ring.ring().derive(b"blueprint"), kind, name, value)


def same_source(kept: bytes | None, kind: str, name: str, value: str) -> bool:
    """Whether `kept` was made of this very value, under any key that is on the ring."""
    derived = [key for _, key in ring.ring().derive_all(b"blueprint")]
    return kept is not None and any(
        hmac.compare_digest(kept, _digest(key, kind, name, value)) for key in derived
    )


def _digest(key: bytes, kind: str, name: str, value: str) -> bytes:
    parts = (current().id.bytes, kind.encode(), name.encode(), value.encode())
    return hmac.new(key, b"".join(hashlib.sha256(part).digest() for part in parts), hashlib.sha256).digest()
