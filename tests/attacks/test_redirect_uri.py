"""redirect_uri: where an answer goes is compared, never guessed; until it is known, an error is a page."""

from typing import Any

import pytest

from idp.errors import InvalidRedirectUri
from idp.tenants import Tenant
from tests.attacks.acting import ask, client, paged, party, refused
from tests.playing import query, relying_party

CB = "https://app.example.com/cb"


@pytest.fixture
def shop(acme: Tenant) -> Tenant:
    client(acme, "shop", redirect_uris=[CB], token_endpoint_auth_method="none")
    client(
        acme,
        "phone",
        redirect_uris=["http://127.0.0.1/cb", "com.example.app:/cb"],
        application_type="native",
        token_endpoint_auth_method="none",
    )
    return acme


def test_a_registered_redirect_uri_is_answered(app: Any, shop: Tenant) -> None:
    answer = ask(app, shop, client_id="shop", redirect_uri=CB, scope="openid", prompt="none")
    assert answer.status_code == 303 and answer.headers["Location"].startswith(CB + "?error=login_required")


@pytest.mark.parametrize(
    "uri",
    [
        CB + "/",
        CB + "?x=1",
        CB + "#f",
        CB[:-1],
        CB.upper(),
        "HTTPS://app.example.com/cb",
        "https://APP.example.com/cb",
        "https://app.example.com:443/cb",
        "http://app.example.com/cb",
        "https://app.example.com/CB",
        " " + CB,
        CB + " ",
        CB + "%20",
        "https://app.example.com//cb",
    ],
)
def test_ru01_one_character_off_is_a_page(app: Any, shop: Tenant, uri: str) -> None:
    paged(ask(app, shop, client_id="shop", redirect_uri=uri), "invalid_redirect_uri")


@pytest.mark.parametrize(
    "uri",
    [
        "https://app.example.com.evil.test/cb",
        "https://app.example.com@evil.test/cb",
        "https://evil.test/#@app.example.com/cb",
        "https://evil.test/?" + CB,
        "https://app.example.com:x@evil.test/cb",
        "https://evilapp.example.com/cb",
    ],
)
def test_ru02_another_host_in_disguise_is_a_page(app: Any, shop: Tenant, uri: str) -> None:
    paged(ask(app, shop, client_id="shop", redirect_uri=uri), "invalid_redirect_uri")


@pytest.mark.parametrize(
    "uri",
    [
        "https://app.example.com/cb/../evil",
        "https://app.example.com/cb/..;/x",
        "https://app.example.com/cb%2f..",
        "//evil.test",
        "//app.example.com/cb",
        "/cb",
        "https://app.example.com\\@evil.test",
        "https://app.exa\tmple.com/cb",
        "https://app.exa\nmple.com/cb",
        "https://app.example.com/./cb",
        "https:app.example.com/cb",
        "https:///app.example.com/cb",
        "https://app.example.com/%63b",
    ],
)
def test_ru04_tricks_with_paths_and_parsers_are_a_page(app: Any, shop: Tenant, uri: str) -> None:
    paged(ask(app, shop, client_id="shop", redirect_uri=uri), "invalid_redirect_uri")


@pytest.mark.parametrize(
    ("uri", "fits"),
    [
        ("http://127.0.0.1/cb", True),
        ("http://127.0.0.1:51004/cb", True),
        ("http://127.0.0.1:1/cb", True),
        ("http://localhost:1234/cb", False),
        ("http://localhost/cb", False),
        ("http://[::1]:1234/cb", False),
        ("http://127.0.0.1:51004/other", False),
        ("http://127.0.0.1:51004/cb?x", False),
        ("http://127.0.0.2:51004/cb", False),
        ("https://127.0.0.1:51004/cb", False),
        ("http://127.1:51004/cb", False),
        ("http://2130706433:51004/cb", False),
        ("http://127.0.0.1:51004@evil.test/cb", False),
        ("http://127.0.0.1:99999/cb", False),
    ],
)
def test_ru05_the_port_of_a_native_loopback_address_and_nothing_else_is_free(
    app: Any, shop: Tenant, uri: str, fits: bool
) -> None:
    answer = ask(app, shop, client_id="phone", redirect_uri=uri, scope="openid", prompt="none")
    if fits:
        assert answer.status_code == 303 and answer.headers["Location"].startswith(
            uri + "?error=login_required"
        )
    else:
        paged(answer, "invalid_redirect_uri")


