"""Clients that describe themselves: whose address is fetched, what the document may say, and what it never gets."""

import re
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from idp import clock, fetching, outbound
from idp.control import clients
from idp.oauth import metadata_documents
from idp.registration.names import METADATA
from idp.tenants import Policy, Tenant, entered
from idp.web import errors
from tests.attacks.acting import ask, paged, policy, refused
from tests.attacks.assertions import EC, RSA, assertion, present, public
from tests.receiving import Serving, document_server
from tests.spec.client_id_metadata.describing import CALLBACK, describe, party, said, serving_documents


@pytest.fixture
def server() -> Iterator[Serving]:
    with serving_documents() as serving:
        yield serving


@pytest.fixture
def reads(acme: Tenant) -> Tenant:
    return policy(acme, client_id_metadata_hosts=["*"], registrations=1_000)


def page(answer: Any) -> str:
    """The page as any two refusals must look alike: without what differs from request to request."""
    paged(answer, "invalid_request")
    text = answer.get_data(as_text=True)
    # The links to other languages lead to where one is, so they say what was asked.
    varies = r'nonce="[^"]+"|href="[^"]*ui_locales=[^"]*"'
    return re.sub(varies, "", text.replace(answer.headers["X-Request-Id"], ""))


INSIDE = [
    "https://127.0.0.1/c", "https://10.0.0.1/c", "https://169.254.169.254/latest/meta-data", "https://[fc00::1]/c",
    "https://2130706433/c", "https://0x7f000001/c", "https://[::ffff:127.0.0.1]/c", "https://100.64.0.1/c",
    "https://localhost/c", "https://id.acme.example:22/c", "file:///etc/passwd", "gopher://a.test/c", "ftp://a.test/c",
    "http://a.test/c", "https://user@a.test/c", "https://a.test:443@10.0.0.1/c",
]  # fmt: skip


