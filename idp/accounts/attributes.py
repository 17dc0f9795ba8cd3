"""What may be known of a person: the standard claims in their types, and a tenant's own attributes.

OpenID Connect Core section 5.1 gives the names and types. A tenant's own attributes stand under `attributes`;
only claim rules make claims of them, so that a misspelt standard name is a mistake and not an attribute.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from idp import identifiers, urls
from idp.accounts import variants
from idp.claim_rules import RESERVED
from idp.errors import Invalid

MOST_ATTRIBUTES = 50
LONGEST = 1024  # characters of an attribute

_BIRTHDATE = re.compile(
    r"(?:0000|18[5-9]\d|19\d\d|20\d\d)(?:-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01]))?", re.ASCII
)
_ZONE = re.compile(r"[A-Za-z][A-Za-z0-9_+/-]{0,63}", re.ASCII)
_LOCALE = re.compile(r"[A-Za-z]{2,8}(?:[-_][A-Za-z0-9]{1,8}){0,4}", re.ASCII)
_PHONE = re.compile(r"\+?[0-9][0-9 ().-]{2,30}(?:;ext=[0-9]{1,10})?", re.ASCII)
_ADDRESS = ("formatted", "street_address", "locality", "region", "postal_code", "country")


def _text(value: object) -> str:
    return identifiers.text(value, 256)


def _shaped(pattern: re.Pattern[str], shape: str) -> Callable[[object], str]:
    def check(value: object) -> str:
        if not isinstance(value, str) or not pattern.fullmatch(value):
            raise ValueError(f"must be {shape}")
        return value

    return check


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("must be true or false")
    return value


def _address(value: object) -> dict[str, str]:
    if not isinstance(value, Mapping) or not value or not set(value) <= set(_ADDRESS):
        raise ValueError(f"must be a mapping with some of {', '.join(_ADDRESS)}")
    for part in value.values():
        for line in part.split("\n") if isinstance(part, str) else [None]:
            identifiers.text(line, 256)
    return dict(value)


STANDARD: dict[str, Callable[[object], Any]] = {
    **dict.fromkeys(
        ("name", "given_name", "family_name", "middle_name", "nickname", "preferred_username"), _text
    ),
    **dict.fromkeys(("profile", "picture", "website"), lambda value: urls.web_url(value).text),
    "gender": lambda value: identifiers.text(value, 64),
    "birthdate": _shaped(_BIRTHDATE, "a date as YYYY-MM-DD or a year from 1850"),
    "zoneinfo": _shaped(_ZONE, "a time zone such as Europe/Berlin"),
    "locale": _shaped(_LOCALE, "a language tag such as en-GB"),
    "phone_number": _shaped(_PHONE, "a telephone number such as +49 30 1234567"),
    "phone_number_verified": _flag,
    "address": _address,
}
"""The standard claims that an operator may set, each with its check."""


def standard(given: Mapping[str, Any]) -> dict[str, Any]:
    """The standard claims in `given`, checked; None stays None and takes one away. Raises Invalid."""
    checks = ((name, check_of(name)) for name in given)
    return {
        name: None if given[name] is None else _checked(name, given[name], check)
        for name, check in checks
        if check is not None
    }


def check_of(name: str) -> Callable[[object], Any] | None:
    """What a standard claim may hold, or one in a language of the tenant's (`name#de`); None for any other name."""
    found = variants.split(name) if variants.MARK in name else None
    if found is not None and name != variants.named(*found):
        return None  # another spelling of the tag would be another claim
    return STANDARD.get(name if found is None else found[0])


def own(given: object) -> dict[str, Any]:
    """A tenant's own attributes, checked; None stays None and takes one away. Raises Invalid."""
    if not isinstance(given, Mapping):
        raise Invalid("attributes must be a mapping.", rule="attributes")
    if len(given) > MOST_ATTRIBUTES:
        raise Invalid(f"attributes must have at most {MOST_ATTRIBUTES} members.", rule="attributes")
    taken = RESERVED | set(STANDARD) | {"email", "username", "groups", "roles", "updated_at"}
    checked = {}
    for name, value in given.items():
        field = f"attributes.{name}"
        _checked(field, name, identifiers.claim_name)
        if name in taken:
            raise Invalid(f"{field} is a name that stands for something else.", rule=field)
        checked[str(name)] = None if value is None else _checked(field, value, _attribute)
    return checked


def _attribute(value: object) -> Any:
    members = value if isinstance(value, list) else [value]
    for member in members:
        if isinstance(member, str):
            identifiers.text(member, LONGEST)
        elif isinstance(value, list) or not isinstance(member, int) or abs(member) >= 2**53:
            raise ValueError("must be a text, a whole number, true, false or a list of texts")
    if len(members) > 100:
        raise ValueError("must have at most 100 members")
    return value


def _checked(field: str, value: object, check: Callable[[object], Any]) -> Any:
    try:
        return check(value)
    except ValueError as problem:
        raise Invalid(f"{field} {problem}.", rule=field) from None
