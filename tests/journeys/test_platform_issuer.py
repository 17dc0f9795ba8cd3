"""The platform's issuer: one issuer for an application of many tenants, under which nobody's wall is lower."""

import base64
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit
from uuid import uuid4

import jwt as pyjwt
import pytest

from idp import clock, directory, ids, outbound
from idp.audit import SYSTEM
from idp.control import apis, applications, blueprints, tenants, users
from idp.errors import InvalidClientMetadata
from idp.jobs.worker import Worker
from idp.store.durable import clients as client_store
from idp.tenants import PLATFORM, Tenant, entered
from tests.playing import PASSWORDS, inputs, pkce

BASE = "http://localhost"
SECRET = "suite-secret-0123456789-0123456789-01"
CALLBACK = "https://suite.example/cb"
FIELDS: dict[str, Any] = {
    "issuer": "platform",
    "redirect_uris": [CALLBACK],
    "post_logout_redirect_uris": ["https://suite.example/"],
    "grant_types": ["authorization_code", "refresh_token"],
    "scope": "openid profile email offline_access",
    "require_consent": False,
}


@dataclass
class Suite:
    """The relying party: it knows the platform's issuer and nothing of tenants."""

    app: Any
    client_id: str = "suite"
    verifier: str = ""

    def request(self, **changes: str | None) -> dict[str, str]:
        self.verifier, challenge = pkce()
        params: dict[str, str | None] = {
            "client_id": self.client_id, "response_type": "code", "redirect_uri": CALLBACK, "state": "s-1",
            "scope": "openid profile email offline_access", "nonce": "n-1", "code_challenge": challenge,
            "code_challenge_method": "S256", **changes,
        }  # fmt: skip
        return {name: value for name, value in params.items() if value is not None}

    def authorize(self, browser: Any = None, **changes: str | None) -> "Way":
        way = Way(browser or self.app.test_client())
        return way.open(f"/authorize?{urlencode(self.request(**changes))}")

    def post(self, endpoint: str, form: dict[str, str], *, secret: str = SECRET) -> Any:
        pair = base64.b64encode(f"{self.client_id}:{secret}".encode()).decode()
        return self.app.test_client().post(
            f"/{endpoint}", data=form, headers={"Authorization": f"Basic {pair}"}
        )

    def redeem(self, code: str) -> Any:
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK,
                "code_verifier": self.verifier}  # fmt: skip
        return self.post("token", form)

    def tokens(self, tenant: Tenant, username: str = "alice", **changes: str | None) -> dict[str, Any]:
        way = self.authorize(tenant=tenant.slug, **changes).login(tenant, username)
        answer = self.redeem(way.params["code"])
        assert answer.status_code == 200, answer.get_data(as_text=True)
        return dict(answer.get_json())

    def refresh(self, token: str) -> Any:
        return self.post("token", {"grant_type": "refresh_token", "refresh_token": token})

    def userinfo(self, token: str) -> Any:
        return self.app.test_client().get("/userinfo", headers={"Authorization": f"Bearer {token}"})

    def introspect(self, token: str) -> Any:
        return self.post("introspect", {"token": token}).get_json()

    def verified(self, token: str, audience: str) -> dict[str, Any]:
        keys = self.app.test_client().get("/jwks.json").get_json()
        kid = pyjwt.get_unverified_header(token)["kid"]
        key = next(pyjwt.PyJWK(each) for each in keys["keys"] if each["kid"] == kid)
        return dict(
            pyjwt.decode(token, key.key, algorithms=[key.algorithm_name], audience=audience, issuer=BASE)
        )


