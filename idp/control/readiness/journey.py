"""What the gates that need a running server share: a canary tenant, and what was obtained with it so far.

Everything is done by the prover's own visitor and service, over the public address: this is what a relying
party, a person and a service would see.
"""

import http.client
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from idp import clock
from idp.control.readiness.world import NotLooked, World
from idp.prove import canaries, run
from idp.prove.browser import MOST_REDIRECTS, Browser, below
from idp.prove.promises import NotProved, Unexpected
from idp.prove.service import Refused, Service, parts
from idp.prove.target import Canary, Target
from idp.prove.visitor import SCOPE, Party
from idp.prove.wire import Net

CLIENT, PERSON = "web", "alice"
PATIENCE = 15.0
"""Seconds in which every process must have heard of a rotation; it takes one."""
_AGAIN = 0.2


@dataclass(slots=True)
class Visit:
    """One person at one application of the canary, and the tokens that came of it."""

    party: Party
    browser: Browser
    service: Service
    tokens: dict[str, Any] = field(default_factory=dict)

    @property
    def access(self) -> str:
        """The access token. Raises NotLooked where there is none."""
        if "access_token" not in self.tokens:
            raise NotLooked("There is no token, because nobody could sign in.")
        return str(self.tokens["access_token"])

    @property
    def kid(self) -> str:
        """The key that signed it."""
        return str(parts(self.access)[0].get("kid"))


def answers(world: World) -> str:
    """What is wrong with the public address, in a sentence, or nothing."""
    base = world.settings.base_url
    with Net(timeout=10) as net:
        for path in ("/livez", "/readyz"):
            try:
                status = net.get(base + path).status
            except (OSError, http.client.HTTPException) as problem:
                return f"{base} does not answer ({type(problem).__name__})."
            if status != 200:
                return f"{base}{path} answers {status}."
    return ""


def target(world: World) -> Target:
    """The deployment with its canaries, which are removed after the last check. Raises NotLooked, NotProved."""
    return world.once("target", lambda: _made(world))


def _made(world: World) -> Target:
    if world.program is None:
        raise NotLooked("The product's commands cannot be run from here.")
    if world.once("away", lambda: answers(world)):
        raise NotLooked("The public address does not answer.")
    known = world.program.json("env", "--show-secrets")
    made = world.stack.enter_context(run.facing(world.program, known, world.tell))
    world.stack.callback(world.tell, "removing the canary tenants")
    world.tell("visiting the canary")
    return made


def visit(world: World) -> Visit:
    """The visit that the checks of integration share. Raises NotLooked where there is no canary."""
    return world.once("visit", lambda: _visit(world))


def _visit(world: World) -> Visit:
    try:
        canary = target(world).a
    except NotProved:
        raise NotLooked("There is no canary tenant.") from None
    return stranger(world.stack.enter_context(Net(per_second=2_000)), canary)


def stranger(net: Net, canary: Canary) -> Visit:
    """A new browser before a canary's application."""
    party = Party(net, canary.issuer, CLIENT, canaries.CALLBACK, canary.secrets[CLIENT], scope=SCOPE)
    service = Service(net, canary.issuer, canary.issuer, canary.slug)
    return Visit(party, Browser(net, canary.issuer), service)


def cookies_of(visit: Visit) -> list[str]:
    """Every Set-Cookie on the way to the page where a new person signs in."""
    party = visit.party
    found: list[str] = []
    address = f"{party.metadata['authorization_endpoint']}?{urlencode(party.request())}"
    for _ in range(MOST_REDIRECTS):
        answer = party.net.get(address, {"Accept": "text/html"})
        found += answer.every("Set-Cookie")
        address = answer.header("Location")
        if not below(address, party.issuer):
            break
    return found


def sign_in(visit: Visit, canary: Canary) -> None:
    """Through every page, to tokens. Raises Unexpected."""
    visit.tokens = visit.party.sign_in(visit.browser, PERSON, canary.passwords[PERSON])


def taken(visit: Visit, canary: Canary, other: Canary) -> str:
    """Whether a service takes the tokens of the visit, and one of another tenant does not; what is wrong."""
    claims = visit.service.check(visit.access)
    relying_party = Service(visit.party.net, canary.issuer, CLIENT, typ="jwt")
    own = relying_party.check(str(visit.tokens["id_token"]))
    if own.get("nonce") != visit.party.nonce or own.get("sub") != claims.get("sub"):
        return "The ID token has another nonce or sub than it must."
    with suppress(Refused):
        Service(visit.party.net, other.issuer, other.issuer, other.slug).check(visit.access)
        return "A service of another tenant takes the token."
    return ""


def refreshed(visit: Visit) -> None:
    """New tokens for the refresh token. Raises Unexpected, NotLooked."""
    _ = visit.access
    visit.tokens |= visit.party.refresh(str(visit.tokens.get("refresh_token"))).json()


def asked(visit: Visit) -> str:
    """Whether userinfo tells of the same person as the token; what is wrong."""
    told = visit.party.userinfo(visit.access).json()
    return "" if told.get("sub") == parts(visit.access)[1].get("sub") else "userinfo tells of another person."


def introspected(visit: Visit, canary: Canary) -> str:
    """Whether introspection knows the token, and says nothing of one that is not; what is wrong."""
    told = visit.party.introspect(visit.access).json()
    if told.get("active") is not True or told.get("iss") != canary.issuer:
        return "Introspection does not know a token that is good."
    if visit.party.introspect(f"{visit.access}x").json() != {"active": False}:
        return "Introspection says more than inactive of a token that is broken."
    return ""


def rotated(world: World, visit: Visit, canary: Canary) -> str:
    """Rotate the canary's keys, and wait until a new token bears another one; what is wrong."""
    before, old = visit.kid, visit.access
    target(world).program("keys", "rotate", "--tenant", canary.slug, "--now")
    end = clock.monotonic() + PATIENCE
    while visit.kid == before:
        if clock.monotonic() > end:
            return f"Tokens are still signed by the old key {PATIENCE:.0f} s after the rotation."
        world.pause(_AGAIN)
        refreshed(visit)
    visit.service.check(old)
    return ""


def signed_out(visit: Visit) -> str:
    """Sign out; whether the browser is nobody afterwards; what is wrong."""
    party = visit.party
    party.logout(visit.browser, str(visit.tokens.get("id_token")))
    answer = party.authorize(visit.browser, prompt="none")
    error = party.returned(answer).get("error")
    return "" if error == "login_required" else f"After signing out, prompt=none gives {error or 'a code'}."


def sentence(problem: Exception) -> str:
    """What a stranger saw, as one sentence."""
    if isinstance(problem, (NotProved, Unexpected)):
        return str(problem)
    return f"The connection broke: {type(problem).__name__}."
