"""What an authorization request becomes once nothing is due any more: the code and all that it stands for."""

from typing import Any

from idp import audit, clock
from idp.accounts import consent, sessions
from idp.audit import Actor, Event
from idp.errors import LoginRequired
from idp.ids import secret
from idp.oauth import authorize
from idp.oauth.authorize import Response
from idp.oauth.checks import openid
from idp.oauth.request import AuthorizationRequest, Browser
from idp.store.database import transaction
from idp.store.durable import sessions as session_store
from idp.store.durable import users
from idp.store.durable.clients import Client
from idp.store.durable.sessions import Session
from idp.store.durable.users import User
from idp.store.ephemeral import codes
from idp.tenants import current


def person(session: Session, browser: Browser) -> Actor:
    """The person of a session, at a browser, as an actor."""
    return Actor("user", str(session.user_id), browser.address)


def granted(
    request: AuthorizationRequest,
    client: Client,
    session: Session,
    browser: Browser,
    shown: tuple[str, ...] = (),
    user: User | None = None,
) -> Response:
    """Mint the code: kept by digest in Redis, audited and noted in Postgres, told in the response.

    `shown`: what the consent page of this request has shown; `user`: whose session has just begun.
    """
    if user is None:
        user = users.by_id(session.user_id)
        if user is None or not user.active:
            refusal = LoginRequired(rule="user.active")
            return authorize.error_response(
                refusal, request.redirect_uri, request.response_mode, request.state
            )
        sessions.touch(session)
    code = secret()
    lifetime = current().policy.code_lifetime
    codes.put(
        code, _meaning(request, client, session, _kept_scopes(request, client, session, shown)), lifetime
    )
    with transaction():
        session_store.use(session.id, client.id)
        audit.record(
            Event.AUTHORIZATION_GRANTED,
            person(session, browser),
            client_id=client.client_id,
            scopes=list(request.scopes),
            session_id=session.id,
        )
    return authorize.success_response(request, code, session)


def _kept_scopes(
    request: AuthorizationRequest, client: Client, session: Session, shown: tuple[str, ...]
) -> tuple[str, ...]:
    """The granted scopes: offline_access falls away unless it was approved (OIDC Core §11).

    An operator's `require_consent: false` approves it; else the consent page must have shown it, now or
    when the person's consent for it was remembered.
    """
    if "offline_access" not in request.scopes or not client.setting("require_consent"):
        return request.scopes
    if "offline_access" in shown or consent.remembered(session.user_id, client.id, ("offline_access",)):
        return request.scopes
    return tuple(scope for scope in request.scopes if scope != "offline_access")


def _meaning(
    request: AuthorizationRequest, client: Client, session: Session, granted: tuple[str, ...]
) -> dict[str, Any]:
    now = clock.epoch()
    return {
        "issuer": current().issuer,
        "client": str(client.id),
        "redirect_uri": request.redirect_uri,
        "user": str(session.user_id),
        "session": str(session.id),
        "scopes": list(granted),
        "resources": list(request.resources),
        "claims": openid.asked(request.claims),
        "nonce": request.nonce,
        "challenge": request.code_challenge,
        "auth_time": session.auth_time.timestamp(),
        "acr": session.acr,
        "amr": list(session.amr),
        "expires": now + current().policy.code_lifetime,
    }
