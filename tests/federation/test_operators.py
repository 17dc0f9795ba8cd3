"""Operators and upstreams: what they may say, by command and by blueprint, and what becomes of the secret."""

import json
from pathlib import Path
from typing import Any

import pytest

from idp import directory
from idp.control import blueprints, keys, schema, tenants, upstreams
from idp.errors import Conflict, Invalid, NotFound
from idp.federation import fields, secrets
from idp.signing import ring
from idp.tenants import Tenant, entered
from tests.attacks.acting import events, policy
from tests.federating import Provider, query
from tests.federation.test_answers_of_an_upstream import leave, op, refused, trust
from tests.playing import Visit, local, relying_party

__all__ = ["op"]

CORP = {"issuer": "https://id.corp.example", "client_id": "us", "display_name": "Corp"}


@pytest.mark.parametrize(("given", "word"), [
    ({"name": "Corp"}, "name"), ({"name": "a/b"}, "name"), ({"issuer": "http://id.corp.example"}, "issuer"),
    ({"issuer": "https://id.corp.example?x=1"}, "issuer"), ({"issuer": "https://id.corp.example#x"}, "issuer"),
    ({"issuer": "https://{tenantid}.corp.example"}, "issuer"), ({"client_id": ""}, "client_id"),
    ({"client_id": "a b"}, "client_id"), ({"display_name": None}, "display_name"),
    ({"display_name": "a\u202eb"}, "display_name"),
    ({"scopes": []}, "scopes"), ({"scopes": ["email"]}, "scopes"), ({"scopes": ["openid", "a b"]}, "scopes"),
    ({"email_verified": "always"}, "email_verified"), ({"creation": "yes"}, "creation"),
    ({"claims": {"email": "email"}}, "claims"), ({"claims": {"sub": "x"}}, "claims"),
    ({"claims": {"email_verified": "x"}}, "claims"),
    ({"groups": {"claim": "g"}}, "groups"), ({"groups": {"claim": "g", "names": {"a": "b\n"}}}, "groups"),
    ({"roles": ["admin"]}, "roles"), ({"order": -1}, "order"), ({"order": True}, "order"),
    ({"domains": ["Corp.example"]}, "domains"), ({"domains": "corp.example"}, "domains"),
    ({"algorithms": ["HS256"]}, "algorithms"), ({"algorithms": ["none"]}, "algorithms"),
    ({"algorithms": []}, "algorithms"),
    ({"directories": ["common"]}, "directories"), ({"token_endpoint": "http://x.example/t"}, "token_endpoint"),
    ({"protocol": "saml"}, "protocol"), ({"protocol": "oauth2"}, "authorization_endpoint"),
    ({"preset": "unknown"}, "preset"), ({"secret": "x"}, "secret"), ({"status": "gone"}, "status"),
    ({"token_endpoint_auth_method": "private_key_jwt"}, "token_endpoint_auth_method"),
], ids=str)  # fmt: skip
def test_what_cannot_be(in_acme: Tenant, given: dict[str, Any], word: str) -> None:
    with pytest.raises(Invalid, match=word) as refusal:
        upstreams.create(
            given.get("name", "corp"), {**CORP, **{k: v for k, v in given.items() if k != "name"}}
        )
    assert refusal.value.rule == word
    assert upstreams.list_() == ()


def test_one_name_one_issuer_and_an_issuer_for_good(in_acme: Tenant) -> None:
    upstreams.create("corp", CORP)
    for name, issuer in (("corp", "https://other.example"), ("other", CORP["issuer"])):
        with pytest.raises(Conflict):
            upstreams.create(name, {**CORP, "issuer": issuer})
    with pytest.raises(Invalid, match="issuer cannot change"):
        upstreams.update("corp", {"issuer": "https://other.example"})
    with pytest.raises(NotFound):
        upstreams.update("nobody", {"order": 1})
    with pytest.raises(NotFound):
        upstreams.delete("nobody")
    assert upstreams.update("corp", {"order": 1}).settings["order"] == 1
    assert fields.settings(upstreams.update("corp", {"order": None})).order == 100


def test_each_change_is_recorded_and_an_empty_one_is_none(acme: Tenant, database: Any) -> None:
    with entered(acme):
        upstreams.create("corp", CORP, client_secret="first")
        upstreams.update("corp", {"creation": True})
        upstreams.update("corp", {"creation": True})
        upstreams.delete("corp")
    counted = [events(database, acme, f"upstream.{what}") for what in ("created", "updated", "deleted")]
    assert counted == [1, 1, 1]


def test_the_secret_is_sealed_told_to_nobody_and_follows_the_ring(
    acme: Tenant, globex: Tenant, database: Any, vault: Any
) -> None:
    with entered(acme):
        made = upstreams.create("corp", CORP, client_secret="the secret of the upstream")
        assert "the secret" not in repr(made) and "the secret" not in json.dumps(upstreams.described(made))
        assert secrets.opened(made) == "the secret of the upstream"
    stored = bytes(database("SELECT sealed FROM upstreams")[0][0])
    assert b"the secret" not in stored
    with entered(globex):
        moved = upstreams.create("corp", CORP, client_secret="another")
        database("UPDATE upstreams SET sealed = %s WHERE tenant_id = %s", stored, str(globex.id))
        with pytest.raises(Exception, match="changed, moved"):
            secrets.opened(upstreams.show("corp"))
        upstreams.update("corp", {}, client_secret="another")
        assert moved.kek_id == ring.ring().newest.id
    former = ring.ring()
    try:
        added = keys.ring_add(vault)["id"]
        assert {kek for (kek,) in database("SELECT DISTINCT kek_id FROM upstreams")} == {added}
        with entered(acme):
            assert secrets.opened(upstreams.show("corp")) == "the secret of the upstream"
        old = next(each for each in keys.ring_listing(vault) if each["id"] == former.newest.id)
        assert old["seals"] == 0
    finally:
        ring.save(ring.driver(vault), ring.use(former))
        schema.upgrade(vault, former)


