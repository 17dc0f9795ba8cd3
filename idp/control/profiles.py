"""What security profiles ask of a tenant's settings: one table, and who breaks it.

ASVS is OWASP's Application Security Verification Standard 5.0.0, level 2; FAPI 2.0 is the OpenID Foundation's
Security Profile, final. What a profile asks and no setting of ours could break stands in docs/asvs.md and in no row.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from idp.control import apis, clients, tenants
from idp.oauth import metadata
from idp.registration import fapi
from idp.store.durable.clients import SETTINGS, Client
from idp.tenants import Policy, current, entered

_HOUR, _DAY = 3_600, 86_400
_PAGE = 100


class Profile(StrEnum):
    """A profile by its name on the command line."""

    ASVS_L2 = "asvs-l2"
    FAPI2 = "fapi2"


class Of(StrEnum):
    """Whose setting a row is about; of the server: what discovery says, which no setting of a tenant changes."""

    POLICY = "policy"
    CLIENT = "client"
    API = "api"
    SERVER = "server"


Judge = Callable[[Any], bool]
Which = Callable[[Client], bool]


@dataclass(frozen=True, slots=True)
class Row:
    """One thing that a profile asks: of which setting, which values it takes, in words, by which requirement."""

    profile: Profile
    of: Of
    name: str
    takes: Judge
    asks: str
    requirement: str
    which: Which = lambda _client: True
    """Of which clients."""


@dataclass(frozen=True, slots=True)
class Broken:
    """One setting that breaks a profile, or what is not spoken here at all; `of`: policy, client ID, api ID, server."""

    tenant: str
    of: str
    policy: str
    value: Any
    asks: str
    requirement: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the settings of tenants break, and what the profile asks that no setting here can give."""

    breaks: tuple[Broken, ...]
    missing: tuple[Broken, ...]


def _is(wanted: object) -> Judge:
    return lambda value: bool(value == wanted)


def _most(most: int) -> Judge:
    return lambda value: bool(value <= most)


def _unless_unset(judge: Judge) -> Judge:
    """Who says nothing follows the tenant, which is judged by itself."""
    return lambda value: value is None or judge(value)


def _fapi_algorithm(value: Any) -> bool:
    return value in ("PS256", "ES256", "EdDSA")


def _https(*also: str) -> Judge:
    return lambda uris: all(uri.startswith(("https://", *also)) for uri in uris or ())


def _native(client: Client) -> bool:
    return client.native


def _not_native(client: Client) -> bool:
    return not client.native


def _asserts(client: Client) -> bool:
    return client.auth_method == "private_key_jwt"


def _uses(grant_type: str) -> Which:
    return lambda client: grant_type in client.metadata.get("grant_types", ())


def _bound_by_no_certificate(client: Client) -> bool:
    return not client.metadata.get("tls_client_certificate_bound_access_tokens")


A, F = Profile.ASVS_L2, Profile.FAPI2
_OFF, _ON = _is(False), _is(True)

TABLE = (
    Row(A, Of.POLICY, "require_pkce", _is("all"), "all: PKCE of every client", "V10.4.6"),
    Row(A, Of.POLICY, "implicit_flow", _OFF, "false: no token given to the browser instead of a code", "V10.4.4"),
    Row(A, Of.POLICY, "hybrid_flow", _OFF, "false: it admits code token, an access token in the browser", "V10.6.1"),
    Row(A, Of.POLICY, "session_idle", _most(_HOUR), "3600 s at most, or a written reason", "V7.3.1"),
    Row(A, Of.POLICY, "session_absolute", _most(_DAY), "86400 s at most, or a written reason", "V7.3.2"),
    Row(A, Of.POLICY, "account_failures", _most(100), "100 at most, so that nobody guesses on", "V6.3.1"),
    Row(A, Of.CLIENT, "require_pkce", _unless_unset(_ON), "true: PKCE of every client", "V10.4.6",
        _uses("authorization_code")),
    Row(A, Of.POLICY, "remember_strangers_consent", _OFF, "false: people are asked each time", "V10.7.1"),
    Row(A, Of.CLIENT, "require_consent", _ON, "true: people are asked", "V10.7.1", _uses("authorization_code")),
    Row(A, Of.SERVER, "acr_values_supported", lambda known: set(known) > {"1"}, "a second factor", "V6.3.3"),
    Row(F, Of.POLICY, "require_pkce", _is("all"), "all: PKCE with S256 of every client", "5.3.2.2"),
    Row(F, Of.POLICY, "implicit_flow", _OFF, "false: the response type is code and no other", "5.3.2.2"),
    Row(F, Of.POLICY, "hybrid_flow", _OFF, "false: the response type is code and no other", "5.3.2.2"),
    Row(F, Of.POLICY, "request_uri_parameter", _OFF, "false: a request by reference is a pushed one", "5.3.2.2"),
    Row(F, Of.POLICY, "require_pushed_authorization_requests", _ON, "true: every request is pushed", "5.3.2.2"),
    Row(F, Of.POLICY, "assertion_for_token_endpoint", _OFF, "false: assertions are for the issuer alone", "5.3.2.1"),
    Row(F, Of.POLICY, "id_token_signing_alg", _fapi_algorithm, "PS256, ES256 or EdDSA", "5.4.1"),
    Row(F, Of.POLICY, "access_token_signing_alg", _fapi_algorithm, "PS256, ES256 or EdDSA", "5.4.1"),
    Row(F, Of.CLIENT, "token_endpoint_auth_method", lambda value: value in fapi.METHODS,
        "private_key_jwt or mutual TLS: confidential, and without a shared secret", "5.3.2.1"),
    Row(F, Of.CLIENT, "dpop_bound_access_tokens", _ON, "true: tokens bound to their sender, or else a certificate",
        "5.3.2.1", _bound_by_no_certificate),
    Row(F, Of.CLIENT, "rotate_refresh_tokens", _OFF, "false: what binds the token to its client is enough",
        "5.3.2.1", _uses("refresh_token")),
    Row(F, Of.CLIENT, "require_pkce", _unless_unset(_ON), "true: PKCE with S256", "5.3.2.2",
        _uses("authorization_code")),
    Row(F, Of.CLIENT, "redirect_uris", _https(), "https", "5.3.2.2", _not_native),
    Row(F, Of.CLIENT, "redirect_uris", _https("http://127.0.0.1", "http://[::1]"), "https, or a loopback address",
        "5.3.2.2", _native),
    Row(F, Of.CLIENT, "id_token_signed_response_alg", _unless_unset(_fapi_algorithm), "PS256, ES256 or EdDSA",
        "5.4.1"),
    Row(F, Of.CLIENT, "userinfo_signed_response_alg", _unless_unset(_fapi_algorithm), "PS256, ES256 or EdDSA",
        "5.4.1"),
    Row(F, Of.CLIENT, "token_endpoint_auth_signing_alg", _fapi_algorithm, "PS256, ES256 or EdDSA, and said so",
        "5.4.1", _asserts),
    Row(F, Of.CLIENT, "request_object_signing_alg", _unless_unset(_fapi_algorithm), "PS256, ES256 or EdDSA", "5.4.1"),
    Row(F, Of.CLIENT, "assertion_for_token_endpoint", _OFF, "false: assertions are for the issuer alone", "5.3.2.1"),
    Row(F, Of.API, "alg", _unless_unset(_fapi_algorithm), "PS256, ES256 or EdDSA", "5.4.1"),
    Row(F, Of.SERVER, "pushed_authorization_request_endpoint", bool, "pushed authorization requests", "5.3.2.2"),
    Row(F, Of.SERVER, "dpop_signing_alg_values_supported", bool, "access tokens bound to their sender", "5.3.2.1"),
)  # fmt: skip
"""Everything that is asked, profile by profile."""


