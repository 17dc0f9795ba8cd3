"""What tenants have registered, against the rules of this environment: redirect URIs, moves between issuers."""

import datetime as dt
from collections import Counter
from collections.abc import Iterator

from idp import clock, urls
from idp.control.doctor.finding import Examination, Finding, error, warning
from idp.control.doctor.world import World
from idp.control.tenants import as_tenant
from idp.store.durable import clients
from idp.store.durable.clients import Client
from idp.tenants import entered

MOST = 1000
"""Clients of one tenant that are looked at."""
LOOKED_UP = 100
"""Hosts of redirect URIs that are looked up."""
MOVING = dt.timedelta(days=30)
_NOWHERE = (".local", ".internal", ".test", ".example", ".invalid", ".lan", ".home.arpa")


def redirect_uris(world: World) -> Iterator[Finding]:
    """Each redirect URI can be reached by people of this environment, and stands once."""
    looked: dict[str, bool] = {}
    for row in world.tenants():
        with entered(as_tenant(row)):
            found = clients.all_clients(MOST)
        for client in found:
            where = f"tenant {row.slug}: clients: {client.client_id}: redirect_uris"
            yield from _twice(client, where)
            for uri in dict.fromkeys(client.redirect_uris):
                yield from _uri(world, client, uri, where, looked)


def _twice(client: Client, where: str) -> Iterator[Finding]:
    for uri, count in Counter(client.redirect_uris).items():
        if count > 1:
            yield warning("redirect.duplicate", f"{uri} stands {count} times.", where, "Leave it in once.")


def _uri(world: World, client: Client, uri: str, where: str, looked: dict[str, bool]) -> Iterator[Finding]:
    try:
        url = urls.redirect_uri(uri, native=client.native)
    except urls.BadUrl as problem:
        yield error(
            "redirect.invalid",
            f"{uri} {problem}, so nobody comes back by it.",
            where,
            "Write it as the application sends it.",
        )
        return
    if url.loopback:
        if world.settings.env == "production" and not client.native:
            yield warning(
                "redirect.loopback",
                f"{uri} leads to the machine of whoever signs in, in production.",
                where,
                "Take it out, or set application_type: native where the application runs on people's machines.",
            )
        return
    if url.host_kind != "name" or url.scheme not in urls.DEFAULT_PORTS:
        return
    if "." not in url.host or url.host.endswith(_NOWHERE):
        yield warning(
            "redirect.private",
            f"{uri} has a host that exists in a private network at most.",
            where,
            "Write the host by which people reach the application.",
        )
        return
    if url.host not in looked and len(looked) < LOOKED_UP:
        looked[url.host] = world.resolve(url.host)
    if not looked.get(url.host, True):
        yield warning(
            "redirect.unresolved",
            f"The host of {uri} has no address in the DNS.",
            where,
            "Make a record for it, or take the URI out.",
        )


def moves(world: World) -> Iterator[Finding]:
    """A move between two issuers comes to an end."""
    for row in world.tenants():
        if row.moving_since is not None and clock.now() - row.moving_since > MOVING:
            yield warning(
                "issuer.moving",
                f"{row.slug} has had two issuers since {row.moving_since:%Y-%m-%d}.",
                f"tenant {row.slug}",
                f"Run idp tenant issuer show {row.slug}, then move --finish or --cancel.",
            )


EXAMINATIONS = (
    Examination("redirects", "Redirect URIs", redirect_uris),
    Examination("moves", "Moves between issuers", moves),
)