@dataclass
class Way:
    """A browser on its way, over the platform's address and the tenants'."""

    browser: Any
    page: str = ""
    answer: Any = None

    def open(self, path: str) -> "Way":
        self.page, self.answer = path, self.browser.get(path)
        return self._follow()

    def _follow(self) -> "Way":
        while self.answer.status_code == 303 and self.location.startswith(BASE):
            parts = urlsplit(self.location)
            self.page = parts.path + (f"?{parts.query}" if parts.query else "")
            self.answer = self.browser.get(self.page)
        return self

    @property
    def location(self) -> str:
        return str(self.answer.headers.get("Location", ""))

    @property
    def html(self) -> str:
        return str(self.answer.get_data(as_text=True))

    @property
    def params(self) -> dict[str, str]:
        assert self.location.startswith(CALLBACK), (self.answer.status_code, self.location, self.html[:600])
        return dict(parse_qsl(urlsplit(self.location).query))

    def say(self, tenant: str) -> "Way":
        assert 'id="organization-form"' in self.html, self.html[:600]
        self.answer = self.browser.post("/authorize", data={**inputs(self.html), "tenant": tenant})
        return self._follow()

    def login(self, tenant: Tenant, username: str = "alice") -> "Way":
        assert self.page.startswith(f"/t/{tenant.slug}/interaction/login"), (self.page, self.html[:600])
        form = {**inputs(self.html), "username": username, "password": PASSWORDS[tenant.slug, username]}
        self.answer = self.browser.post(self.page, data={**form, "action": "login"})
        return self._follow()


@pytest.fixture
def suite(app: Any, acme: Tenant, globex: Tenant) -> Suite:
    """An application of the platform's issuer that both tenants have."""
    applications.create("suite", FIELDS, SYSTEM, client_secret=SECRET)
    applications.enable("suite", ["acme", "globex"], SYSTEM)
    return Suite(app)


def test_nothing_is_there_before_there_is_such_an_application(app: Any, acme: Tenant) -> None:
    ways = {"/jwks.json", "/authorize", "/userinfo", "/logout", "/.well-known/openid-configuration"}
    missing = app.test_client().get("/nowhere")
    for path in ways:
        answer = app.test_client().get(path)
        assert (answer.status_code, answer.data) == (404, missing.data), path
    assert app.test_client().post("/token", data={"grant_type": "authorization_code"}).status_code == 404


def test_discovery_says_what_the_platform_has(suite: Suite) -> None:
    told = suite.app.test_client().get("/.well-known/openid-configuration").get_json()
    assert told == suite.app.test_client().get("/.well-known/oauth-authorization-server").get_json()
    assert told["issuer"] == BASE and told["jwks_uri"] == f"{BASE}/jwks.json"
    assert told["grant_types_supported"] == ["authorization_code", "refresh_token"]
    for name, address in told.items():
        if name.endswith("_endpoint") or name == "jwks_uri":
            assert suite.app.test_client().get(urlsplit(address).path).status_code != 404, name
    assert not {"pushed_authorization_request_endpoint", "device_authorization_endpoint"} & set(told)
    assert suite.app.test_client().get(f"/t/{PLATFORM}/jwks.json").status_code == 404


def test_twins_sign_in_and_are_two_people(suite: Suite, acme: Tenant, globex: Tenant) -> None:
    seen = {}
    for tenant in (acme, globex):
        way = suite.authorize(tenant=tenant.slug).login(tenant)
        assert way.params["iss"] == BASE and way.params["state"] == "s-1"
        tokens = suite.redeem(way.params["code"]).get_json()
        told = suite.verified(tokens["id_token"], "suite")
        access = suite.verified(tokens["access_token"], BASE)
        assert (told["tenant"], told["tenant_id"]) == (tenant.slug, str(tenant.id))
        assert (access["tenant"], access["sub"], told["nonce"]) == (tenant.slug, told["sub"], "n-1")
        assert suite.userinfo(tokens["access_token"]).get_json()["sub"] == told["sub"]
        with entered(tenant):
            assert str(users.show("alice").id) != told["sub"]
        seen[tenant.slug] = told["sub"]
    assert seen["acme"] != seen["globex"]
    again = suite.verified(suite.tokens(acme)["id_token"], "suite")
    assert again["sub"] == seen["acme"]


