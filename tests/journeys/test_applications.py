"""Applications of the platform: registered once, the same at every tenant that has them, gone where they are not."""

import json
import textwrap
import time
from typing import Any
from unittest import mock

import pytest

from idp import directory
from idp.audit import SYSTEM
from idp.control import application_clients, applications, blueprints, clients, tenants
from idp.control.blueprint_file import Mistake
from idp.errors import Conflict
from idp.jobs.worker import Worker
from idp.store.durable import clients as client_store
from idp.tenants import Tenant, entered
from tests.playing import RelyingParty

SECRET = "suite-secret-0123456789-0123456789-01"
CALLBACK = "https://suite.example/cb"
FIELDS: dict[str, Any] = {
    "redirect_uris": [CALLBACK],
    "grant_types": ["authorization_code", "refresh_token"],
    "scope": "openid profile email offline_access",
    "require_consent": False,
}


def registered(**changes: Any) -> applications.Made:
    return applications.create("suite", {**FIELDS, **changes}, SYSTEM, client_secret=SECRET)


def party(app: Any, tenant: Tenant) -> RelyingParty:
    return RelyingParty(app, tenant, "suite", SECRET, CALLBACK)


def answers(app: Any, tenant: Tenant) -> int:
    """How the token endpoint answers the application: 400 for a code that is none, 401 for nobody it knows."""
    return int(party(app, tenant).redeem("none").status_code)


def test_one_registration_is_a_client_of_each_tenant(app: Any, acme: Tenant, globex: Tenant) -> None:
    registered()
    assert answers(app, acme) == 401
    applications.enable("suite", ["acme", "globex"], SYSTEM)
    subjects = set()
    for tenant in (acme, globex):
        tokens = party(app, tenant).sign_in("alice")
        told = party(app, tenant).userinfo(tokens["access_token"]).get_json()
        claims = party(app, tenant).verified(tokens["id_token"], "suite")
        assert (claims["iss"], claims["tenant"]) == (tenant.issuer, tenant.slug)
        assert party(app, tenant).refresh(tokens["refresh_token"]).status_code == 200
        subjects.add(told["sub"])
    assert len(subjects) == 2
    with entered(acme):
        mine = client_store.by_client_id("suite")
    with entered(globex):
        theirs = client_store.by_client_id("suite")
    assert mine is not None and theirs is not None and mine.id != theirs.id
    assert mine.application == theirs.application


def test_what_a_tenant_granted_is_nothing_at_another(app: Any, acme: Tenant, globex: Tenant) -> None:
    registered()
    applications.enable("suite", everywhere=True, actor=SYSTEM)
    tokens = party(app, acme).sign_in("alice")
    assert party(app, globex).refresh(tokens["refresh_token"]).get_json()["error"] == "invalid_grant"
    assert party(app, globex).userinfo(tokens["access_token"]).status_code == 401
    assert party(app, globex).introspect(tokens["access_token"]) == {"active": False}
    begun = party(app, acme)
    code = begun.authorize().login("alice").code
    stranger = party(app, globex)
    stranger.verifier = begun.verifier
    assert stranger.redeem(code).get_json()["error"] == "invalid_grant"
    assert begun.redeem(code).status_code == 200


def test_who_is_taken_out_has_nothing_any_more_and_comes_back_with_what_was_allowed(
    app: Any, acme: Tenant, globex: Tenant
) -> None:
    registered()
    applications.enable("suite", everywhere=True, actor=SYSTEM)
    tokens = {tenant.slug: party(app, tenant).sign_in("alice") for tenant in (acme, globex)}
    applications.disable("suite", ["acme"], SYSTEM)
    assert party(app, acme).refresh(tokens["acme"]["refresh_token"]).status_code == 401
    assert party(app, acme).userinfo(tokens["acme"]["access_token"]).status_code == 401
    assert party(app, acme).authorize().answer.status_code == 400
    assert party(app, globex).userinfo(tokens["globex"]["access_token"]).status_code == 200
    shown = applications.described(applications.show("suite"))
    assert (shown["tenants"], shown["everywhere"], shown["except"]) == (["globex"], True, ["acme"])
    applications.enable("suite", ["acme"], SYSTEM)
    assert party(app, acme).userinfo(tokens["acme"]["access_token"]).status_code == 200


