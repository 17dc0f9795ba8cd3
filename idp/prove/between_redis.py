"""What lies in Redis between the tenants: whose name every key bears, and what happens to a value that is moved."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from redis import Redis
from redis.exceptions import NoPermissionError

from idp.prove import wallet
from idp.prove.carried import KINDS, Place
from idp.prove.outside import Outside, methods
from idp.prove.promises import Tally
from idp.prove.reaches import PLAIN
from idp.prove.target import Canary, Target
from idp.prove.wire import Net

PLATFORM = ("idp:heartbeat:", "idp:refusals")
"""Beginnings of keys that belong to no tenant, each with a reason: who lives; refusals outside of any tenant."""
MOST = 20_000
"""Keys whose names are looked at."""
MOVED = ("cookie", "csrf", "code", "par_uri", "device_code", "user_code", "upstream_state", "auth_req_id")
"""Kinds of credential behind which something lies in Redis."""
_KEY = re.compile(r"idp:\{([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\}:([a-z0-9_-]+):(.+)")


@contextmanager
def _store(target: Target) -> Iterator[Any]:
    with Redis.from_url(target.redis_admin_url or target.redis_url, socket_timeout=5) as client:
        yield client


def _names(client: Any, pattern: str) -> list[str]:
    found = []
    for raw in client.scan_iter(match=pattern, count=1000):
        found.append(raw.decode("utf-8", "replace"))
        if len(found) >= MOST:
            break
    return found


def keys(target: Target, tally: Tally) -> None:
    """Each key of ours names its tenant, and each value of a canary repeats tenant and kind."""
    with Net() as net:
        for canary in (target.a, target.b):
            wallet.gathered(net, canary)
    with _store(target) as client:
        try:
            for name in _names(client, "idp:*"):
                fits = _KEY.fullmatch(name) is not None or name.startswith(PLATFORM)
                tally.expect(fits, f"A key in Redis names no tenant: {name[:60]}.")
        except NoPermissionError:
            tally.notes.append("names of keys in Redis cannot be listed by the user that proves")
        for canary, other in ((target.a, target.b), (target.b, target.a)):
            _values(client, tally, canary, other)


def _values(client: Any, tally: Tally, canary: Canary, other: Canary) -> None:
    seen = 0
    for name in _names(client, f"idp:{{{canary.id}}}:*"):
        found = _KEY.fullmatch(name)
        if found is None or client.type(name) != b"string":
            continue
        raw = client.get(name) or b""
        value = _json(raw)
        if isinstance(value, dict):
            seen += 1
            good = value.get("t") == canary.id and value.get("k") == found[2]
            tally.expect(
                good, f"A value of the kind {found[2]} in Redis does not repeat its tenant and kind."
            )
        clean = other.id.encode() not in raw and other.slug.encode() not in raw
        tally.expect(clean, f"A value of the kind {found[2]} in Redis names another tenant.")
    tally.expect(
        seen >= len(MOVED), f"Only {seen} values of a canary lie in Redis, though people are signing in."
    )


def _json(raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except ValueError:
        return None


def moved(target: Target, tally: Tally) -> None:
    """One canary's values under the other's keys open nothing there."""
    with Net() as net, _store(target) as client:
        outside = Outside(target, tally, net)
        for own, victim in ((target.a, outside.b), (target.b, outside.a)):
            held = wallet.gathered(net, own)
            with _copied(client, own, victim.canary) as kinds:
                tally.expect(len(kinds) >= len(MOVED), f"Only {sorted(kinds)} could be moved in Redis.")
                for route in target.routes:
                    place = Place(route, held, victim)
                    for kind in set(route.credentials).intersection(MOVED):
                        for method in methods(route):
                            for use in KINDS[kind](place):
                                outside.attempt(
                                    place, method, f"{kind}, its value moved in Redis,", use, PLAIN
                                )


@contextmanager
def _copied(client: Any, own: Canary, victim: Canary) -> Iterator[set[str]]:
    """Every text of one canary also under the other's name, where nothing lies; taken away in the end."""
    made: dict[str, str] = {}
    try:
        for name in _names(client, f"idp:{{{own.id}}}:*"):
            found = _KEY.fullmatch(name)
            if found is not None and client.type(name) == b"string":
                raw = client.get(name)
                copy = name.replace(own.id, victim.id)
                if isinstance(_json(raw or b""), dict) and client.set(copy, raw, ex=120, nx=True):
                    made[copy] = found[2]
        yield set(made.values())
    finally:
        for copy in made:
            client.delete(copy)
