"""Throttles and budgets: how often something may fail, and how much of it a tenant may use.

Owns: counters of failures (an attempt takes a place before it is judged, so a hundred at once count as a
hundred; it becomes a count when it fails and nothing when it succeeds), budgets of a tenant per minute, and
what replaces Redis while it is away: a counter in this process and one in Postgres, each with half the limit.
Leaves to others: what counts as a failure, and whom a limit may never stop (`idp.accounts.authenticate`).

The numbers are the tenant's policy. Three things count in this process alone, because their paths must not
wait for Redis: the budget of tokens (each of `share(n)` processes grants an n-th of it), the memory of which
clients failed here, and budgets while Redis is away.
"""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv6Address, IPv6Network
from time import sleep

from idp import clock, lanes, metrics
from idp.errors import TooMany
from idp.ids import digest, secret
from idp.logs import log
from idp.store.durable import throttles
from idp.store.ephemeral import throttle_counters
from idp.store.ephemeral.throttle_counters import Counter, Full
from idp.store.redis import Away
from idp.tenants import current

UNLIMITED = 2**40
MOST_COUNTED = 2**31 - 1  # more than Postgres' counters hold
ANY_WINDOW = -1
MINUTE = 60
LOOKS, LOOK_EVERY = 40, 0.05  # how often a place is looked for that others may leave, and the seconds between
REMEMBERED = 50_000  # windows that this process keeps; the one untouched for longest is forgotten first

_POLICY = {
    "account": ("account_failures", "account_failures_window"),
    "device": ("account_failures", "account_failures_window"),
    "address": ("address_failures", "address_failures_window"),
    "second_factor": ("second_factor_failures", "second_factor_failures_window"),
    "client": ("client_failures", "client_failures_window"),
    "registration": ("registrations", "registrations_window"),
    "recovery": ("recoveries", "recoveries_window"),
    "mail": ("mails", "mails_window"),
    "tenant_mail": ("tenant_mails", "tenant_mails_window"),
    "email_code": ("email_codes", "email_codes_window"),
    "elsewhere": ("elsewhere_requests", "elsewhere_requests_window"),
    "user_code": ("user_code_failures", "user_code_failures_window"),
    "pushed": ("pushed_requests", "pushed_requests_window"),
    "unfinished": ("unfinished_authorizations", "unfinished_authorizations_window"),
}
_BUDGETS = {"sign_ins": ("sign_ins_per_minute", 1), "tokens": ("tokens_per_minute", 1),
            "email_codes": ("email_codes_per_minute", 1),
            "hash_seconds": ("hash_seconds_per_minute", 1000)}  # fmt: skip
_EVERYWHERE = 10
"""How often all addresses together may do wrong what one may: with an account from unknown devices, with user codes."""


class Windows:
    """Counters of this process: a bounded memory of windows, safe between threads."""

    def __init__(self, most: int = REMEMBERED) -> None:
        self._most = most
        self._kept: OrderedDict[tuple[object, ...], tuple[int, int, int]] = OrderedDict()
        self._lock = threading.Lock()

    def add(
        self, name: tuple[object, ...], window: int, amount: int, limit: int, now: int
    ) -> tuple[bool, int, int]:
        """Count `amount` unless that passes `limit`: whether it was counted, the count, the window's begin."""
        with self._lock:
            count, begin, _ = self._kept.get(name, (0, now, window))
            if begin + window <= now:
                count, begin = 0, now
            if fits := count + amount <= limit:
                count += amount
                self._kept[name] = (count, begin, window)
                self._kept.move_to_end(name)
                while len(self._kept) > self._most:
                    self._kept.popitem(last=False)
            return fits, count, begin

    def take_back(self, name: tuple[object, ...], amount: int, begin: int) -> None:
        """Undo `add` where the same window is still running."""
        with self._lock:
            count, running, window = self._kept.get(name, (0, begin, 0))
            if running == begin and count:
                self._kept[name] = (max(0, count - amount), begin, window)

    def running(self, name: tuple[object, ...], now: int) -> bool:
        """Whether a window of this name is open."""
        with self._lock:
            _, begin, window = self._kept.get(name, (0, 0, 0))
            return begin + window > now

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._kept.clear()


_here = Windows()
_failing = Windows()
_processes = 1


def share(processes: int) -> None:
    """Say how many processes serve: each grants that part of the budgets which it counts alone."""
    global _processes
    _processes = max(1, processes)


def forget() -> None:
    """Forget what this process has counted."""
    _here.clear()
    _failing.clear()


def counter(kind: str, *parts: str) -> Counter:
    """The tenant's counter of this kind for what `parts` name together (client and address, say)."""
    most, window = (getattr(current().policy, name) for name in _POLICY[kind])
    return Counter(kind, _key(*parts), most, window)


