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
    CONSENT = "consent"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Situation:
    """Everything that decides. `signed_in_here` and `consented_here`: done in this very transaction."""

    request: AuthorizationRequest
    client: Client
    session: Session | None
    hinted_sub: str | None
    remembered: bool
    signed_in_here: bool
    consented_here: bool
    now: datetime


def next_step(situation: Situation) -> Step:
    """LOGIN, CONSENT or DONE."""
    if must_sign_in(situation):
        return Step.LOGIN
    if must_consent(situation):
        return Step.CONSENT
    return Step.DONE


def must_sign_in(situation: Situation) -> bool:
    """Whether there is no session, another person's, one too old, or the client insists."""
    request, session = situation.request, situation.session
    if session is None or not right_person(situation):
        return True
    if situation.signed_in_here:
        return False
    if request.prompt & {"login", "select_account"}:
        return True
    return request.max_age is not None and situation.now >= session.auth_time + timedelta(seconds=request.max_age)


def right_person(situation: Situation) -> bool:
    """Whether the session is that of whom the hint and the claims parameter name."""
    session = situation.session
    if session is None:
        return False
    wanted = {situation.hinted_sub, wanted_sub(situation.request.claims)} - {None}
    return not wanted or wanted == {str(session.user_id)}


def wanted_sub(claims: dict[str, Any]) -> str | None:
    """The `sub` that the claims parameter demands (§5.5.1), or None."""
    wish = (claims.get("id_token") or {}).get("sub")
    value = wish.get("value") if isinstance(wish, dict) else None
    return value if isinstance(value, str) else None


def must_consent(situation: Situation) -> bool:
    """Whether the person must be asked: never for a client whose operator has approved it."""
    client = situation.client
    if situation.consented_here:
        return False
    if not client.setting("require_consent"):
        return False
    return "consent" in situation.request.prompt or not assured(client) or not situation.remembered


def assured(client: Client) -> bool:
    """Whether somebody vouches for who the client is: an operator made it and its URIs are no private scheme."""
    if client.settings.get("dynamic"):
        return False
    return all(uri.startswith(("https://", "http://")) for uri in client.redirect_uris)
