"""Performance: a bounded burst on a canary, against the budget and the figures last accepted."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from idp import clock
from idp.control.readiness.check import Check as AnyCheck
from idp.control.readiness.check import Gate, Seen, absent, judged
from idp.control.readiness.world import World
from idp.store.durable import gates

if TYPE_CHECKING:
    from idp.control.readiness.burst import Figure

ACCEPTED = "performance.accepted"
"""Name under which accepted figures are kept."""
SLOWER = 2.0
"""How many times the accepted median may be taken."""


def accept(world: World) -> None:
    """Keep the figures of this run as those that later ones are compared with. Raises NotLooked without any."""
    from idp.control.readiness import burst

    gates.keep(gates.Kept(ACCEPTED, clock.now(), True, {"figures": burst.content(_figures(world))}))


def _figures(world: World) -> "dict[str, Figure]":
    from idp.control.readiness import burst  # a web process, which has the table too, never makes a burst

    return burst.figures(world)


def _within(kind: str) -> Callable[[World], Seen]:
    def looked(world: World) -> Seen:
        """Whether the 99th percentile is within the budget."""
        found, budget = _figures(world)[kind], world.settings.budgets[kind]
        words = f"p50 {found.p50:.0f} ms, p99 {found.p99:.0f} of {budget:.0f} ms, {found.rate:.0f}/s"
        left = found.headroom(budget)
        return judged(f"Over the budget: {words}." if left < 0 else "", f"{words}: {left:.0%} head-room")

    return looked


def as_accepted(world: World) -> Seen:
    """Whether nothing takes much longer than when it was accepted."""
    kept = gates.every().get(ACCEPTED)
    if kept is None:
        return absent("nothing was accepted yet: idp ready --gate performance --accept")
    before: dict[str, Any] = kept.content["figures"]
    now = _figures(world)
    slower = {name: now[name].p50 / was["p50"] for name, was in before.items() if name in now and was["p50"]}
    worst = max(slower, key=lambda name: slower[name])
    words = f"{worst} takes {slower[worst]:.1f} times the accepted median of {before[worst]['p50']:.0f} ms"
    return judged(f"{words}." if slower[worst] > SLOWER else "", words)


_FIX = "Give it more processors, raise IDP_BUDGET where it is too strict, or look for what else runs there."

Check = partial(AnyCheck, gate=Gate.PERFORMANCE)

CHECKS = (
    Check("IDP-PRF-001", "Sign-ins are fast enough", "People leave; and a slow hash is a full queue.",
          _FIX, _within("sign_in")),
    Check("IDP-PRF-002", "Tokens are fast enough", "Every service of every customer waits for them.",
          _FIX, _within("token")),
    Check("IDP-PRF-003", "Key sets are fast enough", "After a rotation everybody asks for them at once.",
          _FIX, _within("jwks")),
    Check("IDP-PRF-004", "Nothing is much slower than accepted", "What gets slower with each release ends slow.",
          "Find what has changed since, or accept the new figures with --accept.", as_accepted),
)  # fmt: skip
