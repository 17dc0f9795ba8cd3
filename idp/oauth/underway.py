"""An authorization request on its way through the pages: what is kept of it, for one browser, until its end.

It lives in Redis. Who has given a first factor in it and not yet a second has no session: that lives here too, is
bound to a cookie of its own that was made at that moment, and counts for some minutes.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from idp import clock, throttle
from idp.errors import Busy, NotFound, TooMany
from idp.ids import digest, same, secret
from idp.oauth.checks.pushed import answering
from idp.oauth.request import Browser
from idp.store.durable import users
from idp.store.durable.users import User
from idp.store.ephemeral import flush, gathering, transactions
from idp.tenants import current

FIRST_FOR = 600
"""Seconds for which a first factor waits for the second."""


class TransactionGone(NotFound):
    """The sign-in is too old, was finished, or was begun in another browser."""

    code = "transaction_gone"
    status = 400
    description = "This sign-in page is too old or was already used."


@dataclass(frozen=True, slots=True)
class First:
    """A first factor that was given, and waits for the second: whose, how, when, and by which browser's cookie."""

    user_id: UUID
    amr: tuple[str, ...]
    at: float
    proof: str
    """The digest of the cookie, in hexadecimal."""
    since: float | None = None
    """When the person proved it, where that was before (at an upstream)."""

    @property
    def auth_time(self) -> datetime | None:
        """The instant of `since`."""
        return None if self.since is None else clock.from_instant(self.since)

    def state(self) -> dict[str, Any]:
        """As it is kept."""
        return {
            "user": str(self.user_id), "amr": list(self.amr), "at": self.at, "proof": self.proof, "since": self.since,
        }  # fmt: skip


def _first(kept: dict[str, Any] | None) -> First | None:
    if kept is None:
        return None
    return First(UUID(kept["user"]), tuple(kept["amr"]), kept["at"], kept["proof"], kept.get("since"))


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
    first: First | None = None
    """Who has given a first factor in it and has no session by it yet."""
    own: str = ""
    """The page of our own that it leads to, a path below the issuer; "": it is a client's request."""
    elsewhere: str = ""
    """The name of the request, made at another place, that it answers."""
    codes: str | None = None
    """Recovery codes that were made in it and not yet put away, sealed for their person."""
    mailed: tuple[str, str] | None = None
    """The code by e-mail that it waits for, and the name for which that was asked for."""
    mailed_second: str | None = None
    """The code by e-mail that was sent in it as a second factor."""

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
            "first": None if self.first is None else self.first.state(),
            "codes": self.codes,
            "mailed_second": self.mailed_second,
            "mailed": None if self.mailed is None else list(self.mailed),
        }

    def wait(self, user: User, amr: tuple[str, ...], auth_time: datetime | None = None) -> str:
        """Note that this person has given a first factor; the cookie to which that is bound from now on.

        `auth_time`: when they did, where that was before now.
        """
        token = secret()
        since = None if auth_time is None else auth_time.timestamp()
        self.first = First(user.id, amr, clock.now().timestamp(), digest(token).hex(), since)
        return token

    def waiting(self, browser: Browser) -> User | None:
        """Who has given a first factor with this browser, lately, and whom nothing has happened to since."""
        first = self.first
        if first is None or not browser.proof or not same(first.proof, digest(browser.proof).hex()):
            return None
        user = users.by_id(first.user_id) if clock.now().timestamp() < first.at + FIRST_FOR else None
        if user is None or not user.active:
            return None
        changed = user.not_before is not None and user.not_before.timestamp() > first.at
        return None if changed else user


def begin(
    params: dict[str, str],
    resources: tuple[str, ...],
    browser: Browser,
    *,
    opened: bool = False,
    pushed: str | None = None,
    own: str = "",
    elsewhere: str = "",
) -> Transaction:
    """Keep a request that needs a page. Raises TooMany when the address has too many unfinished ones."""
    started = Transaction(
        secret(),
        params,
        resources,
        bound(browser),
        clock.epoch(),
        opened=opened,
        pushed=pushed,
        own=own,
        elsewhere=elsewhere,
    )
    retry = throttle.failed("unfinished", browser.address)
    if retry is not None:
        raise TooMany(
            retry_after=retry, rule="throttle.unfinished", setting="policy.unfinished_authorizations"
        )
    started.counted = browser.address
    keep(started)
    return started


def bound(browser: Browser) -> str:
    """What stands for the browser in what it has begun."""
    return digest(browser.binding).hex()


def left(going: Transaction) -> int:
    """Seconds until it is too old, at least one."""
    return max(1, going.begun + current().policy.transaction_lifetime - clock.epoch())


def keep(going: Transaction) -> None:
    """Keep what has been done in it."""
    transactions.put(going.identifier, going.state(), left(going))


def over(identifier: str) -> bool:
    """Whether this transaction came to its end; a lost one did not."""
    return 0 < len(identifier) <= 64 and transactions.over(identifier)


def alive(identifier: str) -> bool:
    """Whether this transaction is on its way, in whatever browser."""
    return 0 < len(identifier) <= 64 and transactions.get(identifier) is not None


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
        first=_first(state.get("first")),
        codes=state.get("codes"),
        mailed_second=state.get("mailed_second"),
        mailed=tuple(state["mailed"]) if state.get("mailed") else None,
    )


def asked(identifier: str, browser: Browser) -> dict[str, str]:
    """What a sign-in that waits in this browser was asked with; nothing where none does, or nobody can tell now."""
    try:
        return load(identifier, browser).params
    except (TransactionGone, Busy):
        return {}


def _finished() -> TransactionGone:
    return TransactionGone(rule="transaction.finished", expected="one end", got="a second one")


@contextmanager
def ending(going: Transaction) -> Iterator[None]:
    """End the transaction atomically, so that two posts of one page make one code; undone when nothing comes of it."""
    if not transactions.finish(going.identifier, left(going)):
        raise _finished()
    try:
        with answering(going.pushed, _finished), gathering():
            yield
            if going.counted:
                throttle.forgive("unfinished", going.counted)
            flush()
    except Busy:
        transactions.reopen(going.identifier, going.state(), left(going))
        raise
