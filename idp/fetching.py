"""What lies at addresses that others supplied, as a process remembers it: the keys of a client, a document, a request.

One thread asks at a time, and the others wait a moment for what it finds. What was read is kept as long as its owner
says, within bounds; what could not be read is not asked for again at once; an owner that does not answer any more
leaves what was there for as long as the rules say (RFC 5861 section 4). Nobody is waited for in a transaction where
something is known. Whoever makes strangers' addresses be asked has so many seconds of it a minute.
"""

import threading
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Generic, TypeVar
from uuid import UUID

from idp import clock, lanes, outbound, places, throttle
from idp.errors import Busy, Refusal, TooMany
from idp.logs import log
from idp.memory import Recent
from idp.places import Places, Taken
from idp.store.database import working
from idp.tenants import current

V = TypeVar("V")

STORM, AGAIN = 60.0, 10.0
"""Seconds between two looks at one address: after a good one, whatever it lacks; after others."""
PATIENCE = 1.0
"""Seconds for which somebody waits for what is being asked for already, and of which nothing good is known."""
WAITING = 16
"""How many wait for one look; whoever comes later is told to come again."""
MINUTE, MILLISECONDS = 60, 10_000
"""In so many seconds, whoever asks may have strangers' addresses asked for so many milliseconds."""

PLACES = Places(at_once=8, of_one=2, strangers=4)
"""Looks under way. Not for what is sent in the background, which has its own threads."""

_spent = throttle.Windows()
_Place = tuple[UUID, Hashable]


@dataclass(frozen=True, slots=True)
class Rules:
    """How one kind of document is asked for and kept; times in seconds.

    `name`: as refusals and logs call it. `least`, `usual`, `most`: how long it is kept; its owner's max-age within
    bounds, `usual` where it says nothing. `stale`: how long what was there goes on when nobody answers any more.
    `wrong_ends`: whether an answer that is none ends what was there, as silence does not.
    """

    name: str
    kinds: tuple[str, ...]
    largest: int
    least: float
    usual: float
    most: float
    storm: float = 0.0
    stale: float = 0.0
    wrong_ends: bool = True


@dataclass(frozen=True, slots=True)
class Found(Generic[V]):
    """What is known of an address: `value` is None where nothing good is, `why` tells operators what went wrong."""

    uri: str
    value: V | None
    until: float
    asked: float
    good: float
    """When its owner last answered well; with `value` None, nothing."""
    why: str = ""


@dataclass(frozen=True, slots=True)
class Wanted(Generic[V]):
    """One wish. `key` names what is wanted within the entered tenant, `read` makes it of bytes and may raise.

    `vouched`: somebody vouches for whose address it is. `lacks`: whether something good is still not what is needed.
    `known`: what is known of it from elsewhere. `took`: told what was read, before anybody else sees it.
    `always`: where nothing is known, it is asked for in a transaction too.
    """

    key: Hashable
    uri: str
    read: Callable[[bytes], V]
    vouched: bool
    lacks: Callable[[V], bool] = lambda _: False
    known: V | None = None
    took: Callable[[V], None] = lambda _: None
    always: bool = False


@dataclass(slots=True)
class _Flight:
    """A look that is under way."""

    taken: Taken
    done: threading.Event = field(default_factory=threading.Event)
    waiting: int = 0


