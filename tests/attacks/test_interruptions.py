"""What happens in the middle: a store that is away, a page gone back to, a sign-in that was lost."""

from typing import Any

import pytest
from redis import Redis

from idp import audit
from idp.audit import Event
from idp.embedded.redis import OPERATOR
from idp.store.database import Unavailable
from idp.store.durable import grants
from idp.store.ephemeral import codes, transactions
from idp.store.redis import Away
from idp.tenants import Tenant
from tests.attacks.acting import change, events
from tests.playing import RelyingParty, inputs, local, relying_party


@pytest.fixture
def rp(app: Any, acme: Tenant) -> RelyingParty:
    return relying_party(app, acme, "asks")


def test_br10_when_the_database_fails_at_the_end_the_step_can_be_done_again(
    rp: RelyingParty, acme: Tenant, database: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    visit = rp.authorize().login("alice")
    form, record = {**inputs(visit.html), "action": "allow"}, audit.record

    def away(event: Event, *args: Any, **facts: Any) -> Any:
        if event is Event.AUTHORIZATION_GRANTED:
            raise Unavailable()
        return record(event, *args, **facts)

    with monkeypatch.context() as patch:
        patch.setattr(audit, "record", away)
        answer = visit.browser.post(visit.page, data=form)
        assert answer.status_code == 503 and int(answer.headers["Retry-After"]) >= 1
        assert answer.mimetype == "text/html"
    again = visit.browser.post(visit.page, data=form)
    assert again.status_code == 303 and "code=" in again.headers["Location"]
    assert visit.browser.post(visit.page, data=form).status_code == 400
    assert events(database, acme, "authorization.granted") == 1


@pytest.mark.parametrize("step", ["authorize", "show", "submit", "code"])
def test_bf05_without_redis_a_page_says_when_to_come_back(
    rp: RelyingParty, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    visit = rp.authorize()
    form = {
        **inputs(visit.html),
        "username": "alice",
        "password": "correct horse battery staple",
        "action": "login",
    }

    def away(*_: Any, **__: Any) -> Any:
        raise Away()

    if step == "code":
        visit.submit(username="alice", password="correct horse battery staple", action="login")
        form = {**inputs(visit.html), "action": "allow"}
        monkeypatch.setattr(codes, "put", away)
    else:
        for name in ("put", "get", "over", "finish"):
            monkeypatch.setattr(transactions, name, away)
    if step == "authorize":
        answer = rp.authorize().answer
    elif step == "show":
        answer = visit.browser.get(visit.page)
    else:
        answer = visit.browser.post(visit.page, data=form)
    assert (
        answer.status_code == 503
        and int(answer.headers["Retry-After"]) >= 1
        and answer.mimetype == "text/html"
    )
    monkeypatch.undo()
    after = visit.browser.get(visit.page)
    assert after.status_code == 200 or "code=" in after.headers["Location"]


@pytest.mark.parametrize("endpoint", ["token", "introspect", "revoke"])
def test_rt09_without_postgres_the_answer_is_503_in_json(
    app: Any, acme: Tenant, endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    web = relying_party(app, acme)
    token = web.sign_in()["refresh_token"]

    def away(*_: Any, **__: Any) -> Any:
        raise Unavailable()

    monkeypatch.setattr(grants, "by_refresh", away)
    form = {"grant_type": "refresh_token", "refresh_token": token, "token": token}
    answer = web.post(endpoint, form)
    assert answer.status_code == 503 and answer.get_json()["error"] == "temporarily_unavailable"
    assert int(answer.headers["Retry-After"]) >= 1 and answer.headers["Cache-Control"] == "no-store"
    monkeypatch.undo()
    assert web.refresh(token).status_code == 200


def test_a_sign_in_that_redis_lost_begins_again_by_itself(rp: RelyingParty, services: Any) -> None:
    visit = rp.authorize()
    with Redis.from_url(services.redis.url(OPERATOR)) as server:
        server.flushall()
    answer = visit.browser.post(
        visit.page, data={**inputs(visit.html), "username": "alice", "action": "login"}
    )
    assert answer.status_code == 303 and answer.headers["Location"].startswith(
        rp.tenant.issuer + "/authorize?"
    )
    visit.answer = answer
    assert visit.follow().login("alice").consent().code


def test_br10_a_page_that_is_too_old_says_so_and_offers_the_way_on(rp: RelyingParty, frozen: Any) -> None:
    with frozen() as clock:
        visit = rp.authorize()
        clock.tick(rp.tenant.policy.transaction_lifetime + 1)
        answer = visit.browser.post(
            visit.page, data={**inputs(visit.html), "username": "alice", "action": "login"}
        )
        text = answer.get_data(as_text=True)
        assert answer.status_code == 400 and 'data-kind="old"' in text and "/t/acme/authorize?" in text


def test_br10_going_back_after_the_end_is_told_and_makes_nothing(
    rp: RelyingParty, acme: Tenant, database: Any
) -> None:
    visit = rp.authorize()
    login = visit.page
    consent = visit.login("alice").page
    visit.consent()
    for page in (login, consent):
        answer = visit.browser.get(page)
        assert answer.status_code == 400 and 'data-kind="done"' in answer.get_data(as_text=True)
    assert events(database, acme, "authorization.granted") == 1


def test_co09_a_client_that_is_off_in_the_middle_ends_it_on_a_page(rp: RelyingParty, acme: Tenant) -> None:
    visit = rp.authorize().login("alice")
    change(acme, "asks", status="suspended")
    answer = visit.browser.post(visit.page, data={**inputs(visit.html), "action": "allow"})
    assert answer.status_code == 400 and "Location" not in answer.headers


def test_ru15_a_redirect_uri_withdrawn_in_the_middle_is_not_used(rp: RelyingParty, acme: Tenant) -> None:
    visit = rp.authorize().login("alice")
    change(acme, "asks", redirect_uris=["https://other.example.com/cb"])
    answer = visit.browser.post(visit.page, data={**inputs(visit.html), "action": "allow"})
    assert answer.status_code == 400 and "Location" not in answer.headers


def test_pa10_head_answers_as_get_without_a_body(rp: RelyingParty) -> None:
    visit = rp.authorize()
    for path in (visit.page, "/t/acme/logout/done", "/t/acme/", "/"):
        answer = visit.browser.head(path)
        assert answer.status_code == 200 and answer.get_data() == b"", path
    assert visit.login("alice").consent().code


def test_br16_a_session_that_ends_while_consent_is_open_is_asked_for_again(
    rp: RelyingParty, database: Any, services: Any
) -> None:
    visit = rp.authorize().login("alice")
    form = {**inputs(visit.html), "action": "allow"}
    database("UPDATE sessions SET ended_at = now(), end_reason = 'test'")
    with Redis.from_url(services.redis.url(OPERATOR)) as server:
        for name in server.scan_iter("*:session:*"):
            server.delete(name)
    answer = visit.browser.post(visit.page, data=form)
    assert answer.status_code == 303 and "/interaction/login" in local(answer.headers["Location"], rp.tenant)


def test_lo06_a_session_lives_by_being_used(rp: RelyingParty, app: Any, acme: Tenant, frozen: Any) -> None:
    web = relying_party(app, acme)
    browser = web.browser()
    with frozen() as clock:
        web.authorize(browser).login("alice")
        for _ in range(4):
            clock.tick(acme.policy.session_idle - 60)
            assert "code" in web.authorize(browser, prompt="none").params
        clock.tick(acme.policy.session_idle)
        assert web.authorize(browser, prompt="none").params["error"] == "login_required"
