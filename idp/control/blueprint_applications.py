"""Applications of the platform in a blueprint: beside its tenants, and after them, since it names some of them.

`tenants: all`, or a list of slugs; one with `state: absent` is taken out. What the file does not name is left alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from idp import config
from idp.audit import Actor
from idp.control import applications, clients
from idp.control.blueprint_file import File, secret
from idp.control.blueprint_work import Change, absent, listed, same_source, source
from idp.errors import NotFound
from idp.store.durable import control_plane
from idp.store.durable.applications import Application
from idp.store.durable.applications import enabled as enabled_for

NAME = "applications"
ALL = "all"
PLATFORM = "platform"
"""What stands for a tenant in a report."""
_APART = ("client_id", "client_secret", "state", "tenants")


@dataclass(frozen=True, slots=True)
class Entry:
    """An application of a file, and where it stands."""

    given: dict[str, Any]
    where: str

    @property
    def client_id(self) -> str:
        """By which it is known."""
        return str(self.given["client_id"])

    @property
    def fields(self) -> dict[str, Any]:
        """What is its client's."""
        return {name: value for name, value in self.given.items() if name not in _APART}


@dataclass(frozen=True, slots=True)
class _Switches:
    everywhere: bool
    on: frozenset[str]
    off: frozenset[str]


def entries(file: File) -> list[Entry]:
    """The applications of a file, checked as far as that can be done before anything is changed. Raises Mistake."""
    found: list[Entry] = []
    for index, given in enumerate(listed(file, file.content, "", NAME)):
        entry = Entry(given, f"{NAME}[{index}]")
        if not isinstance(given, dict) or not isinstance(given.get("client_id"), str):
            raise file.mistake(entry.where, "must be a mapping with a client_id.")
        if given.get("state", "present") not in ("present", "absent"):
            raise file.mistake(f"{entry.where}.state", "must be present or absent.")
        if any(one.client_id == entry.client_id for one in found):
            raise file.mistake(f"{entry.where}.client_id", "stands here twice.")
        _switches(file, entry)
        if not absent(given):
            _judge(file, entry)
        found.append(entry)
    return found


def _judge(file: File, entry: Entry) -> None:
    with file.at(entry.where):
        clients.checked_id(entry.client_id)
        present = _find(entry.client_id)
        with applications.nowhere():
            applications.validated(entry.client_id, entry.fields, present)
        value = _secret(file, entry)
        if value is not None:
            clients.checked_secret(value)


def reconcile(
    file: File, found: list[Entry], actor: Actor | None, *, dry_run: bool
) -> tuple[list[Change], dict[str, str]]:
    """Make the applications match the file, or only say what would change; the secrets that were made."""
    changes: list[Change] = []
    made: dict[str, str] = {}
    for entry in found:
        with file.at(entry.where):
            changes += _one(file, entry, actor, made, dry_run=dry_run)
    return changes, made


def _one(
    file: File, entry: Entry, actor: Actor | None, made: dict[str, str], *, dry_run: bool
) -> list[Change]:
    name, present = entry.client_id, _find(entry.client_id)
    if absent(entry.given):
        if present is None:
            return []
        if not dry_run:
            applications.delete(name, actor)
        return [Change(PLATFORM, "application", name, "delete")]
    value = _secret(file, entry)
    changed = _differences(file, entry, present, value)
    if not changed and present is not None:
        return []
    if not dry_run:
        _carry_out(file, entry, present, value, actor, made)
    return [Change(PLATFORM, "application", name, "create" if present is None else "change", tuple(changed))]


def _carry_out(
    file: File,
    entry: Entry,
    present: Application | None,
    value: str | None,
    actor: Actor | None,
    made: dict[str, str],
) -> None:
    name, digest = entry.client_id, _source(entry.client_id, value)
    if present is None:
        done = applications.create(name, entry.fields, actor, client_secret=value, source_digest=digest)
    else:
        done = applications.update(name, entry.fields, actor)
        if value is not None and _is_new(done.application, value):
            applications.rotate_secret(name, actor, client_secret=value, source_digest=digest)
    if done.client_secret:
        made[f"{PLATFORM}/{name}"] = done.client_secret
    switches = _switches(file, entry)
    if switches.everywhere:
        done = applications.enable(name, actor=actor, everywhere=True)
    elif switches.on:
        done = applications.enable(name, switches.on, actor)
    if switches.off:
        applications.disable(name, switches.off, actor)
    if done.problems:
        raise file.mistake(entry.where, " ".join(done.problems))


def _differences(file: File, entry: Entry, present: Application | None, value: str | None) -> list[str]:
    """Names of what the file has otherwise than an application that is there."""
    if present is None:
        return []
    with applications.nowhere():
        metadata, settings, status = applications.validated(entry.client_id, entry.fields, present)
    old = present.client
    changed = [
        name
        for new, before in ((metadata, old.metadata), (settings, old.settings))
        for name in {*new, *before}
        if new.get(name) != before.get(name)
    ]
    changed += ["status"] if status not in (None, old.status) else []
    changed += ["client_secret"] if value is not None and _is_new(present, value) else []
    switches, there = _switches(file, entry), enabled_for(old.id)
    on = {row.slug for row in control_plane.by_ids({tenant for tenant, live in there.items() if live})}
    if (switches.everywhere and not present.everywhere) or switches.on - on or switches.off & on:
        changed.append("tenants")
    return sorted(changed)


def _switches(file: File, entry: Entry) -> _Switches:
    where = f"{entry.where}.tenants"
    if entry.given.get("tenants") == ALL:
        return _Switches(True, frozenset(), frozenset())
    on: set[str] = set()
    off: set[str] = set()
    for index, given in enumerate(listed(file, entry.given, entry.where, "tenants")):
        one = {"slug": given} if isinstance(given, str) else given
        if (
            not isinstance(one, Mapping)
            or not isinstance(one.get("slug"), str)
            or one.keys() - {"slug", "state"}
        ):
            raise file.mistake(f"{where}[{index}]", "must be a slug, or a mapping with slug and state.")
        if one.get("state", "present") not in ("present", "absent"):
            raise file.mistake(f"{where}[{index}].state", "must be present or absent.")
        (off if absent(one) else on).add(one["slug"])
    return _Switches(False, frozenset(on), frozenset(off))


def _secret(file: File, entry: Entry) -> str | None:
    plain = config.settings().development
    return secret(file, f"{entry.where}.client_secret", entry.given.get("client_secret"), plain=plain)


def _source(name: str, value: str | None) -> bytes | None:
    with applications.nowhere():
        return source("client_secret", name, value)


def _is_new(present: Application, value: str) -> bool:
    with applications.nowhere():
        kept = [one.source_digest for one in present.client.secrets]
        return not any(same_source(one, "client_secret", present.client.client_id, value) for one in kept)


def _find(client_id: str) -> Application | None:
    try:
        return applications.show(client_id)
    except NotFound:
        return None
