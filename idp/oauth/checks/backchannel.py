"""What a backchannel authentication request says (CIBA Core 1.0 §7.1): whom it names, how to tell, what to show."""

import json
import re
from typing import Any

from idp import clock, identifiers, throttle
from idp.accounts import approval_codes, people, subjects
from idp.errors import InvalidRequest, InvalidScope, InvalidToken, Refusal, TooMany, UnauthorizedClient
from idp.ids import digest
from idp.oauth import client_keys
from idp.oauth.checks.pending import Pending
from idp.oauth.tokens import id_token
from idp.registration import CIBA, fapi
from idp.signing import jwt, parts
from idp.signing.foreign import FOREIGN, Foreign
from idp.store.database import again, transaction
from idp.store.durable import marks
from idp.store.durable.users import User
from idp.tenants import current

ALGORITHMS = ("PS256", "ES256", "EdDSA")
"""Of signed requests: what FAPI admits (FAPI-CIBA §7.10)."""
TYPES = (None, "JWT", "oauth-authz-req+jwt")
LONGEST_LIFE = 3_600
"""Seconds between `nbf` and `exp` of a signed request, and from now to either (FAPI-CIBA §5.2.2)."""
MARK = "backchannel_request"
CREDENTIALS = frozenset({"client_id", "client_secret", "client_assertion", "client_assertion_type"})
_HINTS = ("login_hint", "id_token_hint", "login_hint_token")
_TEXTS = ("scope", "client_notification_token", "acr_values", *_HINTS, "binding_message", "user_code")
_NOTIFICATION = re.compile(r"[A-Za-z0-9._~+/-]{16,1024}=*", re.ASCII)
_LONGEST_MESSAGE = 100


class UnknownUserId(Refusal):
    """CIBA Core §13: nobody whom the hint names can be asked; the same for who is not there and who is disabled."""

    code = "unknown_user_id"
    description = "The person whom the hint names cannot be asked."


class InvalidBindingMessage(Refusal):
    """CIBA Core §13."""

    code = "invalid_binding_message"
    description = "The binding_message cannot be shown: it must be one short line of visible characters."


class MissingUserCode(Refusal):
    """CIBA Core §13: the person is asked by nobody who does not know their code."""

    code = "missing_user_code"
    description = "The person has a code without which nobody may ask them."


class InvalidUserCode(Refusal):
    """CIBA Core §13."""

    code = "invalid_user_code"
    description = "This is not the code of the person."


class InvalidRequestObject(Refusal):
    """RFC 9101 §10.3."""

    code = "invalid_request_object"
    description = "The request object is invalid."


def allowed(pending: Pending) -> None:
    """The client may use the grant, authenticates, and is one that somebody has registered (§4)."""
    client = pending.known_client
    if CIBA not in client.grant_types or client.public or pending.stranger:
        raise UnauthorizedClient(
            rule="client.grant_types",
            expected=[CIBA],
            got=list(client.grant_types),
            setting="client.grant_types",
        )


def opened(pending: Pending) -> None:
    """What the client has signed is the request, and nothing else stands beside it (§7.1.1).

    One of the profile fapi2 signs always (FAPI-CIBA §5.2.2).
    """
    token, pinned = pending.get("request"), _pinned(pending)
    if token is None:
        if pinned is not None or fapi.of(pending.known_client):
            name = "backchannel_authentication_request_signing_alg" if pinned else "profile"
            raise InvalidRequest(
                "This application signs its requests.", rule="backchannel.signed", expected=pinned or ALGORITHMS,
                setting=f"client.{name}",
            )  # fmt: skip
        return
    beside = set(pending.params) - CREDENTIALS - {"request"}
    if beside or pending.resources_given:
        raise InvalidRequest(
            "Nothing may stand beside a signed request.",
            rule="backchannel.beside",
            got=sorted(beside | ({"resource"} if pending.resources_given else set())),
        )
    claims = _verified(pending, token, (pinned,) if pinned else ALGORITHMS)
    pending.params = {"client_id": pending.params["client_id"], **_parameters(claims)}
    pending.resources_given = _resources(claims.get("resource", []))
    pending.opened = True


def _pinned(pending: Pending) -> str | None:
    found = pending.known_client.metadata.get("backchannel_authentication_request_signing_alg")
    return None if found is None else str(found)


def _verified(pending: Pending, token: str, algorithms: tuple[str, ...]) -> dict[str, Any]:
    """Its claims: signed by the client, for us, now, and seen for the first time."""
    client, now = pending.known_client, clock.epoch()
    try:
        keys = client_keys.of(client, parts.kid(token))
        seen = Foreign(
            token, keys, algorithms, TYPES, client.client_id, None, current().issuers, LONGEST_LIFE, now
        )  # fmt: skip
        FOREIGN.hold(seen)
    except InvalidToken as refusal:
        raise InvalidRequestObject(
            rule=str(refusal.rule), expected=refusal.expected, got=refusal.got
        ) from None
    claims = seen.claims
    for name in ("exp", "nbf", "iat"):
        if not isinstance(claims.get(name), int) or isinstance(claims[name], bool):
            raise _wrong(name, "is missing or not a number")
    if claims["exp"] - claims["nbf"] > LONGEST_LIFE or claims["nbf"] < now - LONGEST_LIFE - jwt.SKEW:
        raise _wrong("nbf", "is more than an hour away")
    jti = claims.get("jti")
    if not isinstance(jti, str) or not 0 < len(jti) <= 256:
        raise _wrong("jti", "is missing")
    if not _first(digest(f"{client.id}:{jti}"), claims["exp"] + jwt.SKEW):
        raise _wrong("jti", "was used before")
    return claims


