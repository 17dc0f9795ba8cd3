"""A sign-in on its way through the pages: what is kept of it in Redis, for one browser and a bounded time."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from idp import clock
from idp.errors import NotFound
from idp.ids import digest, same
from idp.oauth.request import Browser
from idp.store.ephemeral import transactions
from idp.tenants import current


class TransactionGone(NotFound):
    """The sign-in is too old, was finished, or was begun in another browser."""

    code = "transaction_gone"
    status = 400
    description = "This sign-in page is too old or was already used."


@dataclass(slots=True)
class Transaction:
    """A request on its way: what was asked, by which browser, and what has been done in it."""

    identifier: str
    params: dict[str, str]
    resources: tuple[str, ...]
    binding: str
    begun: int
    session_id: UUID | None = None
    consented: tuple[str, ...] | None = None
    """What was allowed in it, each scope with its API (`idp.oauth.scopes.qualified`)."""
    counted: str | None = None
    same: bool | None = None
    """Whether the person chose to go on as who was signed in; None: not asked."""
    opened: bool = False
    """Whether the parameters are from a request object or pushed, which may have expired since it was opened."""
    pushed: str | None = None
    """The name of the pushed request that it answers."""
    own: str = ""
    """The page of our own that it leads to, a path below the issuer; "": it is a client's request."""
    elsewhere: str = ""
    """The name of the request, made at another place, that it answers."""

    def state(self) -> dict[str, Any]:
        """As it is kept."""
        return {
            "params": self.params,
            "resources": list(self.resources),
            "binding": self.binding,
            "begun": self.begun,
            "session": str(self.session_id) if self.session_id else None,
            "consented": None if self.consented is None else list(self.consented),
            "counted": self.counted,
            "same": self.same,
            "opened": self.opened,
            "pushed": self.pushed,
            "own": self.own,
            "elsewhere": self.elsewhere,
        }


def bound(browser: Browser) -> str:
    """What ties a transaction to a browser: a digest of its binding cookie."""
    return digest(browser.binding).hex()


def left(going: Transaction) -> int:
    """Seconds until it is too old, at least one."""
    return max(1, going.begun + current().policy.transaction_lifetime - clock.epoch())


def keep(going: Transaction) -> None:
    """Keep it as it is now, for as long as is left."""
    transactions.put(going.identifier, going.state(), left(going))


def over(identifier: str) -> bool:
    """Whether this transaction came to its end; a lost one did not."""
    return 0 < len(identifier) <= 64 and transactions.over(identifier)


def load(identifier: str, browser: Browser) -> Transaction:
    """The transaction of this browser. Raises TransactionGone, also for another browser's."""
    state = transactions.get(identifier) if 0 < len(identifier) <= 64 else None
    if state is None or not same(str(state["binding"]), bound(browser)):
        raise TransactionGone(
            rule="transaction.alive",
            expected="a sign-in under way in this browser",
            got="none" if state is None else "one of another browser",
            setting="policy.transaction_lifetime",
        )
    if clock.epoch() >= state["begun"] + current().policy.transaction_lifetime:
        raise TransactionGone(
            rule="transaction.lifetime",
            expected=f"at most {current().policy.transaction_lifetime} s",
            got=f"{clock.epoch() - state['begun']} s",
            setting="policy.transaction_lifetime",
        )
    return Transaction(
        identifier=identifier,
        params=state["params"],
        resources=tuple(state["resources"]),
        binding=state["binding"],
        begun=state["begun"],
        session_id=UUID(state["session"]) if state["session"] else None,
        consented=None if state["consented"] is None else tuple(state["consented"]),
        counted=state.get("counted"),
        same=state.get("same"),
        opened=state.get("opened", False),
        pushed=state.get("pushed"),
        own=state.get("own", ""),
        elsewhere=state.get("elsewhere", ""),
    )
