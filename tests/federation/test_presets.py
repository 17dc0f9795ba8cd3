"""Microsoft Entra with an issuer for each directory, GitHub without ID tokens, and what is known by name."""

from typing import Any

import pytest

from idp.control import upstreams, users
from idp.errors import Invalid
from idp.federation import fields
from idp.store.durable import identities
from idp.tenants import Tenant, entered
from tests.federating import Provider
from tests.federation.test_answers_of_an_upstream import Way, leave, nobody, op, refused, trust

__all__ = ["op"]

ONE, TWO = "11111111-aaaa-4aaa-8aaa-111111111111", "22222222-bbbb-4bbb-8bbb-222222222222"
PERSON = "99999999-cccc-4ccc-8ccc-999999999999"


def entra(tenant: Tenant, op: Provider, **changes: Any) -> None:
    """Let the tenant trust every directory of a provider that is like Entra."""
    op.document = {
        "issuer": f"{op.issuer}/{{tenantid}}/v2.0",
        "authorization_response_iss_parameter_supported": None,
    }
    given = {
        "preset": "entra", "issuer": f"{op.issuer}/{{tenantid}}/v2.0",
        "discovery_uri": f"{op.issuer}/organizations/v2.0/.well-known/openid-configuration", **changes,
    }  # fmt: skip
    trust(tenant, op, "microsoft", **given)


def said(way: Way, tid: str = ONE, **changes: Any) -> dict[str, Any]:
    """What Entra says of a person of a directory."""
    plain = {
        "iss": f"{way.op.issuer}/{tid}/v2.0",
        "tid": tid,
        "oid": PERSON,
        "sub": "pairwise-by-application",
    }
    return way.claims(**{**plain, **changes})


def test_entra_a_person_is_directory_and_object(app: Any, acme: Tenant, op: Provider) -> None:
    entra(acme, op)
    subjects = {}
    for tid in (ONE, TWO):
        way = leave(app, acme, op, "microsoft")
        op.claims = said(way, tid)
        subjects[tid] = way.rp.verified(way.rp.exchange(way.back(iss=None).code)["id_token"], "web")["sub"]
    assert subjects[ONE] != subjects[TWO], "one oid in two directories is two people"
    way = leave(app, acme, op, "microsoft")
    op.claims = said(way, ONE, sub="changed-with-the-application")
    again = way.rp.verified(way.rp.exchange(way.back(iss=f"{op.issuer}/{ONE}/v2.0").code)["id_token"], "web")[
        "sub"
    ]
    assert again == subjects[ONE]
    with entered(acme):
        found = identities.find(f"{op.issuer}/{ONE}/v2.0", f"{ONE}.{PERSON}")
        assert found is not None and str(found.user_id) == again
        assert users.show(again).email is None, "a directory that anybody may run proves an address"


@pytest.mark.parametrize("changes", [
    {"tid": TWO}, {"tid": None}, {"tid": "../evil"}, {"tid": "common"}, {"oid": None}, {"oid": ["x"]},
    {"iss": "https://evil.example/v2.0"},
], ids=str)  # fmt: skip
def test_entra_an_issuer_that_is_not_that_of_its_tid(
    app: Any, acme: Tenant, op: Provider, database: Any, changes: dict[str, Any]
) -> None:
    entra(acme, op)
    way = leave(app, acme, op, "microsoft")
    good = said(way)
    op.claims = {name: value for name, value in {**good, **changes}.items() if value is not None}
    refused(way.back(iss=None))
    nobody(database)


def test_entra_only_the_directories_that_are_let_in(
    app: Any, acme: Tenant, op: Provider, database: Any
) -> None:
    entra(acme, op, directories=[ONE], email_verified="as_sent")
    way = leave(app, acme, op, "microsoft")
    op.claims = said(way, TWO)
    refused(way.back(iss=None))
    nobody(database)
    way = leave(app, acme, op, "microsoft")
    op.claims = said(way, ONE)
    sub = way.rp.verified(way.rp.exchange(way.back(iss=None).code)["id_token"], "web")["sub"]
    with entered(acme):
        assert users.show(sub).email == "zoe@corp.example"


@pytest.mark.parametrize(
    "iss", ["{}/common/v2.0", "{}/" + ONE + "/v2.0/", "{}/" + ONE + "/" + TWO + "/v2.0", "x{}"]
)
def test_entra_an_answer_of_another_issuer(app: Any, acme: Tenant, op: Provider, iss: str) -> None:
    entra(acme, op)
    way = leave(app, acme, op, "microsoft")
    op.claims = said(way)
    refused(way.back(iss=iss.format(op.issuer)))


