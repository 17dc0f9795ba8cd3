"""OpenID Connect Core 1.0 §3.1.2.1 and §5.5: prompt, max_age, nonce, claims, acr_values, hints."""

import json
import math
from typing import Any

from idp.accounts import assurance, joining, variants
from idp.accounts.claims import SUPPORTED
from idp.errors import InvalidRequest, Refusal
from idp.oauth import encryption as sealing
from idp.oauth.checks.pending import Pending
from idp.registration import flows

PROMPTS = ("none", "login", "consent", "select_account")
DISPLAYS = ("page", "popup", "touch")
"""What `display` may say to some effect; `wap` and any other word is a page."""
_MOST_CLAIMS = 100
_DEEPEST = 8
_MOST_DIGITS = 20
_LONGEST = {"state": 4096, "nonce": 1024, "login_hint": 512, "id_token_hint": 16384, "claims": 16384}


class UnmetAuthenticationRequirements(Refusal):
    """OpenID Connect Core Error Code unmet_authentication_requirements 1.0 §2."""

    code = "unmet_authentication_requirements"
    description = "The requested way of signing in is not available."


def lengths(pending: Pending) -> None:
    """Nothing that is carried along is longer than its use needs."""
    for name, most in _LONGEST.items():
        if len(pending.get(name) or "") > most:
            raise InvalidRequest(f"{name} is too long.", rule=f"{name}.length", expected=most)


def id_token(pending: Pending) -> None:
    """An ID token that comes with the answer is of an OpenID request, and bound to it (§3.2.2.1, §3.3.2.1)."""
    if not flows.has(pending.response_type, flows.ID_TOKEN):
        return
    if "openid" not in pending.scopes:
        raise InvalidRequest("An ID token needs the scope openid.", rule="id_token.scope", expected="openid")
    if not pending.get("nonce"):
        raise InvalidRequest(
            "nonce is missing; it is required where an ID token comes with the answer.", rule="nonce.present"
        )


def encryption(pending: Pending) -> None:
    """Who wants an ID token encrypted that comes with the answer has a key for it, before anybody signs in."""
    if flows.has(pending.response_type, flows.ID_TOKEN):
        sealing.ready(pending.known_client, sealing.ID_TOKEN)


def prompts() -> tuple[str, ...]:
    """What `prompt` may say: `create` where anybody may register (Initiating User Registration 1.0 §4)."""
    return (*PROMPTS, "create") if joining.offered() else PROMPTS


def prompt(pending: Pending) -> None:
    """Known values; `none` stands alone (§3.1.2.1)."""
    values = frozenset((pending.get("prompt") or "").split())
    known = prompts()
    unknown = values - {*known}
    if unknown:
        raise InvalidRequest(
            "prompt has an unknown value.", rule="prompt.known", expected=known, got=sorted(unknown)
        )
    if "none" in values and len(values) > 1:
        raise InvalidRequest("prompt=none cannot stand beside other values.", rule="prompt.none")
    pending.prompt = values


def max_age(pending: Pending) -> None:
    """Whole seconds, not negative."""
    given = pending.get("max_age")
    if given is None:
        default = pending.known_client.metadata.get("default_max_age")
        pending.max_age = default if isinstance(default, int) else None
        return
    if not (given.isascii() and given.isdigit() and len(given) <= 10):
        raise InvalidRequest("max_age must be a number of seconds.", rule="max_age.number", got=given[:32])
    pending.max_age = int(given)


def acr_values(pending: Pending) -> None:
    """A wish, in order of preference; never an error (§3.1.2.1). Where none is said, the registered one counts.

    What is no wish is a client's own need of two factors: where nobody can have them, nobody can sign in to it.
    """
    if pending.known_client.setting("require_second_factor") and assurance.TWO not in assurance.reachable():
        raise UnmetAuthenticationRequirements(
            rule="client.require_second_factor", expected="two factors", setting="policy.second_factor"
        )
    given = pending.get("acr_values")
    default = pending.known_client.metadata.get("default_acr_values", ())
    pending.acr_values = tuple(default if given is None else given.split())


def claims(pending: Pending) -> None:
    """A JSON object of at most two members of objects; unknown members are ignored (§5.5)."""
    given = pending.get("claims")
    if given is None:
        return
    try:
        parsed = json.loads(
            given, object_pairs_hook=_once, parse_constant=_never, parse_float=_finite, parse_int=_bounded
        )
    except (ValueError, RecursionError):
        parsed = None
    if not isinstance(parsed, dict) or _depth(parsed) > _DEEPEST:
        raise InvalidRequest(
            "claims must be a JSON object.", rule="claims.json", expected=f"at most {_DEEPEST} deep"
        )
    pending.claims = {
        part: _requests(part, parsed[part]) for part in ("userinfo", "id_token") if part in parsed
    }
    _reachable_acr(pending.claims.get("id_token", {}).get("acr"))


def _depth(value: Any) -> int:
    """How deep containers stand in each other; read level by level, so that depth costs no stack."""
    depth, level = 0, [value]
    while level := [each for each in level if isinstance(each, dict | list)]:
        depth += 1
        level = [inner for each in level for inner in (each.values() if isinstance(each, dict) else each)]
    return depth


def _reachable_acr(wish: Any) -> None:
    """An essential `acr` that nobody here can reach is a sign-in that failed (§5.5.1.1)."""
    if (
        not isinstance(wish, dict)
        or wish.get("essential") is not True
        or not ("value" in wish or "values" in wish)
    ):
        return
    wanted = [wish.get("value"), *wish.get("values", ())]
    if not assurance.known(value for value in wanted if isinstance(value, str)):
        raise UnmetAuthenticationRequirements(rule="claims.acr", expected=assurance.reachable())


def _requests(part: str, given: Any) -> dict[str, Any]:
    if not isinstance(given, dict) or len(given) > _MOST_CLAIMS:
        raise InvalidRequest(
            f"claims.{part} must be an object of at most {_MOST_CLAIMS} members.", rule="claims.shape"
        )
    for name, wish in given.items():
        fits = wish is None or (
            isinstance(wish, dict)
            and isinstance(wish.get("essential", False), bool)
            and isinstance(wish.get("values", []), list)
        )
        if not fits:
            raise InvalidRequest(f"claims.{part} is malformed.", rule="claims.shape", got=ascii(name[:64]))
    return given


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member comes twice")
    return members


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError("a number beyond a double")
    return value


def _bounded(text: str) -> int:
    if len(text) > _MOST_DIGITS:
        raise ValueError("a number that is too long")
    return int(text)


def _never(name: str) -> Any:
    raise ValueError(name)


def asked(claims: dict[str, Any], claims_locales: str | None = None) -> dict[str, Any]:
    """Which claims were asked for by name, of those there are, and in which languages (§5.2).

    Nothing else that a stranger wrote is kept.
    """
    kept: dict[str, Any] = {
        part: {known: None for name in wishes if (known := _held(name)) is not None}
        for part, wishes in claims.items()
    }
    locales = variants.wanted(claims_locales)
    return kept | ({"locales": list(locales)} if locales else {})


def _held(name: str) -> str | None:
    """The name of a claim that people here may have, spelled as it is kept."""
    if name in SUPPORTED:
        return name
    found = variants.split(name)
    return None if found is None else variants.named(*found)
