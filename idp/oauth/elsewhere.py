"""Requests that are allowed at another place than where they are made: by a device (RFC 8628) or a service (CIBA).

Owns such a request from its begin to its burning: kept by the digest of what its client holds, answered once by a
person who has signed in and pressed a button, polled no faster than it says, redeemed once. How it is judged at its
begin is the score's (`idp.oauth.authorize`), the pages are the flow's, what it becomes is `idp.oauth.redeeming`'s.
"""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from idp import audit, clock, config, directory
from idp.accounts import assurance, consent, sessions, subjects
from idp.audit import Actor, Event
from idp.errors import AccessDenied, Busy, InvalidGrant, Refusal
from idp.oauth import own, pings, scopes
from idp.oauth.granting import kept_scopes, meaning_of, person
from idp.oauth.interaction import Step
from idp.oauth.own import Arrived
from idp.oauth.request import AuthorizationRequest, Browser, Elsewhere
from idp.oauth.underway import TransactionGone
from idp.store.database import again, transaction
from idp.store.durable import sessions as session_store
from idp.store.durable import users
from idp.store.durable.clients import Client
from idp.store.durable.sessions import Session
from idp.store.durable.users import User
from idp.store.ephemeral import elsewhere
from idp.tenants import current

INTERVAL = 5
"""Seconds between two polls, and how many are added for each one that comes too soon (RFC 8628 §3.5)."""
REMEMBERED = 600
"""Seconds for which a request that has ended is still known, so that its client hears why."""
LONGEST = 512
"""Characters of a device_code or auth_req_id."""


class AuthorizationPending(Refusal):
    """RFC 8628 §3.5: nobody has answered yet."""

    code = "authorization_pending"
    description = "The request has not been answered yet."


class SlowDown(Refusal):
    """RFC 8628 §3.5: as AuthorizationPending, and five seconds longer between two polls from now on."""

    code = "slow_down"
    description = "The request has not been answered yet. Wait five seconds longer between two polls."


class ExpiredToken(Refusal):
    """RFC 8628 §3.5: nobody has answered in time."""

    code = "expired_token"
    description = "Nobody answered in time. Begin anew."


class Gone(Refusal):
    """What the page is about is too old, unknown, or answered."""

    code = "transaction_gone"
    description = "This request is too old or was already answered."


@dataclass(frozen=True, slots=True)
class Begun:
    """What a client is told of its request: for how many seconds it waits, and how often it may be asked after."""

    name: str
    expires_in: int
    interval: int = INTERVAL


def keep(
    request: AuthorizationRequest,
    client: Client,
    handle: str,
    place: Elsewhere,
    *,
    user: User | None = None,
    ping: dict[str, str] | None = None,
    most: int | None = None,
) -> Begun:
    """Keep a request that has passed the score; `handle` is what its client holds. Raises Away.

    `user`: the only one who may answer; `ping`: what its client is to be told, sealed; `most`: seconds that it waits
    at most.
    """
    lifetime = min(current().policy.elsewhere_lifetime, most or current().policy.elsewhere_lifetime)
    sub = None if user is None else subjects.of(client, user.id)
    name = elsewhere.name_of(handle)
    value = {
        "user": None if user is None else str(user.id),
        "ping": ping,
        "kind": place.kind,
        "client": str(client.id),
        "client_id": client.client_id,
        "scopes": list(request.scopes),
        "resources": list(request.resources),
        "details": list(request.details),
        "claims": request.claims if sub is None else {"id_token": {"sub": {"value": sub}}},
        "acr_values": list(request.acr_values),
        "login_hint": request.login_hint,
        "address": place.address,
        "agent": place.agent[:256],
        "asked": clock.epoch(),
        "expires": clock.epoch() + lifetime,
        "message": place.message,
    }
    elsewhere.put(name, value, lifetime + REMEMBERED)
    if user is not None:
        elsewhere.note(user.id, name, lifetime)
    return Begun(name, lifetime)


