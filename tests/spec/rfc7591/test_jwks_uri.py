"""`jwks_uri` (RFC 7591 §2): a client serves its keys itself, and may change them without telling anybody."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from idp import clock, fetching, outbound
from idp.errors import InvalidClientMetadata
from idp.oauth import client_keys
from idp.tenants import Tenant
from tests.attacks.acting import at_once, change, client, refused
from tests.attacks.assertions import EC, OTHER, RSA, assertion, present, public
from tests.receiving import HEADS, Serving, document_server


@pytest.fixture
def server() -> Iterator[Serving]:
    with document_server() as said:
        yield said


@pytest.fixture
def signer(acme: Tenant, server: Serving) -> Iterator[Tenant]:
    """Acme with the client `signer`, whose keys lie at its own address."""
    client_keys.forget()
    server.keys(public(EC, "e"))
    client(
        acme, "signer", token_endpoint_auth_method="private_key_jwt", grant_types=["client_credentials"],
        redirect_uris=[], scope="things", jwks_uri=server.uri,
    )  # fmt: skip
    yield acme
    client_keys.forget()


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Moves the clock by which served keys grow old."""
    moved = [0.0]
    real = clock.monotonic
    monkeypatch.setattr(clock, "monotonic", lambda: real() + moved[0])

    def move(seconds: float) -> None:
        moved[0] += seconds

    return move


def test_the_keys_that_a_client_serves_sign_it_in(app: Any, signer: Tenant, server: Serving) -> None:
    assert server.asked == 0, "nobody is asked before it is needed"
    for _ in range(5):
        assert present(app, signer, assertion(signer)).status_code == 200
    assert server.asked == 1
    refused(present(app, signer, assertion(signer, OTHER)), "invalid_client", 401)
    assert server.asked == 1


def test_a_key_that_is_new_counts_at_once_and_one_that_is_gone_when_the_set_is_old(
    app: Any, signer: Tenant, server: Serving, later: Any
) -> None:
    assert present(app, signer, assertion(signer)).status_code == 200
    server.keys(public(OTHER, "new"))
    later(client_keys.STORM + 1)
    assert present(app, signer, assertion(signer, OTHER, headers={"kid": "new"})).status_code == 200
    refused(present(app, signer, assertion(signer)), "invalid_client", 401)
    assert server.asked == 2


def test_do04_kids_that_do_not_exist_make_nobody_a_hammer(
    app: Any, signer: Tenant, server: Serving, later: Any
) -> None:
    assert present(app, signer, assertion(signer)).status_code == 200
    for number in range(10):
        refused(
            present(app, signer, assertion(signer, OTHER, headers={"kid": f"x{number}"})),
            "invalid_client",
            401,
        )
    assert server.asked == 1
    later(client_keys.STORM - 2)
    refused(present(app, signer, assertion(signer, OTHER, headers={"kid": "z"})), "invalid_client", 401)
    assert server.asked == 1
    later(3)
    for number in range(10):
        refused(
            present(app, signer, assertion(signer, OTHER, headers={"kid": f"y{number}"})),
            "invalid_client",
            401,
        )
    assert server.asked == 2


@pytest.mark.parametrize(
    ("heads", "kept"),
    [({}, 300), ({"Cache-Control": "max-age=1"}, 60), ({"Cache-Control": "public, max-age=900"}, 900),
     ({"Cache-Control": "max-age=999999999"}, 86_400)],
)  # fmt: skip
def test_a_set_is_kept_as_long_as_its_owner_says_within_bounds(
    app: Any, signer: Tenant, server: Serving, later: Any, heads: dict[str, str], kept: int
) -> None:
    server.heads |= heads
    assert present(app, signer, assertion(signer)).status_code == 200
    later(kept - 5)
    assert present(app, signer, assertion(signer)).status_code == 200 and server.asked == 1
    later(10)
    assert present(app, signer, assertion(signer)).status_code == 200 and server.asked == 2


@pytest.mark.parametrize(
    "trouble",
    [
        {"status": 500}, {"status": 302, "heads": {**HEADS, "Location": "/keys"}}, {"body": b"{"}, {"body": b"[]"},
        {"body": b'{"keys": 5}'}, {"body": b'{"keys": []}' + b" " * 70_000}, {"heads": {"Content-Type": "text/html"}},
        {"heads": {**HEADS, "Content-Encoding": "gzip"}}, {"status": 204, "body": b""},
    ],
)  # fmt: skip
def test_a_client_that_does_not_answer_keeps_the_keys_it_had(
    app: Any, signer: Tenant, server: Serving, later: Any, trouble: dict[str, Any]
) -> None:
    assert present(app, signer, assertion(signer)).status_code == 200
    for name, value in trouble.items():
        setattr(server, name, value)
    later(1_000)
    assert present(app, signer, assertion(signer)).status_code == 200 and server.asked == 2
    assert present(app, signer, assertion(signer)).status_code == 200 and server.asked == 2


def test_a_client_that_never_answered_is_refused_like_any_other(
    app: Any, signer: Tenant, server: Serving
) -> None:
    server.status = 500
    refused(present(app, signer, assertion(signer)), "invalid_client", 401)
    change(signer, "signer", jwks_uri="http://localhost:9/keys")
    refused(present(app, signer, assertion(signer)), "invalid_client", 401)


SECRET = {"kty": "oct", "k": "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA", "kid": "e"}


