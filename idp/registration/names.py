"""Every name that client metadata and an operator's settings have, and the shape of what each holds."""

import re
from collections.abc import Callable
from typing import Any

from idp import claim_rules, identifiers, urls
from idp.registration import certificates, flows
from idp.registration.keys import public_keys
from idp.registration.sectors import PAIRWISE
from idp.registration.shapes import (
    algorithm,
    content_encryption,
    exchanges,
    flag,
    jws,
    key_encryption,
    one_of,
    page,
    scope,
    seconds,
    several,
    text,
    uri,
    version,
    with_fragment,
    workload,
)

DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"
"""RFC 8628 section 3.4."""
CIBA = "urn:openid:params:grant-type:ciba"
"""OpenID Connect CIBA Core 1.0 section 10.1."""
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
"""RFC 7523 section 2.1."""
TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
"""RFC 8693 section 2.1."""
ELSEWHERE = (DEVICE_CODE, CIBA)
"""Grants of a person who signs in at another place than where the client is."""
GRANT_TYPES = (
    "authorization_code",
    "implicit",
    "refresh_token",
    "client_credentials",
    *ELSEWHERE,
    TOKEN_EXCHANGE,
    JWT_BEARER,
)
SUBJECT_TYPES = ("public", PAIRWISE)
SECRET_METHODS = ("client_secret_basic", "client_secret_post")
CERTIFICATE_METHODS = ("tls_client_auth", "self_signed_tls_client_auth")
AUTH_METHODS = (*SECRET_METHODS, "private_key_jwt", *CERTIFICATE_METHODS, "none")
SIGNED = (
    "id_token_signed_response_alg",
    "userinfo_signed_response_alg",
    "authorization_signed_response_alg",
    "introspection_signed_response_alg",
)
"""Which algorithms a client wants us to sign with, each for one kind of document."""
ENCRYPTED = (
    "id_token_encrypted_response",
    "userinfo_encrypted_response",
    "authorization_encrypted_response",
    "introspection_encrypted_response",
)
"""What a client may want us to encrypt for it: each names an `_alg` and an `_enc`."""
LIFETIMES = ("access_token_lifetime", "id_token_lifetime", "refresh_idle", "refresh_absolute")

METADATA: dict[str, Callable[[object], Any]] = {
    "application_type": one_of(("web", "native")),
    "authorization_encrypted_response_alg": key_encryption,
    "authorization_encrypted_response_enc": content_encryption,
    "authorization_signed_response_alg": algorithm,
    "authorization_details_types": several(text),
    "backchannel_authentication_request_signing_alg": one_of(("PS256", "ES256", "EdDSA")),
    "backchannel_client_notification_endpoint": page,
    "backchannel_token_delivery_mode": one_of(("poll", "ping")),
    "backchannel_logout_session_required": flag,
    "backchannel_logout_uri": page,
    "backchannel_user_code_parameter": flag,
    "client_name": text,
    "client_uri": page,
    "contacts": several(identifiers.email, 10),
    "default_acr_values": several(version, 10),
    "default_max_age": seconds,
    "dpop_bound_access_tokens": flag,
    "frontchannel_logout_session_required": flag,
    "frontchannel_logout_uri": page,
    "grant_types": several(one_of(GRANT_TYPES)),
    "id_token_encrypted_response_alg": key_encryption,
    "id_token_encrypted_response_enc": content_encryption,
    "id_token_signed_response_alg": algorithm,
    "initiate_login_uri": page,
    "introspection_encrypted_response_alg": key_encryption,
    "introspection_encrypted_response_enc": content_encryption,
    "introspection_signed_response_alg": algorithm,
    "jwks": public_keys,
    "jwks_uri": page,
    "logo_uri": page,
    "policy_uri": page,
    "post_logout_redirect_uris": several(uri),
    "redirect_uris": several(uri),
    "request_object_encryption_alg": key_encryption,
    "request_object_encryption_enc": content_encryption,
    "request_object_signing_alg": algorithm,
    "request_uris": several(with_fragment(page)),
    "require_auth_time": flag,
    "require_pushed_authorization_requests": flag,
    "require_signed_request_object": flag,
    "response_types": several(flows.spelled),
    "scope": scope,
    "software_id": version,
    "software_version": version,
    "sector_identifier_uri": page,
    "subject_type": one_of(SUBJECT_TYPES),
    "tls_client_auth_san_dns": certificates.dns,
    "tls_client_auth_san_email": certificates.email,
    "tls_client_auth_san_ip": certificates.ip,
    "tls_client_auth_san_uri": certificates.uri,
    "tls_client_auth_subject_dn": certificates.subject_dn,
    "tls_client_certificate_bound_access_tokens": flag,
    "token_endpoint_auth_method": one_of(AUTH_METHODS),
    "token_endpoint_auth_signing_alg": algorithm,
    "tos_uri": page,
    "userinfo_encrypted_response_alg": key_encryption,
    "userinfo_encrypted_response_enc": content_encryption,
    "userinfo_signed_response_alg": algorithm,
}
"""Every name of client metadata and what it may hold. There are no others: an unknown one is refused."""

TAGGED = ("client_name", "client_uri", "logo_uri", "policy_uri", "tos_uri")
"""What people read, which may stand once more for each language, as `client_name#de` (RFC 7591 section 2.2)."""
MOST_TAGGED = 50
_LANGUAGE = re.compile(r"[A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8}){0,7}")


def check_of(name: str) -> Callable[[object], Any] | None:
    """What the member `name` of client metadata may hold; None for one that is not known."""
    plain, mark, language = name.partition("#")
    if mark and not (plain in TAGGED and _LANGUAGE.fullmatch(language)):
        return None
    return METADATA.get(plain)


def _nobodys(_value: object) -> bool:
    """Refuses what is no operator's of a tenant to set: `idp application` alone does."""
    raise ValueError("is set for applications of the platform alone, by issuer")


SETTING: dict[str, Callable[[object], Any]] = {
    "require_consent": flag,
    "require_pkce": flag,
    "require_second_factor": flag,
    "dynamic": flag,
    "metadata_document": flag,
    "software_statement": jws,
    "client_secret_any": flag,
    "assertion_for_token_endpoint": flag,
    "rotate_refresh_tokens": flag,
    "token_exchange": exchanges,
    "may_act": identifiers.client_id,
    "assertion_issuers": several(page),
    "workload_identity": workload,
    "profile": one_of(("fapi2",)),
    "platform_issuer": _nobodys,
    "allowed_origins": several(urls.origin),
    "claims": lambda value: [rule.stored() for rule in claim_rules.parse(value)],
    **dict.fromkeys(LIFETIMES, seconds),
}
"""What only an operator sets; no registration request reaches it."""
