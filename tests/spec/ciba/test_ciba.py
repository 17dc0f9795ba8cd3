"""Client-initiated backchannel authentication (CIBA Core 1.0, FAPI-CIBA): poll, ping, the person."""

import json
import time
from dataclasses import replace
from typing import Any

import jwt as pyjwt
import pytest

from idp import config, outbox
from idp.control import users
from idp.errors import InvalidClientMetadata
from idp.oauth import elsewhere, pings
from idp.registration import CIBA
from idp.store.durable import outbox as rows
from idp.tenants import Tenant, entered
from tests.attacks.acting import THREADS, at_once, change, client, events, policy, refused
from tests.attacks.assertions import EC, OTHER, RSA, assertion, present, public
from tests.playing import RelyingParty, relying_party
from tests.receiving import receiver
from tests.spec.ciba.asking import Asking, asks, begun, chosen, service

TOKEN = "notification-token-0123456789"


@pytest.fixture
def bank(app: Any, acme: Tenant) -> RelyingParty:
    return service(app, acme)


def signed(acme: Tenant, key: Any = EC, alg: str = "ES256", **changes: Any) -> str:
    """A signed backchannel request of the client `signer`; `...` leaves a claim out."""
    now = int(time.time())
    claims = {
        "iss": "signer", "aud": acme.issuer, "iat": now, "nbf": now, "exp": now + 300, "jti": str(time.monotonic_ns()),
        "scope": "openid", "login_hint": "alice", **changes,
    }  # fmt: skip
    kept = {name: value for name, value in claims.items() if value is not ...}
    return pyjwt.encode(kept, key, algorithm=alg, headers={"kid": "e"})


@pytest.fixture
def signer(app: Any, acme: Tenant) -> None:
    client(
        acme, "signer", grant_types=[CIBA], redirect_uris=[], scope="openid profile",
        token_endpoint_auth_method="private_key_jwt", jwks={"keys": [public(EC, "e")]},
        backchannel_authentication_request_signing_alg="ES256",
    )  # fmt: skip


def sent(app: Any, acme: Tenant, request: str | None = None, **beside: str) -> Any:
    """The answer to a signed request."""
    form = {
        **({"request": request} if request is not None else {}),
        **beside,
        "grant_type": None,
        "token": None,
    }
    return present(app, acme, assertion(acme), "bc-authorize", **form)


def test_4_discovery(app: Any, acme: Tenant) -> None:
    document = app.test_client().get("/t/acme/.well-known/openid-configuration").get_json()
    assert document["backchannel_authentication_endpoint"] == f"{acme.issuer}/bc-authorize"
    assert document["backchannel_token_delivery_modes_supported"] == ["poll", "ping"]
    known = document["backchannel_authentication_request_signing_alg_values_supported"]
    assert known == ["PS256", "ES256", "EdDSA"]
    assert document["backchannel_user_code_parameter_supported"] is True
    assert CIBA in document["grant_types_supported"]


def test_7_3_and_10_1_the_whole_way_by_poll(bank: RelyingParty, acme: Tenant, database: Any) -> None:
    asking = begun(bank, binding_message="W4SC")
    assert set(asking.told) == {"auth_req_id", "expires_in", "interval"} and len(asking.handle) == 43
    refused(asking.poll(), "authorization_pending")
    page = asking.found()
    assert "Acme Bank" in page.html and "W4SC" in page.html
    due = chosen(page)
    for shown in ("Acme Bank", "W4SC", "Acme Corporation", "profile"):
        assert shown in due.html, shown
    refused(asking.poll(), "slow_down")
    assert 'data-how="allowed"' in due.submit(action="allow").html
    body = asking.poll().get_json()
    claims = bank.verified(body["id_token"], "bank")
    assert bank.userinfo(body["access_token"]).get_json()["sub"] == claims["sub"]
    assert bank.refresh(body["refresh_token"]).status_code == 200
    assert events(database, acme, "authorization.granted") == 1
    assert "Nothing waits" in asking.found().html


def test_7_1_the_person_hears_of_it_by_mail(bank: RelyingParty, acme: Tenant, database: Any) -> None:
    begun(bank, binding_message="W4SC")
    assert database("SELECT count(*) FROM outbox WHERE topic = 'mail.send'") == [(1,)]
    from idp import mail
    from idp.mail import kept

    with entered(acme):
        outbox.handle(mail.TOPIC, mail.deliver)
        for recipient in rows.recipients(__import__("idp.clock").clock.now(), 5):
            outbox.deliver_to(recipient)
    letter = kept.every()[0]
    assert letter.to == "alice@example.com" and "Acme Bank" in letter.subject
    assert "W4SC" in letter.text and f"{acme.issuer}/approve" in letter.text


