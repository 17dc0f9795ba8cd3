"""What comes back when the provider is asked from outside: documents, keys, foreign headers, cookies."""

import ipaddress
import re
from collections.abc import Iterator
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import quote, urlencode, urljoin, urlsplit

from idp import clock, directory, ids
from idp.control.doctor import wire
from idp.control.doctor.finding import Examination, Finding, error, warning
from idp.control.doctor.world import NotTried, World
from idp.control.tenants import as_tenant
from idp.oauth import metadata
from idp.signing import cache, keys
from idp.store.durable import clients
from idp.tenants import Tenant, entered

_STRANGER = "doctor.invalid"
_RUNNING = "the environment of idp serve"
_HOPS = 4


def port(world: World) -> Iterator[Finding]:
    """Something listens where the base URL says."""
    host, number = world.place()
    try:
        wire.connect((host, number)).close()
    except wire.Silent as silent:
        if world.serving is None:
            raise NotTried(f"The provider does not run, or is not reached from here: {silent}.") from None
        yield error(
            "port.silent",
            f"Where the base URL leads, {silent}; idp up listens on port {world.serving}.",
            "IDP_BASE_URL",
            f"Set the port of the base URL to {world.serving}, or let a proxy lead from {number} there.",
        )


def discovery(world: World) -> Iterator[Finding]:
    """Each tenant's discovery document as fetched is the one that this configuration makes."""
    for row in world.tenants():
        tenant = as_tenant(row)
        url = f"{tenant.issuer}/.well-known/openid-configuration"
        answer = world.fetch(url)
        if answer.status != 200:
            yield _no_document(tenant, url, answer)
            continue
        with entered(tenant):
            directory.poll()
            wanted = metadata.document()
        yield from _compared(tenant, answer.json(), wanted)


def _no_document(tenant: Tenant, url: str, answer: wire.Answer) -> Finding:
    if answer.status == 404:
        return error(
            "discovery.absent",
            f"{url} is answered by 404, so another Host arrives, or another base URL is set.",
            "the proxy in front, or IDP_BASE_URL of idp serve",
            f"Let the proxy pass Host on as it came ({urlsplit(tenant.issuer).netloc}).",
        )
    return error(
        "discovery.status",
        f"{url} is answered by {answer.status}.",
        "the proxy in front",
        "See its log, and that of idp serve.",
    )


def _compared(tenant: Tenant, told: dict[str, Any], wanted: dict[str, Any]) -> Iterator[Finding]:
    if told.get("issuer") != wanted["issuer"]:
        yield error(
            "discovery.issuer",
            f"The document of {tenant.slug} says issuer {told.get('issuer')!s:.200}, not {wanted['issuer']}.",
            _RUNNING,
            "Give idp serve the same IDP_BASE_URL and IDP_DOMAIN as this command.",
        )
        return
    wrong = sorted(name for name in {*told, *wanted} if told.get(name) != wanted.get(name))
    addresses = [name for name in wrong if name.endswith(("_endpoint", "_uri"))]
    if addresses:
        yield error(
            "discovery.endpoint",
            f"The document of {tenant.slug} has another {addresses[0]}: {told.get(addresses[0])!s:.200}.",
            "the proxy in front",
            "Let nothing between rewrite the document.",
        )
    elif wrong:
        yield warning(
            "discovery.differs",
            f"The document of {tenant.slug} differs in {', '.join(wrong)}.",
            _RUNNING,
            "Run the same release there, and let nothing between keep documents for longer than they say.",
        )


def jwks(world: World) -> Iterator[Finding]:
    """Each tenant's published keys as fetched hold every key that signs now."""
    for row in world.tenants():
        tenant = as_tenant(row)
        answer = world.fetch(f"{tenant.issuer}/jwks.json")
        if answer.status != 200:
            continue  # told by the document already
        with entered(tenant):
            rows = cache.load().keys
        known = {key.get("kid") for key in answer.json().get("keys", []) if isinstance(key, dict)}
        signing = {key.kid for key in rows if keys.state(key, clock.now()) is keys.State.ACTIVE}
        if signing - known:
            yield error(
                "discovery.keys",
                f"The key {min(signing - known)} of {tenant.slug} signs, and is not among the keys as fetched.",
                "a cache in front",
                "Let caches keep jwks.json no longer than its max-age.",
            )


def headers(world: World) -> Iterator[Finding]:
    """Who may say which host was asked for: nobody but the proxies that configuration trusts."""
    base = world.settings.base_url
    url = next(
        (f"{as_tenant(row).issuer}/jwks.json" for row in world.tenants() if row.primary_host is None), None
    )
    if url is None or not url.startswith(base):
        raise NotTried("No tenant lives under the base URL itself, so there is no address to try.")
    plain = world.fetch(url)
    if plain.status != 200:
        raise NotTried(f"{url} is answered by {plain.status}, so nothing can be told from it.")
    if world.fetch(url, Host=_STRANGER).status == 200:
        yield error(
            "headers.host",
            "A request for a host of nobody is answered as if it were for the base URL.",
            "the proxy in front",
            "Let it pass Host on as it came, so that idp serve can refuse hosts of others.",
        )
    yield from _rewritten(world, url)
    believed = world.fetch(url, X_Forwarded_Host=_STRANGER, X_Forwarded_For="203.0.113.7").status != 200
    trusted = not world.settings.secure and _trusts(world, plain.local)
    if believed and not trusted:
        yield error(
            "headers.stranger",
            "X-Forwarded-Host of anybody counts, so strangers choose whose host they ask for.",
            "IDP_TRUSTED_PROXIES, or the proxy in front",
            "Let the proxy overwrite X-Forwarded-Host and -For; name its address alone.",
        )
    if trusted and not believed:
        yield warning(
            "headers.ignored",
            f"{plain.local} is trusted by this configuration, and its forwarded headers do not count.",
            _RUNNING,
            "Give idp serve the same IDP_TRUSTED_PROXIES as this command.",
        )


