"""Which step comes next: a pure function of the request, the person's session, and what is remembered.

No page knows the next page; every step comes back here (OpenID Connect Core 1.0 §3.1.2.3 and §3.1.2.4). How sure a
sign-in must be is decided here too: by the tenant for the person, by the client, or by the request (RFC 9470 §5).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from idp.accounts import assurance
from idp.accounts.factors import NOTHING, Holding
from idp.oauth.request import AuthorizationRequest
from idp.store.durable.clients import Client
from idp.store.durable.sessions import Session


class Step(StrEnum):
    """A page's step, or the end."""

    LOGIN = "login"
    EMAIL = "email"
    """What LOGIN is, once a code by e-mail was asked for."""
    ACCOUNT = "account"
    MFA = "mfa"
    ENROL = "enrol"
    CODES = "codes"
    CONSENT = "consent"
    APPROVE = "approve"
    """What CONSENT is, for a request that was made at another place."""
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Situation:
    """Everything that decides. `signed_in_here` and `consented_here`: done in this very transaction.

    `same`: whether the person chose to go on as who is signed in (True) or as somebody else (False) in it.
    """

    request: AuthorizationRequest
    client: Client
    session: Session | None
    sub: str
    """By which the client knows the person of the session; "" without one."""
    hinted_sub: str | None
    remembered: bool
    signed_in_here: bool
    consented_here: bool
    now: datetime
    same: bool | None = None
    waiting: bool = False
    """Whether somebody has given a first factor in this very transaction, with this browser, and has no session yet."""
    level: int = 1
    """How many factors were given: by who is waiting, else in the session."""
    reachable: int = 1
    """How many factors people of this tenant can give."""
    holding: Holding = NOTHING
    """What the person has beside the first factor; looked at only where it can matter."""
    demanded: bool = False
    """Whether the tenant wants this person to have a second factor."""
    trusted: bool = False
    """Whether the person has asked not to be asked again on this device, and lately gave a second factor on it."""
    codes: bool = False
    """Whether recovery codes were made in this transaction and not yet put away."""
    mailed: bool = False
    """Whether a code by e-mail was asked for in this transaction, and no other way is wished."""
    strangers_remembered: bool = False
    """Whether the tenant lets be remembered what people allowed applications that nobody vouches for."""


def next_step(situation: Situation) -> Step:
    """The first of LOGIN or EMAIL, ACCOUNT, MFA or ENROL, CODES, CONSENT or APPROVE that is due, or DONE."""
    if must_sign_in(situation):
        return Step.EMAIL if situation.mailed else Step.LOGIN
    if must_choose(situation):
        return Step.ACCOUNT
    if short(situation):
        return Step.MFA if situation.holding.any else Step.ENROL
    if situation.codes:
        return Step.CODES
    if must_consent(situation):
        return Step.CONSENT if situation.request.elsewhere is None else Step.APPROVE
    return Step.DONE


def must_sign_in(situation: Situation) -> bool:
    """Whether there is no session, another person's, one too old, or the client insists.

    A factor is set up right after a first one was given, never in a session that has only gone on. Who is waiting and
    is no longer asked for a second factor, because it was taken away meanwhile, begins anew.
    """
    request, session = situation.request, situation.session
    if situation.waiting:
        return not short(situation)
    if session is None or not right_person(situation):
        return True
    if situation.signed_in_here:
        return False
    if request.prompt & {"login", "create"} or situation.same is False:
        return True
    if short(situation) and not situation.holding.any:
        return True
    return request.max_age is not None and situation.now >= session.auth_time + timedelta(
        seconds=request.max_age
    )


def must_choose(situation: Situation) -> bool:
    """Whether the person is to say as whom they go on (§3.1.2.1); who has just signed in has said it."""
    chosen = situation.waiting or situation.signed_in_here or situation.same is not None
    return "select_account" in situation.request.prompt and not chosen


def short(situation: Situation) -> bool:
    """Whether more factors are needed than were given."""
    return needed(situation) > situation.level


