"""`idp not-before`: what was issued before it is refused at once, wherever it reaches us; the rest goes on."""

from typing import Any

import pytest

from idp import directory, throttle
from idp.audit import Actor
from idp.cli import status
from idp.control import not_before
from idp.errors import NotFound
from idp.tenants import Tenant
from tests.playing import RelyingParty, relying_party
from tests.running import within

CAROL = Actor("operator", "carol", reason="restored from last night")


class Holder:
    """Everything that a relying party and a browser of one tenant may hold."""

    def __init__(self, app: Any, tenant: Tenant) -> None:
        self.rp: RelyingParty = relying_party(app, tenant)
        self.browser = self.rp.browser()
        self.tokens = self.rp.sign_in(browser=self.browser)
        nightly = relying_party(app, tenant, "nightly")
        self.own = nightly.post("token", {"grant_type": "client_credentials"}).get_json()["access_token"]
        self.nightly = nightly
        self.code = self.rp.authorize(self.browser, prompt="none").code

    def counts(self) -> dict[str, bool]:
        """What of it counts; nothing is changed, but that a code or a refresh token may be used up."""
        rp = self.rp
        return {
            "userinfo": rp.userinfo(self.tokens["access_token"]).status_code == 200,
            "introspection": rp.introspect(self.tokens["access_token"])["active"],
            "refresh introspection": rp.introspect(self.tokens["refresh_token"])["active"],
            "own token": self.nightly.introspect(self.own)["active"],
            "session": "code" in rp.authorize(self.browser, prompt="none").params,
        }

    def used(self) -> dict[str, bool]:
        """What of it can still be turned into tokens."""
        verifier = self.rp.verifier
        code = self.rp.redeem(self.code, code_verifier=verifier).status_code == 200
        return {"code": code, "refresh": self.rp.refresh(self.tokens["refresh_token"]).status_code == 200}


@pytest.fixture
def holders(app: Any, acme: Tenant, globex: Tenant) -> tuple[Holder, Holder]:
    """One for each of the twins, and all of it good."""
    throttle.forget()
    held = Holder(app, acme), Holder(app, globex)
    for holder in held:
        assert set(holder.counts().values()) == {True}
    return held


def test_nothing_from_before_counts_and_the_twin_goes_on(holders: tuple[Holder, Holder]) -> None:
    mine, twins = holders
    verifier = mine.rp.verifier
    done = not_before.one("acme", CAROL)
    assert done.tenants == 1
    assert set(mine.counts().values()) == {False}
    mine.rp.verifier = verifier
    assert set(mine.used().values()) == {False}
    assert set(twins.counts().values()) == {True}


def test_whoever_signs_in_again_is_served_at_once(holders: tuple[Holder, Holder]) -> None:
    mine, _ = holders
    not_before.one("acme", CAROL)
    fresh = mine.rp.sign_in(browser=mine.browser)
    assert mine.rp.userinfo(fresh["access_token"]).status_code == 200
    assert mine.rp.introspect(fresh["refresh_token"])["active"]
    assert mine.rp.refresh(fresh["refresh_token"]).status_code == 200
    assert mine.rp.userinfo(mine.tokens["access_token"]).status_code == 401


def test_every_tenant_is_reached_and_each_has_it_in_its_audit(
    holders: tuple[Holder, Holder], database: Any
) -> None:
    done = not_before.every(CAROL)
    assert done.tenants == 2
    for holder in holders:
        assert set(holder.counts().values()) == {False}
    rows = database(
        "SELECT t.slug, a.actor->>'id', a.actor->>'reason' FROM audit_log a JOIN tenants t ON t.id = a.tenant_id "
        "WHERE a.event = 'tenant.not_before_set' ORDER BY 1"
    )
    assert rows == [("acme", "carol", CAROL.reason), ("globex", "carol", CAROL.reason)]


def test_another_process_hears_of_it_within_a_second(holders: tuple[Holder, Holder], database: Any) -> None:
    mine, _ = holders
    told = "version = version + 1, changed_at = clock_timestamp()"
    database(f"UPDATE tenants SET not_before = clock_timestamp(), {told} WHERE slug = 'acme'")
    assert directory.POLL < directory.STALE <= 1
    assert within(5, lambda: mine.rp.userinfo(mine.tokens["access_token"]).status_code == 401)
    assert set(mine.counts().values()) == {False}


def test_where_memory_may_be_old_postgres_is_asked(
    holders: tuple[Holder, Holder], database: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine, _ = holders
    monkeypatch.setattr(directory, "fresh", lambda: False)
    database("UPDATE tenants SET not_before = clock_timestamp() WHERE slug = 'acme'")  # and nobody is told
    assert set(mine.counts().values()) == {False}


def test_the_audit_comes_first(holders: tuple[Holder, Holder], database: Any) -> None:
    mine, _ = holders
    database("REVOKE INSERT ON audit_log FROM idp_app")
    try:
        with pytest.raises(Exception, match="permission denied"):
            not_before.one("acme", CAROL)
    finally:
        database("GRANT INSERT ON audit_log TO idp_app")
    assert set(mine.counts().values()) == {True}


def test_it_is_said_whom_it_is_for(vault: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert status(["not-before"]) == 2
    assert status(["not-before", "--all", "--tenant", "acme"]) == 2
    assert "--tenant SLUG or --all" in capsys.readouterr().err


def test_a_tenant_that_is_not_there(database: Any) -> None:
    with pytest.raises(NotFound):
        not_before.one("nobody", CAROL)
