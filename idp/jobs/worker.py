"""The loop: ask which tenants have work, enter one, do its jobs, go on to the next.

A job that fails is told and does not hold up the others; a tenant that fails does not hold up the next one.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from idp import audit, clock, directory, mail, metrics, outbox, seals, upkeep
from idp.accounts import addresses, joining, leaving, mailed, notices, recovery, sessions
from idp.control import application_clients, hosts, proofs
from idp.errors import Busy
from idp.jobs.deliverer import Deliverer
from idp.logs import log
from idp.oauth import backchannel, pings
from idp.signing import rotation
from idp.tenants import Tenant, entered

PERIOD = 1.0
"""Seconds between two rounds: audit rows are sealed, and messages delivered, about this often."""
REGULARLY = 600.0
"""Seconds between two looks at a tenant's keys and expired rows when nothing of it has changed."""

Job = Callable[[], Any]

EACH_TIME: tuple[tuple[str, Job], ...] = (("outbox", outbox.deliver), ("seal", seals.seal))
NOW_AND_THEN: tuple[tuple[str, Job], ...] = (
    ("keys", rotation.run),
    ("applications", application_clients.keep),
    ("leave", leaving.carry_out),
    ("sweep", upkeep.sweep),
    ("hosts", hosts.look_again),
    ("proof", proofs.note),
)


class Worker:
    """One worker. `run` returns after `stop`, which may be called by a signal handler or another thread."""

    def __init__(self, period: float = PERIOD, beside: Job | None = None) -> None:
        """`period`: seconds between two rounds; `beside`: what is looked at in each, apart from the tenants."""
        self._beside = beside
        self._period = period
        self._stopping = threading.Event()
        self._changed: set[UUID] = set()
        self._looked: dict[UUID, float] = {}
        self._away = False
        self._deliverer = Deliverer()
        outbox.handle(sessions.TOPIC, sessions.drop)
        outbox.handle(notices.TOPIC, backchannel.tell)
        outbox.handle(pings.TOPIC, pings.tell)
        outbox.handle(mail.TOPIC, mail.deliver)
        outbox.handle(recovery.TOPIC, recovery.answer)
        outbox.handle(joining.TOPIC, joining.answer)
        outbox.handle(addresses.TOPIC, addresses.answer)
        outbox.handle(mailed.ASKED, mailed.answer)
        outbox.handle(mailed.WRONG, mailed.record_wrong)
        directory.on_change(self._changed.add)

    def run(self) -> None:
        """Go round until stopped."""
        try:
            while not self._stopping.is_set():
                self._attempt()
                self._stopping.wait(self._period)
        finally:
            self._deliverer.close()

    def stop(self) -> None:
        """End after the job at hand."""
        self._stopping.set()

    def once(self) -> int:
        """One round, and the end of every delivery that it began; how many tenants had work. Raises Busy."""
        try:
            looked_at = self.round()
            self._deliverer.settle()
            return looked_at
        finally:
            self._deliverer.close()

    def round(self) -> int:
        """One round over every tenant with work; how many there were. Raises Busy when Postgres is away."""
        looked_at = 0
        for tenant_id in upkeep.due():
            if self._stopping.is_set():
                break
            looked_at += self._visit(tenant_id)
        while self._changed and not self._stopping.is_set():
            looked_at += self._visit(next(iter(self._changed)))
        return looked_at

    def _attempt(self) -> None:
        try:
            with audit.acting(audit.WORKER):
                self._beat()
                if self._beside is not None:
                    self._beside()
                self.round()
            self._away = False
        except Busy:
            if not self._away:
                log(__name__).warning("worker.waits_for_postgres")
            self._away = True
        except Exception:
            log(__name__).exception("worker.round_failed")

    def _beat(self) -> None:
        try:
            upkeep.beat()
        except Busy:
            log(__name__).debug("worker.heartbeat_not_kept")

    def _visit(self, tenant_id: UUID) -> int:
        try:
            return self._look_after(tenant_id)
        except Busy:
            self._changed.add(tenant_id)
            raise
        except Exception:
            log(__name__).exception("worker.tenant_failed", tenant_id=str(tenant_id))
            return 0

    def _look_after(self, tenant_id: UUID) -> int:
        changed = tenant_id in self._changed
        self._changed.discard(tenant_id)
        tenant = directory.by_id(tenant_id)
        if tenant is None:
            self._looked.pop(tenant_id, None)
            return 0
        with entered(tenant):
            for name, job in (*EACH_TIME, ("deliver", self._deliverer.take)):
                self._do(name, job, tenant)
            if changed or self._long_ago(tenant_id):
                self._looked[tenant_id] = clock.monotonic()
                done = [self._do(name, job, tenant) for name, job in NOW_AND_THEN]
                if all(done):
                    upkeep.visited()
            self._beat()
        return 1

    def _long_ago(self, tenant_id: UUID) -> bool:
        return clock.monotonic() - self._looked.get(tenant_id, float("-inf")) >= REGULARLY

    def _do(self, name: str, job: Job, tenant: Tenant) -> bool:
        with _measured(name) as outcome:
            try:
                job()
            except Busy:
                outcome.append("busy")
            except Exception as error:
                outcome.append("failed")
                log(__name__).error("job.failed", job=name, tenant=tenant.slug, cause=repr(error)[:300])
        return not outcome


@contextmanager
def _measured(name: str) -> Iterator[list[str]]:
    begun = clock.monotonic()
    outcome: list[str] = []
    yield outcome
    metrics.observe("job", clock.monotonic() - begun, job=name)
    metrics.count("jobs_total", job=name, outcome=outcome[0] if outcome else "done")


def once() -> int:
    """One round of a worker of its own, for commands and tests; how many tenants had work."""
    with audit.acting(audit.WORKER):
        return Worker().once()
