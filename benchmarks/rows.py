"""What is measured: each row a request kind, how it is prepared, and what is to be reached."""

from __future__ import annotations

import base64
import itertools
import json
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

from benchmarks.browser import REDIRECT_URI, Browser, Code, authorization
from benchmarks.load import Run, play, request
from benchmarks.machine import CannotMeasure, Occupancy
from benchmarks.target import PASSWORD, SECRET, Server, Site

SCOPE = "openid offline_access"
APIS = {
    "ES256": {"resource": "https://es.bench.example", "scope": "es.read"},
    "RS256": {"resource": "https://rs.bench.example", "scope": "rs.read"},
}
HANDS = 4
PREPARE_WITHIN = 40.0  # seconds; a code lives 60


@dataclass(frozen=True)
class Row:
    """`once` is the status that a single-use request must get; None for requests that can be repeated."""

    name: str
    title: str
    connections: int
    prepare: Callable[[Server, Sequence[Site], int], list[bytes]]
    goal: float | None
    once: int | None = None
    peer: str = "oidc-provider"
    probe: int = 160
    spread: int = 1_000_000  # at how many tenants at most


def username(at: Site, number: int) -> str:
    return f"user{number % at.users + 1:02d}"


def basic(client_id: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{client_id}:{SECRET}".encode()).decode()}


def form_post(at: Site, endpoint: str, client_id: str, form: dict[str, str]) -> bytes:
    return request("POST", at.path(endpoint), at.host, basic(client_id), urlencode(form))


def jwks(server: Server, sites: Sequence[Site], count: int) -> list[bytes]:
    return [request("GET", at.path("jwks_uri"), at.host) for at in sites]


def discovery(server: Server, sites: Sequence[Site], count: int) -> list[bytes]:
    return [request("GET", at.discovery, at.host) for at in sites]


def client_credentials(alg: str) -> Callable[[Server, Sequence[Site], int], list[bytes]]:
    form = {"grant_type": "client_credentials", **APIS[alg]}

    def prepare(server: Server, sites: Sequence[Site], count: int) -> list[bytes]:
        return [form_post(at, "token_endpoint", "svc", form) for at in sites]

    return prepare


def _share(count: int, sites: Sequence[Site]) -> list[tuple[Site, int, int]]:
    """Divide `count` among sites and hands: (site, number of the hand, how many)."""
    shares = []
    used = sites[: max(1, count)]
    hands = max(1, HANDS // len(used))
    for number, at in enumerate(used):
        of_site = count // len(used) + (number < count % len(used))
        for hand in range(hands):
            share = of_site // hands + (hand < of_site % hands)
            if share:
                shares.append((at, number + hand, share))
    return shares


def _redeem(at: Site, code: Code) -> dict[str, str]:
    return {
        "grant_type": "authorization_code",
        "code": code.value,
        "code_verifier": code.verifier,
        "redirect_uri": REDIRECT_URI,
    }


def _interleave(parts: Sequence[list[bytes]]) -> list[bytes]:
    rounds = itertools.zip_longest(*parts)
    return [item for one in rounds for item in one if item is not None]


def _each_hand(
    server: Server, sites: Sequence[Site], count: int, work: Callable[[Browser, Site, int], bytes]
) -> list[bytes]:
    def hand(share: tuple[Site, int, int]) -> list[bytes]:
        at, number, times = share
        browser = Browser(server.port)
        try:
            return [work(browser, at, number) for _ in range(times)]
        finally:
            browser.close()

    with ThreadPoolExecutor(HANDS) as pool:
        return _interleave(list(pool.map(hand, _share(count, sites))))


def _code(browser: Browser, at: Site, number: int) -> Code:
    url, verifier = authorization(at.endpoint("authorization_endpoint"), "web", SCOPE)
    return browser.code(url, verifier, username(at, number), PASSWORD)


def codes(server: Server, sites: Sequence[Site], count: int) -> list[bytes]:
    """Codes by the real flow: one sign-in a hand, then one authorization each."""

    def work(browser: Browser, at: Site, number: int) -> bytes:
        return form_post(at, "token_endpoint", "web", _redeem(at, _code(browser, at, number)))

    return _each_hand(server, sites, count, work)


def refresh(server: Server, sites: Sequence[Site], count: int) -> list[bytes]:
    """As many families as requests; each token is used once."""

    def work(browser: Browser, at: Site, number: int) -> bytes:
        form = _redeem(at, _code(browser, at, number))
        answer = browser.send("POST", at.endpoint("token_endpoint"), form, **basic("web"))
        token = json.loads(answer.body).get("refresh_token") if answer.status == 200 else None
        if token is None:
            raise CannotMeasure(f"No refresh token from {server.name} ({answer.status}): {answer.body[:200]}")
        return form_post(at, "token_endpoint", "web", {"grant_type": "refresh_token", "refresh_token": token})

    return _each_hand(server, sites, count, work)


def introspection(server: Server, sites: Sequence[Site], count: int) -> list[bytes]:
    """Access tokens of client_credentials, asked about by the client that holds them.

    The peer keeps nothing of its JWTs and introspects opaque tokens only, so there it is asked for those."""
    browser = Browser(server.port)
    form = {"grant_type": "client_credentials"}
    if server.home is not None:
        form |= APIS["ES256"]
    requests = []
    for at, _ in zip(itertools.cycle(sites), range(max(64, min(len(sites), 512))), strict=False):
        answer = browser.send("POST", at.endpoint("token_endpoint"), form, **basic("svc"))
        token = json.loads(answer.body)["access_token"]
        requests.append(form_post(at, "introspection_endpoint", "svc", {"token": token}))
        if len(requests) == 1:
            answer = browser.send(
                "POST", at.endpoint("introspection_endpoint"), {"token": token}, **basic("svc")
            )
            if json.loads(answer.body).get("active") is not True:
                raise CannotMeasure(f"{server.name} does not introspect its own token: {answer.body[:200]}")
    browser.close()
    return requests


def sign_ins(server: Server, sites: Sequence[Site], count: int) -> list[bytes]:
    """Posts of the sign-in form, each with a transaction and a pre-session of its own."""
    people = itertools.count()

    def work(_: Browser, at: Site, number: int) -> bytes:
        browser = Browser(server.port)
        url, _verifier = authorization(at.endpoint("authorization_endpoint"), "web", SCOPE)
        form = browser.to_login(url)
        browser.close()
        fields = {
            **form.fields,
            "username": username(at, next(people)),
            "password": PASSWORD,
            "action": "login",
        }
        parts = urlsplit(form.action)
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        return request("POST", path, at.host, browser.cookie_header(), urlencode(fields))

    return _each_hand(server, sites, count, work)


ROWS = (
    Row("jwks", "JWKS", 64, jwks, 3.0),
    Row("discovery", "Discovery", 64, discovery, 3.0),
    Row("client_credentials_es256", "client_credentials, ES256", 16, client_credentials("ES256"), 1.2),
    Row("client_credentials_rs256", "client_credentials, RS256", 16, client_credentials("RS256"), 1.2),
    Row("code", "Code exchange", 16, codes, None, once=200, spread=40),
    Row("refresh", "Refresh with rotation", 16, refresh, None, once=200, spread=40),
    Row("introspection", "Introspection", 16, introspection, None, spread=400),
    Row("sign_in", "Password sign-in", 4, sign_ins, 0.8, once=303, peer="argon2id", probe=40),
)


def measure(row: Row, server: Server, seconds: int, sites: Sequence[Site] | None = None) -> Run:
    """Prepare and run one row once. Raises CannotMeasure when answers are wrong."""
    sites = list(sites or server.sites)[: row.spread]
    server.place()
    count = row.probe
    if row.once is not None:
        began = time.monotonic()
        first = row.prepare(server, sites, row.probe)
        took = time.monotonic() - began
        probed = play(server.port, first, seconds=seconds, connections=row.connections, once=row.once)
        wanted = int(probed.rate * seconds) + row.connections
        count = max(row.probe, min(wanted, int(row.probe / took * PREPARE_WITHIN)))
    requests = row.prepare(server, sites, count)
    server.place()
    occupancy = Occupancy(server.web())
    run = play(server.port, requests, seconds=seconds, connections=row.connections, once=row.once)
    foreign = occupancy.foreign()
    if run.bad:
        raise CannotMeasure(
            f"{run.bad} of {run.requests} answers of {server.name} were not the expected ones."
        )
    return Run(run.rate, run.p50, run.p95, run.p99, run.requests, run.bad, foreign)
