"""A tenant moves to another address: two issuers for a while, each for those who come by it, then one again."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
from click.testing import CliRunner

from idp import audit, cli, clock, directory
from idp.audit import SYSTEM
from idp.cli import session
from idp.control import apis, hosts, issuers, tenants
from idp.errors import Conflict, Invalid
from idp.oauth import moving
from idp.tenants import Tenant, entered
from tests.playing import RelyingParty, Visit, local, relying_party

HOST = "id.acme.example"
OLD, NEW = "http://localhost/t/acme", f"https://{HOST}"


def prove(slug: str = "acme", host: str = HOST) -> None:
    proof = hosts.add(slug, host, SYSTEM)
    hosts.prove(slug, host, SYSTEM, lookup=lambda _name: [proof.value])
    directory.poll()


class ByHost:
    """The application, asked by the tenant's own host with paths of its own."""

    def __init__(self, app: Any) -> None:
        self.client = app.test_client()

    def get(self, path: str, **options: Any) -> Any:
        return self.client.get(path.removeprefix("/t/acme") or "/", base_url=f"http://{HOST}", **options)

    def post(self, path: str, **options: Any) -> Any:
        return self.client.post(path.removeprefix("/t/acme") or "/", base_url=f"http://{HOST}", **options)

    def test_client(self) -> "ByHost":
        return ByHost(self.client.application)


@pytest.fixture
def moving_acme(acme: Tenant, app: Any) -> Tenant:
    """Acme, whose move to a host of its own has begun."""
    prove()
    issuers.begin("acme", NEW, SYSTEM)
    directory.poll()
    return acme


@pytest.fixture
def old(app: Any, moving_acme: Tenant) -> RelyingParty:
    """The application that knows the old issuer."""
    return relying_party(app, directory.resolve("acme"))  # type: ignore[arg-type]


@pytest.fixture
def new(app: Any, moving_acme: Tenant) -> RelyingParty:
    """The same application, told of the new issuer."""
    return relying_party(ByHost(app), directory.resolve("acme").at(NEW))  # type: ignore[union-attr]


def test_adding_and_proving_a_host_changes_nothing(http: Any, acme: Tenant) -> None:
    before = http.get("/t/acme/.well-known/openid-configuration")
    prove()
    assert http.get("/t/acme/.well-known/openid-configuration").data == before.data
    by_host = {"base_url": f"http://{HOST}"}
    for path in ("/.well-known/openid-configuration", "/jwks.json", "/authorize", "/logout", "/userinfo"):
        assert http.get(path, **by_host).status_code == 404, path
    assert http.post("/token", data={"grant_type": "x"}, **by_host).status_code == 404
    moved = http.get("/?a=b", **by_host)
    assert (moved.status_code, moved.headers["Location"]) == (307, f"{OLD}/?a=b")


def test_each_issuer_speaks_for_itself(http: Any, moving_acme: Tenant) -> None:
    for base, path, issuer in (("http://localhost", "/t/acme", OLD), (f"http://{HOST}", "", NEW)):
        found = http.get(f"{path}/.well-known/openid-configuration", base_url=base).get_json()
        assert found["issuer"] == issuer
        assert {
            value.startswith(issuer + "/") for name, value in found.items() if name.endswith("_endpoint")
        } == {True}
        assert http.get(urlsplit(found["jwks_uri"]).path, base_url=base).status_code == 200


def test_rfc9207_iss_tokens_and_pages_follow_the_address(old: RelyingParty, new: RelyingParty) -> None:
    for party, issuer in ((old, OLD), (new, NEW)):
        asked = party.app.test_client().get(f"/t/acme/authorize?{urlencode(party.request())}")
        assert asked.headers["Location"].startswith(f"{issuer}/interaction/login?")
        visit = party.authorize().login("alice")
        assert visit.params["iss"] == issuer
        tokens = party.exchange(visit.code)
        assert party.verified(tokens["id_token"], "web")["iss"] == issuer
        claims = party.verified(tokens["access_token"], issuer)
        assert (claims["iss"], claims["aud"]) == (issuer, issuer)


