"""CORS, headers and caches: which answers browsers may read, keep or frame."""

import base64
from typing import Any

import pytest

from idp.tenants import Tenant

SPA = "http://localhost:8003"
BASIC = "Basic " + base64.b64encode(b"web:wrong").decode()
CLIENTS = ("/t/acme/token", "/t/acme/revoke", "/t/acme/userinfo")
FORM = "application/x-www-form-urlencoded"


def _cors(answer: Any) -> dict[str, str]:
    return {
        name: value for name, value in answer.headers.items() if name.lower().startswith("access-control")
    }


@pytest.mark.parametrize("path", CLIENTS)
@pytest.mark.parametrize(
    "origin", ["https://evil.test", "null", "http://localhost:8003.evil.test", "http://localhost", ""]
)
def test_cr01_a_foreign_origin_is_told_nothing(http: Any, acme: Tenant, path: str, origin: str) -> None:
    for answer in (
        http.post(path, data="token=x", content_type=FORM, headers={"Origin": origin}),
        http.options(path, headers={"Origin": origin, "Access-Control-Request-Method": "POST"}),
    ):
        assert _cors(answer) == {}
        assert "Origin" in answer.headers.get("Vary", "")


@pytest.mark.parametrize("path", CLIENTS)
def test_cr01_a_clients_origin_may_read_but_never_with_credentials(
    http: Any, acme: Tenant, path: str
) -> None:
    answer = http.post(path, data="token=x", content_type=FORM, headers={"Origin": SPA})
    assert answer.status_code < 500
    found = _cors(answer)
    assert found["Access-Control-Allow-Origin"] == SPA
    assert "Access-Control-Allow-Credentials" not in found
    assert "WWW-Authenticate" in found["Access-Control-Expose-Headers"]
    preflight = http.options(
        path,
        headers={
            "Origin": SPA,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization,dpop",
        },
    )
    assert preflight.status_code == 204
    assert preflight.headers["Access-Control-Allow-Origin"] == SPA
    assert "DPoP" in preflight.headers["Access-Control-Allow-Headers"]
    assert "POST" in preflight.headers["Access-Control-Allow-Methods"]


def test_cr02_authorize_has_no_cors_and_public_documents_have_all_of_it(http: Any, acme: Tenant) -> None:
    for path in ("/t/acme/authorize", "/t/acme/logout", "/t/acme/introspect", "/t/acme/"):
        for answer in (http.options(path, headers={"Origin": SPA}), http.get(path, headers={"Origin": SPA})):
            assert _cors(answer) == {}
    for path in ("/t/acme/jwks.json", "/t/acme/.well-known/openid-configuration"):
        for _ in range(2):
            found = _cors(http.get(path, headers={"Origin": "https://anyone.test"}))
            assert found == {"Access-Control-Allow-Origin": "*"}


def test_cr04_headers_of_token_like_answers(http: Any, acme: Tenant) -> None:
    answer = http.post(
        "/t/acme/token",
        data="grant_type=client_credentials",
        content_type=FORM,
        headers={"Authorization": BASIC},
    )
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Basic ")
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Type"] == "application/json"
    assert "Set-Cookie" not in answer.headers
    bearer = http.get("/t/acme/userinfo", headers={"Authorization": "Bearer nonsense"})
    assert bearer.status_code == 401 and bearer.headers["WWW-Authenticate"].startswith("Bearer ")


def test_cr04_hsts_exactly_on_https(vault: Any, http: Any, acme: Tenant) -> None:
    from idp import config
    from idp.app import create_app

    assert "Strict-Transport-Security" not in http.get("/livez").headers
    secure = create_app(vault.with_(base_url="https://id.example.com")).test_client()
    try:
        assert "max-age" in secure.get("/livez").headers["Strict-Transport-Security"]
    finally:
        config.use(vault)


def test_br01_br14_br15_pages_are_not_framed_not_stored_and_leak_no_address(http: Any, acme: Tenant) -> None:
    for path in ("/t/acme/authorize", "/t/acme/", "/t/nobody/", "/", "/t/acme/logout/done"):
        answer = http.get(path)
        assert answer.mimetype == "text/html"
        assert answer.headers["X-Frame-Options"] == "DENY"
        assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Referrer-Policy"] == "no-referrer"


def test_cr06_jwks_may_be_kept_and_is_compared_by_its_tag(http: Any, acme: Tenant) -> None:
    for _ in range(2):
        answer = http.get("/t/acme/jwks.json")
        assert "max-age=300" in answer.headers["Cache-Control"]
        assert "stale-while-revalidate=60" in answer.headers["Cache-Control"]
        assert (
            "stale-if-error=300" in answer.headers["Cache-Control"]
        )  # a revoked key is not to live on for a day
        assert "Set-Cookie" not in answer.headers
        tag = answer.headers["ETag"]
        unchanged = http.get("/t/acme/jwks.json", headers={"If-None-Match": f'"other", {tag}'})
        assert unchanged.status_code == 304 and unchanged.data == b""
        assert http.get("/t/acme/jwks.json", headers={"If-None-Match": '"other"'}).status_code == 200
        assert http.head("/t/acme/jwks.json").data == b""


def test_cr06_what_is_kept_goes_when_the_tenant_changes(http: Any, acme: Tenant) -> None:
    from idp import directory

    path = "/t/acme/jwks.json"
    http.get(path)
    fast = http.application.wsgi_app
    assert ("localhost", path) in fast._entries
    directory.forget(acme.id)
    assert ("localhost", path) not in fast._entries
    assert http.get(path).status_code == 200


def test_cr06_old_bytes_go_on_while_their_source_is_away(
    http: Any, acme: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Faults F05 and F21: documents are served while Postgres is away, however old they are."""
    from idp.errors import Busy
    from idp.signing import jwks

    path = "/t/acme/jwks.json"
    first = http.get(path)
    fast = http.application.wsgi_app
    fast._entries["localhost", path].until = 0.0

    def away() -> None:
        raise Busy()

    monkeypatch.setattr(jwks, "document", away)
    again = http.get(path)
    assert (again.status_code, again.data) == (200, first.data)
