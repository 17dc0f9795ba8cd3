"""What the JSON Schema of a type may hold: only what costs no more than schema and request are long.

A tenant writes it, a client sends what is held against it, and the process belongs to other tenants too. So a schema
refers to nothing, is short, and its patterns are of a kind that cannot run away: from the beginning, without groups and
alternatives, and with few ways to match (CWE-1333).
"""

import json
import re
from collections.abc import Mapping
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError

LONGEST, DEEPEST = 8_192, 16
"""Characters of a schema as JSON, and how deep one schema may lie in another."""
MOST_WAYS = 100_000
"""In how many ways a pattern may try to match, at most."""
_LONGEST_TEXT = 16_384

_ONE = frozenset({"additionalProperties", "items", "contains", "not", "if", "then", "else", "propertyNames"})
_SEVERAL = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
_NAMED = frozenset({"properties", "patternProperties"})
_PLAIN = frozenset(
    {
        "type", "const", "enum", "required", "minProperties", "maxProperties", "minItems", "maxItems", "uniqueItems",
        "minContains", "maxContains", "minLength", "maxLength", "pattern", "minimum", "maximum", "exclusiveMinimum",
        "exclusiveMaximum", "multipleOf", "dependentRequired", "title", "description", "default", "examples", "format",
        "deprecated", "readOnly", "writeOnly", "$schema", "$comment",
    }
)  # fmt: skip
_ATOM = re.compile(
    r"(?:\\[dDwWsS.\-/+()\[\]{}*?|^$\\]|\[\^?(?:\\.|[^\]\\\[])+\]|[^\\\[\](){}*+?|^$])"
    r"(?:\{(?P<least>\d{1,4})(?P<more>,(?P<most>\d{1,4})?)?\}|(?P<any>[*+])|(?P<maybe>\?))?"
)


def check(schema: Mapping[str, Any]) -> None:
    """That it is such a JSON Schema (2020-12). Raises ValueError."""
    try:
        text = json.dumps(schema)
    except (TypeError, ValueError, RecursionError):
        raise ValueError("must be a JSON Schema: it is no JSON") from None
    if len(text) > LONGEST:
        raise ValueError(f"must be a JSON Schema of at most {LONGEST} characters")
    _walk(schema, 0)
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as problem:
        raise ValueError(f"must be a JSON Schema: {problem.message[:100]}") from None


def _walk(schema: Any, depth: int) -> None:
    if isinstance(schema, bool):
        return
    if not isinstance(schema, Mapping) or depth > DEEPEST:
        raise ValueError(f"must be a JSON Schema, at most {DEEPEST} deep")
    for name, value in schema.items():
        if name in _ONE:
            _walk(value, depth + 1)
        elif name in _SEVERAL and isinstance(value, list):
            for each in value:
                _walk(each, depth + 1)
        elif name in _NAMED and isinstance(value, Mapping):
            for key, each in value.items():
                if name == "patternProperties":
                    pattern(key)
                _walk(each, depth + 1)
        elif name not in _PLAIN:
            raise ValueError(f"must be a JSON Schema without {str(name)[:64]}")
        if name == "pattern":
            pattern(value)


def pattern(value: object) -> None:
    """That a regular expression is one whose time is bounded. Raises ValueError."""
    if not isinstance(value, str) or not value.startswith("^"):
        raise ValueError("must have patterns that begin with ^")
    body, ways, at = value[1:].removesuffix("$"), 1, 0
    if body.endswith("\\") and value.endswith("$"):
        body += "$"
    while at < len(body):
        found = _ATOM.match(body, at)
        if found is None:
            raise ValueError(
                "must have patterns of single characters and classes, without groups and alternatives"
            )
        ways *= _most(found)
        at = found.end()
    if ways > MOST_WAYS:
        raise ValueError("must have patterns that match in fewer ways")
    try:
        re.compile(value)
    except (re.error, OverflowError) as problem:
        raise ValueError(f"must have patterns that are regular expressions: {problem}"[:128]) from None


def _most(found: re.Match[str]) -> int:
    """How often an atom may stand, at most."""
    if found["any"] or (found["more"] and not found["most"]):
        return _LONGEST_TEXT
    if found["maybe"]:
        return 2
    return max(1, int(found["most"] or found["least"] or 1))
