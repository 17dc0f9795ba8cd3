"""What a client may be: one validator for create and for update, whichever door the metadata came through.

Owns: the names (RFC 7591 section 2, OpenID Connect Registration section 2), what each may hold, the defaults,
and how they must fit together. What only an operator sets stands apart (`settings`), so that no registration
request can reach it. Leaves to others: keeping it (`store.durable.clients`), secrets (`control.clients`).

An update is a patch on what is registered: a name that is given replaces, None puts the default back, and the
whole result is checked again, so that no order of updates reaches what one create could not.
"""

from collections.abc import Callable, Mapping
from typing import Any

from idp import urls
from idp.errors import Invalid, InvalidClientMetadata, InvalidRedirectUri
from idp.registration.names import (
    CIBA,
    DEVICE_CODE,
    JWT_BEARER,
    LIFETIMES,
    METADATA,
    MOST_TAGGED,
    SECRET_METHODS,
    SETTING,
    SIGNED,
    SUBJECT_TYPES,
    TOKEN_EXCHANGE,
    check_of,
)
from idp.registration.rules import CHECKS, wrong
from idp.registration.shapes import ALGORITHMS
from idp.store.durable.clients import Client
from idp.tenants import current as current_tenant

STANDARD_SCOPES = ("openid", "profile", "email", "address", "phone", "offline_access", "groups", "roles")

__all__ = [
    "ALGORITHMS",
    "CIBA",
    "DEVICE_CODE",
    "JWT_BEARER",
    "LIFETIMES",
    "METADATA",
    "SECRET_METHODS",
    "SETTING",
    "SIGNED",
    "STANDARD_SCOPES",
    "SUBJECT_TYPES",
    "TOKEN_EXCHANGE",
    "check_of",
    "effective",
    "origins",
    "validate",
]


def validate(
    metadata: Mapping[str, Any], *, settings: Mapping[str, Any], current: Client | None = None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The complete metadata and the settings of a client, after `metadata` and `settings` were put upon `current`.

    Raises InvalidRedirectUri or InvalidClientMetadata (RFC 7591 section 3.2.2); its `rule` names the field.
    """
    new = _patched(current.metadata if current else {}, metadata, check_of)
    kept = _patched(current.settings if current else {}, settings, SETTING.get)
    _defaults(new, metadata)
    for check in CHECKS:
        check(new, kept)
    return new, kept


def _patched(
    old: Mapping[str, Any],
    given: Mapping[str, Any],
    check_of: Callable[[str], Callable[[object], Any] | None],
) -> dict[str, Any]:
    new = dict(old)
    for name, value in given.items():
        check = check_of(str(name))
        if check is None:
            raise wrong(str(name), "is not known here")
        new.pop(name, None)
        if value is not None:
            new[name] = _checked(name, value, check)
    if sum("#" in name for name in new) > MOST_TAGGED:
        raise wrong("client_name", f"and its like may stand for at most {MOST_TAGGED} languages together")
    return new


def _checked(name: str, value: object, check: Callable[[object], Any]) -> Any:
    try:
        return check(value)
    except Invalid as refusal:  # a claim rule, which names its own member
        raise InvalidClientMetadata(refusal.description, rule=refusal.rule, got=value) from None
    except ValueError as problem:
        kind = InvalidRedirectUri if name == "redirect_uris" else InvalidClientMetadata
        raise kind(f"{name} {problem}.", rule=name, expected=str(problem), got=value) from None


def _defaults(new: dict[str, Any], given: Mapping[str, Any]) -> None:
    new.setdefault("grant_types", ["authorization_code"])
    new.setdefault("token_endpoint_auth_method", "client_secret_basic")
    new.setdefault("application_type", "web")
    if given.get("response_types") is None:
        # they follow the grants as long as nobody says otherwise (RFC 7591 section 2.1)
        new["response_types"] = ["code"] if "authorization_code" in new["grant_types"] else []


def effective(client: Client, name: str) -> int:
    """A lifetime of a client in seconds: its own, but never above its tenant's policy."""
    tenants = int(getattr(current_tenant().policy, name))
    own = client.setting(name)
    return tenants if own is None else min(int(own), tenants)


def origins(client: Client) -> frozenset[str]:
    """The browser origins from which a client's pages may call us: its redirect URIs' and `allowed_origins`."""
    found = {urls.origin_of(uri) for uri in client.redirect_uris} | set(client.setting("allowed_origins"))
    return frozenset(origin for origin in found if origin)