def test_ru05_a_web_clients_loopback_port_is_exact(app: Any, acme: Tenant) -> None:
    client(acme, "local", redirect_uris=["http://127.0.0.1:8001/cb"])
    paged(ask(app, acme, client_id="local", redirect_uri="http://127.0.0.1:8002/cb"), "invalid_redirect_uri")


def test_ru07_the_only_registered_one_is_never_assumed(app: Any, shop: Tenant) -> None:
    paged(ask(app, shop, client_id="shop", redirect_uri=None), "missing_redirect_uri")
    paged(ask(app, shop, client_id="shop", redirect_uri=""), "missing_redirect_uri")


def test_ru08_two_of_them_are_none(app: Any, shop: Tenant) -> None:
    http = app.test_client()
    base = "/t/acme/authorize?client_id=shop&response_type=code&scope=openid"
    for other in (CB, "https://evil.test/"):
        paged(http.get(f"{base}&redirect_uri={CB}&redirect_uri={other}"))
        paged(http.post(f"{base}&redirect_uri={CB}", data={"redirect_uri": other}))


@pytest.mark.parametrize(
    "changes",
    [
        {"response_type": "x"},
        {"response_type": None},
        {"scope": "\u00e9"},
        {"scope": None},
        {"prompt": "none login"},
        {"prompt": "x"},
        {"response_mode": "web_message"},
        {"max_age": "-1"},
        {"claims": "{"},
        {"code_challenge": None},
        {"request": "x"},
        {"code_challenge_method": "plain"},
        {"resource": "https://x.example"},
    ],
)
def test_ru09_ru14_no_other_mistake_makes_an_unregistered_uri_reachable(
    app: Any, shop: Tenant, changes: dict[str, str | None]
) -> None:
    # What a client has signed is looked at before the address beside it counts for anything.
    code = "invalid_request_object" if "request" in changes else "invalid_redirect_uri"
    for uri in ("https://evil.test/cb", CB + "/"):
        paged(ask(app, shop, client_id="shop", redirect_uri=uri, **changes), code)
    paged(ask(app, shop, client_id="nobody", redirect_uri=CB, **changes), "invalid_request")
    good = ask(app, shop, client_id="shop", redirect_uri=CB, **changes)
    assert good.status_code == 303 and good.headers["Location"].startswith(CB + "?error=")


@pytest.mark.parametrize(
    "uri",
    [
        "javascript://x/%0aalert(1)",
        "data://x",
        "vbscript://x",
        "file://etc",
        "JaVaScRiPt:alert(1)",
        "data:text/html,x",
        "blob:https://x",
        "about:blank",
        "https://*.evil.test/",
        "https://a\tb/",
        "https://.*",
        "https://app.example.com/*",
        "https://app.example.com/cb#x",
        "https://u@x.example/",
        "https://",
        "app.example.com/cb",
        "",
        "ftp://x.example/",
        "javascript:alert(1)//com.app",
    ],
)
@pytest.mark.parametrize("kind", ["web", "native"])
def test_ru10_ru13_what_is_no_address_of_an_application_is_not_registered(
    acme: Tenant, uri: str, kind: str
) -> None:
    with pytest.raises(InvalidRedirectUri):
        client(acme, "bad", redirect_uris=[uri], application_type=kind)


@pytest.mark.parametrize(
    "uri", ["http://app.example.com/cb", "http://192.0.2.1/cb", "http://localhost.evil.test/cb"]
)
def test_ru11_plain_http_is_for_this_machine_alone(acme: Tenant, uri: str) -> None:
    with pytest.raises(InvalidRedirectUri):
        client(acme, "bad", redirect_uris=[uri])


