"""The matrix of tenants: whatever belongs to A is, at B's address, as if it did not exist."""

import base64
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import pytest

from idp import directory
from idp.control import tenants
from idp.tenants import Tenant
from idp.web import routes
from tests.attacks.acting import client
from tests.attacks.assertions import EC, TYPE, assertion, public
from tests.playing import inputs, relying_party

_MASK = re.compile(
    rb'nonce="[^"]+"|id="request-id"[^>]*>[^<]+|name="(?:csrf|page)" value="[^"]+"'
    rb"|href=\"[^\"]*ui_locales=[^\"]*\"|tx=[\w-]+|[0-9a-f]{8}-[0-9a-f-]{27}|\b(?:only|never)\b"
)


@dataclass
class Loot:
    """Everything that can be held of acme, and of each a thing of the same shape that never was."""

    form: dict[str, str]
    headers: dict[str, str]
    cookies: dict[str, str]
    page: str


def answered(answer: Any) -> tuple[Any, ...]:
    """What can be compared of an answer."""
    headers = sorted(
        (name, _MASK.sub(b"", value.encode()).decode())
        for name, value in answer.headers.items()
        if name not in {"Date", "X-Request-Id", "Content-Length", "Set-Cookie", "Content-Security-Policy"}
    )
    return answer.status_code, headers, _MASK.sub(b"", answer.get_data())


@pytest.fixture
def loot(app: Any, acme: Tenant, globex: Tenant) -> tuple[dict[str, Loot], dict[str, Loot]]:
    """By the kind of credential: what is acme's, and its twin that is nobody's."""
    client(
        acme,
        "only",
        secret="o" * 43,
        grant_types=["authorization_code", "refresh_token", "client_credentials"],
        redirect_uris=["https://only.example.com/cb"],
        scope="openid offline_access things",
    )
    client(
        acme,
        "signer",
        token_endpoint_auth_method="private_key_jwt",
        grant_types=["client_credentials"],
        redirect_uris=[],
        scope="things",
        jwks={"keys": [public(EC, "e")]},
    )
    rp = relying_party(app, acme)
    visit = rp.authorize()
    page, csrf = visit.page, inputs(visit.html)["csrf"]
    browser = rp.browser()
    tokens = rp.exchange(rp.authorize(browser).login("alice").code)
    code = rp.authorize(browser).code
    session = browser.get_cookie("idp_acme_session").value
    binding = visit.browser.get_cookie("idp_acme_browser").value

    def shuffled(token: str) -> str:
        return token[:-6] + ("A" * 6 if token[-6:] != "A" * 6 else "B" * 6)

    def kinds(name: str, alter: Any) -> dict[str, Loot]:
        jwt = assertion(acme) if name == "signer" else assertion(acme, iss=name, sub=name)
        return {
            "cookie": Loot({}, {}, {"session": alter(session), "browser": alter(binding)}, alter(page)),
            "csrf": Loot(
                {"csrf": alter(csrf), "action": "confirm"}, {}, {"browser": alter(binding)}, alter(page)
            ),
            "password": Loot(
                {"csrf": alter(csrf), "username": "alice", "password": "correct horse battery staple"},
                {},
                {"browser": alter(binding)},
                alter(page),
            ),
            "client_id": Loot(
                {
                    "client_id": name,
                    "redirect_uri": "https://only.example.com/cb",
                    "response_type": "code",
                    "scope": "openid",
                },
                {},
                {},
                page,
            ),
            "client_secret": Loot(
                {
                    "client_id": name,
                    "client_secret": "o" * 43,
                    "grant_type": "client_credentials",
                    "token": "x",
                },
                {},
                {},
                page,
            ),
            "private_key_jwt": Loot(
                {
                    "client_assertion": jwt,
                    "client_assertion_type": TYPE,
                    "grant_type": "client_credentials",
                    "token": "x",
                },
                {},
                {},
                page,
            ),
            "access_token": Loot(
                {"token": alter(tokens["access_token"])},
                {"Authorization": "Bearer " + alter(tokens["access_token"])},
                {},
                page,
            ),
            "refresh_token": Loot(
                {
                    "grant_type": "refresh_token",
                    "refresh_token": alter(tokens["refresh_token"]),
                    "token": alter(tokens["refresh_token"]),
                },
                {},
                {},
                page,
            ),
            "code": Loot(
                {
                    "grant_type": "authorization_code",
                    "code": alter(code),
                    "redirect_uri": rp.redirect_uri,
                    "code_verifier": rp.verifier,
                },
                {},
                {},
                page,
            ),
            "id_token": Loot({"id_token_hint": alter(tokens["id_token"])}, {}, {}, page),
        }

    return kinds("only", str) | {"private_key_jwt": kinds("signer", str)["private_key_jwt"]}, kinds(
        "never", shuffled
    )


CREDENTIALS = (
    "cookie",
    "csrf",
    "password",
    "client_id",
    "client_secret",
    "private_key_jwt",
    "access_token",
    "refresh_token",
    "code",
    "id_token",
)


