"""The chain over a tenant's audit rows: made by the worker after the commit, checked by `idp audit verify`.

A seal covers every row of a range of transactions that have all ended: how many rows, the first and the
last, and a digest over the former seal's digest and the rows in order. A row that is changed, removed or
slipped in later breaks the digest of its seal, and a seal cannot be replaced without all that follow.

Rows are sealed by transaction and not by time or id, because a slow transaction commits rows that are older
than those which others have committed meanwhile. Whoever owns the database and this code can still write a
new chain from the start; the digest that `idp audit verify` prints, kept elsewhere, is what finds that out.

A logical restore brings rows into a cluster that counts transactions from below; sealing then stops and says
so, because what is recorded from there on would sort below what is sealed. `pg_resetwal --next-transaction-id`
sets the new cluster's counter above the highest sealed one, before the provider is started on it.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass

from idp import clock, ids
from idp.logs import log
from idp.store.database import transaction
from idp.store.durable import audit_log
from idp.store.durable.audit_log import Entry, Seal

START = bytes(32)
"""What stands for the former digest in the first seal."""
MOST_ROWS = 5_000
"""Rows of one seal, but for the rest of its last transaction."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check found: `broken` says in words what is wrong with which seal; empty when all holds."""

    seals: int
    rows: int
    unsealed: int
    head: str
    broken: tuple[str, ...]

    @property
    def whole(self) -> bool:
        """Whether the chain holds."""
        return not self.broken


def row_digest(entry: Entry) -> bytes:
    """SHA-256 over one row in a form that does not depend on who reads it."""
    members = {
        "id": str(entry.id),
        "event": entry.event,
        "actor": entry.actor,
        "facts": entry.facts,
        "at": entry.at.astimezone(clock.now().tzinfo).isoformat(timespec="microseconds"),
        "request_id": entry.request_id,
    }
    return hashlib.sha256(json.dumps(members, sort_keys=True, separators=(",", ":")).encode()).digest()


def digest(previous: bytes, number: int, rows: Iterable[tuple[int, Entry]]) -> bytes:
    """The digest of seal `number` over `rows` after the seal with the digest `previous`."""
    total = hashlib.sha256(b"idp audit seal\x00" + previous + number.to_bytes(8, "big"))
    for xid, entry in rows:
        total.update(xid.to_bytes(8, "big") + row_digest(entry))
    return total.digest()


def seal() -> int:
    """Seal the entered tenant's rows that can be; how many rows. 0 where another worker is at it. Raises Busy."""
    with transaction():
        if not audit_log.lock():
            return 0
        former = audit_log.last_seal()
        if former and audit_log.counter_stepped_back(former.last_xid):
            log(__name__).error("audit.transaction_counter_stepped_back", seal=former.number)
            return 0
        rows = audit_log.settled(former.last_xid if former else 0, MOST_ROWS)
        if not rows:
            return 0
        number = former.number + 1 if former else 1
        previous = former.digest if former else START
        audit_log.add_seal(
            Seal(
                id=ids.uuid7(),
                number=number,
                first_xid=rows[0][0],
                last_xid=rows[-1][0],
                first_id=rows[0][1].id,
                last_id=rows[-1][1].id,
                count=len(rows),
                previous=previous,
                digest=digest(previous, number, rows),
                at=clock.now(),
            )
        )
    return len(rows)


def verify() -> Verdict:
    """Check the entered tenant's whole chain against its rows, and count the tail that no seal covers yet."""
    broken: list[str] = []
    number, total, after, previous = 0, 0, 0, START
    while page := audit_log.seals(number, 200):
        for one in page:
            broken += _faults(one, number, previous, after)
            number, previous, after = one.number, one.digest, one.last_xid
            total += one.count
    if number and audit_log.counter_stepped_back(after):
        broken.append(
            f"the database counts transactions below those of seal {number}: it was restored elsewhere"
        )
    return Verdict(number, total, audit_log.unsealed(after), previous.hex(), tuple(broken))


def _faults(one: Seal, number: int, previous: bytes, after: int) -> list[str]:
    faults = []
    if one.number != number + 1:
        faults.append(f"seal {number + 1} is missing")
    if one.previous != previous:
        faults.append(f"seal {one.number} does not follow the one before it")
    rows = audit_log.between(after, one.last_xid)
    if len(rows) != one.count:
        faults.append(f"seal {one.number} covers {one.count} rows, {len(rows)} are there")
    elif rows and (rows[0][1].id, rows[-1][1].id) != (one.first_id, one.last_id):
        faults.append(f"seal {one.number} begins or ends with another row")
    if digest(one.previous, one.number, rows) != one.digest:
        faults.append(f"seal {one.number} was made over other rows than are there")
    return faults
