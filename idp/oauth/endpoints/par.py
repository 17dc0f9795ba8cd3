"""Pushed authorization requests (RFC 9126 §2): the client leaves its request here and gets a name for it.

The same score plays as at /authorize, so that what cannot be answered is said to the client and not to a browser.
"""

from idp import throttle
from idp.errors import InvalidRedirectUri, InvalidRequest, Refusal, TooMany
from idp.oauth import authorize, client_auth
from idp.oauth.checks import dpop_jkt, pushed
from idp.oauth.request import Answer, ProtocolRequest

_CREDENTIALS = ("client_secret", "client_assertion", "client_assertion_type")
"""Parameters that say who asks and are no part of the request that is kept."""


def push(request: ProtocolRequest) -> Answer:
    """Judge a request and keep it: 201 with `request_uri` and `expires_in`. Raises Refusal."""
    client = client_auth.authenticate(request)
    retry = throttle.failed("pushed", client.client_id, request.address)
    if retry is not None:
        raise TooMany(retry_after=retry, rule="throttle.pushed", setting="policy.pushed_requests")
    params = {name: value for name, value in request.form.items() if name not in _CREDENTIALS}
    params["client_id"] = client.client_id
    try:
        _, pending = authorize.play(params, request.resources, authorize.PAR)
        dpop_jkt.shown(pending, request.binding)
    except authorize.Returned as returned:
        assert returned.response.refusal is not None
        raise _told(returned.response.refusal) from returned
    except Refusal as refusal:
        raise _told(refusal) from refusal
    told = {"request_uri": pushed.keep(pending), "expires_in": pushed.LIFETIME}
    return Answer(told, 201, dict(request.told))


def _told(refusal: Refusal) -> Refusal:
    """The refusal by a code that RFC 9126 §2.3 knows: those of pages alone are an invalid_request here."""
    if isinstance(refusal, InvalidRedirectUri) or refusal.code == "missing_redirect_uri":
        return InvalidRequest(
            refusal.description,
            rule=refusal.rule,
            expected=refusal.expected,
            got=refusal.got,
            setting=refusal.setting,
        )
    return refusal