def test_whoever_says_no_tenant_is_asked_and_led(suite: Suite, acme: Tenant, database: Any) -> None:
    assert suite.authorize().say("acme").login(acme).params["iss"] == BASE
    for unknown in ("nowhere", "alice@unproved.example", "a b", "'"):
        way = suite.authorize().say(unknown)
        assert 'id="organization-form"' in way.html and "No organisation was found" in way.html
    database(
        "INSERT INTO hosts (tenant_id, id, host, status, challenge, created_at, proved_at) "
        "VALUES (%s, gen_random_uuid(), 'acme.example', 'proved', 'x', now(), now())", str(acme.id)
    )  # fmt: skip
    directory.forget_all()
    # whether there is such a person makes no difference: the domain alone leads
    for address in ("alice@acme.example", "nobody@acme.example"):
        way = suite.authorize().say(address)
        assert way.page.startswith("/t/acme/interaction/login") and address in way.html
        assert suite.authorize(login_hint=address).page.startswith("/t/acme/interaction/login")
    assert 'id="organization-form"' in suite.authorize(login_hint="alice@other.example").html


def test_a_tenant_that_has_it_not_or_rests_is_as_one_that_is_not(
    suite: Suite, acme: Tenant, globex: Tenant
) -> None:
    applications.disable("suite", ["globex"], SYSTEM)
    tenants.suspend("acme", SYSTEM)
    pages = {suite.authorize().say(slug).html.replace(slug, "X") for slug in ("acme", "globex", "nowhere")}
    assert len({_still(page) for page in pages}) == 1
    for slug in ("acme", "globex", "nowhere"):
        way = suite.authorize(tenant=slug, prompt="none")
        assert (way.params["error"], way.params["iss"]) == ("interaction_required", BASE)


def _still(page: str) -> str:
    """A page without what is another one each time."""
    import re

    return re.sub(r'value="[A-Za-z0-9_-]{43}"|nonce="[^"]*"|[0-9a-f]{18}', "", page)


def test_an_error_of_the_request_goes_back_before_any_tenant_is_asked(suite: Suite) -> None:
    assert suite.authorize(scope="none-such").params["error"] == "invalid_scope"
    assert suite.authorize(code_challenge=None).params["iss"] == BASE
    assert suite.authorize(redirect_uri="https://evil.example/cb").answer.status_code == 400
    assert suite.authorize(client_id="web").answer.status_code == 400
    assert suite.authorize(request_uri=f"urn:ietf:params:oauth:request_uri:{ids.secret()}").params["error"]


def test_a_code_means_nothing_elsewhere(suite: Suite, acme: Tenant, globex: Tenant) -> None:
    code = suite.authorize(tenant="acme").login(acme).params["code"]
    other = base64.urlsafe_b64encode(globex.id.bytes).rstrip(b"=").decode()
    nobody = base64.urlsafe_b64encode(uuid4().bytes).rstrip(b"=").decode()
    inner = code.partition(".")[2]
    for foreign in (f"{other}.{inner}", f"{nobody}.{inner}", inner, f"{other}.{code}"):
        assert suite.redeem(foreign).get_json()["error"] == "invalid_grant", foreign
    # at the tenants' own issuers the application is nobody, whatever it brings
    for tenant in (acme, globex):
        for shown in (code, inner):
            form = {"grant_type": "authorization_code", "code": shown, "redirect_uri": CALLBACK,
                    "code_verifier": suite.verifier}  # fmt: skip
            assert suite.post(f"t/{tenant.slug}/token", form).get_json()["error"] == "invalid_client"
    assert suite.redeem(code).status_code == 200
    assert suite.redeem(code).get_json()["error"] == "invalid_grant"