def test_10_2_a_ping_says_that_it_is_answered(app: Any, acme: Tenant) -> None:
    with receiver() as there:
        rp = service(
            app, acme, backchannel_token_delivery_mode="ping",
            backchannel_client_notification_endpoint=f"{there.base}/ping",
        )  # fmt: skip
        refused(asks(rp), "invalid_request")
        refused(asks(rp, client_notification_token="short"), "invalid_request")
        refused(asks(rp, client_notification_token="bad token 0123456789"), "invalid_request")
        asking = begun(rp, client_notification_token=TOKEN)
        asking.answered()
        _delivered(acme)
        ((path, headers, body),) = there.posts
        assert path == "/ping" and headers["Authorization"] == f"Bearer {TOKEN}"
        assert headers["Content-Type"] == "application/json"
        assert json.loads(body) == {"auth_req_id": asking.handle}
        assert asking.poll().status_code == 200


@pytest.mark.parametrize(("status", "tries"), [(401, 1), (302, 1), (404, 1), (503, 2)])
def test_10_2_no_answer_but_silence_is_tried_again(
    app: Any, acme: Tenant, database: Any, status: int, tries: int
) -> None:
    with receiver() as there:
        there.status = status
        rp = service(
            app, acme, backchannel_token_delivery_mode="ping",
            backchannel_client_notification_endpoint=f"{there.base}/ping",
        )  # fmt: skip
        begun(rp, client_notification_token=TOKEN).answered("deny")
        for _ in range(2):
            database("UPDATE outbox SET run_after = now() - interval '1 day', locked_until = NULL")
            _delivered(acme)
        assert [path for path, _, _ in there.posts] == ["/ping"] * tries


def test_df08_nothing_of_a_ping_is_kept_in_the_clear(
    app: Any, acme: Tenant, services: Any, database: Any
) -> None:
    from redis import Redis as RedisClient

    from idp.embedded.redis import OPERATOR

    rp = service(
        app, acme, backchannel_token_delivery_mode="ping",
        backchannel_client_notification_endpoint="http://localhost:9/ping",
    )  # fmt: skip
    asking = begun(rp, client_notification_token=TOKEN)
    asking.answered()
    with RedisClient.from_url(services.redis.url(OPERATOR)) as redis:
        names = [name for name in redis.scan_iter("idp:*") if redis.type(name) == b"string"]
        kept = b"".join(redis.get(name) or b"" for name in names) + b"".join(names)
    written = str(database("SELECT payload::text FROM outbox")).encode()
    for secret in (TOKEN.encode(), asking.handle.encode()):
        assert secret not in kept + written


def _delivered(acme: Tenant) -> None:
    from idp import clock

    with entered(acme):
        outbox.handle(pings.TOPIC, pings.tell)
        for recipient in rows.recipients(clock.now(), 5):
            if recipient != "smtp":
                outbox.deliver_to(recipient)


def test_df08_a_ping_reaches_no_address_inside(app: Any, acme: Tenant) -> None:
    for address in (
        "http://10.0.0.1/ping",
        "https://user@bank.example/",
        "ftp://bank.example/",
        "http://bank.example/",
    ):
        with pytest.raises(InvalidClientMetadata):
            service(
                app, acme, "wrong", backchannel_token_delivery_mode="ping",
                backchannel_client_notification_endpoint=address,
            )  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"login_hint": None}, "invalid_request"),
        ({"id_token_hint": "x"}, "invalid_request"),
        ({"login_hint": None, "id_token_hint": "x"}, "invalid_request"),
        ({"login_hint": None, "login_hint_token": "x"}, "invalid_request"),
        ({"login_hint": "nobody"}, "unknown_user_id"),
        ({"scope": "profile"}, "invalid_scope"),
        ({"scope": None}, "invalid_scope"),
        ({"scope": "openid orders.read"}, "invalid_scope"),
        ({"requested_expiry": "0"}, "invalid_request"),
        ({"requested_expiry": "-1"}, "invalid_request"),
        ({"requested_expiry": "x"}, "invalid_request"),
        ({"binding_message": "x" * 200}, "invalid_binding_message"),
        ({"binding_message": "a\nb"}, "invalid_binding_message"),
        ({"binding_message": "pay \u202eevil"}, "invalid_binding_message"),
        ({"request": "x"}, "invalid_request"),
    ],
)
def test_7_1_and_13_what_is_refused(bank: RelyingParty, changes: dict[str, str | None], error: str) -> None:
    refused(asks(bank, **changes), error)