@again
def _first(mark: bytes, until: int) -> bool:
    with transaction():
        return marks.leave(MARK, mark, clock.from_instant(until))


def _wrong(name: str, clause: str) -> InvalidRequestObject:
    return InvalidRequestObject(f"The request object's {name} {clause}.", rule=f"backchannel.{name}")


def _parameters(claims: dict[str, Any]) -> dict[str, str]:
    found = {name: claims[name] for name in _TEXTS if name in claims}
    for name, value in found.items():
        if not isinstance(value, str) or "\x00" in value:
            raise _wrong(name, "must be a string")
    rich = claims.get("authorization_details")
    if rich is not None:
        if not isinstance(rich, list):
            raise _wrong("authorization_details", "must be an array")
        found["authorization_details"] = json.dumps(rich)
    wanted = claims.get("requested_expiry")
    if wanted is not None:  # a number or a string of digits (FAPI-CIBA's suite sends both)
        found["requested_expiry"] = str(wanted) if not isinstance(wanted, bool) else ""
    return found


def _resources(value: Any) -> tuple[str, ...]:
    """RFC 8707 §2.1: one or several, as text."""
    several = value if isinstance(value, list) else [value]
    if not all(isinstance(each, str) and "\x00" not in each for each in several):
        raise _wrong("resource", "must be a string or several")
    return tuple(several)


def openid_asked(pending: Pending) -> None:
    """`openid` is asked for (§7.1)."""
    if "openid" not in pending.scopes:
        raise InvalidScope("scope must have openid.", rule="backchannel.openid")


def told(pending: Pending) -> None:
    """One that is told by a ping says with what it will know us (§7.1)."""
    token = pending.get("client_notification_token")
    if pending.known_client.metadata.get("backchannel_token_delivery_mode", "poll") != "ping":
        return
    if token is None or not _NOTIFICATION.fullmatch(token):
        raise InvalidRequest(
            "client_notification_token is missing or malformed.", rule="backchannel.client_notification_token"
        )


def message(pending: Pending) -> None:
    """What both screens show is one short line that people can compare (§7.1)."""
    given = pending.get("binding_message")
    if given is None:
        return
    try:
        shown = identifiers.text(given, _LONGEST_MESSAGE)
    except ValueError as problem:
        raise InvalidBindingMessage(rule="backchannel.binding_message", expected=str(problem)) from None
    pending.message = shown


def expiry(pending: Pending) -> None:
    """`requested_expiry` is a positive number of seconds (§7.1); what we allow is the most."""
    given = pending.get("requested_expiry")
    if given is None:
        return
    if not given.isascii() or not given.isdigit() or len(given) > 9 or int(given) < 1:
        raise InvalidRequest(
            "requested_expiry must be a positive number.", rule="backchannel.requested_expiry"
        )
    pending.expiry = int(given)


def hinted(pending: Pending) -> None:
    """Exactly one hint, and it names somebody who can be asked (§7.1, §7.2)."""
    given = [name for name in _HINTS if pending.get(name) is not None]
    if len(given) != 1 or given == ["login_hint_token"]:
        raise InvalidRequest(
            "The request needs exactly one of login_hint and id_token_hint.",
            rule="backchannel.hint",
            got=given,
        )
    client = pending.known_client
    user = _named(pending, given[0])
    if user is None or not user.active:
        retry = throttle.failed("user_code", client.client_id, "hint")
        if retry is not None:
            raise TooMany(retry_after=retry, rule="throttle.user_code", setting="policy.user_code_failures")
        raise UnknownUserId(rule="backchannel.user", expected="somebody active", got="nobody such")
    pending.user = user


def coded(pending: Pending) -> None:
    """Who has set an approval code is asked by nobody who does not know it, whatever the client can do (§7.1, §13)."""
    client, user, given = pending.known_client, pending.user, pending.get("user_code")
    if given is not None and not client.metadata.get("backchannel_user_code_parameter"):
        raise InvalidRequest(
            "This application is not registered for user_code.", rule="backchannel.user_code.client",
            setting="client.backchannel_user_code_parameter",
        )  # fmt: skip
    assert user is not None
    if not approval_codes.has(user.id):
        if given is not None:
            raise InvalidUserCode(rule="backchannel.user_code", expected="none", got="one")
        return
    if given is None:
        raise MissingUserCode(rule="backchannel.user_code", expected="the person's approval code", got="none")
    if not approval_codes.right(user, given, client.client_id):
        raise InvalidUserCode(
            rule="backchannel.user_code", expected="the person's approval code", got="another"
        )


def _named(pending: Pending, hint: str) -> User | None:
    value = pending.params[hint]
    if hint == "login_hint":
        return people.named(value)
    try:
        claims = id_token.read(value, audience=pending.known_client.client_id, expired_is_fine=True)
    except InvalidToken as refusal:
        raise InvalidRequest(
            "id_token_hint is invalid.", rule="backchannel.id_token_hint", got=refusal.rule
        ) from None
    user = people.by_subject(str(claims.get("sub", "")))
    return user if user is not None and subjects.of(pending.known_client, user.id) == claims["sub"] else None
