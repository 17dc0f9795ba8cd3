"""Token exchange (RFC 8693): in a person's name, for no more than was allowed, and everybody can see who acts."""

from typing import Any

import pytest

from idp import directory
from idp.control import apis, clients
from idp.errors import InvalidClientMetadata
from idp.registration import TOKEN_EXCHANGE
from idp.tenants import Tenant, entered
from tests.attacks.acting import change, client, events, party, refused
from tests.playing import RelyingParty, inputs, relying_party
from tests.spec.rfc9449.proving import Key

ACCESS = "urn:ietf:params:oauth:token-type:access_token"
ID_TOKEN = "urn:ietf:params:oauth:token-type:id_token"
API = "https://api.example.com"
SECRET = "g" * 43


def gateway(
    app: Any, tenant: Tenant, name: str = "gateway", *, of: str = "web", **fields: Any
) -> RelyingParty:
    """A service that may exchange tokens of the client `of` for the API, with scopes of its own there."""
    values = {
        "redirect_uris": [],
        "scope": "",
        "grant_types": [TOKEN_EXCHANGE, "client_credentials"],
        "token_exchange": {"subject_clients": [of], "audiences": [API]},
        **fields,
    }
    made = client(tenant, name, secret=SECRET, **values)
    with entered(tenant):
        apis.grant(apis.show(API), made, ("orders.read", "orders.write"))
    directory.forget_all()
    return party(app, tenant, made, SECRET)


def exchange(rp: RelyingParty, token: str, **changes: str | None) -> Any:
    """The answer to an exchange."""
    form: dict[str, str | None] = {
        "grant_type": TOKEN_EXCHANGE, "subject_token": token, "subject_token_type": ACCESS, **changes,
    }  # fmt: skip
    return rp.post("token", {name: value for name, value in form.items() if value is not None})


@pytest.fixture
def web(app: Any, acme: Tenant) -> RelyingParty:
    return relying_party(app, acme)


@pytest.fixture
def service(app: Any, acme: Tenant) -> RelyingParty:
    return gateway(app, acme)


def theirs(web: RelyingParty, scope: str = "openid profile orders.read", browser: Any = None) -> str:
    """A person's token."""
    visit = web.authorize(browser, scope=scope)
    visit = visit.login("alice") if 'id="login-form"' in visit.html else visit
    return str(web.exchange(visit.code)["access_token"])


def test_2_2_1_the_whole_way(web: RelyingParty, service: RelyingParty, acme: Tenant, database: Any) -> None:
    subject = theirs(web)
    answer = exchange(service, subject)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    body = answer.get_json()
    assert set(body) == {"access_token", "token_type", "expires_in", "scope", "issued_token_type"}
    assert body["issued_token_type"] == ACCESS and body["scope"] == "orders.read"
    claims, former = service.verified(body["access_token"], API), web.verified(subject, API)
    assert claims["sub"] == former["sub"] and claims["aud"] == API and claims["client_id"] == "gateway"
    assert claims["act"] == {"sub": "gateway"} and claims["exp"] <= former["exp"]
    told = service.introspect(body["access_token"])
    assert told["active"] and told["act"] == {"sub": "gateway"}
    assert service.userinfo(body["access_token"]).status_code == 401, "the issuer is not in its audience"
    assert events(database, acme, "token.exchanged") == 1
    assert web.userinfo(subject).status_code == 200, "the subject's token is not used up"


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"subject_token_type": None}, "invalid_request"),
        ({"subject_token_type": ID_TOKEN}, "invalid_request"),
        ({"subject_token_type": "urn:ietf:params:oauth:token-type:refresh_token"}, "invalid_request"),
        ({"subject_token": None}, "invalid_request"),
        ({"subject_token": "x"}, "invalid_request"),
        ({"subject_token": "y" * 20_000}, "invalid_request"),
        ({"requested_token_type": ID_TOKEN}, "invalid_request"),
        ({"actor_token": "x"}, "invalid_request"),
        ({"actor_token_type": ACCESS}, "invalid_request"),
        ({"actor_token": "x", "actor_token_type": ACCESS}, "invalid_request"),
        ({"scope": "orders.write"}, "invalid_scope"),
        ({"scope": "orders.read openid"}, "invalid_scope"),
        ({"scope": "unheard-of"}, "invalid_scope"),
        ({"audience": "https://other.example"}, "invalid_target"),
        ({"resource": "https://other.example"}, "invalid_target"),
    ],
)
def test_tx01_tx02_what_is_refused(
    web: RelyingParty, service: RelyingParty, changes: dict[str, str | None], error: str
) -> None:
    refused(exchange(service, theirs(web), **changes), error)