def test_another_process_knows_within_a_second(app: Any, acme: Tenant, process: Any) -> None:
    registered()
    applications.enable("suite", ["acme"], SYSTEM)
    assert answers(app, acme) == 400
    status, out, err = process("application", "disable", "suite", "--tenant", "acme", "--json")
    assert status == 0, err
    assert json.loads(out)["except"] == ["acme"]
    began = time.monotonic()
    while answers(app, acme) != 401:
        assert time.monotonic() - began < 2, "not known in time"
        time.sleep(0.02)


def test_a_tenant_that_comes_later_has_what_everybody_has(app: Any, twins: Any) -> None:
    registered()
    applications.enable("suite", everywhere=True, actor=SYSTEM)
    tenants.create("umbrella")
    tenant = directory.resolve("umbrella")
    assert tenant is not None and answers(app, tenant) == 400
    applications.disable("suite", everywhere=True, actor=SYSTEM)
    assert answers(app, tenant) == 401
    tenants.create("initech")
    with tenants.enter("initech"):
        assert client_store.by_client_id("suite") is None


def test_the_worker_finishes_what_a_command_began(app: Any, acme: Tenant, globex: Tenant) -> None:
    registered()
    works, broken = Worker(), mock.patch.object(application_clients, "keep", side_effect=KeyboardInterrupt)
    with broken, pytest.raises(KeyboardInterrupt):
        applications.enable("suite", everywhere=True, actor=SYSTEM)
    assert answers(app, acme) == 401
    directory.poll()
    works.round()
    assert (answers(app, acme), answers(app, globex)) == (400, 400)
    with broken, pytest.raises(KeyboardInterrupt):
        applications.delete("suite", SYSTEM)
    directory.poll()
    works.round()
    with entered(globex):
        assert client_store.by_client_id("suite") is None


def test_a_change_and_a_new_secret_reach_every_tenant(
    app: Any, acme: Tenant, globex: Tenant, database: Any
) -> None:
    registered()
    applications.enable("suite", everywhere=True, actor=SYSTEM)
    made = applications.rotate_secret("suite", SYSTEM)
    applications.update("suite", {"client_name": "Suite"}, SYSTEM)
    for tenant in (acme, globex):
        fresh = RelyingParty(app, tenant, "suite", made.client_secret, CALLBACK)
        assert fresh.redeem("none").status_code == 400 == answers(app, tenant)
        with entered(tenant):
            found = client_store.by_client_id("suite")
            assert found is not None and found.name == "Suite" and len(found.secrets) == 2
    applications.update("suite", {"status": "suspended"}, SYSTEM)
    assert (answers(app, acme), answers(app, globex)) == (401, 401)
    events = database(
        "SELECT event FROM audit_log WHERE tenant_id = %s AND facts ? 'platform' ORDER BY at", acme.id
    )
    assert [name for (name,) in events] == [
        "client.created",
        "client.updated",
        "client.updated",
        "client.suspended",
    ]


def test_a_tenant_changes_none_of_it(acme: Tenant) -> None:
    registered()
    applications.enable("suite", ["acme"], SYSTEM)
    with entered(acme):
        for verb in (
            lambda: clients.update("suite", {"client_name": "Mine"}),
            lambda: clients.suspend("suite"),
            lambda: clients.delete("suite"),
            lambda: clients.rotate_secret("suite"),
            lambda: clients.create("suite", FIELDS),
        ):
            with pytest.raises(Conflict):
                verb()
        assert clients.described(clients.show("suite"))["platform"] is True


def test_a_tenants_own_client_is_never_taken(app: Any, acme: Tenant, globex: Tenant) -> None:
    applications.create("web", FIELDS, SYSTEM, client_secret=SECRET)
    with pytest.raises(Conflict, match="acme has an application web of its own"):
        applications.enable("web", ["acme"], SYSTEM)
    made = applications.enable("web", everywhere=True, actor=SYSTEM)
    assert [problem.split(":")[0] for problem in made.problems] == ["web at acme", "web at globex"]
    applications.delete("web", SYSTEM)
    with entered(acme):
        mine = client_store.by_client_id("web")
        assert mine is not None and mine.application is None and mine.name == "Acme Web"


