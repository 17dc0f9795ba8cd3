"""What an authorization request becomes once nothing is due any more: the code and all that it stands for."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from idp import audit, clock, platform, registration
from idp.accounts import consent, sessions
from idp.audit import Actor, Event
from idp.errors import AccessDenied, InvalidGrant, LoginRequired
from idp.ids import digest, secret, uuid7
from idp.oauth import authorize, issue
from idp.oauth.authorize import Response
from idp.oauth.binding import Binding
from idp.oauth.checks import openid
from idp.oauth.interaction import told_acr
from idp.oauth.request import AuthorizationRequest, Browser
from idp.registration import flows
from idp.store.database import transaction
from idp.store.durable import grants, users
from idp.store.durable import sessions as session_store
from idp.store.durable.clients import Client
from idp.store.durable.grants import Grant
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
    """Mint what the response type names, audited and noted in Postgres; a code is kept by its digest in Redis.

    `shown`: what the consent page of this request has shown; `user`: whose session has just begun.
    """
    if user is None:
        user = users.by_id(session.user_id)
        if user is None or not user.active:
            refusal = LoginRequired(rule="user.active")
            return authorize.error_response(refusal, request, client)
        sessions.touch(session)
    meaning = meaning_of(request, client, session, kept_scopes(request, client, session, shown))
    code = secret()
    given: dict[str, str] = {}
    if flows.has(request.response_type, flows.CODE):
        codes.put(code, meaning, current().policy.code_lifetime)
        given["code"] = platform.named(client, code)
    with transaction():
        session_store.use(session.id, client.id)
        try:
            given |= _at_once(request, client, user, meaning, code)
        except InvalidGrant as refusal:
            late = AccessDenied(rule=refusal.rule)
            return authorize.error_response(late, request, client)
        audit.record(
            Event.AUTHORIZATION_GRANTED,
            person(session, browser),
            client_id=client.client_id,
            scopes=list(request.scopes),
            session_id=session.id,
            **({} if request.response_type == flows.CODE else {"response_type": request.response_type}),
        )
    return authorize.success_response(request, given, session, client)


def _at_once(
    request: AuthorizationRequest, client: Client, user: User, meaning: dict[str, Any], code: str
) -> dict[str, str]:
    """The tokens that go to the browser (OpenID Connect Core 1.0 §3.2.2.5, §3.3.2.5), by the one mint.

    They hang on a grant of their own that ends with the session and has no refresh token. It is found by the code
    that is given beside them, so that a replay of the code ends them too. Raises InvalidGrant.
    """
    wanted = {word: flows.has(request.response_type, word) for word in (flows.TOKEN, flows.ID_TOKEN)}
    if not any(wanted.values()):
        return {}
    scopes = tuple(scope for scope in meaning["scopes"] if scope != "offline_access")
    session = sessions.alive(UUID(meaning["session"]))
    if session is None:
        raise InvalidGrant(rule="mint.session", got="ended")
    grant = become(beside(code), {**meaning, "scopes": scopes}, client, session.expires_at, None)
    if not grants.client_stands(client.id):
        raise InvalidGrant(rule="mint.client", got="disabled")
    user = issue.check(client, users.held(user.id), grant, binding=None, signing_in=True)
    if not grants.add(grant):
        raise AssertionError("a new code has no grant")
    body = issue.mint(
        issue.Order(
            "implicit", client, scopes, grant.resources, user, grant, request.nonce,
            code=code if flows.has(request.response_type, flows.CODE) else None,
            access_token=wanted[flows.TOKEN], id_token=wanted[flows.ID_TOKEN],
            binding=None,
        )
    )  # fmt: skip
    return {name: str(value) for name, value in body.items()}


def beside(code: str) -> bytes:
    """What stands for a code in the grant of the tokens that were given to the browser beside it."""
    return digest(f"beside {code}")


def become(
    code_digest: bytes,
    meaning: dict[str, Any],
    client: Client,
    session_ends: datetime,
    binding: Binding | None,
) -> Grant:
    """The grant that a code, or an answer with tokens, becomes; `binding`: what its tokens are bound to."""
    now = clock.now()
    offline = "offline_access" in meaning["scopes"] and "refresh_token" in client.grant_types
    lasting = registration.effective(client, "refresh_absolute")
    return Grant(
        id=uuid7(),
        code_digest=code_digest,
        user_id=UUID(meaning["user"]),
        client_id=client.id,
        session_id=UUID(meaning["session"]),
        scopes=tuple(meaning["scopes"]),
        resources=tuple(meaning["resources"]),
        authorization_details=meaning.get("details") or None,
        claims=meaning["claims"],
        acr=meaning["acr"],
        amr=tuple(meaning["amr"]),
        auth_time=clock.from_instant(meaning["auth_time"]),
        offline=offline,
        created_at=now,
        expires_at=now + timedelta(seconds=lasting) if offline else session_ends,
        cnf=None if binding is None else binding.cnf,
    )


def kept_scopes(
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


def meaning_of(
    request: AuthorizationRequest, client: Client, session: Session, granted: tuple[str, ...]
) -> dict[str, Any]:
    """What a request of `session`'s person stands for, as it is kept until it becomes a grant."""
    now = clock.epoch()
    return {
        "issuer": platform.issuer_for(client),
        "client": str(client.id),
        "redirect_uri": request.redirect_uri,
        "user": str(session.user_id),
        "session": str(session.id),
        "scopes": list(granted),
        "resources": list(request.resources),
        "details": list(request.details),
        "claims": openid.asked(request.claims, request.params.get("claims_locales")),
        "nonce": request.nonce,
        "challenge": request.code_challenge,
        "jkt": request.dpop_jkt,
        "auth_time": session.auth_time.timestamp(),
        "acr": told_acr(request, session.acr),
        "amr": list(session.amr),
        "expires": now + current().policy.code_lifetime,
    }
