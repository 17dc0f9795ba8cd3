"""Forged tokens against every endpoint that verifies one: none is taken.

Endpoints are found by the kinds of credential that routes declare, and by trying: where a genuine token makes a
difference, a forged one must not. What is answered to a forged one must be a refusal, or what is answered to noise.
"""

import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from time import sleep
from urllib.parse import parse_qsl, urlsplit

from idp.prove import clock, forge_claims, forge_forms, forge_headers, wallet
from idp.prove.canaries import KEY_CLIENT
from idp.prove.carried import KINDS, Part, Place, Use
from idp.prove.forge import Forged, Genuine, Strangers, signer
from idp.prove.forge_forms import ORDER
from idp.prove.likeness import words
from idp.prove.outside import ALIKE, PLATFORM, Outside, methods
from idp.prove.promises import Group, Promise, Tally
from idp.prove.service import Service, parts
from idp.prove.target import Canary, Route, Target
from idp.prove.visitor import ASSERTION_TYPE, assertion, b64, request_object
from idp.prove.wire import Answer, Net

LEAST = 500
"""Forged tokens of each kind, below which the corpus is not whole."""
PER_SECOND = 1_000
ASSERTION_SECONDS = 240
"""Within which an endpoint is tried; an assertion may live for 300 s."""
ANOTHER = "one for another client"
SIGNED = {"private_key_jwt": "client_assertion", "request_object": "request"}
"""Kinds that a client signs, and the parameter as which each is sent."""
LONGEST_HEADER = 6_000
GROUPS = (*forge_headers.GROUPS, *forge_claims.GROUPS, *forge_forms.GROUPS)


@dataclass(frozen=True, slots=True)
class Verifier:
    """One way to have a token of one kind verified, and what is said to noise there."""

    place: Place
    method: str
    use: Use
    token: str
    refused: tuple[str, ...]

    @property
    def silent(self) -> bool:
        """Whether its answer never tells if there was such a token."""
        end = self.place.route.path.rpartition("/")[2]
        return (end, self.kind) in ALIKE

    @property
    def kind(self) -> str:
        """Of its tokens."""
        signed = [kind for kind, name in SIGNED.items() if name in self.use.foreign.form]
        return signed[0] if signed else "access_token"

    def part(self, token: str) -> Part:
        """The request with `token` where the genuine one is."""
        given = self.use.foreign

        def put(value: str) -> str:
            return value.replace(self.token, token)

        changed = Part(
            {name: put(value) for name, value in given.form.items()},
            given.query,
            {name: put(value) for name, value in given.headers.items()},
        )
        return self.use.rest | changed

    def carries(self, token: str) -> bool:
        """Whether HTTP brings `token` there at all, and it is none that is good there."""
        if (
            token == self.place.own.tokens["refresh_token"]
            and "refresh_token" in self.place.route.credentials
        ):
            return False
        if not any(self.token in value for value in self.use.foreign.headers.values()):
            return True
        return (
            token.isascii() and token.isprintable() and token == token.strip() and len(token) < LONGEST_HEADER
        )

    def judges(self, name: str) -> bool:
        """Whether the forgery is one here: a hint of any client's will do where the request names none."""
        return name != ANOTHER or "client_id" in self.use.rest.form

    @property
    def name(self) -> str:
        """For a finding."""
        return f"{self.method} {self.place.route.path} ({self.use.name})"


def corpus(base: Genuine) -> Iterator[Forged]:
    """Every forgery of one genuine token, each token once."""
    seen = {base.token}
    for group in GROUPS:
        for name, token in group(base):
            if token not in seen:
                seen.add(token)
                yield name, token


