"""What is measured: each row a request kind, how it is prepared, and what is to be reached."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

from benchmarks import bound
from benchmarks.browser import Browser, authorization
from benchmarks.hands import APIS, SCOPE, basic, code, each_hand, form_post, redemption, username
from benchmarks.load import Run, play, request
from benchmarks.machine import CannotMeasure, Occupancy
from benchmarks.target import PASSWORD, Server, Site

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


def jwks(server: Server, sites: Sequence[Site], count: int) -> list[bytes]:
    return [request("GET", at.path("jwks_uri"), at.host) for at in sites]


def discovery(server: Server, sites: Sequence[Site], count: int) -> list[bytes]:
    return [request("GET", at.discovery, at.host) for at in sites]


def client_credentials(alg: str) -> Callable[[Server, Sequence[Site], int], list[bytes]]:
    form = {"grant_type": "client_credentials", **APIS[alg]}

    def prepare(server: Server, sites: Sequence[Site], count: int) -> list[bytes]:
        return [form_post(at, "token_endpoint", "svc", form) for at in sites]

    return prepare


def codes(server: Server, sites: Sequence[Site], count: int) -> list[bytes]:
    """Codes by the real flow: one sign-in a hand, then one authorization each."""

    def work(browser: Browser, at: Site, number: int) -> bytes:
        return form_post(at, "token_endpoint", "web", redemption(at, code(browser, at, number)))

    return each_hand(server, sites, count, work)


def refresh(server: Server, sites: Sequence[Site], count: int) -> list[bytes]:
    """As many families as requests; each token is used once."""

    def work(browser: Browser, at: Site, number: int) -> bytes:
        form = redemption(at, code(browser, at, number))
        answer = browser.send("POST", at.endpoint("token_endpoint"), form, **basic("web"))
        token = json.loads(answer.body).get("refresh_token") if answer.status == 200 else None
        if token is None:
            raise CannotMeasure(f"No refresh token from {server.name} ({answer.status}): {answer.body[:200]}")
        return form_post(at, "token_endpoint", "web", {"grant_type": "refresh_token", "refresh_token": token})

    return each_hand(server, sites, count, work)


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

    return each_hand(server, sites, count, work)


ROWS = (
    Row("jwks", "JWKS", 64, jwks, 3.0),
    Row("discovery", "Discovery", 64, discovery, 3.0),
    Row("client_credentials_es256", "client_credentials, ES256", 16, client_credentials("ES256"), 1.2),
    Row("client_credentials_rs256", "client_credentials, RS256", 16, client_credentials("RS256"), 1.2),
    Row("code", "Code exchange", 16, codes, None, once=200, spread=40),
    Row("refresh", "Refresh with rotation", 16, refresh, None, once=200, spread=40),
    Row("introspection", "Introspection", 16, introspection, None, spread=400),
    Row("private_key_jwt", "client_credentials, private_key_jwt", 16, bound.assertions, 1.0, once=200),
    Row("par", "Pushed authorization request", 16, bound.pushes, None),
    Row("code_dpop", "PAR, code, DPoP token", 16, bound.codes, 1.0, once=200, spread=40),
    Row("userinfo_dpop", "userinfo with DPoP", 16, bound.userinfo, 1.0, once=200, spread=40),
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
