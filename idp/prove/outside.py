"""Attacks from outside: every route × every kind of credential of one canary, at the other canary's address.

What comes back must be what comes back for a thing that does not exist. Both directions are tried. The routes are
learned from the deployment, so that a new one is covered, or breaks the promise until somebody says how.
"""

import json
import re
import time
from collections.abc import Callable, Iterator
from urllib.parse import urlencode, urlsplit

from idp.prove import clock, wallet
from idp.prove.canaries import UPSTREAM
from idp.prove.carried import AUTHENTICATION, KINDS, Part, Place, Use, everything
from idp.prove.likeness import unlike, unlike_at_rest
from idp.prove.promises import Group, Promise, Tally
from idp.prove.reaches import DEEP, EVERY_HEADER, PLAIN, WIDE, Reach
from idp.prove.target import Route, Target
from idp.prove.visitor import Party
from idp.prove.wallet import Wallet
from idp.prove.wire import FORM, NOT_NOW, Answer, Net

VARIABLES = {"filename": "app.css", "upstream": UPSTREAM}
"""What stands for a variable of a route that is not the tenant's slug."""
COSTLY = {"password": (PLAIN, EVERY_HEADER)}
"""Kinds that cost the deployment work, and the only reaches with which they are tried."""
ALIKE = {("revoke", "access_token"), ("revoke", "refresh_token")}
"""Where an answer never tells whether there was such a thing (RFC 7009 §2.2); `whole` looks at what became of it."""
PLATFORM = "platform"
"""The gate of an issuer for which no tenant's credential is good: what is real is as nothing there, whoever's it is."""
_VARIABLE = re.compile(r"\{([^{}]+)\}")
_MOST_WAITING = 75.0
"""Seconds, longer than any window in which requests are counted."""

Pairs = Callable[[Route, Wallet, Wallet], Iterator[tuple[str, str, Use, Reach]]]
"""Of a route, who brings and who is reached for: method, kind, how it is presented, how it is reached."""


class Outside:
    """Tries pairs of requests, one with what is another's and one with what is nobody's."""

    def __init__(self, target: Target, tally: Tally, net: Net) -> None:
        """`net`: the connections that are used."""
        self.target, self.tally, self.net = target, tally, net
        self.a, self.b = (wallet.of(net, target, canary) for canary in (target.a, target.b))

    def every(self, pairs: Pairs) -> None:
        """Try what `pairs` gives for each route, in both directions."""
        for route in self.target.routes:
            strange = self._strange(route)
            if strange:
                self.tally.expect(False, strange)
                continue
            for own, victim in ((self.a, self.b), (self.b, self.a)):
                for method, kind, use, reach in pairs(route, own, victim):
                    self.attempt(Place(route, own, victim), method, kind, use, reach)

    def attempt(self, place: Place, method: str, kind: str, use: Use, reach: Reach) -> None:
        """One pair: it counts, and breaks the promise where the two answers differ."""
        told = self.difference(place, method, use, reach)
        how = " ".join(filter(None, (use.name, reach.name)))
        self.tally.expect(
            told is None, f"{method} {place.route.path}, {kind} of another tenant ({how}): {told}."
        )

    def difference(self, place: Place, method: str, use: Use, reach: Reach) -> str | None:
        """In words, how the answer to what is real differs from the answer to what never was."""
        own, victim = place.own.canary, place.victim.canary
        address = self.address(place.route, victim.slug, victim.issuer)
        parts = urlsplit(address)
        path = reach.path(parts.path, own, victim)
        if reach in DEEP and path == parts.path and not reach.headers(path, own, victim):
            return None  # an issuer with a host of its own has no such spelling
        target = f"{parts.scheme}://{parts.netloc}{path}"
        beside = Part(reach.form(own), (), reach.headers(path, own, victim))
        # What the reach names stands before the credential, which it must not replace.
        both = [beside | use.rest | part for part in (use.foreign, use.absent)]
        # What is outside of tenants, such as readiness, may say for good that it is not available.
        ask = self._once if place.route.gate == "public" else self.ask
        # What is kept ready differs in a header from what had to be made, and what everybody sees may grow meanwhile.
        compared = unlike if place.route.credentials else unlike_at_rest
        return compared(
            lambda: ask(method, target, both[0]), lambda: ask(method, target, both[1]),
            use.foreign.texts, use.absent.texts,
        )  # fmt: skip

    def ask(self, method: str, url: str, part: Part) -> Answer:
        """One request. Raises NotProved where the deployment goes on refusing to judge it."""
        until = clock.elapsed() + _MOST_WAITING
        while True:
            answer = self._once(method, url, part)
            if answer.status not in NOT_NOW:
                return answer
            if clock.elapsed() > until:
                raise answer.unexpected(f"for {_MOST_WAITING:.0f} s, so that nothing could be tried")
            time.sleep(min(float(answer.header("Retry-After") or 1), 5.0))

    def _once(self, method: str, url: str, part: Part) -> Answer:
        headers = dict(part.headers)
        if part.cookies:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in part.cookies.items())
        if method in ("POST", "PUT", "PATCH", "DELETE"):
            query = f"?{urlencode(part.query)}" if part.query else ""
            body = urlencode(list(part.form.items())).encode()
            if part.json is not None:
                body = json.dumps(part.json).encode()
            return self.net.ask(method, url + query, {"Content-Type": FORM, **headers}, body)
        pairs = [*part.query, *part.form.items()]
        return self.net.ask(method, f"{url}?{urlencode(pairs)}" if pairs else url, headers)

    def address(self, route: Route, slug: str, issuer: str) -> str:
        """Where a route is for one tenant."""
        path = route.path
        if path.startswith("/t/{slug}"):
            return issuer + _VARIABLE.sub(_value, path.removeprefix("/t/{slug}"))
        return self.target.base_url + _VARIABLE.sub(_value, path.replace("{slug}", slug))

    def _strange(self, route: Route) -> str | None:
        """Why a route cannot be tried, in a sentence."""
        unknown = [name for name in _VARIABLE.findall(route.path) if name not in (*VARIABLES, "slug")]
        if unknown:
            return f"{route.path}: nobody has said what stands for {', '.join(unknown)}."
        kinds = [kind for kind in route.credentials if kind not in KINDS]
        if kinds:
            return f"{route.path}: credentials of the kind {', '.join(kinds)} cannot be obtained."
        pages = route.path.removeprefix("/t/{slug}")
        if {"csrf", "password", "second_factor", "passkey"} & set(
            route.credentials
        ) and pages not in self.a.pages:
            return f"{route.path}: no page is known whose form goes there."
        return None


