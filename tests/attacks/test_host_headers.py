"""Host and forwarded headers: nothing is built from them, and only configured names lead anywhere."""

from collections.abc import Iterator
from typing import Any

import pytest
from flask import Response

from idp import config, directory
from idp.app import create_app
from idp.config import Settings
from idp.tenants import Tenant
from idp.web import asked, wellknown
from idp.web.environ import Doorstep
from idp.web.gates import Door, Gate

EVIL = "http://evil.test"


@pytest.fixture
def behind_proxy(vault: Settings) -> Iterator[Any]:
    """An application that trusts proxies in 10.0.0.0/8 and echoes whom it sees."""
    door = Door("echo", __name__, gate=Gate.TENANT)

    @door.route("/echo", credentials=())
    def echo() -> Response:
        return Response(asked.address(), mimetype="text/plain")

    app = create_app(vault.with_(trusted_proxies=("10.0.0.0/8",)), doors=(door,))
    yield app.test_client()
    config.use(vault)


def _own_host(database: Any, tenant: Tenant, host: str) -> None:
    database(
        "UPDATE tenants SET primary_host = %s, version = version + 1 WHERE id = %s", host, str(tenant.id)
    )
    database(
        "INSERT INTO hosts (tenant_id, id, host, status, challenge, created_at)"
        " VALUES (%s, %s, %s, 'proved', 'x', now())",
        str(tenant.id),
        str(tenant.id),
        host,
    )
    directory.forget_all()


def test_hh01_an_unknown_host_is_nowhere_whatever_the_path(http: Any, acme: Tenant) -> None:
    known = http.get("/t/acme/jwks.json")
    assert known.status_code == 200
    answers = [
        http.get(path, base_url=EVIL)
        for path in ("/", "/t/acme/jwks.json", "/t/acme/authorize", "/t/nobody/jwks.json", "/static/idp.css")
    ]
    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.data for answer in answers}) == 1
    assert b"evil" not in answers[0].data


@pytest.mark.parametrize(
    "host", ["", "localhost:81", "localhost.", "localhost@evil.test", "[::1]", "localhost,evil"]
)
def test_hh01_only_the_exact_base_host_is_ours(http: Any, acme: Tenant, host: str) -> None:
    answer = http.get("/t/acme/jwks.json", headers={"Host": host})
    assert answer.status_code in (400, 404)


def test_hh01_case_and_the_schemes_own_port_do_not_make_another_host(http: Any, acme: Tenant) -> None:
    for host in ("LOCALHOST", "localhost:80"):
        assert http.get("/t/acme/.well-known/openid-configuration", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "header",
    [
        "X-Forwarded-Host",
        "X-Forwarded-Proto",
        "X-Forwarded-Port",
        "X-Forwarded-Prefix",
        "X-Original-URL",
        "X-Rewrite-URL",
    ],
)
def test_hh02_forwarded_headers_of_a_stranger_change_nothing(http: Any, acme: Tenant, header: str) -> None:
    path = "/t/acme/.well-known/openid-configuration"
    plain = http.get(path)
    forged = http.get(
        path, headers={header: "evil.test", "Forwarded": "host=evil.test;proto=https;for=1.2.3.4"}
    )
    assert forged.data == plain.data and b"evil" not in forged.data


def test_hh02_the_clients_address_is_taken_from_a_trusted_proxy_alone(
    behind_proxy: Any, acme: Tenant
) -> None:
    def seen(peer: str, forwarded: str) -> str:
        answer = behind_proxy.get(
            "/t/acme/echo", headers={"X-Forwarded-For": forwarded}, environ_base={"REMOTE_ADDR": peer}
        )
        return str(answer.get_data(as_text=True))

    assert seen("192.0.2.1", "198.51.100.7") == "192.0.2.1"
    assert seen("10.0.0.2", "198.51.100.7") == "198.51.100.7"
    assert seen("10.0.0.2", "203.0.113.9, 198.51.100.7, 10.0.0.3") == "198.51.100.7"
    assert seen("10.0.0.2", "nonsense") == "10.0.0.2"
    assert seen("10.0.0.2", "198.51.100.7, ' OR 1=1") == "10.0.0.2"


def test_hh02_a_forwarded_host_counts_from_a_trusted_proxy_alone(behind_proxy: Any, acme: Tenant) -> None:
    def status(peer: str, host: str, forwarded: str) -> int:
        answer = behind_proxy.get(
            "/t/acme/echo",
            headers={"Host": host, "X-Forwarded-Host": forwarded},
            environ_base={"REMOTE_ADDR": peer},
        )
        return int(answer.status_code)

    assert status("10.0.0.2", "web:8000", "localhost") == 200
    assert status("192.0.2.1", "web:8000", "localhost") == 404
    assert status("10.0.0.2", "localhost", "evil.test") == 404


def test_hh04_documents_are_the_same_by_every_host_and_header(http: Any, acme: Tenant) -> None:
    for path in ("/t/acme/jwks.json", "/t/acme/.well-known/openid-configuration"):
        first = http.get(path)
        again = http.get(path, headers={"X-Forwarded-Host": "evil.test", "Host": "localhost:80"})
        assert first.data == again.data
        assert http.get(path, base_url=EVIL).status_code == 404
        assert http.get(path).data == first.data


