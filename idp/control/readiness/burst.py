"""A bounded burst against the running server, on a canary: sign-ins, tokens, key sets, and how long each took."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any

from idp import clock
from idp.control.readiness import journey
from idp.control.readiness.world import NotLooked, World
from idp.prove.promises import NotProved, Unexpected
from idp.prove.target import Canary
from idp.prove.visitor import Party
from idp.prove.wire import Net

SECONDS = 2.0
"""How long each kind is asked at most."""
VISITORS = 2
"""Who ask at once."""
MOST = {"sign_in": 40, "token": 400, "jwks": 800}
"""Requests of each kind at most."""

Ask = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Figure:
    """What one kind took: milliseconds at the median and at the 99th percentile, and how many a second."""

    p50: float
    p99: float
    rate: float
    count: int

    def headroom(self, budget: float) -> float:
        """The share of `budget` (milliseconds) that p99 leaves; negative where it is exceeded."""
        return 1 - self.p99 / budget


def figures(world: World) -> dict[str, Figure]:
    """Each kind's figure, measured once. Raises NotLooked, Unexpected."""
    return world.once("figures", lambda: _measured(world))


def content(found: dict[str, Figure]) -> dict[str, Any]:
    """Figures as JSON."""
    return {
        name: {key: round(value, 2) for key, value in asdict(figure).items()}
        for name, figure in found.items()
    }


def _measured(world: World) -> dict[str, Figure]:
    try:
        canary = journey.target(world).a
    except NotProved:
        raise NotLooked("There is no canary tenant.") from None
    found = {}
    for kind in MOST:
        world.tell(f"a burst of {kind}")
        try:
            found[kind] = _burst(kind, canary)
        except (Unexpected, OSError) as problem:
            raise NotLooked(f"The burst of {kind} broke: {journey.sentence(problem)}") from None
    return found


def _burst(kind: str, canary: Canary) -> Figure:
    began = clock.monotonic()
    with ThreadPoolExecutor(VISITORS) as pool:
        parts = list(pool.map(lambda _: _one(kind, canary, MOST[kind] // VISITORS), range(VISITORS)))
    took = clock.monotonic() - began
    times = sorted(time * 1000 for part in parts for time in part)
    return Figure(_at(times, 0.5), _at(times, 0.99), len(times) / took, len(times))


def _at(times: list[float], share: float) -> float:
    return times[min(len(times) - 1, int(len(times) * share))]


def _one(kind: str, canary: Canary, most: int) -> list[float]:
    with Net(per_second=100_000) as net:
        return list(_timed(_asking(kind, net, canary), most))


def _timed(ask: Ask, most: int) -> Iterator[float]:
    ask()  # the first one connects, and is nobody's figure
    end = clock.monotonic() + SECONDS
    for _ in range(most):
        began = clock.monotonic()
        ask()
        yield clock.monotonic() - began
        if clock.monotonic() > end:
            return


def _asking(kind: str, net: Net, canary: Canary) -> Ask:
    """How one request of a kind is made; each raises Unexpected where it is refused."""
    if kind == "sign_in":
        return lambda: journey.sign_in(journey.stranger(net, canary), canary)
    machine = Party(net, canary.issuer, "service", secret=canary.secrets["service"])
    if kind == "token":
        return lambda: machine.client_credentials().json()
    address = str(machine.metadata["jwks_uri"])
    return lambda: net.get(address).json()
