"""draft-ietf-oauth-client-id-metadata-document: a client_id that is the address of what describes the client."""

import datetime as dt
from typing import Any

import pytest

from idp import clock, fetching, upkeep
from idp.control import clients
from idp.errors import Invalid, NotFound
from idp.oauth import metadata_documents
from idp.store.durable import registrations
from idp.tenants import Policy, Tenant, entered
from tests.attacks.acting import change, events, paged, policy, refused
from tests.attacks.assertions import EC, OTHER, assertion, public
from tests.receiving import Serving
from tests.spec.client_id_metadata.describing import CALLBACK, describe, party

DAY = dt.timedelta(days=1)


def discovered(app: Any) -> dict[str, Any]:
    return dict(app.test_client().get("/t/acme/.well-known/openid-configuration").get_json())


def rows(database: Any) -> list[str]:
    found = database("SELECT client_id FROM clients WHERE client_id LIKE 'http%%'")
    return [name for (name,) in found]


def test_6_off_by_default_and_discovery_says_exactly_that(app: Any, acme: Tenant, server: Serving) -> None:
    assert "client_id_metadata_document_supported" not in discovered(app)
    paged(party(app, acme, server).authorize().answer, "invalid_request")
    assert server.asked == 0
    policy(acme, client_id_metadata_hosts=["*"])
    assert discovered(app)["client_id_metadata_document_supported"] is True
    policy(acme, client_id_metadata_hosts=[])
    assert "client_id_metadata_document_supported" not in discovered(app)


@pytest.mark.parametrize("hosts", [["*"], ["localhost"], ["other.test", "localhost"]])
def test_5_the_whole_way_with_a_host_that_policy_names(
    app: Any, acme: Tenant, server: Serving, hosts: list[str], database: Any
) -> None:
    rp = party(app, policy(acme, client_id_metadata_hosts=hosts), server)
    visit = rp.authorize().login("alice")
    assert rows(database) == [], "who has only described itself has no row"
    assert "Describes Itself" in visit.html and "Unverified" in visit.html
    tokens = rp.exchange(visit.consent().code)
    assert rows(database) == [server.uri] and events(database, acme, "client.created") >= 1
    assert rp.userinfo(tokens["access_token"]).get_json()["name"] == "Alice Adams"
    assert rp.refresh(tokens["refresh_token"]).status_code == 200
    claims = rp.verified(tokens["id_token"], server.uri)
    assert claims["aud"] == server.uri
    assert server.asked == 1


def test_8_5_the_page_shows_the_address_its_host_and_where_the_answer_goes(
    app: Any, reads: Tenant, server: Serving
) -> None:
    describe(server, logo_uri="https://app.example.com/logo.png")
    html = party(app, reads, server).authorize().login("alice").html
    assert f">{server.uri}</bdi>" in html
    assert f">localhost:{server.port}</bdi>" in html and ">app.example.com</bdi>" in html
    assert "logo.png" not in html, "a picture of a stranger's choice could be anybody's"


def test_consent_is_asked_each_time_until_an_operator_vouches(
    app: Any, reads: Tenant, server: Serving
) -> None:
    rp = party(app, reads, server)
    browser = rp.browser()
    assert rp.authorize(browser).login("alice").consent().code
    assert rp.authorize(browser).location == ""
    change(reads, server.uri, dynamic=False)
    assert rp.authorize(browser).code


def test_8_4_vouching_ends_when_the_document_says_something_else(
    app: Any, reads: Tenant, server: Serving, later: Any, database: Any
) -> None:
    rp = party(app, reads, server)
    browser = rp.browser()
    assert rp.authorize(browser).login("alice").consent().code
    change(reads, server.uri, dynamic=False)
    describe(server, client_name="Another Name")
    assert rp.authorize(browser).code, "its owner lets it be kept"
    later(metadata_documents.USUAL + 1)
    visit = rp.authorize(browser)
    assert "Another Name" in visit.html and visit.location == ""
    with entered(reads):
        kept = clients.show(server.uri)
    assert kept.metadata["client_name"] == "Another Name" and kept.setting("dynamic") is True
    changed = database("SELECT facts FROM audit_log WHERE event = 'client.updated' ORDER BY id DESC LIMIT 1")
    assert changed[0][0]["changed"] == ["client_name"]


