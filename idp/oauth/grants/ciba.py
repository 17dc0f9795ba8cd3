"""ciba (OpenID Connect CIBA Core 1.0 §10.1): asked after until the person has answered, burned once, as a code is."""

from typing import Any

from authlib.oauth2.rfc6749 import BaseGrant, TokenEndpointMixin

from idp import throttle
from idp.errors import InvalidRequest, UnauthorizedClient
from idp.oauth import client_auth, elsewhere
from idp.oauth.endpoints.backchannel_authentication import KIND
from idp.oauth.redeeming import redeemed_once
from idp.oauth.request import ProtocolRequest
from idp.registration import CIBA


class Ciba(BaseGrant, TokenEndpointMixin):  # type: ignore[misc]
    """Authlib's frame of a grant; it has none for this."""

    GRANT_TYPE = CIBA
    request: ProtocolRequest

    def validate_token_request(self) -> None:
        """Authenticate the client and look at what its request stands for now. Raises Refusal."""
        client = client_auth.authenticate(self.request, public=False)
        if self.GRANT_TYPE not in client.grant_types:
            raise UnauthorizedClient(
                rule="client.grant_types", got=self.GRANT_TYPE, setting="client.grant_types"
            )
        throttle.budget("tokens")
        self.handle = self.request.form.get(KIND, "")
        if not self.handle:
            raise InvalidRequest("auth_req_id is missing.", rule="auth_req_id.present")
        self.found = elsewhere.presented(self.handle, KIND, client)

    def create_token_response(self) -> tuple[int, dict[str, Any], list[tuple[str, str]]]:
        """Burn it, make the grant under its unique digest and mint once. Raises Refusal."""
        return 200, redeemed_once(self.request, self.handle, self.found, str(self.GRANT_TYPE), KIND), []
