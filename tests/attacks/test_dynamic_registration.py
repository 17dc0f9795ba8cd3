"""Applications that register themselves, and what they must not get by it (DR)."""

import hmac
import json
from collections.abc import Iterator
from typing import Any

import pytest

from idp.control import clients
from idp.ids import b64
from idp.oauth import client_keys
from idp.tenants import Tenant, entered
from tests.attacks.acting import policy, refused
from tests.attacks.assertions import EC, OTHER, public
from tests.attacks.statements import statement, trusting
from tests.receiving import Serving, document_server
from tests.spec.rfc7591.registering import GOOD, ask, initial, manage, party, registered


@pytest.fixture
def op(acme: Tenant) -> Tenant:
    return policy(acme, client_registration="open", registrations=1000)


def test_dr01_no_expired_used_up_or_foreign_initial_token(
    app: Any, acme: Tenant, globex: Tenant, frozen: Any
) -> None:
    acme, globex = (policy(each, client_registration="token") for each in (acme, globex))
    with frozen("2030-01-01") as time:
        tokens = [initial(globex), initial(acme, lifetime=10), initial(acme, uses=1), "x" * 43]
        registered(app, acme, tokens[2])
        time.tick(11)
        for token in (*tokens, None):
            refused(ask(app, acme, "POST", token, GOOD), "invalid_token", 401)
        registered(app, globex, tokens[0])


def test_dr01_and_dr02_only_digests_are_kept(app: Any, op: Tenant, database: Any) -> None:
    token = initial(op)
    told = registered(app, op, token)
    kept = str(database("SELECT * FROM initial_access_tokens")) + str(database("SELECT * FROM registrations"))
    kept += str(database("SELECT * FROM client_secrets")) + str(
        database("SELECT metadata, settings FROM clients")
    )
    for secret in (token, told["registration_access_token"], told["client_secret"]):
        assert secret not in kept and secret.encode().hex() not in kept


def test_dr02_a_token_manages_its_own_client_alone_and_is_new_after_each_update(app: Any, op: Tenant) -> None:
    mine, other = registered(app, op), registered(app, op)
    stolen = {**other, "registration_access_token": mine["registration_access_token"]}
    for method in ("GET", "PUT", "DELETE"):
        body = {**GOOD, "client_id": other["client_id"]} if method == "PUT" else None
        refused(manage(app, op, stolen, method, body), "invalid_token", 401)
    new = manage(app, op, mine, "PUT", {**GOOD, "client_id": mine["client_id"]}).get_json()
    refused(manage(app, op, mine, "GET"), "invalid_token", 401)
    assert manage(app, op, new, "GET").status_code == 200


PRIVILEGES: list[dict[str, Any]] = [
    {"require_consent": False}, {"dynamic": False}, {"skip_consent": True}, {"first_party": True}, {"trusted": True},
    {"tenant_id": "x"}, {"id": "x"}, {"status": "active"}, {"settings": {"require_consent": False}},
    {"client_secret_any": True}, {"require_pkce": False}, {"allowed_origins": ["https://evil.test"]},
    {"access_token_lifetime": 3600}, {"claims": [{"claim": "admin", "source": "constant", "constant": True}]},
    {"rotate_refresh_tokens": False}, {"assertion_for_token_endpoint": True}, {"__proto__": {"admin": True}},
]  # fmt: skip


@pytest.mark.parametrize("extra", PRIVILEGES, ids=lambda extra: next(iter(extra)))
@pytest.mark.parametrize("way", ["POST", "PUT"])
def test_dr03_nothing_that_only_an_operator_sets(
    app: Any, op: Tenant, extra: dict[str, Any], way: str
) -> None:
    told = registered(app, op, **(extra if way == "POST" else {}))
    if way == "PUT":
        answer = manage(app, op, told, "PUT", {**GOOD, "client_id": told["client_id"], **extra})
        assert answer.status_code == 200, answer.get_data(as_text=True)
    with entered(op):
        made = clients.show(told["client_id"])
    assert made.settings == {"dynamic": True} and made.status == "active"
    assert not set(extra) & set(made.metadata)


def test_dr03_no_name_of_its_own_choice(app: Any, op: Tenant) -> None:
    told = registered(app, op, client_id="web")
    assert told["client_id"] != "web"


