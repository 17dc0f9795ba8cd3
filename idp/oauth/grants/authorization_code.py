"""authorization_code (RFC 6749 §4.1.3): the code is burned by the command that reads it, then everything is judged.

When it is burned: client authentication failed, or another tenant's → nothing touched. The right client with
a wrong verifier, redirect_uri or resource, another client of the tenant whatever it may use, or a client that
is disabled → burned. A replay after the winner's commit revokes all that the code became; before it, it is
refused and no more.
"""

import hmac
from typing import Any

from authlib.oauth2.rfc6749 import grants as base
from authlib.oauth2.rfc7636 import create_s256_code_challenge

from idp import clock, throttle
from idp.errors import Busy, InvalidGrant, InvalidRequest, UnauthorizedClient
from idp.oauth import client_auth
from idp.oauth.binding import JKT, Binding
from idp.oauth.redeeming import record_burned, redeem, replayed
from idp.oauth.request import ProtocolRequest
from idp.store.durable.clients import Client
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
            raise replayed(code, client, self.request)
        wrong = _wrong(meaning, client, self.request)
        if wrong is not None:
            raise _burned(wrong, meaning, client, self.request)
        self.meaning, self.code = meaning, code

    def create_token_response(self) -> tuple[int, dict[str, Any], list[tuple[str, str]]]:
        """Make the grant under the code's unique digest and mint once. Raises Refusal."""
        try:
            body = redeem(self.request, self.code, self.meaning, str(self.GRANT_TYPE))
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
    if meaning.get("jkt") is not None and request.binding != Binding(JKT, meaning["jkt"]):
        return "code.dpop_jkt"  # RFC 9449 §10
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


def _burn_for(client: Client, request: ProtocolRequest, rule: str) -> None:
    """Burn the code that a client presents which proved who it is and may still not have it."""
    code = request.form.get("code", "")
    meaning = codes.burn(code) if 0 < len(code) <= _LONGEST else None
    if meaning is not None:
        record_burned(rule, meaning, client, request)


def _burned(rule: str, meaning: dict[str, Any], client: Client, request: ProtocolRequest) -> InvalidGrant:
    record_burned(rule, meaning, client, request)
    return InvalidGrant(rule=rule, setting="policy.code_lifetime" if rule == "code.lifetime" else None)
