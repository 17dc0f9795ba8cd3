"""FAPI 2.0 Security Profile by the other variants of the plan: client_auth_type=mtls, sender_constrain=mtls.

What does not depend on them is in `test_security_profile.py`; here are the modules that do, for each variant.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from idp import config
from idp.app import create_app
from idp.config import Settings
from idp.errors import InvalidClientMetadata
from idp.tenants import Tenant
from tests.attacks.acting import change, policy
from tests.attacks.assertions import TYPE
from tests.playing import Visit
from tests.spec.fapi2.driving import Fapi
from tests.spec.fapi2.test_security_profile import no
from tests.spec.rfc8705.certifying import PEER, PROXY, SECRET, Shown, certificate
from tests.spec.rfc9449.proving import Key

VARIANTS = (("mtls", "mtls"), ("private_key_jwt", "mtls"), ("mtls", "dpop"))
CA = certificate("CN=Authority", ca=True)


@dataclass
class OverTls(Fapi):
    """A client that shows a certificate: to prove who it is, to bind its tokens, or both."""

    auth: str = "mtls"
    holder: str = "mtls"
    shown: Shown = field(default_factory=lambda: certificate(by=CA))

    def registered(self, **more: Any) -> "OverTls":
        fields: dict[str, Any] = {}
        if self.auth == "mtls":
            fields = {"token_endpoint_auth_method": "tls_client_auth", "jwks": None,
                      "tls_client_auth_subject_dn": "CN=client,O=Bank,C=DE"}  # fmt: skip
        if self.holder == "mtls":
            fields |= {"tls_client_certificate_bound_access_tokens": True}
        Fapi.registered(self, **fields, **more)
        return self

    def post(
        self, endpoint: str, form: dict[str, str], *, assertion: str | None = None, proof: str | None = "",
        shown: Shown | None = None, bare: bool = False,
    ) -> Any:  # fmt: skip
        """`proof` None: without what binds; `bare`: without any certificate; `shown`: with another one."""
        sent = {"client_id": self.client_id, **form}
        if self.auth == "private_key_jwt":
            sent |= {"client_assertion_type": TYPE, "client_assertion": assertion or self.assertion()}
        left_out = bare or (proof is None and self.holder == "mtls")
        headers = {} if left_out else (shown or self.shown).headers
        if self.holder == "dpop" and proof is not None:
            headers = {**headers, "DPoP": proof or self.holds.proof(self.at(endpoint))}
        path = f"/t/{self.tenant.slug}/{endpoint}"
        return self.app.test_client().post(path, data=sent, headers=headers, environ_base=PEER)

    def userinfo(self, token: str, *, shown: Shown | None = None, bare: bool = False) -> Any:
        """The answer of our own resource."""
        if self.holder == "dpop" and not bare:
            return self.resource.userinfo(token)
        scheme = "DPoP" if self.holder == "dpop" else "Bearer"
        headers = {"Authorization": f"{scheme} {token}", **({} if bare else (shown or self.shown).headers)}
        path = f"/t/{self.tenant.slug}/userinfo"
        return self.app.test_client().get(path, headers=headers, environ_base=PEER)


@pytest.fixture
def app(vault: Settings, twins: tuple[Tenant, Tenant]) -> Iterator[Any]:
    """The application of a deployment whose proxy hands on certificates."""
    mine = vault.with_(
        trusted_proxies=(PROXY,), client_certificate_secret=SECRET, mtls_base_url="https://mtls.localhost"
    )
    config.use(mine)
    try:
        yield create_app(mine)
    finally:
        config.use(vault)


@pytest.fixture
def bank(acme: Tenant) -> Tenant:
    """Acme, which knows an authority of certificates."""
    return policy(acme, client_certificate_authorities=[CA.der])


@pytest.fixture(params=VARIANTS, ids=" and ".join)
def first(request: pytest.FixtureRequest, app: Any, bank: Tenant) -> OverTls:
    auth, holder = request.param
    return OverTls(app, bank, "first", auth=auth, holder=holder).registered()


def test_happy_flow(first: OverTls) -> None:
    pushed = first.push()
    assert pushed.status_code == 201, pushed.get_data(as_text=True)
    visit = first.browse(pushed.get_json()["request_uri"]).login("alice")
    assert set(visit.params) == {"code", "state", "iss"}
    tokens = first.redeem(visit.code).get_json()
    assert tokens["token_type"] == ("Bearer" if first.holder == "mtls" else "DPoP")
    claims = first.rp.verified(tokens["access_token"], first.tenant.issuer)
    bound = (
        {"x5t#S256": first.shown.thumbprint} if first.holder == "mtls" else {"jkt": first.holds.thumbprint}
    )
    assert claims["cnf"] == bound and first.userinfo(tokens["access_token"]).status_code == 200
    told = first.post("introspect", {"token": tokens["access_token"]}).get_json()
    assert told["active"] and told["cnf"] == bound


def test_ensure_holder_of_key_required(first: OverTls) -> None:
    code = first.login().code
    no(first.redeem(code, proof=None), "invalid_request", "invalid_client", "invalid_dpop_proof")
    tokens = first.redeem(code).get_json()
    for answer in (
        first.userinfo(tokens["access_token"], bare=True),
        *(
            [first.userinfo(tokens["access_token"], shown=certificate(by=CA))]
            if first.holder == "mtls"
            else ()
        ),
    ):
        assert answer.status_code == 401
    assert first.userinfo(tokens["access_token"]).status_code == 200


def test_ensure_client_is_who_it_says(first: OverTls) -> None:
    """The certificate, or the assertion, of nobody, of another subject, or of the client's own making is refused."""
    if first.auth != "mtls":
        no(first.push(assertion=first.assertion(key=Key())), "invalid_client")
        return
    wrong = (certificate("CN=other,O=Bank,C=DE", by=CA), certificate(), certificate(by=CA, days=(-9, -1)))
    for endpoint, form in (
        ("par", first.request()),
        ("token", {"grant_type": "refresh_token", "refresh_token": "x"}),
    ):
        for shown in wrong:
            no(first.post(endpoint, form, shown=shown), "invalid_client")
        no(first.post(endpoint, form, bare=True), "invalid_client")
    assert first.push().status_code == 201


