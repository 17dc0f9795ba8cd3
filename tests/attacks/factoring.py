"""Verbs for second factors: an authenticator app of a person's own, and the pages on which it is asked for."""

import base64
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import idp.store.durable.users as user_rows
from idp.accounts import passkeys, recovery_codes, totp
from idp.prove.authenticator import Passkey
from idp.store.durable.users import User
from idp.tenants import Tenant, entered
from tests.playing import Visit, inputs


@dataclass
class App:
    """An authenticator app that holds one secret; it computes its codes by itself."""

    secret: bytes

    def code(self, ahead: int = 0) -> str:
        """The code of now, or of so many steps ahead."""
        return totp.code_at(self.secret, totp.present_step() + ahead)


def user(tenant: Tenant, username: str = "alice") -> User:
    """A person of the tenant."""
    with entered(tenant):
        found = user_rows.by_username(username)
    assert found is not None
    return found


def with_app(tenant: Tenant, username: str = "alice") -> App:
    """Give a person an authenticator whose last code was used two steps ago."""
    person = user(tenant, username)
    with entered(tenant):
        begun = totp.begin(person)
        app = from_key(begun.secret)
        assert totp.confirm(person, begun.ticket, app.code(-1))
    return app


def with_codes(tenant: Tenant, username: str = "alice") -> tuple[str, ...]:
    """New recovery codes for a person."""
    with entered(tenant):
        return recovery_codes.make(user(tenant, username).id)


def from_key(key: str) -> App:
    """The app that was told a key."""
    plain = key.replace(" ", "")
    return App(base64.b32decode(plain + "=" * (-len(plain) % 8)))


def shown_key(visit: Visit) -> App:
    """The app that scans the page on which one is set up."""
    found = re.search(r'id="totp-key"[^>]*>([A-Z2-7 ]+)<', visit.html)
    assert found is not None, visit.html[:500]
    return from_key(found[1])


def options(visit: Visit) -> str:
    """What the page would have the browser make or show a passkey with."""
    return inputs(visit.html)["passkey_options"]


def with_passkey(tenant: Tenant, username: str = "alice", **changes: Any) -> Passkey:
    """A passkey of a person's, made at the tenant's issuer."""
    person = user(tenant, username)
    with entered(tenant):
        made = Passkey(origin_of(tenant), **changes)
        passkeys.register(person, made.create(passkeys.creation_options(person, "test")), "test", "My laptop")
    return made


def origin_of(tenant: Tenant) -> str:
    """The origin of the tenant's pages."""
    parts = urlsplit(tenant.issuer)
    return f"{parts.scheme}://{parts.netloc}"


def shown_codes(visit: Visit) -> list[str]:
    """The recovery codes on the page."""
    return re.findall(r"<li><code>([0-9a-z-]+)</code></li>", visit.html)


def at(visit: Visit, page: str) -> Visit:
    """The same visit, once it is clear that it stands at this page."""
    assert f'<main id="{page}"' in visit.html, (visit.answer.status_code, visit.location, visit.html[:600])
    return visit


def forget_failures(database: Any, tenant_id: UUID) -> None:
    """Take counted failures of the tenant out of Postgres."""
    database("DELETE FROM throttles WHERE tenant_id = %s", str(tenant_id))
