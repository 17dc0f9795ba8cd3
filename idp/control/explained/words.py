"""Sentences for the outcome of each check: why it failed, and what an operator can do about it."""

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from idp import clock, directory
from idp.control import record
from idp.control.explained import issuers, kinds
from idp.control.explained.kinds import Kind
from idp.errors import InvalidToken
from idp.signing import cache, keys
from idp.store.durable.signing_keys import SigningKey
from idp.tenants import Tenant, entered

_SEARCHED = 500
"""Tenants that are searched for a key which the token's own tenant does not have."""


@dataclass(frozen=True, slots=True)
class Case:
    """What the sentences may speak of."""

    kind: Kind
    tenant: Tenant | None
    header: Mapping[str, Any]
    claims: Mapping[str, Any]
    expected_issuer: str | None = None
    others: tuple[Tenant, ...] = field(default=())
    """Other tenants that have the token's key, found where its own has it not."""


def why(case: Case, refusal: InvalidToken) -> str:
    """Why a check failed."""
    return WHY.get(refusal.rule or "", _text)(case, refusal)


def row_of(case: Case) -> SigningKey | None:
    """The key that the token names, whatever its state. The case's tenant is entered."""
    kid = case.header.get("kid")
    return cache.load().by_kid.get(kid) if isinstance(kid, str) and case.tenant is not None else None


def holders(kid: object, but: Tenant) -> tuple[Tenant, ...]:
    """Other tenants that have a key of this id, among the first of them. No tenant is entered."""
    found = []
    for place, tenant in enumerate(record.every()):
        if place >= _SEARCHED:
            break
        if tenant.id != but.id:
            with entered(tenant):
                if isinstance(kid, str) and kid in cache.load().by_kid:
                    found.append(tenant)
    return tuple(found)


def about_key(row: SigningKey) -> str:
    """A key's state and since when or until when."""
    state = keys.state(row, clock.now())
    told = {
        keys.State.PENDING: f"is not published before {at(row.publish_at)}",
        keys.State.NEXT: f"is published and signs from {at(row.activate_at)} on",
        keys.State.ACTIVE: f"has signed since {at(row.activate_at)}",
        keys.State.RETIRING: f"signed from {at(row.activate_at)} to {at(row.retire_at)} and is still published",
        keys.State.GONE: f"signed from {at(row.activate_at)} to {at(row.retire_at)}, withdrawn at {at(row.gone_at)}",
        keys.State.REVOKED: f"was revoked at {at(row.revoked_at)}",
    }
    return told[state]


def at(instant: dt.datetime | None) -> str:
    """An instant in UTC to the second."""
    return "-" if instant is None else f"{instant.astimezone(dt.UTC):%Y-%m-%dT%H:%M:%SZ}"


def span(seconds: float) -> str:
    """A length of time in its two largest units."""
    left, words = int(abs(seconds)), []
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)):
        count, left = divmod(left, size)
        if count:
            words.append(f"{count} {unit}")
    return " ".join(words[:2]) or "0 s"


def _text(case: Case, refusal: InvalidToken) -> str:
    name = (refusal.rule or "").partition(".")[2]
    return f"{name} has to be {refusal.expected}: another program made this one."


def _typ(case: Case, refusal: InvalidToken) -> str:
    if case.kind is Kind.ID:
        return "This is an ID token, which is for the application that signed the person in: send an access token."
    if case.kind is Kind.ACCESS:
        return "The type of an access token is a field of its API: change typ there, or what the service accepts."
    return f"The header names a type that a {case.kind} does not have here."


def _kid(case: Case, refusal: InvalidToken) -> str:
    if case.tenant is None:
        return "The key cannot be looked up without a tenant."
    row = row_of(case)
    if row is not None:
        end = {
            keys.State.REVOKED: "everything that it signed is void",
            keys.State.GONE: "no token that it signed can be valid still",
            keys.State.PENDING: "nobody can know it yet",
        }.get(keys.state(row, clock.now()), "it is not for verifying")
        return f"The key {about_key(row)}: {end}."
    if case.others:
        named = ", ".join(tenant.slug for tenant in case.others)
        return f"The key is one of {named}, and the token names {case.tenant.slug} as its issuer: forged, or mixed up."
    return (
        f"{case.tenant.slug} never had a key of this id: the token is of another deployment, or of a database "
        "that was restored or made anew."
    )


def _alg(case: Case, refusal: InvalidToken) -> str:
    return "The header names another algorithm than the key is for: the token was not made by this provider."


def _signature(case: Case, refusal: InvalidToken) -> str:
    return "The key did not sign this text: the token was changed, cut off, or signed by someone else under its id."


def _iss(case: Case, refusal: InvalidToken) -> str:
    return issuers.find(case.claims.get("iss")).why or "The issuer is not the tenant's."


def _service_issuer(case: Case, refusal: InvalidToken) -> str:
    own = issuers.find(case.expected_issuer)
    return own.why or "The service expects the issuer of another tenant: mend the service's configuration."


def _tenant(case: Case, refusal: InvalidToken) -> str:
    return "The token names another tenant than the one whose issuer and key it carries: it is forged."


def _exp(case: Case, refusal: InvalidToken) -> str:
    ago = clock.epoch() - int(case.claims["exp"])
    return f"It expired {span(ago)} ago; the clock here says {at(clock.now())}. Refresh it, or compare the clocks."


