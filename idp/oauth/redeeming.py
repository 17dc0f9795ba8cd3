"""What is used once and becomes a grant: a code, or what stands for one; the same transaction for all of them.

The grant is kept under the digest of what became it, which is unique in Postgres: whatever Redis brings back to life
is refused here. A replay after the winner's commit revokes all that it became; before it, it is refused and no more.
"""

from datetime import timedelta
from typing import Any
from uuid import UUID

from idp import audit, clock, registration
from idp.accounts import sessions
from idp.audit import Actor, Event
from idp.errors import Busy, InvalidGrant, InvalidScope, InvalidTarget
from idp.ids import digest, uuid7
from idp.oauth import details, issue
from idp.oauth.granting import become, beside
from idp.oauth.grants.narrowing import narrowed
from idp.oauth.request import ProtocolRequest
from idp.oauth.scopes import target
from idp.oauth.tokens import refresh
from idp.store.database import Kept, again, transaction
from idp.store.durable import grants, users
from idp.store.durable.clients import Client
from idp.store.durable.grants import Grant, RefreshToken
from idp.store.ephemeral import elsewhere

CODE = "code"
"""What a rule is named after; other things that are used once have a name of their own."""


def actor(client: Client, request: ProtocolRequest) -> Actor:
    """Who presents it."""
    return Actor("client", client.client_id, request.address)


@again
def record_burned(
    rule: str | None, meaning: dict[str, Any], client: Client, request: ProtocolRequest
) -> None:
    """Record that it is gone without having become anything; `rule`: what was wrong with it."""
    with transaction():
        audit.record(Event.CODE_BURNED, actor(client, request), why=rule, user_id=meaning["user"])


@again
def replayed(code: str, client: Client, request: ProtocolRequest, kind: str = CODE) -> InvalidGrant:
    """Refuse an unknown code; if it became something, that is revoked (RFC 6749 §4.1.2, RFC 9700 §2.1.1)."""
    with transaction():
        became = grants.by_code(digest(code))
        if became is not None:
            revoked = _revoked(became, code)
            facts = {"grant_id": became.id, "user_id": became.user_id, "revoked": revoked}
            audit.record(Event.CODE_REPLAYED, actor(client, request), **facts)
    if became is None:
        return InvalidGrant(
            rule=f"{kind}.known", expected="one of this tenant", got="an unknown, used or expired one",
            setting="policy.code_lifetime" if kind == CODE else None,
        )  # fmt: skip
    return _used_before(kind)


def _revoked(became: Grant, code: str) -> bool:
    """Revoke what a code became, and what was given to the browser beside it."""
    given = grants.by_code(beside(code))
    if given is not None:
        grants.revoke(given.id, "code replayed")
    return grants.revoke(became.id, "code replayed")


def _used_before(kind: str) -> InvalidGrant:
    return InvalidGrant(
        rule=f"{kind}.replayed",
        expected="one that is used once",
        got="one that was redeemed before; all that it became is revoked",
    )


@again
def redeem(
    request: ProtocolRequest, code: str, meaning: dict[str, Any], grant_type: str, kind: str = CODE
) -> dict[str, Any]:
    """Make the grant for which `code` stood, which is burned, and mint once. Raises Refusal."""
    client: Client = request.client
    with transaction():
        user = users.held(UUID(meaning["user"]))
        session = sessions.alive(UUID(meaning["session"]))
        if session is None:
            record_burned("mint.session", meaning, client, request)
            raise Kept(InvalidGrant(rule="mint.session", got="ended"))
        grant = become(digest(code), meaning, client, session.expires_at, request.binding)
        try:
            if not grants.client_stands(client.id):
                raise InvalidGrant(rule="mint.client", got="disabled")
            person = issue.check(
                client, user, grant, binding=request.binding, signing_in=True, session=session
            )
            scopes, resources = narrowed(request, client, grant.scopes, grant.resources)
            wanted = request.form.get("authorization_details")
            if wanted is not None:
                audience = target(client, scopes, resources).audience
                details.narrowed(wanted, grant.authorization_details, client, audience)
        except (InvalidGrant, InvalidScope, InvalidTarget, details.InvalidAuthorizationDetails) as refusal:
            record_burned(refusal.rule, meaning, client, request)
            raise Kept(refusal) from None
        if not grants.add(grant):
            became = grants.by_code(grant.code_digest)
            if became is not None:
                _revoked(became, code)
                facts = {"grant_id": became.id, "user_id": became.user_id}
                audit.record(Event.CODE_REPLAYED, actor(client, request), **facts)
            raise Kept(_used_before(kind))
        token = _first_refresh(client, grant)
        body = issue.mint(
            issue.Order(
                grant_type, client, scopes, resources, person, grant, meaning["nonce"], token,
                binding=request.binding, details=wanted,
            )
        )  # fmt: skip
        audit.record(Event.CODE_REDEEMED, actor(client, request), grant_id=grant.id, user_id=grant.user_id)
    return body


def redeemed_once(
    request: ProtocolRequest,
    handle: str,
    found: tuple[str, dict[str, Any]] | None,
    grant_type: str,
    kind: str,
) -> dict[str, Any]:
    """Burn what was allowed elsewhere and redeem it; `found`: its name and what it stands for. Raises Refusal."""
    kept = elsewhere.burn(found[0]) if found is not None else None
    if found is None or kept is None:
        raise replayed(handle, request.client, request, kind)
    try:
        return redeem(request, handle, found[1], grant_type, kind)
    except Busy:
        elsewhere.restore(found[0], kept, max(1, int(kept["expires"]) - clock.epoch()))
        raise


def _first_refresh(client: Client, grant: Grant) -> str | None:
    """A refresh token when the client may use it: offline, or one that ends with the session."""
    if "refresh_token" not in client.grant_types:
        return None
    token = refresh.new()
    grants.add_refresh(
        RefreshToken(uuid7(), grant.id, digest(token), 0, clock.now(), None, refresh_expiry(client, grant))
    )
    return token


def refresh_expiry(client: Client, grant: Grant) -> Any:
    """When a refresh token that is used now ends unless it is used again."""
    if not grant.offline:
        return grant.expires_at
    idle = timedelta(seconds=registration.effective(client, "refresh_idle"))
    return min(grant.expires_at, clock.now() + idle)