def test_ensure_authorization_code_is_bound_to_client(first: OverTls, app: Any, bank: Tenant) -> None:
    second = OverTls(app, bank, "second", auth=first.auth, holder=first.holder).registered()
    code = first.login().code
    no(second.redeem(code, code_verifier=first.rp.verifier), "invalid_grant")
    no(first.redeem(code), "invalid_grant")


def test_refresh_token(first: OverTls) -> None:
    tokens = first.tokens()
    no(
        first.refresh(tokens["refresh_token"], proof=None),
        "invalid_request",
        "invalid_client",
        "invalid_grant",
    )
    answer = first.refresh(tokens["refresh_token"])
    assert answer.status_code == 200, answer.get_data(as_text=True)
    body = answer.get_json()
    assert body.get("refresh_token", tokens["refresh_token"]) == tokens["refresh_token"], "nothing is rotated"
    assert first.userinfo(body["access_token"]).status_code == 200
    assert first.refresh(tokens["refresh_token"]).status_code == 200


def test_ensure_unsigned_authorization_request_without_using_par_fails(first: OverTls) -> None:
    visit = first.rp.authorize()
    assert isinstance(visit, Visit) and visit.params["error"] == "invalid_request"


def test_the_profile_holds_for_what_a_certificate_binds(app: Any, bank: Tenant) -> None:
    one = OverTls(app, bank, "one").registered()
    with pytest.raises(InvalidClientMetadata, match="stolen token"):
        change(bank, "one", tls_client_certificate_bound_access_tokens=False, dpop_bound_access_tokens=False)
    with pytest.raises(InvalidClientMetadata, match="shared secret"):
        change(bank, "one", token_endpoint_auth_method="client_secret_basic", tls_client_auth_subject_dn=None)
    assert one.push().status_code == 201


def test_fapi_client_credentials_grant(app: Any, bank: Tenant) -> None:
    for number, (auth, holder) in enumerate(VARIANTS):
        one = OverTls(app, bank, f"own-{number}", auth=auth, holder=holder).registered(
            grant_types=["client_credentials"], redirect_uris=None, scope="own.things"
        )
        body = one.post("token", {"grant_type": "client_credentials"}).get_json()
        assert set(body) == {"access_token", "token_type", "expires_in", "scope"}
        assert one.rp.verified(body["access_token"], bank.issuer)["cnf"]
        no(
            one.post("token", {"grant_type": "client_credentials"}, proof=None),
            "invalid_request", "invalid_client", "invalid_dpop_proof",
        )  # fmt: skip