@pytest.mark.parametrize("client_id", INSIDE)
def test_ss10_no_address_inside_is_reached(
    acme: Tenant, client_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in production: the tenant under https."""
    reached: list[Any] = []
    monkeypatch.setattr(outbound.socket, "create_connection", lambda *args: reached.append(args))
    metadata_documents.forget()
    public_acme = replace(
        acme, issuer="https://id.acme.example", policy=Policy(client_id_metadata_hosts=("*",))
    )
    with entered(public_acme):
        assert metadata_documents.latest(client_id, None) is None
    assert reached == []


def test_ss06_whatever_lies_there_or_nothing_the_answer_is_the_same(
    app: Any, reads: Tenant, server: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Closed, silent, redirecting, too large, no JSON, another kind: one page, so that nobody scans through us."""
    monkeypatch.setattr(
        errors, "details", lambda _: ()
    )  # as in production: what operators learn stays inside
    with document_server() as closed:
        pass
    pages = {
        page(ask(app, reads, client_id=closed.uri)),
        page(ask(app, reads, client_id="https://10.0.0.1/c")),
    }
    pages.add(page(ask(app, reads, client_id="https://nobody.invalid/c")))
    pages.add(page(ask(app, reads, client_id="nobody")))
    for change in (
        {"status": 302, "heads": {"Location": "http://localhost/", "Content-Type": "application/json"}},
        {"status": 404}, {"status": 204}, {"body": b"{"}, {"body": b"[]"}, {"body": b"\xff"}, {"body": b"[" * 5_000},
        {"heads": {"Content-Type": "text/html"}}, {"heads": {"Content-Type": "application/jsonx"}},
        {"heads": {"Content-Type": "application/json", "Content-Encoding": "gzip"}},
        {"body": b'{"client_id": "' + b"x" * 6_000 + b'"}'},
    ):  # fmt: skip
        before = vars(server).copy()
        for name, value in change.items():
            setattr(server, name, value)
        metadata_documents.forget()
        pages.add(page(ask(app, reads, client_id=server.uri)))
        vars(server).update({**before, "asked": server.asked})
    assert len(pages) == 1


def test_ss03_ss10_no_redirect_is_followed(app: Any, reads: Tenant, server: Serving) -> None:
    with document_server() as other:
        describe(other, client_id=server.uri)
        server.status, server.heads = 302, {"Location": other.uri, "Content-Type": "application/json"}
        page(ask(app, reads, client_id=server.uri))
        assert server.asked == 1 and other.asked == 0


def test_ss05_ss10_one_byte_too_many(app: Any, reads: Tenant, server: Serving) -> None:
    size = metadata_documents.LARGEST - len(server.body)
    server.body += b" " * size
    assert party(app, reads, server).authorize().answer.status_code == 200
    metadata_documents.forget()
    server.body += b" "
    page(ask(app, reads, client_id=server.uri))


BAD: list[dict[str, Any]] = [
    {"client_id": "https://other.test/client.json"}, {"client_id": None}, {"client_id": ["x"]},
    {"client_secret": "x" * 40}, {"client_secret_expires_at": 0}, {"client_secret": ""},
    {"token_endpoint_auth_method": "client_secret_basic"}, {"token_endpoint_auth_method": "client_secret_post"},
    {"token_endpoint_auth_method": "client_secret_jwt"}, {"token_endpoint_auth_method": "tls_client_auth"},
    {"token_endpoint_auth_method": ["none"]}, {"token_endpoint_auth_method": "private_key_jwt"},
    {"token_endpoint_auth_method": "private_key_jwt", "jwks": {"keys": [{"kty": "oct", "k": "x" * 43}]}},
    {"token_endpoint_auth_method": "private_key_jwt", "jwks": {"keys": [{**public(EC, "e"), "d": "x" * 43}]}},
    {"redirect_uris": None}, {"redirect_uris": []}, {"redirect_uris": [CALLBACK + "#x"]},
    {"redirect_uris": ["javascript:alert(1)"]}, {"redirect_uris": ["http://app.example.com/cb"]},
    {"redirect_uris": CALLBACK}, {"redirect_uris": ["https://*.example.com/cb"]}, {"grant_types": "authorization_code"},
    {"grant_types": ["client_credentials"]}, {"grant_types": ["implicit"], "response_types": ["id_token"]},
    {"response_types": ["id_token"]}, {"response_types": "code"}, {"client_name": "x\u202ey"}, {"client_name": 1},
    {"subject_type": "pairwise", "sector_identifier_uri": "https://app.example.com/sector.json"},
    {"scope": ["openid"]}, {"id_token_signed_response_alg": "none"}, {"id_token_signed_response_alg": "PS256"},
]  # fmt: skip


@pytest.mark.parametrize("change", BAD, ids=lambda change: "-".join(change))
def test_a_document_that_breaks_a_rule_describes_nobody(
    app: Any, reads: Tenant, server: Serving, change: dict[str, Any], database: Any
) -> None:
    describe(server, **change)
    answer = ask(app, reads, client_id=server.uri, redirect_uri=CALLBACK)
    page(answer)
    assert server.asked == 1
    assert database("SELECT count(*) FROM clients WHERE client_id = %s", server.uri) == [(0,)]


URLS = sorted(name for name in METADATA if name.endswith(("_uri", "_uris")))


@pytest.mark.parametrize("name", URLS)
@pytest.mark.parametrize(
    "bad", ["http://169.254.169.254/", "file:///etc/passwd", "javascript:alert(1)", "https://u@a.test/"]
)
def test_ss10_every_address_in_it_has_the_same_policy(
    app: Any, reads: Tenant, server: Serving, name: str, bad: str
) -> None:
    describe(server, **{name: [bad] if name.endswith("s") else bad})
    page(ask(app, reads, client_id=server.uri, redirect_uri=CALLBACK))
    assert server.asked == 1


@pytest.mark.parametrize("part", ["{host}", "${application.session.host}", "%7Bhost%7D", "*", "<host>"])
def test_ss08_no_address_is_a_template(app: Any, reads: Tenant, server: Serving, part: str) -> None:
    for name in ("redirect_uris", "backchannel_logout_uri", "jwks_uri"):
        uri = f"https://{part}/x"
        describe(server, **{name: [uri] if name.endswith("s") else uri})
        metadata_documents.forget()
        page(ask(app, reads, client_id=server.uri, redirect_uri=CALLBACK))


def test_ss08_a_session_fills_nothing_in_where_we_send(app: Any, reads: Tenant, server: Serving) -> None:
    """What looks like a variable in a path is a path: it is compared, and asked for, as it stands."""
    odd = "https://app.example.com/$client_session_host"
    describe(server, redirect_uris=[odd])
    rp = party(app, reads, server)
    rp.redirect_uri = "https://app.example.com/evil.test"
    paged(rp.authorize().answer, "invalid_redirect_uri")
    rp.redirect_uri = odd
    assert rp.authorize().login("alice").consent().location.startswith(odd + "?")


def test_the_redirect_uri_is_exact(app: Any, reads: Tenant, server: Serving) -> None:
    rp = party(app, reads, server)
    for other in (
        CALLBACK + "/",
        CALLBACK + "?x=1",
        CALLBACK.replace("app.", "evil."),
        CALLBACK.upper(),
        server.uri,
    ):
        rp.redirect_uri = other
        paged(rp.authorize().answer, "invalid_redirect_uri")


def test_no_error_leads_to_an_address_that_a_stranger_wrote_down(
    app: Any, reads: Tenant, server: Serving
) -> None:
    """Not an open redirector (RFC 9700 section 4.11.2): before somebody allowed it every error is a page."""
    rp = party(app, reads, server)
    wrong: list[dict[str, str | None]] = [
        {"prompt": "none"}, {"scope": None}, {"code_challenge": None}, {"response_type": "x"}, {"prompt": "x"},
    ]  # fmt: skip
    for change in wrong:
        paged(rp.authorize(**change).answer)
    assert rp.authorize().login("alice").consent().code
    for change in wrong:
        assert "error" in rp.authorize(**change).params


def test_without_consent_there_is_no_row_no_token_and_no_answer_of_yes(
    app: Any, reads: Tenant, server: Serving, database: Any
) -> None:
    rp = party(app, reads, server)
    visit = rp.authorize().login("alice").consent("deny")
    assert visit.params["error"] == "access_denied"
    assert database("SELECT count(*) FROM clients WHERE client_id = %s", server.uri) == [(0,)]
    refused(rp.redeem("x" * 43), "invalid_client", 401)


def test_the_table_cannot_be_filled(app: Any, acme: Tenant, server: Serving, database: Any) -> None:
    acme = policy(acme, client_id_metadata_hosts=["*"], registered_clients=1)
    rp = party(app, acme, server)
    rp.exchange(rp.authorize().login("alice").consent().code)
    with document_server() as other:
        describe(other)
        second = party(app, acme, other)
        visit = second.authorize().login("alice").consent()
        assert visit.answer.status_code == 403 and 'data-error="access_denied"' in visit.html
    assert database("SELECT count(*) FROM clients WHERE client_id LIKE 'http%%'") == [(1,)]
    assert rp.authorize().login("alice").consent().code, "who is there goes on"


def test_nobody_makes_us_ask_without_end(app: Any, acme: Tenant, server: Serving) -> None:
    acme = policy(acme, client_id_metadata_hosts=["*"], registrations=3)
    for number in range(6):
        answer = ask(app, acme, client_id=f"http://localhost:{server.port}/{number}")
        assert answer.status_code == (400 if number < 3 else 429), number
    assert server.asked == 3


def test_another_tenants_policy_and_clients_are_its_own(
    app: Any, reads: Tenant, globex: Tenant, server: Serving, database: Any
) -> None:
    rp = party(app, reads, server)
    tokens = rp.exchange(rp.authorize().login("alice").consent().code)
    theirs = party(app, globex, server)
    page(ask(app, globex, client_id=server.uri))
    refused(theirs.refresh(tokens["refresh_token"]), "invalid_client", 401)
    assert server.asked == 1
    globex = policy(globex, client_id_metadata_hosts=["*"])
    page(ask(app, globex, client_id="nobody"))
    assert party(app, globex, server).authorize().answer.status_code == 200
    assert server.asked == 2, "what one tenant knows another one does not"
    assert database("SELECT count(*) FROM clients WHERE client_id = %s", server.uri) == [(1,)]


def test_its_registration_has_a_token_that_nobody_has(app: Any, reads: Tenant, server: Serving) -> None:
    rp = party(app, reads, server)
    assert rp.authorize().login("alice").consent().code
    for token in ("", "x" * 43):
        answer = app.test_client().get(
            "/t/acme/register",
            query_string={"client_id": server.uri},
            headers={"Authorization": f"Bearer {token}"},
        )
        assert answer.status_code in (400, 401)


def test_a_stranger_cannot_become_a_client_that_was_deleted(app: Any, reads: Tenant, server: Serving) -> None:
    """What an operator once allowed a client goes with its row, whatever this process remembers of it."""
    rp = party(app, reads, server)
    assert rp.authorize().login("alice").consent().code
    with entered(reads):
        clients.update(server.uri, {"dynamic": False, "require_consent": False})
        assert rp.authorize().login("alice").code
        clients.delete(server.uri)
    assert rp.authorize().login("alice").location == ""


def test_a_suspended_one_stays_suspended(app: Any, reads: Tenant, server: Serving) -> None:
    rp = party(app, reads, server)
    tokens = rp.exchange(rp.authorize().login("alice").consent().code)
    with entered(reads):
        clients.suspend(server.uri)
    metadata_documents.forget()
    describe(server, client_name="New Name")
    page(ask(app, reads, client_id=server.uri))
    refused(rp.refresh(tokens["refresh_token"]), "invalid_client", 401)


def test_the_hot_path_of_other_clients_asks_nothing(
    app: Any, reads: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: Any) -> Any:
        raise AssertionError

    monkeypatch.setattr(outbound, "get", never)
    monkeypatch.setattr(Policy, "reads", never)
    monkeypatch.setattr(fetching.Memory, "get", never)
    answer = present(app, reads, assertion(reads, RSA, "RS256"))
    refused(answer, "invalid_client", 401)


def test_a_slow_server_holds_nobody_longer_than_every_fetch(
    app: Any, reads: Tenant, server: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbound, "SECONDS", 0.3)
    server.wait = 2.0
    began = time.monotonic()
    page(ask(app, reads, client_id=server.uri))
    assert time.monotonic() - began < 2.0 + 1.0 and clock.now()
    assert said(server)["client_id"] == server.uri
