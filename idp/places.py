"""How many looks outside a process has under way at once, and who may have which of them.

Whoever can register an application can name a slow host. So strangers' applications share a part of the places, one
of a tenant and one of whoever asks at a time, and never take what is left to applications that somebody vouches for.
"""

import threading
from collections import Counter
from collections.abc import Hashable
from contextvars import ContextVar
from functools import partial

from idp import throttle
from idp.tenants import current

asker: ContextVar[str] = ContextVar("idp_asker", default="")
"""The address of whoever made the request that is being answered; "": nobody did."""

Taken = tuple[Hashable, ...]
"""What is held; `Places.give_back` takes it."""


def who() -> str:
    """Who asks: an address, an IPv6 one as its network; "" for nobody."""
    return throttle.network(asker.get())


class Places:
    """Places of a process, shared out by tenant, by what is asked, and by whether somebody vouches for it."""

    def __init__(self, at_once: int, of_one: int, strangers: int) -> None:
        """`at_once`: in all; `of_one`: of what one tenant's operators made; `strangers`: of all strangers together."""
        self.at_once, self.of_one, self.strangers = at_once, of_one, strangers
        self._held: Counter[Hashable] = Counter()
        self._change = threading.Condition()

    def take(self, owner: Hashable | None, *, vouched: bool, patience: float = 0.0) -> Taken | None:
        """A place for `owner` (None: shared) of the entered tenant; None when there is none within `patience` seconds.

        Whoever has one gives it back.
        """
        limits = self._limits(owner, vouched=vouched)
        with self._change:
            if not self._change.wait_for(partial(self._fits, limits), patience):
                return None
            self._held.update(list(limits))
            return tuple(limits)

    def _fits(self, limits: dict[Hashable, int]) -> bool:
        return all(self._held[key] < most for key, most in limits.items())

    def _limits(self, owner: Hashable | None, *, vouched: bool) -> dict[Hashable, int]:
        tenant = current().id
        limits: dict[Hashable, int] = {"all": self.at_once}
        if owner is not None:
            limits["owner", tenant, owner] = 1
        if vouched:
            return limits | {("tenant", tenant): self.of_one}
        limits |= {"strangers": self.strangers, ("strangers", tenant): 1}
        return limits | ({("asker", who()): 1} if who() else {})

    def give_back(self, taken: Taken) -> None:
        """Let others have it."""
        with self._change:
            self._held.subtract(taken)
            self._held += Counter()  # what is at zero goes
            self._change.notify_all()