@pytest.mark.parametrize("rule", ["as_sent", "proved_domains"])
def test_entra_no_address_counts_while_anybody_s_directory_may_come(in_acme: Tenant, rule: str) -> None:
    with pytest.raises(Invalid, match="directories"):
        fields.checked({"name": "m", "preset": "entra", "client_id": "us", "email_verified": rule})
    fields.checked(
        {"name": "m", "preset": "entra", "client_id": "us", "email_verified": rule, "directories": [ONE]}
    )


def github(tenant: Tenant, op: Provider, **changes: Any) -> None:
    """Let the tenant trust a provider that is like GitHub."""
    trust(
        tenant, op, "github", preset="github", display_name="Github", emails_endpoint=f"{op.issuer}/emails",
        **{name: f"{op.issuer}/{name}" for name in ("authorization_endpoint", "token_endpoint", "userinfo_endpoint")},
        **changes,
    )  # fmt: skip


def test_github_the_id_is_the_person_whatever_the_login(app: Any, acme: Tenant, op: Provider) -> None:
    op.userinfo = {
        "id": 583_231,
        "login": "octocat",
        "name": "The Octocat",
        "email": "public@anybody.example",
    }
    op.lists = [
        {"email": "other@corp.example", "primary": False, "verified": True},
        {"email": "zoe@corp.example", "primary": True, "verified": True},
    ]
    github(acme, op)
    way = leave(app, acme, op, "github")
    assert way.asked["code_challenge_method"] == "S256" and "nonce" not in way.asked
    assert way.asked["scope"] == "read:user user:email"
    first = way.rp.verified(way.rp.exchange(way.back(iss=None).code)["id_token"], "web")
    assert first["amr"] == ["fed"]
    (asked,) = [each for each in op.asked if each[1] == "/token_endpoint"]
    assert asked[2]["client_secret"] == "a secret of ours, there" and asked[3]["Accept"] == "application/json"
    with entered(acme):
        user = users.show(first["sub"])
        assert user.email == "zoe@corp.example" and user.claims["preferred_username"] == "octocat"
        assert identities.find(op.issuer, "583231") is not None
    op.userinfo = {"id": 583_231, "login": "renamed"}
    way = leave(app, acme, op, "github")
    again = way.rp.verified(way.rp.exchange(way.back(iss=None).code)["id_token"], "web")
    assert again["sub"] == first["sub"]
    op.userinfo = {"id": 7, "login": "octocat"}  # somebody took the name
    way = leave(app, acme, op, "github")
    refused(way.back(iss=None), "taken", 403)


@pytest.mark.parametrize(
    "told", [{}, {"id": None}, {"id": True}, {"id": 0}, {"id": -1}, {"id": [1]}, {"id": ""}], ids=str
)
def test_github_somebody_without_an_id(
    app: Any, acme: Tenant, op: Provider, database: Any, told: dict[str, Any]
) -> None:
    op.userinfo = {"login": "octocat", **told}
    github(acme, op)
    way = leave(app, acme, op, "github")
    refused(way.back(iss=None))
    nobody(database)


@pytest.mark.parametrize("lists", [[], {"email": "x"}, ["zoe@corp.example"], [{"primary": True}], [
    {"email": "zoe@corp.example", "primary": True, "verified": False}]], ids=str)  # fmt: skip
def test_github_addresses_that_prove_nothing(
    app: Any, acme: Tenant, op: Provider, lists: Any, database: Any
) -> None:
    op.userinfo, op.lists = (
        {"id": 1, "login": "octocat", "email": "zoe@corp.example", "email_verified": True},
        lists,
    )
    github(acme, op)
    visit = leave(app, acme, op, "github").back(iss=None)
    if isinstance(lists, dict):
        refused(visit)
        nobody(database)
        return
    assert visit.code
    assert database("SELECT count(*) FROM users WHERE email = 'zoe@corp.example'")[0][0] == 0


def test_what_is_known_by_name_needs_a_client_id_and_no_more(in_acme: Tenant) -> None:
    for name in ("google", "entra", "github"):
        own, kept = fields.checked({"name": name, "preset": name, "client_id": "us"})
        assert kept == {"preset": name} and own["issuer"].startswith("https://")
    google = upstreams.create("google", {"preset": "google", "client_id": "us"}, client_secret="s")
    assert google.issuer == "https://accounts.google.com"
    assert not fields.settings(google).reauthentication and fields.settings(google).display_name == "Google"
    with pytest.raises(Invalid, match="issuer is missing"):
        fields.checked({"name": "okta", "preset": "okta", "client_id": "us"})
