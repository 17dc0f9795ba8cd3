"""Client registration (RFC 7591 §3) and its management (RFC 7592 §2): JSON in, JSON out, one address."""

import json
from typing import Any

from idp.control import registrations
from idp.web import asked, errors
from idp.web.gates import Door, Gate
from idp.web.reply import Reply

door = Door("register", __name__, gate=Gate.TENANT, plain=True)


@door.route("/register", methods=("POST",), credentials=("initial_access_token",))
def register() -> Reply:
    """An application registers itself."""
    if not registrations.spoken():
        return errors.missing()
    told = registrations.register(asked.json_object(), asked.bearer(), asked.address())
    return _write(told, 201)


@door.route(
    "/register",
    methods=("GET", "PUT", "DELETE"),
    credentials=("registration_access_token",),
    endpoint="registered",
)
def registered() -> Reply:
    """An application reads, replaces or deletes its registration; it goes on when nobody new may register."""
    token, client_id = asked.bearer(), asked.query().get("client_id", "")
    if asked.method() == "DELETE":
        registrations.remove(client_id, token, asked.address())
        return _write(None, 204)
    told = registrations.read(client_id, token)
    if asked.method() == "PUT":
        told = registrations.update(client_id, token, asked.json_object(), asked.address())
    return _write(told, 200)


def _write(told: dict[str, Any] | None, status: int) -> Reply:
    body = b"" if told is None else json.dumps(told, separators=(",", ":")).encode()
    reply = Reply.of("application/json", body, status) if told is not None else Reply(status)
    reply.headers.add("Cache-Control", "no-store")
    reply.headers.add("Pragma", "no-cache")
    return reply
