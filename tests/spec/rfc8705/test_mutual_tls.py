"""OAuth 2.0 Mutual-TLS (RFC 8705): certificates as credentials and as what tokens are bound to.

The proxy that has seen the key is played by its address and by the secret that it shares; `test_nginx.py` has a real
one.
"""

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID

from idp import config
from idp.app import create_app
from idp.config import ConfigError, Settings
from idp.errors import Invalid, InvalidClientMetadata
from idp.tenants import Tenant
from tests.attacks.acting import change, client, party, policy, refused
from tests.playing import RelyingParty, relying_party
from tests.spec.rfc8705.certifying import HEADER, PEER, PROXY, SECRET, Shown, certificate, names
from tests.spec.rfc9449.proving import Key, Prover

ALIAS = "https://mtls.localhost"


@pytest.fixture
def app(vault: Settings, twins: tuple[Tenant, Tenant]) -> Iterator[Any]:
    """The application of a deployment whose proxy hands on certificates."""
    mine = vault.with_(trusted_proxies=(PROXY,), client_certificate_secret=SECRET, mtls_base_url=ALIAS)
    config.use(mine)
    try:
        yield create_app(mine)
    finally:
        config.use(vault)


def own(app: Any, tenant: Tenant, shown: Shown | None, client_id: str = "service", **options: Any) -> Any:
    """Ask for a token in a client's own name, with a certificate."""
    headers = {**({} if shown is None else shown.headers), **options.pop("headers", {})}
    peer = options.pop("peer", PEER)
    form = {"grant_type": "client_credentials", "client_id": client_id, **options}
    return app.test_client().post(f"/t/{tenant.slug}/token", data=form, headers=headers, environ_base=peer)


def service(tenant: Tenant, method: str, client_id: str = "service", **fields: Any) -> None:
    client(
        tenant, client_id, token_endpoint_auth_method=method, grant_types=["client_credentials"],
        redirect_uris=None, scope="own.things", **fields,
    )  # fmt: skip


def jwk(shown: Shown, *, chain: bool = True, **more: Any) -> dict[str, Any]:
    """How a client registers a certificate (RFC 8705 §2.2.2)."""
    return {**Key(shown.key).jwk, "kid": "c", **({"x5c": [shown.der]} if chain else {}), **more}


CA, STRANGE_CA = certificate("CN=Authority", ca=True), certificate("CN=Authority", ca=True)


@pytest.fixture
def pki(acme: Tenant) -> Tenant:
    return policy(acme, client_certificate_authorities=[CA.der])


def test_ca16_2_1_a_subject_is_compared_part_by_part(app: Any, pki: Tenant) -> None:
    service(pki, "tls_client_auth", tls_client_auth_subject_dn="CN=client,O=Bank,C=DE")
    assert own(app, pki, certificate(by=CA)).status_code == 200
    wrong = [
        certificate("C=DE,O=Bank,CN=client", by=CA), certificate("CN=client+OU=x,O=Bank,C=DE", by=CA),
        certificate("CN=client,O=Bank", by=CA), certificate("CN=Client,O=Bank,C=DE", by=CA),
        certificate("CN=client\\00.evil,O=Bank,C=DE", by=CA),
        certificate("CN=client\\ ,O=Bank,C=DE", by=CA),
    ]  # fmt: skip
    for shown in wrong:
        refused(own(app, pki, shown), "invalid_client", 401)
    refused(own(app, pki, None), "invalid_client", 401)


def test_ca16_mt05_whoever_vouches_is_an_authority_of_the_tenant_now(
    app: Any, pki: Tenant, globex: Tenant
) -> None:
    service(pki, "tls_client_auth", tls_client_auth_subject_dn="CN=client,O=Bank,C=DE")
    service(globex, "tls_client_auth", tls_client_auth_subject_dn="CN=client,O=Bank,C=DE")
    leaf = certificate("CN=Authority", by=CA)
    for shown in (
        certificate(), certificate(by=STRANGE_CA), certificate(by=leaf), certificate(by=CA, days=(-9, -1)),
        certificate(by=CA, days=(1, 9)), certificate(by=CA, use=ExtendedKeyUsageOID.SERVER_AUTH),
    ):  # fmt: skip
        refused(own(app, pki, shown), "invalid_client", 401)
    refused(own(app, globex, certificate(by=CA)), "invalid_client", 401)
    assert own(app, pki, certificate(by=CA, use=None)).status_code == 200
    old = certificate("CN=Old", ca=True, days=(-9, -1))
    both = policy(pki, client_certificate_authorities=[old.der, CA.der])
    refused(own(app, both, certificate(by=old)), "invalid_client", 401)
    assert own(app, both, certificate(by=CA)).status_code == 200


