"""The way back from an upstream: whose answer it is, to what, and whether it may count.

Everything is looked at before the state is burned, so that a stranger's browser burns nothing of another's; the
burn comes before anything is asked of the upstream, so that of two answers one counts.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import UUID

from idp import clock, lanes
from idp.errors import Busy
from idp.federation import fields, oauth2, openid, providers
from idp.federation.departures import Errand, bound
from idp.federation.openid import Sent
from idp.federation.profile import Profile
from idp.federation.refusals import Declined, Failed
from idp.ids import same
from idp.places import Places
from idp.signing import parts
from idp.store.durable import upstreams
from idp.store.durable.upstreams import Upstream
from idp.store.ephemeral import upstream_states
from idp.tenants import current

LONGEST = 64  # characters of a state of ours
_PLACES = Places(at_once=10, of_one=6, strangers=0)
"""How many answers a process looks at at once: each asks its upstream, and slow ones must not hold every thread."""
_PATIENCE = 2.0
"""Seconds for which somebody waits for a place."""


@contextmanager
def place() -> Iterator[None]:
    """A place to look at an answer in. Raises Busy when there is none."""
    with lanes.left():
        taken = _PLACES.take(None, vouched=True, patience=_PATIENCE)
    if taken is None:
        raise Busy(rule="upstream.places", expected=_PLACES.at_once, retry_after=1)
    try:
        yield
    finally:
        _PLACES.give_back(taken)


@dataclass(frozen=True, slots=True)
class Arrival:
    """Somebody has come back: from where, on what errand, and what was sent along. The state is burned."""

    upstream: Upstream
    errand: Errand
    sent: Sent


class Lost(Failed):
    """Nobody left from here in this browser, or they are back already, or it was too long ago."""

    code = "upstream_state_unknown"
    description = (
        "This sign-in at the other provider is too old, was used already, or began in another browser."
    )


def take(name: str, answer: Mapping[str, str], binding: str) -> Arrival:
    """Whose answer this is. Burns its state. Raises Lost, Failed."""
    state = answer.get("state", "")
    kept = upstream_states.get(state) if 0 < len(state) <= LONGEST else None
    if kept is None or not same(kept["binding"], bound(binding)):
        raise Lost(
            rule="upstream.state", expected="one of this browser that was not used yet",
            got="none",
        )  # fmt: skip
    upstream = upstreams.by_id(UUID(kept["upstream"]))
    if clock.epoch() >= kept["left"] + current().policy.transaction_lifetime:
        raise Lost(
            rule="upstream.state", expected="one that is young enough", setting="policy.transaction_lifetime"
        )
    errand = Errand(
        transaction=kept["transaction"],
        user_id=UUID(kept["user"]) if kept["user"] else None,
        session_id=UUID(kept["session"]) if kept["session"] else None,
        fresh=kept["fresh"],
        max_age=kept["max_age"],
        again=kept["again"],
    )
    if upstream is None or not upstream.active:
        raise Failed(rule="upstream.there", got="removed or suspended meanwhile")
    if (upstream.name, upstream.issuer, upstream.client_id) != (name, kept["issuer"], kept["client_id"]):
        raise Failed(rule="upstream.same", expected=upstream.name, got=name[:32])
    sent = Sent(kept["nonce"], kept["verifier"], kept["redirect_uri"], kept["left"])
    if not upstream_states.take(state):
        raise Lost(rule="upstream.once", expected="one use", got="a second one")
    return Arrival(upstream, errand, sent)


def profile(arrival: Arrival, answer: Mapping[str, str]) -> Profile:
    """Whom the upstream speaks of, once everything about its answer holds.

    Raises Declined, Failed, NotFresh, UpstreamAway, Busy.
    """
    upstream = arrival.upstream
    how = fields.settings(upstream)
    provider = providers.of(upstream, how)
    issuer = answer.get("iss")
    # RFC 9207 §2.4: an answer of another provider that was sent here, errors included.
    if (issuer is None and provider.tells_issuer) or (
        issuer is not None and not openid.issued_by(upstream.issuer, issuer)
    ):
        raise Failed(rule="upstream.iss", expected=upstream.issuer, got=(issuer or "")[:200])
    if "error" in answer:
        raise Declined(rule="upstream.error", got=answer["error"][:100])
    code = answer.get("code", "")
    if not 0 < len(code) <= parts.LONGEST:
        raise Failed(rule="upstream.code", expected="a code", got="none" if not code else "too long a one")
    if upstream.protocol == fields.OAUTH2:
        return oauth2.profile(upstream, how, provider, arrival.sent, code)
    found = openid.profile(upstream, how, provider, arrival.sent, code)
    openid.check_age(found, arrival.errand.fresh, arrival.errand.max_age, arrival.sent.left)
    return found