@pytest.mark.parametrize("first", ["old", "new"])
def test_a_code_does_not_cross_and_is_burned(
    first: str, old: RelyingParty, new: RelyingParty, database: Any
) -> None:
    here, there = (old, new) if first == "old" else (new, old)
    code = here.authorize().login("alice").code
    there.verifier = here.verifier
    answer = there.redeem(code)
    assert (answer.status_code, answer.get_json()["error"]) == (400, "invalid_grant")
    assert here.redeem(code).get_json()["error"] == "invalid_grant"
    assert database("SELECT facts->>'why' FROM audit_log WHERE event = 'code.burned'") == [("code.issuer",)]


def test_access_and_refresh_tokens_cross(old: RelyingParty, new: RelyingParty) -> None:
    tokens = old.sign_in("alice")
    assert new.userinfo(tokens["access_token"]).status_code == 200
    assert new.introspect(tokens["access_token"])["iss"] == OLD
    answer = new.refresh(tokens["refresh_token"])
    assert answer.status_code == 200
    again = answer.get_json()
    assert new.verified(again["id_token"], "web")["iss"] == NEW
    assert old.userinfo(again["access_token"]).status_code == 200
    assert old.introspect(again["access_token"])["active"] is True


def test_the_list_says_who_still_uses_the_old_one(
    old: RelyingParty, new: RelyingParty, frozen: Any, database: Any
) -> None:
    assert issuers.show("acme").clients == ()
    old.sign_in("alice")
    new.sign_in("alice")
    found = issuers.show("acme")
    assert (found.issuer, found.moving_to, found.passkeys) == (OLD, NEW, 0)
    assert found.since is not None and clock.now() - found.since < timedelta(minutes=1)
    assert [one.client_id for one in found.clients] == ["web"]
    first = found.clients[0]
    assert first.old_at is not None and first.new_at is not None
    old.sign_in("bob")
    assert issuers.show("acme").clients[0] == first, "at most once an hour"
    with frozen(clock.now() + timedelta(seconds=moving.EVERY + 60)):
        directory.poll()
        old.sign_in("bob")
    later = issuers.show("acme").clients[0]
    assert later.old_at is not None and later.old_at > first.old_at + timedelta(hours=1)
    assert later.new_at == first.new_at


def test_finish_closes_the_old_address(
    http: Any, old: RelyingParty, new: RelyingParty, database: Any
) -> None:
    before = old.sign_in("alice")
    issuers.finish("acme", NEW, SYSTEM)
    directory.poll()
    for path in ("/.well-known/openid-configuration", "/jwks.json", "/authorize", "/logout", "/userinfo"):
        assert http.get(f"/t/acme{path}").status_code == 404, path
    assert old.refresh(before["refresh_token"]).status_code == 404
    moved = http.get("/t/acme/")
    assert (moved.status_code, moved.headers["Location"]) == (307, f"{NEW}/")
    assert new.userinfo(before["access_token"]).status_code == 401
    answer = new.refresh(before["refresh_token"])
    assert answer.status_code == 200
    assert new.userinfo(answer.get_json()["access_token"]).status_code == 200
    found = issuers.show("acme")
    assert (found.issuer, found.moving_to, found.since, found.clients) == (NEW, None, None, ())
    assert tenants.described(tenants.show("acme"))["issuer"] == NEW
    events = [
        event for (event,) in database("SELECT event FROM audit_log WHERE event LIKE 'issuer.%' ORDER BY id")
    ]
    assert events == ["issuer.move_begun", "issuer.moved"]
    with pytest.raises(Conflict):
        hosts.remove("acme", HOST, SYSTEM)


def test_and_back_to_the_address_without_a_host(http: Any, moving_acme: Tenant) -> None:
    issuers.finish("acme", actor=SYSTEM)
    issuers.begin("acme", OLD, SYSTEM)
    issuers.finish("acme", actor=SYSTEM)
    directory.poll()
    assert http.get("/t/acme/.well-known/openid-configuration").get_json()["issuer"] == OLD
    hosts.remove("acme", HOST, SYSTEM)


def test_cancel_puts_all_back(http: Any, moving_acme: Tenant) -> None:
    with pytest.raises(Conflict):
        hosts.remove("acme", HOST, SYSTEM)
    issuers.cancel("acme", actor=SYSTEM)
    directory.poll()
    assert issuers.show("acme").moving_to is None
    assert http.get("/jwks.json", base_url=f"http://{HOST}").status_code == 404
    assert http.get("/t/acme/jwks.json").status_code == 200


