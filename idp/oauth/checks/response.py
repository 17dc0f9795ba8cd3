"""How the answer travels: response_mode and response_type (OAuth 2.0 Multiple Response Types, Form Post).

Tokens never travel in a query, where servers and histories keep them.
"""

from idp.errors import InvalidRequest, UnauthorizedClient, UnsupportedResponseType
from idp.oauth import jarm
from idp.oauth.checks.pending import Pending
from idp.registration import fapi, flows
from idp.tenants import current

RESPONSE_MODES = ("query", "fragment", "form_post", *jarm.MODES)


def response_mode(pending: Pending) -> None:
    """`response_mode` is query, fragment or form_post, each also as a signed JWT (JARM §2.3).

    form_post goes to http(s) only, no token in a query, and a JWT where one can be made: else the error is plain.

    The default follows the response type, also for the errors of a request whose response type is wrong.
    """
    tokens = bool({flows.ID_TOKEN, flows.TOKEN}.intersection((pending.get("response_type") or "").split(" ")))
    pending.response_mode = "fragment" if tokens else "query"
    mode = pending.get("response_mode") or pending.response_mode
    if mode not in RESPONSE_MODES:
        raise InvalidRequest(
            "This response_mode is not supported.",
            rule="response_mode.known",
            expected=RESPONSE_MODES,
            got=mode[:64],
        )
    if mode == "jwt":
        mode = pending.response_mode + jarm.SUFFIX
    way = mode.removesuffix(jarm.SUFFIX)
    if way == "query" and tokens:
        raise InvalidRequest(
            "Tokens cannot come back in a query.",
            rule="response_mode.tokens",
            expected=("fragment", "form_post"),
        )
    if way == "form_post" and not pending.redirect_uri.startswith(("https://", "http://")):
        raise InvalidRequest("form_post needs an http redirect_uri.", rule="response_mode.form_post")
    if mode != way:
        jarm.ready(pending.known_client)
    pending.response_mode = mode


def response_type(pending: Pending) -> None:
    """`response_type` is one that is spoken here and registered for the client (RFC 6749 §3.1.1)."""
    given = pending.get("response_type")
    spoken = flows.spoken(current().policy)
    if given is None:
        raise InvalidRequest("response_type is missing.", rule="response_type.present", expected=spoken)
    try:
        known = flows.spelled(given)
    except ValueError:
        raise UnsupportedResponseType(rule="response_type.known", expected=spoken, got=given[:64]) from None
    if known != flows.CODE and fapi.of(pending.known_client):
        raise UnsupportedResponseType(
            rule="response_type.profile", expected=flows.CODE, got=known, setting="client.profile"
        )
    if known not in spoken:
        setting = "policy.hybrid_flow" if flows.has(known, flows.CODE) else "policy.implicit_flow"
        raise UnsupportedResponseType(
            rule="response_type.policy", expected=spoken, got=known, setting=setting
        )
    if known not in pending.known_client.response_types:
        raise UnauthorizedClient(rule="client.response_types", got=known, setting="client.response_types")
    pending.response_type = known
