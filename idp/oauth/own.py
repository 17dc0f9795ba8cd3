"""The provider's own pages as what somebody signs in for: the same pages, steps and transactions, and no client.

A person without a session, or with one whose sign-in is too long ago, goes through the very steps of an
authorization request; what is at its end is a page of ours instead of an answer to a client. Where to is a path
below the issuer that the code names, never one that came in.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from idp.oauth import session_state
from idp.oauth.request import AuthorizationRequest
from idp.store.durable.clients import Client
from idp.store.durable.sessions import Session
from idp.tenants import current

_BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
OURSELVES = Client(UUID(int=0), "", {}, {"require_consent": False}, "active", _BEGAN, _BEGAN)
"""What stands where a client does: nobody has to allow it anything, and no row is its own."""


@dataclass(frozen=True, slots=True)
class Arrived:
    """The end of such a way: the page, as a path below the issuer."""

    path: str
    browser_state: str | None = None
    """What the frame of session management is to find in the browser; None: nothing."""


def request(path: str, params: dict[str, str]) -> AuthorizationRequest:
    """What stands where an authorization request does. `params`: `max_age`, seconds since the sign-in, `acr_values`."""
    given = params.get("max_age")
    return AuthorizationRequest(
        client_id=OURSELVES.client_id,
        redirect_uri=f"{current().issuer}/{path}",
        response_type="",
        response_mode="query",
        scopes=(),
        state=None,
        nonce=None,
        prompt=frozenset(),
        max_age=int(given) if given is not None else None,
        login_hint=params.get("login_hint"),
        id_token_hint=None,
        acr_values=tuple(params.get("acr_values", "").split()),
        claims={},
        code_challenge=None,
        dpop_jkt=None,
        resources=(),
        params=params,
    )


def arrived(path: str, session: Session | None) -> Arrived:
    """The page, for whom the session is; without one, nobody is signed in there."""
    known = session is not None and session_state.spoken()
    return Arrived(path, session_state.browser_state(session) if known and session is not None else None)