def asked(name: str) -> tuple[AuthorizationRequest, Client]:
    """The request that a page is about, and whose it is. Raises Gone when there is nothing to answer any more."""
    value, answer, _ = elsewhere.get(name)
    client = directory.client(value["client_id"]) if value is not None else None
    if value is None or client is None or not client.active or str(client.id) != value["client"]:
        raise Gone(
            rule="elsewhere.known", expected="a request that waits", got="none, or of no active client"
        )
    if answer is not None or clock.epoch() >= value["expires"]:
        got = "one that has expired" if answer is None else "one that was answered"
        raise Gone(
            rule="elsewhere.open",
            expected="a request that waits",
            got=got,
            setting="policy.elsewhere_lifetime",
        )
    return _request(name, value), client


def _request(name: str, value: dict[str, Any]) -> AuthorizationRequest:
    return AuthorizationRequest(
        client_id=value["client_id"],
        redirect_uri="",
        response_type="",
        response_mode="query",
        scopes=tuple(value["scopes"]),
        state=None,
        nonce=None,
        prompt=frozenset(),
        max_age=None,
        login_hint=value["login_hint"],
        id_token_hint=None,
        acr_values=tuple(value["acr_values"]),
        claims=value["claims"],
        code_challenge=None,
        dpop_jkt=None,
        resources=tuple(value["resources"]),
        params={},
        details=tuple(value.get("details", ())),
        elsewhere=Elsewhere(
            value["kind"], value["address"], value["agent"], name, value["asked"], value["message"]
        ),
    )


def waiting_for(user: User) -> tuple[tuple[str, AuthorizationRequest, Client], ...]:
    """What waits for this person's answer, with its name and whose it is, the oldest first. Raises Away."""
    found = []
    for name in elsewhere.noted(user.id):
        try:
            request, client = asked(name)
        except Gone:
            continue
        found.append((name, request, client))
    return tuple(sorted(found, key=lambda each: _place(each[1]).asked))


def under_way(name: str) -> tuple[AuthorizationRequest, Client]:
    """As `asked`, for a sign-in that is on its way. Raises TransactionGone."""
    try:
        return asked(name)
    except Gone as gone:
        raise TransactionGone(rule=gone.rule, expected=gone.expected, got=gone.got) from None


def arrived(how: str, session: Session | None) -> Arrived:
    """The page at the end: there is no application to go back to in this browser.

    `how`: allowed, denied, left (nobody answered) or other (somebody signed in whom the request does not name).
    """
    return own.arrived(f"interaction/done?how={how}", session)


def allowed(
    request: AuthorizationRequest, client: Client, session: Session, browser: Browser, shown: tuple[str, ...]
) -> Arrived:
    """The person of `session` has allowed what the page showed. Raises Gone, AccessDenied, Away."""
    place = _place(request)
    user = users.by_id(session.user_id)
    if user is None or not user.active:
        raise AccessDenied(rule="user.active")
    sessions.touch(session)
    meaning = meaning_of(request, client, session, kept_scopes(request, client, session, shown))
    _answer(place, {"allowed": meaning}, person(session, browser), client, session)
    return arrived("allowed", session)


def denied(
    request: AuthorizationRequest, client: Client, session: Session | None, browser: Browser, step: Step
) -> Arrived:
    """Whoever has signed in may deny it; before that, a closed page says nothing. Raises Gone, Away."""
    if step is not Step.APPROVE or session is None:
        return arrived("left", session)
    _answer(_place(request), {}, person(session, browser), client, session)
    return arrived("denied", session)


def _place(request: AuthorizationRequest) -> Elsewhere:
    assert request.elsewhere is not None
    return request.elsewhere


