"""HTTP, JSON and Unicode parsing: what parsers disagree about reaches no room."""

import base64
import gzip
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from idp.tenants import Tenant
from idp.web import parse

FORM = "application/x-www-form-urlencoded"
FORMS = ("/t/acme/token", "/t/acme/introspect", "/t/acme/revoke")
BASIC = "Basic " + base64.b64encode(b"web:acme-web-secret-0123456789-0123456789").decode()


def _post(http: Any, path: str, body: bytes, **more: Any) -> Any:
    headers = {"Authorization": BASIC, **more.pop("headers", {})}
    return http.post(path, data=body, content_type=more.pop("content_type", FORM), headers=headers, **more)


def _refused(answer: Any, *statuses: int) -> None:
    assert answer.status_code in (statuses or (400,)), answer.data
    assert answer.json["error"] == "invalid_request"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Request-Id"]


@pytest.mark.parametrize("path", FORMS)
@pytest.mark.parametrize("name", ["grant_type", "client_id", "token", "scope", "unknown", "resource_x"])
def test_pa01_a_repeated_parameter_is_refused_rfc6749_3_2(
    http: Any, acme: Tenant, path: str, name: str
) -> None:
    _refused(_post(http, path, f"{name}=a&{name}=a".encode()))


def test_pa01_a_repeated_parameter_at_authorize_is_a_page(http: Any, acme: Tenant) -> None:
    answer = http.get("/t/acme/authorize?client_id=web&client_id=web&response_type=code")
    assert answer.status_code == 400 and answer.mimetype == "text/html"
    assert "Location" not in answer.headers


def test_pa02_a_name_in_query_and_body_is_refused(http: Any, acme: Tenant) -> None:
    answer = _post(http, "/t/acme/authorize?client_id=web", b"client_id=web&response_type=code")
    assert answer.status_code == 400 and "Location" not in answer.headers
    for path in FORMS:
        _refused(_post(http, f"{path}?grant_type=client_credentials", b"token=x"))


@pytest.mark.parametrize("path", FORMS)
@pytest.mark.parametrize(
    "value", [b"%00", b"a%00b", b"\x00", b"%ff", b"\xff", b"%ed%a0%80", b"%c0%af", b"%", b"%u0041"]
)
def test_pa03_what_is_no_text_is_refused(http: Any, acme: Tenant, path: str, value: bytes) -> None:
    _refused(_post(http, path, b"grant_type=client_credentials&token=" + value))
    _refused(_post(http, path, value + b"=x&token=y"))


def test_pa03_no_text_at_authorize_is_a_page(http: Any, acme: Tenant) -> None:
    for query in ("state=%00", "client_id=%ff", "%00=x", "nonce=%ed%b0%80"):
        answer = http.get(f"/t/acme/authorize?{query}")
        assert answer.status_code == 400 and answer.mimetype == "text/html"


def test_pa06_json_that_parsers_disagree_about(http: Any, acme: Tenant) -> None:
    for claims in ("NaN", '{"userinfo":{"a":NaN}}', '{"a":1e999}', '{"a":1,"a":2}', '{"userinfo":' * 40):
        with pytest.raises(parse.InvalidRequest):
            parse.json_value(claims)


def test_pa07_deep_json_is_refused_before_it_recurses() -> None:
    for text in ("[" * 30_000, '{"a":' * 10_000, "[" * 100_000):
        with pytest.raises(Exception) as caught:
            parse.json_value(text)
        assert caught.value.status in (400, 413)  # type: ignore[attr-defined]


def test_pa08_bounds_of_a_request(http: Any, acme: Tenant) -> None:
    _refused(_post(http, "/t/acme/token", b"a=" + b"x" * 70_000), 413)
    _refused(_post(http, "/t/acme/token", b"&".join(b"a%d=x" % n for n in range(65))))
    assert http.get("/t/acme/authorize?state=" + "x" * 9_000).status_code == 414
    assert http.get("/livez", headers={"X-Large": "x" * 17_000}).status_code == 431


@pytest.mark.parametrize("path", FORMS)
@pytest.mark.parametrize(
    "kind",
    [
        "application/json",
        "multipart/form-data; boundary=x",
        "text/plain",
        "",
        f"{FORM}; charset=utf-16",
        f"{FORM}x",
    ],
)
def test_pa09_only_a_form_is_read_at_token_like_endpoints(
    http: Any, acme: Tenant, path: str, kind: str
) -> None:
    _refused(_post(http, path, b"grant_type=client_credentials", content_type=kind), 415)


@pytest.mark.parametrize("path", FORMS)
def test_pa10_other_methods_are_refused_and_named(http: Any, acme: Tenant, path: str) -> None:
    for method in ("GET", "HEAD", "PUT", "PATCH", "DELETE", "TRACE"):
        answer = http.open(path, method=method)
        assert answer.status_code == 405
        assert "POST" in answer.headers["Allow"] and method not in answer.headers["Allow"]


@pytest.mark.parametrize("slug", ["%00", "acme%00", "1e3", "٣", "acme%0a", "a" * 64, "-acme", "acme-", "%ff"])
def test_pa17_a_name_in_the_path_that_cannot_be_one_is_nowhere(http: Any, acme: Tenant, slug: str) -> None:
    assert http.get(f"/t/{slug}/jwks.json").status_code == 404


def test_pa19_a_compressed_body_is_refused(http: Any, acme: Tenant) -> None:
    bomb = gzip.compress(b"a" * 5_000_000)
    for coding in ("gzip", "deflate", "br", "identity"):
        answer = _post(http, "/t/acme/token", bomb[:4000], headers={"Content-Encoding": coding})
        assert answer.status_code == 415


@pytest.mark.parametrize(
    "header", ["Basic", "Basic ====", "Basic é", "Basic " + "A" * 9000, "Bearer", "x", "Basic YQ=="]
)
def test_a_broken_authorization_header_is_401_and_no_5xx(http: Any, acme: Tenant, header: str) -> None:
    for path in (*FORMS, "/t/acme/userinfo"):
        body = b"grant_type=client_credentials&token=x"
        answer = http.post(path, data=body, content_type=FORM, headers={"Authorization": header})
        assert 400 <= answer.status_code < 500


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(path=st.sampled_from((*FORMS, "/t/acme/authorize", "/t/acme/userinfo")), body=st.binary(max_size=300))
def test_any_bytes_get_an_answer_below_500(http: Any, acme: Tenant, path: str, body: bytes) -> None:
    for content_type in (FORM, "application/json"):
        answer = http.post(path, data=body, content_type=content_type)
        assert 300 <= answer.status_code < 500
    assert b"Traceback" not in answer.data


@pytest.mark.parametrize(
    ("path", "status", "error"),
    [
        ("token", 400, "invalid_request"),
        ("introspect", 401, "invalid_client"),
        ("revoke", 401, "invalid_client"),
    ],
)
def test_pa09_no_body_at_all_is_a_form_without_parameters(
    http: Any, acme: Tenant, path: str, status: int, error: str
) -> None:
    answer = http.post(f"/t/acme/{path}")
    assert (answer.status_code, answer.get_json()["error"]) == (status, error)
    assert http.post(f"/t/acme/{path}", data=b"a=b").status_code == 415
    assert http.post(f"/t/acme/{path}", content_type="application/json").status_code == 415
