"""What a client may be: one validator for create and for update, whichever door the metadata came through.

Owns: the names (RFC 7591 section 2, OpenID Connect Registration section 2), what each may hold, the defaults,
and how they must fit together. What only an operator sets stands apart (`settings`), so that no registration
request can reach it. Leaves to others: keeping it (`store.durable.clients`), secrets (`control.clients`).

An update is a patch on what is registered: a name that is given replaces, None puts the default back, and the
whole result is checked again, so that no order of updates reaches what one create could not.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

from idp import claim_rules, identifiers, urls
from idp.errors import Invalid, InvalidClientMetadata, InvalidRedirectUri
from idp.ids import unb64
from idp.store.durable.clients import Client
from idp.tenants import Policy
from idp.tenants import current as current_tenant

GRANT_TYPES = ("authorization_code", "refresh_token", "client_credentials")
RESPONSE_TYPES = ("code",)
SECRET_METHODS = ("client_secret_basic", "client_secret_post")
AUTH_METHODS = (*SECRET_METHODS, "private_key_jwt", "none")
ALGORITHMS = ("RS256", "PS256", "ES256", "EdDSA")
LIFETIMES = ("access_token_lifetime", "id_token_lifetime", "refresh_idle", "refresh_absolute")
MOST_URIS = 50  # of one kind
MOST_KEYS = 20  # in a client's own set
STANDARD_SCOPES = ("openid", "profile", "email", "address", "phone", "offline_access", "groups", "roles")

_PRIVATE_MEMBERS = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"}  # RFC 7518 section 6
_KEY_MEMBERS = {"RSA": ("n", "e"), "EC": ("x", "y"), "OKP": ("x",)}
_VERSION = re.compile(r"[!-~]{1,64}", re.ASCII)


def _text(value: object) -> str:
    return identifiers.text(value)


def _page(value: object) -> str:
    return urls.web_url(value, loopback=True).text if _local(value) else urls.web_url(value).text


def _local(value: object) -> bool:
    """http on this machine is for a tenant that lives on it itself (development)."""
    return current_tenant().issuer.startswith("http://") and isinstance(value, str)


def _one_of(allowed: tuple[str, ...]) -> Callable[[object], str]:
    def check(value: object) -> str:
        if not isinstance(value, str) or value not in allowed:
            raise ValueError(f"must be one of {', '.join(allowed)}")
        return value

    return check


def _algorithm(value: object) -> str:
    return _one_of(ALGORITHMS)("EdDSA" if value == "Ed25519" else value)


def _several(check: Callable[[object], Any], most: int = MOST_URIS) -> Callable[[object], list[Any]]:
    def each(value: object) -> list[Any]:
        if not isinstance(value, list | tuple):
            raise ValueError("must be a list")
        if len(value) > most:
            raise ValueError(f"must have at most {most} members")
        checked = [check(member) for member in value]
        return [member for index, member in enumerate(checked) if member not in checked[:index]]

    return each


def _uri(value: object) -> str:
    """Only that it is text: whether it may be a redirect URI depends on application_type and is asked later."""
    if not isinstance(value, str):
        raise ValueError("must be a list of strings")
    return value


def _scope(value: object) -> str:
    return " ".join(identifiers.scope_set(value))


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("must be true or false")
    return value


def _seconds(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= 10**9:
        raise ValueError("must be a whole number of seconds")
    return value


def _version(value: object) -> str:
    if not isinstance(value, str) or not _VERSION.fullmatch(value):
        raise ValueError("must have 1 to 64 visible ASCII characters")
    return value


def _jwks(value: object) -> dict[str, Any]:
    """A set of public signature keys (RFC 7517); symmetric and private keys are refused (attack CA14)."""
    keys = value.get("keys") if isinstance(value, Mapping) and set(value) == {"keys"} else None
    if not isinstance(keys, list) or not 0 < len(keys) <= MOST_KEYS:
        raise ValueError(f"must be an object whose only member keys lists 1 to {MOST_KEYS} keys")
    names = [key.get("kid") for key in keys if isinstance(key, Mapping) and "kid" in key]
    if len(set(map(str, names))) != len(names):
        raise ValueError("must not have two keys of one kid")
    return {"keys": [_jwk(key) for key in keys]}


def _jwk(key: object) -> dict[str, Any]:
    if not isinstance(key, Mapping) or str(key.get("kty")) not in _KEY_MEMBERS:
        raise ValueError("must have keys of kty RSA, EC or OKP only")
    if _PRIVATE_MEMBERS & set(key):
        raise ValueError("must have public keys only")
    if key.get("use", "sig") != "sig" or not all(
        isinstance(key.get(name, ""), str) for name in ("kid", "alg")
    ):
        raise ValueError("must have signature keys with a text as kid and alg")
    sizes = {}
    for name in _KEY_MEMBERS[key["kty"]]:
        member = key.get(name)
        if not isinstance(member, str) or len(member) > 1024:
            raise ValueError(f"must have keys with the member {name} in base64url")
        try:
            sizes[name] = len(unb64(member).lstrip(b"\0")) * 8
        except ValueError:
            raise ValueError(f"must have keys with the member {name} in canonical base64url") from None
    if key["kty"] == "RSA" and not 2048 <= sizes["n"] <= 8192:
        raise ValueError("must have RSA keys of 2048 to 8192 bits")
    if (key["kty"], str(key.get("crv"))) not in {("RSA", "None"), ("EC", "P-256"), ("OKP", "Ed25519")}:
        raise ValueError("must have curve keys of P-256 or Ed25519")
    return dict(key)


METADATA: dict[str, Callable[[object], Any]] = {
    "application_type": _one_of(("web", "native")),
    "client_name": _text,
    "client_uri": _page,
    "contacts": _several(identifiers.email, 10),
    "default_max_age": _seconds,
    "grant_types": _several(_one_of(GRANT_TYPES)),
    "id_token_signed_response_alg": _algorithm,
    "initiate_login_uri": _page,
    "jwks": _jwks,
    "logo_uri": _page,
    "policy_uri": _page,
    "post_logout_redirect_uris": _several(_uri),
    "redirect_uris": _several(_uri),
    "require_auth_time": _flag,
    "response_types": _several(_one_of(RESPONSE_TYPES)),
    "scope": _scope,
    "software_id": _version,
    "software_version": _version,
    "subject_type": _one_of(("public",)),
    "token_endpoint_auth_method": _one_of(AUTH_METHODS),
    "token_endpoint_auth_signing_alg": _algorithm,
    "tos_uri": _page,
}
"""Every name of client metadata and what it may hold. There are no others: an unknown one is refused."""

_SETTING: dict[str, Callable[[object], Any]] = {
    "require_consent": _flag,
    "require_pkce": _flag,
    "client_secret_any": _flag,
    "assertion_for_token_endpoint": _flag,
    "rotate_refresh_tokens": _flag,
    "allowed_origins": _several(urls.origin),
    "claims": lambda value: [rule.stored() for rule in claim_rules.parse(value)],
    **dict.fromkeys(LIFETIMES, _seconds),
}

_CEILINGS = {field.name: field.metadata["ceiling"] for field in fields(Policy) if field.name in LIFETIMES}


def validate(
    metadata: Mapping[str, Any], *, settings: Mapping[str, Any], current: Client | None = None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The complete metadata and the settings of a client, after `metadata` and `settings` were put upon `current`.

    Raises InvalidRedirectUri or InvalidClientMetadata (RFC 7591 section 3.2.2); its `rule` names the field.
    """
    new = _patched(current.metadata if current else {}, metadata, METADATA)
    kept = _patched(current.settings if current else {}, settings, _SETTING)
    _defaults(new, metadata)
    for check in CHECKS:
        check(new, kept)
    return new, kept


