"""How the answer travels: response_mode and response_type (OAuth 2.0 Multiple Response Types, Form Post)."""

from idp.errors import InvalidRequest, UnauthorizedClient, UnsupportedResponseType
from idp.oauth.checks.pending import Pending

RESPONSE_TYPES = ("code",)
RESPONSE_MODES = ("query", "form_post")


def response_mode(pending: Pending) -> None:
    """`response_mode` is query or form_post, and form_post goes to http(s) only."""
    mode = pending.get("response_mode") or "query"
    if mode not in RESPONSE_MODES:
        raise InvalidRequest(
            "This response_mode is not supported.",
            rule="response_mode.known",
            expected=RESPONSE_MODES,
            got=mode[:64],
        )
    if mode == "form_post" and not pending.redirect_uri.startswith(("https://", "http://")):
        raise InvalidRequest("form_post needs an http redirect_uri.", rule="response_mode.form_post")
    pending.response_mode = mode


def response_type(pending: Pending) -> None:
    """`response_type` is one that is spoken here and registered for the client (RFC 6749 §3.1.1)."""
    given = pending.get("response_type")
    if given is None:
        raise InvalidRequest(
            "response_type is missing.", rule="response_type.present", expected=RESPONSE_TYPES
        )
    if given not in RESPONSE_TYPES:
        raise UnsupportedResponseType(rule="response_type.known", expected=RESPONSE_TYPES, got=given[:64])
    if given not in pending.known_client.response_types:
        raise UnauthorizedClient(rule="client.response_types", got=given, setting="client.response_types")
    pending.response_type = given
