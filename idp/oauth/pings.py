"""Pings: telling a client that the request which it has made over the back channel is answered (CIBA Core §10.2).

Left in the transaction of the answer and sent by the worker. What is told, and with which token, is the client's and
sealed under a key of the person whom it is about. Whatever the client answers, its body is not read and no redirect is
followed; an answer that says no is final, and only silence and 5xx are tried again, until the request has ended.
"""

import json
from typing import Any
from uuid import UUID

from idp import clock, outbound, outbox
from idp.ids import uuid7
from idp.logs import log
from idp.outbox import Undelivered
from idp.signing import persons
from idp.store.durable import clients
from idp.store.durable.clients import Client

TOPIC = "backchannel.ping"
_PURPOSE = b"idp backchannel ping"


def sealed(user_id: UUID, auth_req_id: str, token: str) -> dict[str, str] | None:
    """What is kept of a client's notification token and id until the request is answered; None: nobody is there."""
    row = uuid7()
    text = persons.seal(user_id, {"id": auth_req_id, "token": token}, row, _PURPOSE)
    return None if text is None else {"row": str(row), "sealed": text}


def leave(client: Client, user_id: UUID, ping: dict[str, str], expires: int) -> None:
    """Write the message in the caller's transaction. `expires`: when the request ends (epoch seconds)."""
    told = {"client": str(client.id), "user": str(user_id), "expires": expires, **ping}
    outbox.put_all(TOPIC, [(str(client.id), told)])


def tell(payload: dict[str, Any]) -> None:
    """Carry out one message. Raises Undelivered where nobody answered, or with 5xx."""
    client = clients.by_id(UUID(payload["client"]))
    uri = client.metadata.get("backchannel_client_notification_endpoint") if client is not None else None
    told = persons.open_(UUID(payload["user"]), payload["sealed"], UUID(payload["row"]), _PURPOSE)
    if (
        client is None
        or not client.active
        or uri is None
        or told is None
        or clock.epoch() >= payload["expires"]
    ):
        return
    body = json.dumps({"auth_req_id": told["id"]}).encode()
    try:
        status = outbound.post_json(str(uri), body, told["token"], vouched=not client.setting("dynamic"))
    except outbound.NotSent as problem:
        raise Undelivered(str(problem), silent=True) from None
    if status >= 500:
        raise Undelivered(f"answered {status}", silent=True)
    if status not in (200, 204):
        log(__name__).warning("ping.refused", client=client.client_id, status=status)
