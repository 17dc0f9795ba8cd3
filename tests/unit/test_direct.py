"""The shortest way answers what the framework's way answers, and takes nothing that is not its own."""

from typing import Any

import pytest

from idp.web import gates
from idp.web.direct import Direct
from idp.web.reply import Heads, Reply
from tests.playing import relying_party

BODY = {"grant_type": "client_credentials", "scope": "orders.read"}


def _both_ways(app: Any, path: str, **options: Any) -> list[Any]:
    """The answer by the shortest way, and by the framework's router alone."""
    client = app.test_client()
    answers = [client.post(path, **options)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Direct, "__call__", lambda self, environ, start: self._app(environ, start))
        answers.append(client.post(path, **options))
    for answer in answers:
        answer.headers.pop("X-Request-Id")
    return answers


@pytest.mark.parametrize("endpoint", ["token", "introspect", "revoke", "userinfo"])
def test_both_ways_give_the_same_refusal(app: Any, acme: Any, endpoint: str) -> None:
    short, long = _both_ways(app, f"/t/acme/{endpoint}", data={"token": "x"})
    assert (short.status_code, short.data) == (long.status_code, long.data)
    assert sorted(short.headers) == sorted(long.headers)


@pytest.mark.parametrize("slug", ["nobody", "ACME", "a%2Fb", "-", "a" * 64, "acme%00"])
def test_both_ways_give_the_same_nothing(app: Any, acme: Any, slug: str) -> None:
    short, long = _both_ways(app, f"/t/{slug}/token", data=BODY)
    assert short.status_code == long.status_code == 404
    assert short.data == long.data


def test_every_token_like_endpoint_is_plain_and_pages_are_not(app: Any) -> None:
    plain = {one.endpoint for one in gates.declarations(app).values() if one.plain is not None}
    assert plain == {
        "tokens.token", "tokens.par", "tokens.device_authorization", "tokens.backchannel_authentication",
        "tokens.introspect", "tokens.revoke",
        "userinfo.userinfo", "register.register", "register.registered",
    }  # fmt: skip


def test_other_methods_are_the_routers(app: Any, acme: Any) -> None:
    answer = app.test_client().get("/t/acme/token")
    assert answer.status_code == 405
    assert answer.headers["Allow"] == "OPTIONS, POST"


def test_what_breaks_inside_says_nothing_but_its_id(
    app: Any, acme: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> None:
        raise ZeroDivisionError("acme-web-secret")

    monkeypatch.setattr("idp.directory.resolve", broken)
    answer = relying_party(app, acme).post("token", BODY)
    assert answer.status_code == 500
    assert answer.get_json()["error"] == "server_error"
    assert "secret" not in answer.get_data(as_text=True)


def test_a_header_of_a_reply_is_set_once_and_added_many_times() -> None:
    heads = Heads(("Vary", "Origin"))
    heads.add("Vary", "Accept")
    heads["Cache-Control"] = "no-store"
    heads["Cache-Control"] = "private"
    assert heads.pairs == [("Vary", "Origin"), ("Vary", "Accept"), ("Cache-Control", "private")]
    heads.pop("Vary")
    assert "Vary" not in heads


def test_an_empty_reply_has_no_length() -> None:
    sent: list[Any] = []
    assert b"".join(Reply(204).send(lambda *given: sent.append(given))) == b""
    assert sent == [("204 No Content", [])]
