"""device_code (RFC 8628 §3.4): polled until somebody has answered, burned once, redeemed as a code is."""

from typing import Any

from authlib.oauth2.rfc6749 import BaseGrant, TokenEndpointMixin

from idp import throttle
from idp.errors import InvalidRequest, UnauthorizedClient
from idp.oauth import client_auth, elsewhere
from idp.oauth.endpoints.device_authorization import KIND
from idp.oauth.redeeming import redeemed_once
from idp.oauth.request import ProtocolRequest
from idp.registration import DEVICE_CODE


class DeviceCode(BaseGrant, TokenEndpointMixin):  # type: ignore[misc]
    """Authlib's frame of a grant; its own class for devices never consumes the code."""

    GRANT_TYPE = DEVICE_CODE
    request: ProtocolRequest

    def validate_token_request(self) -> None:
        """Authenticate the client and look at what its code stands for now. Raises Refusal."""
        client = client_auth.authenticate(self.request)
        if self.GRANT_TYPE not in client.grant_types:
            raise UnauthorizedClient(
                rule="client.grant_types", got=self.GRANT_TYPE, setting="client.grant_types"
            )
        throttle.budget("tokens")
        self.code = self.request.form.get("device_code", "")
        if not self.code:
            raise InvalidRequest("device_code is missing.", rule="device_code.present")
        self.found = elsewhere.presented(self.code, KIND, client)

    def create_token_response(self) -> tuple[int, dict[str, Any], list[tuple[str, str]]]:
        """Burn it, make the grant under its unique digest and mint once. Raises Refusal."""
        return 200, redeemed_once(self.request, self.code, self.found, str(self.GRANT_TYPE), KIND), []
