"""RFC 7591 §2.3: what an issuer that the tenant trusts says of an application stands above what that says itself."""

from collections.abc import Iterator
from typing import Any

import pytest

from idp.control import clients
from idp.errors import Invalid, InvalidClientMetadata
from idp.oauth import client_keys
from idp.tenants import Policy, Tenant, entered
from tests.attacks.acting import refused
from tests.attacks.assertions import EC, OTHER, public
from tests.attacks.statements import ISSUER, statement, trusting
from tests.receiving import Serving, document_server
from tests.spec.rfc7591.registering import GOOD, ask, initial, manage, party, registered

THEIRS = "https://vouched.example.com/cb"


@pytest.fixture
def server() -> Iterator[Serving]:
    client_keys.forget()
    with document_server() as said:
        said.keys(public(EC, "e"))
        yield said
    client_keys.forget()


@pytest.fixture
def trusts(acme: Tenant, server: Serving) -> Tenant:
    return trusting(acme, server)


def test_2_3_its_claims_win_over_the_request(app: Any, trusts: Tenant, database: Any) -> None:
    signed = statement()
    told = registered(
        app, trusts, software_statement=signed, software_id="mine", tos_uri="https://app.example.com/t"
    )
    assert told["client_name"] == "Vouched For" and told["redirect_uris"] == [THEIRS]
    assert told["software_id"] == "4NRB1-0XZABZI9E6" and told["tos_uri"] == "https://app.example.com/t"
    assert told["software_statement"] == signed, "it is told unmodified (section 3.2.1)"
    assert party(app, trusts, told).authorize().login("alice").consent().location.startswith(THEIRS)
    reason = database(
        "SELECT actor->>'reason' FROM audit_log WHERE event = 'client.created' AND actor->>'id' = %s",
        told["client_id"],
    )
    assert reason == [(f"software statement of {ISSUER} for 4NRB1-0XZABZI9E6",)]


def test_keys_that_it_names_are_the_only_ones(app: Any, trusts: Tenant) -> None:
    told = registered(
        app, trusts, software_statement=statement(jwks={"keys": [public(OTHER, "o")]}),
        jwks_uri="https://app.example.com/keys", token_endpoint_auth_method="private_key_jwt",
    )  # fmt: skip
    assert told["jwks"]["keys"][0]["kid"] == "o" and "jwks_uri" not in told


def test_it_gives_no_more_than_anybody_has(app: Any, trusts: Tenant) -> None:
    signed = statement(
        scope="openid groups orders.read", require_consent=False, dynamic=False, client_id="web"
    )
    told = registered(app, trusts, software_statement=signed)
    assert told["scope"] == "openid" and told["client_id"] != "web"
    with entered(trusts):
        made = clients.show(told["client_id"])
    assert made.setting("dynamic") is True and made.setting("require_consent") is True


def test_it_opens_no_registration_that_is_closed(app: Any, acme: Tenant, server: Serving) -> None:
    closed = trusting(acme, server, client_registration="closed")
    body = {**GOOD, "software_statement": statement()}
    assert ask(app, closed, "POST", None, body).status_code == 404
    by_token = trusting(acme, server, client_registration="token")
    refused(ask(app, by_token, "POST", None, body), "invalid_token", 401)
    assert server.asked == 0, "nobody is asked for somebody who may not register"
    assert registered(app, by_token, initial(by_token), software_statement=statement())["redirect_uris"] == [
        THEIRS
    ]


def test_an_update_stays_below_the_statement(app: Any, trusts: Tenant) -> None:
    signed = statement()
    told = registered(app, trusts, software_statement=signed)
    body = {**GOOD, "client_id": told["client_id"], "client_name": "Mine Again"}
    told = manage(app, trusts, told, "PUT", body).get_json()
    assert told["client_name"] == "Vouched For" and told["redirect_uris"] == [THEIRS]
    assert told["software_statement"] == signed
    newer = statement(client_name="Second Edition")
    told = manage(app, trusts, told, "PUT", {**body, "software_statement": newer}).get_json()
    assert told["client_name"] == "Second Edition" and told["software_statement"] == newer
    assert manage(app, trusts, told, "GET").get_json()["software_statement"] == newer
    refused(
        manage(app, trusts, told, "PUT", {**body, "software_statement": "x"}), "invalid_software_statement"
    )


def test_without_one_or_with_null_everything_is_as_ever(app: Any, trusts: Tenant, server: Serving) -> None:
    for more in ({}, {"software_statement": None}):
        assert "software_statement" not in registered(app, trusts, **more)
    assert server.asked == 0


def test_what_the_statement_says_is_judged_like_everything_else(app: Any, trusts: Tenant) -> None:
    for change, error in (
        ({"redirect_uris": ["http://vouched.example.com/cb"]}, "invalid_redirect_uri"),
        ({"grant_types": ["password"]}, "invalid_client_metadata"),
        ({"id_token_signed_response_alg": "PS256"}, "invalid_client_metadata"),
    ):
        body = {**GOOD, "software_statement": statement(**change)}
        refused(ask(app, trusts, "POST", None, body), error)


@pytest.mark.parametrize(
    "issuers",
    [
        ISSUER,
        [ISSUER],
        [f"{ISSUER} http://keys.example.com"],
        [f"{ISSUER}  https://x.test"],
        [f"{ISSUER} https://x.test y"],
    ],
)
def test_the_policy_is_a_list_of_issuers_with_their_keys(issuers: Any) -> None:
    with pytest.raises(Invalid):
        Policy.parse({"software_statement_issuers": issuers})


def test_an_operator_cannot_keep_what_is_none(acme: Tenant) -> None:
    with entered(acme), pytest.raises(InvalidClientMetadata):
        clients.update("web", {"software_statement": "x"})
