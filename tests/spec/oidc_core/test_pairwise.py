"""Pairwise subjects (OpenID Connect Core 1.0 §8): applications of two sectors cannot tell that they share a person."""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest

from idp import fetching
from idp.control import clients, sectors
from idp.errors import Busy, InvalidClientMetadata, InvalidRedirectUri
from idp.ids import unb64
from idp.store.durable import users
from idp.tenants import Tenant, entered
from tests.attacks.acting import change, client, party
from tests.playing import RelyingParty
from tests.receiving import Serving, document_server

ONE, TWO = "https://one.example.com/cb", "https://two.example.net/cb"


@pytest.fixture
def server() -> Iterator[Serving]:
    sectors.forget()
    with document_server() as said:
        yield said


def made(app: Any, tenant: Tenant, name: str, uri: str = ONE, **fields: Any) -> RelyingParty:
    wanted = {"subject_type": "pairwise", "redirect_uris": [uri], **fields}
    return party(app, tenant, client(tenant, name, secret="s" * 43, **wanted), "s" * 43)


def sub(rp: RelyingParty, username: str = "alice", **changes: str) -> str:
    """The subject as each of the places tells it, which is one."""
    tokens = rp.sign_in(username, scope="openid offline_access", **changes)
    found = {
        rp.verified(tokens["id_token"], rp.client_id)["sub"],
        rp.introspect(tokens["access_token"])["sub"],
        rp.introspect(tokens["refresh_token"])["sub"],
        rp.userinfo(tokens["access_token"]).get_json()["sub"],
    }
    again = rp.refresh(tokens["refresh_token"]).get_json()
    found.add(rp.verified(again["id_token"], rp.client_id)["sub"])
    assert len(found) == 1, found
    return str(found.pop())


def test_tk26_two_sectors_have_two_subjects_one_sector_one(app: Any, acme: Tenant, globex: Tenant) -> None:
    one, two = made(app, acme, "one"), made(app, acme, "two", TWO)
    same = made(app, acme, "same", "https://one.example.com/other")
    public = made(app, acme, "plain", subject_type="public")
    elsewhere = made(app, globex, "one")
    found = [sub(rp) for rp in (one, two, public, elsewhere)]
    assert len(set(found)) == 4 and sub(same) == found[0] == sub(one)
    assert sub(one, "bob") != found[0]
    with entered(acme):
        person = users.by_username("alice")
        assert person is not None and found[2] == str(person.id)
        assert not any(str(person.id) in each or person.id.hex in each for each in (found[0], found[1]))
    assert all(len(each) <= 255 and each.isascii() for each in found)


def test_the_access_token_tells_no_more(app: Any, acme: Tenant) -> None:
    rp = made(app, acme, "one")
    tokens = rp.sign_in("alice", scope="openid")
    with entered(acme):
        person = users.by_username("alice")
    assert person is not None
    for token in (tokens["access_token"], tokens["id_token"]):
        head, body, _ = token.split(".")
        told = unb64(head) + unb64(body)
        assert str(person.id).encode() not in told and person.id.hex.encode() not in told


def test_a_hint_and_a_wish_name_the_person_as_the_client_knows_them(app: Any, acme: Tenant) -> None:
    rp = made(app, acme, "one")
    browser = rp.browser()
    tokens = rp.sign_in("alice", browser, scope="openid")
    mine = rp.verified(tokens["id_token"], "one")["sub"]
    silent = {"prompt": "none", "scope": "openid"}
    assert rp.authorize(browser, id_token_hint=tokens["id_token"], **silent).code
    wish = json.dumps({"id_token": {"sub": {"value": mine}}})
    assert rp.authorize(browser, claims=wish, **silent).code
    with entered(acme):
        person = users.by_username("alice")
    assert person is not None
    real = json.dumps({"id_token": {"sub": {"value": str(person.id)}}})
    assert rp.authorize(browser, claims=real, **silent).params["error"] == "login_required"
    out = {"id_token_hint": tokens["id_token"], "client_id": "one"}
    assert browser.get(f"/t/acme/logout?{urlencode(out)}").status_code == 200


