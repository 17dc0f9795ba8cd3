"""Verbs for devices: one asks, a person types its code in a browser and answers, the device polls."""

from dataclasses import dataclass
from typing import Any

from idp.tenants import Tenant
from tests.attacks.acting import client, party
from tests.playing import RelyingParty, Visit, local

GRANT = "urn:ietf:params:oauth:grant-type:device_code"
SECRET = "d" * 43


@dataclass
class Device:
    """A client without a browser of its own, as it is begun by one request."""

    rp: RelyingParty
    told: dict[str, Any]

    @property
    def code(self) -> str:
        """What it polls with."""
        return str(self.told["device_code"])

    def poll(self, rp: RelyingParty | None = None, **changes: str) -> Any:
        """The answer of the token endpoint."""
        form = {"grant_type": GRANT, "device_code": self.code, **changes}
        return (rp or self.rp).post("token", form)

    def typed(self, browser: Any = None, code: str | None = None) -> Visit:
        """A person opens the page, types the code and comes to the page that is due."""
        browser = browser or self.rp.browser()
        page = local(self.told["verification_uri"], self.rp.tenant)
        visit = Visit(self.rp, browser, browser.get(page), page)
        return visit.submit(user_code=code if code is not None else self.told["user_code"])

    def answered(self, browser: Any = None, action: str = "allow", username: str = "alice") -> Visit:
        """The whole way: typed, signed in where that is due, and answered."""
        visit = self.typed(browser)
        if 'id="login-form"' in visit.html:
            visit = visit.login(username)
        assert 'id="approve-form"' in visit.html, visit.html[:600]
        return visit.submit(action=action)


def television(app: Any, tenant: Tenant, client_id: str = "tv", **fields: Any) -> RelyingParty:
    """A public client that has no redirect URI: an application on a device."""
    values = {
        "client_name": "Acme Television",
        "grant_types": [GRANT, "refresh_token"],
        "redirect_uris": [],
        "token_endpoint_auth_method": "none",
        "scope": "openid profile things offline_access",
        **fields,
    }
    secret = SECRET if values["token_endpoint_auth_method"].startswith("client_secret") else None
    return party(app, tenant, client(tenant, client_id, secret=secret, **values), secret)


def asks(rp: RelyingParty, **changes: str) -> Any:
    """The answer of the device authorization endpoint."""
    form = {"scope": "openid profile", **changes}
    return rp.post("device_authorization", {name: value for name, value in form.items() if value})


def begun(rp: RelyingParty, **changes: str) -> Device:
    """A device that waits."""
    answer = asks(rp, **changes)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return Device(rp, answer.get_json())