def test_df08_a_message_is_only_text(bank: RelyingParty) -> None:
    asking = begun(bank, binding_message='<script>alert(1)</script> "&')
    page = asking.found()
    assert "<script>alert" not in page.html and "&lt;script&gt;" in page.html
    assert "<script>alert" not in chosen(page).html


def test_7_1_by_which_names_people_are_known(app: Any, acme: Tenant, bank: RelyingParty) -> None:
    asking = begun(bank, login_hint="alice@example.com")
    asking.answered()
    body = asking.poll().get_json()
    again = begun(bank, login_hint=None, id_token_hint=body["id_token"])
    again.answered()
    assert again.poll().status_code == 200
    others = relying_party(app, acme).sign_in()["id_token"]
    refused(asks(bank, login_hint=None, id_token_hint=others), "invalid_request")


def test_df08_who_is_disabled_is_as_unknown_as_who_is_not_there(bank: RelyingParty, acme: Tenant) -> None:
    waiting = begun(bank)
    visit = chosen(waiting.found())
    with entered(acme):
        users.suspend("alice")
    answers = [asks(bank), asks(bank, login_hint="nobody")]
    assert len({answer.get_data() for answer in answers}) == 1
    refused(answers[0], "unknown_user_id")
    assert 'data-how="allowed"' not in visit.submit(action="allow").html
    refused(waiting.poll(), "authorization_pending")


def test_df08_who_is_disabled_after_the_answer_gets_nothing(bank: RelyingParty, acme: Tenant) -> None:
    asking = begun(bank)
    asking.answered()
    with entered(acme):
        users.suspend("alice")
    refused(asking.poll(), "invalid_grant")


def test_guessing_people_stops(app: Any, acme: Tenant) -> None:
    policy(acme, user_code_failures=2)
    rp = service(app, acme)
    found = [asks(rp, login_hint=f"nobody{n}").status_code for n in range(3)]
    assert found == [400, 400, 429]


def test_only_the_person_answers(bank: RelyingParty) -> None:
    asking = begun(bank)
    assert "Nothing waits" in asking.found("bob").html
    visit = asking.found()
    name = visit.html.partition('id="waiting-1"')[2].partition('value="')[2].partition('"')[0]
    strange = asking.found("bob")
    assert 'id="approve-form"' not in strange.submit(action=name).html
    refused(asking.poll(), "authorization_pending")


def test_another_person_who_signs_in_on_the_way_answers_nothing(bank: RelyingParty, acme: Tenant) -> None:
    asking = begun(bank)
    from idp.oauth.request import Browser
    from idp.store.ephemeral import elsewhere as kept
    from tests.playing import Visit

    rp = relying_party(bank.app, acme)
    browser = rp.browser()
    browser.get("/t/acme/device")  # a browser with a binding of its own
    binding = browser.get_cookie("idp_acme_browser")
    with entered(acme):
        ask = elsewhere and __import__("idp.oauth.flow", fromlist=["flow"]).answer(
            kept.name_of(asking.handle), Browser(binding.value)
        )
    page = f"/t/acme/interaction/login?tx={ask.transaction}"
    visit = Visit(rp, browser, browser.get(page), page)
    assert 'data-how="other"' in visit.login("bob").html
    refused(asking.poll(), "authorization_pending")


def test_11_denied_expired_and_used_twice(bank: RelyingParty, frozen: Any) -> None:
    with frozen() as time_:
        asking = begun(bank)
        asking.answered("deny")
        refused(asking.poll(), "access_denied")
        short = begun(bank, requested_expiry="30")
        assert (
            short.told["expires_in"] == 30 and begun(bank, requested_expiry="9999").told["expires_in"] == 600
        )
        time_.tick(31)
        refused(short.poll(), "expired_token")
        once = begun(bank)
        once.answered(number=2)
        assert once.poll().status_code == 200
        refused(once.poll(), "invalid_grant")


def test_10_1_bound_to_its_client_and_tenant(
    app: Any, twins: tuple[Tenant, Tenant], bank: RelyingParty
) -> None:
    asking = begun(bank)
    asking.answered()
    refused(asking.poll(service(app, twins[0], "other")), "invalid_grant")
    refused(asking.poll(service(app, twins[1])), "invalid_grant")
    refused(
        bank.post("token", {"grant_type": "urn:ietf:params:oauth:grant-type:device_code"}),
        "unauthorized_client",
    )
    assert asking.poll().status_code == 200


def test_rc03_of_many_polls_one_is_answered(bank: RelyingParty, database: Any) -> None:
    asking = begun(bank)
    asking.answered()
    found = [answer.status_code for answer in at_once(THREADS, lambda _: asking.poll())]
    assert found.count(200) == 1 and database("SELECT count(*) FROM grants")[0][0] == 1


