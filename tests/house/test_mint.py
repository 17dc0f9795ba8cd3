"""The mint's table: each grant of the token endpoint against all that may have happened since it was begun.

A grant without a row, or a row without an answer to one of the breaks, fails here: whoever adds a grant says what
becomes of it when client, person, consent, session, tenant or scope is gone.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from idp import directory
from idp.accounts import consent, sessions
from idp.control import clients, tenants, users
from idp.oauth import server
from idp.registration import CIBA, DEVICE_CODE, JWT_BEARER, TOKEN_EXCHANGE
from idp.store.durable import users as people
from idp.tenants import Tenant, entered
from tests.attacks.acting import client, party
from tests.playing import RelyingParty
from tests.receiving import Serving
from tests.spec.ciba.asking import begun as asking_begun
from tests.spec.rfc7523.asserting import ISSUER, asserted, brings, issuing, linked, trusting
from tests.spec.rfc8628.devices import begun
from tests.spec.rfc8693.test_token_exchange import exchange

SECRET = "m" * 43
OTHERS_SECRET = "o" * 43
CLIENT = "minting"

Present = Callable[[RelyingParty], Any]
"""Presents what was prepared, as the client that is given."""


@dataclass(frozen=True, slots=True)
class Scene:
    """Acme and its twin, each with a client of the same name that needs consent and got it from Alice."""

    app: Any
    tenant: Tenant
    rp: RelyingParty
    other: RelyingParty
    server: Serving
    """An issuer's keys."""


def _made(app: Any, tenant: Tenant, secret: str) -> RelyingParty:
    made = client(
        tenant,
        CLIENT,
        secret=secret,
        scope="openid profile things",
        grant_types=[
            "authorization_code",
            "refresh_token",
            "client_credentials",
            CIBA,
            DEVICE_CODE,
            JWT_BEARER,
            TOKEN_EXCHANGE,
        ],
        token_exchange={"subject_clients": [CLIENT], "audiences": [tenant.issuer]},
        require_consent=True,
        assertion_issuers=[ISSUER],
    )
    return party(app, tenant, made, secret)


@pytest.fixture
def scene(app: Any, twins: tuple[Tenant, Tenant]) -> Iterator[Scene]:
    acme, globex = twins
    with issuing() as server:
        yield Scene(app, acme, _made(app, acme, SECRET), _made(app, globex, OTHERS_SECRET), server)


def _signed_in(scene: Scene) -> str:
    return scene.rp.authorize(scope="openid things").login("alice").consent().code


def _code(scene: Scene) -> Present:
    code, verifier = _signed_in(scene), scene.rp.verifier
    return lambda rp: rp.redeem(code, code_verifier=verifier)


def _refresh(scene: Scene) -> Present:
    token = scene.rp.exchange(_signed_in(scene))["refresh_token"]
    return lambda rp: rp.refresh(token)


def _own(_scene: Scene) -> Present:
    return lambda rp: rp.post("token", {"grant_type": "client_credentials", "scope": "things"})


def _device(scene: Scene) -> Present:
    device = begun(scene.rp, scope="openid things")
    device.answered()
    return lambda rp: device.poll(rp)


def _exchange(scene: Scene) -> Present:
    token = scene.rp.exchange(_signed_in(scene))["access_token"]
    return lambda rp: exchange(rp, token, scope="things")


def _ciba(scene: Scene) -> Present:
    asking = asking_begun(scene.rp, scope="openid things")
    asking.answered()
    return asking.poll


def _assertion(scene: Scene) -> Present:
    _signed_in(scene)  # Alice has allowed it
    for tenant in (scene.tenant, scene.other.tenant):
        trusting(tenant, scene.server)
    linked(scene.tenant, "alice")
    made = asserted(scene.tenant)
    return lambda rp: brings(rp, made, scope="things")


ROWS: dict[str, Callable[[Scene], Present]] = {
    "authorization_code": _code,
    "refresh_token": _refresh,
    "client_credentials": _own,
    DEVICE_CODE: _device,
    CIBA: _ciba,
    TOKEN_EXCHANGE: _exchange,
    JWT_BEARER: _assertion,
}
"""By grant type: prepare everything; what is left is one request."""


def _alice(scene: Scene) -> Any:
    with entered(scene.tenant):
        found = people.by_username("alice")
    assert found is not None
    return found


def _client_disabled(scene: Scene) -> None:
    with entered(scene.tenant):
        clients.suspend(CLIENT)


