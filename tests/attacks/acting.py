"""Verbs for attacks: change what an operator may change, and state in one line that a request got nowhere."""

from collections.abc import Callable
from threading import Barrier, Thread
from typing import Any
from urllib.parse import urlencode

from idp import directory
from idp.control import clients, tenants
from idp.store.durable.clients import Client
from idp.tenants import Tenant, entered
from tests.playing import RelyingParty, relying_party

THREADS = 32


def client(tenant: Tenant, client_id: str = "made", *, secret: str | None = None, **fields: Any) -> Client:
    """A new client of the tenant: metadata by its RFC 7591 names, settings beside."""
    values = {
        "redirect_uris": ["https://app.example.com/cb"],
        "scope": "openid profile offline_access",
        "grant_types": ["authorization_code", "refresh_token"],
        "require_consent": False,
        **fields,
    }
    with entered(tenant):
        return clients.create(client_id, values, client_secret=secret).client


def change(tenant: Tenant, client_id: str, **fields: Any) -> None:
    """Change a client."""
    with entered(tenant):
        clients.update(client_id, fields)


def policy(tenant: Tenant, **values: Any) -> Tenant:
    """The tenant under another policy."""
    tenants.update(tenant.slug, {"policy": values})
    directory.forget_all()
    found = directory.resolve(tenant.slug)
    assert found is not None
    return found


def party(app: Any, tenant: Tenant, made: Client, secret: str | None = None) -> RelyingParty:
    """A relying party for a client that a test has made."""
    redirect = made.redirect_uris[0] if made.redirect_uris else ""
    return RelyingParty(
        app,
        tenant,
        made.client_id,
        secret,
        redirect,
        made.auth_method,
        extra={"scope": str(made.metadata.get("scope", "openid"))},
    )


def ask(app: Any, tenant: Tenant, *, client_id: str = "web", **changes: str | None) -> Any:
    """The bare answer of /authorize to one request, nothing followed."""
    request = relying_party(app, tenant, client_id).request(**changes)
    return app.test_client().get(f"/t/{tenant.slug}/authorize?{urlencode(request)}")


def paged(answer: Any, code: str | None = None) -> None:
    """The answer is a page with status 400 that leads nowhere."""
    text = answer.get_data(as_text=True)
    assert answer.status_code == 400, (answer.status_code, answer.headers.get("Location"), text[:300])
    assert "Location" not in answer.headers and answer.mimetype == "text/html"
    assert "form-post" not in text
    if code is not None:
        assert f'data-error="{code}"' in text, text[:2000]


def refused(answer: Any, error: str, status: int = 400) -> None:
    """The answer is this OAuth error in JSON and nothing more."""
    body = answer.get_json(silent=True)
    assert answer.status_code == status, (answer.status_code, answer.get_data(as_text=True)[:300])
    assert body is not None and set(body) <= {"error", "error_description", "error_uri"}
    assert body["error"] == error, body
    assert answer.headers["Cache-Control"] == "no-store"


def at_once(count: int, act: Callable[[int], Any]) -> list[Any]:
    """What `count` threads get that all wait for each other before they act."""
    barrier, found = Barrier(count), [None] * count

    def run(number: int) -> None:
        barrier.wait(30)
        try:
            found[number] = act(number)
        except BaseException as error:
            found[number] = error

    threads = [Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    broken = [each for each in found if isinstance(each, BaseException)]
    assert not broken, broken
    return found


def events(database: Any, tenant: Tenant, name: str) -> int:
    """How often an event stands in the tenant's record."""
    found = database(
        "SELECT count(*) FROM audit_log WHERE tenant_id = %s AND event = %s", str(tenant.id), name
    )
    return int(found[0][0])
