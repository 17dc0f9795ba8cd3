"""Device authorization (RFC 8628): asked by the device, allowed by a person elsewhere, redeemed once."""

import re
from typing import Any

import pytest

from idp.control import clients, users
from idp.oauth import user_codes
from idp.store.redis import Away
from idp.tenants import Tenant, entered
from tests.attacks.acting import THREADS, at_once, change, client, events, party, policy, refused
from tests.playing import RelyingParty, inputs, relying_party
from tests.spec.rfc8628.devices import GRANT, SECRET, asks, begun, television


@pytest.fixture
def tv(app: Any, acme: Tenant) -> RelyingParty:
    return television(app, acme)


def test_3_2_what_the_device_is_told(tv: RelyingParty, acme: Tenant) -> None:
    answer = asks(tv)
    assert answer.status_code == 200 and answer.headers["Cache-Control"] == "no-store"
    told = answer.get_json()
    assert set(told) == {
        "device_code", "user_code", "verification_uri", "verification_uri_complete", "expires_in", "interval",
    }  # fmt: skip
    assert told["verification_uri"] == f"{acme.issuer}/device"
    assert told["verification_uri_complete"] == f"{acme.issuer}/device?user_code={told['user_code']}"
    assert told["expires_in"] == 600 and told["interval"] == 5 and len(told["device_code"]) == 43
    assert re.fullmatch(r"([BCDFGHJKLMNPQRSTVWXZ]{3}-){2}[BCDFGHJKLMNPQRSTVWXZ]{3}", told["user_code"])


def test_discovery_names_the_endpoint_and_the_grant(app: Any, acme: Tenant) -> None:
    for path in ("openid-configuration", "oauth-authorization-server"):
        document = app.test_client().get(f"/t/acme/.well-known/{path}").get_json()
        assert document["device_authorization_endpoint"] == f"{acme.issuer}/device_authorization"
        assert GRANT in document["grant_types_supported"]


def test_3_5_the_whole_way(tv: RelyingParty, acme: Tenant, database: Any) -> None:
    device = begun(tv, scope="openid profile")
    refused(device.poll(), "authorization_pending")
    end = device.answered()
    assert 'data-how="allowed"' in end.html
    answer = device.poll()
    assert answer.status_code == 200, answer.get_data(as_text=True)
    body = answer.get_json()
    assert body["scope"] == "openid profile" and "refresh_token" in body
    claims = tv.verified(body["id_token"], "tv")
    assert claims["aud"] == "tv" and "nonce" not in claims
    assert tv.userinfo(body["access_token"]).get_json()["sub"] == claims["sub"]
    assert tv.refresh(body["refresh_token"]).status_code == 200
    assert events(database, acme, "authorization.granted") == events(database, acme, "code.redeemed") == 1


@pytest.mark.parametrize("method", ["none", "client_secret_basic", "client_secret_post"])
def test_3_1_the_client_authenticates_as_at_the_token_endpoint(app: Any, acme: Tenant, method: str) -> None:
    rp = television(app, acme, token_endpoint_auth_method=method)
    device = begun(rp)
    device.answered()
    assert device.poll().status_code == 200
    wrong = RelyingParty(app, acme, "tv", "x" * 43, "", "client_secret_basic")
    refused(asks(wrong), "invalid_client", 401)
    refused(asks(RelyingParty(app, acme, "nobody", None, "", "none")), "invalid_client", 401)


def test_3_1_what_is_judged_at_the_begin(app: Any, acme: Tenant, tv: RelyingParty) -> None:
    refused(asks(relying_party(app, acme)), "unauthorized_client")
    refused(asks(tv, scope=""), "invalid_scope")
    refused(asks(tv, scope="unheard-of"), "invalid_scope")
    refused(asks(tv, scope="openid orders.read"), "invalid_scope")
    refused(asks(tv, resource="https://api.example.com"), "invalid_target")
    path = "/t/acme/device_authorization"
    assert app.test_client().get(path).status_code == 405
    twice = app.test_client().post(path, data="client_id=tv&scope=openid&scope=openid",
                                   content_type="application/x-www-form-urlencoded")  # fmt: skip
    refused(twice, "invalid_request")


def test_3_3_codes_are_typed_as_people_type(tv: RelyingParty) -> None:
    device = begun(tv)
    shown = device.told["user_code"]
    for typed in (shown.lower(), shown.replace("-", ""), f"  {shown.replace('-', ' ')} "):
        assert 'id="login-form"' in device.typed(code=typed).html
    page = device.typed(code="WDJ-BMJ-HTX")
    assert "No device waits for this code" in page.html and 'id="device-form"' in page.html
    assert "Enter the code" in device.typed(code=" ").html