def _patched(
    old: Mapping[str, Any], given: Mapping[str, Any], checks: Mapping[str, Callable[[object], Any]]
) -> dict[str, Any]:
    new = dict(old)
    for name, value in given.items():
        if name not in checks:
            raise _wrong(str(name), "is not known here")
        new.pop(name, None)
        if value is not None:
            new[name] = _checked(name, value, checks[name])
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


def _grants_fit_response_types(new: dict[str, Any], _kept: dict[str, Any]) -> None:
    """RFC 7591 section 2.1."""
    code = "authorization_code" in new["grant_types"]
    if not new["grant_types"]:
        raise _wrong("grant_types", "must name at least one grant")
    if code != ("code" in new["response_types"]):
        raise _wrong("response_types", "must be code with the grant authorization_code and empty without it")
    if "refresh_token" in new["grant_types"] and not code:
        raise _wrong("grant_types", "must name authorization_code where it names refresh_token")


def _redirects(new: dict[str, Any], _kept: dict[str, Any]) -> None:
    """RFC 9700 section 2.1, OpenID Connect Registration section 2."""
    code = "authorization_code" in new["grant_types"]
    if code and not new.get("redirect_uris"):
        raise InvalidRedirectUri("redirect_uris must have at least one member.", rule="redirect_uris")
    if not code and new.get("redirect_uris"):
        raise InvalidRedirectUri(
            "redirect_uris is only for the grant authorization_code.", rule="redirect_uris"
        )
    native = new["application_type"] == "native"
    for name in ("redirect_uris", "post_logout_redirect_uris"):
        for index, uri in enumerate(new.get(name, ())):
            try:
                urls.redirect_uri(uri, native=native)
            except urls.BadUrl as problem:
                kind = InvalidRedirectUri if name == "redirect_uris" else InvalidClientMetadata
                raise kind(f"{name}[{index}] {problem}.", rule=f"{name}[{index}]", got=uri) from None


