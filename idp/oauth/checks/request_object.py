"""Request objects (RFC 9101, OpenID Connect Core 1.0 §6): an authorization request that its client has signed.

It is opened once, when the request begins; from there on its parameters are the request. Nothing that stands beside
it in the address counts (RFC 9101 §6.3), so that what the client has signed is what is answered. By reference only
where the tenant's policy says so, and only from an address that the client has registered.
"""

import json
from contextlib import suppress
from typing import Any

from idp import clock
from idp.errors import InvalidRequest, InvalidToken, Refusal
from idp.fetching import Memory, Rules, Wanted
from idp.oauth import client_keys
from idp.oauth.checks import client, response
from idp.oauth.checks.pending import Pending
from idp.registration import ALGORITHMS, fapi
from idp.signing import jwe, parts
from idp.signing.foreign import FOREIGN, Foreign
from idp.store.durable.clients import Client
from idp.tenants import current

TYPES = (None, "JWT", "oauth-authz-req+jwt")
"""Header types of a request object: the explicit one of RFC 9101 §10.8, and those before it."""
KINDS = ("application/oauth-authz-req+jwt", "application/jwt", "application/jose", "text/plain")
"""Media types as which one is served; the first is that of RFC 9101 §5.2.3."""
LIFETIME = 3_600
"""Seconds from now that its `exp` may lie ahead."""
TEXTS = (
    "redirect_uri", "response_type", "response_mode", "scope", "state", "nonce", "prompt", "display", "login_hint",
    "id_token_hint", "acr_values", "ui_locales", "claims_locales", "code_challenge", "code_challenge_method",
    "dpop_jkt",
)  # fmt: skip
"""Parameters that are taken from it as they stand; `max_age`, `claims` and `resource` may be JSON."""


FRESH = 300
"""Seconds for which an object that was read may count at most."""


_SERVED: Memory[str] = Memory(
    Rules("request_uri", KINDS, parts.LONGEST, least=0, usual=0, most=FRESH), most=1_000
)


class InvalidRequestObject(Refusal):
    """RFC 9101 §7, OpenID Connect Core 1.0 §3.1.2.6."""

    code = "invalid_request_object"
    description = "The request object is invalid."


class InvalidRequestUri(Refusal):
    """RFC 9101 §7, OpenID Connect Core 1.0 §3.1.2.6."""

    code = "invalid_request_uri"
    description = "The request_uri is not registered, or what lies there cannot be read."


class RequestUriNotSupported(Refusal):
    """OpenID Connect Core 1.0 §3.1.2.6."""

    code = "request_uri_not_supported"
    description = "The request_uri parameter is not supported."


def opened(pending: Pending) -> None:
    """What the client has signed takes the place of what came in the address, where there is such a thing.

    An error goes back to the redirect_uri of the address, where that is the client's.
    """
    if pending.opened:
        return
    given = [name for name in ("request", "request_uri") if pending.get(name) is not None]
    try:
        if given:
            _put(pending, given)
        elif pending.known_client.metadata.get("require_signed_request_object"):
            raise InvalidRequest(
                "This application signs its requests.",
                rule="request.signed",
                expected="request or request_uri",
                setting="client.require_signed_request_object",
            )
    except Refusal:
        to_client(pending)
        raise


def to_client(pending: Pending) -> None:
    """Let an error go back to the redirect_uri of the address, where that is the client's."""
    with suppress(Refusal):
        for rule in (client.redirect_uri_present, client.redirect_uri_registered, response.response_mode):
            rule(pending)


def _put(pending: Pending, given: list[str]) -> None:
    if len(given) > 1:
        raise InvalidRequest("request and request_uri cannot stand together.", rule="request.one")
    known = pending.known_client
    served = given == ["request_uri"]
    token = _fetched(known, pending.params["request_uri"]) if served else pending.params["request"]
    claims = _verified(known, token, served=served)
    params, resources = _parameters(claims), _resources(claims.get("resource", []))
    pending.params = {"client_id": pending.params["client_id"], **params}
    pending.resources_given = resources
    pending.opened = True