def test_ru15_the_token_request_names_the_same_uri(app: Any, acme: Tenant, database: Any) -> None:
    rp = relying_party(app, acme)
    for wrong in (
        None,
        "",
        "http://localhost:8001/",
        "http://localhost:8001/callback/",
        "https://evil.test/",
    ):
        code = rp.authorize().login("alice").code
        refused(rp.redeem(code, redirect_uri=wrong), "invalid_grant")
        refused(rp.redeem(code), "invalid_grant")  # and the code is gone
    assert database("SELECT count(*) FROM grants")[0][0] == 0


def test_ru16_a_uri_of_the_other_tenants_twin_is_not_ours(app: Any, acme: Tenant, globex: Tenant) -> None:
    client(globex, "shop", redirect_uris=["https://globex.example.com/cb"])
    client(acme, "shop", redirect_uris=[CB])
    paged(
        ask(app, acme, client_id="shop", redirect_uri="https://globex.example.com/cb"), "invalid_redirect_uri"
    )
    paged(ask(app, globex, client_id="shop", redirect_uri=CB), "invalid_redirect_uri")


@pytest.mark.parametrize(
    ("uri", "kind"), [("com.example.app:/cb", "web"), ("app:/cb", "native"), ("myapp://cb", "native")]
)
def test_ru17_a_private_scheme_is_for_native_clients_and_has_a_dot(acme: Tenant, uri: str, kind: str) -> None:
    with pytest.raises(InvalidRedirectUri):
        client(acme, "bad", redirect_uris=[uri], application_type=kind)


def test_ru17_a_private_scheme_of_a_native_client_is_answered(app: Any, shop: Tenant) -> None:
    answer = ask(
        app, shop, client_id="phone", redirect_uri="com.example.app:/cb", scope="openid", prompt="none"
    )
    assert answer.headers["Location"].startswith("com.example.app:/cb?error=login_required")


def test_ru18_no_step_ever_repeats_a_post(app: Any, acme: Tenant) -> None:
    rp = relying_party(app, acme, "asks")
    seen = []
    visit = rp.authorize()
    post = visit.browser.post

    def watched(*args: Any, **options: Any) -> Any:
        answer = post(*args, **options)
        seen.append(answer.status_code)
        return answer

    visit.browser.post = watched
    visit.login("alice").consent()
    assert visit.code and seen == [303, 303]


def test_ru19_form_post_goes_to_http_alone_and_is_escaped(app: Any, shop: Tenant) -> None:
    answer = ask(app, shop, client_id="phone", redirect_uri="com.example.app:/cb", response_mode="form_post")
    assert answer.status_code == 303 and query(answer.headers["Location"])["error"] == ["invalid_request"]
    evil = '"><script>alert(1)</script>'
    page = ask(
        app,
        shop,
        client_id="shop",
        redirect_uri=CB,
        scope="openid",
        prompt="none",
        response_mode="form_post",
        state=evil,
    )
    text = page.get_data(as_text=True)
    assert page.status_code == 200 and "<script>alert" not in text and "login_required" in text
    assert "&lt;script&gt;alert(1)" in text or "&#34;&gt;&lt;script" in text
    assert "form-action 'self' https://app.example.com" in page.headers["Content-Security-Policy"]


def test_the_query_of_a_registered_uri_is_kept_as_it_is(app: Any, acme: Tenant) -> None:
    uri = "https://app.example.com/cb?dummy1=lorem&dummy2=%7Eipsum"
    rp = party(app, acme, client(acme, "asks2", redirect_uris=[uri], token_endpoint_auth_method="none"))
    visit = rp.authorize().login("alice")
    assert visit.location.startswith(uri + "&code=")
    paged(
        ask(app, acme, client_id="asks2", redirect_uri="https://app.example.com/cb"), "invalid_redirect_uri"
    )