def test_df05_the_address_with_the_code_only_fills_the_field(tv: RelyingParty, acme: Tenant) -> None:
    device = begun(tv)
    browser = tv.browser()
    tv_page = device.answered(browser)  # the person is signed in now
    assert 'data-how="allowed"' in tv_page.html
    second = begun(tv)
    page = browser.get(second.told["verification_uri_complete"].replace("http://localhost", ""))
    html = page.get_data(as_text=True)
    assert page.status_code == 200 and f'value="{second.told["user_code"]}"' in html
    refused(second.poll(), "authorization_pending")
    due = second.typed(browser)
    assert 'id="approve-form"' in due.html, "signed in, so the approval is due, and nothing less"
    for shown in ("Acme Television", "Acme Corporation", "profile", "127.0.0.1", "alice"):
        assert shown in due.html, shown
    refused(second.poll(), "slow_down")
    forged = browser.post(due.page, data={"action": "allow"})
    assert forged.status_code == 403
    assert 'data-how="allowed"' in due.submit(action="allow").html


def test_df05_also_a_client_without_consent_and_without_personal_scopes_asks(app: Any, acme: Tenant) -> None:
    rp = television(app, acme, require_consent=False, scope="things")
    browser = rp.browser()
    for _ in range(2):
        device = begun(rp, scope="things")
        visit = device.typed(browser)
        visit = visit.login("alice") if 'id="login-form"' in visit.html else visit
        assert 'id="approve-form"' in visit.html
        visit.submit(action="allow")
        assert device.poll().get_json()["scope"] == "things"


def test_df02_polling_too_fast_slows_down_and_stays_slower(tv: RelyingParty, frozen: Any) -> None:
    with frozen() as time:
        device = begun(tv)
        refused(device.poll(), "authorization_pending")
        time.tick(4)
        refused(device.poll(), "slow_down")
        time.tick(9)
        refused(device.poll(), "slow_down")
        time.tick(15)
        refused(device.poll(), "authorization_pending")


def test_df02_a_denied_request_says_so_and_is_over(tv: RelyingParty, acme: Tenant, database: Any) -> None:
    device = begun(tv)
    assert 'data-how="denied"' in device.answered(action="deny").html
    refused(device.poll(), "access_denied")
    refused(device.poll(), "access_denied")
    assert "No device waits" in device.typed().html
    assert events(database, acme, "authorization.denied") == 1


def test_df02_an_expired_request_says_so(tv: RelyingParty, frozen: Any) -> None:
    with frozen() as time:
        device = begun(tv)
        visit = device.typed().login("alice")
        time.tick(601)
        refused(device.poll(), "expired_token")
        assert "No device waits" in device.typed().html
        late = visit.submit(action="allow")
        assert late.answer.status_code == 400 and "data-how" not in late.html
        refused(device.poll(), "expired_token")


def test_df02_one_that_was_allowed_in_time_expires_too(tv: RelyingParty, frozen: Any) -> None:
    with frozen() as time:
        device = begun(tv)
        device.answered()
        time.tick(601)
        refused(device.poll(), "expired_token")


def test_cancelling_before_signing_in_answers_nothing(tv: RelyingParty) -> None:
    device = begun(tv)
    end = device.typed().submit(action="cancel")
    assert 'data-how="left"' in end.html
    refused(device.poll(), "authorization_pending")
    device.answered()
    assert device.poll().status_code == 200


def test_df03_rc03_of_many_polls_one_is_answered(tv: RelyingParty, database: Any) -> None:
    device = begun(tv)
    device.answered()
    answers = at_once(THREADS, lambda _: device.poll())
    won = [answer for answer in answers if answer.status_code == 200]
    lost = {answer.get_json()["error"] for answer in answers if answer.status_code != 200}
    assert len(won) == 1 and lost <= {"invalid_grant", "temporarily_unavailable"}
    assert database("SELECT count(*) FROM grants")[0][0] == 1


def test_df03_a_second_redemption_ends_what_the_first_became(
    tv: RelyingParty, acme: Tenant, database: Any
) -> None:
    device = begun(tv)
    device.answered()
    body = device.poll().get_json()
    refused(device.poll(), "invalid_grant")
    assert tv.userinfo(body["access_token"]).status_code == 401
    refused(tv.refresh(body["refresh_token"]), "invalid_grant")
    assert events(database, acme, "code.replayed") == 1


def test_df03_a_code_that_redis_brings_back_is_refused_by_postgres(
    tv: RelyingParty, acme: Tenant, services: Any
) -> None:
    from redis import Redis as RedisClient

    from idp.embedded.redis import OPERATOR

    device = begun(tv)
    device.answered()
    with RedisClient.from_url(services.redis.url(OPERATOR)) as redis:
        kept = {key: redis.get(key) for key in redis.scan_iter("idp:*:elsewhere*")}
        assert device.poll().status_code == 200
        for key, value in kept.items():
            redis.set(key, value)
    refused(device.poll(), "invalid_grant")


def test_df04_another_client_or_tenant_has_nothing_of_it(
    app: Any, twins: tuple[Tenant, Tenant], tv: RelyingParty
) -> None:
    acme, globex = twins
    device = begun(tv)
    device.answered()
    refused(device.poll(television(app, acme, "radio")), "invalid_grant")
    refused(device.poll(television(app, globex)), "invalid_grant")
    assert device.poll().status_code == 200, "nothing was used up by strangers"


