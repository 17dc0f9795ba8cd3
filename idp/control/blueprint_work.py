"""What reconciling one tenant of a blueprint carries along, and how its entries are read."""

import hashlib
import hmac
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Protocol

from idp.audit import Actor
from idp.control.blueprint_file import File
from idp.errors import NotFound
from idp.signing import ring
from idp.tenants import current


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


class HasFile(Protocol):
    """Whatever knows the file that is being read."""

    file: File


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


def listed(file: File, entry: Mapping[str, Any], where: str, name: str) -> list[Any]:
    members = entry.get(name)
    if members is None:
        return []
    if not isinstance(members, list):
        raise file.mistake(f"{where}.{name}", "must be a list.")
    return members


def named(
    work: "HasFile", entry: object, where: str, key: str, allowed: tuple[str, ...] = ()
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


def absent(entry: Mapping[str, Any]) -> bool:
    return entry.get("state") == "absent"


def gone(work: Work, kind: str, name: str, delete: Callable[[], object]) -> None:
    with suppress(NotFound):
        delete()
        work.note(kind, name, "delete")


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