def _user_disabled(scene: Scene) -> None:
    with entered(scene.tenant):
        users.suspend("alice")


def _password_changed(scene: Scene) -> None:
    with entered(scene.tenant):
        users.update("alice", {"password": "another one that nobody knows"})


def _consent_revoked(scene: Scene) -> None:
    with entered(scene.tenant):
        found = directory.client(CLIENT)
        assert found is not None and consent.revoke(_alice(scene).id, found.id)


def _session_ended(scene: Scene) -> None:
    with entered(scene.tenant):
        assert sessions.end_all(_alice(scene), "test") >= 1


def _tenant_suspended(scene: Scene) -> None:
    tenants.suspend(scene.tenant.slug)
    directory.forget_all()


def _scope_withdrawn(scene: Scene) -> None:
    with entered(scene.tenant):
        clients.update(CLIENT, {"scope": "profile"})


def _binding_missing(scene: Scene) -> None:
    with entered(scene.tenant):
        clients.update(CLIENT, {"dpop_bound_access_tokens": True})


PERSONAL = ("user disabled", "user's password changed", "consent revoked", "session ended")
BREAKS: dict[str, tuple[Callable[[Scene], None], frozenset[str]]] = {
    "client disabled": (_client_disabled, frozenset({"invalid_client"})),
    "user disabled": (_user_disabled, frozenset({"invalid_grant"})),
    "user's password changed": (_password_changed, frozenset({"invalid_grant"})),
    "consent revoked": (_consent_revoked, frozenset({"invalid_grant"})),
    "session ended": (_session_ended, frozenset({"invalid_grant"})),
    "tenant suspended": (_tenant_suspended, frozenset()),
    "binding missing": (_binding_missing, frozenset({"invalid_request"})),
    "scope withdrawn": (_scope_withdrawn, frozenset({"invalid_scope"})),
}
"""What happens between the preparation and the request, and the errors that say so; none: the tenant is no more."""

SPARED: dict[str, dict[str, str]] = {
    JWT_BEARER: {"session ended": "an issuer's word, within minutes: there is no session here"},
    "client_credentials": dict.fromkeys(PERSONAL, "a client in its own name: nobody signed in"),
}
"""What cannot happen to a grant, each with why."""

SAID = {TOKEN_EXCHANGE: {"invalid_grant": "invalid_request"}}
"""Where a grant says it by another error (RFC 8693 §2.2.2)."""

CASES = [
    (grant, broken) for grant in ROWS for broken in BREAKS if broken not in SPARED.get(grant, {})
]  # fmt: skip


def test_every_grant_has_a_row_and_nothing_is_spared_without_a_reason() -> None:
    assert set(ROWS) == set(server.GRANT_TYPES)
    for grant, reasons in SPARED.items():
        assert grant in ROWS and set(reasons) <= set(BREAKS) and all(reasons.values())


@pytest.mark.parametrize("grant", ROWS)
def test_it_mints_when_nothing_has_happened(scene: Scene, grant: str) -> None:
    answer = ROWS[grant](scene)(scene.rp)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    assert answer.get_json()["access_token"]


@pytest.mark.parametrize(("grant", "broken"), CASES)
def test_it_mints_nothing_after(scene: Scene, database: Any, grant: str, broken: str) -> None:
    present = ROWS[grant](scene)
    breaks, known = BREAKS[broken]
    errors = {SAID.get(grant, {}).get(error, error) for error in known}
    breaks(scene)
    before = database("SELECT count(*) FROM grants WHERE revoked_at IS NULL")
    answer = present(scene.rp)
    assert "access_token" not in answer.get_data(as_text=True)
    if errors:
        assert answer.status_code in (400, 401) and answer.get_json()["error"] in errors, answer.get_json()
    else:
        assert answer.status_code == 404
    assert database("SELECT count(*) FROM grants WHERE revoked_at IS NULL") <= before


@pytest.mark.parametrize("grant", ROWS)
def test_it_is_nothing_at_another_tenant_and_unharmed_by_it(scene: Scene, grant: str) -> None:
    present = ROWS[grant](scene)
    abroad = scene.other
    if grant == "client_credentials":
        abroad = RelyingParty(scene.app, scene.other.tenant, CLIENT, SECRET, method="client_secret_basic")
    answer = present(abroad)
    assert answer.status_code in (400, 401), answer.get_data(as_text=True)
    assert answer.get_json()["error"] in (
        SAID.get(grant, {}).get("invalid_grant", "invalid_grant"),
        "invalid_client",
    )
    assert present(scene.rp).status_code == 200
