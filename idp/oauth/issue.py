"""The single mint: every grant passes through here, so that no sibling path can forget a check."""

from dataclasses import dataclass, field
from typing import Any

from idp import clock, directory, metrics
from idp.accounts import claims as person_claims
from idp.accounts import consent, sessions, subjects
from idp.errors import InvalidGrant
from idp.oauth import binding as bindings
from idp.oauth import details
from idp.oauth import scopes as scope_rules
from idp.oauth.binding import Binding
from idp.oauth.scopes import Target
from idp.oauth.tokens import access, id_token
from idp.store.durable import sessions as session_store
from idp.store.durable.clients import Client
from idp.store.durable.grants import Grant
from idp.store.durable.sessions import Session
from idp.store.durable.users import User


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be minted, after every check. Without `user` and `grant` it is the client's own token."""

    grant_type: str
    client: Client
    scopes: tuple[str, ...]
    binding: Binding | None = field(kw_only=True)
    """What the request has proved that the token is bound to; nobody may forget to say."""
    resources: tuple[str, ...] = ()
    user: User | None = None
    grant: Grant | None = None
    nonce: str | None = None
    refresh_token: str | None = None
    code: str | None = None
    """A code that is given in the same response."""
    access_token: bool = True
    details: str | None = None
    """The `authorization_details` of the token request, which may ask for less than was granted (RFC 9396 §7)."""
    most: int | None = None
    """Seconds that the access token lives at most, where it comes from something that ends."""
    id_token: bool = True
    """Whether there is one: always from the token endpoint, as asked from the authorization endpoint."""


def check(
    client: Client,
    user: User | None,
    grant: Grant,
    *,
    binding: Binding | None,
    signing_in: bool = False,
    session: Session | None = None,
) -> User:
    """That person, session, consent, client and key still stand behind `grant`; the person. Raises InvalidGrant.

    `signing_in`: the code is being redeemed, so the session it came from must live whatever was granted.
    `session`: the grant's, where this very transaction has just found it alive.
    """
    if not client.active:
        raise InvalidGrant(rule="mint.client", got=client.status)
    bindings.kept(client, grant.cnf, binding)
    if user is None or not user.active:
        raise InvalidGrant(rule="mint.user", got="gone" if user is None else user.status)
    if user.not_before is not None and grant.auth_time < user.not_before:
        raise InvalidGrant(rule="mint.not_before", got="credentials changed since the sign-in")
    since = directory.not_before()
    if since is not None and grant.auth_time < since:
        raise InvalidGrant(
            rule="mint.not_before", got="the tenant takes nothing from before", setting="not-before"
        )
    if grant.revoked_at is not None or clock.now() >= grant.expires_at:
        raise InvalidGrant(rule="mint.grant", got=grant.revoked_reason or "expired")
    if signing_in or not grant.offline:
        if session is None and grant.session_id is not None:
            session = sessions.alive(grant.session_id)
        if session is None or session.id != grant.session_id:
            raise InvalidGrant(rule="mint.session", got="ended", setting="policy.session_absolute")
        if (clock.now() - session.last_seen_at).total_seconds() >= sessions.TOUCH_EVERY:
            session_store.seen(session.id, clock.now())
    if client.setting("require_consent"):
        entries = scope_rules.qualified(client, grant.scopes, grant.resources)
        if not consent.remembered(user.id, client.id, entries):
            raise InvalidGrant(rule="mint.consent", expected=list(entries), got="withdrawn, or never given")
    return user


def mint(order: Order) -> dict[str, Any]:
    """The token response (RFC 6749 §5.1, OpenID Connect Core 1.0 §3.1.3.3, §3.2.2.5, §3.3.2.5).

    Raises InvalidRequest where the client's tokens are bound and this one would not be.
    """
    if order.access_token:
        bindings.asked_for(order.client, order.binding)
    target = scope_rules.target(order.client, order.scopes, order.resources)
    body = _access_token(order, target) if order.access_token else {}
    if order.refresh_token is not None:
        body["refresh_token"] = order.refresh_token
    if order.id_token and order.user is not None and order.grant is not None and "openid" in order.scopes:
        body["id_token"] = _id_token(order, order.user, order.grant, target, body.get("access_token"))
    metrics.count("tokens_total", grant_type=order.grant_type)
    return body


def _access_token(order: Order, target: Target) -> dict[str, Any]:
    client, grant = order.client, order.grant
    told = person_claims.for_user(
        order.user, order.scopes, requested=None, where="access_token", client=client, apis=target.apis
    )
    kept = None if grant is None else grant.authorization_details
    detailed = details.narrowed(order.details, kept, client, target.audience)
    if detailed:
        told = {**told, "authorization_details": list(detailed)}
    subject = client.client_id if grant is None else subjects.of(client, grant.user_id)
    token, lifetime = access.make(
        client,
        order.scopes,
        target,
        subject=subject,
        grant=grant,
        binding=order.binding,
        extra=told,
        most=order.most,
    )
    return {
        "access_token": token,
        "token_type": "Bearer" if order.binding is None else order.binding.token_type,
        "expires_in": lifetime,
        "scope": " ".join(order.scopes),
        **({"authorization_details": list(detailed)} if detailed else {}),
    }


def _id_token(order: Order, user: User, grant: Grant, target: Target, access_token: str | None) -> str:
    client, told = order.client, {}
    wanted, locales = grant.claims.get("id_token") or {}, grant.claims.get("locales") or ()
    if access_token is None and order.code is None:
        # Nothing else will ever tell what was asked for (OpenID Connect Core 1.0 §5.4).
        asked = grant.claims.get("userinfo") or {}
        told = person_claims.for_user(
            user, order.scopes, requested=asked, client=client, apis=target.apis, locales=locales
        )
    told |= person_claims.for_user(
        user, order.scopes, requested=wanted, where="id_token", client=client, apis=target.apis,
        locales=locales,
    )  # fmt: skip
    sid = sessions.known_as(grant.session_id, client)
    return id_token.make(
        client, grant, access_token=access_token, code=order.code, nonce=order.nonce, sid=sid, extra=told
    )
