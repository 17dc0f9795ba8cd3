"""Which scopes a client may have, what they belong to, and which audience they make.

A permission is a scope at an API: a scope belongs to each API that declares it, and a client has it where it
was granted it. One that no API declares belongs to the tenant's default API, whose identifier is the issuer;
there the client's own `scope` is the grant. An unknown scope is left out; a known one that the client may not
have is `invalid_scope`.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import wraps
from typing import Any

from idp import directory
from idp.errors import InvalidScope, InvalidTarget
from idp.memory import Recent
from idp.store.durable.apis import Api
from idp.store.durable.clients import Client
from idp.tenants import current

_MOST_REMEMBERED = 16_384
_shared: Recent[Any, Any] = Recent(1_024)

STANDARD = ("openid", "profile", "email", "address", "phone", "offline_access", "groups", "roles")
"""Scopes that concern a person, of OpenID Connect Core 1.0 §5.4 and §11 and our own two."""


@dataclass(frozen=True, slots=True)
class Target:
    """Whom an access token is for: its audience, and how such tokens are made."""

    audience: tuple[str, ...]
    lifetime: int | None
    alg: str
    typ: str
    apis: tuple[Api, ...]


Asked = Callable[[Client, tuple[str, ...], tuple[str, ...]], Any]


def remembered(rule: Asked) -> Asked:
    """`rule`, answering from memory as long as tenant, client and APIs are the very same objects.

    The directory replaces them when they change, so that an answer is never older than they are.
    """
    kept: Recent[tuple[Any, ...], tuple[Any, ...]] = Recent(_MOST_REMEMBERED)

    @wraps(rule)
    def asked(client: Client, wanted: tuple[str, ...], resources: tuple[str, ...]) -> Any:
        tenant, apis = current(), directory.apis()
        # The row itself is remembered beside the answer, so that its name in memory cannot go to another one.
        key = (id(client), wanted, resources)
        found = kept.get(key)
        if found is not None and found[0] is tenant and found[1] is client and found[2] is apis:
            return found[3]
        answer = rule(client, wanted, resources)
        # What clients of many tenants ask alike lies in memory once: there is one of these for each of them.
        kept.put((key[0], _once(wanted), _once(resources)), (tenant, client, apis, answer))
        return answer

    return asked


def _once(words: tuple[str, ...]) -> tuple[str, ...]:
    found: tuple[str, ...] = _shared.get(words) or _shared.put(words, words)
    return found


def split(scope: str | None) -> tuple[str, ...]:
    """The scope tokens in their order, each once (RFC 6749 §3.3)."""
    return tuple(dict.fromkeys((scope or "").split(" "))) if scope else ()


def _declared() -> set[str]:
    """Every scope that some API of the tenant declares."""
    return {scope for api in directory.apis() for scope in api.scopes}


def _granted(api: Api, client: Client) -> frozenset[str]:
    """The scopes of one API that the client was granted there, or that it opens to whom nobody knows."""
    return frozenset(api.scopes).intersection((*api.grants.get(client.id, ()), *_opened(api, client)))


def _opened(api: Api, client: Client) -> tuple[str, ...]:
    """What an API lets applications ask people for that registered or describe themselves: with consent, each time.

    Nothing for one that could ask without a person.
    """
    stranger = client.setting("dynamic") and client.setting("require_consent")
    return api.setting("open_scopes") if stranger and "client_credentials" not in client.grant_types else ()


def _own(client: Client) -> frozenset[str]:
    """What the client's own `scope` grants: at the default API, so nothing that an API declares."""
    return frozenset(client.scopes) - (_declared() - set(STANDARD))


def allowed(client: Client) -> frozenset[str]:
    """Every scope that the client may have somewhere."""
    return _own(client).union(*(_granted(api, client) for api in directory.apis()))


