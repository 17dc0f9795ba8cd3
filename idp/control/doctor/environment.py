"""Settings by themselves: names that nobody reads, values that cannot mean what was meant."""

import difflib
from collections.abc import Iterator
from dataclasses import fields

from idp import identifiers
from idp.config import Settings
from idp.control import exposure
from idp.control.doctor.finding import Examination, Finding, error, warning
from idp.control.doctor.world import World
from idp.control.exposure import Trust

NAMES = tuple(f"IDP_{field.name.upper()}" for field in fields(Settings))


def names(world: World) -> Iterator[Finding]:
    """Names in the environment that begin like ours and are none, and such as servers take for headers."""
    for name in sorted(world.environment):
        if name.startswith("IDP_") and name not in NAMES:
            near = difflib.get_close_matches(name, NAMES, 1, 0.75)
            meant = f"write {near[0]}" if near else "take it out"
            yield warning(
                "environment.unknown",
                f"Nobody reads {name}, so it sets nothing.",
                name,
                f"In the environment, {meant}.",
            )
        elif name.startswith("HTTP_"):
            yield error(
                "environment.header",
                f"{name} would pass for a header of every request, so idp serve refuses to start.",
                name,
                "Take it out of the environment.",
            )


def proxies(world: World) -> Iterator[Finding]:
    """Whose forwarded headers count."""
    name = "IDP_TRUSTED_PROXIES"
    for given in world.settings.trusted_proxies:
        trust = exposure.proxy(given)
        if trust is Trust.NO_NETWORK:
            yield error(
                "environment.proxies",
                f"{given} is no address and no network.",
                name,
                "Give addresses or networks, comma separated.",
            )
        elif trust is Trust.EVERYONE:
            yield error(
                "environment.proxies_everyone",
                f"{given} holds so many addresses that strangers may say who they are.",
                name,
                "Name the addresses of the proxies alone.",
            )
    if world.settings.behind_proxy and not world.settings.trusted_proxies:
        yield warning(
            "environment.no_proxy",
            "https ends at a proxy, none is trusted, and so all people seem to come from its address.",
            name,
            "Set it to the proxy's address, or throttles of addresses stop everyone at once.",
        )


def domain(world: World) -> Iterator[Finding]:
    """Under which names tenants are reached."""
    given, base = world.settings.domain, world.settings.host.partition(":")[0]
    if given is None:
        return
    try:
        identifiers.host_name(given)
    except ValueError as problem:
        yield error(
            "environment.domain",
            f"IDP_DOMAIN {problem}, so no tenant has an address.",
            "IDP_DOMAIN",
            "Give a host name such as id.example.com.",
        )
        return
    if base.endswith(f".{given}"):
        slug = base.removesuffix(f".{given}")
        yield error(
            "environment.base_in_domain",
            f"The host of the base URL is also the address of a tenant called {slug}.",
            "IDP_BASE_URL",
            f"Give the base URL a host outside of {given}.",
        )


EXAMINATIONS = (
    Examination("environment", "Names in the environment", names),
    Examination("proxies", "Trusted proxies", proxies),
    Examination("domain", "The domain of tenants", domain),
)
