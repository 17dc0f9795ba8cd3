"""Client authentication: the registered method, one answer for every failure, and nothing by halves."""

from datetime import timedelta
from typing import Any

import pytest

from idp.control import clients
from idp.errors import InvalidClientMetadata
from idp.tenants import Tenant, entered
from tests.attacks.acting import change, client, policy, refused
from tests.attacks.assertions import TYPE, assertion, basic, present
from tests.playing import RelyingParty, relying_party

ENDPOINTS = ("token", "introspect", "revoke")


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_ca01_unknown_foreign_and_wrong_are_one_answer(
    app: Any, acme: Tenant, globex: Tenant, endpoint: str
) -> None:
    client(globex, "theirs", secret="g" * 43)
    form = {"grant_type": "client_credentials", "token": "x"}
    http = app.test_client()
    answers = [
        http.post(f"/t/acme/{endpoint}", data=form, headers=basic(name, secret))
        for name, secret in (
            ("web", "w" * 43),
            ("nobody", "w" * 43),
            ("theirs", "g" * 43),
            ("asks", "acme-asks-secret-0123456789-0123456789"),
            ("spa", "x"),
            ("web", "globex-web-secret-0123456789-0123456789"),
        )
    ]
    for answer in answers:
        refused(answer, "invalid_client", 401)
        assert answer.get_data() == answers[0].get_data()
        names = {name: value for name, value in answer.headers.items() if name != "X-Request-Id"}
        assert names == {name: value for name, value in answers[0].headers.items() if name != "X-Request-Id"}
        assert answer.headers["WWW-Authenticate"].startswith("Basic ")


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_ca02_a_secret_in_the_address_is_never_read(app: Any, acme: Tenant, endpoint: str) -> None:
    secret = "acme-asks-secret-0123456789-0123456789"
    answer = app.test_client().post(
        f"/t/acme/{endpoint}?client_id=asks&client_secret={secret}",
        data={"grant_type": "refresh_token", "token": "x", "refresh_token": "x"},
    )
    refused(answer, "invalid_request")


@pytest.mark.parametrize("endpoint", ENDPOINTS)
@pytest.mark.parametrize(
    "wrong", ["post for basic", "basic for post", "none for basic", "secret for public", "jwt for basic"]
)
def test_ca04_the_method_is_the_registered_one_everywhere(
    app: Any, acme: Tenant, endpoint: str, wrong: str
) -> None:
    web, asks = (f"acme-{name}-secret-0123456789-0123456789" for name in ("web", "asks"))
    form = {"grant_type": "refresh_token", "token": "x", "refresh_token": "x"}
    headers: dict[str, str] = {}
    if wrong == "post for basic":
        form |= {"client_id": "web", "client_secret": web}
    elif wrong == "basic for post":
        headers = basic("asks", asks)
    elif wrong == "none for basic":
        form["client_id"] = "web"
    elif wrong == "secret for public":
        form |= {"client_id": "spa", "client_secret": "x"}
    else:
        form |= {"client_assertion_type": TYPE, "client_assertion": assertion(acme, iss="web", sub="web")}
    refused(app.test_client().post(f"/t/acme/{endpoint}", data=form, headers=headers), "invalid_client", 401)


def test_ca04_a_setting_lets_one_client_choose_where_its_secret_stands(app: Any, acme: Tenant) -> None:
    change(acme, "web", client_secret_any=True)
    secret = "acme-web-secret-0123456789-0123456789"
    form = {"token": "x", "client_id": "web", "client_secret": secret}
    assert app.test_client().post("/t/acme/introspect", data=form).status_code == 200
    assert (
        app.test_client()
        .post("/t/acme/introspect", data={"token": "x"}, headers=basic("web", secret))
        .status_code
        == 200
    )
    refused(
        app.test_client().post("/t/acme/revoke", data={"token": "x", "client_id": "web"}),
        "invalid_client",
        401,
    )


@pytest.mark.parametrize(
    "header",
    [
        "Basic",
        "Basic ",
        "Basic !!!@@@YTpi",
        "Basic /zp4",
        "Basic Og==",
        "Basic YTpi\u00e9",
        "Basic YQ==",
        "Basic YTpi YTpi",
        "Basic ===",
        "Basic OnNlY3JldA==",
        "Basic " + "A" * 9000,
        "Basic JSV6Om0=",
    ],
)
def test_ca05_a_header_that_cannot_be_read_is_401(app: Any, acme: Tenant, header: str) -> None:
    answer = app.test_client().post(
        "/t/acme/token", data={"grant_type": "client_credentials"}, headers={"Authorization": header}
    )
    assert answer.status_code in {401, 431}, answer.get_data(as_text=True)
    if answer.status_code == 401:
        refused(answer, "invalid_client", 401)


