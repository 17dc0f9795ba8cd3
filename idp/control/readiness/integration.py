"""Integration: what a relying party, a person and a service see over the public address. Needs a running server."""

import http.client
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from idp.control.readiness.check import Check as AnyCheck
from idp.control.readiness.check import Gate, Seen, bad, good, judged
from idp.control.readiness.world import NotLooked, World
from idp.prove.promises import NotProved, Unexpected

if TYPE_CHECKING:
    from idp.control.readiness.journey import Visit
    from idp.prove.target import Canary

_BROKEN = (NotProved, Unexpected, OSError, http.client.HTTPException)
_SIGNED_IN = "sign-in"


def _journey() -> Any:
    """Loaded when it is needed: a web process, which has the table too, never makes the journey."""
    from idp.control.readiness import journey

    return journey


def _step(look: "Callable[[World, Visit, Canary], Seen]") -> Callable[[World], Seen]:
    """A check of the shared visit: what a stranger did not expect is what it found."""

    def looked(world: World) -> Seen:
        journey = _journey()
        visit = journey.visit(world)
        try:
            return look(world, visit, journey.target(world).a)
        except _BROKEN as problem:
            return bad(journey.sentence(problem))

    looked.__doc__ = look.__doc__
    return looked


def answers(world: World) -> Seen:
    """Whether the public address answers, and is ready."""
    problem = world.once("away", lambda: _journey().answers(world))
    return judged(str(problem), world.settings.base_url)


def canary(world: World) -> Seen:
    """Whether the public commands make a tenant."""
    try:
        return good(_journey().target(world).a.slug)
    except NotProved as problem:
        return bad(str(problem))


@_step
def discovery(world: World, visit: "Visit", canary: "Canary") -> Seen:
    """Whether every address in the document is the issuer's, and the issuer is the base URL's."""
    settings = world.settings
    base, domain = settings.base_url, settings.domain
    where = urlsplit(canary.issuer)
    ours = canary.issuer.startswith(f"{base}/") or (domain and where.hostname == f"{canary.slug}.{domain}")
    if not ours or where.scheme != urlsplit(base).scheme:
        return bad(f"The issuer is {canary.issuer}, and IDP_BASE_URL is {base}.")
    strange = [
        f"{name} is {value}"
        for name, value in visit.party.metadata.items()
        if (name.endswith("_endpoint") or name == "jwks_uri")
        and not str(value).startswith(f"{canary.issuer}/")
    ]
    return judged(f"{strange[0]}." if strange else "", canary.issuer)


@_step
def signs_in(world: World, visit: "Visit", canary: "Canary") -> Seen:
    """Every page, every redirect, the code, the tokens."""
    _journey().sign_in(visit, canary)
    world.kept[_SIGNED_IN] = True
    return good(f"{visit.party.net.asked} requests so far")


@_step
def cookies(world: World, visit: "Visit", canary: "Canary") -> Seen:
    """Whether the session's cookie is out of reach of scripts, of other sites and of plain http."""
    _ = visit.access
    lines = _journey().cookies_of(_journey().stranger(visit.party.net, canary))
    if not lines:
        return bad("The first page sets no cookie.")
    for line in lines:
        name, attributes = line.partition("=")[0], {part.strip().lower() for part in line.split(";")[1:]}
        wanted = {"httponly", "samesite=lax", *(["secure"] if world.settings.secure else [])}
        if missing := wanted - attributes:
            return bad(f"The cookie {name} lacks {', '.join(sorted(missing))}.")
        if world.settings.secure and not name.startswith("__Host-"):
            return bad(f"The cookie {name} is not a __Host- cookie.")
    return good(", ".join(line.partition("=")[0] for line in lines))


@_step
def token(world: World, visit: "Visit", canary: "Canary") -> Seen:
    """Discovery, JWKS, signature, issuer, audience, typ, tenant, as a service checks them."""
    return judged(_journey().taken(visit, canary, _journey().target(world).b), f"signed by {visit.kid}")


@_step
def refresh(world: World, visit: "Visit", canary: "Canary") -> Seen:
    """New tokens for the old refresh token, good again."""
    del world, canary
    _journey().refreshed(visit)
    visit.service.check(visit.access)
    return good()


@_step
def userinfo(world: World, visit: "Visit", canary: "Canary") -> Seen:
    """The same person as in the token."""
    del world, canary
    return judged(_journey().asked(visit))


@_step
def introspection(world: World, visit: "Visit", canary: "Canary") -> Seen:
    """Active for a good one, nothing more than inactive for a broken one."""
    del world
    return judged(_journey().introspected(visit, canary))


@_step
def rotation(world: World, visit: "Visit", canary: "Canary") -> Seen:
    """A new key signs, the old token is still good, and the whole way works again."""
    journey = _journey()
    before = visit.kid
    problem = journey.rotated(world, visit, canary)
    if problem:
        return bad(problem)
    again = journey.stranger(visit.party.net, canary)
    again.service = visit.service  # it knows the keys of before, as a service would
    journey.sign_in(again, canary)
    problem = (
        journey.taken(again, canary, journey.target(world).b)
        or journey.asked(again)
        or journey.introspected(again, canary)
    )
    journey.refreshed(again)
    return judged(problem, f"from {before} to {again.kid}")


@_step
def logout(world: World, visit: "Visit", canary: "Canary") -> Seen:
    """Nobody is left in the browser."""
    del canary
    if _SIGNED_IN not in world.kept:
        raise NotLooked("There is no token, because nobody could sign in.")
    return judged(_journey().signed_out(visit))


_TELL = "Read what idp explain says of the refused request"

Check = partial(AnyCheck, gate=Gate.INTEGRATION)

CHECKS = (
    Check("IDP-INT-001", "The public address answers", "Nobody reaches a server whose address leads elsewhere.",
          "Start idp serve, or mend IDP_BASE_URL, the DNS or the proxy.", answers),
    Check("IDP-INT-002", "A tenant can be made", "Everything else is tried on a throw-away tenant.",
          "Set IDP_OPS_DATABASE_URL, and wait until no other proof runs.", canary),
    Check("IDP-INT-003", "Discovery agrees with the address",
          "Relying parties compare the issuer letter by letter.",
          "Set IDP_BASE_URL (and IDP_DOMAIN) to the address by which people come.", discovery),
    Check("IDP-INT-004", "A person signs in", "This is what all the rest is for.",
          f"{_TELL}; where a redirect leads elsewhere, mend IDP_BASE_URL or what the proxy forwards.", signs_in),
    Check("IDP-INT-005", "Cookies are out of reach", "Who has the cookie is the person.",
          "Let the proxy forward X-Forwarded-Proto, and set IDP_BASE_URL to https.", cookies),
    Check("IDP-INT-006", "A service takes the token", "A token that a service refuses is none.",
          "Run idp explain-token on it, which names the check that fails.", token),
    Check("IDP-INT-007", "Tokens are refreshed", "Applications would sign everybody out after minutes.",
          f"{_TELL}.", refresh),
    Check("IDP-INT-008", "userinfo answers", "Applications ask it who has signed in.", f"{_TELL}.", userinfo),
    Check("IDP-INT-009", "Introspection answers", "Services that do not check tokens themselves depend on it.",
          f"{_TELL}.", introspection),
    Check("IDP-INT-010", "Keys can be rotated", "A key that leaks has to be replaced at once.",
          "Look at directory.away in the log of idp serve, and for a cache in front of jwks.json.", rotation),
    Check("IDP-INT-011", "Signing out ends the session", "The next person at the same browser would be the last one.",
          f"{_TELL}, and look at the outbox of the worker.", logout),
)  # fmt: skip
