"""redirect_uri and client metadata at registration: every door passes the one validator (RU, DR, OX, PA, TK)."""

import pytest

from idp import registration, urls
from idp.audit import SYSTEM
from idp.control import apis, clients, users
from idp.errors import Conflict, Invalid, InvalidClientMetadata, InvalidRedirectUri
from idp.tenants import Branding

NATIVE = {"application_type": "native"}


def register(*uris, **metadata):
    return clients.create("shop", {"redirect_uris": list(uris), **metadata}, SYSTEM)


def refused(*uris, **metadata):
    with pytest.raises(InvalidRedirectUri) as refusal:
        register(*uris, **metadata)
    assert refusal.value.status == 400
    assert refusal.value.code == "invalid_redirect_uri"


@pytest.mark.parametrize("given", ["https://app.test/cb/", "https://app.test/cb?x=1", "https://APP.test/cb"])
def test_ru01_registered_uris_are_compared_exactly(given):
    assert not urls.same_redirect("https://app.test/cb", given, native=False)
    assert not urls.same_redirect("https://app.test/cb", given, native=True)


@pytest.mark.parametrize(
    "uri", ["https://app.test@evil.test/cb", "https://evil.test/#@app.test/cb", "https://a:b@x.test/"]
)
def test_ru02_userinfo_and_fragments_cannot_be_registered(in_acme, uri):
    refused(uri)
    refused(uri, **NATIVE)
    assert not urls.same_redirect("https://app.test/cb", uri, native=True)


@pytest.mark.parametrize(
    "uri",
    ["https://app.test/cb/../evil", "https://app.test/cb/..;/x", "https://app.test/cb%2f..", "//evil.test/cb",
     "https://app.test\\@evil.test", "https://ap\tp.test/cb", "https://app.test/cb\n", "https://app.test/%2e%2e/",
     "https://app.test//evil.test", "https://app.test/%5cevil", "https://app.test/%0aevil", "https://app.test/%252f"],
)  # fmt: skip
def test_ru04_path_tricks_cannot_be_registered(in_acme, uri):
    refused(uri)


def test_ru05_loopback_is_exact_but_for_the_port_of_a_native_client():
    assert not urls.same_redirect("http://127.0.0.1/cb", "http://localhost:1234/cb", native=True)
    assert not urls.same_redirect("http://127.0.0.1/cb", "http://127.0.0.1:1234/cb", native=False)
    assert urls.same_redirect("http://127.0.0.1/cb", "http://127.0.0.1:1234/cb", native=True)


@pytest.mark.parametrize(
    "uri",
    ["javascript://x/%0aalert(1)", "javascript:alert(1)", "JaVaScRiPt:alert(1)", "data://x", "data:text/html,x",
     "vbscript://x", "file:///etc/passwd", "blob:https://app.test/x", "about:blank", "\x01javascript:alert(1)"],
)  # fmt: skip
def test_ru10_ox02_no_scheme_that_runs_or_reads(in_acme, uri):
    refused(uri)
    refused(uri, **NATIVE)
    refused("https://app.test/cb", uri)
    with pytest.raises(InvalidClientMetadata):
        register("https://app.test/cb", post_logout_redirect_uris=[uri])


@pytest.mark.parametrize("uri", ["http://app.test/cb", "http://localhost.evil.test/cb", "http://10.0.0.1/cb"])
def test_ru11_http_is_for_this_machine_only(in_acme, uri):
    refused(uri)
    refused(uri, **NATIVE)


@pytest.mark.parametrize(
    "uri", ["https://.*", "https://*.app.test/cb", "https://app.test/*", "https://app[.]test/", "*"]
)
def test_ru13_there_are_no_patterns(in_acme, uri):
    refused(uri)


def test_ru13_a_dot_is_a_dot():
    assert not urls.same_redirect("https://app.test/cb", "https://appxtest/cb", native=False)


def test_ru17_private_use_schemes_are_native_and_have_a_dot(in_acme):
    refused("com.app:/cb")
    refused("myapp:/cb", **NATIVE)
    refused("myapp://cb", **NATIVE)
    assert register("com.app:/cb", **NATIVE).client.redirect_uris == ("com.app:/cb",)


@pytest.mark.parametrize(
    "name", ["first_party", "skip_consent", "tenant_id", "client_secret_any_", "is_admin", "id"]
)
def test_dr03_only_what_is_on_the_list(in_acme, name):
    with pytest.raises(InvalidClientMetadata):
        register("https://app.test/cb", **{name: True})


def test_dr03_metadata_never_carries_an_operators_setting(in_acme):
    for name in ("require_consent", "require_pkce", "claims", "allowed_origins", "rotate_refresh_tokens"):
        with pytest.raises(InvalidClientMetadata):
            registration.validate({"redirect_uris": ["https://app.test/cb"], name: True}, settings={})


def test_dr04_every_update_checks_the_whole(in_acme):
    register("com.app:/cb", **NATIVE)
    with pytest.raises(InvalidRedirectUri):
        clients.update("shop", {"application_type": "web"})
    with pytest.raises(InvalidRedirectUri):
        clients.update("shop", {"redirect_uris": ["javascript:alert(1)"]})
    with pytest.raises(InvalidRedirectUri):
        clients.update("shop", {"application_type": None})
    assert clients.show("shop").redirect_uris == ("com.app:/cb",)


