"""What is told about a person: standard claims by scope, groups and roles, and an operator's claim rules.

Three documents are made of it (`where`): the ID Token, the UserInfo answer, the access token. Standard claims
go to UserInfo; into an ID Token only those that the `claims` parameter asks for there (OpenID Connect Core
1.0 §5.4, §5.5). Nothing empty is ever told, and no rule makes a name that a protocol has taken.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from idp import claim_rules
from idp.accounts import variants
from idp.claim_rules import RESERVED, ClaimRule
from idp.store.durable import groups
from idp.store.durable.apis import Api
from idp.store.durable.clients import Client
from idp.store.durable.users import User

SCOPES: dict[str, tuple[str, ...]] = {
    "profile": (
        "name", "family_name", "given_name", "middle_name", "nickname", "preferred_username", "profile",
        "picture", "website", "gender", "birthdate", "zoneinfo", "locale", "updated_at",
    ),
    "email": ("email", "email_verified"),
    "address": ("address",),
    "phone": ("phone_number", "phone_number_verified"),
    "groups": ("groups",),
    "roles": ("roles",),
}  # fmt: skip
"""Claims by scope: OpenID Connect Core 1.0 §5.4, and two of ours that name what they tell (RFC 9068 §2.2.3.1)."""

SUPPORTED = ("sub", *(claim for claims in SCOPES.values() for claim in claims))
"""What discovery lists as `claims_supported`."""

_SCOPE_OF = {claim: scope for scope, claims in SCOPES.items() for claim in claims}
_ADDRESS = ("formatted", "street_address", "locality", "region", "postal_code", "country")
_MEMBERSHIPS = ("groups", "roles")
_PHONE = "phone_number"
_VERIFIED = {"email": "email_verified", _PHONE: "phone_number_verified"}
_NOTHING: tuple[object, ...] = (None, "", "null", [], {}, ())


@dataclass(frozen=True, slots=True)
class Explained:
    """The value of a claim, and in words the rule that made it."""

    value: Any
    rule: str


class _Person:
    """What is known of a person, each thing read when it is first needed."""

    def __init__(self, user: User | None, client: Client | None, apis: Sequence[Api]) -> None:
        self._user = user
        self._owners = {None, client.id if client else None}
        self._apis = {None, *(api.id for api in apis)}

    @cached_property
    def groups(self) -> list[str]:
        """Names of the groups, those above them included."""
        return sorted({group.name for group in groups.of_user(self._user.id)}) if self._user else []

    @cached_property
    def roles(self) -> list[str]:
        """Names of the roles of the tenant, of this client and of these APIs; no other client's or API's."""
        held = groups.roles_of_user(self._user.id) if self._user else ()
        return sorted(
            {role.name for role in held if role.client_id in self._owners and role.api_id in self._apis}
        )

    def standard(self, claim: str) -> Any:
        """A standard claim in its type (Core §5.1), or None."""
        user = self._user
        if user is None:
            return None
        if claim in _MEMBERSHIPS:
            return self.groups if claim == "groups" else self.roles
        own: dict[str, Callable[[], Any]] = {
            "updated_at": lambda: int(user.updated_at.timestamp()),
            "preferred_username": lambda: _text(user.claims.get(claim)) or user.username,
            "email": lambda: user.email,
            "email_verified": lambda: user.email_verified if user.email else None,
            "address": lambda: _address(user.claims.get(claim)),
            "phone_number_verified": lambda: user.claims.get(claim) is True if user.claims.get(_PHONE) else None,
        }  # fmt: skip
        return own[claim]() if claim in own else _text(user.claims.get(claim))

    def told(self, claim: str, locales: Sequence[str]) -> Iterator[tuple[str, Any]]:
        """A standard claim as it is wanted (Core §5.2): without a tag in the best language that there is of it.

        Where several languages are wanted, those of them that there are come with their tags as well.
        """
        tagged = variants.split(claim) if variants.MARK in claim else None
        if tagged is not None:
            yield claim, self._variant(*tagged)
            return
        mine = variants.allowed() if locales and claim in variants.TAGGED else ()
        held = {tag: self._variant(claim, tag) for tag in locales if tag in mine}
        found = [tag for tag, value in held.items() if not _nothing(value)]
        yield claim, held[found[0]] if found else self.standard(claim)
        if len(locales) > 1:
            yield from ((variants.named(claim, tag), held[tag]) for tag in found)

    def _variant(self, claim: str, tag: str) -> Any:
        value = self._user.claims.get(variants.named(claim, tag)) if self._user else None
        return _address(value) if claim == "address" else _text(value)

    def attribute(self, name: str) -> Any:
        """What an operator's rule may read: any attribute, by its claim name, or `username`."""
        if self._user is None:
            return None
        if name == "username":
            return self._user.username
        return self.standard(name) if name in _SCOPE_OF else self._user.claims.get(name)