def _value(found: re.Match[str]) -> str:
    return VARIABLES[found[1]]


def methods(route: Route) -> tuple[str, ...]:
    """The methods that may change or tell something; HEAD is GET without its body."""
    return tuple(method for method in route.methods if method not in ("HEAD", "OPTIONS"))


def _wide(route: Route, own: Wallet, victim: Wallet) -> Iterator[tuple[str, str, Use, Reach]]:
    place = Place(route, own, victim)
    for method in methods(route):
        for kind in route.credentials:
            for use in KINDS[kind](place):
                for reach in COSTLY.get(kind, WIDE):
                    yield method, kind, use, reach
        if not route.credentials:
            for use in everything(place):
                for reach in WIDE:
                    yield method, "everything", use, reach


def _deep(route: Route, own: Wallet, victim: Wallet) -> Iterator[tuple[str, str, Use, Reach]]:
    place = Place(route, own, victim)
    kinds = [kind for kind in route.credentials if kind not in COSTLY]
    telling = [kind for kind in kinds if kind not in AUTHENTICATION] or kinds
    for method in methods(route):
        for kind in telling[:1]:
            for use in list(KINDS[kind](place))[:1]:
                for reach in DEEP:
                    yield method, kind, use, reach


def credentials(target: Target, tally: Tally) -> None:
    """Every credential, in every way that it travels, at the other's address."""
    with Net() as net:
        Outside(target, tally, net).every(_wide)


def spellings(target: Target, tally: Tally) -> None:
    """Every odd spelling of the address and every header that could name a tenant, one by one."""
    with Net() as net:
        Outside(target, tally, net).every(_deep)


def names(target: Target, tally: Tally) -> None:
    """Origins that only one tenant has registered are, at the other's address, anybody's."""
    with Net() as net:
        outside = Outside(target, tally, net)

        def origins(route: Route, own: Wallet, victim: Wallet) -> Iterator[tuple[str, str, Use, Reach]]:
            del victim
            if route.cors != "clients":
                return
            known, unknown = (f"https://{slug}.example.com" for slug in _slugs(own))
            wanted = Part(headers={"Access-Control-Request-Method": "POST"})
            use = Use("an origin", Part(headers={"Origin": known}), Part(headers={"Origin": unknown}), wanted)
            for method in route.methods:
                yield method, "a name", use, PLAIN

        outside.every(origins)