def test_5_the_document_of_a_sector_names_every_redirect_uri(app: Any, acme: Tenant, server: Serving) -> None:
    server.json([ONE, TWO, "https://three.example/cb"])
    one = made(app, acme, "one", sector_identifier_uri=server.uri)
    two = made(app, acme, "two", TWO, sector_identifier_uri=server.uri)
    assert sub(one) == sub(two)
    both = made(app, acme, "both", redirect_uris=[ONE, TWO], sector_identifier_uri=server.uri)
    assert both.sign_in("alice", scope="openid")
    asked = server.asked
    change(acme, "both", client_name="Both")  # nothing of it is new: nobody is asked
    assert server.asked == asked
    with pytest.raises(InvalidClientMetadata):
        change(acme, "both", redirect_uris=[ONE, "https://four.example/cb"])


@pytest.mark.parametrize(
    "served",
    [[], [TWO], [f"{ONE}/"], [ONE.upper()], [ONE, 5], [ONE, None], [[ONE]], {"0": ONE}, ONE, None,
     {"redirect_uris": [ONE]}, [ONE] * 1_001],
)  # fmt: skip
@pytest.mark.parametrize("subject_type", ["pairwise", "public"])
def test_dr08_a_document_that_does_not_name_them_is_refused(
    acme: Tenant, server: Serving, served: Any, subject_type: str
) -> None:
    server.json(served)
    with pytest.raises(InvalidClientMetadata):
        client(acme, "one", redirect_uris=[ONE], subject_type=subject_type, sector_identifier_uri=server.uri)


def test_dr08_what_cannot_be_read_is_refused(acme: Tenant, server: Serving) -> None:
    for body, kind, status in (
        (b"[", "application/json", 200), (b'["\\ud800"', "application/json", 200), (b"[]", "text/html", 200),
        (json.dumps([ONE]).encode(), "application/json", 404), (b"[" * 200_000, "application/json", 200),
        (b" " * 300_000, "application/json", 200),
    ):  # fmt: skip
        server.body, server.heads, server.status = body, {"Content-Type": kind}, status
        sectors.forget()
        with pytest.raises(InvalidClientMetadata):
            client(acme, "one", redirect_uris=[ONE], sector_identifier_uri=server.uri)
    with pytest.raises(InvalidClientMetadata):
        client(acme, "one", redirect_uris=[ONE], sector_identifier_uri="http://10.0.0.1/sector")


@pytest.mark.parametrize(
    "fields",
    [
        {"redirect_uris": [ONE, TWO]},
        {"redirect_uris": ["com.example.app:/cb"], "application_type": "native"},
        {"redirect_uris": [], "grant_types": ["client_credentials"]},
        {"redirect_uris": ["http://127.0.0.1/cb"], "application_type": "native"},
        {"redirect_uris": ["http://localhost/cb"], "application_type": "native"},
        {"redirect_uris": [ONE], "dynamic": True, "backchannel_logout_uri": "https://evil.example/out"},
        {"subject_type": "private"},
    ],
)
def test_8_1_a_client_of_no_sector_is_refused(acme: Tenant, fields: dict[str, Any]) -> None:
    with pytest.raises((InvalidClientMetadata, InvalidRedirectUri)):
        client(acme, "one", **{"subject_type": "pairwise", **fields})


def test_nobody_waits_for_a_slow_host_in_a_queue(
    acme: Tenant, server: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching.PLACES, "of_one", 0)
    with pytest.raises(Busy), entered(acme):
        clients.create("one", {"redirect_uris": [ONE], "sector_identifier_uri": server.uri})


def test_discovery_names_both(app: Any, acme: Tenant) -> None:
    told = app.test_client().get("/t/acme/.well-known/openid-configuration").get_json()
    assert told["subject_types_supported"] == ["public", "pairwise"]