def everywhere(account: str) -> Counter:
    """The counter of an account's failures from all unknown devices together."""
    policy = current().policy
    most = _EVERYWHERE * policy.account_failures
    return Counter("account-everywhere", _key(account), most, policy.account_failures_window)


def user_codes(address: str) -> tuple[Counter, Counter]:
    """The counters of unknown user codes: those from one address, and all of the tenant taken together."""
    own = counter("user_code", address)
    return own, Counter("user_code-everywhere", _key("user_code"), _EVERYWHERE * own.most, own.window)


def email_codes(name: str, address: str) -> tuple[Counter, Counter]:
    """The counters of codes by e-mail that are asked for: at one address, and for one sign-in name there."""
    own = counter("email_code", address)
    return own, Counter("email_code-name", _key(name, address), max(1, own.most // 4), own.window)


def budget_counter(kind: str, amount: float = 1) -> Counter:
    """The tenant's budget `sign_ins`, `tokens` or `hash_seconds` for one minute, as a counter."""
    field, scale = _BUDGETS[kind]
    most = getattr(current().policy, field) * scale
    return Counter(f"budget-{kind}", _key(kind), most, MINUTE, max(1, round(amount * scale)), local=True)


def unlimited(each: Counter) -> Counter:
    """The same counter, counted but stopping nobody."""
    return replace(each, most=UNLIMITED)


def _key(*parts: str) -> str:
    """One digest for several parts; their lengths keep `a, bc` apart from `ab, c`."""
    parts = _networks(parts)
    return digest("".join(f"{len(part)}:{part}" for part in parts).encode("utf-8", "surrogatepass")).hex()


def _mark(kind: str, parts: tuple[str, ...]) -> tuple[int]:
    """A name in this process for what `_key` names everywhere; two that fall together cost a question more."""
    return (hash((current().slug, kind, _networks(parts))),)


def _networks(parts: tuple[str, ...]) -> tuple[str, ...]:
    return tuple([network(part) if ":" in part else part for part in parts])


def network(part: str) -> str:
    """An IPv6 address as its /64, which one subscriber has whole (RFC 6177); any other text as it is."""
    try:
        address = IPv6Address(part)
    except ValueError:
        return part
    return str(address.ipv4_mapped or IPv6Network((int(address), 64), strict=False))


@dataclass(frozen=True, slots=True)
class Reservation:
    """An attempt that holds its places: end it with `failed` or `give_back`."""

    counters: tuple[Counter, ...]  # of failures; budgets are used up by good attempts as well
    attempt: str | None  # its name in Redis; None when it was counted here and in Postgres
    begins: tuple[int, ...] = ()
    reached: tuple[str, ...] = ()

    def give_back(self) -> None:
        """It turned out well, or was not judged: nothing is left of it."""
        if self.attempt is None:
            _give_back_away(self.counters, self.begins)
        elif self.counters:
            try:
                throttle_counters.end(self.counters, self.attempt, clock.epoch(), failed=False)
            except Away:
                log(__name__).warning("throttle_not_given_back", kinds=[c.kind for c in self.counters])

    def failed(self) -> tuple[str, ...]:
        """It counts; the kinds of failures whose limit it has reached, so that the next one is stopped."""
        if self.attempt is None or not self.counters:
            return self.reached
        now = clock.epoch()
        try:
            counts = throttle_counters.end(self.counters, self.attempt, now, failed=True)
        except Away:
            counted = _add_away(self.counters, now)
            return counted.reached if isinstance(counted, Reservation) else ()
        return tuple(c.kind for c, count in zip(self.counters, counts, strict=True) if count == c.most)


def reserve(counters: Sequence[Counter]) -> Reservation:
    """Take a place for one attempt on all of `counters` before it is judged.

    Where only attempts whose outcome is open fill a limit, a place is waited for, two seconds at most. Raises
    TooMany, whose `rule` is `throttle.<kind>` of the counter that is at its limit; then nothing is counted.
    """
    attempt = secret(128)
    for left in reversed(range(LOOKS)):
        found = _begin(counters, attempt)
        if isinstance(found, Reservation):
            return found
        if not (found.passing and left):
            raise refusal(found)
        with lanes.left():
            sleep(LOOK_EVERY)
    raise AssertionError("the last look answers")


def _begin(counters: Sequence[Counter], attempt: str) -> Reservation | Full:
    now = clock.epoch()
    try:
        full = throttle_counters.begin(counters, attempt, now)
    except Away:
        return _add_away(counters, now)
    return full or Reservation(tuple(c for c in counters if not c.local), attempt)


def refusal(full: Full) -> TooMany:
    """What someone is told who came too often: the same for everybody, existing account or not."""
    metrics.count("throttled_total", kind=full.counter.kind)
    return TooMany(retry_after=full.retry_after, rule=f"throttle.{full.counter.kind}",
                   expected=f"at most {full.counter.most} in {full.counter.window} s")  # fmt: skip


def _add(counters: Sequence[Counter]) -> Full | None:
    now = clock.epoch()
    try:
        answer = throttle_counters.add(counters, now)
    except Away:
        away = _add_away(counters, now)
        return away if isinstance(away, Full) else None
    return answer if isinstance(answer, Full) else None


def _add_away(counters: Sequence[Counter], now: int) -> Reservation | Full:
    """Without Redis: half of each limit, here and, for failures, in Postgres for all processes together."""
    done: list[tuple[Counter, int]] = []
    filled: list[str] = []
    for each in counters:
        half = max(1, each.most // (2 * (_processes if each.local else 1)))
        fits, _, begin = _here.add(_name(each), each.window, each.amount, half, now)
        if fits and not each.local:
            done.append((each, begin))
            count, since = throttles.add(
                each.kind, bytes.fromhex(each.key), each.window, clock.now(), each.amount
            )
            fits, begin = count <= half, begin if count <= half else int(since.timestamp())
            filled += [each.kind] if count == half else []
        if not fits:
            _give_back_away([c for c, _ in done], [b for _, b in done])
            return Full(each, max(1, min(each.window, begin + each.window - now)))
        if each.local:
            done.append((each, begin))
    kept = [(each, begin) for each, begin in done if not each.local]
    return Reservation(tuple(c for c, _ in kept), None, tuple(b for _, b in kept), tuple(filled))


def _give_back_away(counters: Sequence[Counter], begins: Sequence[int]) -> None:
    for each, begin in zip(counters, begins, strict=True):
        _here.take_back(_name(each), each.amount, begin)
        if not each.local:
            throttles.take_back(each.kind, bytes.fromhex(each.key), each.amount)


def _name(each: Counter) -> tuple[object, ...]:
    return current().id, each.kind, each.key


def count(counters: Sequence[Counter]) -> None:
    """Count something that was done, whatever comes of it. Raises TooMany when one of `counters` is full."""
    full = _add(counters)
    if full is not None:
        raise refusal(full)


def failed(kind: str, *parts: str) -> int | None:
    """Count one failure of `kind` (`client`, `unfinished`, …) for what `parts` name together.

    Seconds until the window ends when this one was beyond the limit, which is then to be answered with
    TooMany, else None.
    """
    each = counter(kind, *parts)
    _failing.add(_mark(kind, parts), each.window, 1, UNLIMITED, clock.epoch())
    full = _add([each])
    return full.retry_after if full else None


def blocked(kind: str, *parts: str) -> int | None:
    """Seconds until `kind` may be tried again for what `parts` name together, or None when it may now.

    Asks nobody about a client that has not failed in this process, so that good ones never wait for Redis;
    one that keeps failing elsewhere is stopped there, and here by `failed`.
    """
    if kind == "client" and not _failing.running(_mark(kind, parts), clock.epoch()):
        return None
    each = counter(kind, *parts)
    looked = _add([replace(each, most=each.most - 1, amount=0)])
    return looked.retry_after if looked else None


def forgive(kind: str, *parts: str) -> None:
    """Take one count of `failed` back: what was begun came to a good end."""
    each = counter(kind, *parts)
    try:
        throttle_counters.give_back([each], [ANY_WINDOW])
    except Away:
        log(__name__).warning("throttle_not_given_back", kinds=[kind])


def standing(counters: Sequence[Counter]) -> list[tuple[Counter, int, int]]:
    """Each counter that has counted something, its count, and the seconds until its window ends. Raises Away."""
    found = throttle_counters.look(counters, clock.epoch()) if counters else []
    pairs = zip(counters, found, strict=True)
    return [(each, count, seconds) for each, (count, seconds) in pairs if count]


def lift(counters: Sequence[Counter]) -> None:
    """Let these begin anew, in Redis and in Postgres; what one process counted alone ends with its window.

    Raises Away.
    """
    for each in counters:
        throttles.take_back(each.kind, bytes.fromhex(each.key), MOST_COUNTED)
    if counters:
        throttle_counters.lift(counters)


def budget(kind: str, amount: float = 1) -> None:
    """Use `amount` of the tenant's budget of this minute. Raises TooMany with the seconds until the next.

    `tokens` is counted in this process alone: no Redis in the path of a token.
    """
    if kind != "tokens":
        reserve([budget_counter(kind, amount)])
        return
    tenant, now = current(), clock.epoch()
    limit = max(1, tenant.policy.tokens_per_minute // _processes)
    fits, _, begin = _here.add((tenant.slug, kind), MINUTE, round(amount), limit, now)
    if not fits:
        raise refusal(Full(budget_counter(kind, amount), max(1, begin + MINUTE - now)))
