"""The authorization endpoint, and that of pushed requests: the score, and what a request that passed it turns into.

:data:`SCORE` is the ordered table of checks. Client and redirect_uri come first: until both hold, an error
is a page; after that it travels back to the client with `state` and `iss` (RFC 6749 §4.1.2.1, RFC 9207).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, cast

from idp import platform
from idp.errors import Refusal
from idp.oauth import jarm, session_state
from idp.oauth.checks import (
    backchannel,
    client,
    details,
    dpop_jkt,
    openid,
    pkce,
    pushed,
    request_object,
    response,
    scope,
)
from idp.oauth.checks.pending import Pending
from idp.oauth.checks.response import RESPONSE_MODES
from idp.oauth.request import AuthorizationRequest
from idp.store.durable.clients import Client
from idp.store.durable.sessions import Session

AUTHORIZE, PAR, DEVICE, BACKCHANNEL = "authorize", "par", "device_authorization", "bc-authorize"
_EVERYWHERE = frozenset({AUTHORIZE, PAR, DEVICE, BACKCHANNEL})
_BACKCHANNEL = frozenset({BACKCHANNEL})
"""Where what is asked is allowed at another place: there is no redirect_uri and no response."""

Mode = Literal["query", "fragment", "form_post"]


@dataclass(frozen=True, slots=True)
class Check:
    """A rule, and the endpoints at which it plays."""

    rule: Callable[[Pending], None]
    endpoints: frozenset[str] = frozenset({AUTHORIZE, PAR})


SCORE: tuple[Check, ...] = (
    Check(client.client_known, _EVERYWHERE),
    Check(pushed.unnamed, frozenset({PAR})),
    Check(pushed.taken, frozenset({AUTHORIZE})),
    Check(request_object.opened),
    Check(client.redirect_uri_present),
    Check(client.redirect_uri_registered),
    Check(response.response_mode),
    Check(openid.lengths),
    Check(response.response_type),
    Check(client.grant_allowed),
    Check(client.device_allowed, frozenset({DEVICE})),
    Check(backchannel.allowed, _BACKCHANNEL),
    Check(backchannel.opened, _BACKCHANNEL),
    Check(scope.scope_wellformed, _EVERYWHERE),
    Check(scope.scope_allowed, _EVERYWHERE),
    Check(scope.resource_known, _EVERYWHERE),
    Check(details.known, _EVERYWHERE),
    Check(backchannel.openid_asked, _BACKCHANNEL),
    Check(backchannel.told, _BACKCHANNEL),
    Check(backchannel.message, _BACKCHANNEL),
    Check(backchannel.expiry, _BACKCHANNEL),
    Check(backchannel.hinted, _BACKCHANNEL),
    Check(backchannel.coded, _BACKCHANNEL),
    Check(pkce.pkce_present),
    Check(pkce.pkce_method),
    Check(pkce.pkce_challenge),
    Check(dpop_jkt.wellformed),
    Check(openid.id_token),
    Check(openid.encryption),
    Check(openid.prompt),
    Check(openid.max_age),
    Check(openid.acr_values, _EVERYWHERE),
    Check(openid.claims),
)


@dataclass(frozen=True, slots=True)
class Response:
    """What goes back to the client: parameters for a verified redirect_uri, in a response mode.

    The door adds `state` and `iss` (RFC 6749 §4.1.2, RFC 9207 §2). `refusal` is set when it is an error.
    """

    redirect_uri: str
    mode: Mode
    params: dict[str, str]
    state: str | None
    issuer: str
    """Who answers (RFC 9207 §2)."""
    refusal: Refusal | None = None
    sealed_for: Client | None = None
    """Whose answer is one signed JWT (JARM); None: its parameters are plain."""
    browser_state: str | None = None
    """What the frame of session management is to find in the browser; None: nobody is signed in."""


class Returned(Exception):
    """An error that may travel back to the client, because client and redirect_uri are verified."""

    def __init__(self, response: Response) -> None:
        """`response`: the error as the client will read it."""
        super().__init__(str(response.refusal))
        self.response = response


def play(
    params: dict[str, str], resources: tuple[str, ...], endpoint: str = AUTHORIZE, *, opened: bool = False
) -> tuple[AuthorizationRequest, Pending]:
    """Play the score. Raises Refusal for a page, Returned for an error that goes back to the client.

    `opened`: these parameters are those of a request object or a pushed request, read when it began.
    """
    pending = Pending(params, resources, opened)
    try:
        for check in SCORE:
            if endpoint in check.endpoints:
                check.rule(pending)
    except Refusal as refusal:
        if pending.returnable:
            raise Returned(failed(pending, refusal)) from refusal
        raise
    return _request(pending), pending


def failed(pending: Pending, refusal: Refusal) -> Response:
    """The error as an authorization response."""
    mode = pending.response_mode
    if pending.get("response_mode") == "form_post" and pending.redirect_uri.startswith(
        ("https://", "http://")
    ):
        mode = "form_post"
    return _response(
        pending.known_client, pending.redirect_uri, mode, refusal.public(), pending.get("state"), refusal
    )


def error_response(refusal: Refusal, request: AuthorizationRequest, asking: Client) -> Response:
    """`error`, `error_description`, `state`, `iss`, and nothing more."""
    return _response(
        asking, request.redirect_uri, request.response_mode, refusal.public(), request.state, refusal
    )


def success_response(
    request: AuthorizationRequest, given: dict[str, str], session: Session, asking: Client
) -> Response:
    """What was `given`, `state`, `iss` (RFC 6749 §4.1.2, §4.2.2, RFC 9207 §2); `session_state` where spoken of."""
    params, browser = dict(given), None
    if session_state.spoken() and "openid" in request.scopes:
        told = session_state.made(request.client_id, request.redirect_uri, session)
        params |= {"session_state": told} if told is not None else {}
        browser = session_state.browser_state(session)
    return _response(
        asking, request.redirect_uri, request.response_mode, params, request.state, None, browser
    )


def _response(
    asking: Client,
    redirect_uri: str,
    mode: str,
    params: dict[str, str],
    state: str | None,
    refusal: Refusal | None,
    browser: str | None = None,
) -> Response:
    if mode not in RESPONSE_MODES:
        raise ValueError(mode)
    way = mode.removesuffix(jarm.SUFFIX)
    sealed_for = asking if way != mode else None
    issuer = platform.issuer_for(asking)
    return Response(redirect_uri, cast(Mode, way), params, state, issuer, refusal, sealed_for, browser)


def _request(pending: Pending) -> AuthorizationRequest:
    return AuthorizationRequest(
        client_id=pending.known_client.client_id,
        redirect_uri=pending.redirect_uri,
        response_type=pending.response_type,
        response_mode=pending.response_mode,
        scopes=pending.scopes,
        state=pending.get("state"),
        nonce=pending.get("nonce"),
        prompt=pending.prompt,
        max_age=pending.max_age,
        login_hint=pending.get("login_hint"),
        id_token_hint=pending.get("id_token_hint"),
        acr_values=pending.acr_values,
        claims=pending.claims,
        code_challenge=pending.code_challenge,
        dpop_jkt=pending.get("dpop_jkt"),
        resources=pending.resources,
        params=pending.params,
        details=pending.details,
    )