def test_5_2_kept_as_long_as_its_owner_says_within_bounds(
    app: Any, reads: Tenant, server: Serving, later: Any
) -> None:
    rp = party(app, reads, server)
    for said, least, most in (
        ("max-age=0", 50, 61),
        ("max-age=600", 590, 601),
        ("max-age=999999999", 86_000, 86_401),
    ):
        metadata_documents.forget()
        server.heads["Cache-Control"] = said
        before = server.asked
        rp.authorize()
        later(least)
        rp.authorize()
        assert server.asked == before + 1, said
        later(most - least)
        rp.authorize()
        assert server.asked == before + 2, said


def test_5_2_stale_if_error_for_a_day(app: Any, reads: Tenant, server: Serving, later: Any) -> None:
    rp = party(app, reads, server)
    rp.authorize()
    server.status = 500
    later(metadata_documents.USUAL + 1)
    assert rp.authorize().answer.status_code == 200
    later(metadata_documents.STALE)
    paged(rp.authorize().answer, "invalid_request")
    server.status = 200
    later(fetching.AGAIN + 1)
    assert rp.authorize().answer.status_code == 200


def test_5_1_what_was_not_good_is_asked_for_again_but_not_at_once(
    app: Any, reads: Tenant, server: Serving, later: Any
) -> None:
    rp = party(app, reads, server)
    server.status = 404
    for _ in range(3):
        paged(rp.authorize().answer, "invalid_request")
    assert server.asked == 1
    server.status = 200
    later(fetching.AGAIN + 1)
    assert rp.authorize().answer.status_code == 200 and server.asked == 2


def test_what_is_wrong_in_it_now_counts_at_once_and_for_the_row_too(
    app: Any, reads: Tenant, server: Serving, later: Any
) -> None:
    rp = party(app, reads, server)
    rp.exchange(rp.authorize().login("alice").consent().code)
    code = rp.authorize().login("alice").consent().code
    describe(server, client_id="https://other.test/")
    later(metadata_documents.USUAL + 1)
    paged(rp.authorize().answer, "invalid_request")
    refused(rp.redeem(code), "invalid_client", 401)
    server.status = 500
    later(fetching.AGAIN + 1)
    paged(rp.authorize().answer, "invalid_request")


def test_a_redirect_uri_that_was_taken_out_is_none_any_more(
    app: Any, reads: Tenant, server: Serving, later: Any
) -> None:
    rp = party(app, reads, server)
    assert rp.authorize().login("alice").consent().code
    describe(server, redirect_uris=["https://app.example.com/new"])
    later(metadata_documents.USUAL + 1)
    paged(rp.authorize().answer, "invalid_redirect_uri")
    rp.redirect_uri = "https://app.example.com/new"
    assert rp.authorize().login("alice").consent().code


@pytest.mark.parametrize(
    "kind", ["application/json", "application/json; charset=utf-8", "application/cimd+json"]
)
def test_4_media_types_of_json(app: Any, reads: Tenant, server: Serving, kind: str) -> None:
    server.heads["Content-Type"] = kind
    assert party(app, reads, server).authorize().answer.status_code == 200


def test_8_2_a_client_with_keys_proves_itself_and_may_change_them(
    app: Any, reads: Tenant, server: Serving, later: Any
) -> None:
    describe(server, token_endpoint_auth_method="private_key_jwt", jwks={"keys": [public(EC, "e")]})
    rp = party(app, reads, server)

    def redeem(key: Any) -> Any:
        code = rp.authorize().login("alice").consent().code
        form = {
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "client_assertion": assertion(reads, key, iss=server.uri, sub=server.uri),
        }
        return rp.redeem(code, **form)

    assert redeem(EC).status_code == 200
    refused(redeem(OTHER), "invalid_client", 401)
    refused(rp.redeem(rp.authorize().login("alice").consent().code), "invalid_client", 401)
    describe(server, token_endpoint_auth_method="private_key_jwt", jwks={"keys": [public(OTHER, "e")]})
    later(metadata_documents.USUAL + 1)
    assert redeem(OTHER).status_code == 200