@pytest.mark.parametrize(
    "answer",
    [
        {"body": json.dumps({"keys": [public(EC, "e")]}).encode() + b" " * 10_000_000},
        {"body": json.dumps({"keys": [public(EC, "e"), *({"kty": "x"},) * 10_000]}).encode()},
        {"body": json.dumps({"keys": [SECRET]}).encode()},
        {"body": json.dumps({"keys": [{**public(EC, "e"), "d": "x"}]}).encode()},
        {"status": 302, "heads": {**HEADS, "Location": "http://localhost/keys"}},
        {"heads": {"Content-Type": "text/html"}},
    ],
    ids=["ten megabytes", "ten thousand keys", "a secret", "a private key", "elsewhere", "a page"],
)
def test_ca14_a_set_that_is_none_signs_nobody_in_and_is_not_asked_for_at_once_again(
    app: Any, signer: Tenant, server: Serving, later: Any, answer: dict[str, Any]
) -> None:
    good = vars(server).copy()
    vars(server).update(answer)
    for _ in range(2):
        refused(present(app, signer, assertion(signer)), "invalid_client", 401)
    assert server.asked == 1
    vars(server).update({**good, "asked": server.asked})
    later(61)
    assert present(app, signer, assertion(signer)).status_code == 200


def test_only_keys_that_could_be_registered_count(app: Any, signer: Tenant, server: Serving) -> None:
    encrypts = {**public(RSA, "r", "RS256"), "use": "enc"}
    secret = {"kty": "oct", "k": "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA", "kid": "s"}
    twice = public(OTHER, "t")
    private = {**public(OTHER, "p"), "d": "x"}
    server.keys(encrypts, secret, twice, {**public(EC, "t")}, private, public(EC, "e"))
    assert present(app, signer, assertion(signer)).status_code == 200
    refused(
        present(app, signer, assertion(signer, RSA, "RS256", headers={"kid": "r"})), "invalid_client", 401
    )
    refused(present(app, signer, assertion(signer, OTHER, headers={"kid": "t"})), "invalid_client", 401)
    refused(present(app, signer, assertion(signer, OTHER, headers={"kid": "p"})), "invalid_client", 401)


def test_another_address_is_another_set(app: Any, signer: Tenant, server: Serving) -> None:
    assert present(app, signer, assertion(signer)).status_code == 200
    change(signer, "signer", jwks_uri=f"{server.uri}/other")
    server.keys(public(OTHER, "e"))
    assert present(app, signer, assertion(signer, OTHER)).status_code == 200
    change(signer, "signer", jwks_uri=None, jwks={"keys": [public(EC, "e")]})
    assert present(app, signer, assertion(signer)).status_code == 200


@pytest.mark.parametrize(
    "fields",
    [
        {"jwks": {"keys": [public(EC, "e")]}}, {"jwks_uri": "http://app.example.com/keys"},
        {"jwks_uri": "file:///etc/passwd"}, {"jwks_uri": "https://user@example.com/"}, {"jwks_uri": 5},
        {"jwks_uri": None},
    ],
)  # fmt: skip
def test_what_may_be_registered(signer: Tenant, fields: dict[str, Any]) -> None:
    with pytest.raises(InvalidClientMetadata) as refusal:
        change(signer, "signer", **fields)
    assert refusal.value.rule in {"jwks", "jwks_uri"}


def test_f22_keys_of_a_client_that_is_silent_for_a_day_count_no_more(
    app: Any, signer: Tenant, server: Serving, later: Any
) -> None:
    assert present(app, signer, assertion(signer)).status_code == 200
    server.status = 500
    later(client_keys.STALE - 100)
    assert present(app, signer, assertion(signer)).status_code == 200
    later(200)
    refused(present(app, signer, assertion(signer)), "invalid_client", 401)
    server.status = 200
    later(client_keys.AGAIN + 1)
    assert present(app, signer, assertion(signer)).status_code == 200


def test_f22_where_many_are_asked_the_keys_of_before_serve_and_who_has_none_is_told_to_come_again(
    app: Any, signer: Tenant, server: Serving, later: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert present(app, signer, assertion(signer)).status_code == 200
    monkeypatch.setattr(fetching.PLACES, "of_one", 0)
    later(1_000)
    assert present(app, signer, assertion(signer)).status_code == 200 and server.asked == 1
    client_keys.forget()
    answer = present(app, signer, assertion(signer))
    assert answer.status_code == 503 and answer.headers["Retry-After"]
    monkeypatch.undo()
    assert present(app, signer, assertion(signer)).status_code == 200 and server.asked == 2


def test_f22_one_thread_asks_for_all(app: Any, signer: Tenant, server: Serving) -> None:
    server.wait = 0.3
    answers = at_once(8, lambda _: present(app, signer, assertion(signer)))
    assert [answer.status_code for answer in answers] == [200] * 8 and server.asked == 1


def test_hosts_that_the_operator_names_are_reached_though_they_are_inside(
    acme: Tenant, server: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    from idp import config
    from idp.tenants import entered

    public_ = replace(acme, issuer="https://id.acme.example")
    reached: list[Any] = []
    monkeypatch.setattr(
        outbound.socket, "create_connection", lambda *given: reached.append(given[0]) or _no()
    )
    for allowed, count in (((), 0), (("localhost",), 1), (("localhost:444",), 1), (("localhost:443",), 2)):
        monkeypatch.setattr(config, "_settings", replace(config.settings(), outbound_allow=allowed))
        with entered(public_), pytest.raises(outbound.NotSent):
            outbound.get("https://localhost/keys", client_keys.KINDS, 100)
        assert len(reached) == count, allowed


def _no() -> None:
    raise OSError
