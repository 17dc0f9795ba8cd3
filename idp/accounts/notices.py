"""Who hears that a session has ended, and by which name each client knows it.

Owns the `sid` of a client, which differs from client to client and is neither the session's id nor its cookie, and
the notices that are written with the end of a session, whoever ends it. Leaves to others: making and sending the
logout token (`idp.oauth.backchannel`), the frames of the signed-out page (`idp.oauth.endpoints.end_session`).
"""

from collections.abc import Sequence
from uuid import UUID

from idp import outbox
from idp.ids import b64, digest
from idp.store.durable import sessions
from idp.store.durable.clients import Client
from idp.store.durable.sessions import Ended
from idp.tenants import current

TOPIC = "logout.notice"
BACKCHANNEL, FRONTCHANNEL = "backchannel_logout_uri", "frontchannel_logout_uri"
_WANTED_BY = (
    BACKCHANNEL,
    FRONTCHANNEL,
    "backchannel_logout_session_required",
    "frontchannel_logout_session_required",
)


def sid(session: str, client_id: UUID) -> str:
    """What a client (its row's id) is told as the `sid` of a session (its own `sid`, which nobody is told).

    128 bits in base64url; from it neither the session's name nor another client's follows. OpenID Connect
    Front-Channel Logout 1.0 §3.
    """
    return b64(digest(f"{session}|{client_id}")[:16])


def needs_sid(client: Client) -> bool:
    """Whether a client has registered anything for which it needs `sid` in its ID tokens."""
    return any(client.metadata.get(name) for name in _WANTED_BY)


def leave(ended: Sequence[Ended]) -> int:
    """Write a notice to every client with a back channel that used these sessions; how many.

    To be called in the transaction that ends them, so that neither happens without the other.
    """
    if not ended:
        return 0
    known = {each.id: each for each in ended}
    wanted = sessions.listeners(known, BACKCHANNEL)
    return outbox.put_all(
        TOPIC, [(str(client), _notice(known[session], client)) for session, client in wanted]
    )


def _notice(ended: Ended, client_id: UUID) -> dict[str, str]:
    return {"client": str(client_id), "user": str(ended.user_id), "sid": sid(ended.sid, client_id),
            "issuer": current().issuer}  # fmt: skip
