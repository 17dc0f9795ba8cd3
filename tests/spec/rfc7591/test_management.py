"""RFC 7592: an application reads, replaces and deletes its own registration."""

from typing import Any

import pytest

from idp.tenants import Tenant
from tests.attacks.acting import policy, refused
from tests.spec.rfc7591.registering import CALLBACK, GOOD, ask, manage, party, registered

OTHER = "https://app.example.com/other"


@pytest.fixture
def open_(acme: Tenant) -> Tenant:
    return policy(acme, client_registration="open")


def replaced(app: Any, tenant: Tenant, told: dict[str, Any], **metadata: Any) -> Any:
    return manage(app, tenant, told, "PUT", {"client_id": told["client_id"], **GOOD, **metadata})


def test_2_1_what_is_read_is_what_was_registered(app: Any, open_: Tenant) -> None:
    told = registered(app, open_, contacts=["me@example.com"])
    answer = manage(app, open_, told, "GET")
    assert answer.status_code == 200 and answer.headers["Cache-Control"] == "no-store"
    secret = {"client_secret", "client_secret_expires_at"}
    assert answer.get_json() == {name: value for name, value in told.items() if name not in secret}


def test_2_2_an_update_replaces_the_whole_and_the_token(app: Any, open_: Tenant) -> None:
    told = registered(app, open_, contacts=["me@example.com"], logo_uri="https://app.example.com/logo.png")
    answer = replaced(app, open_, told, redirect_uris=[OTHER], client_secret=told["client_secret"])
    new = answer.get_json()
    assert answer.status_code == 200 and new["redirect_uris"] == [OTHER]
    assert "contacts" not in new and "logo_uri" not in new and "client_secret" not in new
    assert new["registration_access_token"] != told["registration_access_token"]
    assert manage(app, open_, told, "GET").status_code == 401, "the old token is over"
    assert manage(app, open_, new, "GET").get_json()["redirect_uris"] == [OTHER]
    rp = party(app, open_, {**new, "client_secret": told["client_secret"]})
    assert rp.exchange(rp.authorize().login("alice").consent().code)


@pytest.mark.parametrize(
    ("metadata", "error"),
    [
        ({"client_id": "another"}, "invalid_request"),
        ({"registration_access_token": "x"}, "invalid_request"),
        ({"registration_client_uri": "https://x.test/"}, "invalid_request"),
        ({"client_secret_expires_at": 0}, "invalid_request"),
        ({"client_id_issued_at": 5}, "invalid_request"),
        ({"client_secret": "another"}, "invalid_request"),
        ({"redirect_uris": ["http://evil.test/"]}, "invalid_redirect_uri"),
        ({"grant_types": ["password"]}, "invalid_client_metadata"),
    ],
)  # fmt: skip
def test_2_2_a_bad_update_changes_nothing(
    app: Any, open_: Tenant, metadata: dict[str, Any], error: str
) -> None:
    told = registered(app, open_)
    refused(replaced(app, open_, told, **metadata), error)
    assert manage(app, open_, told, "GET").get_json()["redirect_uris"] == [CALLBACK]


def test_2_3_deleted_is_gone_with_everything(app: Any, open_: Tenant) -> None:
    told = registered(app, open_)
    rp = party(app, open_, told)
    tokens = rp.exchange(rp.authorize().login("alice").consent().code)
    answer = manage(app, open_, told, "DELETE")
    assert answer.status_code == 204 and answer.data == b""
    assert manage(app, open_, told, "GET").status_code == 401
    assert rp.userinfo(tokens["access_token"]).status_code == 401
    assert rp.authorize().answer.status_code == 400


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_another_token_another_client_and_none_are_one_answer(
    app: Any, open_: Tenant, globex: Tenant, method: str
) -> None:
    policy(globex, client_registration="open")
    mine, other, foreign = registered(app, open_), registered(app, open_), registered(app, globex)
    body = {"client_id": mine["client_id"], **GOOD} if method == "PUT" else None
    answers = [
        ask(app, open_, method, token, body, client_id=client_id)
        for token, client_id in (
            (other["registration_access_token"], mine["client_id"]),
            (foreign["registration_access_token"], mine["client_id"]),
            (foreign["registration_access_token"], foreign["client_id"]),
            (mine["registration_access_token"], "nobody"),
            (mine["registration_access_token"], "web"),
            (mine["client_secret"], mine["client_id"]),
            (None, mine["client_id"]),
        )
    ]
    for answer in answers:
        refused(answer, "invalid_token", 401)
        assert answer.data == answers[0].data
    assert manage(app, open_, mine, "GET").status_code == 200


def test_what_was_registered_can_be_managed_when_nobody_new_may_come(app: Any, open_: Tenant) -> None:
    told = registered(app, open_)
    closed = policy(open_, client_registration="closed")
    assert manage(app, closed, told, "GET").status_code == 200
    assert manage(app, closed, told, "DELETE").status_code == 204