def test_tx02_the_audience_is_never_wider_than_the_subject_s(
    app: Any, acme: Tenant, web: RelyingParty
) -> None:
    """Also where an operator has opened an API: what the person's token is not for, the new one is not for either."""
    rp = gateway(
        app,
        acme,
        scope="profile",
        token_exchange={"subject_clients": ["web"], "audiences": [API, acme.issuer]},
    )
    narrow = theirs(web, "orders.read")
    refused(exchange(rp, narrow, audience=acme.issuer), "invalid_scope")
    assert exchange(rp, narrow, audience=API).get_json()["scope"] == "orders.read"
    plain = theirs(web, "openid profile")
    refused(exchange(rp, plain, audience=API), "invalid_target")
    body = exchange(rp, plain, audience=acme.issuer).get_json()
    assert body["scope"] == "profile" and rp.verified(body["access_token"], acme.issuer)["aud"] == acme.issuer


def test_tx02_nothing_is_open_by_itself(
    app: Any, acme: Tenant, web: RelyingParty, service: RelyingParty
) -> None:
    subject = theirs(web)
    closed = gateway(app, acme, "closed", token_exchange=None)
    refused(exchange(closed, subject), "unauthorized_client")
    refused(exchange(web, subject), "unauthorized_client")
    other = gateway(app, acme, "other", of="spa")
    refused(exchange(other, subject), "invalid_request")
    public = RelyingParty(app, acme, "spa", None, "", "none")
    refused(exchange(public, subject), "invalid_client", 401)


@pytest.mark.parametrize(
    "fields",
    [
        {"token_exchange": {"subject_clients": ["web"]}},
        {"token_exchange": {"subject_clients": [], "audiences": [API]}},
        {"token_exchange": {"subject_clients": ["web"], "audiences": ["*"]}},
        {"token_exchange": {"subject_clients": ["web"], "audiences": [API], "more": True}},
        {
            "token_exchange": {"subject_clients": ["web"], "audiences": [API]},
            "grant_types": ["client_credentials"],
        },
        {"token_endpoint_auth_method": "none"},
    ],
)
def test_what_an_operator_may_not_set(app: Any, acme: Tenant, fields: dict[str, Any]) -> None:
    values = {"redirect_uris": [], "scope": "", "grant_types": [TOKEN_EXCHANGE], **fields}
    with pytest.raises(InvalidClientMetadata):
        client(acme, "wrong", **values)


def test_dr03_nobody_registers_what_is_open(app: Any, acme: Tenant) -> None:
    with entered(acme), pytest.raises(InvalidClientMetadata):
        from idp import registration

        registration.validate(
            {
                "grant_types": [TOKEN_EXCHANGE],
                "token_exchange": {"subject_clients": ["web"], "audiences": [API]},
            },
            settings={},
        )


def test_tx01_of_another_tenant(app: Any, twins: tuple[Tenant, Tenant], web: RelyingParty) -> None:
    subject = theirs(web)
    refused(exchange(gateway(app, twins[1]), subject), "invalid_request")


@pytest.mark.parametrize("what", ["expired", "revoked", "id token", "refresh token", "own token", "forged"])
def test_tx01_no_good_token(web: RelyingParty, service: RelyingParty, frozen: Any, what: str) -> None:
    with frozen() as time:
        body = web.sign_in(scope="openid profile orders.read offline_access")
        token = body["access_token"]
        if what == "expired":
            time.tick(601)
        elif what == "revoked":
            assert web.post("revoke", {"token": token}).status_code == 200
        elif what == "id token":
            token = body["id_token"]
        elif what == "refresh token":
            token = body["refresh_token"]
        elif what == "own token":
            token = service.post("token", {"grant_type": "client_credentials"}).get_json()["access_token"]
        else:
            token = f"{token[:-7]}AAAAAA{token[-1]}"
        refused(exchange(service, token), "invalid_request")


