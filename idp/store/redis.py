"""Redis: the connection, keys that carry the tenant, values that repeat it, and a breaker.

Calls are short (250 ms) and never retried blindly: after a time-out nobody knows whether a SET NX or a
GETDEL happened. After FAILURES failures in a row the breaker opens and calls fail at once; each second one
call is let through to see whether Redis is back. What must survive Redis lives in Postgres.
"""

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from queue import Empty
from typing import Any, TypeVar, cast
from uuid import UUID

import redis as driver
from redis.backoff import NoBackoff
from redis.retry import Retry

from idp import metrics
from idp.config import ConfigError, Settings
from idp.errors import Busy
from idp.store.breaker import FAILURES as FAILURES
from idp.store.breaker import TRY_EVERY as TRY_EVERY
from idp.store.breaker import Breaker as Breaker
from idp.tenants import current

TIMEOUT = 0.25
"""Seconds that one call may take, connecting included."""

Value = dict[str, Any]
Result = TypeVar("Result")


class Away(Busy):
    """Redis is unreachable, slow, loading, read-only or full."""

    description = "A part of the service is not answering. Try again shortly."


class _Store:
    client: Any = None
    breaker = Breaker()


_store = _Store()


def start(settings: Settings, *, pool: int = 32) -> None:
    """Prepare a pool of at most `pool` connections, more than threads; connects at the first call."""
    if not settings.redis_url:
        raise ConfigError("IDP_REDIS_URL", "is missing; name Redis or Valkey, or run idp up")
    connections = driver.BlockingConnectionPool.from_url(
        settings.redis_url,
        timeout=TIMEOUT,
        socket_timeout=TIMEOUT,
        socket_connect_timeout=TIMEOUT,
        retry=Retry(NoBackoff(), 0),
        max_connections=pool,
        protocol=2,
        health_check_interval=0,
        decode_responses=False,
    )
    _store.client = driver.Redis.from_pool(connections)
    _store.breaker = Breaker()


def stop() -> None:
    """Close every connection."""
    if _store.client is not None:
        _store.client.close()
    _store.client = None


def breaker() -> Breaker:
    """The breaker of this process."""
    return _store.breaker


def call(command: Callable[[Any], Result]) -> Result:
    """Run one command of the client through the breaker. Raises Away."""
    if _store.client is None:
        raise RuntimeError("redis is not started")
    if not _store.breaker.allow():
        raise Away(rule="redis.breaker")
    try:
        result = command(_store.client)
    except driver.exceptions.NoScriptError:
        _store.breaker.succeeded()  # a server that came back empty has answered; the script is sent next
        raise
    except (driver.exceptions.RedisError, OSError) as error:
        if isinstance(error.__context__, Empty):  # nobody gave a connection back in time; Redis was not asked
            raise Away(rule="redis.pool") from error
        _store.breaker.failed()
        metrics.count("redis_errors_total", reason=type(error).__name__)
        raise Away(rule="redis.away", got=type(error).__name__) from error
    _store.breaker.succeeded()
    return result


def key(kind: str, identifier: str, tenant_id: UUID | None = None) -> str:
    """The key of a thing of the entered tenant; the tenant is the hash tag, so its keys share a slot.

    Raises NoTenant when none is entered. `identifier` is a digest or an id, never a secret itself.
    """
    return f"idp:{{{tenant_id or current().id}}}:{kind}:{identifier}"


def _sealed(kind: str, value: Value) -> bytes:
    return json.dumps({"t": str(current().id), "k": kind, "v": value}, separators=(",", ":")).encode()


def _opened(kind: str, raw: object) -> Value | None:
    """The value behind `raw`, or None when it is another tenant's, another kind's, or unreadable."""
    if raw is None:
        return None
    try:
        outer = json.loads(cast(bytes, raw))
    except ValueError:
        metrics.count("redis_errors_total", reason="unreadable")
        return None
    if not isinstance(outer, dict) or outer.get("t") != str(current().id) or outer.get("k") != kind:
        metrics.count("redis_errors_total", reason="mismatch")
        return None
    value = outer.get("v")
    return value if isinstance(value, dict) else None


def put(kind: str, identifier: str, value: Value, ttl: int) -> None:
    """Keep `value` for `ttl` seconds. Raises Away."""
    name, raw = key(kind, identifier), _sealed(kind, value)
    call(lambda client: client.set(name, raw, ex=max(1, ttl)))


@dataclass(frozen=True, slots=True)
class _Write:
    """A write whose answer nobody waits for. `again`: what it is when Redis has forgotten its script."""

    command: Callable[[Any], Any]
    needed: bool
    again: Callable[[Any], Any] | None = None


_gathered: ContextVar[list[_Write] | None] = ContextVar("idp_redis_gathered", default=None)


@contextmanager
def gathering() -> Iterator[None]:
    """What is written with `put_later` and `script_later` goes in one trip, at `flush` or at the end of the block.

    Nothing of it is sent when the block fails. Raises Away where something needed was not taken.
    """
    if _gathered.get() is not None:
        yield
        return
    entered = _gathered.set([])
    try:
        yield
        flush()
    finally:
        _gathered.reset(entered)


def flush() -> None:
    """Send what was gathered so far. Raises Away where something needed was not taken."""
    writes = _gathered.get()
    if writes:
        now, writes[:] = tuple(writes), ()
        _sent(now)


