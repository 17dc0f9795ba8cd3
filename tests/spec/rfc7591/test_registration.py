"""RFC 7591: an application registers itself, where the tenant's policy lets it."""

import datetime as dt
from typing import Any

import pytest

from idp import upkeep
from idp.control import clients
from idp.store.durable import audit_log
from idp.tenants import Tenant, entered
from tests.attacks.acting import change, policy, refused
from tests.playing import relying_party
from tests.spec.rfc7591.registering import CALLBACK, GOOD, ask, initial, manage, party, registered


@pytest.fixture
def open_(acme: Tenant) -> Tenant:
    return policy(acme, client_registration="open")


@pytest.fixture
def by_token(acme: Tenant) -> Tenant:
    return policy(acme, client_registration="token")


def discovered(app: Any) -> dict[str, Any]:
    return dict(app.test_client().get("/t/acme/.well-known/openid-configuration").get_json())


def test_closed_by_default_there_is_no_such_address(app: Any, acme: Tenant) -> None:
    assert "registration_endpoint" not in discovered(app)
    nothing = app.test_client().post("/t/nobody/register", json=GOOD)
    for answer in (ask(app, acme, "POST", None, GOOD), ask(app, acme, "POST", initial(acme), GOOD)):
        assert answer.status_code == 404 and answer.data == nothing.data


@pytest.mark.parametrize("kind", ["open", "token"])
def test_discovery_says_so(app: Any, acme: Tenant, kind: str) -> None:
    policy(acme, client_registration=kind)
    assert discovered(app)["registration_endpoint"] == f"{acme.issuer}/register"


def test_3_2_1_the_answer_tells_everything_that_is_registered(app: Any, open_: Tenant) -> None:
    answer = ask(app, open_, "POST", None, GOOD)
    told = answer.get_json()
    assert answer.status_code == 201 and answer.headers["Cache-Control"] == "no-store"
    assert told["redirect_uris"] == [CALLBACK] and told["client_name"] == "My Example"
    assert told["grant_types"] == ["authorization_code"] and told["response_types"] == ["code"]
    assert told["token_endpoint_auth_method"] == "client_secret_basic"
    assert len(told["client_secret"]) >= 43 and told["client_secret_expires_at"] == 0
    assert told["client_id_issued_at"] > 1_700_000_000
    assert set(told["scope"].split()) == {"openid", "profile", "email", "address", "phone", "offline_access"}


def test_what_was_registered_signs_people_in_and_always_asks_them(app: Any, open_: Tenant) -> None:
    rp = party(app, open_, registered(app, open_, grant_types=["authorization_code", "refresh_token"]))
    browser = rp.browser()
    visit = rp.authorize(browser).login("alice")
    assert "My Example" in visit.html
    tokens = rp.exchange(visit.consent().code)
    assert rp.userinfo(tokens["access_token"]).get_json()["name"] == "Alice Adams"
    again = rp.authorize(browser)
    assert not again.location, "consent is asked each time of whom nobody vouches for"
    with entered(open_):
        clients.update(rp.client_id, {"dynamic": False})
    assert rp.authorize(browser).code, "an operator vouches for it"


def test_2_what_is_not_understood_is_left_out(app: Any, open_: Tenant) -> None:
    told = registered(
        app, open_, frobnicate=True, require_consent=False, dynamic=False, allowed_origins=["https://x.test"]
    )
    assert not {"frobnicate", "require_consent", "dynamic", "allowed_origins"} & set(told)
    with entered(open_):
        made = clients.show(told["client_id"])
    assert made.setting("dynamic") is True and made.setting("require_consent") is True
    assert made.setting("allowed_origins") == ()


def test_a_scope_of_groups_roles_or_an_api_is_not_theirs(app: Any, open_: Tenant) -> None:
    told = registered(
        app, open_, scope="openid groups roles orders.read email", grant_types=["authorization_code"]
    )
    assert told["scope"] == "openid email"
    rp = party(app, open_, told)
    assert rp.authorize(scope="openid orders.read").params["error"] == "invalid_scope"


@pytest.mark.parametrize(
    ("metadata", "error"),
    [
        ({"redirect_uris": ["https://app.example.com/cb#x"]}, "invalid_redirect_uri"),
        ({"redirect_uris": ["http://app.example.com/cb"]}, "invalid_redirect_uri"),
        ({"redirect_uris": ["javascript:alert(1)"]}, "invalid_redirect_uri"),
        ({"redirect_uris": []}, "invalid_redirect_uri"),
        ({"redirect_uris": None}, "invalid_redirect_uri"),
        ({"grant_types": ["password"]}, "invalid_client_metadata"),
        ({"grant_types": ["implicit"], "response_types": ["id_token"]}, "invalid_client_metadata"),
        ({"response_types": ["token"]}, "invalid_client_metadata"),
        ({"token_endpoint_auth_method": "client_secret_jwt"}, "invalid_client_metadata"),
        ({"token_endpoint_auth_method": "private_key_jwt"}, "invalid_client_metadata"),
        ({"logo_uri": "http://app.example.com/logo.png"}, "invalid_client_metadata"),
        ({"subject_type": "sideways"}, "invalid_client_metadata"),
        ({"scope": ["openid"]}, "invalid_client_metadata"),
        ({"contacts": "me"}, "invalid_client_metadata"),
        ({"id_token_signed_response_alg": "none"}, "invalid_client_metadata"),
    ],
)  # fmt: skip
def test_3_2_2_errors(app: Any, open_: Tenant, metadata: dict[str, Any], error: str) -> None:
    refused(ask(app, open_, "POST", None, {**GOOD, **metadata}), error)


