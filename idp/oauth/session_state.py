"""Session management (OpenID Connect Session Management 1.0): what an application may compare, and with what.

The browser state is made from the session's secret and lies in a cookie that the provider's frame reads. An
application is told a salted hash of it that holds for its own client_id and origin alone (§2), so that it learns
nothing but whether something has changed.
"""

from idp import urls
from idp.ids import b64, digest, secret
from idp.store.durable.sessions import Session
from idp.tenants import current


def spoken() -> bool:
    """Whether the entered tenant's policy lets applications watch the session."""
    return current().policy.session_management


def browser_state(session: Session) -> str:
    """What stands for the session in the browser: 128 bits from which neither its cookie nor any `sid` follows."""
    return b64(digest(f"browser|{session.sid}")[:16])


def made(client_id: str, redirect_uri: str, session: Session) -> str | None:
    """`session_state` (§2) for the client's page; None where its address has no origin."""
    origin = urls.origin_of(redirect_uri)
    if origin is None:
        return None
    salt = secret(128)
    return f"{digest(f'{client_id} {origin} {browser_state(session)} {salt}').hex()}.{salt}"
