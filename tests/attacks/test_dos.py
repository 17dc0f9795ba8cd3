"""Denial of service at the doors: bounds on what one stranger, one address or one tenant may hold."""

import threading
import time
from contextlib import ExitStack
from typing import Any

import pytest

from idp import directory
from idp.errors import Busy
from idp.ids import uuid7
from idp.tenants import Tenant
from idp.web import bodies, fast, nowhere, parse, shares, strangers


def test_do03_one_address_cannot_hold_every_thread_with_slow_bodies() -> None:
    bodies.threads(4)
    hold = threading.Event()
    started = threading.Barrier(4)

    def slow(_length: int) -> bytes:
        started.wait(5)
        hold.wait(5)
        return b"x"

    readers = [threading.Thread(target=bodies.read, args=("192.0.2.1", slow, 1)) for _ in range(3)]
    try:
        for reader in readers:
            reader.start()
        started.wait(5)
        began = time.monotonic()
        with pytest.raises(Busy) as caught:
            bodies.read("192.0.2.1", lambda _length: b"y", 1)
        assert time.monotonic() - began < 1
        assert caught.value.headers["Retry-After"]
        assert bodies.read("192.0.2.2", lambda _length: b"y", 1) == b"y"
    finally:
        hold.set()
        for reader in readers:
            reader.join(5)
        bodies.threads(16)
    assert bodies.read("192.0.2.1", lambda _length: b"y", 1) == b"y"
    assert not bodies._reading


def test_do03_a_body_that_ends_early_is_refused(http: Any, acme: Tenant) -> None:
    answer = http.post(
        "/t/acme/token",
        data=b"a=1",
        content_type="application/x-www-form-urlencoded",
        environ_overrides={"CONTENT_LENGTH": "50"},
    )
    assert answer.status_code == 400 and answer.json["error"] == "invalid_request"


def test_do08_a_token_of_a_megabyte_is_413_and_many_cookies_are_431(http: Any, acme: Tenant) -> None:
    answer = http.post("/t/acme/introspect", data={"token": "x" * 1_000_000})
    assert answer.status_code == 413
    cookies = "; ".join(f"a{n}=b" for n in range(4_000))
    plain = http.application.test_client(use_cookies=False)
    assert plain.get("/t/acme/authorize", headers={"Cookie": cookies}).status_code == 431


def test_do09_a_slow_tenant_leaves_threads_to_others(monkeypatch: pytest.MonkeyPatch) -> None:
    slow, quick = uuid7(), uuid7()
    shares.threads(4)
    try:
        held = [shares.take(slow) for _ in range(4)]
        shares.give(slow, held.pop())
        monkeypatch.setattr(shares, "SLOW", -1.0)
        with pytest.raises(Busy) as caught:
            shares.take(slow)
        assert caught.value.status == 503 and caught.value.headers["Retry-After"]
        shares.give(quick, shares.take(quick))
        for number in held:
            shares.give(slow, number)
        shares.give(slow, shares.take(slow))
    finally:
        shares.threads(16)
    assert not shares._running


def test_do09_a_refused_share_is_503_with_retry_after(
    http: Any, acme: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none_left(_tenant: object) -> int:
        raise Busy()

    monkeypatch.setattr(shares, "take", none_left)
    answer = http.post("/t/acme/token", data={"grant_type": "client_credentials"})
    assert answer.status_code == 503 and answer.headers["Retry-After"] == "1"
    assert answer.json["error"] == "temporarily_unavailable"


def test_do10_what_is_kept_for_strangers_is_bounded(http: Any, acme: Tenant) -> None:
    for number in range(strangers._ADDRESSES + 50):
        strangers.patience(f"192.0.2.{number}")
    assert len(strangers._seen) <= strangers._ADDRESSES
    kept = http.application.wsgi_app
    for number in range(60):
        http.get(f"/t/acme/jwks.json?n={number}")
        http.get(f"{'/' * number}/t/acme/jwks.json")
        http.get("/t/acme/jwks.json", headers={"Host": f"h{number}.test"})
    assert len(kept._of[acme.id]) <= fast.MOST_PER_TENANT


def test_do10_old_documents_make_room_for_new_ones(
    http: Any, acme: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = http.application.wsgi_app
    http.get("/t/acme/jwks.json")
    monkeypatch.setattr(fast, "MOST_BYTES", 1)
    assert http.get("/t/acme/.well-known/openid-configuration").status_code == 200
    assert not kept._entries and not kept._of and kept._bytes == 0


def test_an_unknown_tenant_is_asked_for_within_limits(
    http: Any, acme: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rulings, Issuers: 404 with one constant page, rate limited."""
    monkeypatch.setattr(strangers, "PER_MINUTE", 3)
    monkeypatch.setattr(strangers, "_seen", {})
    answers = [http.get("/t/nobody/jwks.json") for _ in range(5)]
    assert [answer.status_code for answer in answers] == [404, 404, 404, 429, 429]
    assert len({answer.data for answer in answers}) == 1
    assert answers[-1].headers["Retry-After"]
    assert nowhere.page()[0] == answers[0].data
    assert http.get("/t/acme/jwks.json").status_code == 200


def test_a_directory_that_is_away_is_503(http: Any, acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    """Faults I4: no 5xx but 503 with Retry-After."""

    def away(_name: str) -> None:
        raise Busy()

    monkeypatch.setattr(directory, "resolve", away)
    monkeypatch.setattr(directory, "resolve_host", away)
    for answer in (http.post("/t/acme/token", data={}), http.get("/", base_url="http://other.test")):
        assert answer.status_code == 503 and answer.headers["Retry-After"]


def test_do05_the_parser_takes_linear_time() -> None:
    for raw in (b"%" * 60_000, b"a" * 65_000, b"&" * 63, b"%41" * 20_000, b"+" * 65_000):
        began = time.process_time()
        try:
            parse.urlencoded(raw)
        except parse.InvalidRequest:
            pass
        assert time.process_time() - began < 0.2


def test_do01_hashing_never_takes_the_last_threads() -> None:
    from idp.accounts import passwords

    before = passwords._queue
    try:
        passwords.share_of(16)
        places = passwords._queue.workers + passwords._queue.waiting
        assert places == 12
        with ExitStack() as held:
            for _ in range(passwords._queue.workers):
                held.enter_context(passwords._queue.turn())
            taken = [
                passwords._queue._places.acquire(blocking=False) for _ in range(passwords._queue.waiting)
            ]
            assert all(taken)
            began = time.monotonic()
            with pytest.raises(Busy) as caught:
                passwords.matches(None, "anything")
            assert time.monotonic() - began < 0.1
            assert caught.value.status == 503 and caught.value.headers["Retry-After"]
    finally:
        passwords._queue = before