@pytest.mark.parametrize("body", [[], "x", 5])
def test_3_1_only_an_object_in_json(app: Any, open_: Tenant, body: Any) -> None:
    refused(app.test_client().post("/t/acme/register", json=body), "invalid_request")
    refused(app.test_client().post("/t/acme/register", data=GOOD), "invalid_request", 415)
    twice = b'{"redirect_uris": ["https://a.test/"], "redirect_uris": ["https://b.test/"]}'
    answer = app.test_client().post("/t/acme/register", data=twice, content_type="application/json")
    refused(answer, "invalid_request")


def test_3_a_token_where_the_policy_asks_for_one(app: Any, by_token: Tenant, globex: Tenant) -> None:
    policy(globex, client_registration="token")
    for token in (None, "x" * 43, initial(globex), "a b"):
        answer = ask(app, by_token, "POST", token, GOOD)
        refused(answer, "invalid_token", 401)
        assert answer.headers["WWW-Authenticate"].startswith("Bearer ")
    assert registered(app, by_token, initial(by_token))["client_id"]


def test_an_initial_token_is_good_as_often_and_as_long_as_it_says(
    app: Any, by_token: Tenant, frozen: Any
) -> None:
    with frozen("2030-01-01") as time:
        twice, brief = initial(by_token, 2), initial(by_token, None, 60)
        refused(ask(app, by_token, "POST", twice, {"redirect_uris": ["x"]}), "invalid_redirect_uri")
        for _ in range(2):
            registered(app, by_token, twice)
        refused(ask(app, by_token, "POST", twice, GOOD), "invalid_token", 401)
        registered(app, by_token, brief)
        time.tick(61)
        refused(ask(app, by_token, "POST", brief, GOOD), "invalid_token", 401)


def test_even_where_anybody_may_a_wrong_token_is_refused(app: Any, open_: Tenant) -> None:
    refused(ask(app, open_, "POST", "x" * 43, GOOD), "invalid_token", 401)


def test_limits_of_an_address_and_of_a_tenant(app: Any, acme: Tenant, database: Any) -> None:
    policy(acme, client_registration="open", registrations=2)
    for _ in range(2):
        registered(app, acme)
    answer = ask(app, acme, "POST", None, GOOD)
    assert answer.status_code == 429 and int(answer.headers["Retry-After"]) > 0
    policy(acme, client_registration="open", registrations=20, registered_clients=2)
    with entered(acme):
        for client_id in _registered(database):
            change(acme, client_id, dynamic=False)
    refused(ask(app, acme, "POST", None, GOOD), "access_denied", 403)


def _registered(database: Any) -> list[str]:
    found = database(
        "SELECT c.client_id FROM clients c JOIN registrations r ON r.client_id = c.id ORDER BY r.id"
    )
    return [name for (name,) in found]


def test_one_network_fills_its_share_and_pushes_out_its_own(app: Any, acme: Tenant, database: Any) -> None:
    acme = policy(acme, client_registration="open", registrations=1_000, registered_clients_of_one=3)
    used = registered(app, acme)
    rp = party(app, acme, used)
    rp.exchange(rp.authorize().login("alice").consent().code)
    first, second, third, fourth = (registered(app, acme) for _ in range(4))
    assert set(_registered(database)) == {each["client_id"] for each in (used, third, fourth)}
    assert manage(app, acme, first, "GET").status_code == manage(app, acme, second, "GET").status_code == 401
    with entered(acme):
        gone = audit_log.recent(10, "client.deleted")
    assert {each.facts["client_id"] for each in gone} == {first["client_id"], second["client_id"]}
    assert gone[0].actor["reason"] == "unused, it made room for another application"


def test_in_a_full_tenant_who_holds_the_most_unused_makes_room(app: Any, acme: Tenant, database: Any) -> None:
    acme = policy(acme, client_registration="open", registrations=1_000, registered_clients=4)

    def come(address: str) -> Any:
        return app.test_client().post(
            "/t/acme/register", json=GOOD, environ_overrides={"REMOTE_ADDR": address}
        )

    flood = [come("198.51.100.7").get_json()["client_id"] for _ in range(3)]
    lone = come("203.0.113.1").get_json()["client_id"]
    newcomers = [come(f"203.0.113.{number}").get_json()["client_id"] for number in (2, 3)]
    assert set(_registered(database)) == {flood[2], lone, *newcomers}
    assert come("203.0.113.4").status_code == 403, "nobody holds several, and this one has none of its own"
    assert come("203.0.113.3").status_code == 201 and newcomers[1] not in _registered(database)


