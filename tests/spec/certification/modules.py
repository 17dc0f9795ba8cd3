"""The modules that the plans Basic, Implicit, Hybrid and Form Post have in common, each once for each of their plans.

Named after the suite's modules. What a module expects of the response type in hand is in `Plan`.
"""

import base64
import datetime as dt
import hashlib
import json
import math
from dataclasses import dataclass
from typing import Any, ClassVar
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest

from idp.tenants import Tenant
from tests.playing import RelyingParty, Visit, inputs, query

CALLBACK = "https://suite.example/test/a/idp/callback"
PASSWORD = "bar-bar-bar-bar-bar"
PROFILE = {
    "name", "given_name", "family_name", "middle_name", "nickname", "preferred_username", "profile", "picture",
    "website", "gender", "birthdate", "zoneinfo", "locale", "updated_at",
}  # fmt: skip
SCOPES = {
    "profile": PROFILE,
    "email": {"email", "email_verified"},
    "address": {"address"},
    "phone": {"phone_number", "phone_number_verified"},
}
IN_ID_TOKEN = {
    "iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "azp", "at_hash", "c_hash", "nbf", "jti",
    "txn", "sid", "s_hash",
}  # fmt: skip
ERRORS = {"error", "error_description", "error_uri", "state", "session_state", "iss"}


def entropy(text: str) -> float:
    """Shannon's entropy of a text in bits, as the suite measures a code."""
    shares = [text.count(each) / len(text) for each in set(text)]
    return -len(text) * sum(share * math.log2(share) for share in shares)


def half_hash(value: str) -> str:
    """at_hash and c_hash of a token that is signed with SHA-256 (OpenID Connect Core 1.0 §3.1.3.6, §3.3.2.11)."""
    return base64.urlsafe_b64encode(hashlib.sha256(value.encode()).digest()[:16]).decode().rstrip("=")


@dataclass(frozen=True)
class Plan:
    """One variant of a plan: what is asked for, and how it comes back."""

    response_type: str
    mode: str

    def has(self, word: str) -> bool:
        return word in self.response_type.split()


