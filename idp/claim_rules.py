"""Claim rules: how a client or an API turns what is known of a person into claims of its own.

Owns: the shape of a rule, the names that no rule may make, and reading rules that an operator wrote. Leaves
to `idp.accounts.claims` what a rule gives for a person, and to `idp.oauth` when a document is made.

A rule in a blueprint: `{claim: department, source: attribute, attribute: org_unit, where: [id_token],
shape: string, max: 1}`. `attribute: x` and `constant: x` alone say their source, too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from idp import identifiers
from idp.errors import Invalid

SOURCES = ("attribute", "groups", "roles", "constant")
WHERE = ("id_token", "userinfo", "access_token")
SHAPES = ("list", "string", "space-separated")
MOST_RULES = 50  # of one client or API
MOST_MEMBERS = 1000  # values in one claim; a token must fit into a header
MOST_CONSTANT = 1024  # characters of a constant

RESERVED = frozenset(
    {
        # RFC 7519, 9068, 8693, 7800, 9396, 8417: what tokens say about themselves
        "iss", "sub", "aud", "exp", "nbf", "iat", "jti", "client_id", "scope", "cnf", "act", "may_act", "events",
        "txn", "toe", "authorization_details", "token_type", "token_use", "typ", "active",
        # OpenID Connect Core sections 2, 3.3.2.11, 5.6.2, 7.4 and Session: what an ID token says about a sign-in
        "auth_time", "nonce", "acr", "amr", "azp", "at_hash", "c_hash", "s_hash", "sid", "sub_jwk",
        "_claim_names", "_claim_sources",
        # what only a proof may say, and what names the tenant
        "email_verified", "phone_number_verified", "tenant", "tenant_id",
    }
)  # fmt: skip
"""Names that a rule may never make (RFC 7519 section 4.1 and its kin); the mint refuses them again."""

_MEMBERS = {"claim", "source", "attribute", "constant", "value", "where", "shape", "max"}


@dataclass(frozen=True, slots=True)
class ClaimRule:
    """From `source` to the claim `claim`, in the documents `where`, in `shape`, at most `most` values."""

    claim: str
    source: str
    attribute: str | None = None
    constant: str | int | bool | tuple[str, ...] | None = None
    where: tuple[str, ...] = ("id_token", "userinfo")
    shape: str = "string"
    most: int = 100

    def stored(self) -> dict[str, Any]:
        """The rule as it is kept and as a blueprint may spell it."""
        kept: dict[str, Any] = {"claim": self.claim, "source": self.source}
        if self.source == "attribute":
            kept["attribute"] = self.attribute
        if self.source == "constant":
            kept["constant"] = list(self.constant) if isinstance(self.constant, tuple) else self.constant
        return kept | {"where": list(self.where), "shape": self.shape, "max": self.most}


def load(stored: Sequence[Mapping[str, Any]]) -> tuple[ClaimRule, ...]:
    """Rules as they are kept, without checking them again; those that are unreadable by now are left out."""
    rules = []
    for index, kept in enumerate(stored):
        try:
            rules.append(_rule(kept, f"claims[{index}]", ("id_token", "userinfo")))
        except Invalid:
            continue
    return tuple(rules)


def parse(given: object, *, default: tuple[str, ...] = ("id_token", "userinfo")) -> tuple[ClaimRule, ...]:
    """Rules that an operator wrote; `default` is where a rule works that does not say so.

    Raises Invalid with `rule` naming the member, such as `claims[2].claim`.
    """
    if not isinstance(given, Sequence) or isinstance(given, str | bytes):
        raise _wrong("claims", "must be a list of rules")
    if len(given) > MOST_RULES:
        raise _wrong("claims", f"must have at most {MOST_RULES} rules")
    rules = tuple(_rule(rule, f"claims[{index}]", default) for index, rule in enumerate(given))
    seen: dict[tuple[str, str], int] = {}
    for index, rule in enumerate(rules):
        for where in rule.where:
            if (rule.claim, where) in seen:
                raise _wrong(
                    f"claims[{index}].claim", f"is made by rule {seen[rule.claim, where]} in {where} already"
                )
            seen[rule.claim, where] = index
    return rules


def _rule(given: object, field: str, default: tuple[str, ...]) -> ClaimRule:
    if not isinstance(given, Mapping):
        raise _wrong(field, "must be a mapping")
    for name in given:
        if name not in _MEMBERS:
            raise _wrong(f"{field}.{name}", "is not known here")
    source = _source(given, field)
    attribute = given.get("attribute") if source == "attribute" else None
    if source == "attribute":
        attribute = _named(attribute, f"{field}.attribute")
    constant = _constant(given, field) if source == "constant" else None
    shape = given.get(
        "shape", "list" if source in ("groups", "roles") or isinstance(constant, tuple) else "string"
    )
    if shape not in SHAPES:
        raise _wrong(f"{field}.shape", f"must be one of {', '.join(SHAPES)}")
    most = given.get("max", 100)
    if not isinstance(most, int) or isinstance(most, bool) or not 1 <= most <= MOST_MEMBERS:
        raise _wrong(f"{field}.max", f"must be a whole number from 1 to {MOST_MEMBERS}")
    claim = _named(given.get("claim"), f"{field}.claim")
    if claim in RESERVED:
        raise _wrong(f"{field}.claim", "is a reserved name")
    return ClaimRule(claim, source, attribute, constant, _where(given, field, default), shape, most)


def _source(given: Mapping[str, Any], field: str) -> str:
    implied = [name for name in ("attribute", "constant") if name in given]
    implied += ["constant"] if "value" in given else []
    source = given.get("source", implied[0] if len(implied) == 1 else None)
    if source not in SOURCES:
        raise _wrong(f"{field}.source", f"must be one of {', '.join(SOURCES)}")
    if any(name != source for name in implied):
        raise _wrong(f"{field}.source", "does not fit the other members of the rule")
    return str(source)


def _where(given: Mapping[str, Any], field: str, default: tuple[str, ...]) -> tuple[str, ...]:
    where = given.get("where", default)
    where = [where] if isinstance(where, str) else where
    if not isinstance(where, list | tuple) or not where or any(name not in WHERE for name in where):
        raise _wrong(f"{field}.where", f"must be a list of {', '.join(WHERE)}")
    return tuple(name for name in WHERE if name in where)


def _constant(given: Mapping[str, Any], field: str) -> str | int | bool | tuple[str, ...]:
    value = given.get("constant", given.get("value"))
    members = value if isinstance(value, list) else [value]
    texts = [member for member in members if isinstance(member, str)]
    number = isinstance(value, int) and abs(value) < 2**53  # RFC 8259 section 6
    if not number and (len(texts) != len(members) or not texts or sum(map(len, texts)) > MOST_CONSTANT):
        raise _wrong(f"{field}.constant", "must be a text, a whole number, true, false or a list of texts")
    if any(not text.isprintable() for text in texts):
        raise _wrong(f"{field}.constant", "must have no control or invisible characters")
    return tuple(texts) if isinstance(value, list) else value


def _named(value: object, field: str) -> str:
    try:
        return identifiers.claim_name(value)
    except ValueError as problem:
        raise _wrong(field, str(problem)) from None


def _wrong(field: str, clause: str) -> Invalid:
    return Invalid(f"{field} {clause}.", rule=field, expected=clause)
