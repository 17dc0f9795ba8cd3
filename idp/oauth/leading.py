"""/authorize of the platform's issuer: which tenant a person belongs to, and the way there.

The request is judged in the platform's realm, kept in the tenant as a pushed one that came by the platform, and the
browser goes to the tenant's own endpoint with its name: people sign in there, under that tenant's policy, and the
answer goes straight back to the application in the platform's name.

A tenant's slug is public and may be named. An address leads where a tenant has proved the very domain as its host:
it says nothing of people, and nobody is asked whether anybody is known.
"""

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlencode

from idp import directory, identifiers, platform, tenants, throttle
from idp.errors import InteractionRequired, InvalidRequest, TooMany
from idp.oauth import authorize
from idp.oauth.authorize import Response, Returned
from idp.oauth.checks import pushed
from idp.oauth.checks.pending import Pending
from idp.tenants import Tenant, entered

TENANT = "tenant"
"""The parameter that names one: a slug, or an address of somebody there."""
_LONGEST = 254


@dataclass(frozen=True, slots=True)
class Led:
    """The address at a tenant where the browser goes on."""

    location: str


@dataclass(frozen=True, slots=True)
class Which:
    """Nobody has said which tenant, or the one that was said cannot be reached: the person is asked."""

    params: dict[str, str]
    resources: tuple[str, ...]
    client: Pending
    said: str = ""


def begin(params: dict[str, str], resources: tuple[str, ...], address: str) -> Response | Led | Which:
    """Judge a request in the realm, which is entered, and lead it on.

    Raises Refusal when an error must be a page, TooMany when the address has sent too many.
    """
    given = {name: value for name, value in params.items() if name != TENANT}
    try:
        request, pending = authorize.play(given, resources)
    except Returned as returned:
        return returned.response
    if pending.pushed is not None:
        raise InvalidRequest(rule="platform.pushed")
    said = params.get(TENANT, "")[:_LONGEST]
    found = tenants.apart(lambda: _meant(said, pending))
    if found is not None:
        name = tenants.apart(_leaving(found, _addressed(pending, said), address))
        if name is not None:
            query = urlencode({"client_id": request.client_id, "request_uri": name})
            return Led(f"{found.issuer}/authorize?{query}")
    if "none" in request.prompt:
        refusal = InteractionRequired(rule="platform.tenant", expected="a tenant that has the application")
        return authorize.error_response(refusal, request, pending.known_client)
    return Which(given, resources, pending, said)


def _meant(said: str, pending: Pending) -> Tenant | None:
    """The active tenant that the request means: the one that is named, else that of a hint."""
    if said:
        return _by_address(said) if "@" in said else _by_slug(said)
    hint, login = pending.get("id_token_hint"), pending.get("login_hint")
    if hint is not None:
        return hinted(hint)
    return _by_address(login) if login is not None else None


def hinted(hint: str) -> Tenant | None:
    """The active tenant that an ID token names, which alone can say whether it is good."""
    name = platform.about(hint)
    return None if name is None else _active(directory.by_id(name))


def _by_slug(said: str) -> Tenant | None:
    try:
        return _active(directory.resolve(identifiers.slug(said.strip().lower())))
    except ValueError:
        return None


def _by_address(said: str) -> Tenant | None:
    """The tenant whose proved host is the very domain of an address."""
    key = identifiers.email_key(said.strip())
    return None if key is None else _active(directory.resolve_host(key.rpartition("@")[2]))


def _active(found: Tenant | None) -> Tenant | None:
    return found if found is not None and found.active and not found.platform else None


def _addressed(pending: Pending, said: str) -> Pending:
    """The request with the address that the person gave, where its client gave none."""
    if "@" in said and "login_hint" not in pending.params:
        pending.params = {**pending.params, "login_hint": said.strip()}
    return pending


def _leaving(tenant: Tenant, judged: Pending, address: str) -> Callable[[], str | None]:
    """Keeps a request in the tenant, under a name; None where the tenant does not have the application."""

    def keep() -> str | None:
        with entered(platform.face(tenant)):
            client_id = judged.known_client.client_id
            client = directory.client(client_id)
            if client is None or not client.active or not client.platform_issuer:
                return None
            retry = throttle.failed("pushed", client_id, address)
            if retry is not None:
                raise TooMany(retry_after=retry, rule="throttle.pushed", setting="policy.pushed_requests")
            mine = Pending(judged.params, judged.resources_given, client=client)
            return pushed.keep(mine, platform=True)

    return keep
