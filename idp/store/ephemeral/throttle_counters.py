"""Counters in windows: several are judged and raised in one atomic step, or none of them.

A window begins with its first count and lasts its own length by the application's clock. Who is at a limit
raises nothing, so that knocking on a closed door does not keep it closed.
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
    arguments = [part for counter, begin in zip(counters, begins, strict=True) for part in (begin, counter.amount)]
    redis.script(_LOWER, _keys(counters), arguments)
