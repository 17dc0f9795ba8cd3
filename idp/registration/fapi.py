"""The FAPI 2.0 Security Profile (final) as one switch: on a client (`profile: fapi2`) or on a tenant, for all of them.

What it promises holds at run time whatever else is set, so that a tenant may turn it on for clients that it has; a
client that says otherwise is refused when it is registered or changed, with the promise that would fall. Clients of
both kinds live in one tenant.
"""

from collections.abc import Mapping
from typing import Any

from idp.store.durable.clients import Client
from idp.tenants import current as current_tenant

FAPI2 = "fapi2"
METHODS = ("private_key_jwt", "tls_client_auth", "self_signed_tls_client_auth")
"""How a client authenticates (§5.3.2.1 item 6)."""
ALGORITHMS = ("PS256", "ES256", "EdDSA")
"""What is signed with, by us and by clients (§5.4.1)."""
INSTEAD = "ES256"
"""What signs where another algorithm is the tenant's; every tenant is born with a key for it."""
REQUEST_AGE = 3_600
"""Seconds that `nbf` of a signed request may lie back, and `exp` ahead (FAPI 2.0 Message Signing §5.3.1)."""

PROMISES: dict[str, tuple[str, str]] = {
    "token_endpoint_auth_method": (
        f"must be one of {', '.join(METHODS)}", "clients prove who they are without a shared secret",
    ),
    "response_types": ("must be code alone", "no token travels through a browser"),
    "require_pkce": ("must not be false", "every code is bound to the request that asked for it"),
    "require_pushed_authorization_requests": ("must not be false", "no request can be changed in a browser"),
    "dpop_bound_access_tokens": (
        "must not be false unless tls_client_certificate_bound_access_tokens is true",
        "a stolen token is worth nothing",
    ),
    "rotate_refresh_tokens": ("must not be true", "a lost answer locks no client out; what binds the token is enough"),
    "assertion_for_token_endpoint": ("must not be true", "an assertion for us is of no use elsewhere"),
    "redirect_uris": ("must be https, or a loopback address of a native application", "no answer travels in the clear"),
    **{
        name: (f"must be one of {', '.join(ALGORITHMS)}", "no signature is of PKCS #1 v1.5")
        for name in (
            "token_endpoint_auth_signing_alg", "request_object_signing_alg", "id_token_signed_response_alg",
            "userinfo_signed_response_alg", "authorization_signed_response_alg", "introspection_signed_response_alg",
        )
    },
}  # fmt: skip
"""By the name of what may not be turned off: what it has to be, and the promise that falls otherwise."""


def of(client: Client) -> bool:
    """Whether this client keeps the profile: its own setting, or its tenant's policy."""
    return client.setting("profile") == FAPI2 or policy_holds()


def policy_holds() -> bool:
    """Whether the entered tenant has every client keep it."""
    return current_tenant().policy.security_profile == FAPI2


def alg(client: Client, registered: object, tenants: str) -> str:
    """The algorithm that signs for this client: the registered one, else the `tenants`, or what the profile takes."""
    wanted = str(registered or tenants)
    return INSTEAD if of(client) and wanted not in ALGORITHMS else wanted


def broken(new: Mapping[str, Any], kept: Mapping[str, Any]) -> list[str]:
    """The names in a client's metadata `new` and settings `kept` that say the profile off."""
    told = {**kept, **new}
    found = [
        name
        for name, off in (
            ("require_pkce", False), ("require_pushed_authorization_requests", False),
            ("rotate_refresh_tokens", True), ("assertion_for_token_endpoint", True),
        )
        if told.get(name) is off
    ]  # fmt: skip
    if new["token_endpoint_auth_method"] not in METHODS:
        found.append("token_endpoint_auth_method")
    if set(new["response_types"]) - {"code"}:
        found.append("response_types")
    if new.get("dpop_bound_access_tokens") is False and not new.get(
        "tls_client_certificate_bound_access_tokens"
    ):
        found.append("dpop_bound_access_tokens")
    if not all(_safe(uri, new["application_type"]) for uri in new.get("redirect_uris", ())):
        found.append("redirect_uris")
    found += [name for name in PROMISES if name.endswith("_alg") and new.get(name, INSTEAD) not in ALGORITHMS]
    return found


def _safe(uri: str, application_type: str) -> bool:
    loopback = ("http://127.0.0.1", "http://[::1]") if application_type == "native" else ()
    return uri.startswith(("https://", *loopback))
