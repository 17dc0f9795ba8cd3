"""Reading the catalogue: questions that are counted, notes of what may not be read, what is ours in there."""

from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any

import psycopg2

from idp.prove.allowed import SERVICE_ROLES
from idp.prove.promises import Tally

FIRST = 16_384
"""The first object id that `initdb` does not give: whatever has a smaller one is Postgres' own."""

Rows = list[tuple[Any, ...]]


class Look:
    """Runs queries of `pg_catalog`, counting what they answer as attempts."""

    def __init__(
        self, ask: Callable[..., Rows], tally: Tally | None = None, beside: frozenset[str] = frozenset()
    ) -> None:
        """`ask`: runs one query; `beside`: schemas that are somebody else's, known and looked at elsewhere."""
        self._ask = ask
        self.tally = tally or Tally()
        self.beside = beside

    def __call__(self, query: str, *values: Any) -> Rows:
        """The rows. Raises psycopg2.Error."""
        rows = self._ask(query, *values)
        self.tally.count(max(len(rows), 1))
        return rows

    def if_allowed(self, what: str, query: str) -> Rows:
        """The rows; none, and a note that says `what` was not looked at, where this role may not read them."""
        try:
            return self(query)
        except psycopg2.errors.InsufficientPrivilege:
            self.note(f"{what} cannot be read by the role that proves")
            return []

    def note(self, sentence: str) -> None:
        """A residual risk that the deployment does not let us judge or mend."""
        if sentence not in self.tally.notes:
            self.tally.notes.append(sentence)

    def ours(self, oid: str) -> str:
        """Condition on the object `oid` in the namespace `n`: not Postgres' own, nor temporary, nor beside.

        It is by the object, since somebody can put one of theirs into a schema of Postgres' own.
        """
        names = ", ".join(f"'{name}'" for name in ("pg_toast", *self.beside))
        return f"{oid} >= {FIRST} AND n.nspname NOT IN ({names}) AND n.nspname !~ '^pg_(toast_)?temp_'"

    @cached_property
    def service(self) -> frozenset[str]:
        """Roles of a managed service: by name, and whoever is a member of one."""
        named = {
            name
            for (name,) in self._ask("SELECT rolname FROM pg_roles WHERE rolname !~ '^(pg_|idp_)'")
            if str(name).startswith(SERVICE_ROLES)
        }
        pairs = self._ask("SELECT roleid::regrole::text, member::regrole::text FROM pg_auth_members")
        while grown := {member for role, member in pairs if role in named} - named:
            named |= grown
        return frozenset(named)

    @property
    def managed(self) -> bool:
        """Whether a service runs this Postgres and keeps some powers for itself."""
        return bool(self.service)


def differ(what: str, found: Any, wanted: Any) -> Iterator[str]:
    """One sentence where the two are not equal; of sets and mappings only what differs."""
    if found == wanted:
        return
    if isinstance(found, set) and isinstance(wanted, set):
        for each in sorted(map(repr, found - wanted)):
            yield f"{what}: {each} is not allowed"
        for each in sorted(map(repr, wanted - found)):
            yield f"{what}: {each} is missing"
    elif isinstance(found, dict) and isinstance(wanted, dict):
        for name in sorted(found.keys() | wanted.keys(), key=repr):
            yield from differ(f"{what} of {name}", found.get(name), wanted.get(name))
    else:
        yield f"{what}: {found!r}, wanted {wanted!r}"
