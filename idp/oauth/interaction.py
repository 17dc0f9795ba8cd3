"""Which step comes next: a pure function of the request, the person's session, and what is remembered.

No page knows the next page; every step comes back here (OpenID Connect Core 1.0 §3.1.2.3 and §3.1.2.4).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from idp.oauth.request import AuthorizationRequest
from idp.store.durable.clients import Client
from idp.store.durable.sessions import Session


class Step(StrEnum):
    """A page's step, or the end."""

    LOGIN = "login"
    ACCOUNT = "account"
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


def next_step(situation: Situation) -> Step:
    """LOGIN, ACCOUNT, CONSENT, APPROVE or DONE."""
    if must_sign_in(situation):
        return Step.LOGIN
    if must_choose(situation):
        return Step.ACCOUNT
    if must_consent(situation):
        return Step.CONSENT if situation.request.elsewhere is None else Step.APPROVE
    return Step.DONE


def must_sign_in(situation: Situation) -> bool:
    """Whether there is no session, another person's, one too old, or the client insists."""
    request, session = situation.request, situation.session
    if session is None or not right_person(situation):
        return True
    if situation.signed_in_here:
        return False
    if "login" in request.prompt or situation.same is False:
        return True
    return request.max_age is not None and situation.now >= session.auth_time + timedelta(
        seconds=request.max_age
    )


def must_choose(situation: Situation) -> bool:
    """Whether the person is to say as whom they go on (§3.1.2.1); who has just signed in has said it."""
    chosen = situation.signed_in_here or situation.same is not None
    return "select_account" in situation.request.prompt and not chosen


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
    if situation.request.elsewhere is not None:
        return True  # whoever sent the address or the code must not be able to answer by it (RFC 8628 §5.4)
    if "consent" in situation.request.prompt:
        return True
    if not client.setting("require_consent"):
        return False
    return not assured(client) or not situation.remembered


def assured(client: Client) -> bool:
    """Whether somebody vouches for who the client is: an operator made it and its URIs are no private scheme."""
    if client.setting("dynamic"):
        return False
    return all(uri.startswith(("https://", "http://")) for uri in client.redirect_uris)
