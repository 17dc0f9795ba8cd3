"""RP-initiated logout (OpenID Connect RP-Initiated Logout 1.0): asked before it is done.

The question is always put to the person: a link in somebody's page must not sign anybody out. Where the
browser may go afterwards is checked here, before the question and again with the answer.
"""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from idp import audit, clock, directory, platform, urls
from idp.accounts import notices, sessions
from idp.audit import Actor, Event
from idp.errors import InvalidRedirectUri, InvalidRequest, InvalidToken
from idp.oauth.request import Browser
from idp.oauth.tokens import id_token
from idp.store.database import again, transaction
from idp.store.durable import clients, grants
from idp.store.durable import sessions as session_store
from idp.store.durable.clients import Client
from idp.store.durable.sessions import Session
from idp.tenants import current, entered

KEPT = ("id_token_hint", "client_id", "post_logout_redirect_uri", "state")
"""What a request holds that counts (§2)."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is to be confirmed: by which application, where to go afterwards, and who keeps access."""

    client: Client | None
    redirect_uri: str | None
    state: str | None
    session: Session | None
    params: dict[str, str]
    keeps_access: tuple[str, ...]


def ask(params: dict[str, str], browser: Browser) -> Question:
    """Judge a logout request. Raises InvalidRequest, InvalidRedirectUri: a page, never a redirect."""
    client = _client(params)
    redirect = _redirect(params, client)
    session = sessions.read(browser.session_token)
    return Question(
        client=client,
        redirect_uri=redirect,
        state=params.get("state") if redirect else None,
        session=session,
        params={name: params[name] for name in KEPT if name in params},
        keeps_access=_keeps_access(session),
    )


def _client(params: dict[str, str]) -> Client | None:
    """The client that the hint or `client_id` names; both must agree (§2)."""
    named = params.get("client_id")
    hinted = _hinted(params.get("id_token_hint"))
    if named is not None and hinted is not None and named != hinted:
        raise InvalidRequest("client_id and id_token_hint name different applications.", rule="logout.client")
    client_id = hinted if hinted is not None else named
    if client_id is None:
        return None
    client = directory.client(client_id)
    if client is None or not client.active:
        raise InvalidRequest("The application is not known here.", rule="logout.client", got=client_id[:128])
    return client


def _hinted(hint: str | None) -> str | None:
    """The audience of an ID token that we issued, expired or not. Raises InvalidRequest for any other thing."""
    if hint is None:
        return None
    try:
        claims = _own(hint)
    except InvalidToken as error:
        raise _no_hint(error.rule) from error
    audience = claims.get("aud")
    if not isinstance(audience, str):
        raise _no_hint("another kind of token")
    return audience


def _own(hint: str) -> dict[str, Any]:
    """The claims of an ID token of this issuer, or of the platform's about somebody here. Raises InvalidToken."""
    try:
        return id_token.read(hint, expired_is_fine=True)
    except InvalidToken:
        if platform.realm() is None:
            raise
    with entered(platform.face(current())):
        return id_token.read(hint, expired_is_fine=True)


def _no_hint(got: object) -> InvalidRequest:
    return InvalidRequest(
        "id_token_hint is not an ID token of this issuer.",
        rule="logout.hint",
        expected=f"an ID token of {current().issuer}, expired or not",
        got=got,
    )


def _redirect(params: dict[str, str], client: Client | None) -> str | None:
    given = params.get("post_logout_redirect_uri")
    if given is None:
        return None
    if client is None:
        raise InvalidRequest(
            "post_logout_redirect_uri needs an id_token_hint or a client_id.", rule="logout.redirect_client"
        )
    registered = client.post_logout_redirect_uris
    if not any(urls.same_redirect(known, given, native=client.native) for known in registered):
        raise InvalidRedirectUri(
            "The post_logout_redirect_uri is not registered for this application.",
            rule="logout.redirect_uri",
            expected=list(registered),
            got=given[:512],
            setting="client.post_logout_redirect_uris",
        )
    return given


def _keeps_access(session: Session | None) -> tuple[str, ...]:
    """The names of the applications whose offline access outlives the sign-out."""
    if session is None:
        return ()
    with transaction(readonly=True):
        found = [clients.by_id(each) for each in grants.offline_clients(session.user_id, clock.now())]
    return tuple(sorted(client.name for client in found if client is not None))


@again
def sign_out(session: Session | None, browser: Browser) -> None:
    """End the session and every grant that ends with it; offline grants stay, as the page has said."""
    if session is None:
        return
    with transaction():
        revoked = grants.revoke_of_session(session.id, "signed out")
        sessions.end(session, "signed out")
        actor = Actor("user", str(session.user_id), browser.address)
        audit.record(Event.GRANT_REVOKED, actor, session_id=session.id, why="signed out", count=revoked)


def frames(session_id: UUID) -> tuple[str, ...]:
    """What the signed-out page loads so that clients hear of it (OpenID Connect Front-Channel Logout 1.0 §2, §3).

    A client that requires it is told issuer and `sid`, any other finds only its own address.
    """
    with transaction(readonly=True):
        session = session_store.by_id(session_id)
        used = session_store.listeners([session_id], notices.FRONTCHANNEL)
        told = [clients.by_id(client_id) for _, client_id in used]
    if session is None:
        return ()
    return tuple(_frame(client, session) for client in told if client is not None)


def _frame(client: Client, session: Session) -> str:
    uri = str(client.metadata[notices.FRONTCHANNEL])
    if not client.metadata.get("frontchannel_logout_session_required"):
        return uri
    return with_query(uri, {"iss": platform.issuer_for(client), "sid": notices.sid(session.sid, client.id)})


def with_query(uri: str, parameters: dict[str, str]) -> str:
    """`uri` byte for byte, and `parameters` behind the query that it has."""
    mark = "&" if "?" in uri else "?"
    return f"{uri}{mark}{urlencode(parameters)}" if parameters else uri


def onward(question: Question) -> str:
    """Where the browser goes after the sign-out, with `state` (§2); "" for nowhere."""
    if question.redirect_uri is None:
        return ""
    return with_query(question.redirect_uri, {"state": question.state} if question.state is not None else {})
