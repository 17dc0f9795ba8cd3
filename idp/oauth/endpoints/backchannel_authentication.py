"""Backchannel authentication (OpenID Connect CIBA Core 1.0 §7): a service asks for a person who is not before it.

Poll and ping. The person hears of it by mail, where that can be sent, and finds it at `{issuer}/approve`; what they
answer there is what a device's owner answers.
"""

from typing import Any

from idp import mail, throttle
from idp.errors import TooMany
from idp.ids import secret
from idp.mail import Kind
from idp.oauth import authorize, client_auth, elsewhere, pings
from idp.oauth.checks.backchannel import CREDENTIALS, UnknownUserId
from idp.oauth.request import Answer, Elsewhere, ProtocolRequest
from idp.store.database import again, transaction
from idp.store.durable.clients import Client
from idp.store.durable.users import User
from idp.tenants import current

KIND = "auth_req_id"


def begin(request: ProtocolRequest) -> Answer:
    """Judge a request and keep it; by what its client asks after it (§7.3). Raises Refusal."""
    client = client_auth.authenticate(request, public=False)
    retry = throttle.failed("elsewhere", client.client_id, request.address)
    if retry is not None:
        raise TooMany(retry_after=retry, rule="throttle.elsewhere", setting="policy.elsewhere_requests")
    params = {name: value for name, value in request.form.items() if name not in CREDENTIALS}
    params["client_id"] = client.client_id
    asked, pending = authorize.play(params, request.resources, authorize.BACKCHANNEL)
    user, handle = pending.user, secret()
    assert user is not None
    ping = None
    if client.metadata.get("backchannel_token_delivery_mode") == "ping":
        ping = pings.sealed(user.id, handle, pending.params["client_notification_token"])
        if ping is None:
            raise UnknownUserId(rule="backchannel.user", got="gone meanwhile")
    place = Elsewhere(KIND, message=pending.message)
    begun = elsewhere.keep(asked, client, handle, place, user=user, ping=ping, most=pending.expiry)
    _tell(client, user, pending.message)
    told: dict[str, Any] = {"auth_req_id": handle, "expires_in": begun.expires_in, "interval": begun.interval}
    return Answer(told)


@again
def _tell(client: Client, user: User, message: str | None) -> None:
    """Write to the person, where an address of theirs is proved."""
    if user.email is None or not user.email_verified:
        return
    with transaction():
        mail.send(
            Kind.APPROVAL_ASKED, user.email, user_id=user.id, link=f"{current().issuer}/approve",
            client=client.name, message=message or "",
        )  # fmt: skip
