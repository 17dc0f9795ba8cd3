"""Go's go-oidc on x/oauth2, on which kubelogin, oauth2-proxy, Argo CD and Vault stand."""

from typing import Any

import pytest

from idp.control import integrations
from idp.tenants import Tenant, entered
from tests.peers.clients import CALLBACK, SCOPE, secret
from tests.peers.person import Person
from tests.peers.programs import Failed, Program

pytestmark = pytest.mark.slow  # the first time on a machine, because Go compiles its own library too
URL = "http://localhost:3000"


@pytest.fixture
def sign_in(go: Program, issuer: str, person: Person) -> Any:
    """`sign_in(client_id, …)`: what the program tells."""

    def run(client_id: str, **more: Any) -> dict[str, Any]:
        given = {
            "issuer": issuer, "client_id": client_id, "client_secret": secret(client_id),
            "redirect_uri": CALLBACK, "scopes": SCOPE.split(), **more,
        }  # fmt: skip
        return go.run(person, **given)

    return run


@pytest.mark.parametrize(
    ("client_id", "more"), [("basic", {}), ("post", {}), ("public", {"client_secret": ""}), ("signed", {})]
)
def test_code_with_pkce_userinfo_and_refresh(
    sign_in: Any, issuer: str, client_id: str, more: dict[str, str]
) -> None:
    """The library finds out by itself how a secret is sent: what Basic did not open, the form does, with that code.

    `signed` has ES256 and its userinfo as a JWT.
    """
    told = sign_in(client_id, **more)
    assert (told["claims"]["iss"], told["claims"]["aud"]) == (issuer, client_id)
    assert told["claims"]["groups"] == ["engineers"]
    for claims in (told["userinfo"], told["again"]):
        assert (claims["sub"], claims["email"]) == (told["claims"]["sub"], "alice@example.com")


@pytest.mark.parametrize(
    ("client_id", "more", "said"),
    [
        ("public", {"client_secret": "", "spoil": "verifier"}, "invalid_grant"),
        ("basic", {"audience": "somebody-else"}, "expected audience"),
        ("basic", {"client_secret": "x" * 32}, "invalid_client"),
    ],
)
def test_what_does_not_fit_is_refused(sign_in: Any, client_id: str, more: dict[str, str], said: str) -> None:
    with pytest.raises(Failed, match=said):
        sign_in(client_id, **more)


def test_an_issuer_that_differs_by_a_slash_is_no_issuer(go: Program, issuer: str, person: Person) -> None:
    with pytest.raises(Failed):
        go.run(person, issuer=f"{issuer}/", client_id="basic", redirect_uri=CALLBACK, scopes=["openid"])


@pytest.mark.parametrize("product", ["kubernetes", "oauth2-proxy", "argocd", "vault", "grafana"])
def test_the_client_that_a_product_gets_fits_the_library_on_which_it_stands(
    sign_in: Any, tenant: Tenant, product: str
) -> None:
    with entered(tenant):
        made = integrations.create(product, URL)
    metadata = made.made.client.metadata
    told = sign_in(
        product, client_secret=made.made.client_secret or "", redirect_uri=metadata["redirect_uris"][0],
        scopes=metadata["scope"].split(),
    )  # fmt: skip
    assert told["refreshes"] == made.product.refreshes
    assert (told["claims"]["aud"], told["claims"]["groups"]) == (product, ["engineers"])
    if product == "kubernetes":
        assert told["claims"]["preferred_username"] == "alice"
