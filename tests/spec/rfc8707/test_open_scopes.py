"""Scopes that an API opens to applications which nobody vouches for: for people, with consent, and no further."""

from pathlib import Path
from typing import Any

import pytest

from idp.audit import SYSTEM
from idp.control import apis, blueprints, clients
from idp.errors import Invalid
from idp.tenants import Tenant, entered
from tests.attacks.acting import policy, refused
from tests.playing import relying_party
from tests.spec.rfc7591.registering import party, registered

NOTES = "https://notes.example.com"


@pytest.fixture
def open_(acme: Tenant) -> Tenant:
    """Acme, where anybody's application registers, with an API that opens one of its two scopes."""
    with entered(acme):
        apis.create(
            NOTES,
            {
                "name": "Notes",
                "scopes": {"notes.read": "Read your notes.", "notes.write": "Write notes."},
                "open_scopes": ["notes.read"],
            },
        )
    return policy(acme, client_registration="open", registrations=100)


def test_a_registered_application_gets_what_is_open_after_consent_each_time(app: Any, open_: Tenant) -> None:
    rp = party(app, open_, registered(app, open_))
    browser = rp.browser()
    visit = rp.authorize(browser, scope="notes.read", resource=NOTES).login("alice")
    assert "Read your notes." in visit.html and NOTES in visit.html
    tokens = rp.exchange(visit.consent().code)
    assert rp.verified(tokens["access_token"], NOTES)["scope"] == "notes.read"
    assert rp.authorize(browser, scope="notes.read", resource=NOTES).location == ""


def test_what_is_not_open_is_refused(app: Any, open_: Tenant) -> None:
    rp = party(app, open_, registered(app, open_))
    assert rp.authorize(scope="notes.write", resource=NOTES).params["error"] == "invalid_scope"
    assert rp.authorize(scope="openid notes.read notes.write").params["error"] == "invalid_scope"


def test_an_api_that_opens_nothing_is_closed(app: Any, open_: Tenant) -> None:
    with entered(open_):
        apis.update(NOTES, {"open_scopes": None})
    rp = party(app, open_, registered(app, open_))
    assert rp.authorize(scope="openid", resource=NOTES).params["error"] == "invalid_target"
    assert rp.authorize(scope="notes.read").params["error"] == "invalid_scope"


def test_no_application_that_could_ask_without_a_person(app: Any, open_: Tenant) -> None:
    told = registered(app, open_, grant_types=["authorization_code", "client_credentials"])
    rp = party(app, open_, told)
    refused(rp.post("token", {"grant_type": "client_credentials", "scope": "notes.read"}), "invalid_scope")
    refused(
        rp.post("token", {"grant_type": "client_credentials", "resource": NOTES, "scope": "notes.read"}),
        "invalid_target",
    )
    assert rp.authorize(scope="notes.read").params["error"] == "invalid_scope"


def test_whom_an_operator_made_gets_what_was_granted_to_it(app: Any, open_: Tenant) -> None:
    rp = relying_party(app, open_)
    assert rp.authorize(scope="openid notes.read").params["error"] == "invalid_scope"


def test_an_operator_who_takes_the_question_away_takes_the_scopes_away(app: Any, open_: Tenant) -> None:
    told = registered(app, open_)
    with entered(open_):
        clients.update(told["client_id"], {"require_consent": False})
    assert party(app, open_, told).authorize(scope="notes.read").params["error"] == "invalid_scope"


def test_another_tenants_api_opens_nothing_here(app: Any, open_: Tenant, globex: Tenant) -> None:
    globex = policy(globex, client_registration="open")
    rp = party(app, globex, registered(app, globex))
    assert rp.authorize(scope="openid", resource=NOTES).params["error"] == "invalid_target"


def test_a_blueprint_says_it(acme: Tenant, tmp_path: Path) -> None:
    file = tmp_path / "notes.yaml"
    api = f"{{identifier: {NOTES}, name: Notes, scopes: {{notes.read: Read.}}, open_scopes: [notes.read]}}"
    file.write_text(f"tenants: [{{slug: acme, name: Acme Corporation, apis: [{api}]}}]")
    blueprints.apply_files([file], SYSTEM)
    with entered(acme):
        assert apis.show(NOTES).setting("open_scopes") == ["notes.read"]


@pytest.mark.parametrize("value", ["notes.read", [1], ["a b"], ["x"] * 201, {"notes.read": 1}])
def test_the_setting_is_a_list_of_scopes(in_acme: Tenant, value: Any) -> None:
    with pytest.raises(Invalid):
        apis.create(NOTES, {"open_scopes": value})