def needed(situation: Situation) -> int:
    """How many factors this request needs of this person.

    A trusted device spares them what the tenant asks for, never what the client or the request insists on; and
    nothing where the person is to prove who they are anew (prompt=login, max_age).
    """
    if situation.reachable < 2:
        return 1
    request = situation.request
    if situation.client.setting("require_second_factor") or insisted(request) > 1:
        return 2
    if preferred(request) > 1 and situation.holding.any:
        return 2
    asked = situation.demanded or (situation.waiting and situation.holding.kept)
    anew = "login" in request.prompt or request.max_age is not None
    return 2 if asked and (anew or not situation.trusted) else 1


def insisted(request: AuthorizationRequest) -> int:
    """The least level with which the request is content; 0 where it says nothing that can be reached here."""
    return max((min(levels) for levels in _wished(request)), default=0)


def preferred(request: AuthorizationRequest) -> int:
    """The level that the request would like best; 0 where it says nothing that can be reached here."""
    return max((levels[0] for levels in _wished(request)), default=0)


def _wished(request: AuthorizationRequest) -> Iterator[tuple[int, ...]]:
    """The levels of `acr_values` (§3.1.2.1) and of the claims parameter's `acr` (§5.5.1.1), best first."""
    for names in (request.acr_values, _claimed(request)):
        if levels := assurance.known(names):
            yield levels


def _claimed(request: AuthorizationRequest) -> tuple[str, ...]:
    """The classes that the claims parameter names."""
    wish = request.claims.get("id_token", {}).get("acr") or {}
    values = [*([wish["value"]] if "value" in wish else []), *wish.get("values", ())]
    return tuple(one for one in values if isinstance(one, str))


def told_acr(request: AuthorizationRequest, reached: str) -> str:
    """The class that the tokens say: what was reached, or one that it holds where the request is content with no other.

    §5.5.1.1: an essential `acr` is one of the values that were asked for.
    """
    wish = request.claims.get("id_token", {}).get("acr") or {}
    if wish.get("essential") is not True or reached in _claimed(request):
        return reached
    held = (name for name in _claimed(request) if 0 < assurance.level(name) <= assurance.level(reached))
    return next(held, reached)


def right_person(situation: Situation) -> bool:
    """Whether the session is that of whom the hint and the claims parameter name.

    A hint that cannot be read names nobody: it is enough that somebody signs in for this very request.
    """
    session, hinted = situation.session, situation.hinted_sub
    if session is None or (hinted == "" and not situation.signed_in_here):
        return False
    person = situation.sub
    demanded = wanted_subs(situation.request.claims)
    return (not hinted or hinted == person) and (demanded is None or person in demanded)


def wanted_subs(claims: dict[str, Any]) -> frozenset[str] | None:
    """Every `sub` with which the claims parameter would be content (§5.5.1), or None when it demands none."""
    found: frozenset[str] | None = None
    for part in claims.values():
        wish = part.get("sub") or {}
        if "value" in wish or "values" in wish:
            named = {one for one in (wish.get("value"), *wish.get("values", ())) if isinstance(one, str)}
            found = frozenset(named if found is None else found & named)
    return found


def must_consent(situation: Situation) -> bool:
    """Whether the person must be asked.

    A client that its operator has approved asks only when it says so itself, by prompt=consent (§3.1.2.1).
    """
    client = situation.client
    if situation.consented_here:
        return False
    if situation.request.details:
        return True  # this very thing was never allowed before, whatever was (RFC 9396 §7.1)
    if situation.request.elsewhere is not None:
        return True  # whoever sent the address or the code must not be able to answer by it (RFC 8628 §5.4)
    if "consent" in situation.request.prompt:
        return True
    if not client.setting("require_consent"):
        return False
    each_time = not assured(client) and not (situation.strangers_remembered and own_address(client))
    return each_time or not situation.remembered


def assured(client: Client) -> bool:
    """Whether somebody vouches for who the client is: an operator made it and its URIs are no private scheme."""
    return not client.setting("dynamic") and own_address(client)


def own_address(client: Client) -> bool:
    """Whether its answers go to hosts, of which each is somebody's: a private scheme is whoever's takes it first."""
    return all(uri.startswith(("https://", "http://")) for uri in client.redirect_uris)