def test_df04_a_user_code_is_nothing_at_another_tenant(
    app: Any, twins: tuple[Tenant, Tenant], tv: RelyingParty
) -> None:
    abroad = television(app, twins[1])
    device, other = begun(tv), begun(abroad)
    assert "No device waits" in other.typed(code=device.told["user_code"]).html


@pytest.mark.parametrize("when", ["approves", "redeems"])
def test_df07_a_disabled_person_neither_approves_nor_redeems(
    tv: RelyingParty, acme: Tenant, when: str
) -> None:
    device = begun(tv)
    visit = device.typed().login("alice")
    if when == "redeems":
        visit.submit(action="allow")
    with entered(acme):
        users.suspend("alice")
    if when == "approves":
        late = visit.submit(action="allow")
        assert 'data-how="allowed"' not in late.html
        refused(device.poll(), "authorization_pending")
    else:
        refused(device.poll(), "invalid_grant")


def test_df07_a_disabled_client_waits_for_nothing(tv: RelyingParty, acme: Tenant) -> None:
    device = begun(tv)
    visit = device.typed().login("alice")
    change(acme, "tv", status="suspended")
    assert "No device waits" in device.typed().html
    late = visit.submit(action="allow")
    assert late.answer.status_code == 400
    refused(device.poll(), "invalid_client", 401)


def test_two_browsers_of_which_one_answers(tv: RelyingParty) -> None:
    device = begun(tv)
    first, second = device.typed().login("alice"), device.typed().login("bob")
    first.submit(action="allow")
    late = second.submit(action="deny")
    assert late.answer.status_code == 400 and "data-how" not in late.html
    body = device.poll().get_json()
    assert tv.userinfo(body["access_token"]).get_json()["preferred_username"] == "alice"


def test_the_token_ends_with_the_session_in_which_it_was_allowed(tv: RelyingParty, acme: Tenant) -> None:
    device, lasting = begun(tv), begun(tv, scope="openid offline_access")
    browser = tv.browser()
    device.answered(browser)
    lasting.answered(browser)
    body, offline = device.poll().get_json(), lasting.poll().get_json()
    form = {**inputs(browser.get("/t/acme/logout").get_data(as_text=True)), "action": "confirm"}
    assert browser.post("/t/acme/logout/confirm", data=form).status_code == 303
    refused(tv.refresh(body["refresh_token"]), "invalid_grant")
    assert tv.refresh(offline["refresh_token"]).status_code == 200


def test_df01_guessing_stops_at_one_address(app: Any, acme: Tenant) -> None:
    policy(acme, user_code_failures=3)
    device = begun(television(app, acme))
    for _ in range(3):
        assert "No device waits" in device.typed(code="BCD-FGH-JKL").html
    stopped = device.typed()
    assert stopped.answer.status_code == 429 and "Retry-After" in stopped.answer.headers


def test_df01_guessing_stops_from_everywhere_together(app: Any, acme: Tenant) -> None:
    policy(acme, user_code_failures=1)
    device = begun(television(app, acme))
    for number in range(10):
        with entered(acme), pytest.raises(user_codes.UnknownUserCode):
            user_codes.found("BCD-FGH-JKL", f"192.0.2.{number}")
    assert device.typed().answer.status_code == 429


def test_df01_a_code_is_met_by_chance_less_than_once_in_2_to_the_32() -> None:
    tries = 10 * 10  # the policy's default at one address, ten times that for everybody
    assert tries / len(user_codes.ALPHABET) ** user_codes.LENGTH < 2**-32
    assert not set(user_codes.ALPHABET) & set("AEIOUY01258"), "no vowels, so no words, and nothing alike"


def test_df01_without_redis_no_code_is_looked_up(tv: RelyingParty, monkeypatch: pytest.MonkeyPatch) -> None:
    device = begun(tv)
    from idp.store import redis

    def away(*_: Any) -> Any:
        raise Away()

    monkeypatch.setattr(redis, "get", away)
    answer = device.typed().answer
    assert answer.status_code == 503 and "Retry-After" in answer.headers


def test_asking_too_often_is_stopped(app: Any, acme: Tenant) -> None:
    policy(acme, elsewhere_requests=2)
    rp = television(app, acme)
    assert [asks(rp).status_code for _ in range(3)] == [200, 200, 429]


def test_scopes_withdrawn_meanwhile_fall_away(tv: RelyingParty, acme: Tenant) -> None:
    device = begun(tv, scope="openid things")
    device.answered()
    with entered(acme):
        clients.update("tv", {"scope": "openid"})
    assert device.poll().get_json()["scope"] == "openid"


def test_3_4_what_is_missing(tv: RelyingParty) -> None:
    refused(tv.post("token", {"grant_type": GRANT}), "invalid_request")
    refused(tv.post("token", {"grant_type": GRANT, "device_code": "x" * 4_000}), "invalid_grant")
    refused(tv.post("token", {"grant_type": GRANT, "device_code": "unknown"}), "invalid_grant")


def test_a_client_with_secret_and_another_grant_alone_cannot_poll(app: Any, acme: Tenant) -> None:
    rp = party(app, acme, client(acme, "plain", secret=SECRET), SECRET)
    refused(rp.post("token", {"grant_type": GRANT, "device_code": "x"}), "unauthorized_client")