def _answer(place: Elsewhere, answer: dict[str, Any], actor: Actor, client: Client, session: Session) -> None:
    value, _, _ = elsewhere.get(place.name)
    left = 0 if value is None else value["expires"] - clock.epoch()
    if value is None or left <= 0 or not elsewhere.answer(place.name, answer, left + REMEMBERED):
        raise Gone(rule="elsewhere.once", expected="one answer", got="a second one, or too late")
    try:
        _recorded(place, value, answer, actor, client, session)
    except Busy:
        elsewhere.reopen(place.name)
        raise


@again
def _recorded(
    place: Elsewhere,
    value: dict[str, Any],
    answer: dict[str, Any],
    actor: Actor,
    client: Client,
    session: Session,
) -> None:
    allowed = "allowed" in answer
    event = Event.AUTHORIZATION_GRANTED if allowed else Event.AUTHORIZATION_DENIED
    with transaction():
        if value["ping"] is not None:
            pings.leave(client, UUID(value["user"]), value["ping"], value["expires"])
        if allowed:
            session_store.use(session.id, client.id)
        audit.record(
            event,
            actor,
            client_id=client.client_id,
            by=place.kind,
            scopes=value["scopes"],
            session_id=session.id,
        )


def answered_for(handle: str, browser: Browser, *, allow: bool) -> bool:
    """Answer a backchannel request in its person's name, with a session of their own: development's test hook alone.

    False when nothing waits. Raises RuntimeError in production.
    """
    if not config.settings().development:
        raise RuntimeError("nobody answers for people in production")
    name = elsewhere.name_of(handle)
    try:
        request, client = asked(name)
    except Gone:
        return False
    value, _, _ = elsewhere.get(name)
    user = users.by_id(UUID(value["user"])) if value is not None and value["user"] else None
    if user is None or not user.active:
        return False
    session, _ = sessions.start(user, (assurance.PASSWORD,), browser.address, browser.user_agent)
    if not allow:
        denied(request, client, session, browser, Step.APPROVE)
        return True
    entries = scopes.qualified(client, request.scopes, request.resources)
    consent.remember(user.id, client.id, entries)
    allowed(request, client, session, browser, entries)
    return True


def presented(handle: str, kind: str, client: Client) -> tuple[str, dict[str, Any]] | None:
    """What a client is given for its `handle`: the request's name and what it stands for, not yet burned.

    None when it is unknown, or was redeemed before. Raises InvalidGrant, AuthorizationPending, SlowDown,
    ExpiredToken, AccessDenied, Away.
    """
    name = elsewhere.name_of(handle)
    value, answer, polled = elsewhere.get(name) if len(handle) <= LONGEST else (None, None, None)
    if value is None:
        return None
    if value["kind"] != kind or value["client"] != str(client.id):
        raise InvalidGrant(rule=f"{kind}.client", expected="the client that asked", got="another one")
    if answer is None and clock.epoch() >= value["expires"]:
        raise ExpiredToken(rule=f"{kind}.lifetime", setting="policy.elsewhere_lifetime")
    if answer is None:
        raise _early(name, value, polled)
    if "allowed" not in answer:
        raise AccessDenied(rule=f"{kind}.denied")
    if clock.epoch() >= value["expires"]:
        raise ExpiredToken(rule=f"{kind}.lifetime", setting="policy.elsewhere_lifetime")
    if answer["allowed"]["issuer"] != current().issuer:
        raise InvalidGrant(rule=f"{kind}.issuer", expected=answer["allowed"]["issuer"], got=current().issuer)
    return name, answer["allowed"]


def _early(name: str, value: dict[str, Any], polled: dict[str, Any] | None) -> Refusal:
    now = clock.epoch()
    interval = INTERVAL if polled is None else int(polled["interval"])
    fast = polled is not None and now < polled["at"] + interval
    interval += INTERVAL if fast else 0
    left = max(1, value["expires"] + REMEMBERED - now)
    elsewhere.polled(name, {"at": now, "interval": interval}, left)
    return (SlowDown if fast else AuthorizationPending)(
        rule="elsewhere.interval", expected=f"{interval} s between two polls"
    )