def test_of_grants_and_scopes_only_those_of_people(app: Any, reads: Tenant, server: Serving) -> None:
    device = "urn:ietf:params:oauth:grant-type:device_code"
    describe(
        server, scope="openid groups orders.read email",
        grant_types=["authorization_code", "client_credentials", device],
    )  # fmt: skip
    rp = party(app, reads, server)
    assert rp.authorize(scope="openid email").login("alice").consent().code
    with entered(reads):
        kept = clients.show(server.uri)
    assert kept.grant_types == ("authorization_code",) and kept.scopes == ("openid", "email")
    assert kept.settings == {"dynamic": True, "metadata_document": True}


def test_without_the_host_in_the_policy_its_tokens_count_no_more(
    app: Any, reads: Tenant, server: Serving
) -> None:
    rp = party(app, reads, server)
    tokens = rp.exchange(rp.authorize().login("alice").consent().code)
    policy(reads, client_id_metadata_hosts=["other.test"])
    refused(rp.refresh(tokens["refresh_token"]), "invalid_client", 401)
    assert rp.userinfo(tokens["access_token"]).status_code == 401
    paged(rp.authorize().answer, "invalid_request")


def test_7_2_a_client_that_an_operator_made_under_an_address_is_never_read(
    app: Any, reads: Tenant, server: Serving
) -> None:
    with entered(reads):
        fields = {"redirect_uris": [CALLBACK], "token_endpoint_auth_method": "none", "require_consent": False}
        clients.create(server.uri, {**fields, "scope": "openid profile email"})
    assert party(app, reads, server).authorize(scope="openid").login("alice").code
    assert server.asked == 0


def test_unused_it_vanishes_and_used_it_stays(
    app: Any, reads: Tenant, server: Serving, database: Any
) -> None:
    rp = party(app, reads, server)
    rp.exchange(rp.authorize().login("alice").consent().code)
    month = dt.timedelta(seconds=reads.policy.unused_client_lifetime)
    with entered(reads):
        database("UPDATE registrations SET created_at = created_at - %s", month + DAY)
        upkeep.sweep()
        assert clients.show(server.uri), "it is in use"
        database("DELETE FROM grants")
        change(reads, server.uri, dynamic=False)
        assert registrations.purge_described(clock.now()) == 0, "an operator vouches for it"
        change(reads, server.uri, dynamic=True)
        upkeep.sweep()
        with pytest.raises(NotFound):
            clients.show(server.uri)
    assert rp.exchange(rp.authorize().login("alice").consent().code)["access_token"]


@pytest.mark.parametrize(
    ("client_id", "may"),
    [
        ("https://a.test/client.json", True),
        ("https://a.test:8443/x", True),
        ("https://a.test/", True),
        ("https://a.test", False),
        ("http://a.test/client.json", False),
        ("https://a.test/client.json#x", False),
        ("https://a.test/client.json?x=1", False),
        ("https://user@a.test/client.json", False),
        ("https://a.test/../client.json", False),
        ("https://a.test/%2e%2e/client.json", False),
        ("https://A.test/client.json", False),
        ("https://b.a.test/client.json", False),
        ("https://b.test/client.json", False),
        ("https://a.test/" + "x" * 200, False),
        ("web", False),
        ("", False),
    ],
)
def test_3_what_an_address_looks_like(in_acme: Tenant, client_id: str, may: bool) -> None:
    assert Policy.parse({"client_id_metadata_hosts": ["a.test"]}).reads(client_id) is may
    assert not Policy().reads(client_id)


@pytest.mark.parametrize(
    "hosts", ["a.test", ["https://a.test"], ["*.a.test"], [1], ["A.test"], ["a.test"] * 101]
)
def test_the_policy_is_a_list_of_hosts(hosts: Any) -> None:
    with pytest.raises(Invalid):
        Policy.parse({"client_id_metadata_hosts": hosts})


def test_busy_is_said_and_a_known_client_goes_on(
    app: Any, reads: Tenant, server: Serving, later: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    rp = party(app, reads, server)
    rp.authorize()
    monkeypatch.setattr(fetching.PLACES, "strangers", 0)
    later(metadata_documents.USUAL + 1)
    assert rp.authorize().answer.status_code == 200
    metadata_documents.forget()
    assert rp.authorize().answer.status_code == 503