def for_user(
    user: User | None,
    scopes: Iterable[str],
    *,
    requested: Mapping[str, Any] | None = None,
    where: str = "userinfo",
    client: Client | None = None,
    apis: Sequence[Api] = (),
    locales: Sequence[str] = (),
) -> dict[str, Any]:
    """The claims about `user` for one document; see `explained`."""
    if user is None and not any(True for _ in _rules(where, client, apis)):
        return {}
    told = explained(
        user, scopes, requested=requested, where=where, client=client, apis=apis, locales=locales
    )
    return {claim: each.value for claim, each in told.items()}


def explained(
    user: User | None,
    scopes: Iterable[str],
    *,
    requested: Mapping[str, Any] | None = None,
    where: str = "userinfo",
    client: Client | None = None,
    apis: Sequence[Api] = (),
    locales: Sequence[str] = (),
) -> dict[str, Explained]:
    """The claims about `user` for the document `where`, each with the rule that made it.

    `scopes`: those granted. `requested`: the member of the `claims` parameter for this document (Core §5.5).
    `client`: whom it is for; `apis`: those whose audience the token has; `locales`: in which languages claims are
    wanted, the best first. Without a user (client_credentials) only constants are told. Raises Unavailable when
    groups or roles are needed and Postgres is away.
    """
    person = _Person(user, client, apis)
    granted = set(scopes)
    told: dict[str, Explained] = {}
    if user is not None:
        told["sub"] = Explained(str(user.id), "subject")
    wanted = [*_by_scope(granted, where), *_by_request(requested or {}, granted, where, client)]
    for claim, rule in wanted:
        for name, value in person.told(claim, locales):
            if name not in told and not _nothing(value):
                told[name] = Explained(value, rule)
    for mapping, name in _rules(where, client, apis):
        value = _shaped(_source(person, mapping), mapping)
        if mapping.claim not in RESERVED and not _nothing(value):
            told[mapping.claim] = Explained(value, name)
    return _honest(told, person)


def _by_scope(granted: set[str], where: str) -> Iterator[tuple[str, str]]:
    for scope, claims in SCOPES.items():
        if scope in granted and (where == "userinfo" or scope in _MEMBERSHIPS):
            yield from ((claim, f"scope {scope}") for claim in claims)


def _by_request(
    requested: Mapping[str, Any], granted: set[str], where: str, client: Client | None
) -> Iterator[tuple[str, str]]:
    """Claims asked for one by one, as far as their scope is one that the client may ask for (Core §5.5)."""
    allowed = granted | set(str(client.metadata.get("scope") or "").split()) if client else set(SCOPES)
    for claim in requested:
        if _SCOPE_OF.get(claim.partition(variants.MARK)[0]) in allowed:
            yield claim, f"claims parameter ({where})"


def _rules(where: str, client: Client | None, apis: Sequence[Api]) -> Iterator[tuple[ClaimRule, str]]:
    owners: list[tuple[str, Any]] = [(f"API {api.identifier}", api) for api in apis]
    if client is not None:
        owners.append((f"client {client.client_id}", client))
    for name, owner in owners:
        kept = owner.setting("claims")
        for number, rule in enumerate(claim_rules.load(kept) if kept else (), 1):
            if where in rule.where:
                yield rule, f"claim rule {number} of {name} ({rule.source})"


def _source(person: _Person, rule: ClaimRule) -> Any:
    if rule.source == "constant":
        return rule.constant
    if rule.source == "attribute":
        return person.attribute(rule.attribute or "")
    return person.groups if rule.source == "groups" else person.roles


def _shaped(value: Any, rule: ClaimRule) -> Any:
    """At most `most` values in the shape that the rule asks for; one value keeps its JSON type."""
    if _nothing(value):
        return None
    members = [each for each in (value if isinstance(value, list | tuple) else [value]) if not _nothing(each)]
    members = members[: rule.most]
    if rule.shape == "list":
        return members
    if rule.shape == "space-separated":
        return " ".join(str(each) for each in members)
    return members[0] if members else None


def _honest(told: dict[str, Explained], person: _Person) -> dict[str, Explained]:
    """An address that a rule put in place of the proved one does not inherit its proof."""
    for claim, proof in _VERIFIED.items():
        if proof in told and claim in told and told[claim].value != person.standard(claim):
            del told[proof]
    return told


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _address(value: Any) -> dict[str, str] | None:
    """OpenID Connect Core 1.0 §5.1.1: an object of texts."""
    if not isinstance(value, Mapping):
        return None
    return {
        part: value[part] for part in _ADDRESS if isinstance(value.get(part), str) and value[part].strip()
    }


def _nothing(value: Any) -> bool:
    """Whether a value says nothing; false and zero say something."""
    return any(value is empty or (value == empty and type(value) is type(empty)) for empty in _NOTHING)