class Modules:
    """Played for each of PLANS."""

    PLANS: ClassVar[tuple[Plan, ...]] = ()

    @pytest.fixture
    def rp(self, app: Any, certification: Tenant, plan: Plan) -> RelyingParty:
        return self.client(app, certification, plan, "first")

    def client(
        self, app: Any, tenant: Tenant, plan: Plan, name: str, method: str = "client_secret_basic"
    ) -> RelyingParty:
        secret = f"{name}-secret-of-the-suite-".ljust(42, "0")
        known = {
            "first": "first-secret-of-the-suite-0123456789012345",
            "second": "second-secret-of-the-suite-012345678901234",
            "posts": "posts-secret-of-the-suite-0123456789012345",
        }  # fmt: skip
        asked = {"response_type": plan.response_type, "scope": "openid"}
        if plan.mode == "form_post":
            asked["response_mode"] = "form_post"
        return RelyingParty(
            app, tenant, name, known.get(name, secret), CALLBACK, method, state="s" * 128, extra=asked
        )

    def ask(self, rp: RelyingParty, browser: Any = None, **changes: str | None) -> Visit:
        """A request as the suite sends it: without PKCE unless it says so."""
        plain = {"code_challenge": None, "code_challenge_method": None}
        return rp.authorize(browser, **{**plain, **changes})

    def got(self, plan: Plan, visit: Visit) -> dict[str, str]:
        """What came back, where it must, and nowhere else."""
        if plan.mode == "form_post":
            assert visit.answer.status_code == 200 and not visit.location, (
                visit.answer.status_code,
                visit.location,
            )
            assert f'action="{visit.rp.redirect_uri}"' in visit.html.replace("&amp;", "&")
            found = inputs(visit.html)
        elif plan.mode == "fragment":
            found = visit.fragment
        else:
            assert not urlsplit(visit.location).fragment
            found = visit.params
        assert found["state"] == visit.rp.state and found["iss"] == visit.rp.tenant.issuer
        return found

    def enter(
        self, plan: Plan, rp: RelyingParty, browser: Any = None, **changes: str | None
    ) -> dict[str, Any]:
        """Sign in: what came back, the tokens, the claims of the ID token, and what userinfo says."""
        return self.judge(
            plan, rp, self.got(plan, self.ask(rp, browser, **changes).login("foo", PASSWORD)), changes
        )

    def judge(
        self, plan: Plan, rp: RelyingParty, got: dict[str, str], changes: dict[str, str | None]
    ) -> dict[str, Any]:
        """The checks that (almost) every module makes of an answer."""
        tokens: dict[str, Any] = {}
        if plan.has("code"):
            assert len(got["code"]) >= 22 and entropy(got["code"]) >= 96
            verifier = rp.verifier if changes.get("code_challenge") else None
            answer = rp.redeem(got["code"], code_verifier=verifier)
            tokens = answer.get_json()
            assert answer.status_code == 200 and answer.headers["Cache-Control"] == "no-store", tokens
            assert isinstance(tokens["expires_in"], int) and tokens["expires_in"] > 0
        told = [token for token in (got.get("id_token"), tokens.get("id_token")) if token]
        claims = [rp.verified(token, rp.client_id) for token in told]
        nonce = changes.get("nonce", rp.nonce)
        for each in claims:
            assert set(each) <= IN_ID_TOKEN | (
                set().union(*SCOPES.values()) if plan.response_type == "id_token" else set()
            )
            assert each.get("nonce") == nonce and each["auth_time"] <= each["iat"] < each["exp"]
        assert len({each["sub"] for each in claims}) == 1 or not claims
        self.hashed(rp, got, tokens)
        token = got.get("access_token") or tokens.get("access_token")
        person: dict[str, Any] = {}
        if token:
            answer = rp.userinfo(token)
            person = answer.get_json()
            assert answer.status_code == 200 and answer.mimetype == "application/json"
            assert not claims or person["sub"] == claims[0]["sub"]
        return {
            "got": got,
            "tokens": tokens,
            "claims": claims[0] if claims else {},
            "person": person,
            "token": token,
        }

    def hashed(self, rp: RelyingParty, *answers: dict[str, Any]) -> None:
        """An ID token is bound to what is given beside it; one of the front channel must be."""
        for place, answer in enumerate(answers):
            claims = rp.verified(answer["id_token"], rp.client_id) if "id_token" in answer else {}
            for name, beside in (("at_hash", "access_token"), ("c_hash", "code")):
                if claims and beside in answer and (place == 0 or name in claims):
                    assert claims[name] == half_hash(answer[beside]), name

    def refusal(self, plan: Plan, visit: Visit) -> str:
        got = self.got(plan, visit)
        assert set(got) <= ERRORS and not set('"\\\r\n\t') & set(got.get("error_description", ""))
        return got["error"]

    def test_oidcc_server(self, plan: Plan, rp: RelyingParty) -> None:
        done = self.enter(plan, rp)
        assert "name" not in done["claims"]

    def test_oidcc_response_type_missing(self, plan: Plan, rp: RelyingParty) -> None:
        visit = self.ask(rp, response_type=None)
        found = inputs(visit.html) if plan.mode == "form_post" else visit.params
        assert (
            found["error"] in {"unsupported_response_type", "invalid_request"} and found["state"] == rp.state
        )
        assert "code" not in found

    def test_oidcc_userinfo_get_post_header_post_body(self, plan: Plan, rp: RelyingParty) -> None:
        token = self.enter(plan, rp)["token"]
        if not token:
            return
        client, path = rp.app.test_client(), "/t/certification/userinfo"
        header = {"Authorization": f"Bearer {token}"}
        for answer in (client.get(path, headers=header), client.post(path, headers=header),
                       client.post(path, data={"access_token": token})):  # fmt: skip
            assert answer.status_code == 200 and answer.get_json()["sub"]

    def test_oidcc_ensure_request_without_nonce(self, plan: Plan, rp: RelyingParty) -> None:
        if plan.has("id_token"):
            assert self.refusal(plan, self.ask(rp, nonce=None)) == "invalid_request"
        else:
            assert "nonce" not in self.enter(plan, rp, nonce=None)["claims"]

    @pytest.mark.parametrize("scope", [*SCOPES, "all"])
    def test_oidcc_scope(self, plan: Plan, rp: RelyingParty, scope: str) -> None:
        wanted = set().union(*SCOPES.values()) if scope == "all" else SCOPES[scope]
        asked = " ".join(["openid", *(SCOPES if scope == "all" else [scope])])
        done = self.enter(plan, rp, scope=asked)
        where = done["claims"] if plan.response_type == "id_token" else done["person"]
        assert wanted <= set(where), sorted(wanted - set(where))
        assert isinstance(where.get("updated_at", 0), int) and isinstance(
            where.get("email_verified", True), bool
        )
        assert isinstance(where.get("phone_number_verified", True), bool)
        assert all(isinstance(part, str) and part for part in where.get("address", {}).values())

    def test_oidcc_alternate_happy_flow(self, plan: Plan, rp: RelyingParty) -> None:
        assert self.enter(plan, rp, scope="email openid")["got"]

    @pytest.mark.parametrize("display", ["page", "popup"])
    def test_oidcc_display(self, plan: Plan, rp: RelyingParty, display: str) -> None:
        self.enter(plan, rp, display=display)

    def test_oidcc_prompt_login(self, plan: Plan, rp: RelyingParty, frozen: Any) -> None:
        with frozen("2030-01-01") as time:
            browser = rp.browser()
            first = self.enter(plan, rp, browser)
            time.tick(dt.timedelta(seconds=5))
            visit = self.ask(rp, browser, prompt="login")
            assert 'name="password"' in visit.html
            second = self.judge(plan, rp, self.got(plan, visit.login("foo", PASSWORD)), {})
            self.later(first, second)

    def later(self, first: dict[str, Any], second: dict[str, Any]) -> None:
        """The second sign-in is one."""
        if first["claims"]:
            assert second["claims"]["auth_time"] > first["claims"]["auth_time"]
            assert second["claims"]["sub"] == first["claims"]["sub"]

    def test_oidcc_prompt_none_not_logged_in(self, plan: Plan, rp: RelyingParty) -> None:
        assert self.refusal(plan, self.ask(rp, prompt="none")) == "login_required"

    def test_oidcc_prompt_none_logged_in(self, plan: Plan, rp: RelyingParty) -> None:
        browser = rp.browser()
        first = self.enter(plan, rp, browser)
        second = self.judge(plan, rp, self.got(plan, self.ask(rp, browser, prompt="none")), {})
        for name in ("sub", "auth_time"):
            assert first["claims"].get(name) == second["claims"].get(name)

    def test_oidcc_max_age_1(self, plan: Plan, rp: RelyingParty, frozen: Any) -> None:
        with frozen("2030-01-01") as time:
            browser = rp.browser()
            first = self.enter(plan, rp, browser)
            time.tick(dt.timedelta(seconds=2))
            visit = self.ask(rp, browser, max_age="1")
            assert 'name="password"' in visit.html
            second = self.judge(plan, rp, self.got(plan, visit.login("foo", PASSWORD)), {})
            self.later(first, second)
            if second["claims"]:
                assert second["claims"]["iat"] - second["claims"]["auth_time"] <= 60

    def test_oidcc_max_age_10000(self, plan: Plan, rp: RelyingParty) -> None:
        browser = rp.browser()
        first = self.enter(plan, rp, browser, max_age="15000")
        second = self.judge(plan, rp, self.got(plan, self.ask(rp, browser, max_age="10000")), {})
        if first["claims"]:
            assert first["claims"]["auth_time"] == second["claims"]["auth_time"]

    def test_oidcc_ensure_request_with_unknown_parameter_succeeds(self, plan: Plan, rp: RelyingParty) -> None:
        self.enter(plan, rp, extra="foobar")

    def test_oidcc_id_token_hint(self, plan: Plan, rp: RelyingParty) -> None:
        browser = rp.browser()
        done = self.enter(plan, rp, browser)
        hint = done["got"].get("id_token") or done["tokens"].get("id_token")
        if hint:
            visit = self.ask(rp, browser, prompt="none", id_token_hint=hint)
            assert self.judge(plan, rp, self.got(plan, visit), {})["claims"]["sub"] == done["claims"]["sub"]

    @pytest.mark.parametrize(
        "hint",
        [
            {"login_hint": "foo"},
            {"login_hint": "buffy@localhost"},
            {"ui_locales": "se"},
            {"claims_locales": "se"},
        ],
    )
    def test_oidcc_login_hint_ui_locales_claims_locales(
        self, plan: Plan, rp: RelyingParty, hint: dict[str, str]
    ) -> None:
        self.enter(plan, rp, **hint)

    def test_oidcc_ensure_request_with_acr_values_succeeds(
        self, plan: Plan, rp: RelyingParty, app: Any
    ) -> None:
        document = app.test_client().get("/t/certification/.well-known/openid-configuration").get_json()
        values = document["acr_values_supported"]
        done = self.enter(plan, rp, acr_values=" ".join(values))
        assert not done["claims"] or done["claims"]["acr"] in values

    @pytest.mark.parametrize("seconds", [0, 30])
    def test_oidcc_codereuse_and_codereuse_30seconds(
        self, plan: Plan, rp: RelyingParty, frozen: Any, seconds: int
    ) -> None:
        if not plan.has("code"):
            return
        with frozen("2030-01-01") as time:
            got = self.got(plan, self.ask(rp).login("foo", PASSWORD))
            tokens = rp.redeem(got["code"], code_verifier=None).get_json()
            time.tick(dt.timedelta(seconds=seconds))
            answer = rp.redeem(got["code"], code_verifier=None)
            assert answer.status_code == 400 and answer.get_json()["error"] == "invalid_grant"
            for token in (tokens["access_token"], got.get("access_token")):
                assert token is None or rp.userinfo(token).status_code == 401

    def test_oidcc_ensure_registered_redirect_uri(self, plan: Plan, rp: RelyingParty) -> None:
        visit = self.ask(rp, redirect_uri="https://suite.example/elsewhere")
        assert visit.answer.status_code == 400 and not visit.location and "form-post" not in visit.html

    def test_oidcc_ensure_post_request_succeeds(self, plan: Plan, rp: RelyingParty) -> None:
        browser = rp.browser()
        params = rp.request(code_challenge=None, code_challenge_method=None)
        visit = Visit(rp, browser, browser.post("/t/certification/authorize", data=params)).follow()
        assert self.got(plan, visit.login("foo", PASSWORD))

    def test_oidcc_server_client_secret_post(self, app: Any, certification: Tenant, plan: Plan) -> None:
        self.enter(plan, self.client(app, certification, plan, "posts", "client_secret_post"))

    def test_oidcc_unsigned_request_object_supported_correctly_or_rejected_as_unsupported(
        self, plan: Plan, rp: RelyingParty
    ) -> None:
        told = rp.app.test_client().get("/t/certification/.well-known/openid-configuration").get_json()
        assert "none" not in told["request_object_signing_alg_values_supported"]
        given = "eyJhbGciOiJub25lIn0.e30."
        assert self.refusal(plan, self.ask(rp, request=given)) == "invalid_request_object"

    def test_oidcc_ensure_request_object_with_redirect_uri(self, plan: Plan, rp: RelyingParty) -> None:
        """The good address stands in an object that nobody signed: it counts for nothing."""
        body = base64.urlsafe_b64encode(json.dumps({"redirect_uri": CALLBACK}).encode()).decode().rstrip("=")
        visit = self.ask(
            rp, redirect_uri="https://suite.example/elsewhere", request=f"eyJhbGciOiJub25lIn0.{body}."
        )
        assert visit.answer.status_code == 400 and not visit.location and "form-post" not in visit.html

    def test_oidcc_request_uri_that_is_not_registered(self, plan: Plan, rp: RelyingParty) -> None:
        given = "https://suite.example/request#hash"
        assert self.refusal(plan, self.ask(rp, request_uri=given)) == "invalid_request_uri"

    def test_oidcc_claims_essential(self, plan: Plan, rp: RelyingParty) -> None:
        done = self.enter(plan, rp, claims='{"userinfo":{"name":{"essential":true}}}')
        told = done["claims"] if plan.response_type == "id_token" else done["person"]
        assert told["name"] == "Foo Barson" and (told is done["claims"] or "name" not in done["claims"])

    def test_oidcc_refresh_token(self, app: Any, certification: Tenant, plan: Plan, rp: RelyingParty) -> None:
        if not plan.has("code"):
            return
        other = self.client(app, certification, plan, "second")
        visit = self.ask(rp, scope="openid offline_access", prompt="consent").login("foo", PASSWORD)
        done = self.judge(plan, rp, self.got(plan, visit.consent()), {})
        token = done["tokens"]["refresh_token"]
        assert len(token) >= 22 and token.isascii() and token.isprintable()
        stolen = other.refresh(token)
        assert stolen.status_code == 400 and stolen.get_json()["error"] == "invalid_grant"
        visit = self.ask(rp, scope="openid offline_access", prompt="consent").login("foo", PASSWORD)
        done = self.judge(plan, rp, self.got(plan, visit.consent()), {})
        answer = rp.refresh(done["tokens"]["refresh_token"], scope="openid")
        fresh = answer.get_json()
        assert answer.status_code == 200 and answer.headers["Cache-Control"] == "no-store"
        assert fresh["token_type"] == "Bearer" and fresh["expires_in"] > 0
        assert fresh["access_token"] != done["tokens"]["access_token"]
        claims = rp.verified(fresh["id_token"], rp.client_id)
        first = rp.verified(done["tokens"]["id_token"], rp.client_id)
        assert all(claims[name] == first[name] for name in ("iss", "sub", "aud", "auth_time"))

    def test_oidcc_ensure_request_with_valid_pkce_succeeds(self, plan: Plan, rp: RelyingParty) -> None:
        if not plan.has("code"):
            return
        params = rp.request()
        browser = rp.browser()
        answer = browser.get(f"/t/certification/authorize?{urlencode(params)}")
        got = self.got(plan, Visit(rp, browser, answer).follow().login("foo", PASSWORD))
        assert self.judge(plan, rp, got, {"code_challenge": params["code_challenge"]})["tokens"]

    def test_a_redirect_uri_keeps_its_query(self, plan: Plan, rp: RelyingParty) -> None:
        rp.redirect_uri = f"{CALLBACK}?dummy1=lorem&dummy2=ipsum"
        visit = self.ask(rp).login("foo", PASSWORD)
        if plan.mode == "form_post":
            assert "dummy1=lorem&amp;dummy2=ipsum" in visit.html
            return
        assert {name: value[0] for name, value in query(visit.location).items()}.items() >= {
            "dummy1": "lorem", "dummy2": "ipsum"
        }.items()  # fmt: skip
        tail = (
            urlsplit(visit.location).fragment if plan.mode == "fragment" else urlsplit(visit.location).query
        )
        assert dict(parse_qsl(tail))["state"] == rp.state
