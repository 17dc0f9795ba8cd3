"""Counters in windows: several are judged and raised in one atomic step, or none of them.

A window begins with its first count and lasts its own length by the application's clock. Who is at a limit
raises nothing, so that knocking on a closed door does not keep it closed.

An attempt whose outcome is open holds a place beside the counter, which ends with it, or by itself when nobody
is left to end it: so a hundred at once count as a hundred while they last, and good ones leave nothing behind.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from idp.store import redis
from idp.tenants import current

_RAISE = """
local now, mark = tonumber(ARGV[1]), ARGV[2]
local found = {}
for i = 1, #KEYS do
  local most, window, amount = tonumber(ARGV[i * 3]), tonumber(ARGV[i * 3 + 1]), tonumber(ARGV[i * 3 + 2])
  local kept = redis.call('HMGET', KEYS[i], 'count', 'begin', 'mark')
  local count, begin = tonumber(kept[1] or 0), tonumber(kept[2] or now)
  if kept[3] ~= mark or begin + window <= now then count, begin = 0, now end
  if count + amount > most then return {i, count, begin} end
  found[i] = {count + amount, begin, window}
end
local answer = {0}
for i = 1, #KEYS do
  redis.call('HSET', KEYS[i], 'count', found[i][1], 'begin', found[i][2], 'mark', mark)
  redis.call('EXPIRE', KEYS[i], found[i][3])
  answer[2 * i], answer[2 * i + 1] = found[i][1], found[i][2]
end
return answer
"""

_LOWER = """
for i = 1, #KEYS do
  local kept = redis.call('HMGET', KEYS[i], 'count', 'begin')
  if kept[1] and (kept[2] == ARGV[i * 2 - 1] or tonumber(ARGV[i * 2 - 1]) < 0) then
    local left = math.max(0, tonumber(kept[1]) - tonumber(ARGV[i * 2]))
    redis.call('HSET', KEYS[i], 'count', left)
  end
end
return 0
"""

# Two keys for each counter: the count, and the places of attempts that are open, by when each ends by itself.
_BEGIN = """
local now, mark, attempt, lasts = tonumber(ARGV[1]), ARGV[2], ARGV[3], tonumber(ARGV[4])
local found = {}
for i = 1, #KEYS / 2 do
  local most, window, amount = tonumber(ARGV[i * 4 + 1]), tonumber(ARGV[i * 4 + 2]), tonumber(ARGV[i * 4 + 3])
  local kept = redis.call('HMGET', KEYS[2 * i - 1], 'count', 'begin', 'mark')
  local count, begin, open = tonumber(kept[1] or 0), tonumber(kept[2] or now), 0
  if kept[3] ~= mark or begin + window <= now then count, begin = 0, now end
  if ARGV[i * 4 + 4] == '0' then
    redis.call('ZREMRANGEBYSCORE', KEYS[2 * i], '-inf', now)
    open = redis.call('ZCARD', KEYS[2 * i])
  end
  if count + open + amount > most then return {i, begin, count + amount > most and 0 or 1} end
  found[i] = {count + amount, begin, window}
end
for i = 1, #KEYS / 2 do
  if ARGV[i * 4 + 4] == '0' then
    redis.call('ZADD', KEYS[2 * i], now + lasts, attempt)
    redis.call('EXPIRE', KEYS[2 * i], lasts)
  else
    redis.call('HSET', KEYS[2 * i - 1], 'count', found[i][1], 'begin', found[i][2], 'mark', mark)
    redis.call('EXPIRE', KEYS[2 * i - 1], found[i][3])
  end
end
return {0}
"""

_END = """
local now, mark, attempt, failed = tonumber(ARGV[1]), ARGV[2], ARGV[3], ARGV[4]
local answer = {}
for i = 1, #KEYS / 2 do
  redis.call('ZREM', KEYS[2 * i], attempt)
  if failed == '1' then
    local window, amount = tonumber(ARGV[i * 2 + 3]), tonumber(ARGV[i * 2 + 4])
    local kept = redis.call('HMGET', KEYS[2 * i - 1], 'count', 'begin', 'mark')
    local count, begin = tonumber(kept[1] or 0), tonumber(kept[2] or now)
    if kept[3] ~= mark or begin + window <= now then count, begin = 0, now end
    redis.call('HSET', KEYS[2 * i - 1], 'count', count + amount, 'begin', begin, 'mark', mark)
    redis.call('EXPIRE', KEYS[2 * i - 1], window)
    answer[i] = count + amount
  end