def test_a_page_of_one_address_is_no_page_of_the_other(
    old: RelyingParty, new: RelyingParty, app: Any
) -> None:
    """Cookies belong to an origin, so that a sign-in that was begun at one cannot go on at the other."""
    visit = old.authorize()
    there = ByHost(app)
    assert there.get(visit.page).status_code == 400
    here = Visit(new, there, there.get(f"/authorize?{urlencode(new.request())}")).follow()
    assert local(f"{NEW}{here.page}", new.tenant).startswith("/interaction/login")


def test_where_a_tenant_cannot_move(acme: Tenant, globex: Tenant) -> None:
    hosts.add("acme", "pending.acme.example", SYSTEM)
    prove("globex", "id.globex.example")
    for url in (
        "https://pending.acme.example", "https://id.globex.example", "http://localhost/t/globex", "http://localhost",
        f"{OLD}/", "https://id.acme.example:444", "",
    ):  # fmt: skip
        with pytest.raises(Invalid):
            issuers.begin("acme", url, SYSTEM)
    with pytest.raises(Conflict):
        issuers.begin("acme", OLD, SYSTEM)
    for verb in (issuers.finish, issuers.cancel):
        with pytest.raises(Conflict):
            verb("acme", actor=SYSTEM)
    prove()
    prove("acme", "other.acme.example")
    assert issuers.begin("acme", NEW, SYSTEM) == issuers.begin("acme", NEW, SYSTEM)
    with pytest.raises(Conflict):
        issuers.begin("acme", "https://other.acme.example", SYSTEM)
    with pytest.raises(Conflict):
        issuers.finish("acme", "https://other.acme.example", SYSTEM)


def test_an_api_of_that_name_stands_in_the_way(acme: Tenant) -> None:
    prove()
    with entered(acme):
        apis.create(NEW, {"name": "Taken"}, SYSTEM)
    with pytest.raises(Conflict):
        issuers.begin("acme", NEW, SYSTEM)


@pytest.fixture
def idp(settings: Any, acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> Any:
    """`idp(*arguments)` runs a command on the deployment that is open already: status, output, words."""

    @contextmanager
    def deployment() -> Iterator[Any]:
        with audit.acting(session.actor()):
            yield settings

    monkeypatch.setattr(session, "deployment", deployment)

    def run(*arguments: str) -> tuple[int, str, str]:
        with CliRunner().isolation() as (out, err, _):
            try:
                status = cli.status(list(arguments))
            except SystemExit as end:
                status = int(end.code or 0)
            return status, out.getvalue().decode(), err.getvalue().decode()

    return run


def test_the_commands(idp: Any) -> None:
    prove()
    move = ("tenant", "issuer", "move", "acme")
    status, out, words = idp(*move, "--to", NEW, "--json")
    begun = json.loads(out)
    assert (status, begun["issuer"], begun["moving_to"]) == (0, OLD, NEW)
    assert words == "Passkeys that stop when the move is finished: 0\n"
    status, out, _ = idp("tenant", "issuer", "show", "acme", "--json")
    assert (status, json.loads(out)) == (0, begun)
    assert json.loads(idp("tenant", "show", "acme", "--json")[1])["moving_to"] == NEW
    assert idp(*move, "--to", OLD, "--cancel")[0] == 2
    assert idp(*move, "--finish", "--cancel")[0] == 2
    assert idp(*move)[0] == 2
    status, _, words = idp(*move, "--to", NEW, "--cancel")
    assert (status, words) == (0, f"issuer: {OLD}\nmoving_to: -\nsince: -\npasskeys: 0\n")
    assert idp(*move, "--to", NEW)[0] == 0
    status, out, words = idp(*move, "--to", NEW, "--finish", "--json")
    assert (status, json.loads(out)["issuer"]) == (0, NEW) and words.startswith("Passkeys that stop")
    status, out, words = idp("tenant", "delete", "acme", "--purge", "--json")
    assert status == 0 and "1.5 s" in words
