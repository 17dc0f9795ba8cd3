"""Telling clients over the back channel that a session is over (OpenID Connect Back-Channel Logout 1.0 §2.5).

Carries out one notice that `idp.accounts.notices` has left, in the worker. Only 200 and 204 count (§2.8).
"""

from typing import Any
from uuid import UUID

from idp import outbound, platform
from idp.accounts import subjects
from idp.accounts.notices import BACKCHANNEL
from idp.errors import InvalidRequest
from idp.oauth import encryption
from idp.oauth.tokens import logout_token
from idp.outbox import Undelivered
from idp.store.durable import clients
from idp.store.durable.clients import Client
from idp.tenants import current, entered

ACCEPTED = (200, 204)
ANSWERED = 400
"""The client has understood that it was told something and did not do it (§2.8): others may fare better."""


def tell(notice: dict[str, Any]) -> None:
    """Tell a client of one session's end. Raises Undelivered.

    A client that is gone, suspended, or has no back channel any more is not told.
    """
    client = clients.by_id(UUID(notice["client"]))
    uri = client.metadata.get(BACKCHANNEL) if client is not None and client.active else None
    if client is None or uri is None:
        return
    try:
        encryption.ready(client, encryption.ID_TOKEN)
        status = outbound.post(
            str(uri), {"logout_token": _token(client, notice)}, vouched=not client.setting("dynamic")
        )
    except InvalidRequest as problem:
        raise Undelivered(problem.description, silent=True) from None
    except outbound.NotSent as problem:
        raise Undelivered(str(problem), silent=True) from None
    if status not in ACCEPTED:
        raise Undelivered(f"answered {status}", silent=status != ANSWERED)


def _token(client: Client, notice: dict[str, Any]) -> str:
    with entered(platform.speaking_to(client)):
        issuers = current().issuers
        issuer = notice["issuer"] if notice["issuer"] in issuers else issuers[0]
        return logout_token.make(
            client, subject=subjects.of(client, UUID(notice["user"])), sid=notice["sid"], issuer=issuer
        )