@pytest.mark.parametrize(
    ("kind", "good", "other"),
    [
        ("dns", "client.bank.example", "client.bank.example.evil.example"),
        ("uri", "spiffe://bank.example/client", "spiffe://bank.example/client/x"),
        ("ip", "192.0.2.7", "192.0.2.70"), ("ip", "2001:db8::7", "2001:db8::8"),
        ("email", "client@bank.example", "Client@bank.example"),
    ],
)  # fmt: skip
def test_2_1_2_by_every_kind_of_alternative_name(
    app: Any, pki: Tenant, kind: str, good: str, other: str
) -> None:
    service(pki, "tls_client_auth", **{f"tls_client_auth_san_{kind}": good})
    assert own(app, pki, certificate("CN=any", by=CA, names=names(kind, good))).status_code == 200
    both = (*names(kind, other), *names(kind, good))
    assert own(app, pki, certificate("CN=any", by=CA, names=both)).status_code == 200
    refused(own(app, pki, certificate("CN=any", by=CA, names=names(kind, other))), "invalid_client", 401)
    refused(own(app, pki, certificate("CN=any", by=CA)), "invalid_client", 401)
    text = certificate(f"CN={good}", by=CA, names=names("dns", "x.example"))
    refused(own(app, pki, text), "invalid_client", 401)


def test_2_2_signed_by_itself_and_registered(app: Any, acme: Tenant) -> None:
    mine, another = certificate(), certificate()
    service(acme, "self_signed_tls_client_auth", jwks={"keys": [jwk(mine)]})
    assert own(app, acme, mine).status_code == 200
    again = certificate(key=mine.key)  # another certificate of the same key is not the registered one
    for shown in (another, again, None):
        refused(own(app, acme, shown), "invalid_client", 401)
    change(acme, "service", jwks={"keys": [jwk(mine, chain=False, **{"x5t#S256": mine.thumbprint})]})
    assert own(app, acme, mine).status_code == 200
    refused(own(app, acme, again), "invalid_client", 401)
    change(acme, "service", jwks={"keys": [jwk(mine, chain=False)]})
    assert own(app, acme, again).status_code == 200
    refused(own(app, acme, another), "invalid_client", 401)


def test_mt05_one_that_does_not_count_now_or_is_another_clients(
    app: Any, acme: Tenant, globex: Tenant
) -> None:
    mine = certificate()
    old, soon = certificate(days=(-9, -1)), certificate(days=(1, 9))
    service(acme, "self_signed_tls_client_auth", jwks={"keys": [jwk(old), jwk(soon, kid="d")]})
    service(acme, "self_signed_tls_client_auth", "other", jwks={"keys": [jwk(mine)]})
    service(globex, "self_signed_tls_client_auth", jwks={"keys": [jwk(mine)]})
    for shown in (old, soon, mine):
        refused(own(app, acme, shown), "invalid_client", 401)
    assert own(app, acme, mine, "other").status_code == own(app, globex, mine).status_code == 200


def test_mt01_nobody_but_the_proxy_is_believed(app: Any, acme: Tenant) -> None:
    mine = certificate()
    service(acme, "self_signed_tls_client_auth", jwks={"keys": [jwk(mine)]})
    for address in ("127.0.0.1", "203.0.113.9", ""):
        refused(own(app, acme, mine, peer={"REMOTE_ADDR": address}), "invalid_client", 401)
    escaped = quote(mine.pem)
    for value in (
        escaped, f" {escaped}", f"{SECRET[:-1]} {escaped}", f"{SECRET}x {escaped}", f"{SECRET}", f"{SECRET} ",
        f"{SECRET},{escaped}", f"x,{SECRET} {escaped}", f"\u00e4 {escaped}", f"{SECRET} {escaped},{escaped}",
        f"{SECRET} {quote(mine.pem + mine.pem)}", f"{SECRET} %00{escaped}", f"{SECRET} SUCCESS",
        f"{SECRET.upper()} {escaped}", f"{SECRET} x{escaped}", f"{SECRET} {escaped}x",
    ):  # fmt: skip
        refused(own(app, acme, None, headers={HEADER: value}), "invalid_client", 401)
    forwarded = {"X-Forwarded-For": PROXY, **mine.headers}
    refused(
        own(app, acme, None, headers=forwarded, peer={"REMOTE_ADDR": "203.0.113.9"}), "invalid_client", 401
    )


