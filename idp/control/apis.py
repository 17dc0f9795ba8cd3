"""Operators' verbs for the APIs of the entered tenant and for who may ask for what of them.

The default API, whose identifier is the issuer, is not an object: it has the scopes that no API declares.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from idp import audit, claim_rules, clock, identifiers, ids, registration, urls
from idp.audit import Actor, Event
from idp.control import telling
from idp.errors import Conflict, Invalid, NotFound
from idp.oauth import schemas
from idp.store.database import transaction
from idp.store.durable import apis
from idp.store.durable.apis import SETTINGS, Api
from idp.store.durable.clients import Client
from idp.tenants import current

MOST_SCOPES = 200
TYPES = ("at+jwt", "JWT")  # RFC 9068 section 2.1; JWT for services that refuse it
FIELDS = ("name", "scopes", *SETTINGS)


def create(identifier: str, fields: Mapping[str, Any], actor: Actor | None = None) -> Api:
    """A new API. Raises Invalid naming the field, Conflict when the identifier is taken."""
    checked_identifier(identifier)
    given = checked(fields)
    name = given.pop("name", None) or identifier[:64]
    scopes = given.pop("scopes", {})
    settings = {key: value for key, value in given.items() if value is not None}
    api = Api(ids.uuid7(), identifier, name, scopes, settings, clock.now(), {})
    with transaction():
        apis.create(api)
        audit.record(Event.API_CREATED, actor, api=identifier)
    telling.changed(settings.get("alg"))
    return api


def checked_identifier(identifier: object) -> None:
    """Raises Invalid for what is no absolute URI, Conflict for the default API's."""
    try:
        urls.resource(identifier)
    except ValueError as problem:
        raise Invalid(f"identifier {problem}.", rule="identifier") from None
    if identifier in current().issuers:
        raise Conflict("The API whose identifier is the issuer is there already.", rule="identifier")