@pytest.mark.parametrize("secret", ["", "a\nb", "x" * 5_000])
def test_a_secret_that_is_none(in_acme: Tenant, secret: str) -> None:
    with pytest.raises(Invalid, match="client_secret"):
        upstreams.create("corp", CORP, client_secret=secret)


def test_a_blueprint_makes_changes_and_removes_them(
    acme: Tenant, database: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    del database

    def apply(*lines: str, dry_run: bool = False) -> list[str]:
        path = tmp_path / "acme.yaml"
        path.write_text(
            "\n".join(["tenants:", "  - slug: acme", "    upstreams:", *(f"      {line}" for line in lines)])
        )
        return [str(change) for change in blueprints.apply_files([path], dry_run=dry_run).changes]

    first = (
        "- name: corp", "  issuer: https://id.corp.example", "  client_id: us", "  display_name: Corp",
        "  client_secret: one", "  groups: {claim: teams, names: {T1: staff}}",
    )  # fmt: skip
    assert apply(*first, dry_run=True) == ["acme: create upstream corp"]
    assert apply(*first) == ["acme: create upstream corp"]
    assert apply(*first) == []
    changed = [line.replace("one", "two").replace("T1", "T2") for line in first]
    assert apply(*changed) == ["acme: change upstream corp (groups, client_secret)"]
    with entered(acme):
        assert secrets.opened(upstreams.show("corp")) == "two"
    with pytest.raises(Exception, match=r"acme\.yaml:\d+: tenants\[0\]\.upstreams\[0\]\.email_verified"):
        apply(*first, "  email_verified: always")
    assert apply("- name: corp", "  state: absent") == ["acme: delete upstream corp"]


def test_a_new_tenant_of_a_blueprint_is_checked_before_it_is_there(database: Any, tmp_path: Path) -> None:
    del database
    path = tmp_path / "new.yaml"
    path.write_text(
        "tenants:\n  - slug: fresh\n    upstreams:\n"
        "      - {name: google, preset: google, client_id: us, client_secret: s}\n"
    )
    changes = [str(each) for each in blueprints.apply_files([path], dry_run=True).changes]
    assert changes == ["fresh: create tenant fresh", "fresh: create upstream google"]
    path.write_text(
        "tenants:\n  - slug: fresh\n    upstreams:\n      - {name: google, preset: gogle, client_id: us}\n"
    )
    with pytest.raises(Exception, match="preset must be one of"):
        blueprints.apply_files([path], dry_run=True)


def test_an_address_leads_to_the_provider_of_its_domain_whoever_has_it(
    app: Any, acme: Tenant, op: Provider
) -> None:
    trust(acme, op, domains=["corp.example", "corp.test"])
    rp = relying_party(app, acme)
    for address in ("zoe@corp.example", "Nobody@CORP.test", "alice@corp.example"):
        visit = rp.authorize()
        assert 'id="login-organisation"' in visit.html
        visit = visit.submit(username=address, password="", action="organisation")
        assert visit.location.startswith(op.issuer) and query(visit.location)["login_hint"] == address
        visit = rp.authorize().submit(username=address, password="", action="login")
        assert visit.location.startswith(op.issuer), "without a password the button is the same"
    for address in ("alice@example.com", "alice", "", "x@sub.corp.example"):
        visit = rp.authorize().submit(username=address, password="", action="organisation")
        assert visit.answer.status_code == 200 and "No organisation" in visit.html


def test_a_login_hint_leads_at_once_where_the_tenant_wants_it(app: Any, acme: Tenant, op: Provider) -> None:
    trust(acme, op, domains=["corp.example"])
    rp = relying_party(app, acme)
    assert 'id="login-form"' in rp.authorize(login_hint="zoe@corp.example").html
    tenant = policy(acme, upstream_by_login_hint=True)
    rp = relying_party(app, tenant)
    browser = rp.browser()
    visit = rp.authorize(browser, login_hint="zoe@corp.example")
    assert visit.location.startswith(op.issuer)
    assert 'id="login-form"' in rp.authorize(login_hint="alice@example.com").html
    state = query(visit.location)["state"]
    back = browser.get(f"/t/acme/upstream/corp/callback?state={state}&error=access_denied&iss={op.issuer}")
    page = Visit(rp, browser, back)
    refused(page, "declined")
    way = page.html.split('class="button button-primary" href="')[1].split('"')[0].replace("&amp;", "&")
    assert 'id="login-form"' in browser.get(local(way, tenant)).get_data(as_text=True), (
        "it leads round and round"
    )


def test_a_suspended_tenant_s_callback_is_nothing(app: Any, acme: Tenant, op: Provider) -> None:
    trust(acme, op)
    way = leave(app, acme, op)
    tenants.suspend("acme")
    directory.forget_all()
    assert way.back().answer.status_code == 404
