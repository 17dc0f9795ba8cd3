"""Device authorization (RFC 8628 §3.1): a device without a browser asks here and is told what to show its owner."""

from urllib.parse import urlencode

from idp import throttle
from idp.errors import TooMany
from idp.ids import secret
from idp.oauth import authorize, client_auth, elsewhere, user_codes
from idp.oauth.request import Answer, Elsewhere, ProtocolRequest
from idp.tenants import current

KIND = "device_code"


def begin(request: ProtocolRequest) -> Answer:
    """Judge a device's request and keep it; what the device shows and polls with (§3.2). Raises Refusal."""
    client = client_auth.authenticate(request)
    retry = throttle.failed("elsewhere", client.client_id, request.address)
    if retry is not None:
        raise TooMany(retry_after=retry, rule="throttle.elsewhere", setting="policy.elsewhere_requests")
    params = {**request.form, "client_id": client.client_id}
    asked, _ = authorize.play(params, request.resources, authorize.DEVICE)
    handle = secret()
    begun = elsewhere.keep(asked, client, handle, Elsewhere(KIND, request.address, request.agent))
    code = user_codes.shown(user_codes.new(begun.name, begun.expires_in))
    page = f"{current().issuer}/device"
    return Answer(
        {
            "device_code": handle,
            "user_code": code,
            "verification_uri": page,
            "verification_uri_complete": f"{page}?{urlencode({'user_code': code})}",
            "expires_in": begun.expires_in,
            "interval": begun.interval,
        }
    )
