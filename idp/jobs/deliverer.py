"""Delivering to those outside the house, beside the worker's rounds: who does not answer holds up nobody else.

A few threads share the work. Each is with one recipient of one tenant at a time, no recipient has two, and no tenant
more than half of them; so a recipient that hangs costs one thread for as long as a fetch may take, once in each of
its ever longer rests.
"""

import threading
from concurrent.futures import Future, ThreadPoolExecutor, wait
from uuid import UUID

from idp import audit, metrics, outbox
from idp.errors import Busy
from idp.logs import log
from idp.tenants import Tenant, current, entered

THREADS = 8
PATIENCE = 8.0
"""Seconds that stopping waits for tries that are under way; what they leave is tried again after its lease."""

Job = tuple[UUID, str]


class Deliverer:
    """Hands the entered tenant's messages for others to its threads. Safe to be used by one thread."""

    def __init__(self, threads: int = THREADS) -> None:
        """`threads`: how many recipients may be waited for at once."""
        self._threads = threads
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="deliverer")
        self._busy: dict[Job, Future[None]] = {}
        self._stopping = threading.Event()

    def take(self) -> int:
        """Begin with the recipients whose messages are due, as far as there is room; how many. Raises Busy."""
        tenant, busy = current(), self._under_way()
        of_tenant = [recipient for tenant_id, recipient in busy if tenant_id == tenant.id]
        room = min(self._threads - len(busy), max(1, self._threads // 2) - len(of_tenant))
        if room <= 0:
            return 0
        found = outbox.recipients(room, of_tenant)
        for recipient in found:
            self._busy[tenant.id, recipient] = self._pool.submit(self._deliver, tenant, recipient)
        return len(found)

    def _under_way(self) -> set[Job]:
        self._busy = {job: future for job, future in self._busy.items() if not future.done()}
        return set(self._busy)

    def _deliver(self, tenant: Tenant, recipient: str) -> None:
        try:
            with entered(tenant), audit.acting(audit.WORKER):
                outbox.deliver_to(recipient, stop=self._stopping.is_set)
        except Busy:
            metrics.count("jobs_total", job="deliver", outcome="busy")
        except Exception as error:
            metrics.count("jobs_total", job="deliver", outcome="failed")
            log(__name__).error("job.failed", job="deliver", tenant=tenant.slug, cause=repr(error)[:300])

    def settle(self) -> None:
        """Wait for what is under way."""
        wait(list(self._busy.values()))

    def close(self) -> None:
        """Begin nothing more, and wait a little for what is under way."""
        self._stopping.set()
        wait(list(self._busy.values()), PATIENCE)
        self._pool.shutdown(wait=False, cancel_futures=True)