def test_4_who_may_ask(app: Any, acme: Tenant, bank: RelyingParty) -> None:
    refused(asks(relying_party(app, acme)), "unauthorized_client")
    refused(asks(replace(bank, secret="x" * 43)), "invalid_client", 401)
    refused(asks(relying_party(app, acme, "spa")), "invalid_client", 401)
    for fields in (
        {"token_endpoint_auth_method": "none"},
        {"backchannel_token_delivery_mode": "ping"},
        {"backchannel_token_delivery_mode": "push"},
        {"backchannel_authentication_request_signing_alg": "RS256", "jwks": {"keys": [public(EC, "e")]}},
        {"backchannel_authentication_request_signing_alg": "ES256"},
    ):
        with pytest.raises(InvalidClientMetadata):
            service(app, acme, "wrong", **fields)
    assert app.test_client().get("/t/acme/bc-authorize").status_code == 405


def test_7_1_1_a_signed_request(app: Any, acme: Tenant, signer: None) -> None:
    answer = sent(app, acme, signed(acme, binding_message="W4SC", requested_expiry=60))
    assert answer.status_code == 200, answer.get_data(as_text=True)
    assert answer.get_json()["expires_in"] == 60
    assert sent(app, acme, signed(acme, requested_expiry="60")).get_json()["expires_in"] == 60
    rp = RelyingParty(app, acme, "signer", None, "", "private_key_jwt")
    Asking(rp, answer.get_json()).answered()


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": "https://other.example"}, {"aud": ...}, {"iss": "web"}, {"iss": ...}, {"exp": ...}, {"iat": ...},
        {"nbf": ...}, {"jti": ...}, {"jti": ""}, {"exp": 1}, {"exp": "+4300"},
        {"nbf": "+70"}, {"nbf": "-4300"}, {"scope": 7}, {"binding_message": ["x"]},
    ],
)  # fmt: skip
def test_fapi_5_2_2_what_a_signed_request_needs(
    app: Any, acme: Tenant, signer: None, changes: dict[str, Any]
) -> None:
    moved = {
        name: int(time.time()) + int(value) if name in ("exp", "nbf") and isinstance(value, str) else value
        for name, value in changes.items()
    }
    refused(sent(app, acme, signed(acme, **moved)), "invalid_request_object")


def test_fapi_7_10_whose_key_and_which_algorithm(app: Any, acme: Tenant, signer: None) -> None:
    refused(sent(app, acme, signed(acme, OTHER)), "invalid_request_object")
    change(acme, "signer", jwks={"keys": [public(RSA, "e", "RS256"), public(EC, "f")]},
           backchannel_authentication_request_signing_alg=None)  # fmt: skip
    refused(sent_by(app, acme, signed(acme, RSA, "RS256")), "invalid_request_object")
    refused(
        sent_by(app, acme, pyjwt.encode({"iss": "signer"}, None, algorithm="none")), "invalid_request_object"
    )


def sent_by(app: Any, acme: Tenant, request: str) -> Any:
    """As `sent`, with the assertion under the key `f`."""
    form = {"request": request, "grant_type": None, "token": None}
    return present(app, acme, assertion(acme, headers={"kid": "f"}), "bc-authorize", **form)


def test_7_1_1_nothing_beside_it_nothing_twice_and_never_unsigned(
    app: Any, acme: Tenant, signer: None
) -> None:
    refused(sent(app, acme, signed(acme), scope="openid"), "invalid_request")
    refused(sent(app, acme, scope="openid", login_hint="alice"), "invalid_request")
    same = signed(acme, jti="once")
    assert sent(app, acme, same).status_code == 200
    refused(sent(app, acme, same), "invalid_request_object")


def test_the_test_hook_answers_in_development_alone(
    app: Any, acme: Tenant, bank: RelyingParty, settings: Any
) -> None:
    http = app.test_client()
    for action, error in (("allow", None), ("deny", "access_denied")):
        asking = begun(bank)
        path = f"/t/acme/test/ciba?auth_req_id={asking.handle}&action={action}"
        assert http.post(path, data={"x": "y"}).status_code == 204
        if error is None:
            assert asking.poll().status_code == 200
        else:
            refused(asking.poll(), error)
        refused(http.post(path, data={"x": "y"}), "invalid_request")
    asking = begun(bank)
    config.use(replace(settings, env="production"))
    try:
        gone = http.post(f"/t/acme/test/ciba?auth_req_id={asking.handle}&action=allow", data={"x": "y"})
        assert gone.status_code == 404
        with entered(acme), pytest.raises(RuntimeError):
            elsewhere.answered_for(asking.handle, None, allow=True)  # type: ignore[arg-type]
    finally:
        config.use(settings)
    refused(asking.poll(), "authorization_pending")