def test_hh04_an_unknown_tenant_is_the_same_bytes_as_a_suspended_one(
    http: Any, database: Any, globex: Tenant
) -> None:
    unknown = http.get("/t/nobody/jwks.json")
    database("UPDATE tenants SET status = 'suspended', version = version + 1 WHERE slug = 'globex'")
    directory.forget_all()
    suspended = http.get("/t/globex/jwks.json")
    assert (unknown.status_code, unknown.data) == (suspended.status_code, suspended.data)
    assert unknown.status_code == 404


def test_hh06_headers_open_no_door(http: Any, acme: Tenant) -> None:
    before = http.get("/t/acme/userinfo")
    for headers in (
        {"User-Agent": "kube-probe/1.30"},
        {"User-Agent": "GoogleHC/1.0"},
        {"X-Forwarded-Uri": "/livez"},
        {"X_Forwarded_User": "alice"},
        {"X-Http-Method-Override": "POST"},
    ):
        assert http.get("/t/acme/userinfo", headers=headers).status_code == before.status_code


@pytest.mark.parametrize(
    "path",
    [
        "//t/acme/jwks.json",
        "/t//acme/jwks.json",
        "/t/acme//jwks.json",
        "/t/acme/jwks.json/",
        "/t/acme/jwks.json;x",
        "/t/acme/..%2fglobex/jwks.json",
        "/t/globex/../acme/jwks.json",
        "/t/acme%2fjwks.json%00",
        "/t/ACME/jwks.json",
        "/t/acme /jwks.json",
        "/T/acme/jwks.json",
        "/t/аcme/jwks.json",
    ],
)
def test_hh07_another_spelling_of_a_path_is_nowhere(http: Any, acme: Tenant, path: str) -> None:
    assert http.get(path).status_code == 404


def test_hh07_an_encoded_letter_is_the_letter(http: Any, acme: Tenant) -> None:
    assert http.get("/t/%61cme/jwks.json").data == http.get("/t/acme/jwks.json").data


def test_hh08_a_message_whose_end_is_unsure_is_refused(http: Any, acme: Tenant) -> None:
    for head in (
        {"HTTP_TRANSFER_ENCODING": "chunked"},
        {"HTTP_TRANSFER_ENCODING": "x"},
        {"CONTENT_LENGTH": "+3"},
    ):
        answer = http.post("/t/acme/token", environ_overrides=head, data=b"a=1")
        assert answer.status_code == 400
        assert answer.json["error"] == "invalid_request"


def test_a_tenant_has_one_address(http: Any, database: Any, acme: Tenant) -> None:
    """Rulings, Issuers: by another address protocol endpoints are nowhere and pages move to the issuer."""
    _own_host(database, acme, "id.acme.example")
    issuer = "https://id.acme.example"
    own = http.get("/.well-known/openid-configuration", base_url="http://id.acme.example")
    assert own.status_code == 200 and own.json["issuer"] == issuer
    assert http.get("/t/acme/.well-known/openid-configuration").status_code == 404
    moved = http.get("/t/acme/?a=%0d%0ab")
    assert moved.status_code == 307
    assert moved.headers["Location"] == f"{issuer}/?a=%0d%0ab"
    assert http.post("/t/acme/token", data={"grant_type": "x"}).status_code == 404
    assert http.get("/t/globex/jwks.json", base_url="http://id.acme.example").status_code == 404


def test_both_spellings_of_rfc8414_and_no_cookie_anywhere(http: Any, acme: Tenant) -> None:
    """RFC 8414 §3.1 inserts the well-known part before the path, OpenID Connect Discovery appends it."""
    paths = (
        "/t/acme/.well-known/openid-configuration",
        "/.well-known/openid-configuration/t/acme",
        "/t/acme/.well-known/oauth-authorization-server",
        "/.well-known/oauth-authorization-server/t/acme",
    )
    answers = [http.get(path) for path in paths]
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.data for answer in answers}) == 1
    assert not any("Set-Cookie" in answer.headers for answer in answers)
    assert wellknown.MAX_AGE == 300


def test_au03_the_environment_of_the_process_reaches_no_request(vault: Settings) -> None:
    """The server copies the process environment into each request; only what came with it stays."""
    seen: dict[str, Any] = {}

    def inner(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        seen.update(environ)
        start_response("200 OK", [])
        return []

    given = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": "/",
        "HTTP_HOST": "localhost",
        "HTTP_X_FORWARDED_FOR": "1.2.3.4",
        "HTTP_PROXY": "http://evil.test",
        "HTTP_ACCEPT": "*/*",
        "REMOTE_ADDR": "192.0.2.1",
        "IDP_DATABASE_URL": "postgresql://canary",
        "PATH": "/bin",
        "wsgi.url_scheme": "https",
    }
    list(Doorstep(inner, vault)(given, lambda *_: None))
    assert {"IDP_DATABASE_URL", "PATH", "HTTP_X_FORWARDED_FOR", "HTTP_PROXY"}.isdisjoint(seen)
    assert seen["HTTP_ACCEPT"] == "*/*" and seen["wsgi.url_scheme"] == "http"


def test_an_address_that_is_none_is_no_trusted_proxy(vault: Settings) -> None:
    with pytest.raises(ValueError, match="does not appear"):
        Doorstep(lambda _environ, _start: [], vault.with_(trusted_proxies=("everybody",)))