def check(profile: Profile, slug: str | None = None) -> Verdict:
    """Who breaks `profile`: the tenant of that slug with its clients, or every tenant. Raises NotFound."""
    rows = [row for row in TABLE if row.profile is profile]
    breaks: list[Broken] = []
    missing: dict[str, Broken] = {}
    for tenant in (
        [tenants.show(slug)] if slug is not None else [*_each(tenants.list_, lambda last: last.slug)]
    ):
        with entered(tenants.as_tenant(tenant)):
            breaks += [*_of_policy(rows), *_of_clients(rows), *_of_apis(rows)]
            missing |= {each.policy: each for each in _of_server(rows)}
    return Verdict(tuple(breaks), tuple(missing.values()))


def _of_policy(rows: list[Row]) -> Iterator[Broken]:
    policy: Policy = current().policy
    for row in rows:
        if row.of is Of.POLICY and not (row.profile is F and fapi.policy_holds()):
            yield from _judged(row, getattr(policy, row.name))


def _of_clients(rows: list[Row]) -> Iterator[Broken]:
    for client in _each(clients.list_, lambda last: last.client_id):
        if rows[0].profile is F and fapi.of(client):
            yield from _of_switched(client)
            continue
        for row in rows:
            if row.of is Of.CLIENT and row.which(client):
                yield from _judged(row, _value(client, row.name), client.client_id)


def _of_switched(client: Client) -> Iterator[Broken]:
    """What a client that keeps the profile by a switch says against it, which the switch overrules or refuses."""
    for name in fapi.broken(client.metadata, client.settings):
        of, asks = f"{Of.CLIENT} {client.client_id}", f"{fapi.PROMISES[name][0]}: {fapi.PROMISES[name][1]}"
        yield Broken(current().slug, of, name, _value(client, name), asks, "5.3.2")


def _of_apis(rows: list[Row]) -> Iterator[Broken]:
    for api in _each(apis.list_, lambda last: last.identifier):
        for row in rows:
            if row.of is Of.API:
                yield from _judged(row, api.settings.get(row.name), api.identifier)


def _of_server(rows: list[Row]) -> Iterator[Broken]:
    known = metadata.document()
    for row in rows:
        if row.of is Of.SERVER:
            yield from _judged(row, known.get(row.name))


def _judged(row: Row, value: Any, name: str | None = None) -> Iterator[Broken]:
    if not row.takes(value):
        of = str(row.of) if name is None else f"{row.of} {name}"
        yield Broken(current().slug, of, row.name, value, row.asks, row.requirement)


def _value(client: Client, name: str) -> Any:
    if name == "token_endpoint_auth_method":
        return client.auth_method
    return client.setting(name) if name in SETTINGS else client.metadata.get(name)


def _each(page_of: Callable[..., tuple[Any, ...]], name: Callable[[Any], str]) -> Iterator[Any]:
    """All of them, page by page; `name`: behind which the next page begins."""
    page = page_of(_PAGE)
    while page:
        yield from page
        page = page_of(_PAGE, name(page[-1]))