def test_an_initial_access_token_knows_how_many_come_from_where(
    app: Any, acme: Tenant, database: Any
) -> None:
    acme = policy(acme, client_registration="token", registrations=1_000, registered_clients_of_one=1)
    token = initial(acme)
    told = [registered(app, acme, token)["client_id"] for _ in range(3)]
    assert _registered(database) == told


def test_what_people_allow_is_remembered_where_the_policy_says_so_and_as_long_as_it_says_the_same(
    app: Any, acme: Tenant
) -> None:
    acme = policy(acme, client_registration="open")
    told = registered(app, acme)
    rp = party(app, acme, told)
    browser = rp.browser()
    assert rp.authorize(browser).login("alice").consent().code
    assert rp.authorize(browser, prompt="none").params["error"] == "consent_required"
    acme = policy(acme, remember_strangers_consent=True)
    assert rp.authorize(browser, prompt="none").code
    assert rp.authorize(browser, prompt="consent").location == ""
    new = manage(app, acme, told, "PUT", {**GOOD, "client_id": told["client_id"], "client_name": "Another"})
    assert new.status_code == 200
    assert rp.authorize(browser, prompt="none").params["error"] == "consent_required"
    visit = rp.authorize(browser)
    assert "Another" in visit.html and "Unverified" in visit.html and visit.consent().code
    assert rp.authorize(browser, prompt="none").code


def test_a_private_scheme_is_asked_about_each_time_whatever_the_policy(app: Any, acme: Tenant) -> None:
    acme = policy(acme, client_registration="open", remember_strangers_consent=True)
    native = {"application_type": "native", "redirect_uris": ["com.example.app:/cb"]}
    rp = party(app, acme, registered(app, acme, token_endpoint_auth_method="none", **native))
    browser = rp.browser()
    assert rp.authorize(browser).login("alice").consent().code
    assert rp.authorize(browser, prompt="none").params["error"] == "consent_required"


@pytest.mark.parametrize("alg", ["RSA-OAEP-256", "ECDH-ES"])
def test_2_a_request_is_encrypted_only_for_a_tenant_that_publishes_a_key(
    app: Any, acme: Tenant, alg: str
) -> None:
    acme = policy(acme, client_registration="open")
    asked = {**GOOD, "request_object_encryption_alg": alg}
    answer = ask(app, acme, "POST", None, asked)
    refused(answer, "invalid_client_metadata")
    assert "publishes no key" in answer.get_json()["error_description"]
    acme = policy(acme, encryption_keys=True)
    assert registered(app, acme, request_object_encryption_alg=alg)["request_object_encryption_alg"] == alg
    refused(
        ask(app, acme, "POST", None, {**asked, "request_object_encryption_alg": "RSA-OAEP"}),
        "invalid_client_metadata",
    )


def test_who_never_got_a_token_is_forgotten(app: Any, acme: Tenant, frozen: Any) -> None:
    acme = policy(acme, client_registration="open", unused_client_lifetime=86_400)
    with frozen("2030-01-01") as time:
        used, unused = registered(app, acme), registered(app, acme)
        rp = party(app, acme, used)
        rp.exchange(rp.authorize().login("alice").consent().code)
        with entered(acme):
            upkeep.sweep()
        time.tick(dt.timedelta(days=1, seconds=1))
        young = registered(app, acme)
        with entered(acme):
            upkeep.sweep()
        assert manage(app, acme, unused, "GET").status_code == 401
        assert (
            manage(app, acme, used, "GET").status_code == manage(app, acme, young, "GET").status_code == 200
        )
        time.tick(dt.timedelta(days=200))
        with entered(acme):
            upkeep.sweep()
            upkeep.sweep()
        assert manage(app, acme, used, "GET").status_code == 200, (
            "it was used once, though nothing tells of it now"
        )
        assert relying_party(app, acme).authorize().page, "what an operator made is left alone"


def test_it_is_recorded_who_registered_and_by_what(app: Any, by_token: Tenant) -> None:
    told = registered(app, by_token, initial(by_token))
    with entered(by_token):
        row = audit_log.recent(10, "client.created")[0]
    assert row.facts["client_id"] == row.actor["id"] == told["client_id"]
    assert row.actor["reason"].startswith("initial access token ")


def test_a_suspended_one_manages_nothing(app: Any, open_: Tenant) -> None:
    told = registered(app, open_)
    change(open_, told["client_id"], status="suspended")
    assert manage(app, open_, told, "GET").status_code == 401
