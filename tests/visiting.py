"""Verbs for tests: a person at their account, over WSGI."""

from dataclasses import dataclass
from typing import Any

from idp.tenants import Tenant
from tests.playing import PASSWORDS, inputs, local


@dataclass
class Person:
    """Somebody's browser at a tenant; follows redirects below the issuer."""

    app: Any
    tenant: Tenant
    browser: Any = None
    answer: Any = None
    page: str = ""

    def __post_init__(self) -> None:
        self.browser = self.browser or self.app.test_client()

    def open(self, path: str, **headers: str) -> "Person":
        """Open a page below the issuer."""
        self.page = f"/t/{self.tenant.slug}/{path}"
        self.answer = self.browser.get(self.page, headers=headers)
        return self._follow()

    def _follow(self) -> "Person":
        while self.answer.status_code == 303 and self.location.startswith(self.tenant.issuer):
            self.page = local(self.location, self.tenant)
            self.answer = self.browser.get(self.page)
        return self

    @property
    def location(self) -> str:
        """Where the answer leads."""
        return str(self.answer.headers.get("Location", ""))

    @property
    def html(self) -> str:
        """The page."""
        return str(self.answer.get_data(as_text=True))

    @property
    def at(self) -> str:
        """The path below the issuer where the browser is, without its query."""
        return self.page.removeprefix(f"/t/{self.tenant.slug}/").partition("?")[0]

    def submit(self, **values: str) -> "Person":
        """Post the page's form with its hidden inputs and `values`."""
        self.answer = self.browser.post(self.page, data={**inputs(self.html), **values})
        return self._follow()

    def sign_in(self, username: str = "alice", password: str | None = None) -> "Person":
        """Sign in on the page that is open."""
        assert 'id="login-form"' in self.html, self.html[:500]
        known = PASSWORDS.get((self.tenant.slug, username), "")
        return self.submit(
            username=username, password=known if password is None else password, action="login"
        )


def at_account(app: Any, tenant: Tenant, username: str = "alice", path: str = "account") -> Person:
    """A person signed in at a page of their account."""
    person = Person(app, tenant).open(path).sign_in(username)
    assert person.at == path and person.answer.status_code == 200, (person.page, person.html[:500])
    return person
