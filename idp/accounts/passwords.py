"""Passwords: Argon2id with a bounded queue, and one duration for every answer.

A verification costs about 20 ms and 19 MiB. As many run at once as there are cores; a bounded number waits;
whoever comes later is told so at once. Argon2 runs outside the interpreter's lock, so waiting threads cost
nothing. Parameters: OWASP's m=19456 KiB, t=2, p=1; hashes of other parameters, and those that other systems made
(`imported_hashes`), are verified and then renewed. In a tenant that has hashes of others' schemes a failed sign-in
takes `HOLD`, so that nobody tells from its duration who has one.
"""

import os
import threading
import time
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from argon2 import PasswordHasher, Type, extract_parameters
from argon2.exceptions import InvalidHashError, VerificationError

from idp import clock, lanes, metrics
from idp.accounts import imported_hashes
from idp.errors import Busy, Invalid
from idp.ids import b64
from idp.memory import Recent
from idp.store.durable import credentials
from idp.store.durable.users import User
from idp.tenants import current

LONGEST = 256  # characters of a password that is being set
LONGEST_BYTES = 1024  # more than this is never given to the hash: 10 MB would cost five times as much
NOMINAL_SECONDS = 0.02  # what one verification is charged to a tenant's budget of hash seconds
QUEUE = 64  # verifications that may wait in this process
HOLD = 0.75  # seconds; more than any hash that was brought in may cost
_LOOKS = 60.0  # seconds for which it is remembered whether a tenant has such hashes
_CEILINGS = {"memory_cost": 262_144, "time_cost": 16, "parallelism": 8}  # of hashes made elsewhere
_WORK = 1_000_000  # KiB times passes of such a hash


def hasher() -> PasswordHasher:
    """What makes new hashes."""
    return PasswordHasher(
        time_cost=2, memory_cost=19_456, parallelism=1, hash_len=32, salt_len=16, type=Type.ID
    )


_hasher = hasher()


def _unmatchable() -> str:
    """A well-formed hash of our parameters that no known password has; verifying it costs what a real one does."""
    salt, tail = (b64(os.urandom(size)).replace("-", "+").replace("_", "/") for size in (16, 32))
    return (
        f"$argon2id$v=19$m={_hasher.memory_cost},t={_hasher.time_cost},p={_hasher.parallelism}${salt}${tail}"
    )


_NOBODY = _unmatchable()


def cores() -> int:
    """The processor cores that this process may run on now: an operator may change them while it runs."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Queue:
    """At most `workers` at work, a core each, and `waiting` in line; raises Busy for the next one at once.

    Two hashes on one core would take the processor's cache from each other, which is slower than in turn.
    """

    def __init__(self, workers: int, waiting: int) -> None:
        self.workers = workers
        self.waiting = waiting
        self._running = 0
        self._changed = threading.Condition()
        self._places = threading.Semaphore(workers + waiting)

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for one's turn, hold it for the block. Raises Busy (503, Retry-After 1) when the line is full."""
        if not self._places.acquire(blocking=False):
            metrics.count("throttled_total", kind="hash_queue")
            raise Busy(
                retry_after=1, rule="passwords.queue", expected=f"at most {self.waiting} waiting", got="full"
            )
        try:
            with self._changed:
                self._changed.wait_for(lambda: self._running < min(self.workers, cores()))
                self._running += 1
            try:
                yield
            finally:
                with self._changed:
                    self._running -= 1
                    self._changed.notify()
        finally:
            self._places.release()


_queue = Queue(workers=cores(), waiting=QUEUE)