def _authentication(new: dict[str, Any], kept: dict[str, Any]) -> None:
    """RFC 6749 section 2.1: who has nothing to prove itself with gets nothing that needs a proof."""
    method = new["token_endpoint_auth_method"]
    public = method == "none"
    if public and "client_credentials" in new["grant_types"]:
        raise _wrong(
            "grant_types", "must not name client_credentials where token_endpoint_auth_method is none"
        )
    if public and kept.get("require_pkce") is False:
        raise _wrong("require_pkce", "must not be false for a public client")
    if public and kept.get("rotate_refresh_tokens") is False:
        raise _wrong("rotate_refresh_tokens", "must not be false for a public client")
    if kept.get("client_secret_any") and method not in SECRET_METHODS:
        raise _wrong("client_secret_any", "is only for clients that have a secret")
    if method == "private_key_jwt" and "jwks" not in new:
        raise _wrong("jwks", "must be there where token_endpoint_auth_method is private_key_jwt")
    if "token_endpoint_auth_signing_alg" in new and method != "private_key_jwt":
        raise _wrong("token_endpoint_auth_signing_alg", "is only for private_key_jwt")


def _lifetimes(_new: dict[str, Any], kept: dict[str, Any]) -> None:
    """A client may have less than its tenant, never more."""
    policy = current_tenant().policy
    for name in LIFETIMES:
        most = min(getattr(policy, name), _CEILINGS[name])
        if name in kept and not 1 <= kept[name] <= most:
            raise _wrong(
                name, f"must be a whole number of seconds from 1 to {most}, which is the policy of the tenant"
            )


CHECKS = (_grants_fit_response_types, _redirects, _authentication, _lifetimes)


def effective(client: Client, name: str) -> int:
    """A lifetime of a client in seconds: its own, but never above its tenant's policy."""
    tenants = int(getattr(current_tenant().policy, name))
    own = client.setting(name)
    return tenants if own is None else min(int(own), tenants)


def origins(client: Client) -> frozenset[str]:
    """The browser origins from which a client's pages may call us: its redirect URIs' and `allowed_origins`."""
    found = {urls.origin_of(uri) for uri in client.redirect_uris} | set(client.setting("allowed_origins"))
    return frozenset(origin for origin in found if origin)


def _wrong(field: str, clause: str) -> InvalidClientMetadata:
    return InvalidClientMetadata(f"{field} {clause}.", rule=field, expected=clause)