def grantable(client: Client, wanted: Iterable[str]) -> tuple[str, ...]:
    """What of `wanted` is granted: unknown ones are left out. Raises InvalidScope for a forbidden one."""
    mine = allowed(client)
    known = set(STANDARD) | mine | _declared()
    granted = tuple(scope for scope in wanted if scope in known)
    forbidden = [scope for scope in granted if scope not in mine]
    if forbidden:
        raise InvalidScope(rule="scope.allowed", expected=sorted(mine), got=forbidden, setting="api.grants")
    return granted


def resources(client: Client, wanted: Iterable[str]) -> tuple[str, ...]:
    """The resources asked for (RFC 8707 §2). Raises InvalidTarget for one unknown or closed to the client."""
    open_to_client = {
        *current().issuers,
        *(api.identifier for api in directory.apis() if client.id in api.grants or _opened(api, client)),
    }
    found = tuple(dict.fromkeys(wanted))
    unknown = [resource for resource in found if resource not in open_to_client]
    if unknown:
        raise InvalidTarget(
            rule="resource.open", expected=sorted(open_to_client), got=unknown, setting="api.grants"
        )
    return found


def within(client: Client, scopes: Iterable[str], wanted_resources: tuple[str, ...]) -> tuple[str, ...]:
    """The scopes that concern the named resources; all of them when none is named."""
    if not wanted_resources:
        return tuple(scopes)
    named = (api for api in directory.apis() if api.identifier in wanted_resources)
    here = _own(client).union(*(_granted(api, client) for api in named))
    return tuple(scope for scope in scopes if scope in here)


def reached(client: Client, scopes: Iterable[str], wanted_resources: tuple[str, ...]) -> tuple[Api, ...]:
    """The APIs that a token with these scopes is for: those named, else those at which one of them was granted."""
    asked = frozenset(scopes)
    return tuple(
        api
        for api in directory.apis()
        if api.identifier in wanted_resources or (not wanted_resources and asked & _granted(api, client))
    )


def qualified(client: Client, scopes: Iterable[str], wanted_resources: tuple[str, ...]) -> tuple[str, ...]:
    """The scopes as a person allows them: one of an API with that API before it, `identifier scope`."""
    mine, asked = _own(client), tuple(scopes)
    there = (
        f"{api.identifier} {scope}"
        for api in reached(client, asked, wanted_resources)
        for scope in asked
        if scope in _granted(api, client)
    )
    return (*(scope for scope in asked if scope in mine), *there)


def _unmixed(client: Client, granted: frozenset[str], apis: tuple[Api, ...]) -> None:
    """No API in the audience declares a scope of the token that was granted elsewhere alone. Raises InvalidTarget."""
    for api in apis:
        beyond = granted.intersection(api.scopes) - _granted(api, client) - set(STANDARD)
        if beyond:
            raise InvalidTarget(
                "One token for these APIs would allow more than was granted; name one resource.",
                rule="resource.mixed",
                expected=sorted(_granted(api, client)),
                got=sorted(beyond),
                setting="api.grants",
            )


@remembered
def target(client: Client, scopes: tuple[str, ...], wanted_resources: tuple[str, ...]) -> Target:
    """The audience of a token with these scopes, and the strictest of what its APIs ask for.

    Raises InvalidTarget when one token for all of them would allow more than was granted.
    """
    tenant = current()
    granted = frozenset(scopes)
    apis = reached(client, scopes, wanted_resources)
    _unmixed(client, granted, apis)
    audience = tuple(api.identifier for api in apis)
    if "openid" in granted or not audience or set(tenant.issuers) & set(wanted_resources):
        audience = (*audience, tenant.issuer)
    lifetimes = [
        int(api.setting("access_token_lifetime")) for api in apis if api.setting("access_token_lifetime")
    ]
    algorithms = [str(api.setting("alg")) for api in apis if api.setting("alg")]
    types = {api.typ for api in apis}
    return Target(
        audience=audience,
        lifetime=min(lifetimes) if lifetimes else None,
        alg=algorithms[0] if algorithms else tenant.policy.access_token_signing_alg,
        typ="JWT" if types == {"JWT"} else "at+jwt",
        apis=apis,
    )
