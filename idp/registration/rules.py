"""How the members of a client's metadata and settings must fit together, each rule citing its section."""

from dataclasses import fields
from typing import Any

from idp import urls
from idp.errors import InvalidClientMetadata, InvalidRedirectUri
from idp.registration import fapi, flows, keys, sectors
from idp.registration.certificates import SUBJECTS
from idp.registration.names import (
    CIBA,
    ELSEWHERE,
    ENCRYPTED,
    JWT_BEARER,
    LIFETIMES,
    SECRET_METHODS,
    TOKEN_EXCHANGE,
)
from idp.signing import jwe
from idp.tenants import Policy
from idp.tenants import current as current_tenant

CEILINGS = {field.name: field.metadata["ceiling"] for field in fields(Policy) if field.name in LIFETIMES}


def wrong(field: str, clause: str) -> InvalidClientMetadata:
    """The refusal of one field."""
    return InvalidClientMetadata(f"{field} {clause}.", rule=field, expected=clause)


def grants_fit_response_types(new: dict[str, Any], _kept: dict[str, Any]) -> None:
    """RFC 7591 section 2.1, OpenID Connect Registration section 2."""
    if not new["grant_types"]:
        raise wrong("grant_types", "must name at least one grant")
    spoken = flows.spoken(current_tenant().policy)
    closed = [each for each in new["response_types"] if each not in spoken]
    if closed:
        raise wrong("response_types", f"must be of {', '.join(spoken)}, which is the policy of the tenant")
    needed = frozenset[str]().union(*(flows.grants(each) for each in new["response_types"]))
    if needed != {"authorization_code", "implicit"}.intersection(new["grant_types"]):
        raise wrong(
            "response_types",
            "must have a code exactly with the grant authorization_code, and tokens exactly with the grant implicit",
        )
    people = {"authorization_code", *ELSEWHERE}
    if "refresh_token" in new["grant_types"] and not people & {*needed, *new["grant_types"]}:
        raise wrong("grant_types", "must name authorization_code where it names refresh_token")


def redirects(new: dict[str, Any], _kept: dict[str, Any]) -> None:
    """RFC 9700 section 2.1, OpenID Connect Registration section 2."""
    browser = bool(new["response_types"])
    if browser and not new.get("redirect_uris"):
        raise InvalidRedirectUri("redirect_uris must have at least one member.", rule="redirect_uris")
    if not browser and new.get("redirect_uris"):
        raise InvalidRedirectUri(
            "redirect_uris is only for the grants authorization_code and implicit.", rule="redirect_uris"
        )
    native = new["application_type"] == "native"
    for name in ("redirect_uris", "post_logout_redirect_uris"):
        for index, uri in enumerate(new.get(name, ())):
            try:
                urls.redirect_uri(uri, native=native)
            except urls.BadUrl as problem:
                kind = InvalidRedirectUri if name == "redirect_uris" else InvalidClientMetadata
                raise kind(f"{name}[{index}] {problem}.", rule=f"{name}[{index}]", got=uri) from None


def subjects(new: dict[str, Any], kept: dict[str, Any]) -> None:
    """OpenID Connect Core section 8.1: whoever wants pairwise subjects is of one sector."""
    if not sectors.pairwise(new):
        return
    if not new["response_types"]:
        raise wrong("subject_type", "must not be pairwise for a client to which nobody signs in")
    try:
        sector = sectors.sector(new)
    except ValueError as problem:
        raise wrong("sector_identifier_uri", str(problem)) from None
    told = new.get("backchannel_logout_uri")
    if kept.get("dynamic") and told is not None and urls.parse(told).host != sector:
        # A stranger who names somebody else's redirect URI would be told that sector's subjects there.
        raise wrong("backchannel_logout_uri", "must have the host of the sector")


def logout(new: dict[str, Any], _kept: dict[str, Any]) -> None:
    """OpenID Connect Front-Channel Logout 1.0 section 2: the frame shows nobody's page but the client's own."""
    frame = new.get("frontchannel_logout_uri")
    if frame is not None:
        known = {urls.origin_of(uri) for uri in new.get("redirect_uris", ())}
        if urls.origin_of(frame) not in known:
            raise wrong("frontchannel_logout_uri", "must have the scheme, host and port of a redirect URI")