def _slugs(own: Wallet) -> tuple[str, str]:
    return own.canary.slug, wallet.nobodys(own.canary).slug


def real(target: Target, tally: Tally) -> None:
    """Each kind of credential makes a difference where it belongs, so that nothing was tried with blanks."""
    with Net() as net:
        outside = Outside(target, tally, net)
        held = wallet.gathered(net, target.a)
        for route in target.routes:
            for method in methods(route) if route.gate != PLATFORM else ():
                for kind in route.credentials:
                    if kind not in KINDS or (route.path.rpartition("/")[2], kind) in ALIKE:
                        continue
                    good = _opens(outside, route, method, kind, held)
                    if not good:  # it may have been used up, or its page
                        held = wallet.gathered(net, target.a)
                        good = _opens(outside, route, method, kind, held)
                    tally.expect(
                        good, f"{method} {route.path} takes no {kind} at its own tenant's address either."
                    )


def _opens(outside: Outside, route: Route, method: str, kind: str, held: Wallet) -> bool:
    place = Place(route, held, held)
    return any(outside.difference(place, method, use, PLAIN) for use in KINDS[kind](place))


def whole(target: Target, tally: Tally) -> None:
    """A code, a refresh token, an access token and a session are tried at the other's address, and still work."""
    with Net() as net:
        for own, victim in ((target.a, target.b), (target.b, target.a)):
            mine = wallet.of(net, target, own)
            theirs = wallet.party(net, victim)
            client = wallet.party(net, own)
            code, client.verifier = wallet.fresh_code(net, mine)
            theirs.verifier = client.verifier
            tally.expect(theirs.redeem(code).status == 400, "A code is taken at another tenant's address.")
            tokens = client.redeem(code).json()
            for token in (tokens["access_token"], tokens["refresh_token"]):
                theirs.revoke(token)
                told = theirs.introspect(token).json()
                tally.expect(told == {"active": False}, "A token is told of at another tenant's address.")
            other = (
                wallet.party(net, own, "post", "client_secret_post").introspect(tokens["access_token"]).json()
            )
            tally.expect(other == {"active": False}, "A client is told of another client's token.")
            tally.expect(
                theirs.refresh(tokens["refresh_token"]).status == 400, "A refresh token is taken elsewhere."
            )
            _still(tally, client, tokens)


def _still(tally: Tally, client: Party, tokens: dict[str, str]) -> None:
    tally.expect(
        client.userinfo(tokens["access_token"]).status == 200, "A token ended by being tried elsewhere."
    )
    told = client.introspect(tokens["refresh_token"]).json()
    tally.expect(told.get("active") is True, "A refresh token ended by being tried elsewhere.")
    tally.expect(
        client.refresh(tokens["refresh_token"]).status == 200,
        "A refresh token ended by being tried elsewhere.",
    )


PROMISES = (
    Promise(
        "outside_credentials", Group.OUTSIDE,
        "Whatever one tenant's people, browsers and clients hold is nothing at another tenant's address.",
        "Every route that the server has is sent every kind of credential that it takes, real and of another tenant, "
        "beside one that never was, by path, by host and by header; the two answers are compared byte by byte.",
        credentials,
    ),
    Promise(
        "outside_addresses", Group.OUTSIDE,
        "No spelling of an address and no header makes one tenant's server take another tenant's credential.",
        "Every route is asked with dots, slashes, encodings and capitals in its path, and with each header that some "
        "server reads a host, a path or a tenant from.",
        spellings,
    ),
    Promise(
        "outside_names", Group.OUTSIDE, "Nobody learns at one tenant's address which origins another tenant knows.",
        "Routes that answer browsers of other origins are asked by an origin that only the other tenant registered.",
        names,
    ),
    Promise(
        "outside_real", Group.OUTSIDE, "Every credential that was tried elsewhere opens something where it belongs.",
        "Each kind is sent to each route of its own tenant, and must be answered otherwise than one that never was.",
        real,
    ),
    Promise(
        "outside_whole", Group.OUTSIDE, "What is tried at another tenant's address stays whole at its own.",
        "A code, an access token and a refresh token are presented and revoked elsewhere, and then used.", whole,
    ),
)  # fmt: skip