def test_dr03_no_scope_and_no_grant_that_reaches_further(app: Any, op: Tenant) -> None:
    told = registered(
        app, op, scope="admin orders.write groups", grant_types=["client_credentials"], redirect_uris=None
    )
    assert told["scope"] == "openid"
    answer = party(app, op, {**told, "redirect_uris": [""]}).post(
        "token", {"grant_type": "client_credentials"}
    )
    refused(answer, "invalid_scope")


def test_dr04_an_update_is_judged_as_a_whole(app: Any, op: Tenant) -> None:
    told = registered(app, op)
    for change in (
        {"token_endpoint_auth_method": "none", "grant_types": ["client_credentials"], "redirect_uris": []},
        {"token_endpoint_auth_method": "private_key_jwt"},
        {"application_type": "native", "redirect_uris": ["javascript:alert(1)"]},
        {"response_types": ["id_token"], "grant_types": ["implicit"]},
        {"redirect_uris": "https://app.example.com/cb"},
        {"redirect_uris": {"0": "https://app.example.com/cb"}},
    ):
        answer = manage(app, op, told, "PUT", {**GOOD, "client_id": told["client_id"], **change})
        assert answer.status_code == 400 and answer.get_json()["error"].startswith("invalid_"), change
    left_out = manage(app, op, told, "PUT", {"client_id": told["client_id"]})
    refused(left_out, "invalid_redirect_uri")
    public = manage(
        app, op, told, "PUT", {**GOOD, "client_id": told["client_id"], "token_endpoint_auth_method": "none"}
    ).get_json()
    rp = party(app, op, {**told, "token_endpoint_auth_method": "client_secret_basic"})
    code = rp.authorize().login("alice").consent().code
    refused(rp.redeem(code), "invalid_client", 401)
    assert "client_secret" not in public


@pytest.mark.parametrize("name", ["id_token_signed_response_alg", "userinfo_signed_response_alg"])
def test_dr03_no_stranger_makes_a_key(app: Any, op: Tenant, name: str, database: Any) -> None:
    before = database("SELECT count(*) FROM signing_keys")
    for alg in ("PS256", "EdDSA"):
        refused(ask(app, op, "POST", None, {**GOOD, name: alg}), "invalid_client_metadata")
        told = registered(app, op)
        answer = manage(app, op, told, "PUT", {**GOOD, "client_id": told["client_id"], name: alg})
        refused(answer, "invalid_client_metadata")
    assert registered(app, op, **{name: "ES256"})[name] == "ES256"
    assert database("SELECT count(*) FROM signing_keys") == before


def test_dr05_no_software_statement_is_taken_on_its_word(app: Any, op: Tenant) -> None:
    for text in ("eyJhbGciOiJub25lIn0.e30.", "x", 5, {}):
        refused(
            ask(app, op, "POST", None, {**GOOD, "software_statement": text}),
            "unapproved_software_statement",
        )


@pytest.mark.parametrize("name", ["a\u202eb", "x" * 10_000, "a\nb", "a\u0000b", "\u2066a"])
def test_dr06_names_that_deceive_are_refused(app: Any, op: Tenant, name: str) -> None:
    answer = ask(app, op, "POST", None, {**GOOD, "client_name": name})
    assert answer.status_code == 400, answer.get_data(as_text=True)


def test_dr06_a_name_is_text_and_nobody_vouches_for_it(app: Any, op: Tenant) -> None:
    rp = party(app, op, registered(app, op, client_name="<img src=x onerror=alert(1)>"))
    page = rp.authorize().html
    assert "<img src=x" not in page and "&lt;img src=x" in page
    consent = rp.authorize().login("alice").html
    assert "not verified" in consent.lower() or "unverified" in consent.lower()


@pytest.mark.parametrize("field", ["logo_uri", "client_uri", "policy_uri", "tos_uri"])
@pytest.mark.parametrize(
    "uri", ["javascript:alert(1)", "data:text/html,x", "http://app.example.com/x", "//evil.test"]
)
def test_dr07_addresses_are_pages_over_https(app: Any, op: Tenant, field: str, uri: str) -> None:
    refused(ask(app, op, "POST", None, {**GOOD, field: uri}), "invalid_client_metadata")


def test_dr10_a_flood_is_held_back(app: Any, acme: Tenant) -> None:
    acme = policy(acme, client_registration="token", registrations=5)
    token = initial(acme)
    answers = [ask(app, acme, "POST", token, GOOD).status_code for _ in range(8)]
    assert answers == [201] * 5 + [429] * 3


@pytest.fixture
def store() -> Iterator[Serving]:
    client_keys.forget()
    with document_server() as said:
        said.keys(public(EC, "e"))
        yield said
    client_keys.forget()


