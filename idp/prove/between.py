"""Attacks on what sits between the tenants: Redis, memories of the processes, hosts and headers, background jobs."""

from collections.abc import Iterator
from time import sleep
from typing import Any
from urllib.parse import urlsplit

from idp.prove import between_jobs, between_redis, wallet
from idp.prove.canaries import API
from idp.prove.clock import elapsed
from idp.prove.promises import Group, Promise, Tally
from idp.prove.reaches import EVERY_HEADER, SINGLE
from idp.prove.service import Refused, Service, parts
from idp.prove.target import Canary, Target
from idp.prove.visitor import basic
from idp.prove.wallet import Wallet
from idp.prove.wire import Answer, Net

TURNS = 25
"""How often the two canaries take turns."""
SOON = 15.0
"""Seconds within which every process has heard of a change."""
DOCUMENTS = (
    "/.well-known/openid-configuration", "/.well-known/oauth-authorization-server",
    "/.well-known/oauth-protected-resource", "/jwks.json",
)  # fmt: skip


class Pair:
    """Both canaries as one connection meets them in turn."""

    def __init__(self, target: Target, tally: Tally, net: Net) -> None:
        """`net`: the one connection."""
        self.target, self.tally, self.net = target, tally, net
        self.held = {each.slug: wallet.of(net, target, each) for each in (target.a, target.b)}
        self.kids = {each.slug: _kids(net, each) for each in (target.a, target.b)}
        shared = self.kids[target.a.slug] & self.kids[target.b.slug]
        tally.expect(not shared, f"Both canaries publish the key {sorted(shared)}.")

    def others(self) -> Iterator[tuple[Canary, Canary]]:
        """Each canary with the other."""
        yield self.target.a, self.target.b
        yield self.target.b, self.target.a

    def documents(self, canary: Canary, when: str) -> None:
        """What is published of a canary is its own."""
        for path in DOCUMENTS:
            answer = self.net.get(canary.issuer + path)
            self.tally.expect(
                self._own(answer, canary, path), f"{path} of one tenant is another's {when}: {answer}."
            )

    def _own(self, answer: Answer, canary: Canary, path: str) -> bool:
        if path == "/jwks.json":
            return {each["kid"] for each in answer.json()["keys"]} == self.kids[canary.slug]
        name = "resource" if path.endswith("protected-resource") else "issuer"
        return bool(answer.json()[name] == canary.issuer)

    def people(self, canary: Canary, other: Canary) -> None:
        """Tokens, clients and people of the same names are each tenant's own."""
        held, theirs = self.held[canary.slug], self.held[other.slug]
        client = wallet.party(self.net, canary)
        sub = client.userinfo(held.tokens["access_token"]).json().get("sub")
        self.tally.expect(sub == _sub(held), "userinfo tells of another person.")
        strange = client.userinfo(theirs.tokens["access_token"])
        self.tally.expect(
            strange.status == 401, f"Another tenant's access token is taken in turn: {strange}."
        )
        for secret, wanted in ((canary.secrets["web"], 200), (other.secrets["web"], 401)):
            endpoint = client.metadata["introspection_endpoint"]
            form = {"token": held.tokens["access_token"]}
            answer = self.net.post(endpoint, form, basic("web", secret))
            self.tally.expect(
                answer.status == wanted, f"A client of the same name is another tenant's: {answer}."
            )
        told = client.introspect(theirs.tokens["access_token"]).json()
        self.tally.expect(told == {"active": False}, "Introspection tells of another tenant's token in turn.")


def _kids(net: Net, canary: Canary) -> set[str]:
    return {str(each["kid"]) for each in net.get(f"{canary.issuer}/jwks.json").json()["keys"]}


def _sub(held: Wallet) -> Any:
    return parts(held.tokens["id_token"])[1]["sub"]


def in_turn(target: Target, tally: Tally) -> None:
    """Both take turns with the same names and ids on one connection; each gets its own."""
    with Net() as net:
        pair = Pair(target, tally, net)
        for _ in range(TURNS):
            for canary, other in pair.others():
                pair.documents(canary, "in turn")
                pair.people(canary, other)


def hosts(target: Target, tally: Tally) -> None:
    """Odd hosts and headers in front of what is kept ready: it stays the tenant's own, then and afterwards."""
    with Net() as net:
        pair = Pair(target, tally, net)
        for canary, other in pair.others():
            for path in DOCUMENTS:
                for name, headers in _odd(target, canary, other, path):
                    answer = net.get(canary.issuer + path, headers)
                    leaks = other.slug.encode() in answer.body or any(
                        kid.encode() in answer.body for kid in pair.kids[other.slug]
                    )
                    strange = b".example.net" in answer.body
                    tally.expect(not leaks and not strange, f"{path} with {name} tells of another: {answer}.")
                for host in _foreign(other):
                    answer = net.get(canary.issuer + path, {"Host": host})
                    here = urlsplit(canary.issuer).netloc == host
                    tally.expect(
                        here or answer.status != 200, f"{path} is given at the host {host[-30:]}: {answer}."
                    )
            pair.documents(canary, "after odd hosts")
            pair.documents(other, "after odd hosts")


def _foreign(other: Canary) -> tuple[str, ...]:
    """Hosts that are nobody's issuer."""
    return f"{other.slug}.example.net", f"{wallet.nobodys(other).slug}.example.net", "localhost.example.net"


