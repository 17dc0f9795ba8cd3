"""Rich authorization requests (RFC 9396): what exactly is asked for, by types that an API declares with a JSON Schema.

Owns the reading of `authorization_details`, their words for people, and how a token request narrows them. A type that
no API declares, that the client is not registered for, or whose API the token would not reach is refused; so is what
does not fit its schema. What a schema may hold is in `idp.oauth.schemas`.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from referencing import Registry
from referencing.exceptions import Unresolvable

from idp import directory
from idp.errors import Refusal
from idp.oauth import scopes
from idp.store.durable.apis import Api
from idp.store.durable.clients import Client

LONGEST, MOST, DEEPEST, LARGEST = 16_384, 20, 8, 500
"""Characters of the parameter, objects in it, how deep one may be, and how many values all of them may have."""
MOST_ROWS = 40
_NONE: Registry[Any] = Registry()

Details = tuple[dict[str, Any], ...]


class InvalidAuthorizationDetails(Refusal):
    """RFC 9396 §5."""

    code = "invalid_authorization_details"
    description = "The authorization_details are of an unknown type, or do not fit it."


@dataclass(frozen=True, slots=True)
class Told:
    """One of them in words: what it is called, at which API, and what it says, each with its name."""

    name: str
    api: str
    rows: tuple[tuple[str, str], ...]


def _no(rule: str, got: object = None, expected: object = None) -> InvalidAuthorizationDetails:
    return InvalidAuthorizationDetails(rule=f"details.{rule}", got=got, expected=expected)


def _never(_: str) -> Any:
    raise ValueError


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({name for name, _ in pairs}) != len(pairs):
        raise ValueError
    return dict(pairs)


def read(text: str) -> Details:
    """The parameter: a JSON array of objects with a `type` (§2). Raises InvalidAuthorizationDetails."""
    if len(text) > LONGEST:
        raise _no("length", len(text), LONGEST)
    try:
        found = json.loads(text, parse_constant=_never, object_pairs_hook=_once)
    except (ValueError, RecursionError):
        raise _no("json") from None
    if not isinstance(found, list) or not 0 < len(found) <= MOST:
        raise _no("count", expected=f"an array of 1 to {MOST} objects")
    for each in found:
        if not isinstance(each, dict) or not isinstance(each.get("type"), str):
            raise _no("type", expected="objects, each with a type")
        if _depth(each) > DEEPEST or "\x00" in json.dumps(each) or "\\u0000" in json.dumps(each):
            raise _no("depth", expected=f"at most {DEEPEST} deep, without NUL")
    if _size(found) > LARGEST:
        raise _no("size", _size(found), LARGEST)
    return tuple(found)


def _depth(value: Any) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max(map(_depth, inner), default=0)


def _size(value: Any) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + sum(map(_size, inner))


def types() -> dict[str, Api]:
    """Every type that an API of the tenant declares, with that API; the first of two that declare the same."""
    found: dict[str, Api] = {}
    for api in directory.apis():
        for name in api.setting("authorization_details_types"):
            found.setdefault(name, api)
    return found


def checked(
    details: Details, client: Client, granted: tuple[str, ...], resources: tuple[str, ...]
) -> Details:
    """What is asked for, once each is of a known type of an API that the request reaches, and fits its schema."""
    known, mine = types(), client.metadata.get("authorization_details_types", ())
    reached = {api.id for api in scopes.reached(client, granted, resources)}
    for each in details:
        api = known.get(each["type"])
        if api is None or each["type"] not in mine or api.id not in reached:
            raise _no("known", each["type"][:128], sorted(set(known) & set(mine)))
        try:
            _validator(api, each["type"]).validate(each)
        except ValidationError as problem:
            raise _no("schema", problem.json_path[:256], str(problem.validator)) from None
        except (Unresolvable, RecursionError):  # of a schema from before its references were looked at
            raise _no("schema", "a reference that leads nowhere") from None
    return details


def _validator(api: Api, name: str) -> Draft202012Validator:
    return Draft202012Validator(api.setting("authorization_details_types")[name]["schema"], registry=_NONE)


def narrowed(
    text: str | None, kept: Sequence[dict[str, Any]] | None, client: Client, audience: Sequence[str]
) -> Details:
    """What of a grant's details one token has: what is asked for of it (§6, §7), at the APIs that it is for."""
    mine, known = client.metadata.get("authorization_details_types", ()), types()
    here = [
        each
        for each in kept or ()
        if each["type"] in mine and each["type"] in known and known[each["type"]].identifier in audience
    ]
    if text is None:
        return tuple(here)
    wanted = read(text)
    for each in wanted:
        if not any(_within(each, granted) for granted in here):
            raise _no("narrowing", each["type"][:128], "what was granted, or less")
    return wanted


def _within(asked: Any, granted: Any) -> bool:
    """Whether it is what was granted, or the same with fewer members in its lists of words."""
    if isinstance(asked, dict) and isinstance(granted, dict):
        return set(asked) == set(granted) and all(_within(asked[name], granted[name]) for name in asked)
    words = isinstance(asked, list) and isinstance(granted, list) and all(isinstance(e, str) for e in granted)
    if words:
        return bool(asked) and all(each in granted for each in asked)
    return type(asked) is type(granted) and bool(asked == granted)


def told(details: Details) -> tuple[Told, ...]:
    """What people read: the type's name, and each member by its title. Of a type that is gone, the bare names."""
    known, said = types(), []
    for each in details:
        api = known.get(each["type"])
        declared = {} if api is None else api.setting("authorization_details_types")[each["type"]]
        rows = tuple(_rows(each, declared.get("schema", {}), ""))[:MOST_ROWS]
        said.append(Told(str(declared.get("name") or each["type"]), "" if api is None else api.name, rows))
    return tuple(said)


def _rows(value: Mapping[str, Any], schema: Any, before: str) -> Iterator[tuple[str, str]]:
    properties = schema.get("properties", {}) if isinstance(schema, dict) else {}
    for name, inner in value.items():
        if name == "type" and not before:
            continue
        of = properties.get(name, {}) if isinstance(properties, dict) else {}
        title = of.get("title") if isinstance(of, dict) else None
        label = f"{before}{title if isinstance(title, str) else name}"
        if isinstance(inner, dict):
            yield from _rows(inner, of, f"{label} › ")
        elif isinstance(inner, list) and any(isinstance(each, dict | list) for each in inner):
            items = of.get("items", {}) if isinstance(of, dict) else {}
            for number, each in enumerate(inner, 1):
                numbered = each if isinstance(each, dict) else {"": each}
                yield from _rows(numbered, items, f"{label} {number} › ")
        else:
            yield label, _text(inner)


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(_text(each) for each in value)
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "none"}[value]
    return str(value)
