"""Nothing that a stranger writes leads anywhere, runs, or is drawn as more than text."""

from typing import Any

import pytest

from idp import directory
from idp.control import clients, tenants
from idp.errors import Invalid, Refusal
from idp.tenants import Branding, Tenant, entered
from tests.attacks.acting import ask, change, client
from tests.playing import query, relying_party

WAYS = [
    "//evil.test",
    "/\\evil.test",
    "https:evil.test",
    "/%09/evil.test",
    "javascript:alert(1)",
    "%2f%2fevil.test",
    "https://evil.test",
]
HTML = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>{{7*7}}{% print 1 %}"


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "name", ["next", "return_to", "redirect", "continue", "url", "post_logout_redirect_uri", "redirect_uri"]
)
def test_ox01_no_parameter_leads_away(app: Any, acme: Tenant, way: str, name: str) -> None:
    http = app.test_client()
    visit = relying_party(app, acme).authorize()
    for path in (
        "/t/acme/",
        "/",
        "/t/acme/logout",
        "/t/acme/logout/done",
        "/t/acme/interaction/login",
        "/t/acme/interaction/consent",
    ):
        answer = http.get(path, query_string={name: way})
        assert "evil" not in answer.headers.get("Location", "") and "javascript" not in answer.headers.get(
            "Location", ""
        )
        assert 'href="javascript' not in answer.get_data(as_text=True)
    visit.page += f"&{name}=x"
    visit.submit(username="alice", password="correct horse battery staple", action="login", **{name: way})
    assert visit.location.startswith("http://localhost:8001/callback?code=")


@pytest.mark.parametrize(
    "uri", ["javascript:alert(1)", "data:text/html,x", "vbscript:x", "//evil.test", "https://evil.test\n"]
)
def test_ox02_no_address_in_a_configuration_runs(acme: Tenant, uri: str) -> None:
    for field in (
        "redirect_uris",
        "post_logout_redirect_uris",
        "policy_uri",
        "tos_uri",
        "logo_uri",
        "client_uri",
    ):
        with pytest.raises(Refusal):
            client(acme, "bad", **{field: [uri] if field.endswith("uris") else uri})
    with pytest.raises(Invalid):
        tenants.update("acme", {"branding": {"logo_uri": uri}})


@pytest.mark.parametrize(
    "name",
    [
        "error_description",
        "error_hint",
        "error",
        "login_hint",
        "ui_locales",
        "state",
        "client_id",
        "tx",
        "display",
        "scope",
        "nonce",
        "request_uri",
        "id_token_hint",
    ],
)
def test_ox03_what_comes_in_is_text(app: Any, acme: Tenant, name: str) -> None:
    answers = [
        relying_party(app, acme).authorize(**{name: HTML}).answer,
        app.test_client().get("/t/acme/authorize", query_string={name: HTML}),
    ]
    answers += [
        app.test_client().get(f"/t/acme/{path}", query_string={name: HTML})
        for path in ("logout", "interaction/login", "")
    ]
    for answer in answers:
        text = answer.get_data(as_text=True)
        assert answer.status_code < 500 and "<script>alert" not in text and "<img src=x" not in text


def test_ox03_the_login_hint_is_shown_as_it_is(app: Any, acme: Tenant) -> None:
    html = relying_party(app, acme).authorize(login_hint=HTML).html
    assert "{{7*7}}" in html and "&lt;script&gt;" in html


@pytest.mark.parametrize(
    "value",
    [
        "</style><script>alert(1)</script>",
        "red",
        "#fff",
        "@import 'x'",
        "url(https://evil.test)",
        "#0b5fff;}",
        "expression(alert(1))",
        "#0b5fff }input[value^=a]{background:url(//evil.test)}",
        "var(--x)",
        "",
        1,
        "#GGGGGG",
    ],
)
def test_ox04_a_colour_is_a_colour(acme: Tenant, value: object) -> None:
    with pytest.raises(Invalid):
        Branding.parse({"primary_color": value})
    with pytest.raises(Invalid):
        tenants.update("acme", {"branding": {"primary_color": value}})


@pytest.mark.parametrize(
    "branding",
    [
        {"font": "Comic Sans"},
        {"font": "x;}"},
        {"radius": 25},
        {"radius": -1},
        {"radius": "8px"},
        {"css": "x"},
        {"appearance": "x"},
        {"logo_uri": "http://a.example/x.png"},
    ],
)
def test_ox04_ox05_there_are_only_design_tokens(branding: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        Branding.parse(branding)


def test_ox05_a_logo_is_loaded_from_its_one_origin_and_nothing_else_is(app: Any, acme: Tenant) -> None:
    change(acme, "asks", logo_uri="https://cdn.example.com/logo.svg")
    visit = relying_party(app, acme, "asks").authorize()
    policy = visit.answer.headers["Content-Security-Policy"]
    images = next(part for part in policy.split(";") if part.strip().startswith("img-src"))
    assert "https://cdn.example.com" in images and "*" not in images and "data:" not in policy
    assert "<object" not in visit.html and "<svg onload" not in visit.html


def test_ox06_names_of_tenants_and_clients_are_never_templates(app: Any, acme: Tenant) -> None:
    tenants.update("acme", {"name": "A {{7*7}} {% print(config) %} <b>x</b>"})
    with entered(acme):
        clients.update("asks", {"client_name": "C {{7*7}} <b>y</b>"})
    directory.forget_all()
    visit = relying_party(app, acme, "asks").authorize()
    assert "{{7*7}}" in visit.html and "<b>x</b>" not in visit.html and "<b>y</b>" not in visit.html
    page = visit.login("alice").html
    assert "{{7*7}}" in page and "<b>y</b>" not in page


def test_errors_in_a_redirect_hold_only_what_is_registered(app: Any, acme: Tenant) -> None:
    for changes in (
        {"scope": HTML},
        {"prompt": HTML},
        {"response_type": HTML},
        {"response_mode": HTML},
        {"max_age": HTML},
        {"claims": HTML},
        {"code_challenge_method": HTML},
        {"resource": HTML},
        {"state": HTML, "prompt": "none"},
    ):
        params = query(ask(app, acme, **changes).headers["Location"])
        assert set(params) <= {"error", "error_description", "state", "iss"}
        assert all(c.isascii() and c.isprintable() and c not in '"\\' for c in params["error_description"][0])
        assert "script" not in params["error_description"][0]