class Memory(Generic[V]):
    """What this process knows of one kind of document, of every tenant."""

    def __init__(self, rules: Rules, most: int = 10_000) -> None:
        """`most`: documents remembered; the one that was not used for longest is forgotten first."""
        self.rules = rules
        self._kept: Recent[_Place, Found[V]] = Recent(most)
        self._going: dict[_Place, _Flight] = {}
        self._lock = threading.Lock()

    def known(self, key: Hashable) -> Found[V] | None:
        """What is known, without asking anybody."""
        return self._kept.get((current().id, key))

    def due(self, key: Hashable) -> bool:
        """Whether the next wish for it would ask."""
        kept = self.known(key)
        return kept is None or clock.monotonic() >= kept.until

    def forget(self) -> None:
        """Forget everything: between tests."""
        self._kept.clear()
        _spent.clear()

    def get(self, wanted: Wanted[V]) -> Found[V]:
        """What lies there, as it is known or asked for now.

        Raises Busy when nothing good is known and nobody can ask now, TooMany when whoever asks has asked too much.
        """
        place, now = (current().id, wanted.key), clock.monotonic()
        kept = self._kept.get(place)
        if kept is not None and kept.uri != wanted.uri:
            kept = None
        if kept is None and wanted.known is not None:
            kept = Found(wanted.uri, wanted.known, now, float("-inf"), now)
        if kept is not None and (working() or not self._due(kept, wanted, now)):
            return kept
        if kept is None and working() and not wanted.always:
            return Found(wanted.uri, None, now, now, now)
        return self._asked(place, wanted, kept)

    def _due(self, kept: Found[V], wanted: Wanted[V], now: float) -> bool:
        if kept.value is None:
            return now >= kept.until
        if now < kept.asked + (self.rules.storm if kept.good == kept.asked else AGAIN):
            return False
        return now >= kept.until or wanted.lacks(kept.value)

    def _asked(self, place: _Place, wanted: Wanted[V], former: Found[V] | None) -> Found[V]:
        going, mine = self._joined(place, wanted)
        if isinstance(going, _Flight) and mine:
            return self._flown(place, going, wanted, former)
        if former is not None and former.value is not None and not wanted.lacks(former.value):
            return former
        if not isinstance(going, _Flight):
            raise going
        with lanes.left():
            done = going.done.wait(PATIENCE)
        with self._lock:
            going.waiting -= 1
        kept = self._kept.get(place)
        if not done or kept is None or kept.uri != wanted.uri:
            raise self._busy()
        return kept

    def _joined(self, place: _Place, wanted: Wanted[V]) -> tuple[_Flight | Refusal, bool]:
        """The look that is under way, and whether this thread is to make it; what to say where there is none."""
        with self._lock:
            going = self._going.get(place)
            if going is not None:
                if going.waiting >= WAITING:
                    return self._busy(), False
                going.waiting += 1
                return going, False
            retry = None if wanted.vouched else _exhausted()
            if retry is not None:
                return TooMany(retry_after=retry, rule="outbound.asker", expected=f"{MILLISECONDS} ms"), False
            taken = PLACES.take((self.rules.name, wanted.key), vouched=wanted.vouched)
            if taken is None:
                return self._busy(), False
            made = self._going[place] = _Flight(taken)
            return made, True

    def _busy(self) -> Busy:
        return Busy(rule=f"{self.rules.name}.places", expected=PLACES.at_once, retry_after=1)

    def _flown(self, place: _Place, flight: _Flight, wanted: Wanted[V], former: Found[V] | None) -> Found[V]:
        began = clock.monotonic()
        try:
            found = self._fetched(wanted, former)
            if found.value is not None and not found.why:
                wanted.took(found.value)
            return self._kept.put(place, found)
        finally:
            if not wanted.vouched:
                _spend(clock.monotonic() - began)
            with self._lock:
                del self._going[place]
            PLACES.give_back(flight.taken)
            flight.done.set()

    def _fetched(self, wanted: Wanted[V], former: Found[V] | None) -> Found[V]:
        rules = self.rules
        try:
            with lanes.left():
                document = outbound.get(wanted.uri, rules.kinds, rules.largest, vouched=wanted.vouched)
            value = wanted.read(document.body)
        except outbound.NotSent as problem:
            return self._failed(wanted, former, str(problem))
        except Refusal as problem:
            return self._failed(wanted, None if rules.wrong_ends else former, problem.description)
        except (ValueError, RecursionError) as problem:
            return self._failed(wanted, None if rules.wrong_ends else former, str(problem))
        now = clock.monotonic()
        age = rules.usual if document.max_age is None else document.max_age
        return Found(wanted.uri, value, now + min(max(age, rules.least), rules.most), now, now)

    def _failed(self, wanted: Wanted[V], former: Found[V] | None, why: str) -> Found[V]:
        now, why = clock.monotonic(), why[:200] or "it is none"
        log(__name__).warning(f"{self.rules.name}.not_read", uri=wanted.uri[:512], why=why)
        if former is not None and former.value is not None and now < former.good + self.rules.stale:
            until = now + max(self.rules.least, AGAIN)
            return Found(wanted.uri, former.value, until, now, former.good, why)
        return Found(wanted.uri, None, now + AGAIN, now, now, why)


def _exhausted() -> int | None:
    """Seconds after which whoever asks may have strangers' addresses asked again; None: now."""
    who, now = places.who(), clock.epoch()
    if not who:
        return None
    free, _, begin = _spent.add((who,), MINUTE, 0, MILLISECONDS - 1, now)
    return None if free else max(1, begin + MINUTE - now)


def _spend(seconds: float) -> None:
    who = places.who()
    if who:
        _spent.add((who,), MINUTE, max(1, int(seconds * 1000)), throttle.UNLIMITED, clock.epoch())
