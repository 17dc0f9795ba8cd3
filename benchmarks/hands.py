"""How requests are prepared: by several people at once, each with a browser that walks the real flow."""

from __future__ import annotations

import base64
import itertools
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlencode

from benchmarks.browser import REDIRECT_URI, Browser, Code, authorization
from benchmarks.load import request
from benchmarks.target import PASSWORD, SECRET, Server, Site

SCOPE = "openid offline_access"
HANDS = 4
APIS = {
    "ES256": {"resource": "https://es.bench.example", "scope": "es.read"},
    "RS256": {"resource": "https://rs.bench.example", "scope": "rs.read"},
}


def username(at: Site, number: int) -> str:
    return f"user{number % at.users + 1:02d}"


def basic(client_id: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{client_id}:{SECRET}".encode()).decode()}


def form_post(at: Site, endpoint: str, client_id: str, form: dict[str, str]) -> bytes:
    return request("POST", at.path(endpoint), at.host, basic(client_id), urlencode(form))


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


def redemption(at: Site, code: Code) -> dict[str, str]:
    return {
        "grant_type": "authorization_code",
        "code": code.value,
        "code_verifier": code.verifier,
        "redirect_uri": REDIRECT_URI,
    }


def _interleave(parts: Sequence[list[bytes]]) -> list[bytes]:
    rounds = itertools.zip_longest(*parts)
    return [item for one in rounds for item in one if item is not None]


def each_hand(
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


def code(browser: Browser, at: Site, number: int, client_id: str = "web") -> Code:
    url, verifier = authorization(at.endpoint("authorization_endpoint"), client_id, SCOPE)
    return browser.code(url, verifier, username(at, number), PASSWORD)