def test_tx03_who_acts_is_told_three_deep_and_no_deeper(app: Any, acme: Tenant, web: RelyingParty) -> None:
    token, expected = theirs(web), None
    for number, name in enumerate(("one", "two", "three")):
        rp = gateway(app, acme, name, of="web" if not number else ("one", "two")[number - 1])
        token = exchange(rp, token).get_json()["access_token"]
        expected = {"sub": name, **({"act": expected} if expected else {})}
        assert rp.verified(token, API)["act"] == expected
    refused(exchange(gateway(app, acme, "four", of="three"), token), "invalid_request")


def test_tx03_a_token_that_names_who_may_act_is_for_nobody_else(
    app: Any, acme: Tenant, web: RelyingParty, service: RelyingParty
) -> None:
    change(acme, "web", may_act="gateway")
    token = theirs(web)
    assert web.verified(token, API)["may_act"] == {"sub": "gateway"}
    refused(exchange(gateway(app, acme, "other"), token), "invalid_request")
    body = exchange(service, token).get_json()
    assert "may_act" not in service.verified(body["access_token"], API)


def test_tx03_the_actor_s_token_is_the_client_s_own(
    app: Any, acme: Tenant, web: RelyingParty, service: RelyingParty
) -> None:
    token = theirs(web)
    own = service.post("token", {"grant_type": "client_credentials"}).get_json()["access_token"]
    body = exchange(service, token, actor_token=own, actor_token_type=ACCESS).get_json()
    assert service.verified(body["access_token"], API)["act"] == {"sub": "gateway"}
    other = gateway(app, acme, "other").post("token", {"grant_type": "client_credentials"}).get_json()
    for actor in (other["access_token"], token):
        refused(exchange(service, token, actor_token=actor, actor_token_type=ACCESS), "invalid_request")


@pytest.mark.parametrize("how", ["sign-out", "revocation", "revocation of the token", "purge"])
def test_tx06_what_was_exchanged_ends_with_what_it_came_from(
    app: Any, acme: Tenant, web: RelyingParty, service: RelyingParty, how: str
) -> None:
    browser = web.browser()
    visit = web.authorize(browser, scope="openid orders.read").login("alice")
    body = web.exchange(visit.code)
    first = exchange(service, body["access_token"]).get_json()
    assert "refresh_token" not in first
    second = gateway(app, acme, "second", of="gateway")
    deeper = exchange(second, first["access_token"]).get_json()["access_token"]
    assert second.introspect(deeper)["active"]
    if how == "sign-out":
        form = {**inputs(browser.get("/t/acme/logout").get_data(as_text=True)), "action": "confirm"}
        assert browser.post("/t/acme/logout/confirm", data=form).status_code == 303
    elif how == "revocation":
        assert web.post("revoke", {"token": body["refresh_token"]}).status_code == 200
    elif how == "revocation of the token":
        other = web.refresh(body["refresh_token"]).get_json()["access_token"]
        spared = exchange(service, other).get_json()["access_token"]
        assert web.post("revoke", {"token": body["access_token"]}).status_code == 200
        assert service.introspect(spared)["active"], "what came from another token of the grant"
    else:
        with entered(acme):
            clients.delete("web")
    assert second.introspect(deeper) == service.introspect(first["access_token"]) == {"active": False}
    refused(exchange(second, first["access_token"]), "invalid_request")


def test_dp10_a_bound_token_becomes_a_bound_token(app: Any, acme: Tenant, service: RelyingParty) -> None:
    key, own = Key(), Key()
    web = relying_party(app, acme)
    visit = web.authorize(scope="openid orders.read").login("alice")
    form = {
        "grant_type": "authorization_code", "code": visit.code, "redirect_uri": web.redirect_uri,
        "code_verifier": web.verifier,
    }  # fmt: skip
    address = f"{acme.issuer}/token"
    bound = web.post("token", form, headers={"DPoP": key.proof(address)}).get_json()
    assert bound["token_type"] == "DPoP"
    refused(exchange(service, bound["access_token"]), "invalid_request")
    asked = {
        "grant_type": TOKEN_EXCHANGE,
        "subject_token": bound["access_token"],
        "subject_token_type": ACCESS,
    }
    body = service.post("token", asked, headers={"DPoP": own.proof(address)}).get_json()
    assert body["token_type"] == "DPoP"
    assert service.verified(body["access_token"], API)["cnf"] == {"jkt": own.thumbprint}