@pytest.mark.parametrize(
    "name",
    [
        "X-Client-Cert", "X-SSL-Client-Cert", "SSL-Client-Cert", "X-SSL-Cert", "Client-Cert", "X-Forwarded-Client-Cert",
        "X-Forwarded-Tls-Client-Cert", "X-ARR-ClientCert", "X-Amzn-Mtls-Clientcert", "X-Client-Certificates",
    ],
)  # fmt: skip
def test_mt01_mt02_no_other_header_says_anything(app: Any, acme: Tenant, name: str) -> None:
    mine = certificate()
    service(acme, "self_signed_tls_client_auth", jwks={"keys": [jwk(mine)]})
    sent = {name: mine.headers[HEADER], "X-SSL-Client-Verify": "SUCCESS", "Connection": HEADER}
    refused(own(app, acme, None, headers=sent), "invalid_client", 401)


def test_mt02_mt03_what_a_stranger_sends_through_the_proxy_replaces_both_or_nothing(
    app: Any, acme: Tenant
) -> None:
    """A certificate out of a public log, beside what the proxy says, in whatever spelling joins or replaces it."""
    victim, thief = certificate(), certificate("CN=thief")
    service(acme, "self_signed_tls_client_auth", jwks={"keys": [jwk(victim)]})
    told, smuggled = thief.headers[HEADER], quote(victim.pem)
    for joined in (smuggled, f"{told},{smuggled}", f"{smuggled},{told}", f"{told}, {SECRET[:5]} {smuggled}"):
        refused(own(app, acme, None, headers={HEADER: joined}), "invalid_client", 401)


def test_ca04_the_method_is_exactly_the_registered_one(app: Any, acme: Tenant) -> None:
    mine = certificate()
    service(acme, "self_signed_tls_client_auth", jwks={"keys": [jwk(mine)]})
    assert own(app, acme, mine).status_code == 200
    refused(own(app, acme, mine, client_secret="s" * 43), "invalid_client", 401)
    form = {"grant_type": "client_credentials", "client_id": "nightly"}
    answer = app.test_client().post("/t/acme/token", data=form, headers=mine.headers, environ_base=PEER)
    refused(answer, "invalid_client", 401)


def test_ca01_who_is_unknown_gets_the_same_answer(app: Any, acme: Tenant) -> None:
    mine = certificate()
    service(acme, "self_signed_tls_client_auth", jwks={"keys": [jwk(certificate())]})
    known, unknown = own(app, acme, mine), own(app, acme, mine, "nobody")
    assert known.data == unknown.data and known.status_code == unknown.status_code == 401


@pytest.fixture
def bound(app: Any, acme: Tenant) -> tuple[RelyingParty, Shown]:
    """A client whose tokens its certificate binds."""
    mine = certificate()
    made = client(
        acme, "bank", token_endpoint_auth_method="self_signed_tls_client_auth", jwks={"keys": [jwk(mine)]},
        tls_client_certificate_bound_access_tokens=True, scope="openid profile offline_access",
    )  # fmt: skip
    return party(app, acme, made), mine


def redeemed(rp: RelyingParty, shown: Shown | None, code: str) -> Any:
    form = {
        "grant_type": "authorization_code", "code": code, "redirect_uri": rp.redirect_uri,
        "code_verifier": rp.verifier, "client_id": rp.client_id,
    }  # fmt: skip
    headers = {} if shown is None else shown.headers
    return rp.app.test_client().post("/t/acme/token", data=form, headers=headers, environ_base=PEER)


def asked(rp: RelyingParty, shown: Shown | None, token: str, scheme: str = "Bearer", **options: Any) -> Any:
    headers = {"Authorization": f"{scheme} {token}", **({} if shown is None else shown.headers)}
    return rp.app.test_client().get("/t/acme/userinfo", headers=headers, environ_base=PEER, **options)


def test_3_tokens_are_bound_to_the_certificate(app: Any, bound: tuple[RelyingParty, Shown]) -> None:
    rp, mine = bound
    tokens = redeemed(rp, mine, rp.authorize().login("alice").code).get_json()
    assert tokens["token_type"] == "Bearer"
    assert rp.verified(tokens["access_token"], rp.tenant.issuer)["cnf"] == {"x5t#S256": mine.thumbprint}
    assert asked(rp, mine, tokens["access_token"]).status_code == 200
    form = {"token": tokens["access_token"], "client_id": "bank"}
    told = (
        app.test_client()
        .post("/t/acme/introspect", data=form, headers=mine.headers, environ_base=PEER)
        .get_json()
    )
    assert told["cnf"] == {"x5t#S256": mine.thumbprint} and told["token_type"] == "Bearer"