class Bench:
    """Finds the verifiers and tries the corpus on each."""

    def __init__(self, target: Target, tally: Tally, net: Net, kind: str) -> None:
        """`kind`: of the tokens that are forged; `net`: the connections that are used."""
        self.target, self.tally, self.net, self.kind = target, tally, net, kind
        self.outside = Outside(target, tally, net)
        self.held = wallet.of(net, target, target.a)
        self.client = wallet.party(net, target.a)
        self.base = self._genuine()

    def every(self) -> None:
        """The whole corpus at each verifier."""
        forged = sum(1 for _ in corpus(self.base))
        self.tally.expect(forged >= LEAST, f"Only {forged} forged tokens of the kind {self.kind} are known.")
        for route in self.target.routes:
            if self.kind in route.credentials and route.gate != PLATFORM:
                self._try_all(list(self._verifiers(route)))

    def _genuine(self) -> Genuine:
        """A good token and everything around it. Raises Unexpected."""
        own, other = self.target.a, self.target.b
        key = own.keys[KEY_CLIENT]
        token = self._token()
        public = {name: value for name, value in key.items() if name != "d"}
        if self.kind not in SIGNED:
            public = Service(self.net, own.issuer, "").keys()[str(parts(token)[0]["kid"])]
        return Genuine(
            self.kind, token, public, own, other, dict(self._others()), Strangers(),
            (own.secrets["web"], own.secrets["post"]), signer(key) if self.kind == "private_key_jwt" else None,
        )  # fmt: skip

    def _token(self) -> str:
        """A good token; of those that count once, one that was not used."""
        if self.kind not in SIGNED:
            return str(self.held.tokens[self.kind])
        return self._signed(self.target.a, KEY_CLIENT)

    def _signed(self, by: Canary, client_id: str) -> str:
        """What a client of a canary signs for this one, of the kind in hand."""
        own, until = self.target.a, int(clock.now().timestamp()) + ASSERTION_SECONDS
        if self.kind == "request_object":
            return request_object(client_id, own.issuer, by.keys[KEY_CLIENT], self.held.request, exp=until)
        return assertion(client_id, own.issuer, by.keys[KEY_CLIENT], exp=until)

    def _others(self) -> Iterator[tuple[str, str]]:
        """Tokens that are good, or were, and must be nothing here."""
        other = self.target.b
        theirs = wallet.of(self.net, self.target, other).tokens
        yield "the other's", theirs.get(self.kind) or self._signed(other, KEY_CLIENT)
        for name in ("access_token", "id_token"):
            if name != self.kind:
                yield f"one's {name}", self.held.tokens[name]
        if self.kind == "private_key_jwt":
            yield from self._assertions()
        if self.kind == "access_token":
            yield "one that was revoked", self._revoked()
            sleep(max(0.0, self.held.ends + 1 - clock.elapsed()))
            yield "one that has expired", self.held.brief
        if self.kind == "id_token":
            post = wallet.party(self.net, self.target.a, "post", "client_secret_post")
            yield ANOTHER, wallet.silently(self.net, self.held, post)["id_token"]
        yield "a refresh token", self.held.tokens["refresh_token"]
        yield "noise", secrets.token_urlsafe(48)

    def _assertions(self) -> Iterator[tuple[str, str]]:
        used = self._signed(self.target.a, KEY_CLIENT)
        form = {
            "client_assertion": used,
            "client_assertion_type": ASSERTION_TYPE,
            "grant_type": "client_credentials",
        }
        self.net.post(self.client.metadata["token_endpoint"], form).json()
        yield "one that was used", used
        yield (
            "one for the other tenant",
            assertion(KEY_CLIENT, self.target.b.issuer, self.target.a.keys[KEY_CLIENT]),
        )
        for name in ("web", "service", self.target.a.slug):
            yield f"one in the name of {name}", self._signed(self.target.a, name)
        header, claims, _, _ = parts(used)
        lax = _malleable(used)
        if lax:
            yield "one that was used, its signature's other half", lax
        yield (
            "one that was used, in new words",
            signer(self.target.a.keys[KEY_CLIENT])(header, {**claims, "more": 1}),
        )

    def _revoked(self) -> str:
        code, self.client.verifier = wallet.fresh_code(self.net, self.held)
        token = str(self.client.redeem(code).json()["access_token"])
        self.client.revoke(token)
        return token

    def _verifiers(self, route: Route) -> Iterator[Verifier]:
        """Each method of `route`, and each way of carrying, in which a genuine token makes a difference."""
        found: set[tuple[str, str]] = set()
        for method in methods(route):
            for use in KINDS[self.kind](Place(route, self.held, self.held)):
                way = method, use.name.partition(" ")[0]
                verifier = None if way in found else self._verifier(route, method, use)
                if verifier is not None:
                    found.add(way)
                    yield verifier
        self.tally.expect(bool(found), f"{route.path} takes no {self.kind}, whatever it is.")

    def _verifier(self, route: Route, method: str, use: Use) -> Verifier | None:
        token = use.foreign.form[SIGNED[self.kind]] if self.kind in SIGNED else self._token()
        verifier = Verifier(Place(route, self.held, self.held), method, use, token, ())
        noise = wallet.shuffled(token)
        verifier = replace(verifier, refused=tuple(words(self._said(verifier, noise), [noise])))
        if verifier.silent:  # whether it was good, its answer does not tell, and afterwards it would not be
            return verifier if use.name.endswith("token with the namesake") else None
        return verifier if self._good(verifier, token) else None

    def _good(self, verifier: Verifier, token: str) -> bool:
        answer = self._said(verifier, token)
        return answer.status < 400 and tuple(words(answer, [token])) != verifier.refused

    def _try_all(self, ways: list[Verifier]) -> None:
        """Every forgery at one endpoint, its ways in turn; at the end a genuine token is still good in each."""
        base = replace(self.base, token=self._token())
        for number, (name, token) in enumerate(corpus(base)):
            carrying = [verifier for verifier in ways if verifier.carries(token) and verifier.judges(name)]
            if carrying:
                self._try(carrying[number % len(carrying)], name, token)
        for verifier in ways:
            still = (
                self.client.introspect(self._token()).json().get("active") is True
                if verifier.silent
                else self._good(verifier, self._token())
            )
            self.tally.expect(
                still, f"{verifier.name} takes no genuine token any more after so many forged ones."
            )

    def _try(self, verifier: Verifier, name: str, token: str) -> None:
        answer = self._said(verifier, token)
        if answer.status >= 500:
            self.tally.expect(
                False, f"{verifier.name}: a forged token ({name}) made it answer {answer.status}."
            )
            return
        refused = _is_error(answer) or tuple(words(answer, [token])) == verifier.refused
        self.tally.expect(refused, f"{verifier.name} takes a forged token: {name} ({answer}).")

    def _said(self, verifier: Verifier, token: str) -> Answer:
        own = self.target.a
        address = self.outside.address(verifier.place.route, own.slug, own.issuer)
        return self.outside.ask(verifier.method, address, verifier.part(token))