@pytest.mark.parametrize("kind", CREDENTIALS)
def test_tn01_whatever_is_acmes_is_nothing_at_globex(
    app: Any, globex: Tenant, loot: tuple[dict[str, Loot], dict[str, Loot]], kind: str
) -> None:
    real, never = (each[kind] for each in loot)
    secret = "globex-web-secret-0123456789-0123456789"
    tried = 0
    for route in routes.table(app):
        if not route.path.startswith("/t/{slug}"):
            continue
        for method in set(route.methods) & {"GET", "POST"}:
            answers = []
            for each in (real, never):
                browser = app.test_client()
                for name, value in each.cookies.items():
                    browser.set_cookie(f"idp_globex_{name}", value)
                path = route.path.replace("{slug}", "globex")
                query = each.page.partition("?")[2] if "interaction" in path else ""
                form = dict(each.form)
                headers = dict(each.headers)
                if (
                    method == "POST"
                    and kind in {"access_token", "refresh_token", "code"}
                    and "userinfo" not in path
                ):
                    headers["Authorization"] = "Basic " + base64.b64encode(f"web:{secret}".encode()).decode()
                if method == "GET":
                    query = "&".join(part for part in (query, urlencode(form)) if part)
                    answers.append(browser.get(path, query_string=query, headers=headers))
                else:
                    answers.append(browser.post(path, query_string=query, data=form, headers=headers))
            tried += 1
            assert answered(answers[0]) == answered(answers[1]), (method, route.path)
            assert answers[0].status_code < 500
            assert b"alice" not in answers[0].get_data() or kind == "password"
    assert tried >= 15


def test_tn01_the_same_things_work_at_acme(
    app: Any, acme: Tenant, loot: tuple[dict[str, Loot], dict[str, Loot]]
) -> None:
    """Without this the matrix could pass with loot that is good nowhere."""
    real, _ = loot
    http = app.test_client()
    rp = relying_party(app, acme)
    assert http.get("/t/acme/userinfo", headers=real["access_token"].headers).status_code == 200
    assert http.post("/t/acme/token", data=real["private_key_jwt"].form).status_code == 200
    pair = base64.b64encode(b"only:" + b"o" * 43).decode()
    form = {"grant_type": "client_credentials"}
    assert (
        http.post("/t/acme/token", data=form, headers={"Authorization": f"Basic {pair}"}).status_code == 200
    )
    assert rp.post("token", real["refresh_token"].form).status_code == 200
    assert rp.post("token", real["code"].form).status_code == 200
    http.set_cookie("idp_acme_session", real["cookie"].cookies["session"])
    assert 'id="logout-form"' in http.get("/t/acme/logout", query_string=real["id_token"].form).get_data(
        as_text=True
    )


@pytest.mark.parametrize("slug", ["nowhere", "ACME", "acme%00", "acme;x", "..", "acme.", "%61cme2", "a" * 64])
@pytest.mark.parametrize(
    "path", [".well-known/openid-configuration", "jwks.json", "authorize", "userinfo", "logout", ""]
)
def test_tn02_an_unknown_tenant_is_one_constant_page(app: Any, acme: Tenant, slug: str, path: str) -> None:
    http = app.test_client()
    answer, constant = http.get(f"/t/{slug}/{path}"), http.get("/t/nobody/authorize")
    assert answer.status_code == 404
    assert _MASK.sub(b"", answer.get_data()) == _MASK.sub(b"", constant.get_data())


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Tenant": "globex"},
        {"X-Tenant-Id": "globex"},
        {"X-Forwarded-Prefix": "/t/globex"},
        {"X-Original-URL": "/t/globex/authorize"},
        {"X-Rewrite-URL": "/t/globex/userinfo"},
    ],
)
def test_tn02_nothing_but_the_address_names_a_tenant(
    app: Any, acme: Tenant, globex: Tenant, headers: dict[str, str]
) -> None:
    rp = relying_party(app, acme)
    token = rp.sign_in()["access_token"]
    answer = app.test_client().get(
        "/t/acme/userinfo?tenant=globex&tenant_id=x", headers={**headers, "Authorization": f"Bearer {token}"}
    )
    assert answer.get_json()["name"] == "Alice Adams"
    form = {
        "grant_type": "client_credentials",
        "tenant": "globex",
        "tenant_id": str(globex.id),
        "iss": globex.issuer,
    }
    body = relying_party(app, acme, "nightly").post("token", form, headers=headers).get_json()
    claims = rp.verified(body["access_token"], "https://api.example.com")
    assert claims["tenant"] == "acme" and claims["tenant_id"] == str(acme.id) and claims["iss"] == acme.issuer


@pytest.mark.parametrize("end", ["suspended", "deleted"])
def test_tn05_a_tenant_that_is_off_is_not_there_and_its_twin_is(
    app: Any, acme: Tenant, globex: Tenant, end: str
) -> None:
    rp, twin = relying_party(app, acme), relying_party(app, globex)
    tokens, theirs = rp.sign_in(), twin.sign_in()
    (tenants.suspend if end == "suspended" else tenants.delete)("acme")
    directory.forget_all()
    for answer in (
        rp.userinfo(tokens["access_token"]),
        rp.refresh(tokens["refresh_token"]),
        rp.authorize().answer,
        rp.post("introspect", {"token": tokens["access_token"]}),
        app.test_client().get("/t/acme/jwks.json"),
    ):
        assert answer.status_code == 404
    assert twin.userinfo(theirs["access_token"]).status_code == 200
    if end == "suspended":
        tenants.resume("acme")
        directory.forget_all()
        assert rp.userinfo(tokens["access_token"]).status_code == 200


def test_tn06_cookies_of_two_tenants_live_side_by_side(app: Any, acme: Tenant, globex: Tenant) -> None:
    ours, theirs = relying_party(app, acme), relying_party(app, globex)
    browser = ours.browser()
    ours.authorize(browser).login("alice")
    theirs.authorize(browser).login("bob")
    names = [
        ours.userinfo(ours.exchange(ours.authorize(browser, prompt="none").code)["access_token"]).get_json()[
            "name"
        ],
        theirs.userinfo(
            theirs.exchange(theirs.authorize(browser, prompt="none").code)["access_token"]
        ).get_json()["name"],
    ]
    assert names == ["Alice Adams", "Bob Baker"]