def test_a_policy_that_does_not_let_it_be_suspends_it_there(app: Any, acme: Tenant, globex: Tenant) -> None:
    registered()
    applications.enable("suite", everywhere=True, actor=SYSTEM)
    tenants.update("acme", {"policy": {"security_profile": "fapi2"}}, SYSTEM)
    made = applications.update("suite", {"client_name": "Suite"}, SYSTEM)
    assert len(made.problems) == 1 and made.problems[0].startswith("suite at acme: ")
    assert (answers(app, acme), answers(app, globex)) == (401, 400)
    works = Worker()
    tenants.update("acme", {"policy": {"security_profile": None}}, SYSTEM)
    directory.poll()
    works.round()
    assert answers(app, acme) == 400


def test_its_life_by_command(idp: Any, acme: Tenant, globex: Tenant) -> None:
    def told(*arguments: str, **given: Any) -> Any:
        status, out, err = idp(*arguments, "--json", **given)
        assert status == 0, err
        return json.loads(out)

    made = told("application", "create", "suite", "--redirect-uri", CALLBACK)
    assert len(made["client_secret"]) > 40 and made["tenants"] == []
    assert told("application", "enable", "suite", "--tenant", "acme")["tenants"] == ["acme"]
    assert told("application", "update", "suite", "--name", "Suite")["client_name"] == "Suite"
    assert "client_secret" in told("application", "rotate-secret", "suite")
    assert [row["client_id"] for row in told("application", "list")] == ["suite"]
    assert told("application", "suspend", "suite")["status"] == "suspended"
    assert told("application", "resume", "suite")["status"] == "active"
    assert told("application", "enable", "suite", "--all")["tenants"] == ["acme", "globex"]
    assert told("application", "disable", "suite", "--tenant", "globex")["except"] == ["globex"]
    assert "client_secret" not in told("application", "show", "suite")
    assert idp("application", "enable", "suite")[0] == 2
    assert idp("application", "enable", "suite", "--all", "--tenant", "acme")[0] == 2
    assert idp("application", "enable", "suite", "--tenant", "nowhere")[0] == 2
    assert idp("application", "create", "suite", "--redirect-uri", "javascript:alert(1)")[0] == 2
    assert told("application", "delete", "suite")["deleted"]
    assert idp("application", "show", "suite")[0] == 2


BLUEPRINT = """
    tenants:
      - {slug: umbrella}
    applications:
      - client_id: suite
        client_secret: suite-secret-0123456789-0123456789-01
        redirect_uris: ["https://suite.example/cb"]
        tenants: [umbrella, acme]
      - {client_id: wiki, token_endpoint_auth_method: none, redirect_uris: ["https://wiki.example/cb"], tenants: all}
"""


def test_a_blueprint_has_them_beside_its_tenants(
    app: Any, acme: Tenant, globex: Tenant, tmp_path: Any
) -> None:
    def apply(text: str, **options: Any) -> list[str]:
        path = tmp_path / "b.yaml"
        path.write_text(textwrap.dedent(text))
        return [str(change) for change in blueprints.apply_files([path], SYSTEM, **options).changes]

    wanted = ["platform: create application suite", "platform: create application wiki"]
    assert apply(BLUEPRINT, dry_run=True)[-2:] == wanted
    assert apply(BLUEPRINT)[-2:] == wanted
    assert apply(BLUEPRINT) == []
    umbrella = directory.resolve("umbrella")
    assert umbrella is not None
    assert [answers(app, each) for each in (acme, globex, umbrella)] == [400, 401, 400]
    out = BLUEPRINT.replace("[umbrella, acme]", "[umbrella, {slug: acme, state: absent}]")
    assert apply(out) == ["platform: change application suite (tenants)"]
    assert answers(app, acme) == 401
    changed = out.replace("suite-secret", "other-secret")
    assert apply(changed) == ["platform: change application suite (client_secret)"]
    assert apply("applications: [{client_id: suite, state: absent}]") == [
        "platform: delete application suite"
    ]
    for wrong, where in (
        ("[{client_id: x, redirect_uris: ['javascript:x']}]", "applications[0].redirect_uris"),
        ("[{client_id: x, tenants: some}]", "applications[0].tenants"),
        ("[{client_id: x, tenants: [{slug: 1}]}]", "applications[0].tenants[0]"),
        ("[{redirect_uris: []}]", "applications[0]"),
    ):
        with pytest.raises(Mistake) as refusal:
            apply(f"applications: {wrong}")
        assert where in refusal.value.description
