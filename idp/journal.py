"""What requests leave behind without waiting for it: a bounded queue, written by a thread in batches.

Owns the queue and its thread. A line is written at most a second later, or as soon as there are 500; each
batch is written in transactions that show Postgres the context of many tenants in turn. Two kinds of line: tokens
issued by client credentials, a flow that touches no database while it answers, and refusals for
`idp explain`. A full queue refuses the former with 503, because nothing happens here without a record; the
latter are dropped and counted.

What changes state never comes here: it is recorded in its own transaction (:mod:`idp.audit`).
"""

import os
import threading
from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from uuid import UUID

from idp import audit, clock, ids, metrics
from idp.errors import Busy
from idp.logs import log
from idp.store.durable import activity, refusals
from idp.store.durable.activity import Activity
from idp.store.durable.refusals import Refused
from idp.store.ephemeral import outside
from idp.tenants import Tenant, current, entered, maybe_current

CAPACITY = 20_000
"""Lines that wait at most: some seconds of one process at full load."""
BATCH = 500
TOGETHER = 100
"""Tenants of one transaction: to put its text together takes a millisecond, in which nothing else runs."""
PERIOD = 1.0
"""Seconds between two writes at most."""


@dataclass(frozen=True, slots=True)
class Issued:
    """One access token by client credentials."""

    client_id: UUID
    kind: str
    scopes: tuple[str, ...]
    at: datetime
    request_id: str | None


Line = Issued | Refused


class Journal:
    """The queue of one process. Its thread starts with the first line, so after every fork."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        """`capacity`: lines that may wait."""
        self._capacity = capacity
        self._lines: deque[tuple[Tenant | None, Line]] = deque()
        self._enough = threading.Event()
        self._stopping = False
        self._thread: threading.Thread | None = None
        self._pid = 0
        self._starting = threading.Lock()
        self._writing = threading.Lock()

    def offer(self, tenant: Tenant | None, line: Line) -> bool:
        """Take a line of a tenant, or of none; False when the queue is full."""
        if len(self._lines) >= self._capacity:
            self._enough.set()
            return False
        self._lines.append((tenant, line))
        if self._pid != os.getpid():
            self._start()
        if len(self._lines) >= BATCH and not self._enough.is_set():
            self._enough.set()
        return True

    def flush(self) -> int:
        """Write what waits, now; how many lines are left because Postgres is away."""
        while self._lines and self._write_batch():
            pass
        return len(self._lines)

    def stop(self) -> int:
        """Write what waits and end the thread; how many lines were lost."""
        self._stopping = True
        self._enough.set()
        thread, self._thread, self._pid = self._thread, None, 0
        if thread is not None and thread.is_alive():
            thread.join(2 * PERIOD)
        left = self.flush()
        self._lines.clear()
        self._stopping = False
        return left

    def _start(self) -> None:
        with self._starting:
            if self._pid != os.getpid():
                # A fork copies the queue but not the thread: lines that the parent holds are the parent's.
                self._pid = os.getpid()
                self._writing = threading.Lock()
                self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while not self._stopping:
            self._enough.wait(PERIOD)
            self._enough.clear()
            while self._lines and not self._stopping:
                if not self._write_batch():
                    break
                if len(self._lines) < BATCH:
                    break

    def _write_batch(self) -> bool:
        """Write one batch; False when Postgres is away and the lines are back in the queue."""
        with self._writing:
            batch: dict[UUID | None, tuple[Tenant | None, list[Line]]] = {}
            for _ in range(min(BATCH, len(self._lines))):
                tenant, line = self._lines.popleft()
                batch.setdefault(tenant.id if tenant is not None else None, (tenant, []))[1].append(line)
            together = _together(batch)
            held: list[tuple[Tenant | None, Line]] = []
            for name, (tenant, lines) in batch.items():
                if name not in together and not _write(tenant, lines):
                    held += [(tenant, line) for line in lines]
            self._lines.extendleft(reversed(held))
            return not held


def _together(batch: Mapping[UUID | None, tuple[Tenant | None, Sequence[Line]]]) -> set[UUID | None]:
    """Write what was issued, many tenants in one transaction; which tenants are done with.

    Where one of them cannot be written none beside it is: each is then written by itself, and finds its own fault.
    """
    issued = {
        name: _summed([line for line in lines if isinstance(line, Issued)])
        for name, (_, lines) in batch.items()
        if name is not None and all(isinstance(line, Issued) for line in lines)
    }
    done: set[UUID | None] = set()
    names = iter(issued)
    while part := list(islice(names, TOGETHER)):
        try:
            activity.insert_each({name: issued[name] for name in part})
            done |= set(part)
        except Exception as error:
            log(__name__).info("journal.one_by_one", tenants=len(part), cause=type(error).__name__)
    return done


def _write(tenant: Tenant | None, lines: Sequence[Line]) -> bool:
    refused = [line for line in lines if isinstance(line, Refused)]
    try:
        if tenant is None:
            outside.keep(refused)
            return True
        with entered(tenant):
            activity.insert_all(_summed([line for line in lines if isinstance(line, Issued)]))
            refusals.insert_all(refused)
    except Busy:
        if tenant is None:  # what strangers caused waits for nobody
            metrics.count("journal_dropped_total", len(lines), kind="refusal_without_tenant")
        return tenant is None
    except Exception as error:
        # A deleted tenant, say: its lines must not hold up those of others.
        metrics.count("journal_dropped_total", len(lines), kind="write")
        slug = tenant.slug if tenant is not None else None
        log(__name__).error("journal.lost", tenant=slug, lines=len(lines), cause=type(error).__name__)
    return True


def _summed(lines: Sequence[Issued]) -> list[Activity]:
    """One row for each client, kind and scopes of the batch, with how many there were."""
    groups: dict[tuple[UUID, str, tuple[str, ...]], list[Issued]] = defaultdict(list)
    for line in lines:
        groups[line.client_id, line.kind, line.scopes].append(line)
    return [
        Activity(
            id=ids.uuid7(),
            client_id=client_id,
            kind=kind,
            scopes=list(scopes),
            count=len(same),
            at=same[-1].at,
            request_id=same[0].request_id if len(same) == 1 else None,
        )
        for (client_id, kind, scopes), same in groups.items()
    ]


_journal = Journal()


def issued(client_id: UUID, kind: str, scopes: Sequence[str], request_id: str | None = None) -> None:
    """Note a token that the client (its row's id) got; `kind` is the grant type. Raises Busy when full."""
    line = Issued(client_id, kind, tuple(scopes), clock.now(), request_id or audit.request_id())
    if not _journal.offer(current(), line):
        metrics.count("journal_dropped_total", kind="issued")
        raise Busy(rule="journal.full", expected=f"at most {CAPACITY} lines waiting")


def refused(line: Refused) -> bool:
    """Note a refusal of the entered tenant, or of none; False when the queue is full and the line is dropped."""
    taken = _journal.offer(maybe_current(), line)
    if not taken:
        metrics.count("journal_dropped_total", kind="refusal")
    return taken


def flush() -> int:
    """Write what waits, now; how many lines are left because Postgres is away."""
    return _journal.flush()


def stop() -> int:
    """Write what waits and end the thread: at the end of a process. How many lines were lost."""
    return _journal.stop()