end
return answer
"""

_LOOK = """
local now, mark = tonumber(ARGV[1]), ARGV[2]
local answer = {}
for i = 1, #KEYS do
  local kept = redis.call('HMGET', KEYS[i], 'count', 'begin', 'mark')
  local begin = tonumber(kept[2] or now)
  local fresh = kept[1] and kept[3] == mark and begin + tonumber(ARGV[i + 2]) > now
  answer[2 * i - 1], answer[2 * i] = fresh and tonumber(kept[1]) or 0, begin
end
return answer
"""

_LIFT = "return redis.call('DEL', unpack(KEYS))"

LASTS = 30
"""Seconds after which the place of an attempt that nobody ended is free again."""


@dataclass(frozen=True, slots=True)
class Counter:
    """`amount` to be counted under `kind` and `key` (hex digest), at most `most` in `window` seconds."""

    kind: str
    key: str
    most: int
    window: int
    amount: int = 1
    local: bool = False  # without Redis, counted in this process only


@dataclass(frozen=True, slots=True)
class Full:
    """The counter that is at its limit, and the seconds until its window ends."""

    counter: Counter
    retry_after: int
    passing: bool = False  # only attempts fill it whose outcome is open


def _keys(counters: Sequence[Counter]) -> list[str]:
    return [redis.key(f"throttle-{counter.kind}", counter.key) for counter in counters]


def add(counters: Sequence[Counter], now: int) -> Full | list[tuple[int, int]]:
    """Raise all counters, or none when one is at its limit: that one, else each one's (count, begin).

    Raises Away.
    """
    arguments: list[str | int] = [now, str(current().id)]
    for counter in counters:
        arguments += [counter.most, counter.window, counter.amount]
    answer = [int(number) for number in redis.script(_RAISE, _keys(counters), arguments)]
    if answer[0]:
        full = counters[answer[0] - 1]
        return Full(full, max(1, min(full.window, answer[2] + full.window - now)))
    return list(zip(answer[1::2], answer[2::2], strict=True))


def give_back(counters: Sequence[Counter], begins: Sequence[int]) -> None:
    """Take back what `add` counted, where the window of that begin (below 0: any) is running. Raises Away."""
    arguments = [
        part for counter, begin in zip(counters, begins, strict=True) for part in (begin, counter.amount)
    ]
    redis.script_later(_LOWER, _keys(counters), arguments)


def _places(counters: Sequence[Counter]) -> list[str]:
    return [
        name
        for one in counters
        for name in (
            redis.key(f"throttle-{one.kind}", one.key),
            redis.key(f"throttle-open-{one.kind}", one.key),
        )
    ]


def begin(counters: Sequence[Counter], attempt: str, now: int) -> Full | None:
    """Take a place for `attempt` on all counters, or none when one is full: that one. Local ones are raised.

    Raises Away.
    """
    arguments: list[str | int] = [now, str(current().id), attempt, LASTS]
    for counter in counters:
        arguments += [counter.most, counter.window, counter.amount, int(counter.local)]
    answer = [int(number) for number in redis.script(_BEGIN, _places(counters), arguments)]
    if not answer[0]:
        return None
    full = counters[answer[0] - 1]
    if answer[2]:
        return Full(full, 1, passing=True)
    return Full(full, max(1, min(full.window, answer[1] + full.window - now)))


def end(counters: Sequence[Counter], attempt: str, now: int, *, failed: bool) -> list[int]:
    """Give the places of `attempt` up; when it `failed`, each counter is raised: the new counts. Raises Away."""
    arguments: list[str | int] = [now, str(current().id), attempt, int(failed)]
    for counter in counters:
        arguments += [counter.window, counter.amount]
    return [int(number) for number in redis.script(_END, _places(counters), arguments)]


def look(counters: Sequence[Counter], now: int) -> list[tuple[int, int]]:
    """Each counter's count, and the seconds until its window ends; 0 and 0 where none runs. Raises Away."""
    arguments = [now, str(current().id), *(counter.window for counter in counters)]
    answer = [int(number) for number in redis.script(_LOOK, _keys(counters), arguments)]
    pairs = zip(counters, answer[::2], answer[1::2], strict=True)
    return [(count, max(1, begin + each.window - now) if count else 0) for each, count, begin in pairs]


def lift(counters: Sequence[Counter]) -> None:
    """Forget what these counters have counted, open attempts too. Raises Away."""
    redis.script(_LIFT, _places(counters), [])
