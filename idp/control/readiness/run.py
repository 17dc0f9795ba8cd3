"""Runs checks of the table: for a deployment, for a start, for traffic. Looking never raises."""

from collections.abc import Collection, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from idp import clock
from idp.config import ConfigError, Settings, use
from idp.control import installation
from idp.control.readiness.check import Check, Gate, Level, Result, Seen, State, Stops
from idp.control.readiness.table import CHECKS
from idp.control.readiness.world import NotLooked, World
from idp.errors import Busy
from idp.logs import log
from idp.store.durable import gates

_RING = ("IDP_KEYS", "IDP_KEY_RING")


@contextmanager
def opened(settings: Settings, **more: Any) -> Iterator[World]:
    """The deployment to look at, and what looking left put away at the end. `more`: fields of World.

    Where the key ring cannot be had the vault stays closed, and a check says why. Raises ConfigError for a
    setting without which there is nothing to look at.
    """
    with ExitStack() as stack:
        try:
            stack.enter_context(installation.opened(settings))
            world = World(settings, **more)
        except ConfigError as problem:
            if problem.field not in _RING:
                raise
            world = World(use(settings), opened=False, **more)
        stack.enter_context(world.stack)
        yield world


def look(checks: Iterable[Check], world: World) -> Iterator[Result]:
    """Each check in its order, each result as soon as it is there."""
    for check in checks:
        yield one(check, world)


def one(check: Check, world: World) -> Result:
    """One check; never raises."""
    began = clock.monotonic()
    try:
        seen = check.look(world)
        state, words = _state(check, seen, world), seen.words
    except (Busy, NotLooked) as away:
        state, words = State.UNKNOWN, away.description if isinstance(away, Busy) else str(away)
    except Exception as error:  # a check is answered, whatever is broken behind it
        log(__name__).warning("readiness.failed", code=check.code, cause=repr(error)[:300])
        state, words = State.RED, f"Looking failed with {type(error).__name__}."
    return Result(check, state, words, clock.monotonic() - began)


def _state(check: Check, seen: Seen, world: World) -> State:
    if seen.holds is None:
        return State.ABSENT
    if seen.holds:
        return State.GREEN
    mild = seen.mild or check.level is Level.WARN or (check.mild and world.loopback)
    return State.WARN if mild else State.RED


def of(stops: Stops, wanted: Collection[Gate] = ()) -> list[Check]:
    """The checks that stop a thing, of the `wanted` gates or of all."""
    return [check for check in CHECKS if stops in check.stops and (not wanted or check.gate in wanted)]


def light() -> list[Check]:
    """What a deployment asks and any process can look at for itself."""
    return of(Stops.DEPLOY, [gate for gate in Gate if gate.light])


def keep(results: Collection[Result]) -> None:
    """Keep what the gates that need a running server gave, for the management listener. Raises ConfigError, Busy."""
    for gate in Gate:
        mine = [result for result in results if result.check.gate is gate]
        if mine and not gate.light:
            green = all(result.ok for result in mine)
            content = {"checks": [result.content() for result in mine]}
            gates.keep(gates.Kept(str(gate), clock.now(), green, content))


def refuse_start(settings: Settings, *, opened: bool = True) -> list[str]:
    """Raise ConfigError where starting would be insecure or cannot succeed; else what should be known.

    With `opened` False the vault is closed yet, and only what the settings and the key ring say is judged.
    """
    told = []
    for result in look(of(Stops.START), World(settings, opened)):
        check = result.check
        if not result.ok and (opened or result.state is not State.UNKNOWN):
            raise ConfigError(check.setting, f"{result.words} {check.fix} ({check.code})")
        if result.state is State.WARN and Stops.DEPLOY not in check.stops:
            told.append(f"{result.words} {check.fix} ({check.code})")
    return told


def arrived(settings: Settings) -> list[Result]:
    """What must hold before a process takes its first traffic."""
    return list(look(of(Stops.TRAFFIC), World(settings)))


def lost(settings: Settings) -> list[Result]:
    """What turns a process red that was ready; what cannot be looked at now has state UNKNOWN."""
    return list(look(of(Stops.LASTING), World(settings)))