def test_dr04_a_client_that_becomes_public_loses_its_secrets_and_one_that_stops_gets_one(in_acme):
    made = register("https://app.test/cb")
    assert made.client_secret
    assert clients.update("shop", {"token_endpoint_auth_method": "none"}).client.secrets == ()
    again = clients.update("shop", {"token_endpoint_auth_method": None})
    assert again.client_secret
    assert again.client_secret != made.client_secret


@pytest.mark.parametrize(
    "name", ["a\u202eb", "a\u200bb", "a\nb", "x" * 65, "", " x", "a\x00b", "a\u2069b", "\ud800"]
)
def test_dr06_names_that_deceive(in_acme, name):
    with pytest.raises(InvalidClientMetadata):
        register("https://app.test/cb", client_name=name)


@pytest.mark.parametrize("field", ["logo_uri", "client_uri", "policy_uri", "tos_uri", "initiate_login_uri"])
@pytest.mark.parametrize(
    "uri", ["javascript:alert(1)", "data:text/html,x", "http://app.test/", "//app.test/", "ftp://x.test/"]
)
def test_dr07_pages_are_https(in_acme, field, uri):
    with pytest.raises(InvalidClientMetadata):
        register("https://app.test/cb", **{field: uri})


@pytest.mark.parametrize(
    "given",
    [{"primary_color": "red;} body{display:none"}, {"primary_color": "#fff"}, {"font": "url(https://evil.test)"},
     {"logo_uri": "javascript:alert(1)"}, {"radius": "8px"}, {"css": "x"}, {"primary_color": "#0b5fff\n"}],
)  # fmt: skip
def test_ox04_branding_is_tokens_not_css(given):
    with pytest.raises(Invalid):
        Branding.parse(given)


def test_ca07_secrets_are_digests_and_two_work_at_a_time(in_acme, database):
    from idp import clock

    first = register("https://app.test/cb").client_secret
    second = clients.rotate_secret("shop").client_secret
    third = clients.rotate_secret("shop").client_secret
    shop = clients.show("shop")
    assert [shop.secret_matches(secret, clock.now()) for secret in (first, second, third)] == [
        False,
        True,
        True,
    ]
    rows = str(database("SELECT * FROM client_secrets")) + str(database("SELECT * FROM clients"))
    assert not any(secret in rows for secret in (first, second, third))


@pytest.mark.parametrize("secret", ["x" * 31, "x" * 257, "x" * 31 + "\u00e9", "x" * 31 + "\n", "", 5, None])
def test_ca07_an_operators_secret_has_32_characters(in_acme, secret):
    if secret is None:
        return
    with pytest.raises(InvalidClientMetadata):
        clients.create("shop", {"redirect_uris": ["https://app.test/cb"]}, client_secret=secret)


def test_ca18_an_expired_secret_is_none(in_acme, frozen):
    import datetime as dt

    from idp import clock

    with frozen() as time:
        until = clock.now() + dt.timedelta(minutes=10)
        made = clients.create("shop", {"redirect_uris": ["https://app.test/cb"]}, expires_at=until)
        assert made.client_secret_expires_at == int(until.timestamp())
        assert clients.show("shop").secret_matches(made.client_secret, clock.now())
        time.tick(601)
        assert not clients.show("shop").secret_matches(made.client_secret, clock.now())


@pytest.mark.parametrize("name", ["\u0430l\u0456\u0441\u0435", "\uff41lice", "ALICE", "\u0251lice"])
def test_pa13_a_name_that_looks_like_alice_is_not_free(in_acme, name):
    with pytest.raises((Conflict, Invalid)):
        users.create({"username": name})


@pytest.mark.parametrize(
    "name", ["alice ", "al\u200bice", "al\u00adice", "ali\u0441e", "\u202ealice", "al ice"]
)
def test_pa13_names_that_deceive_are_refused(in_acme, name):
    with pytest.raises(Invalid):
        users.create({"username": name})


def test_pa13_a_username_is_nobody_elses_address(in_acme):
    with pytest.raises(Conflict):
        users.create({"username": "bob@example.com"})
    users.create({"username": "dora@example.com", "email": "dora@example.com"})
    with pytest.raises(Conflict):
        users.update("alice", {"username": "BOB@example.com"})


@pytest.mark.parametrize(
    "address", ['"a@b"@evil.test', "a@evil.test,bob@example.com", "a@@b.test", "a(x)@b.test", "a@b"]
)
def test_pa14_addresses_are_a_strict_subset(in_acme, address):
    with pytest.raises(Invalid) as refusal:
        users.create({"username": "dora", "email": address})
    assert refusal.value.rule == "email"


@pytest.mark.parametrize(
    "claim", ["iss", "sub", "aud", "exp", "nonce", "acr", "tenant_id", "cnf", "email_verified"]
)
def test_tk19_reserved_claims_cannot_be_configured(in_acme, claim):
    with pytest.raises(InvalidClientMetadata):
        register("https://app.test/cb", claims=[{"claim": claim, "constant": "x"}])
    with pytest.raises(Invalid):
        apis.create("https://stock.test", {"claims": [{"claim": claim, "constant": "x"}]})


@pytest.mark.parametrize(
    "name", ["password", "tenant_id", "sub", "is_superadmin", "not_before", "roles", "id"]
)
def test_ad02_people_have_no_other_fields(in_acme, name):
    if name == "password":
        return
    with pytest.raises(Invalid):
        users.create({"username": "dora", name: "x"})
    with pytest.raises(Invalid):
        users.create({"username": "dora", "attributes": {"email_verified": True}})
