"""Who is to be told does not answer: nobody else waits for it, and nothing is lost."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from idp import outbox
from idp.jobs.deliverer import THREADS, Deliverer
from idp.store.durable import outbox as rows
from idp.tenants import Tenant, entered
from tests.running import within


@pytest.fixture
def handlers(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The handlers of this test alone."""
    own: dict[str, Any] = {}
    monkeypatch.setattr(outbox, "_handlers", own)
    return own


@pytest.fixture
def deliverer() -> Iterator[Deliverer]:
    made = Deliverer()
    yield made
    made.close()


def test_f24_recipients_that_hang_starve_neither_others_nor_another_tenant(
    twins: tuple[Tenant, Tenant], handlers: dict[str, Any], deliverer: Deliverer
) -> None:
    """Each hangs until the others have been told: where they waited for it, this would never end."""
    acme, globex = twins
    told, globex_told = threading.Event(), threading.Event()

    def handler(payload: dict[str, Any]) -> None:
        if payload["hangs"]:
            assert globex_told.wait(30)
            raise outbox.Undelivered("no answer", silent=True)
        (told if payload["tenant"] == "acme" else globex_told).set()

    handlers["t"] = handler
    dead = [(f"dead{number}", {"hangs": True}) for number in range(THREADS * 2) for _ in range(3)]
    with entered(acme):
        rows.put_all("t", dead)
        assert deliverer.take() == THREADS // 2, "a tenant has half of the threads at most"
        assert deliverer.take() == 0
    with entered(globex):
        rows.put_all("t", [("well", {"hangs": False, "tenant": "globex"})])
        assert deliverer.take() == 1
        assert globex_told.wait(30)
    deliverer.settle()
    with entered(acme):
        rows.put_all("t", [("well", {"hangs": False, "tenant": "acme"})])
        for _ in range(THREADS):
            deliverer.take()
            deliverer.settle()
        assert told.is_set()
        waiting = rows.entries(100)
        assert len(waiting) == len(dead) and all(entry.problem == "resting: no answer" for entry in waiting)


def test_f24_stopping_leaves_what_is_not_done_for_the_next_worker(
    acme: Tenant, handlers: dict[str, Any], deliverer: Deliverer
) -> None:
    begun, go_on = threading.Event(), threading.Event()
    done: list[int] = []

    def handler(payload: dict[str, Any]) -> None:
        begun.set()
        assert go_on.wait(30)
        done.append(payload["n"])

    handlers["t"] = handler
    with entered(acme):
        rows.put_all("t", [("slow", {"n": number}) for number in range(3)])
        deliverer.take()
        assert begun.wait(30)
        closing = threading.Thread(target=deliverer.close)
        closing.start()
        assert within(30, deliverer._stopping.is_set)
        go_on.set()
        closing.join(30)
        assert not closing.is_alive() and len(done) == 1 and rows.waiting() == 2
        assert outbox.deliver_to("slow") == 2 and sorted(done) == [0, 1, 2]
