"""The certification plan for back-channel sign-out, module by module, and what the specification says beside it."""

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs

import jwt as pyjwt
import pytest

from idp.control import clients, users
from idp.jobs import worker
from idp.store.durable import outbox as rows
from idp.tenants import Tenant, entered
from tests.attacks.acting import change, client, party
from tests.playing import RelyingParty, relying_party
from tests.receiving import Receiver, receiver
from tests.spec.certification.leaving import BACK, STATE, leave, only_state, out, signed_in
from tests.visiting import at_account

EVENTS = {"http://schemas.openid.net/event/backchannel-logout": {}}


@pytest.fixture
def listening() -> Iterator[Receiver]:
    with receiver() as made:
        yield made


@pytest.fixture
def rp(app: Any, acme: Tenant, listening: Receiver) -> RelyingParty:
    change(
        acme,
        "web",
        backchannel_logout_uri=f"{listening.base}/backchannel?keep=1",
        backchannel_logout_session_required=True,
    )
    return relying_party(app, acme)


def told_as_it_must_be(rp: RelyingParty, listening: Receiver, claims: dict[str, Any]) -> None:
    """One post with nothing but one logout token, about the session of the ID token."""
    ((path, headers, body),) = listening.posts
    assert path == "/backchannel?keep=1"
    assert headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert set(parse_qs(body.decode())) == {"logout_token"}
    (token,) = listening.tokens
    told = rp.verified(token, "web")
    assert pyjwt.get_unverified_header(token)["typ"] == "logout+jwt"
    assert set(told) == {"iss", "sub", "aud", "iat", "exp", "jti", "events", "sid"}, "and never a nonce"
    assert told["events"] == EVENTS and (told["sub"], told["sid"]) == (claims["sub"], claims["sid"])
    assert told["aud"] == "web" and 0 < told["exp"] - told["iat"] <= 120


def test_oidcc_backchannel_logout_discovery_endpoint_verification(app: Any, acme: Tenant) -> None:
    document = app.test_client().get("/t/acme/.well-known/openid-configuration").get_json()
    assert document["backchannel_logout_supported"] is True
    assert document["backchannel_logout_session_supported"] is True
    assert document["end_session_endpoint"] == f"{acme.issuer}/logout"


def test_oidcc_backchannel_rp_initiated_logout(rp: RelyingParty, listening: Receiver) -> None:
    browser, claims = signed_in(rp)
    answer = leave(rp, browser, id_token_hint=claims["hint"], post_logout_redirect_uri=BACK, state=STATE)
    assert only_state(answer.headers["Location"]) and out(rp, browser)
    assert listening.posts == [], "nobody waited for it"
    worker.once()
    told_as_it_must_be(rp, listening, claims)
    worker.once()
    assert len(listening.posts) == 1


@pytest.mark.parametrize("status", [200, 204])
def test_2_8_what_counts_as_told(rp: RelyingParty, listening: Receiver, status: int) -> None:
    listening.status = status
    leave(rp, signed_in(rp)[0])
    worker.once()
    with entered(rp.tenant):
        assert rows.waiting() == 0


@pytest.mark.parametrize("status", [201, 302, 307, 400, 404, 500, 503])
def test_2_8_anything_else_is_tried_again_with_a_token_of_its_own(
    rp: RelyingParty, listening: Receiver, status: int, database: Any
) -> None:
    listening.status = status
    leave(rp, signed_in(rp)[0])
    worker.once()
    with entered(rp.tenant):
        (entry,) = rows.entries(10)
        assert entry.problem is not None and entry.problem.removeprefix("resting: ") == f"answered {status}"
        assert entry.attempts == 1
    assert [path for path, *_ in listening.posts] == ["/backchannel?keep=1"], "no redirect is followed"
    listening.status = 200
    database("UPDATE outbox SET run_after = now() - interval '1 second'")
    worker.once()
    first, second = (rp.verified(token, "web") for token in listening.tokens)
    assert first["jti"] != second["jti"] and first["sid"] == second["sid"]
    with entered(rp.tenant):
        assert rows.waiting() == 0


def test_2_3_only_clients_that_used_the_session_are_told(
    app: Any, acme: Tenant, rp: RelyingParty, listening: Receiver
) -> None:
    other = client(acme, "other", secret="o" * 40, backchannel_logout_uri=f"{listening.base}/other")
    second = party(app, acme, other, "o" * 40)
    browser, _ = signed_in(rp)
    leave(rp, browser)
    worker.once()
    assert [path for path, *_ in listening.posts] == ["/backchannel?keep=1"]
    browser, claims = signed_in(rp)
    theirs = second.verified(second.exchange(second.authorize(browser).code)["id_token"], "other")
    leave(rp, browser)
    worker.once()
    told = {
        each["aud"]: each
        for each in (pyjwt.decode(t, options={"verify_signature": False}) for t in listening.tokens[1:])
    }
    assert told["web"]["sid"] == claims["sid"] and told["other"]["sid"] == theirs["sid"] != claims["sid"]


