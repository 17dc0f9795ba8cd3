"""Effects outside Postgres that follow a change: written with it, carried out after it, at least once.

Owns delivery: who handles a topic, how long a try may take, when the next one comes. A handler is called
with the tenant entered and outside any transaction, and must bear being called twice.

What only touches our own servers has no recipient and is carried out in the worker's rounds (`deliver`). What waits
for somebody else names its recipient and is carried out beside the rounds (`deliver_to`): for each recipient one
message at a time, and when they do not answer everything for them rests.
"""

import datetime as dt
import random
from collections.abc import Callable, Collection, Iterable
from typing import Any
from uuid import UUID

from idp import audit, clock, metrics
from idp.audit import Event
from idp.errors import Refusal
from idp.logs import log
from idp.store.database import transaction
from idp.store.durable import outbox
from idp.store.durable.outbox import Message

Handler = Callable[[dict[str, Any]], bool | None]

LEASE = dt.timedelta(seconds=60)
"""How long a message is held by the worker that took it; a crash in between repeats it after that."""
BATCH = 50
SLICE = 10.0
"""Seconds after which a recipient of many messages makes room for another one."""
FIRST_DELAY = 1.0
LONGEST_DELAY = 3_600.0
RESTING = "resting: "
"""Stands before the problem of what waits because its recipient was silent."""
KEPT = dt.timedelta(hours=24)
"""A message older than this that still fails is given up, and told."""

_handlers: dict[str, Handler] = {}
_random = random.SystemRandom()


class Undelivered(Exception):
    """A try failed: `problem` is what operators read; `silent`: nobody is there, so that the others wait too."""

    def __init__(self, problem: str, *, silent: bool) -> None:
        """`problem`: a few words without anything that the other side sent."""
        super().__init__(problem)
        self.problem = problem
        self.silent = silent


def handle(topic: str, handler: Handler) -> None:
    """Let `handler(payload)` carry out messages of `topic`; it answers False, or raises, to be tried again."""
    _handlers[topic] = handler


def put(topic: str, payload: dict[str, Any], run_after: dt.datetime | None = None) -> UUID:
    """Write a message in the caller's transaction."""
    return outbox.put(topic, payload, run_after)


def put_all(topic: str, messages: Iterable[tuple[str, dict[str, Any]]]) -> int:
    """Write messages, each for a recipient and with a payload, in the caller's transaction; how many."""
    return outbox.put_all(topic, messages)


def deliver(limit: int = BATCH) -> int:
    """Carry out the entered tenant's messages that are due and have no recipient; how many were. Raises Busy."""
    delivered = 0
    for message in outbox.claim(limit, clock.now(), LEASE):
        failure = _carried_out(message)
        if failure is None:
            outbox.done(message.id)
            delivered += 1
        else:
            _put_off(message, failure, message.attempts)
    return delivered


def recipients(limit: int, busy: Collection[str] = ()) -> tuple[str, ...]:
    """At most `limit` recipients of the entered tenant's messages that are due, but none of `busy`. Raises Busy."""
    return outbox.recipients(clock.now(), limit, busy)


def deliver_to(recipient: str, seconds: float = SLICE, stop: Callable[[], bool] = lambda: False) -> int:
    """Carry out the messages for a recipient, one after the other, for about `seconds`; how many were. Raises Busy.

    The first that meets silence ends it: then everything for them waits, longer each time, until one is taken.
    """
    ends, delivered = clock.monotonic() + seconds, 0
    while clock.monotonic() < ends and not stop():
        claimed = outbox.claim(1, clock.now(), LEASE, recipient)
        if not claimed:
            break
        failure = _carried_out(claimed[0])
        if failure is None:
            outbox.done(claimed[0].id)
            if not delivered:
                outbox.wake(recipient, f"{RESTING}%")
            delivered += 1
        elif failure.silent:
            _rest(recipient, claimed[0], failure)
            break
        else:
            _put_off(claimed[0], failure, claimed[0].attempts)
    return delivered


def delay(attempts: int) -> float:
    """Seconds until the next try: doubled each time, bounded, and spread so that tries do not march in step."""
    longest = min(LONGEST_DELAY, FIRST_DELAY * 2.0 ** min(attempts, 20))
    return float(longest * _random.uniform(0.5, 1.0))


def _put_off(message: Message, failure: Undelivered, attempts: int) -> None:
    """The message again later, or no more."""
    if clock.now() - message.created_at >= KEPT:
        with transaction():
            _told(message, outbox.give_up(message.id, failure.problem), failure)
    else:
        later = clock.now() + dt.timedelta(seconds=delay(attempts))
        outbox.retry(message.id, later, failure.problem)


def _rest(recipient: str, message: Message, failure: Undelivered) -> None:
    """Nobody answered: all for them waits as long as the most tried message would, and the oldest are given up."""
    attempts = outbox.attempts_of(recipient)
    later = clock.now() + dt.timedelta(seconds=delay(attempts))
    with transaction():
        outbox.hold_back(recipient, later, RESTING + failure.problem)
        outbox.retry(message.id, later, RESTING + failure.problem)
        _told(message, outbox.give_up_of(recipient, clock.now() - KEPT, failure.problem), failure)


def _told(message: Message, count: int, failure: Undelivered) -> None:
    if not count:
        return
    log(__name__).error(
        "outbox.given_up", topic=message.topic, count=count, attempts=message.attempts, cause=failure.problem
    )
    metrics.count("deliveries_total", count, topic=message.topic, outcome="given_up")
    audit.record(
        Event.MESSAGE_GIVEN_UP,
        topic=message.topic,
        recipient=message.recipient,
        count=count,
        why=failure.problem,
    )


def _carried_out(message: Message) -> Undelivered | None:
    """Call the handler; what went wrong, or None."""
    failure = _tried(message)
    outcome = "delivered" if failure is None else "failed"
    metrics.count("deliveries_total", topic=_known(message.topic), outcome=outcome)
    return failure


def _known(topic: str) -> str:
    return topic if topic in _handlers else "unknown"


def _tried(message: Message) -> Undelivered | None:
    handler = _handlers.get(message.topic)
    if handler is None:
        log(__name__).error("outbox.unknown_topic", topic=message.topic)
        return Undelivered("nobody knows this topic", silent=False)
    try:
        if handler(message.payload) is not False:
            return None
        return Undelivered("not done", silent=False)
    except Undelivered as failure:
        said, found = "info", failure
    except Refusal as refusal:
        said, found = "warning", Undelivered(refusal.code, silent=False)
    except Exception as error:
        said, found = "error", Undelivered(type(error).__name__, silent=False)
    getattr(log(__name__), said)(
        "outbox.failed", topic=message.topic, cause=found.problem, attempts=message.attempts
    )
    return found