def test_refresh_revocation_and_introspection(suite: Suite, acme: Tenant, globex: Tenant) -> None:
    first = suite.tokens(acme)
    told = suite.introspect(first["access_token"])
    assert (told["active"], told["iss"], told["tenant"]) == (True, BASE, "acme")
    assert suite.introspect(first["refresh_token"])["active"]
    second = suite.refresh(first["refresh_token"]).get_json()
    assert suite.verified(second["id_token"], "suite")["sub"] == told["sub"]
    assert second["refresh_token"].partition(".")[0] == first["refresh_token"].partition(".")[0]
    other = base64.urlsafe_b64encode(globex.id.bytes).rstrip(b"=").decode()
    foreign = f"{other}.{second['refresh_token'].partition('.')[2]}"
    assert suite.refresh(foreign).get_json()["error"] == "invalid_grant"
    assert suite.introspect(foreign) == {"active": False} == suite.introspect("none")
    assert suite.post("revoke", {"token": foreign}).status_code == 200
    assert suite.refresh(second["refresh_token"]).status_code == 200
    third = suite.tokens(acme)
    assert suite.post("revoke", {"token": third["refresh_token"]}).status_code == 200
    assert suite.refresh(third["refresh_token"]).get_json()["error"] == "invalid_grant"
    assert suite.userinfo(third["access_token"]).status_code == 401
    assert suite.post("introspect", {"token": "none"}, secret="x" * 40).status_code == 401


def test_the_tenants_wall_stands_behind_it(suite: Suite, acme: Tenant, globex: Tenant) -> None:
    tokens = suite.tokens(acme)
    for tenant in (acme, globex):  # platform tokens are nothing at a tenant's own userinfo
        answer = suite.app.test_client().get(
            f"/t/{tenant.slug}/userinfo", headers={"Authorization": f"Bearer {tokens['access_token']}"}
        )
        assert answer.status_code == 401
    with entered(acme):
        users.suspend("alice", SYSTEM)
    assert suite.userinfo(tokens["access_token"]).status_code == 401
    assert suite.refresh(tokens["refresh_token"]).get_json()["error"] == "invalid_grant"
    other = suite.tokens(globex)
    tenants.suspend("globex", SYSTEM)
    assert suite.userinfo(other["access_token"]).status_code == 401
    assert suite.refresh(other["refresh_token"]).get_json()["error"] == "invalid_grant"
    tenants.resume("globex", SYSTEM)
    applications.disable("suite", ["globex"], SYSTEM)
    assert suite.refresh(other["refresh_token"]).get_json()["error"] == "invalid_client"