def _is_error(answer: Answer) -> bool:
    """Whether it is an error by its status, or by what it brings back to the client (RFC 6749 §4.1.2.1)."""
    brought = dict(parse_qsl(urlsplit(answer.header("Location")).query))
    return answer.status >= 400 or ("error" in brought and "code" not in brought)


def _malleable(token: str) -> str:
    """The other signature that ECDSA holds for as good: (r, n − s)."""
    header, _, signed, signature = parts(token)
    if header["alg"] != "ES256":
        return ""
    s = ORDER - int.from_bytes(signature[32:], "big")
    return f"{signed.decode()}.{b64(signature[:32] + s.to_bytes(32, 'big'))}"


def _probe(kind: str) -> Callable[[Target, Tally], None]:
    def probe(target: Target, tally: Tally) -> None:
        with Net(per_second=PER_SECOND) as net:
            Bench(target, tally, net, kind).every()

    return probe


PROMISES = tuple(
    Promise(
        f"tokens_{kind}", Group.TOKENS, sentence,
        "More than 500 forgeries of a good one, at every endpoint that verifies it: no algorithm, a public key as a "
        "secret, ids and addresses of other keys, other types, audiences, tenants, people and times, signatures and "
        "encodings that a lax reader takes for the same, parts of several tokens put together.",
        _probe(kind),
    )
    for kind, sentence in (
        ("access_token", "No forged access token is taken anywhere."),
        ("id_token", "No forged ID token is taken for a hint anywhere."),
        ("private_key_jwt", "No forged or twice used assertion signs a client in anywhere."),
        ("request_object", "No forged request is taken for one that its client has signed."),
    )
)  # fmt: skip