def _password(rp: RelyingParty) -> None:
    users.update("alice", {"password": "another battery horse staple"})


def _gone(rp: RelyingParty) -> None:
    users.delete("alice")


ENDS = {
    "sign out everywhere": lambda _rp: users.sign_out("alice"),
    "disabled": lambda _rp: users.suspend("alice"),
    "deleted": _gone,
    "password": _password,
}


@pytest.mark.parametrize("end", ENDS)
def test_lo04_whoever_ends_a_session_takes_the_same_path(
    rp: RelyingParty, listening: Receiver, end: str
) -> None:
    known = [signed_in(rp)[1] for _ in range(2)]
    with entered(rp.tenant):
        ENDS[end](rp)
    worker.once()
    told = [rp.verified(token, "web") for token in listening.tokens]
    assert {each["sid"] for each in told} == {claims["sid"] for claims in known}
    assert {each["sub"] for each in told} == {known[0]["sub"]}


@pytest.mark.parametrize("button", ["others", "this one"])
def test_lo04_people_do_so_on_their_own_page(
    app: Any, acme: Tenant, rp: RelyingParty, listening: Receiver, button: str
) -> None:
    claims = signed_in(rp)[1]
    person = at_account(app, acme, path="account/sessions")
    (elsewhere,) = re.findall(r'name="action" value="([0-9a-f-]{36})"', person.html)
    person.submit(action="others" if button == "others" else elsewhere)
    worker.once()
    assert [rp.verified(token, "web")["sid"] for token in listening.tokens] == [claims["sid"]]


def test_another_person_at_the_same_browser_ends_the_first_ones_session(
    rp: RelyingParty, listening: Receiver
) -> None:
    browser, claims = signed_in(rp)
    rp.authorize(browser, prompt="login").login("bob")
    worker.once()
    assert [rp.verified(token, "web")["sid"] for token in listening.tokens] == [claims["sid"]]


def test_the_same_person_again_is_no_sign_out(rp: RelyingParty, listening: Receiver) -> None:
    browser, claims = signed_in(rp)
    again = rp.exchange(rp.authorize(browser, prompt="login").login("alice").code)
    assert rp.verified(again["id_token"], "web")["sid"] == claims["sid"]
    worker.once()
    assert listening.posts == []


def test_lo04_it_is_sent_to_the_registered_address_of_now_and_nowhere_else(
    rp: RelyingParty, listening: Receiver
) -> None:
    for gone in ("moved", "removed", "suspended"):
        listening.posts.clear()
        leave(rp, signed_in(rp)[0])
        with entered(rp.tenant):
            if gone == "moved":
                clients.update("web", {"backchannel_logout_uri": f"{listening.base}/new"})
            elif gone == "removed":
                clients.update("web", {"backchannel_logout_uri": None})
            else:
                clients.update("web", {"backchannel_logout_uri": f"{listening.base}/new"})
                leave(rp, signed_in(rp)[0])
                clients.update("web", {"status": "suspended"})
        worker.once()
        assert [path for path, *_ in listening.posts] == (["/new"] if gone == "moved" else [])
        with entered(rp.tenant):
            assert rows.waiting() == 0


def test_tk07_a_logout_token_is_no_other_token_here(rp: RelyingParty, listening: Receiver) -> None:
    browser, _ = signed_in(rp)
    leave(rp, browser)
    worker.once()
    (token,) = listening.tokens
    assert rp.userinfo(token).status_code == 401 and rp.introspect(token) == {"active": False}
    hinted = rp.authorize(browser, prompt="none", id_token_hint=token)
    assert hinted.params["error"] == "login_required"
    answer = leave(rp, browser, id_token_hint=token, post_logout_redirect_uri=BACK)
    assert answer.status_code == 400 and "Location" not in answer.headers


def test_twins_are_told_by_their_own_tenant(
    app: Any, globex: Tenant, rp: RelyingParty, listening: Receiver
) -> None:
    change(globex, "web", backchannel_logout_uri=f"{listening.base}/globex")
    leave(rp, signed_in(rp)[0])
    worker.once()
    assert [path for path, *_ in listening.posts] == ["/backchannel?keep=1"]
    assert rp.verified(listening.tokens[0], "web")["iss"] == rp.tenant.issuer