NONE = "eyJhbGciOiJub25lIiwia2lkIjoiZSJ9"
FORGED: list[dict[str, Any]] = [
    {"key": OTHER}, {"exp": 1}, {"exp": 2**41}, {"exp": "soon"}, {"nbf": 2**39}, {"iat": 2**39}, {"software_id": ...},
    {"software_id": 5}, {"software_id": ""}, {"headers": {"kid": "another"}}, {"headers": {"typ": "at+jwt"}},
    {"headers": {"typ": "logout+jwt"}}, {"headers": {"crit": ["exp"]}}, {"aud": "https://another.example.com"},
    {"aud": []}, {"aud": 5}, {"sub": 5},
]  # fmt: skip


@pytest.mark.parametrize("change", FORGED, ids=lambda change: "-".join(change))
def test_dr05_no_statement_that_is_not_whole(
    app: Any, acme: Tenant, store: Serving, change: dict[str, Any]
) -> None:
    acme = trusting(acme, store)
    refused(
        ask(app, acme, "POST", None, {**GOOD, "software_statement": statement(**change)}),
        "invalid_software_statement",
    )


def test_dr05_alg_none_a_public_key_as_secret_and_other_texts(app: Any, acme: Tenant, store: Serving) -> None:
    acme = trusting(acme, store)
    good = statement()
    head, body, signature = good.split(".")
    known = json.dumps(public(EC, "e")).encode()
    mac_head = b64(b'{"alg":"HS256","kid":"e"}')
    mac = f"{mac_head}.{body}.{b64(hmac.digest(known, f'{mac_head}.{body}'.encode(), 'sha256'))}"
    bent = body[:-2] + ("AA" if not body.endswith("AA") else "BB")
    for bad in (
        f"{NONE}.{body}.", f"{NONE}.{body}.{signature}", f"{NONE}.{body}", mac, f"{head}.{bent}.{signature}",
        f"{head}.{body}.{signature[:-3]}AAA", "", "x", "..", good + ".x", good + " ", "a" * 20_000,
        5, [good], {"a": 1}, True,
    ):  # fmt: skip
        refused(
            ask(app, acme, "POST", None, {**GOOD, "software_statement": bad}), "invalid_software_statement"
        )


@pytest.mark.parametrize(
    "iss", ["https://other.example.com", "https://store.example.com/", "", ..., "HTTPS://STORE.EXAMPLE.COM"]
)
def test_dr05_another_issuer_is_not_approved(app: Any, acme: Tenant, store: Serving, iss: Any) -> None:
    acme = trusting(acme, store)
    refused(
        ask(app, acme, "POST", None, {**GOOD, "software_statement": statement(iss=iss)}),
        "unapproved_software_statement",
    )
    assert store.asked == 0


def test_dr05_a_key_in_its_header_is_nobodys(app: Any, acme: Tenant, store: Serving) -> None:
    acme = trusting(acme, store)
    heads = {"jwk": public(OTHER, "e"), "jku": "http://localhost:1/keys", "x5u": "http://localhost:1/x"}
    bad = statement(OTHER, headers=heads)
    refused(ask(app, acme, "POST", None, {**GOOD, "software_statement": bad}), "invalid_software_statement")


def test_dr05_another_tenants_trust_is_its_own(
    app: Any, acme: Tenant, globex: Tenant, store: Serving
) -> None:
    trusting(acme, store)
    globex = policy(globex, client_registration="open")
    refused(
        ask(app, globex, "POST", None, {**GOOD, "software_statement": statement()}),
        "unapproved_software_statement",
    )


def test_dr05_trust_that_ended_ends_updates(app: Any, acme: Tenant, store: Serving) -> None:
    acme = trusting(acme, store)
    told = registered(app, acme, software_statement=statement())
    acme = policy(acme, software_statement_issuers=[])
    body = {**GOOD, "client_id": told["client_id"]}
    refused(manage(app, acme, told, "PUT", body), "unapproved_software_statement")


def test_dr05_an_issuer_that_serves_nothing_signs_nothing(app: Any, acme: Tenant, store: Serving) -> None:
    acme = trusting(acme, store)
    for status, keys in ((500, [public(EC, "e")]), (302, [public(EC, "e")]), (200, [])):
        client_keys.forget()
        store.status = status
        store.keys(*keys)
        refused(
            ask(app, acme, "POST", None, {**GOOD, "software_statement": statement()}),
            "invalid_software_statement",
        )
