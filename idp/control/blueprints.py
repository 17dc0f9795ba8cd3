"""Blueprints: make the database match a file, all of it or nothing of it, again and again.

Every tenant of a file is reconciled in one transaction. First all of them are rehearsed and rolled back, which
finds every mistake that Postgres would find; only then each is done and committed. What can still fail is a
machine between two commits, and then the same command finishes the work. Tenants that the file is the first to
name stay in `provisioning` until everything else is done, and vanish when it is not.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from idp import audit, config, directory
from idp.audit import Actor, Event
from idp.control import (
    blueprint_applications,
    blueprint_check,
    blueprint_file,
    blueprint_tenant,
    blueprint_work,
    hosts,
    telling,
    tenants,
)
from idp.control.blueprint_file import File
from idp.control.blueprint_work import Change, Work
from idp.signing import rotation
from idp.store.database import transaction
from idp.store.durable import control_plane
from idp.store.durable.control_plane import Row
from idp.tenants import Tenant, entered

OBJECTS = tuple(name for name, _ in blueprint_tenant.STEPS)
OWN = ("name", "policy", "branding")
KEYS = ("slug", *OWN, "state", "status", "hosts", *OBJECTS)


@dataclass(slots=True)
class Report:
    """What applying did, or would do; the secrets that were made, each shown here and nowhere else."""

    changes: list[Change] = field(default_factory=list)
    client_secrets: dict[str, str] = field(default_factory=dict, repr=False)


@dataclass(slots=True)
class _Part:
    """A tenant of a file, and the row of it that is there."""

    entry: dict[str, Any]
    where: str
    given: dict[str, Any]
    row: Row | None
    new: bool = False
    hashes: dict[str, str] = field(default_factory=dict)

    @property
    def absent(self) -> bool:
        return self.entry.get("state") == "absent"


class _RolledBack(Exception):
    """Ends a rehearsal."""


def apply_files(paths: Iterable[Path], actor: Actor | None = None, *, dry_run: bool = False) -> Report:
    """Apply files in their order, each all or nothing; with `dry_run` only say what would change.

    Every file is read and checked before the first is applied. Raises Mistake, which names file, line and
    field, Unavailable.
    """
    files = [blueprint_file.read(Path(path)) for path in paths]
    shaped = [(file, _entries(file), blueprint_applications.entries(file)) for file in files]
    report = Report()
    for file, entries, applications in shaped:
        parts = [_part(file, entry, where) for entry, where in entries]
        (_preview if dry_run else _apply)(file, parts, actor, report)
        changes, made = blueprint_applications.reconcile(file, applications, actor, dry_run=dry_run)
        report.changes += changes
        report.client_secrets |= made
    return report


def _entries(file: File) -> list[tuple[dict[str, Any], str]]:
    for name in file.content:
        if name not in ("tenants", blueprint_applications.NAME):
            raise file.mistake(name, "is not known here.")
    members = file.content.get("tenants", [] if blueprint_applications.NAME in file.content else None)
    if not isinstance(members, list):
        raise file.mistake("tenants", "must be a list.")
    seen: set[str] = set()
    entries = []
    for index, entry in enumerate(members):
        where = f"tenants[{index}]"
        if not isinstance(entry, dict) or not isinstance(entry.get("slug"), str):
            raise file.mistake(where, "must be a mapping with a slug.")
        for name in entry:
            if name not in KEYS:
                raise file.mistake(f"{where}.{name}", "is not known here.")
        for name, values in (("state", ("present", "absent")), ("status", ("active", "suspended"))):
            if entry.get(name, values[0]) not in values:
                raise file.mistake(f"{where}.{name}", f"must be {values[0]} or {values[1]}.")
        if entry["slug"] in seen:
            raise file.mistake(f"{where}.slug", "stands here twice.")
        seen.add(entry["slug"])
        entries.append((entry, where))
    return entries


def _part(file: File, entry: dict[str, Any], where: str) -> _Part:
    given = {"slug": entry["slug"]} | {name: entry[name] for name in OWN if entry.get(name) is not None}
    with file.at(where):
        tenants.checked({"slug": entry["slug"]})
        row = control_plane.by_slug(entry["slug"])
        if row is None or row.status == "provisioning":
            given = tenants.checked({"name": entry["slug"], "policy": {}, "branding": {}} | given)
        else:
            tenants.merged(row, given)
        _check_hosts(file, entry, where, row)
    return _Part(entry, where, given, row)


def _check_hosts(file: File, entry: Mapping[str, Any], where: str, row: Row | None) -> None:
    for index, host in enumerate(blueprint_work.listed(file, entry, where, "hosts")):
        with file.at(f"{where}.hosts[{index}]"):
            hosts.checked(host)
            hosts.check_free(host, row.id if row else None)


def _preview(file: File, parts: list[_Part], actor: Actor | None, report: Report) -> None:
    for part in parts:
        if part.absent:
            _note_absent(part, report)
        elif part.row is None:
            plain = config.settings().development
            report.changes += blueprint_check.check(file, part.entry, part.where, part.given, plain=plain)
        else:
            _note_own(part, report)
            _reconcile(file, part, actor, report, commit=False, hashing=False)


def _apply(file: File, parts: list[_Part], actor: Actor | None, report: Report) -> None:
    made: list[Row] = []
    present = [part for part in parts if not part.absent]
    try:
        for part in present:
            if part.row is None or part.row.status == "provisioning":
                fresh = part.row is None
                part.row, part.new = tenants.begin(part.given), True
                made += [part.row] if fresh else []
                rotation.ensure(tenants.as_tenant(part.row))
        for part in present:
            _reconcile(file, part, actor, Report(), commit=False, hashing=True)
    except BaseException:
        for row in made:
            control_plane.purge(row.id)
        raise
    for part in present:
        _note_own(part, report)
        _reconcile(file, part, actor, report, commit=True, hashing=True)
    changed = {change.tenant for change in report.changes}
    for part in present:
        if part.new or part.entry["slug"] in changed:
            _settle(part, actor)
    for part in parts:
        if part.absent:
            _note_absent(part, report)
            if part.row is not None:
                tenants.delete(part.row.slug, actor)


def _reconcile(
    file: File, part: _Part, actor: Actor | None, report: Report, *, commit: bool, hashing: bool
) -> None:
    work = Work(file, actor, config.settings().development, hashing, part.hashes)
    try:
        with entered(_planned(part)), telling.later(), transaction():
            blueprint_tenant.reconcile(work, part.entry, part.where)
            if work.changes and commit:
                audit.record(Event.BLUEPRINT_APPLIED, actor, file=file.path.name, changes=len(work.changes))
            if not commit:
                raise _RolledBack
    except _RolledBack:
        pass
    report.changes += work.changes
    report.client_secrets |= work.client_secrets


def _planned(part: _Part) -> Tenant:
    """The tenant as it will be: a client may use what the file gives its tenant."""
    if part.row is None:
        raise RuntimeError("a tenant without a row cannot be entered")
    return tenants.as_tenant(replace(part.row, **_own_changes(part)))


def _own_changes(part: _Part) -> dict[str, Any]:
    return {} if part.row is None else tenants.merged(part.row, part.given)


def _settle(part: _Part, actor: Actor | None) -> None:
    """The tenant's own row: last, because it makes everything else reachable."""
    row = part.row
    if row is None:
        return
    if part.new:
        tenants.finish(row, actor)
    else:
        tenants.update(row.slug, part.given, actor)
    status = part.entry.get("status", "suspended" if row.status == "suspended" else "active")
    if status == "suspended":
        tenants.suspend(row.slug, actor)
    elif row.status in ("suspended", "deleted"):
        tenants.resume(row.slug, actor)
    for host in _hosts(part):
        hosts.add(row.slug, host, actor)
    # the rows of a long transaction are dated before it committed: tell every directory once more
    control_plane.change({row.id: {}})
    directory.forget(row.id)
    if not part.new:
        rotation.ensure(tenants.as_tenant(tenants.show(row.slug)))


def _hosts(part: _Part) -> list[str]:
    there = {host.host for host in part.row.hosts} if part.row else set()
    return [host for host in part.entry.get("hosts") or [] if host not in there]


def _note_own(part: _Part, report: Report) -> None:
    row = part.row
    if row is None:
        return
    slug = row.slug
    if part.new or row.status == "provisioning":
        report.changes.append(Change(slug, "tenant", slug, "create"))
        return
    fields = []
    for name, value in _own_changes(part).items():
        before = getattr(row, name)
        if isinstance(value, Mapping):
            fields += sorted(
                f"{name}.{key}" for key in {*value, *before} if value.get(key) != before.get(key)
            )
        else:
            fields.append(name)
    status = part.entry.get("status", "suspended" if row.status == "suspended" else "active")
    fields += ["status"] if status != row.status else []
    fields += ["hosts"] if _hosts(part) else []
    if fields:
        report.changes.append(Change(slug, "tenant", slug, "change", tuple(fields)))


def _note_absent(part: _Part, report: Report) -> None:
    if part.row is not None and part.row.status != "deleted":
        report.changes.append(Change(part.row.slug, "tenant", part.row.slug, "delete"))