def _ahead(name: str) -> Callable[[Case, InvalidToken], str]:
    def sentence(case: Case, refusal: InvalidToken) -> str:
        value = case.claims.get(name)
        if not isinstance(value, int) or isinstance(value, bool) or value <= clock.epoch():
            return f"{name} must be a whole number of seconds."
        ahead = span(value - clock.epoch())
        return f"It lies {ahead} ahead; the clock here says {at(clock.now())}. Compare the clocks of both machines."

    return sentence


def _expires(case: Case, refusal: InvalidToken) -> str:
    if isinstance(case.claims.get("exp"), int) and str(refusal.expected).startswith("after"):
        return _exp(case, refusal)
    return "exp must be a whole number of seconds."


def _aud(case: Case, refusal: InvalidToken) -> str:
    held = kinds.audiences(case.claims)
    if not held:
        return "The token is for nobody."
    if case.kind is Kind.ASSERTION:
        return "An assertion is for the issuer; for its token endpoint where assertion_for_token_endpoint is set."
    if case.kind is Kind.ID:
        return "The ID token is for another application."
    known = [api.identifier for api in directory.apis()] if case.tenant is not None else []
    fix = "ask for a scope of that API, or name it as resource"
    if not set(refusal.expected if isinstance(refusal.expected, list) else []) & set(known):
        fix = (
            f"the tenant's APIs are {', '.join(known) or 'none'}; make one, or mend what the service expects"
        )
    return f"The token is for {', '.join(held)}, not for this service: {fix}."


def _status(case: Case, refusal: InvalidToken) -> str:
    slug = case.tenant.slug if case.tenant else "SLUG"
    return f"Nothing of a tenant that is {refusal.got} is taken: idp tenant resume {slug}."


def _session(case: Case, refusal: InvalidToken) -> str:
    return "The person has signed out, or the session grew too old (policy.session_idle, policy.session_absolute)."


def _grant(case: Case, refusal: InvalidToken) -> str:
    if refusal.got == "none":
        return "What the token was issued under is no longer there, or is another client's, or its client is disabled."
    return f"What the token was issued under has ended: {refusal.got}."


def _subject(case: Case, refusal: InvalidToken) -> str:
    return f"The person may not be spoken for: {refusal.got}. idp user show tells their state."


def _client(case: Case, refusal: InvalidToken) -> str:
    named = case.claims.get("client_id", case.claims.get("sub"))
    return f"The client {named!r} is {refusal.got}: idp client show tells its state."


_SENTENCES: dict[str, str] = {
    "token.size": "It is longer than anything that is looked at.",
    "token.form": "A JWT has three parts with dots between them: this one is cut off, or something else.",
    "token.encoding": "A part is not base64url as it must be written: it was cut off, padded, or changed on its way.",
    "token.header": "The header of a token of ours holds alg, kid and typ alone: another program made this one.",
    "token.payload": "The payload is no JSON object with each name once.",
    "token.lifetime": "No token of ours lives that long: the times were changed, or another program made it.",
    "access_token.jti": "The jti names no grant and no client of ours: this is no access token of this provider.",
    "access_token.not_before": "An operator has voided everything from before (idp not-before): get a new token.",
    "access_token.revoked": "This very token was revoked: by its client at the revocation endpoint.",
    "id_token.kind": "It carries a client_id, which an ID token has not: this is an access token.",
    "refresh_token.form": "It begins like a refresh token, but its length or checksum is wrong: cut off, or changed.",
    "refresh_token.known": "No tenant has it: it is of another deployment, or was purged, or its client is disabled.",
    "refresh_token.used": "A refresh token is good once: use the one that came back, never two requests with the same.",
    "refresh_token.exp": "It went unused for too long (policy.refresh_idle) or has its age (policy.refresh_absolute).",
    "assertion.typ": "The header names a type that a client's assertion does not have.",
    "assertion.aud": "The assertion must name the issuer as its one audience, as a string (FAPI 2.0).",
    "assertion.alg": "The client does not sign with this algorithm (token_endpoint_auth_signing_alg).",
    "assertion.kid": "Exactly one key of the client's jwks must have this kid and be for this algorithm: register it.",
    "assertion.key": "The registered key cannot be used: put the public key into the client's jwks again.",
    "assertion.payload": "The payload is no JSON object with each name once.",
    "assertion.lifetime": "An assertion may live 5 minutes from now at most.",
    "assertion.iss": "iss of an assertion is the client_id.",
    "assertion.sub": "sub of an assertion is the client_id.",
    "assertion.jti": "An assertion needs a jti, so that it can be used once.",
    "assertion.used": "It was used before: each request needs an assertion with a jti of its own.",
    "client.method": "The client is registered with another way to authenticate (token_endpoint_auth_method).",
}  # fmt: skip

WHY: dict[str, Callable[[Case, InvalidToken], str]] = {
    "token.typ": _typ,
    "token.kid": _kid,
    "token.alg": _alg,
    "token.signature": _signature,
    "token.iss": _iss,
    "token.tenant": _tenant,
    "token.tenant_id": _tenant,
    "token.exp": _expires,
    "token.iat": _ahead("iat"),
    "token.nbf": _ahead("nbf"),
    "token.aud": _aud,
    **dict.fromkeys(("token.sub", "token.jti", "token.client_id", "token.azp", "token.scope"), _text),
    "tenant.status": _status,
    "service.issuer": _service_issuer,
    "access_token.session": _session,
    "refresh_token.session": _session,
    "access_token.grant": _grant,
    "refresh_token.grant": _grant,
    "access_token.client": _client,
    "access_token.subject": _subject,
    "refresh_token.subject": _subject,
    **{rule: lambda case, refusal, text=text: text for rule, text in _SENTENCES.items()},  # type: ignore[misc]
}
