"""Software statements (RFC 7591 §2.3): what an issuer that the tenant trusts says of an application that registers.

A statement opens no door: who may register is decided as without it. What it says stands above what the application
says of itself, and the application keeps it as long as it is registered.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid5

from idp import clock, registration
from idp.errors import InvalidToken, Refusal
from idp.oauth import client_keys
from idp.signing import parts
from idp.signing.foreign import FOREIGN, Foreign
from idp.tenants import current

NAME = "software_statement"
TYPES = (None, "JWT", "software-statement+jwt")
"""Header types of a statement; RFC 7591 names none."""
LIFETIME = 3_660 * 86_400
"""Seconds from now that its `exp` may lie ahead: statements come with a release and live as long as that."""
_KEYS = {"jwks", "jwks_uri"}


class Unapproved(Refusal):
    """RFC 7591 §3.2.2: nobody whom the tenant trusts has made this statement."""

    code = "unapproved_software_statement"
    description = "A software statement of this issuer is not accepted here."


class Invalid(Refusal):
    """RFC 7591 §3.2.2: it is no statement, or not one that its issuer has signed and that counts now and here."""

    code = "invalid_software_statement"
    description = "The software statement is invalid."


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement that holds: as it was sent, who made it, of which software, and what it says of the client."""

    text: str
    issuer: str
    software_id: str
    metadata: dict[str, Any]

    def upon(self, metadata: Mapping[str, Any]) -> dict[str, Any]:
        """What an application says of itself with what the statement says in its place (RFC 7591 §3.1.1)."""
        instead = set(self.metadata) | (_KEYS if _KEYS & set(self.metadata) else set())
        # A name in another language would be another name.
        return {
            n: value for n, value in metadata.items() if n.partition("#")[0] not in instead
        } | self.metadata


def read(text: object) -> Statement:
    """The statement, once everything about it holds. Raises Invalid, Unapproved, and Busy where nobody can look now."""
    trusted = _trusted()
    try:
        issuer = _issuer(text) if trusted else ""
        uri = trusted.get(issuer)
        if uri is None:
            raise Unapproved(
                rule="software_statement.issuer", expected=sorted(trusted), got=issuer[:512],
                setting="policy.software_statement_issuers",
            )  # fmt: skip
        claims = _verified(str(text), issuer, uri)
        if "aud" in claims:
            parts.check_audience(claims, current().issuers)
    except InvalidToken as refusal:
        rule = str(refusal.rule).replace("assertion.", f"{NAME}.").replace("token.", f"{NAME}.")
        raise Invalid(rule=rule, expected=refusal.expected, got=refusal.got) from None
    software_id = claims.get("software_id")
    if not isinstance(software_id, str) or not software_id:
        # Whatever else its issuer signs, an ID token for one, is no statement of a software.
        raise Invalid(rule="software_statement.software_id", expected="a software_id", got=software_id)
    said = {name: value for name, value in claims.items() if registration.check_of(name)}
    return Statement(str(text), issuer, software_id, {n: v for n, v in said.items() if v is not None})


def _trusted() -> dict[str, str]:
    """The issuers that the tenant trusts, each with its jwks_uri."""
    return dict(each.split(" ", 1) for each in current().policy.software_statement_issuers)


def _issuer(text: object) -> str:
    """Who says to have made it, by which its keys are found; not yet verified. Raises InvalidToken."""
    _, payload, _, _ = parts.split(text)
    claims = parts.json_object(payload, "token.payload")
    parts.check_texts(claims)
    return str(claims.get("iss", ""))


def _verified(text: str, issuer: str, uri: str) -> dict[str, Any]:
    keys = client_keys.served(uuid5(current().id, issuer), uri, parts.kid(text), vouched=True)
    seen = Foreign(
        text,
        keys,
        registration.ALGORITHMS,
        TYPES,
        issuer,
        None,
        None,
        LIFETIME,
        clock.epoch(),
        needs_exp=False,
    )
    FOREIGN.hold(seen)
    return seen.claims
