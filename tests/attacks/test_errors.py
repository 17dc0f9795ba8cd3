"""What an error tells: a code, a sentence, a request id, and nothing of what is behind it."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from flask import Response

from idp import config
from idp.app import create_app
from idp.config import Settings
from idp.errors import InvalidClient, InvalidRequest, Refusal
from idp.tenants import Tenant, current
from idp.web import errors
from idp.web.errors import VerifiedRedirect
from idp.web.gates import Door, Gate

CANARY = "postgresql://idp_app:canary@db.internal/idp"


@pytest.fixture
def broken(vault: Settings) -> Iterator[Any]:
    """An application of which some routes fail, in JSON and on a page."""
    door = Door("broken", __name__, gate=Gate.TENANT)

    @door.route("/json", credentials=())
    def as_json() -> Response:
        raise RuntimeError(CANARY)

    @door.route("/page", credentials=(), page="error")
    def as_page() -> Response:
        raise RuntimeError(CANARY)

    @door.route("/refused", credentials=(), page="authorization_error")
    def refused() -> Response:
        raise InvalidRequest("no", rule="the.rule", expected="this", got="that", setting="policy.x")

    @door.route("/client", credentials=())
    def client() -> Response:
        raise InvalidClient()

    @door.route("/back", credentials=(), methods=("POST",))
    def back() -> Response:
        redirect = VerifiedRedirect("app:/callback?a=1", current().issuer, 'a&b"=\r\n')
        return errors.authorization_answer(redirect, {"error": "access_denied"})

    yield create_app(vault, doors=(door,)).test_client()
    config.use(vault)


@pytest.mark.parametrize("path", ["json", "page"])
def test_au04_an_unexpected_error_says_nothing_but_its_id(
    broken: Any, vault: Settings, acme: Tenant, path: str
) -> None:
    config.use(vault.with_(env="production"))
    answer = broken.get(f"/t/acme/{path}")
    text = answer.get_data(as_text=True)
    assert answer.status_code == 500
    assert answer.headers["X-Request-Id"] and answer.headers["Cache-Control"] == "no-store"
    for told in ("canary", "Traceback", "RuntimeError", "idp/web"):
        assert told not in text
    if path == "page":
        assert answer.headers["X-Request-Id"] in text
    else:
        assert set(answer.json) == {"error", "error_description"}


def test_the_private_half_is_on_the_page_in_development_alone(
    broken: Any, vault: Settings, acme: Tenant
) -> None:
    assert "the.rule" in broken.get("/t/acme/refused").get_data(as_text=True)
    config.use(vault.with_(env="production"))
    page = broken.get("/t/acme/refused")
    assert page.status_code == 400
    for told in ("the.rule", "policy.x"):
        assert told not in page.get_data(as_text=True)


def test_a_failed_client_is_challenged_rfc6749_5_2(broken: Any, acme: Tenant) -> None:
    answer = broken.get("/t/acme/client")
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == f'Basic realm="{acme.issuer}"'
    assert answer.json["error"] == "invalid_client"


def test_a_registered_address_is_kept_byte_for_byte_rfc9207(broken: Any, acme: Tenant) -> None:
    answer = broken.post("/t/acme/back")
    assert answer.status_code == 303
    state = quote('a&b"=\r\n', safe="")
    assert answer.headers["Location"] == (
        f"app:/callback?a=1&error=access_denied&state={state}&iss={quote(acme.issuer, safe='')}"
    )


@pytest.mark.parametrize(
    "text", ["<script>alert(1)</script>", '"><img src=x onerror=1>', "{{7*7}}", "\u202eevil"]
)
def test_ox03_ox06_what_was_sent_is_text_on_the_page(http: Any, acme: Tenant, text: str) -> None:
    for name in ("client_id", "redirect_uri", "scope", "ui_locales", "login_hint", "state"):
        answer = http.get(
            f"/t/acme/authorize?client_id=web&{name}={quote(text)}"
            if name != "client_id"
            else f"/t/acme/authorize?client_id={quote(text)}"
        )
        page = answer.get_data(as_text=True)
        assert answer.status_code == 400
        assert "<script>alert" not in page and "<img src=x" not in page


def test_a_description_can_always_be_spoken_rfc6749_5_2() -> None:
    assert Refusal('a "b" \\ ü').public()["error_description"] == "a ?b? ? ?"