def checked(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of an API that were given, checked; None puts a default back. Raises Invalid."""
    for name in fields:
        if name not in FIELDS:
            raise Invalid(f"{name} is not known here.", rule=str(name))
    result = dict(fields)
    for name, check in _CHECKS.items():
        if result.get(name) is not None:
            try:
                result[name] = check(result[name])
            except ValueError as problem:
                raise Invalid(f"{name} {problem}.", rule=name) from None
    return result


def _scopes(value: object) -> dict[str, str]:
    if not isinstance(value, Mapping) or len(value) > MOST_SCOPES:
        raise ValueError(f"must be a mapping of at most {MOST_SCOPES} scopes to a sentence each")
    for scope, sentence in value.items():
        field = f"scopes.{scope}"
        try:
            identifiers.scope_token(scope)
            identifiers.text(sentence, 256)
        except ValueError as problem:
            raise Invalid(f"{field} {problem}.", rule=field) from None
        if scope in registration.STANDARD_SCOPES:
            raise Invalid(f"{field} is a scope of OpenID Connect.", rule=field)
    return dict(value)


def _lifetime(value: object) -> int:
    most = current().policy.access_token_lifetime
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
        raise ValueError(
            f"must be a whole number of seconds from 1 to {most}, which is the policy of the tenant"
        )
    return value


def _algorithm(value: object) -> str:
    name = "EdDSA" if value == "Ed25519" else value
    if not isinstance(name, str) or name not in registration.ALGORITHMS:
        raise ValueError(f"must be one of {', '.join(registration.ALGORITHMS)}")
    return name


def _type(value: object) -> str:
    if not isinstance(value, str) or value not in TYPES:
        raise ValueError(f"must be one of {', '.join(TYPES)}")
    return value


def _client_ids(value: object) -> list[str]:
    if not isinstance(value, list | tuple) or len(value) > 100:
        raise ValueError("must be a list of at most 100 client_ids")
    return list(dict.fromkeys(identifiers.client_id(member) for member in value))


def _open_scopes(value: object) -> list[str]:
    if not isinstance(value, list | tuple) or len(value) > MOST_SCOPES:
        raise ValueError(f"must be a list of at most {MOST_SCOPES} scopes")
    return list(dict.fromkeys(identifiers.scope_token(member) for member in value))


def _details_types(value: object) -> dict[str, Any]:
    """Types of authorization_details (RFC 9396 section 2.1), each with a name for people and a JSON Schema."""
    if not isinstance(value, Mapping) or len(value) > 50:
        raise ValueError("must be a mapping of at most 50 types")
    for name, declared in value.items():
        if not isinstance(declared, Mapping) or set(declared) != {"name", "schema"}:
            raise ValueError(f"{name!r} must have exactly a name and a schema")
        identifiers.text(declared["name"], 64)
        if (
            not isinstance(name, str)
            or not 0 < len(name) <= 128
            or not isinstance(declared["schema"], Mapping)
        ):
            raise ValueError("must name each type in 1 to 128 characters, with a schema that is an object")
        schemas.check(declared["schema"])
    return {str(name): dict(declared) for name, declared in value.items()}


_CHECKS: dict[str, Any] = {
    "name": identifiers.text,
    "scopes": _scopes,
    "access_token_lifetime": _lifetime,
    "alg": _algorithm,
    "typ": _type,
    "introspected_by": _client_ids,
    "open_scopes": _open_scopes,
    "authorization_details_types": _details_types,
    "claims": lambda value: [rule.stored() for rule in claim_rules.parse(value, default=("access_token",))],
}


def show(identifier: str) -> Api:
    """The API of that identifier. Raises NotFound."""
    api = apis.by_identifier(identifier)
    if api is None:
        raise NotFound("There is no such API.", rule="identifier")
    return api


def list_(limit: int = 100, after: str | None = None) -> tuple[Api, ...]:
    """At most `limit` APIs (100 at most), by identifier, those behind the identifier `after`."""
    return apis.all_apis(min(max(limit, 1), 100), after)


def update(identifier: str, fields: Mapping[str, Any], actor: Actor | None = None) -> Api:
    """Change what is given; None puts a default back. Raises NotFound, Invalid naming the field."""
    with transaction():
        present = show(identifier)
        new = changed(present, fields)
        different = differences(present, new)
        if not different:
            return present
        apis.update(new)
        for client, scopes in present.grants.items():
            left = tuple(scope for scope in scopes if scope in new.scopes)
            if left != scopes:
                apis.grant(present.id, client, left) if left else apis.ungrant(present.id, client)
        audit.record(Event.API_UPDATED, actor, api=identifier, changed=different)
    telling.changed(new.settings.get("alg"))
    return show(identifier)


def changed(present: Api, fields: Mapping[str, Any]) -> Api:
    """The API after the change of what is given. Raises Invalid naming the field."""
    given = checked(fields)
    name = given.pop("name", present.name) or present.identifier[:64]
    scopes = given.pop("scopes", present.scopes) or {}
    settings = {key: value for key, value in {**present.settings, **given}.items() if value is not None}
    return replace(present, name=name, scopes=scopes, settings=settings)


def differences(one: Api, other: Api) -> list[str]:
    """Names of the fields in which two states of an API differ."""
    different = {name for name in ("name", "scopes") if getattr(one, name) != getattr(other, name)}
    names = {*one.settings, *other.settings}
    return sorted(different | {name for name in names if one.settings.get(name) != other.settings.get(name)})


def delete(identifier: str, actor: Actor | None = None) -> Api:
    """Delete an API, its grants and its roles."""
    with transaction():
        api = show(identifier)
        apis.delete(api.id)
        audit.record(Event.API_DELETED, actor, api=identifier)
    telling.changed()
    return api


def granted(api: Api, scope: object) -> tuple[str, ...]:
    """The scopes of a grant, which must be the API's own. Raises Invalid."""
    return scopes_of(api.scopes, scope)


def scopes_of(known: Mapping[str, Any], scope: object) -> tuple[str, ...]:
    """The scopes that a grant names, each of them in `known`. Raises Invalid."""
    try:
        scopes = identifiers.scope_set(scope)
    except ValueError as problem:
        raise Invalid(f"scope {problem}.", rule="scope") from None
    unknown = [token for token in scopes if token not in known]
    if unknown or not scopes:
        raise Invalid("scope must name scopes of this API.", rule="scope", got=unknown)
    return scopes


def grant(api: Api, client: Client, scopes: tuple[str, ...], actor: Actor | None = None) -> bool:
    """Let a client ask for exactly these scopes of an API; False when it may already."""
    before = api.grants.get(client.id)
    if before is not None and set(before) == set(scopes):
        return False
    event = Event.API_GRANT_ADDED if before is None else Event.API_GRANT_CHANGED
    with transaction():
        apis.grant(api.id, client.id, scopes)
        audit.record(event, actor, api=api.identifier, client_id=client.client_id, scopes=list(scopes))
    telling.changed()
    return True


def ungrant(api: Api, client: Client, actor: Actor | None = None) -> bool:
    """Take a client's grant for an API away; False when it has none."""
    with transaction():
        done = apis.ungrant(api.id, client.id)
        if done:
            audit.record(Event.API_GRANT_REMOVED, actor, api=api.identifier, client_id=client.client_id)
    telling.changed()
    return done