def test_mt04_with_another_certificate_or_none(bound: tuple[RelyingParty, Shown]) -> None:
    rp, mine = bound
    token = redeemed(rp, mine, rp.authorize().login("alice").code).get_json()["access_token"]
    for answer in (
        asked(rp, certificate(), token), asked(rp, None, token), asked(rp, certificate(key=mine.key), token),
        asked(rp, mine, token, scheme="DPoP"),
    ):  # fmt: skip
        assert answer.status_code == 401 and answer.get_json()["error"] == "invalid_token"
        assert answer.headers["WWW-Authenticate"].partition(" ")[0] in ("Bearer", "DPoP")
    unbelieved = rp.app.test_client().get(
        "/t/acme/userinfo", headers={"Authorization": f"Bearer {token}", **mine.headers}
    )
    assert unbelieved.status_code == 401


def test_7_1_a_refresh_is_bound_as_well_and_may_be_by_a_new_certificate(
    acme: Tenant, bound: tuple[RelyingParty, Shown]
) -> None:
    rp, mine = bound
    tokens = redeemed(rp, mine, rp.authorize().login("alice").code).get_json()
    renewed = certificate()
    change(acme, "bank", jwks={"keys": [jwk(mine), jwk(renewed, kid="d")]})
    form = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"], "client_id": "bank"}

    def refreshed(shown: Shown | None) -> Any:
        headers = {} if shown is None else shown.headers
        return rp.app.test_client().post("/t/acme/token", data=form, headers=headers, environ_base=PEER)

    refused(refreshed(None), "invalid_client", 401)
    following = refreshed(renewed).get_json()
    assert rp.verified(following["access_token"], acme.issuer)["cnf"] == {"x5t#S256": renewed.thumbprint}


def test_3_4_at_most_one_binding(app: Any, acme: Tenant, bound: tuple[RelyingParty, Shown]) -> None:
    rp, mine = bound
    proof = {"DPoP": Key().proof(f"{acme.issuer}/token")}
    code = rp.authorize().login("alice").code
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": rp.redirect_uri,
            "code_verifier": rp.verifier, "client_id": "bank"}  # fmt: skip
    answer = app.test_client().post(
        "/t/acme/token", data=form, headers={**mine.headers, **proof}, environ_base=PEER
    )
    refused(answer, "invalid_request")
    assert redeemed(rp, mine, code).status_code == 200
    with pytest.raises(InvalidClientMetadata, match="must not stand beside"):
        change(acme, "bank", dpop_bound_access_tokens=True)


def test_4_a_public_clients_refresh_token_stays_with_its_certificate(app: Any, acme: Tenant) -> None:
    change(acme, "spa", tls_client_certificate_bound_access_tokens=True)
    rp, mine = relying_party(app, acme, "spa"), certificate()
    code = rp.authorize().login("alice").code
    refused(redeemed(rp, None, code), "invalid_request")
    tokens = redeemed(rp, mine, code).get_json()
    form = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"], "client_id": "spa"}
    other = app.test_client().post(
        "/t/acme/token", data=form, headers=certificate().headers, environ_base=PEER
    )
    refused(other, "invalid_grant")
    same = app.test_client().post("/t/acme/token", data=form, headers=mine.headers, environ_base=PEER)
    assert same.status_code == 200


def test_5_the_aliases_are_told_and_answer(app: Any, acme: Tenant) -> None:
    document = app.test_client().get("/t/acme/.well-known/openid-configuration").get_json()
    assert document["tls_client_certificate_bound_access_tokens"] is True
    assert {"tls_client_auth", "self_signed_tls_client_auth"} <= set(
        document["token_endpoint_auth_methods_supported"]
    )
    aliases = document["mtls_endpoint_aliases"]
    assert aliases["token_endpoint"] == f"{ALIAS}/t/acme/token" and "authorization_endpoint" not in aliases
    assert {"userinfo_endpoint", "pushed_authorization_request_endpoint"} <= set(aliases) <= set(document)
    mine = certificate()
    service(acme, "self_signed_tls_client_auth", jwks={"keys": [jwk(mine)]})
    there = {"Host": "mtls.localhost", **mine.headers}
    form = {"grant_type": "client_credentials", "client_id": "service"}
    answer = app.test_client().post("/t/acme/token", data=form, headers=there, environ_base=PEER)
    assert answer.status_code == 200
    for path in ("/t/acme/authorize", "/t/acme/interaction/login", "/t/acme/logout", "/t/acme/", "/"):
        assert app.test_client().get(path, headers={"Host": "mtls.localhost"}).status_code == 404, path


