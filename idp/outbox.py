"""Effects outside Postgres that follow a change: written with it, carried out after it, at least once.

Owns delivery: who handles a topic, how long a try may take, when the next one comes. A handler is called
with the tenant entered and outside any transaction, and must bear being called twice.
"""

import datetime as dt
import random
from collections.abc import Callable
from typing import Any
from uuid import UUID

from idp import clock
from idp.errors import Refusal
from idp.logs import log
from idp.store.durable import outbox
from idp.store.durable.outbox import Message

Handler = Callable[[dict[str, Any]], bool | None]

LEASE = dt.timedelta(seconds=60)
"""How long a message is held by the worker that took it; a crash in between repeats it after that."""
BATCH = 50
FIRST_DELAY = 1.0
LONGEST_DELAY = 3_600.0
KEPT = dt.timedelta(hours=24)
"""A message older than this that still fails is given up, and told."""

_handlers: dict[str, Handler] = {}
_random = random.SystemRandom()


def handle(topic: str, handler: Handler) -> None:
    """Let `handler(payload)` carry out messages of `topic`; it answers False, or raises, to be tried again."""
    _handlers[topic] = handler


def put(topic: str, payload: dict[str, Any], run_after: dt.datetime | None = None) -> UUID:
    """Write a message in the caller's transaction."""
    return outbox.put(topic, payload, run_after)


def deliver(limit: int = BATCH) -> int:
    """Carry out the entered tenant's messages that are due; how many were. Raises Busy."""
    delivered = 0
    for message in outbox.claim(limit, clock.now(), LEASE):
        if _carried_out(message):
            outbox.done(message.id)
            delivered += 1
        elif clock.now() - message.created_at >= KEPT:
            log(__name__).error("outbox.given_up", topic=message.topic, attempts=message.attempts)
            outbox.done(message.id)
        else:
            outbox.retry(message.id, clock.now() + dt.timedelta(seconds=delay(message.attempts)))
    return delivered


def delay(attempts: int) -> float:
    """Seconds until the next try: doubled each time, bounded, and spread so that tries do not march in step."""
    longest = min(LONGEST_DELAY, FIRST_DELAY * 2.0 ** min(attempts, 20))
    return float(longest * _random.uniform(0.5, 1.0))


def _carried_out(message: Message) -> bool:
    handler = _handlers.get(message.topic)
    if handler is None:
        log(__name__).error("outbox.unknown_topic", topic=message.topic)
        return False
    try:
        return handler(message.payload) is not False
    except Refusal as refusal:
        log(__name__).warning(
            "outbox.failed", topic=message.topic, code=refusal.code, attempts=message.attempts
        )
    except Exception as error:
        log(__name__).error("outbox.failed", topic=message.topic, cause=type(error).__name__)
    return False
