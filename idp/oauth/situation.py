"""The facts that decide which step is due, gathered: from the request, the session, the transaction, the browser.

What a person has and must have is looked at only where it can make a difference: a session with two factors, and one
of which nothing more is asked, cost no question.
"""

from idp import clock, platform
from idp.accounts import assurance, consent, devices, factors, subjects
from idp.accounts.factors import NOTHING, Holding
from idp.errors import InvalidToken
from idp.oauth import scopes
from idp.oauth.interaction import Situation, insisted, preferred
from idp.oauth.request import AuthorizationRequest, Browser
from idp.oauth.tokens import id_token
from idp.oauth.underway import Transaction
from idp.store.durable import users
from idp.store.durable.clients import Client
from idp.store.durable.sessions import Session
from idp.store.durable.users import User
from idp.tenants import current, entered


def of(
    request: AuthorizationRequest,
    client: Client,
    session: Session | None,
    going: Transaction | None,
    browser: Browser,
    waiting: User | None,
) -> Situation:
    """The situation; `waiting`: who has given a first factor in `going` and has no session by it."""
    consented = going.consented if going is not None else None
    entries = scopes.qualified(client, request.scopes, request.resources)
    here = going is not None and session is not None and going.session_id == session.id
    level, holding, demanded, trusted = _second(request, client, session, going, browser, waiting)
    return Situation(
        request=request,
        client=client,
        session=session,
        sub="" if session is None else subjects.of(client, session.user_id),
        hinted_sub=_hinted(request, client),
        remembered=session is not None
        and bool(client.setting("require_consent"))
        and consent.remembered(session.user_id, client.id, entries),
        signed_in_here=here,
        consented_here=consented is not None and set(entries) <= set(consented),
        now=clock.now(),
        same=going.same if going is not None else None,
        waiting=waiting is not None,
        level=level,
        reachable=len(assurance.reachable()),
        holding=holding,
        demanded=demanded,
        trusted=trusted,
        codes=going is not None and going.codes is not None and session is not None,
        mailed=going is not None and going.mailed is not None,
        strangers_remembered=current().policy.remember_strangers_consent,
    )


def _second(
    request: AuthorizationRequest,
    client: Client,
    session: Session | None,
    going: Transaction | None,
    browser: Browser,
    waiting: User | None,
) -> tuple[int, Holding, bool, bool]:
    """The level that was reached; what the person has; whether they must have it; whether the device is trusted."""
    first = going.first if going is not None and waiting is not None else None
    level = max(1, assurance.level(assurance.acr(first.amr) if first else session.acr if session else ""))
    user_id = waiting.id if waiting is not None else session.user_id if session is not None else None
    if user_id is None or level > 1 or len(assurance.reachable()) < 2:
        return level, NOTHING, False, False
    demanded = factors.demanded(user_id)
    wanted = demanded or client.setting("require_second_factor") or preferred(request) > 1
    if waiting is None and not wanted and insisted(request) < 2:
        return level, NOTHING, False, False
    user = waiting or users.by_id(user_id)
    trusted = user is not None and devices.known(user, browser.trusted)
    given = first.amr if first is not None else session.amr if session is not None else ()
    holding = factors.with_mail(factors.held_by(user_id), user, given)
    return level, holding, demanded, trusted


def _hinted(request: AuthorizationRequest, client: Client) -> str | None:
    """The `sub` of the id_token_hint. A hint that is not ours matches nobody."""
    if request.id_token_hint is None:
        return None
    try:
        with entered(platform.speaking_to(client)):
            claims = id_token.read(request.id_token_hint, audience=client.client_id, expired_is_fine=True)
    except InvalidToken:
        return ""
    return str(claims.get("sub", ""))
