"""The first five minutes: `idp up` on a new machine, and the demonstration's application and service over HTTP."""

import base64
import json
import re
import time
from collections.abc import Iterator

import pytest
import requests

from tests.playing import inputs
from tests.running import Up, free_ports, idp, up


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """A new deployment with its demonstration."""
    with up(tmp_path_factory.mktemp("demo") / "home", "--demo", port=free_ports()) as started:
        started.wait_ready()
        yield started
        assert started.end() == 0


def sign_in(running: Up, username: str, password: str) -> tuple[requests.Session, requests.Response]:
    """A person who starts at the demonstration's application."""
    browser = requests.Session()
    page = browser.get(f"http://localhost:{running.port + 1}/sign-in", timeout=20)
    assert page.url.startswith(f"{running.base}/t/acme/interaction/login")
    form = {**inputs(page.text), "username": username, "password": password, "action": "login"}
    return browser, browser.post(page.url, data=form, timeout=20)


def shown(page: requests.Response, name: str) -> str:
    """The text of the element with this id."""
    found = re.search(rf'id="{name}">(?:<code>)?([^<]*)', page.text)
    assert found, page.text
    return found.group(1)


def test_alice_signs_in_calls_the_service_refreshes_and_signs_out(running: Up) -> None:
    application = f"http://localhost:{running.port + 1}"
    browser, page = sign_in(running, "alice", "correct horse battery staple")
    assert page.url == f"{application}/"
    assert shown(page, "name")
    called = browser.post(f"{application}/call", timeout=20)
    assert shown(called, "notice") == "The service answered 200."
    assert "acme" in shown(called, "answer")
    refreshed = browser.post(f"{application}/refresh", timeout=20)
    assert shown(refreshed, "access_token") != shown(page, "access_token")
    question = browser.post(f"{application}/sign-out", timeout=20)
    assert question.status_code == 200 and 'id="logout-form"' in question.text
    form = {**inputs(question.text), "action": "confirm"}
    place = re.search(r'id="logout-form" method="post" action="([^"]+)"', question.text)
    gone = browser.post(place[1] if place else question.url, data=form, timeout=20)
    assert gone.url.startswith(f"{application}/") and 'id="name"' not in gone.text
    again = browser.get(f"{application}/sign-in", timeout=20)
    assert 'id="login-form"' in again.text, "the session at the issuer goes on"


def test_keys_rotate_and_the_service_takes_the_next_token_at_once(running: Up) -> None:
    """A service that knows only the former keys is brought a token of the next one: it fetches them, and answers."""
    application = f"http://localhost:{running.port + 1}"
    browser, page = sign_in(running, "alice", "correct horse battery staple")
    assert shown(browser.post(f"{application}/call", timeout=20), "notice") == "The service answered 200."
    before = kid(shown(page, "access_token"))
    rotated = idp("keys", "rotate", "--tenant", "acme", "--now", "--home", str(running.home))
    assert rotated.returncode == 0, rotated
    deadline = time.monotonic() + 20
    while (after := kid(shown(browser.post(f"{application}/refresh", timeout=20), "access_token"))) == before:
        assert time.monotonic() < deadline, "tokens are still signed by the former key"
    assert after != before
    called = browser.post(f"{application}/call", timeout=20)
    assert shown(called, "notice") == "The service answered 200."


def kid(token: str) -> str:
    """Which key has signed a token."""
    head = token.split(".")[0]
    return str(json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))["kid"])


def test_alice_of_globex_is_nobody_at_acme(running: Up) -> None:
    _, page = sign_in(running, "alice", "seven green kettles whistling")
    assert page.url.startswith(f"{running.base}/t/acme/")


def test_what_was_printed_names_every_address_and_person(running: Up) -> None:
    said = "\n".join(running.lines)
    for each in (running.base, f"localhost:{running.port + 1}", "acme", "globex", "alice", "correct horse"):
        assert each in said
