"""Verbs for services that ask over the back channel, and for the people who answer."""

from dataclasses import dataclass
from typing import Any

from idp.registration import CIBA
from idp.tenants import Tenant
from tests.attacks.acting import client, party
from tests.playing import RelyingParty, Visit, relying_party

SECRET = "c" * 43


@dataclass
class Asking:
    """A request that a service has made."""

    rp: RelyingParty
    told: dict[str, Any]

    @property
    def handle(self) -> str:
        """By what it is asked after."""
        return str(self.told["auth_req_id"])

    def poll(self, rp: RelyingParty | None = None) -> Any:
        """The answer of the token endpoint."""
        return (rp or self.rp).post("token", {"grant_type": CIBA, "auth_req_id": self.handle})

    def found(self, username: str = "alice", browser: Any = None) -> Visit:
        """A person opens the page of what waits for them, and signs in where that is due."""
        rp = relying_party(self.rp.app, self.rp.tenant)
        browser = browser or rp.browser()
        page = f"/t/{rp.tenant.slug}/approve"
        visit = Visit(rp, browser, browser.get(page), page).follow()
        return visit.login(username) if 'id="login-form"' in visit.html else visit

    def answered(self, action: str = "allow", browser: Any = None, number: int = 1) -> Visit:
        """Found, opened and answered."""
        visit = chosen(self.found(browser=browser), number)
        assert 'id="approve-form"' in visit.html, visit.html[:800]
        return visit.submit(action=action)


def chosen(visit: Visit, number: int = 1) -> Visit:
    """Press the button of one of those that wait."""
    mark = f'id="waiting-{number}"'
    assert mark in visit.html, visit.html[:1200]
    value = visit.html.partition(mark)[2].partition('value="')[2].partition('"')[0]
    return visit.submit(action=value)


def service(app: Any, tenant: Tenant, client_id: str = "bank", **fields: Any) -> RelyingParty:
    """A service that may ask for people."""
    values = {
        "client_name": "Acme Bank",
        "grant_types": [CIBA, "refresh_token"],
        "redirect_uris": [],
        "scope": "openid profile things offline_access",
        **fields,
    }
    method = values.get("token_endpoint_auth_method", "client_secret_basic")
    secret = SECRET if method.startswith("client_secret") else None
    return party(app, tenant, client(tenant, client_id, secret=secret, **values), secret)


def asks(rp: RelyingParty, **changes: str | None) -> Any:
    """The answer of the backchannel authentication endpoint."""
    form: dict[str, str | None] = {"scope": "openid profile", "login_hint": "alice", **changes}
    return rp.post("bc-authorize", {name: value for name, value in form.items() if value is not None})


def begun(rp: RelyingParty, **changes: str | None) -> Asking:
    """A request that waits."""
    answer = asks(rp, **changes)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return Asking(rp, answer.get_json())
