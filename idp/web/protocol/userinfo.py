"""userinfo (OpenID Connect Core 1.0 §5.3): GET, or POST with the token in the header or in the form."""

import json
from dataclasses import replace

from idp.errors import InvalidRequest
from idp.oauth import protected
from idp.oauth.endpoints import userinfo as room
from idp.oauth.protected import BEARER, Presented
from idp.web import asked, parse
from idp.web.cors import Cors
from idp.web.gates import Door, Gate
from idp.web.reply import Reply

door = Door("userinfo", __name__, gate=Gate.TENANT, plain=True)


def _presented() -> Presented:
    """The one access token of the request (RFC 6750 §2, RFC 9449 §7.1), never from the query; and its proof."""
    scheme, header = asked.access_token() or (BEARER, None)
    shown = Presented(asked.method(), "userinfo", header, scheme, asked.proof(), asked.certificate())
    form = asked.environ().get("CONTENT_TYPE", "").partition(";")[0].strip().lower() == parse.FORM
    if asked.method() != "POST" or not form or not asked.body():
        return shown
    in_body = asked.form().get("access_token")
    if header is not None and in_body is not None:
        raise InvalidRequest("The access token is sent in two ways.", rule="userinfo.single")
    return shown if in_body is None else replace(shown, token=in_body)


@door.route(
    "/userinfo", methods=("GET", "POST"), credentials=("access_token", "bound_token"), cors=Cors.CLIENTS
)
def userinfo() -> Reply:
    """The claims of the person whose token it is: JSON, or a JWT where the client wants one (§5.3.2)."""
    shown = _presented()
    told = room.answer(shown)
    if isinstance(told, str):
        reply = Reply.of("application/jwt", told.encode())
    else:
        reply = Reply.of("application/json", json.dumps(told, separators=(",", ":")).encode())
    reply.headers.add("Cache-Control", "no-store")
    for name, value in protected.told(shown).items():
        reply.headers[name] = value
    return reply