def _later(write: _Write) -> None:
    writes = _gathered.get()
    if writes is None:
        _sent((write,))
    else:
        writes.append(write)


def _sent(writes: tuple[_Write, ...]) -> None:
    try:
        answers = call(lambda client: _piped(client, writes))
        for write, answer in zip(writes, answers, strict=True):
            if isinstance(answer, driver.exceptions.NoScriptError) and write.again is not None:
                call(write.again)
            elif isinstance(answer, Exception):
                metrics.count("redis_errors_total", reason=type(answer).__name__)
                if write.needed:
                    raise Away(rule="redis.away", got=type(answer).__name__)
    except Away:
        if any(write.needed for write in writes):
            raise


def _piped(client: Any, writes: tuple[_Write, ...]) -> list[Any]:
    pipe = client.pipeline(transaction=False)
    for write in writes:
        write.command(pipe)
    return list(pipe.execute(raise_on_error=False))


def put_later(
    kind: str, identifier: str, value: Value, ttl: int, *, once: bool = False, needed: bool = True
) -> None:
    """As `put`, or as `put_once`, in the trip of whoever is `gathering`. `needed`: whether to raise Away."""
    name, raw = key(kind, identifier), _sealed(kind, value)
    _later(_Write(lambda client: client.set(name, raw, ex=max(1, ttl), nx=once), needed))


def script_later(source: str, keys: list[str], arguments: list[Any]) -> None:
    """Run a script whose answer nobody waits for, in the trip of whoever is `gathering`. Raises Away outside of it."""
    digest = _digest(source)
    _later(
        _Write(
            lambda client: client.evalsha(digest, len(keys), *keys, *arguments),
            _gathered.get() is None,
            lambda client: client.eval(source, len(keys), *keys, *arguments),
        )
    )


def put_once(kind: str, identifier: str, value: Value, ttl: int) -> bool:
    """Keep `value` unless something is there; whether it was kept. Raises Away."""
    name, raw = key(kind, identifier), _sealed(kind, value)
    return bool(call(lambda client: client.set(name, raw, ex=max(1, ttl), nx=True)))


# SET NX of one key and DEL of the other in one step.
_INSTEAD = """
if redis.call('SET', KEYS[1], ARGV[1], 'NX', 'EX', ARGV[2]) then redis.call('DEL', KEYS[2]) return 1 end
return 0
"""


def put_once_instead(kind: str, instead_of: str, identifier: str, value: Value, ttl: int) -> bool:
    """Keep `value` unless something is there, and delete what lies under the kind `instead_of`. Raises Away.

    Whether it was kept: True for exactly one of all who try.
    """
    names = [key(kind, identifier), key(instead_of, identifier)]
    return bool(script(_INSTEAD, names, [_sealed(kind, value), max(1, ttl)]))


def get(kind: str, identifier: str) -> Value | None:
    """The value, or None. Raises Away."""
    name = key(kind, identifier)
    return _opened(kind, call(lambda client: client.get(name)))


def take(kind: str, identifier: str) -> Value | None:
    """The value, burned in the same atomic command (GETDEL), or None. Raises Away."""
    name = key(kind, identifier)
    return _opened(kind, call(lambda client: client.getdel(name)))


def drop(kind: str, identifier: str) -> bool:
    """Delete; whether something was there. Raises Away."""
    name = key(kind, identifier)
    return bool(call(lambda client: client.delete(name)))


# INCR and its expiry in one step, so that no counter is left without an end.
_COUNT = (
    "local n = redis.call('INCR', KEYS[1]) if n == 1 then redis.call('EXPIRE', KEYS[1], ARGV[1]) end return n"
)


def count(kind: str, identifier: str, window: int) -> int:
    """Add one to a counter that ends `window` seconds after its first; the new count. Raises Away."""
    return int(cast(int, script(_COUNT, [key(kind, identifier)], [window])))


def get_all(*things: tuple[str, str]) -> list[Value | None]:
    """The values of several (kind, identifier) of the entered tenant, in one call. Raises Away."""
    names = [key(kind, identifier) for kind, identifier in things]
    raw = call(lambda client: client.mget(names))
    return [_opened(kind, each) for (kind, _), each in zip(things, raw, strict=True)]


def script(source: str, keys: list[str], arguments: list[Any]) -> Any:
    """Run a Lua script on keys made by :func:`key`, by its digest once Redis knows it. Raises Away."""
    digest = _digest(source)
    try:
        return call(lambda client: client.evalsha(digest, len(keys), *keys, *arguments))
    except driver.exceptions.NoScriptError:
        return call(lambda client: client.eval(source, len(keys), *keys, *arguments))


@cache
def _digest(source: str) -> str:
    """SHA-1 of a script, which is how Redis names what it has seen."""
    return hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest()


def beat(name: str, ttl: int) -> None:
    """Say that a process named `name` lives, for `ttl` seconds. Raises Away."""
    call(lambda client: client.set(f"idp:heartbeat:{name}", b"1", ex=ttl))


def beats(name: str) -> bool:
    """Whether a process named `name` lives. Raises Away."""
    return bool(call(lambda client: client.exists(f"idp:heartbeat:{name}")))