def authentication(new: dict[str, Any], kept: dict[str, Any]) -> None:
    """RFC 6749 section 2.1: who has nothing to prove itself with gets nothing that needs a proof."""
    method = new["token_endpoint_auth_method"]
    public = method == "none"
    if public and "client_credentials" in new["grant_types"]:
        raise wrong(
            "grant_types", "must not name client_credentials where token_endpoint_auth_method is none"
        )
    if public and CIBA in new["grant_types"]:
        raise wrong("grant_types", f"must not name {CIBA} where token_endpoint_auth_method is none")
    if (
        new.get("backchannel_token_delivery_mode") == "ping"
        and "backchannel_client_notification_endpoint" not in new
    ):
        raise wrong(
            "backchannel_client_notification_endpoint", "must be there where the delivery mode is ping"
        )
    if "backchannel_authentication_request_signing_alg" in new and not {"jwks", "jwks_uri"} & set(new):
        raise wrong("jwks", "or jwks_uri must be there where backchannel requests are signed")
    if public and JWT_BEARER in new["grant_types"]:
        raise wrong("grant_types", f"must not name {JWT_BEARER} where token_endpoint_auth_method is none")
    if public and TOKEN_EXCHANGE in new["grant_types"]:
        raise wrong("grant_types", "must not name token exchange where token_endpoint_auth_method is none")
    if kept.get("token_exchange") is not None and TOKEN_EXCHANGE not in new["grant_types"]:
        raise wrong("token_exchange", f"is only for the grant {TOKEN_EXCHANGE}")
    if public and kept.get("require_pkce") is False:
        raise wrong("require_pkce", "must not be false for a public client")
    if public and kept.get("rotate_refresh_tokens") is False:
        raise wrong("rotate_refresh_tokens", "must not be false for a public client")
    if kept.get("client_secret_any") and method not in SECRET_METHODS:
        raise wrong("client_secret_any", "is only for clients that have a secret")
    if "jwks" in new and "jwks_uri" in new:
        raise wrong("jwks_uri", "must not stand beside jwks")
    if kept.get("workload_identity") is not None and method != "private_key_jwt":
        raise wrong("workload_identity", "is only for private_key_jwt")
    own = bool({"jwks", "jwks_uri"} & set(new)) or kept.get("workload_identity") is not None
    if method == "private_key_jwt" and not own:
        raise wrong("jwks", "or jwks_uri must be there where token_endpoint_auth_method is private_key_jwt")
    if new.get("require_signed_request_object") and not {"jwks", "jwks_uri"} & set(new):
        raise wrong("jwks", "or jwks_uri must be there where require_signed_request_object is true")
    if "token_endpoint_auth_signing_alg" in new and method != "private_key_jwt":
        raise wrong("token_endpoint_auth_signing_alg", "is only for private_key_jwt")


def encryption(new: dict[str, Any], _kept: dict[str, Any]) -> None:
    """OpenID Connect Registration section 2: an `_enc` needs its `_alg`; whoever reads it has a key for that."""
    for name in (*ENCRYPTED, "request_object_encryption"):
        if f"{name}_enc" in new and f"{name}_alg" not in new:
            raise wrong(f"{name}_alg", f"must be there where {name}_enc is")
    for name in ENCRYPTED:
        alg = new.get(f"{name}_alg")
        if alg is not None and not {"jwks", "jwks_uri"} & set(new):
            raise wrong("jwks", f"or jwks_uri must be there where {name}_alg is")
        if alg is not None and "jwks" in new and keys.for_encryption(new["jwks"], alg) is None:
            raise wrong("jwks", f"must have a key for {name}_alg")
    sent = new.get("request_object_encryption_alg")
    if sent is not None and not current_tenant().policy.encryption_keys:
        raise wrong(
            "request_object_encryption_alg",
            "must not be there: the tenant publishes no key with which a request could be encrypted",
        )
    if sent is not None and sent not in jwe.DECRYPTED:
        raise wrong("request_object_encryption_alg", f"must be one of {', '.join(jwe.DECRYPTED)}")


def certificate(new: dict[str, Any], _kept: dict[str, Any]) -> None:
    """RFC 8705 section 2: whose certificate it is, said in one way; or whose it may be, by the client's own set."""
    method = new["token_endpoint_auth_method"]
    named = [name for name in SUBJECTS if name in new]
    if method == "tls_client_auth" and len(named) != 1:
        raise wrong(
            "tls_client_auth_subject_dn",
            f"or another one of {', '.join(SUBJECTS)} must be there, and only one",
        )
    if named and method != "tls_client_auth":
        raise wrong(named[0], "is only for tls_client_auth")
    if method == "self_signed_tls_client_auth" and not {"jwks", "jwks_uri"} & set(new):
        raise wrong("jwks", f"or jwks_uri must be there where token_endpoint_auth_method is {method}")


def binding(new: dict[str, Any], _kept: dict[str, Any]) -> None:
    """RFC 9449 section 5.2: in a browser's address there is no proof, so no token that is bound to one."""
    if new.get("dpop_bound_access_tokens") and new.get("tls_client_certificate_bound_access_tokens"):
        raise wrong(
            "dpop_bound_access_tokens", "must not stand beside tls_client_certificate_bound_access_tokens"
        )
    if new.get("tls_client_certificate_bound_access_tokens") and any(
        flows.has(each, flows.TOKEN) for each in new["response_types"]
    ):
        raise wrong(
            "tls_client_certificate_bound_access_tokens", "must not be true where a response type has a token"
        )
    if new.get("dpop_bound_access_tokens") and any(
        flows.has(each, flows.TOKEN) for each in new["response_types"]
    ):
        raise wrong("dpop_bound_access_tokens", "must not be true where a response type has a token")


def profile(new: dict[str, Any], kept: dict[str, Any]) -> None:
    """FAPI 2.0 Security Profile: what a client of it may not say off, and the promise that would fall."""
    if kept.get("profile") != fapi.FAPI2 and not fapi.policy_holds():
        return
    for name in fapi.broken(new, kept):
        clause, promise = fapi.PROMISES[name]
        raise wrong(name, f"{clause}: of the profile fapi2 this would fall, that {promise}")


def lifetimes(_new: dict[str, Any], kept: dict[str, Any]) -> None:
    """A client may have less than its tenant, never more."""
    policy = current_tenant().policy
    for name in LIFETIMES:
        most = min(getattr(policy, name), CEILINGS[name])
        if name in kept and not 1 <= kept[name] <= most:
            raise wrong(
                name, f"must be a whole number of seconds from 1 to {most}, which is the policy of the tenant"
            )


CHECKS = (
    grants_fit_response_types,
    redirects,
    subjects,
    logout,
    authentication,
    encryption,
    certificate,
    binding,
    profile,
    lifetimes,
)
