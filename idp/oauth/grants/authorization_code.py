"""authorization_code (RFC 6749 §4.1.3): the code is burned by the command that reads it, then everything is judged.

When it is burned: client authentication failed, or another tenant's → nothing touched. The right client with
a wrong verifier, redirect_uri or resource, another client of the tenant whatever it may use, or a client that
is disabled → burned. A replay after the winner's commit revokes all that the code became; before it, it is
refused and no more.
"""

import hmac
from datetime import timedelta
from typing import Any
from uuid import UUID

from authlib.oauth2.rfc6749 import grants as base
from authlib.oauth2.rfc7636 import create_s256_code_challenge

from idp import audit, clock, registration, throttle
from idp.accounts import sessions
from idp.audit import Actor, Event
from idp.errors import Busy, InvalidGrant, InvalidRequest, InvalidScope, InvalidTarget, UnauthorizedClient
from idp.ids import digest, uuid7
from idp.oauth import client_auth, issue
from idp.oauth.granting import become, beside
from idp.oauth.grants.narrowing import narrowed
from idp.oauth.request import ProtocolRequest
from idp.oauth.tokens import refresh
from idp.store.database import Kept, again, transaction
from idp.store.durable import grants, users
from idp.store.durable.clients import Client
from idp.store.durable.grants import Grant, RefreshToken
from idp.store.ephemeral import codes
from idp.tenants import current

_LONGEST = 512
_VERIFIER = range(43, 129)


class AuthorizationCode(base.AuthorizationCodeGrant):  # type: ignore[misc]
    """Authlib's grant, with the code burned before anything is minted."""

    request: ProtocolRequest

    def validate_token_request(self) -> None:
        """Authenticate the client, then burn the code and judge what it stands for. Raises Refusal."""
        try:
            client = client_auth.authenticate(self.request)
        except client_auth.ClientDisabled as disabled:
            _burn_for(disabled.client, self.request, str(disabled.rule))
            raise
        if self.GRANT_TYPE not in client.grant_types:
            _burn_for(client, self.request, "client.grant_types")
            raise UnauthorizedClient(
                rule="client.grant_types", got=self.GRANT_TYPE, setting="client.grant_types"
            )
        throttle.budget("tokens")
        code = self.request.form.get("code")
        if code is None:
            raise InvalidRequest("code is missing.", rule="code.present")
        meaning = codes.burn(code) if len(code) <= _LONGEST else None
        if meaning is None:
            raise _replayed(code, client, self.request)
        wrong = _wrong(meaning, client, self.request)
        if wrong is not None:
            raise _burned(wrong, meaning, client, self.request)
        self.meaning, self.code = meaning, code

    def create_token_response(self) -> tuple[int, dict[str, Any], list[tuple[str, str]]]:
        """Make the grant under the code's unique digest and mint once. Raises Refusal."""
        try:
            body = _redeem(self.request, self.code, self.meaning)
        except Busy:
            codes.restore(self.code, self.meaning, max(1, int(self.meaning["expires"]) - clock.epoch()))
            raise
        return 200, body, []


def _wrong(meaning: dict[str, Any], client: Client, request: ProtocolRequest) -> str | None:
    """The rule that the presented code breaks, or None."""
    if meaning["client"] != str(client.id):
        return "code.client"
    if meaning["issuer"] != current().issuer:
        return "code.issuer"
    if clock.epoch() >= meaning["expires"]:
        return "code.lifetime"
    if request.form.get("redirect_uri") != meaning["redirect_uri"]:
        return "code.redirect_uri"
    return _pkce(meaning["challenge"], request.form.get("code_verifier"))


def _pkce(challenge: str | None, verifier: str | None) -> str | None:
    """RFC 7636 §4.6; a verifier without a challenge is a downgrade (RFC 9700 §2.1.1)."""
    if challenge is None:
        return None if verifier is None else "pkce.downgrade"
    if verifier is None:
        return "pkce.verifier"
    if len(verifier) not in _VERIFIER or not all(
        c.isascii() and (c.isalnum() or c in "-._~") for c in verifier
    ):
        return "pkce.verifier"
    made = create_s256_code_challenge(verifier)
    return None if hmac.compare_digest(made.encode(), challenge.encode()) else "pkce.verifier"