def _rewritten(world: World, keys_url: str) -> Iterator[Finding]:
    """Nothing that a stranger says of scheme, port or prefix gets into a document."""
    url = f"{keys_url.removesuffix('/jwks.json')}/.well-known/openid-configuration"
    told = world.fetch(
        url,
        X_Forwarded_Proto="ftp",
        X_Forwarded_Port="7",
        X_Forwarded_Prefix="/doctor",
        Forwarded="proto=ftp",
    )
    if told.json() != world.fetch(url).json():
        yield error(
            "headers.document",
            "A forwarded header of anybody changes what the discovery document says.",
            "the proxy in front",
            "Let it drop Forwarded and X-Forwarded headers that came from outside, and rewrite no answers.",
        )


def _trusts(world: World, address: str) -> bool:
    ours = ipaddress.ip_address(address)
    for given in world.settings.trusted_proxies:
        try:
            if ours in ipaddress.ip_network(given, strict=False):
                return True
        except ValueError:  # told by another examination
            continue
    return False


def cookies(world: World) -> Iterator[Finding]:
    """A cookie of the sign-in page as it comes: its name and attributes."""
    url = _sign_in(world)
    for _ in range(_HOPS):
        answer = world.fetch(url, Sec_Fetch_Mode="navigate")
        if answer.every("Set-Cookie"):
            found = {finding.code: finding for finding in _cookie(world, answer.every("Set-Cookie"))}
            yield from found.values()  # what is wrong with one cookie is wrong with all
            return
        location = answer.every("Location")
        if not location or not location[0].startswith(url.partition("/authorize")[0]):
            break
        url = urljoin(url, location[0])
    raise NotTried("No page set a cookie, so there is none to look at.")


def _sign_in(world: World) -> str:
    """The address at which an application of the first tenant that has one begins a sign-in."""
    for row in world.tenants():
        tenant = as_tenant(row)
        with entered(tenant):
            client = next((one for one in clients.all_clients() if one.active and one.redirect_uris), None)
        if client is not None:
            asked = {
                "client_id": client.client_id,
                "redirect_uri": client.redirect_uris[0],
                "response_type": "code",
                "scope": "openid",
                "state": "doctor",
                "code_challenge_method": "S256",
                "prompt": "login",
                "code_challenge": ids.b64(ids.digest(ids.secret())),
            }
            return f"{tenant.issuer}/authorize?{urlencode(asked, quote_via=quote)}"
    raise NotTried("No tenant has an application at which somebody could sign in.")


def _cookie(world: World, lines: list[str]) -> Iterator[Finding]:
    for line in lines:
        try:
            ((name, morsel),) = SimpleCookie(line).items()
        except (CookieError, ValueError):
            continue
        https, where = world.settings.secure, "the proxy in front, or IDP_BASE_URL of idp serve"
        if not re.fullmatch(f"{'__Host-' if https else ''}idp_[a-z0-9-]+_[a-z]+", name):
            yield error(
                "cookies.name",
                f"A cookie is called {name[:60]!r}, as it would be under another base URL.",
                where,
                "Give idp serve the base URL that people see; rename no cookies.",
            )
        if bool(morsel["secure"]) != https:
            is_ = "is" if morsel["secure"] else "is not"
            yield error(
                "cookies.secure",
                f"The cookie {name[:60]} {is_} marked Secure, and the base URL is {'https' if https else 'http'}.",
                where,
                "Give idp serve the base URL that people see.",
            )
        if not morsel["httponly"]:
            yield error(
                "cookies.httponly",
                f"Scripts may read the cookie {name[:60]}.",
                "the proxy in front",
                "Let it hand on Set-Cookie as it came.",
            )
        if str(morsel["samesite"]).lower() != "lax":
            yield error(
                "cookies.samesite",
                f"The cookie {name[:60]} has SameSite={morsel['samesite'] or 'nothing'} instead of Lax.",
                "the proxy in front",
                "Let it hand on Set-Cookie as it came.",
            )
        if morsel["domain"] or morsel["path"] != "/":
            yield error(
                "cookies.scope",
                f"The cookie {name[:60]} is for Domain={morsel['domain'] or '-'}, Path={morsel['path'] or '-'}.",
                "the proxy in front",
                "Let it hand on Set-Cookie as it came: no Domain, and Path=/.",
            )


EXAMINATIONS = (
    Examination("port", "The port of the base URL", port),
    Examination("discovery", "Discovery documents from outside", discovery),
    Examination("jwks", "Published keys from outside", jwks),
    Examination("headers", "Forwarded headers and hosts", headers),
    Examination("cookies", "Cookies on the wire", cookies),
)