def _fetched(known: Client, uri: str) -> str:
    """The object that lies at an address of the client's (OpenID Connect Core 1.0 §6.2)."""
    if not current().policy.request_uri_parameter:
        raise RequestUriNotSupported(rule="request_uri.policy", setting="policy.request_uri_parameter")
    place = uri.partition("#")[0]
    registered = known.metadata.get("request_uris", [])
    if place not in {each.partition("#")[0] for each in registered}:
        raise InvalidRequestUri(
            rule="request_uri.registered", expected=registered, got=uri[:512], setting="client.request_uris"
        )
    found = _SERVED.get(
        Wanted((known.id, place), place, _read, vouched=not known.setting("dynamic"), always=True)
    )
    if found.value is None:
        raise InvalidRequestUri(rule="request_uri.read", got=found.why)
    return found.value


def _read(body: bytes) -> str:
    return body.decode("ascii").strip()


def forget() -> None:
    """Forget what was read: between tests."""
    _SERVED.forget()


def _verified(known: Client, token: str, *, served: bool) -> dict[str, Any]:
    """Its claims, once everything about it holds.

    One that is sent says when it ends, so that whoever finds it cannot send it for ever; one that is served lives
    as long as its client serves it.
    """
    if jwe.encrypted(token):
        token = _decrypted(token)
    pinned, strict = known.metadata.get("request_object_signing_alg"), fapi.of(known)
    seen = Foreign(
        token,
        client_keys.of(known, parts.kid(token)),
        [alg for alg in ((pinned,) if pinned else ALGORITHMS) if not strict or alg in fapi.ALGORITHMS],
        TYPES,
        known.client_id,
        None,
        current().issuers,
        LIFETIME,
        clock.epoch(),
        needs_exp=not served,
    )
    try:
        FOREIGN.hold(seen)
    except InvalidToken as refusal:
        rule = str(refusal.rule).replace("assertion.", "request_object.").replace("token.", "request_object.")
        raise InvalidRequestObject(rule=rule, expected=refusal.expected, got=refusal.got) from None
    claims = seen.claims
    if strict and not clock.epoch() - fapi.REQUEST_AGE - parts.SKEW <= claims.get("nbf", 0):
        raise _wrong("nbf", "must be there, and at most an hour ago")  # FAPI 2.0 Message Signing §5.3.1
    if claims.get("client_id", known.client_id) != known.client_id:
        raise _wrong("client_id", "is another one than that of the request")
    if claims.get("sub") == known.client_id:
        raise _wrong("sub", "is that of a client assertion")  # RFC 9101 §10.8
    for name in ("request", "request_uri"):
        if name in claims:
            raise InvalidRequest(f"A request object cannot hold {name}.", rule=f"request_object.{name}")
    return claims


def _decrypted(token: str) -> str:
    """What the client has encrypted for us; its signature inside is asked for like any other (RFC 9101 §6.1)."""
    try:
        return jwe.decrypt(token)
    except InvalidToken as refusal:
        raise InvalidRequestObject(
            rule="request_object.encryption", expected=refusal.expected, got=refusal.got,
            setting="policy.encryption_keys",
        ) from None  # fmt: skip


def _wrong(name: str, clause: str) -> InvalidRequestObject:
    return InvalidRequestObject(f"The request object's {name} {clause}.", rule=f"request_object.{name}")


def _parameters(claims: dict[str, Any]) -> dict[str, str]:
    """The parameters of the request in the form in which an address would have carried them (RFC 9101 §4)."""
    found = {name: claims[name] for name in TEXTS if name in claims}
    age, wishes = claims.get("max_age"), claims.get("claims")
    if age is not None:
        found["max_age"] = str(age) if isinstance(age, int) and not isinstance(age, bool) else age
    if wishes is not None:
        found["claims"] = json.dumps(wishes) if isinstance(wishes, dict) else wishes
    rich = claims.get("authorization_details")
    if rich is not None:
        found["authorization_details"] = json.dumps(rich) if isinstance(rich, list) else rich
    for name, value in found.items():
        _text(name, value)
    return found


def _resources(value: Any) -> tuple[str, ...]:
    """RFC 8707 §2.1: one or several, as text."""
    several = value if isinstance(value, list) else [value]
    for each in several:
        _text("resource", each)
    return tuple(several)


def _text(name: str, value: Any) -> None:
    if not isinstance(value, str) or "\x00" in value:
        raise _wrong(name, "must be a string")