def _actor(client: Client, request: ProtocolRequest) -> Actor:
    return Actor("client", client.client_id, request.address)


def _burn_for(client: Client, request: ProtocolRequest, rule: str) -> None:
    """Burn the code that a client presents which proved who it is and may still not have it."""
    code = request.form.get("code", "")
    meaning = codes.burn(code) if 0 < len(code) <= _LONGEST else None
    if meaning is not None:
        _record_burned(rule, meaning, client, request)


@again
def _record_burned(
    rule: str | None, meaning: dict[str, Any], client: Client, request: ProtocolRequest
) -> None:
    with transaction():
        audit.record(Event.CODE_BURNED, _actor(client, request), why=rule, user_id=meaning["user"])


def _burned(rule: str, meaning: dict[str, Any], client: Client, request: ProtocolRequest) -> InvalidGrant:
    _record_burned(rule, meaning, client, request)
    return InvalidGrant(rule=rule, setting="policy.code_lifetime" if rule == "code.lifetime" else None)


@again
def _replayed(code: str, client: Client, request: ProtocolRequest) -> InvalidGrant:
    """Refuse an unknown code; if it became something, that is revoked (RFC 6749 §4.1.2, RFC 9700 §2.1.1)."""
    with transaction():
        became = grants.by_code(digest(code))
        if became is not None:
            revoked = _revoked(became, code)
            facts = {"grant_id": became.id, "user_id": became.user_id, "revoked": revoked}
            audit.record(Event.CODE_REPLAYED, _actor(client, request), **facts)
    if became is None:
        return InvalidGrant(
            rule="code.known", expected="a code of this tenant", got="an unknown, used or expired one",
            setting="policy.code_lifetime",
        )  # fmt: skip
    return _used_before()


def _revoked(became: Grant, code: str) -> bool:
    """Revoke what a code became, and what was given to the browser beside it."""
    given = grants.by_code(beside(code))
    if given is not None:
        grants.revoke(given.id, "code replayed")
    return grants.revoke(became.id, "code replayed")


def _used_before() -> InvalidGrant:
    return InvalidGrant(
        rule="code.replayed",
        expected="a code that is used once",
        got="one that was redeemed before; all that it became is revoked",
    )


@again
def _redeem(request: ProtocolRequest, code: str, meaning: dict[str, Any]) -> dict[str, Any]:
    client: Client = request.client
    with transaction():
        user = users.held(UUID(meaning["user"]))
        session = sessions.alive(UUID(meaning["session"]))
        if session is None:
            _record_burned("mint.session", meaning, client, request)
            raise Kept(InvalidGrant(rule="mint.session", got="ended"))
        grant = become(digest(code), meaning, client, session.expires_at)
        try:
            if not grants.client_stands(client.id):
                raise InvalidGrant(rule="mint.client", got="disabled")
            person = issue.check(client, user, grant, signing_in=True)
            scopes, resources = narrowed(request, client, grant.scopes, grant.resources)
        except (InvalidGrant, InvalidScope, InvalidTarget) as refusal:
            _record_burned(refusal.rule, meaning, client, request)
            raise Kept(refusal) from None
        if not grants.add(grant):
            became = grants.by_code(grant.code_digest)
            if became is not None:
                _revoked(became, code)
                facts = {"grant_id": became.id, "user_id": became.user_id}
                audit.record(Event.CODE_REPLAYED, _actor(client, request), **facts)
            raise Kept(_used_before())
        token = _first_refresh(client, grant)
        body = issue.mint(
            issue.Order(
                "authorization_code", client, scopes, resources, person, grant, meaning["nonce"], token
            )
        )
        audit.record(Event.CODE_REDEEMED, _actor(client, request), grant_id=grant.id, user_id=grant.user_id)
    return body


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