def test_5_a_proof_may_name_the_alias(app: Any, acme: Tenant) -> None:
    prover = Prover(relying_party(app, acme, "nightly"))
    form = {"grant_type": "client_credentials"}
    for place, status in ((f"{ALIAS}/t/acme/token", 200), (f"{ALIAS}/t/globex/token", 400)):
        answer = prover.rp.post("token", form, headers={"DPoP": prover.key.proof(place)})
        assert answer.status_code == status


def test_nothing_of_it_where_no_proxy_is_configured(vault: Settings, acme: Tenant) -> None:
    plain = create_app(vault)
    mine = certificate()
    service(acme, "self_signed_tls_client_auth", jwks={"keys": [jwk(mine)]})
    refused(own(plain, acme, mine), "invalid_client", 401)
    document = plain.test_client().get("/t/acme/.well-known/openid-configuration").get_json()
    assert (
        "tls_client_certificate_bound_access_tokens" not in document
        and "mtls_endpoint_aliases" not in document
    )
    assert not {"tls_client_auth", "self_signed_tls_client_auth"} & set(
        document["token_endpoint_auth_methods_supported"]
    )


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, "tls_client_auth_subject_dn"),
        (
            {"tls_client_auth_san_dns": "a.example", "tls_client_auth_san_ip": "192.0.2.1"},
            "tls_client_auth_subject_dn",
        ),
        ({"tls_client_auth_subject_dn": "nothing"}, "distinguished name"),
        ({"tls_client_auth_subject_dn": "CN=a\\00b"}, "distinguished name"),
        ({"tls_client_auth_subject_dn": 7}, "distinguished name"),
        ({"tls_client_auth_san_dns": "*.example"}, "host name"),
        ({"tls_client_auth_san_uri": "no uri"}, "URI"),
        ({"tls_client_auth_san_ip": "192.0.2.300"}, "address"),
        ({"tls_client_auth_san_email": "nobody"}, "tls_client_auth_san_email"),
    ],
)
def test_2_1_2_registration_says_in_one_way_whose_it_is(
    acme: Tenant, fields: dict[str, Any], said: str
) -> None:
    with pytest.raises(InvalidClientMetadata, match=said):
        service(acme, "tls_client_auth", **fields)


@pytest.mark.parametrize("wrong", ["A" * 400, certificate("CN=leaf").der, CA.der[:-40]])
def test_a_policy_names_authorities_and_nothing_else(acme: Tenant, wrong: str) -> None:
    with pytest.raises(Invalid, match="client_certificate_authorities"):
        policy(acme, client_certificate_authorities=[CA.der, wrong])


def test_2_2_2_and_whose_keys(acme: Tenant) -> None:
    with pytest.raises(InvalidClientMetadata, match="jwks"):
        service(acme, "self_signed_tls_client_auth")
    with pytest.raises(InvalidClientMetadata, match="only for tls_client_auth"):
        change(acme, "web", tls_client_auth_san_dns="a.example")


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"client_certificate_secret": "short"}, "IDP_CLIENT_CERTIFICATE_SECRET"),
        (
            {"client_certificate_secret": "with a blank and more than thirty-two"},
            "IDP_CLIENT_CERTIFICATE_SECRET",
        ),
        ({"client_certificate_secret": SECRET, "trusted_proxies": ()}, "IDP_TRUSTED_PROXIES"),
        ({"mtls_base_url": "https://m.example"}, "IDP_MTLS_BASE_URL"),
        ({"client_certificate_secret": SECRET, "mtls_base_url": "http://m.example"}, "IDP_MTLS_BASE_URL"),
        ({"client_certificate_secret": SECRET, "mtls_base_url": "https://m.example/x"}, "IDP_MTLS_BASE_URL"),
    ],
)
def test_settings_fail_closed(given: dict[str, Any], field: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Settings.load({}, **{"trusted_proxies": (PROXY,), **given})
    assert caught.value.field == field