def share_of(threads: int) -> None:
    """Fit the line to a server of `threads` threads: a quarter of them never hash, so others are answered."""
    global _queue
    places = max(1, threads - max(1, threads // 4))
    workers = min(_queue.workers, places)
    _queue = Queue(workers=workers, waiting=places - workers)


def _prepared(password: str) -> bytes | None:
    """The bytes to hash (NFC, as RFC 8265 §4.2 prepares OpaqueString), or None when too long or not text."""
    if len(password) > LONGEST_BYTES:
        return None
    try:
        data = unicodedata.normalize("NFC", password).encode()
    except UnicodeEncodeError:
        return None
    return data if len(data) <= LONGEST_BYTES else None


def hash(password: str) -> str:
    """The Argon2id hash of a password that is being set (1 to 256 characters), in PHC string format.

    Raises Invalid when it is empty, too long or not text, Busy when the queue is full. Strength rules for
    what people choose are the caller's.
    """
    data = _prepared(password)
    if not password or len(password) > LONGEST or data is None:
        raise Invalid("password must have 1 to 256 characters.", rule="password.length", got=len(password))
    with lanes.left(), _queue.turn():
        return _hasher.hash(data)


def accepted(encoded: str) -> str:
    """A hash that was made elsewhere, when its scheme is known and its cost bearable. Raises Invalid."""
    if imported_hashes.verifier(encoded) is not None:
        return encoded
    try:
        given = extract_parameters(encoded)
    except (InvalidHashError, ValueError, UnicodeError):
        given = None
    costly = given is not None and (
        any(getattr(given, name) > most for name, most in _CEILINGS.items())
        or given.memory_cost * given.time_cost > _WORK
    )
    if given is None or costly:
        raise Invalid(
            "password_hash must be Argon2 in PHC format with m <= 262144, t <= 16, p <= 8 and m * t <= 1000000, "
            "or bcrypt, PBKDF2, scrypt, Firebase scrypt or salted SHA.",
            rule="password_hash.format",
        )
    return encoded


def matches(secret: str | None, password: str) -> bool:
    """Whether `password` is the one behind `secret`; one verification whatever the answer.

    Without a secret (nobody, no password) and for a password that is empty, longer than 1 KiB or not text,
    a hash that nothing matches is verified against nothing in its place. Raises Busy when the queue is full.
    """
    data = _prepared(password)
    possible = secret is not None and bool(data)
    with lanes.left(), _queue.turn():
        began = clock.monotonic()
        fits = _verified(
            secret if possible and secret is not None else _NOBODY, data if possible and data else b""
        )
        metrics.observe("password_hash", max(0.0, clock.monotonic() - began))
    return fits and possible


def _verified(encoded: str, data: bytes) -> bool:
    if not encoded.startswith("$argon2"):
        foreign = imported_hashes.verifier(encoded)
        return foreign is not None and foreign(data)
    try:
        return _hasher.verify(encoded, data)
    except (VerificationError, InvalidHashError):
        return False


def outdated(secret: str) -> bool:
    """Whether a hash is not as new ones are and should be renewed while the password is at hand."""
    return not secret.startswith("$argon2") or _hasher.check_needs_rehash(secret)


def level(began: float) -> None:
    """Wait until a failed sign-in that `began` then has taken as long as each does in the entered tenant.

    `began`: of `clock.monotonic`. Without hashes of others' schemes there is nothing to wait for.
    """
    if _has_imported():
        with lanes.left():
            time.sleep(max(0.0, began + HOLD - clock.monotonic()))


def _has_imported() -> bool:
    tenant, now = current().id, clock.monotonic()
    until, kept = _imported.get(tenant) or (0.0, False)
    if until <= now:
        kept = credentials.has_imported()
        _imported.put(tenant, (now + _LOOKS, kept))
    return kept


_imported: Recent[UUID, tuple[float, bool]] = Recent(10_000)


def forget() -> None:
    """Forget which tenants have hashes of others' schemes: between tests."""
    _imported.clear()


def verify(user: User | None, password: str) -> bool:
    """Whether `password` is `user`'s, in one duration for nobody, no password and a wrong one.

    Reads the credential of the entered tenant. Raises Busy when the queue is full, Unavailable without Postgres.
    """
    return matches(credentials.password_of(user.id) if user else None, password)