def test_ca07_secrets_are_kept_as_digests_and_two_work_while_one_is_replaced(
    app: Any, acme: Tenant, database: Any, frozen: Any
) -> None:
    old = "acme-web-secret-0123456789-0123456789"
    with frozen() as clock:
        with entered(acme):
            new = clients.rotate_secret("web").client_secret
        assert new and len(new) == 43
        for secret in (old, new):
            assert (
                app.test_client()
                .post("/t/acme/introspect", data={"token": "x"}, headers=basic("web", secret))
                .status_code
                == 200
            )
        clock.tick(timedelta(days=1, seconds=1))
        refused(
            app.test_client().post("/t/acme/introspect", data={"token": "x"}, headers=basic("web", old)),
            "invalid_client",
            401,
        )
        assert (
            app.test_client()
            .post("/t/acme/introspect", data={"token": "x"}, headers=basic("web", new))
            .status_code
            == 200
        )
    for table in database.tables():
        for secret in (old, new):
            assert (
                database(f"SELECT count(*) FROM {table} t WHERE t::text LIKE %s", f"%{secret}%")[0][0] == 0
            ), table


def test_ca13_client_secret_jwt_is_not_offered(app: Any, acme: Tenant) -> None:
    document = app.test_client().get("/t/acme/.well-known/openid-configuration").get_json()
    assert set(document["token_endpoint_auth_methods_supported"]) == {
        "client_secret_basic",
        "client_secret_post",
        "private_key_jwt",
        "none",
    }
    with pytest.raises(InvalidClientMetadata):
        client(acme, "hmac", token_endpoint_auth_method="client_secret_jwt")
    secret = "acme-web-secret-0123456789-0123456789"
    refused(present(app, acme, assertion(acme, secret, "HS256", iss="web", sub="web")), "invalid_client", 401)


def test_ca15_a_client_that_is_off_gets_nothing_at_once(app: Any, acme: Tenant) -> None:
    rp, other = relying_party(app, acme), relying_party(app, acme, "nightly")
    tokens, code = rp.sign_in(), rp.authorize().login("alice").code
    service = other.post("token", {"grant_type": "client_credentials"}).get_json()["access_token"]
    for client_id in ("web", "nightly"):
        change(acme, client_id, status="suspended")
    for form in (
        {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]},
        {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": rp.redirect_uri,
            "code_verifier": rp.verifier,
        },
    ):
        refused(rp.post("token", form), "invalid_client", 401)
    refused(rp.post("introspect", {"token": tokens["access_token"]}), "invalid_client", 401)
    refused(other.post("token", {"grant_type": "client_credentials"}), "invalid_client", 401)
    assert rp.userinfo(tokens["access_token"]).status_code == 401
    assert rp.authorize().answer.status_code == 400
    change(acme, "nightly", status="active")
    assert other.introspect(service)["active"] is True and other.introspect(tokens["access_token"]) == {
        "active": False
    }


def test_ca17_guessing_a_secret_meets_a_limit_for_that_client_and_address_alone(
    app: Any, acme: Tenant
) -> None:
    few = policy(acme, client_failures=5)

    def guess(address: str, client_id: str = "web") -> Any:
        return app.test_client().post(
            f"/t/{few.slug}/token",
            data={"grant_type": "client_credentials"},
            headers=basic(client_id, "x"),
            environ_overrides={"REMOTE_ADDR": address},
        )

    assert [guess("192.0.2.1").status_code for _ in range(7)] == [401] * 5 + [429] * 2
    assert int(guess("192.0.2.1").headers["Retry-After"]) >= 1
    assert guess("192.0.2.2").status_code == 401 and guess("192.0.2.1", "nightly").status_code == 401
    rp: RelyingParty = relying_party(app, few)
    assert (
        rp.post("introspect", {"token": "x"}, environ_overrides={"REMOTE_ADDR": "192.0.2.2"}).status_code
        == 200
    )


def test_ca17_unknown_clients_are_counted_alike(app: Any, acme: Tenant) -> None:
    few = policy(acme, client_failures=3)
    statuses = [
        app.test_client()
        .post(f"/t/{few.slug}/revoke", data={"token": "x"}, headers=basic("nobody", "x"))
        .status_code
        for _ in range(5)
    ]
    assert statuses == [401] * 3 + [429] * 2


def test_ca18_an_expired_secret_is_none(app: Any, acme: Tenant, frozen: Any) -> None:
    from idp import clock as ours

    with frozen() as clock:
        with entered(acme):
            clients.create(
                "brief",
                {"redirect_uris": [], "grant_types": ["client_credentials"], "scope": "things"},
                client_secret="b" * 43,
                expires_at=ours.now() + timedelta(hours=1),
            )
        form = {"grant_type": "client_credentials"}
        assert (
            app.test_client().post("/t/acme/token", data=form, headers=basic("brief", "b" * 43)).status_code
            == 200
        )
        clock.tick(timedelta(hours=1, seconds=1))
        refused(
            app.test_client().post("/t/acme/token", data=form, headers=basic("brief", "b" * 43)),
            "invalid_client",
            401,
        )
