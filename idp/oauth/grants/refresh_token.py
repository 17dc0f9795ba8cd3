"""refresh_token (RFC 6749 §6, RFC 9700 §4.14): rotation with one successor, a short grace; replay ends the family.

Within the grace of its first use a token answers the very same successor however many ask; later, or once
the successor was used, it is a replay: the family is revoked and the audit says so.
"""

from datetime import timedelta
from typing import Any

from authlib.oauth2.rfc6749 import grants as base

from idp import audit, clock, throttle
from idp.audit import Actor, Event
from idp.errors import InvalidGrant, InvalidRequest, UnauthorizedClient
from idp.ids import digest, uuid7
from idp.oauth import client_auth, issue
from idp.oauth.grants.narrowing import narrowed
from idp.oauth.redeeming import refresh_expiry
from idp.oauth.request import ProtocolRequest
from idp.oauth.scopes import split
from idp.oauth.tokens import refresh
from idp.registration import fapi
from idp.store.database import Kept, again, transaction
from idp.store.durable import grants, users
from idp.store.durable.clients import Client
from idp.store.durable.grants import Grant, RefreshToken
from idp.tenants import current


class RefreshTokenGrant(base.RefreshTokenGrant):  # type: ignore[misc]
    """Authlib's grant, with the family in Postgres and one atomic rotation."""

    request: ProtocolRequest

    def validate_token_request(self) -> None:
        """Authenticate the client and read the token's shape. Raises Refusal."""
        client = client_auth.authenticate(self.request)
        if self.GRANT_TYPE not in client.grant_types:
            raise UnauthorizedClient(
                rule="client.grant_types", got=self.GRANT_TYPE, setting="client.grant_types"
            )
        throttle.budget("tokens")
        token = self.request.form.get("refresh_token")
        if token is None:
            raise InvalidRequest("refresh_token is missing.", rule="refresh_token.present")
        if not refresh.wellformed(token):
            raise InvalidGrant(rule="refresh_token.wellformed")
        self.token = token

    def create_token_response(self) -> tuple[int, dict[str, Any], list[tuple[str, str]]]:
        """Rotate and mint in one transaction. Raises Refusal."""
        return 200, _answer(self.request, self.token), []


@again
def _answer(request: ProtocolRequest, token: str) -> dict[str, Any]:
    client: Client = request.client
    actor = Actor("client", client.client_id, request.address)
    with transaction():
        found = grants.by_refresh(digest(token), held=True)
        if found is None or found[1].client_id != client.id:
            raise InvalidGrant(rule="refresh_token.known")
        row, grant = found
        facts = {"grant_id": grant.id, "generation": row.generation, "user_id": grant.user_id}
        again = _again(row, token)
        if row.consumed_at is None and clock.now() >= row.expires_at:
            raise InvalidGrant(rule="refresh_token.lifetime", setting="policy.refresh_idle")
        # Before anything else is judged: a replay may not hide behind a request that fails for another reason.
        if (
            row.consumed_at is not None
            and again is None
            and grants.revoke(grant.id, "refresh token replayed")
        ):
            audit.record(Event.REFRESH_REPLAYED, actor, **facts)
            raise Kept(_replayed())
        user = users.held(grant.user_id)
        person = issue.check(client, user, grant, binding=request.binding)
        asked = split(request.form.get("scope"))
        scopes, resources = narrowed(request, client, grant.scopes, grant.resources, asked)
        following = again or _following(client, row, grant, token)
        body = issue.mint(
            issue.Order(
                "refresh_token",
                client,
                scopes,
                resources,
                person,
                grant,
                None,
                following,
                binding=request.binding,
                details=request.form.get("authorization_details"),
            )
        )
        audit.record(Event.TOKEN_REFRESHED, actor, **facts)
    return body


def _replayed() -> InvalidGrant:
    return InvalidGrant(
        rule="refresh_token.replayed",
        expected="the latest refresh token of its grant",
        got="one that was used before; the grant is revoked",
        setting="policy.refresh_grace",
    )


def _following(client: Client, row: RefreshToken, grant: Grant, token: str) -> str:
    """The refresh token to answer with at the first use of `token`, whose row is held."""
    if fapi.of(client) or not client.setting("rotate_refresh_tokens"):
        grants.prolong(row.id, refresh_expiry(client, grant))
        return token
    if not grants.consume(row.id, clock.now()):
        raise InvalidGrant(rule="refresh_token.known")
    following = refresh.successors(token)[0]
    expires = refresh_expiry(client, grant)
    grants.add_refresh(
        RefreshToken(uuid7(), grant.id, digest(following), row.generation + 1, clock.now(), None, expires)
    )
    return following


def _again(row: RefreshToken, token: str) -> str | None:
    """The same successor once more, while the grace lasts and the successor is unused."""
    grace = timedelta(seconds=current().policy.refresh_grace)
    if row.consumed_at is None or clock.now() > row.consumed_at + grace:
        return None
    following = grants.successor(row.grant_id, row.generation)
    if following is None or following.consumed_at is not None:
        return None
    return refresh.known_successor(token, following.digest)