def _odd(target: Target, canary: Canary, other: Canary, path: str) -> Iterator[tuple[str, dict[str, str]]]:
    base = urlsplit(target.base_url).netloc
    for host in (
        f"{other.slug}.example.net", f"{other.slug}.{base}", base.upper(), f"{base}.",
        f"{base}@{other.slug}.example.net",
        f"{base}, {other.slug}.example.net", f"{other.slug}.example.net:80", "", "0", f"{base}/t/{other.slug}",
    ):  # fmt: skip
        yield f"Host {host!r}", {"Host": host}
    for reach in (*SINGLE, EVERY_HEADER):
        # The other tenant is what the headers name.
        yield (
            reach.name.removeprefix("with "),
            reach.headers(urlsplit(canary.issuer).path + path, other, canary),
        )


def jobs(target: Target, tally: Tally) -> None:
    """One canary's keys are rotated, a person of it suspended, everything of it voided; the other notices nothing."""
    with Net() as net:
        pair = Pair(target, tally, net)
        mine, other = target.a, target.b
        before = _untouched(target, net, other)
        token = pair.held[mine.slug].tokens["access_token"]
        target.program("keys", "rotate", "--tenant", mine.slug, "--now")
        until = elapsed() + SOON
        while _kids(net, mine) == pair.kids[mine.slug] and elapsed() < until:
            sleep(0.1)
        tally.expect(_kids(net, mine) != pair.kids[mine.slug], "A rotated key is not published.")
        pair.kids[mine.slug] = _kids(net, mine)
        pair.documents(other, "after the other's keys were rotated")
        _fresh_token(net, tally, mine, other)
        tally.expect(
            _untouched(target, net, other) == before, "A rotation for one tenant changed another's keys."
        )
        _alive(net, tally, pair.held[other.slug], "after the other's keys were rotated")
        target.program("not-before", "--tenant", mine.slug)
        client = wallet.party(net, mine)
        until = elapsed() + SOON
        while client.introspect(token).json().get("active") and elapsed() < until:
            sleep(0.1)
        tally.expect(
            client.introspect(token).json() == {"active": False}, "What was voided for a tenant still counts."
        )
        _alive(net, tally, pair.held[other.slug], "after everything of the other was voided")
        target.kept.pop(f"wallet of {mine.slug}")


def _untouched(target: Target, net: Net, canary: Canary) -> tuple[Any, ...]:
    """What may not change of a tenant for which nothing runs."""
    listed = target.program.json("keys", "list", "--tenant", canary.slug)
    return listed, net.get(f"{canary.issuer}/jwks.json").body


def _fresh_token(net: Net, tally: Tally, mine: Canary, other: Canary) -> None:
    """What the new key signs is good for its own tenant and nothing for the other."""
    token = wallet.party(net, mine, "service").client_credentials("orders.read").json()["access_token"]
    good = Service(net, mine.issuer, API, mine.slug).check(token)
    tally.expect(good["tenant_id"] == mine.id, "A token of a new key names another tenant.")
    try:
        Service(net, other.issuer, API, other.slug).check(token)
        tally.expect(False, "A service of another tenant takes a token of a new key.")
    except Refused as refused:
        tally.expect(
            refused.check in ("kid", "iss"), f"A token of a new key is refused for another reason: {refused}"
        )


def _alive(net: Net, tally: Tally, held: Wallet, when: str) -> None:
    client = wallet.party(net, held.canary)
    tally.expect(client.userinfo(held.tokens["access_token"]).status == 200, f"A token ended {when}.")
    told = client.introspect(held.tokens["refresh_token"]).json()
    tally.expect(told.get("active") is True, f"A refresh token ended {when}.")
    found = client.returned(client.authorize(wallet.signed_in(net, held), prompt="none"))
    tally.expect("code" in found, f"A session ended {when}.")


PROMISES = (
    Promise(
        "redis_keys", Group.BETWEEN, "Every key in Redis bears its tenant's name, and every value repeats it.",
        "All names are read, and the values of both canaries while their people are signing in.", between_redis.keys,
    ),
    Promise(
        "redis_values", Group.BETWEEN, "A value in Redis that got under another tenant's name opens nothing there.",
        "Every session, code, pushed or device's request and transaction of one canary is copied under the other's "
        "keys and then presented there.",
        between_redis.moved,
    ),
    Promise(
        "memories", Group.BETWEEN, "What a process remembers of one tenant is never told to another.",
        "Both canaries, with the same client_ids, usernames and key ids, take turns on one connection.", in_turn,
    ),
    Promise(
        "kept_documents", Group.BETWEEN, "Discovery and keys of one tenant are never given for another's.",
        "They are asked for with odd hosts and with every header that could name a tenant, and then as usual.", hosts,
    ),
    Promise(
        "background_jobs", Group.BETWEEN, "What is done for one tenant leaves every other tenant alone.",
        "Keys of one canary are rotated and everything that it issued is voided; the other's keys, "
        "sessions and tokens are compared.", jobs,
    ),
    Promise(
        "misled_jobs", Group.BETWEEN, "A job that is told another tenant's names does nothing there.",
        "Messages of one canary that name the other's sessions, people and clients are left for the worker; "
        "afterwards the other's sessions, their copies, messages and tokens are as they were.", between_jobs.misled,
    ),
)  # fmt: skip
