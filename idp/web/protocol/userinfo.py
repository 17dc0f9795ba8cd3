"""userinfo (OpenID Connect Core 1.0 §5.3): GET, or POST with the token in the header or in the form."""

import json

from idp.errors import InvalidRequest
from idp.oauth.endpoints import userinfo as room
from idp.web import asked, parse
from idp.web.cors import Cors
from idp.web.gates import Door, Gate
from idp.web.reply import Reply

door = Door("userinfo", __name__, gate=Gate.TENANT, plain=True)


def _token() -> str | None:
    """The one access token of the request (RFC 6750 §2); never from the query."""
    header = asked.bearer()
    form = asked.environ().get("CONTENT_TYPE", "").partition(";")[0].strip().lower() == parse.FORM
    if asked.method() != "POST" or not form or not asked.body():
        return header
    in_body = asked.form().get("access_token")
    if header is not None and in_body is not None:
        raise InvalidRequest("The access token is sent in two ways.", rule="userinfo.single")
    return header if in_body is None else in_body


@door.route("/userinfo", methods=("GET", "POST"), credentials=("access_token",), cors=Cors.CLIENTS)
def userinfo() -> Reply:
    """The claims of the person whose token it is: JSON, or a JWT where the client wants one (§5.3.2)."""
    told = room.answer(_token())
    if isinstance(told, str):
        reply = Reply.of("application/jwt", told.encode())
    else:
        reply = Reply.of("application/json", json.dumps(told, separators=(",", ":")).encode())
    reply.headers.add("Cache-Control", "no-store")
    return reply