def test_tokens_of_a_tenant_are_nothing_at_the_platform(suite: Suite, acme: Tenant) -> None:
    from tests.playing import relying_party

    web = relying_party(suite.app, acme)
    tokens = web.sign_in("alice")
    assert suite.userinfo(tokens["access_token"]).status_code == 401
    assert suite.introspect(tokens["access_token"]) == {"active": False}
    pair = base64.b64encode(f"web:{web.secret}".encode()).decode()
    answer = suite.app.test_client().post(
        "/token", data={"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]},
        headers={"Authorization": f"Basic {pair}"},
    )  # fmt: skip
    assert answer.get_json()["error"] == "invalid_client"


def test_an_api_of_a_tenant_is_open_to_it_where_the_tenant_says_so(suite: Suite, acme: Tenant) -> None:
    api = "https://api.example.com"
    refused = suite.authorize(tenant="acme", resource=api)
    assert refused.params["error"] == "invalid_target"
    with entered(acme):
        client = client_store.by_client_id("suite")
        assert client is not None
        apis.grant(apis.show(api), client, ("orders.read",), SYSTEM)
    directory.forget(acme.id)
    scope = "openid orders.read"
    way = suite.authorize(tenant="acme", scope=scope)
    assert way.answer.status_code == 200, way.location
    tokens = suite.redeem(way.login(acme).params["code"]).get_json()
    assert set(suite.verified(tokens["access_token"], api)["aud"]) == {api, BASE}


def test_the_tenants_address_alone_begins_nothing(suite: Suite, acme: Tenant) -> None:
    query = urlencode(suite.request())
    way = Way(suite.app.test_client()).open(f"/t/acme/authorize?{query}")
    assert way.answer.status_code == 400 or way.params["error"] == "invalid_request"
    for endpoint in ("par", "introspect", "revoke"):
        assert suite.post(f"t/acme/{endpoint}", suite.request()).get_json()["error"] == "invalid_client"


def test_a_session_is_the_tenants_and_a_hint_leads_back_to_it(
    suite: Suite, acme: Tenant, globex: Tenant
) -> None:
    browser = suite.app.test_client()
    way = suite.authorize(browser, tenant="acme").login(acme)
    hint = suite.redeem(way.params["code"]).get_json()["id_token"]
    silent = suite.authorize(browser, prompt="none", id_token_hint=hint)
    assert "code" in silent.params and silent.params["iss"] == BASE
    assert (
        suite.verified(suite.redeem(silent.params["code"]).get_json()["id_token"], "suite")["tenant"]
        == "acme"
    )
    other = suite.authorize(suite.app.test_client(), prompt="none", id_token_hint=hint)
    assert (other.params["error"], other.params["iss"]) == ("login_required", BASE)
    bob = suite.tokens(acme, "bob")["id_token"]
    assert suite.authorize(browser, prompt="none", id_token_hint=bob).params["error"] == "login_required"


def test_signing_out_is_asked_at_the_tenant_and_told_in_the_platforms_name(
    suite: Suite, acme: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    applications.update("suite", {"backchannel_logout_uri": "https://suite.example/out"}, SYSTEM)
    sent: list[str] = []
    monkeypatch.setattr(outbound, "post", lambda uri, form, **_: sent.append(form["logout_token"]) or 200)
    browser = suite.app.test_client()
    way = suite.authorize(browser, tenant="acme", scope="openid").login(acme)
    tokens = suite.redeem(way.params["code"]).get_json()
    told = suite.verified(tokens["id_token"], "suite")
    after = {"id_token_hint": tokens["id_token"], "post_logout_redirect_uri": "https://suite.example/"}
    page = Way(browser).open(f"/logout?{urlencode({**after, 'state': 'bye'})}")
    assert page.page.startswith("/t/acme/logout?") and page.answer.status_code == 200, page.html[:500]
    answer = browser.post("/t/acme/logout/confirm", data={**inputs(page.html), "action": "confirm"})
    assert answer.headers["Location"] == "https://suite.example/?state=bye"
    assert suite.userinfo(tokens["access_token"]).status_code == 401
    directory.poll()
    Worker().once()
    (token,) = sent
    claims = suite.verified(token, "suite")
    assert (claims["sub"], claims["sid"]) == (told["sub"], told["sid"])
    assert suite.app.test_client().get("/logout").status_code == 400


def test_its_issuer_is_for_good_and_its_grants_are_two(suite: Suite) -> None:
    with pytest.raises(InvalidClientMetadata, match="issuer stays as it was"):
        applications.update("suite", {"issuer": "tenant"}, SYSTEM)
    with pytest.raises(InvalidClientMetadata, match="grant_types must be of"):
        applications.update("suite", {"grant_types": ["client_credentials"], "redirect_uris": None}, SYSTEM)
    with pytest.raises(InvalidClientMetadata, match="issuer must be"):
        applications.create("other", {**FIELDS, "issuer": "x"}, SYSTEM)
    shown = applications.described(applications.show("suite"))
    assert (shown["issuer"], shown["tenants"]) == ("platform", ["acme", "globex"])
    assert clock.now() > applications.show("suite").client.created_at


def test_a_blueprint_makes_one(app: Any, acme: Tenant, tmp_path: Any) -> None:
    path = tmp_path / "b.yaml"
    path.write_text(
        "applications: [{client_id: suite, issuer: platform, token_endpoint_auth_method: none, "
        "redirect_uris: ['https://suite.example/cb'], tenants: [acme]}]"
    )
    assert [str(one) for one in blueprints.apply_files([path], SYSTEM).changes] == [
        "platform: create application suite"
    ]
    assert blueprints.apply_files([path], SYSTEM).changes == []
    assert app.test_client().get("/jwks.json").status_code == 200
