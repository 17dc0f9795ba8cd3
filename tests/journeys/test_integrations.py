"""`idp client create --for`: the client that each product needs, the other side's configuration, and that it works."""

import configparser
import json
import re
import subprocess
import tomllib
from urllib.parse import urlsplit

import jwt as pyjwt
import pytest
import yaml

from idp import registration
from idp.control import apis, clients
from idp.control.integrations import NAMES, PRODUCTS
from idp.control.integrations.made import configuration
from idp.tenants import entered
from tests.playing import RelyingParty

URL = "http://localhost:3000"
SECRETS = {"client_secret_basic", "client_secret_post"}


@pytest.fixture
def make(idp):
    """`make(product, *more)` runs the command for acme; the JSON that it answers."""

    def run(product, *more, url=URL):
        status, out, err = idp(
            "client", "create", "--tenant", "acme", "--for", product, "--url", url, *more, "--json"
        )
        assert status == 0, err
        return json.loads(out)

    return run


def parsed(name: str, text: str) -> None:
    """Raises where the file is not of its syntax; Java, C#, TypeScript and Ruby are looked at for brackets alone."""
    match name.rpartition(".")[2]:
        case "yaml":
            assert yaml.safe_load(text)
        case "json":
            assert json.loads(text)
        case "cfg":
            assert tomllib.loads(text)
        case "ini":
            found = configparser.ConfigParser(interpolation=None)
            found.read_string(text)
            assert found.sections()
        case "sh" | "env":
            subprocess.run(["sh", "-n"], input=text, text=True, check=True)
        case _:
            assert all(text.count(one) == text.count(other) for one, other in ("()", "[]", "{}"))


@pytest.mark.parametrize("product", PRODUCTS, ids=NAMES)
def test_the_client_is_as_the_product_needs_it_and_its_configuration_says_so(make, acme, product):
    made = make(product.name)
    assert (made["client_id"], made["for"], made["status"]) == (product.name, product.name, "active")
    assert made["token_endpoint_auth_method"] == product.method
    assert made["id_token_signed_response_alg"] == product.alg
    assert made["scope"].split() == list(product.scopes)
    assert all(
        uri.startswith((URL, "http://localhost:", "http://127.0.0.1/")) for uri in made["redirect_uris"]
    )
    assert ("client_secret" in made) == (product.method in SECRETS)
    with entered(acme):
        kept = clients.show(product.name)
        again = registration.validate(kept.metadata, settings=kept.settings)
        assert again == (kept.metadata, kept.settings)
        files = configuration(product, URL, product.name, "PLACE")
    text = "".join(each["text"] for each in made["configuration"])
    assert acme.issuer in text
    secret = made.get("client_secret", "PLACE")
    assert text.count(secret) == (1 if product.method in SECRETS else 0)
    # Nothing but the secret differs from what is made without knowing any secret.
    assert text.replace(secret, "PLACE") == "".join(each.text for each in files)
    for each in made["configuration"]:
        parsed(each["name"], each["text"])
    addresses = set(re.findall(r"https?://[^\s\"',)]+", text))
    theirs = {urlsplit(uri).netloc for uri in [URL, *made["redirect_uris"], acme.issuer]} | {"127.0.0.1:8080"}
    assert {urlsplit(each).netloc for each in addresses} <= theirs


@pytest.mark.parametrize("product", [each for each in PRODUCTS if each.typ], ids=lambda each: each.name)
def test_a_service_gets_an_api_of_its_own(make, acme, product):
    made = make(product.name)
    assert made["api"] == URL
    with entered(acme):
        api = apis.show(URL)
        assert (api.typ, set(api.scopes)) == (product.typ, {f"{product.name}.access"})
        assert set(api.grants) == {clients.show(product.name).id}


def test_words_go_to_standard_error_and_the_configuration_to_standard_output(idp, acme):
    status, out, err = idp("client", "create", "board", "--tenant", "acme", "--for", "grafana", "--url", f"{URL}/",
                           "--name", "Board", "--set", "require_consent=true")  # fmt: skip
    assert status == 0, err
    found = configparser.ConfigParser(interpolation=None)
    found.read_string(out)
    section = found["auth.generic_oauth"]
    assert (section["client_id"], section["auth_url"]) == ("board", f"{acme.issuer}/authorize")
    assert section["client_secret"] not in err
    assert "client_id: board" in err and "client_name: Board" in err
    with entered(acme):
        assert clients.show("board").secret_matches(section["client_secret"], clients.clock.now())
        assert clients.show("board").setting("require_consent") is True
    _, out, _ = idp("client", "create", "--tenant", "acme", "--for", "kubernetes", "--url", URL)
    assert re.findall(r"^==> (.+) <==$", out, re.MULTILINE) == [
        "authentication-configuration.yaml",
        "kubeconfig.yaml",
    ]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--for", "sharepoint", "--url", URL), "There is no product of that name; known are grafana, kubernetes"),
        (("--for", "grafana", "--url", "http://grafana.test"), "url must be https unless it is localhost"),
        (("--for", "grafana", "--url", "grafana.test"), "url must be absolute"),
        (("--for", "grafana", "--url", "https://grafana.test/?x=1"), "url must have no query"),
        (("--for", "grafana", "--url", "https://grafana.test/a'b"), "url must have no query and a path of letters"),
        (("--for", "alb", "--url", "https://app.test/shop"), "url must have no path, because AWS"),
        (("--for", "grafana"), "--for and --url go together"),
        (("--url", URL), "--for and --url go together"),
        ((), "Missing argument 'CLIENT_ID'"),
        (("a@b", "--for", "grafana", "--url", URL), "client_id must have 1 to 64 letters"),
        (("web", "--for", "grafana", "--url", URL), "client_id"),
        (("--for", "grafana", "--url", URL, "--auth-method", "none"), "token_endpoint_auth_method is decided"),
        (("--for", "grafana", "--url", URL, "--redirect-uri", "https://x.test/"), "redirect_uris is decided"),
        (("--for", "grafana", "--url", URL, "--secret-file", "-"), "--secret-file does not go with --for"),
        (("--for", "grafana", "--url", URL, "--set", "require_consent=7"), "require_consent must be true or false"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_told_in_a_sentence(idp, acme, arguments, said):
    status, out, err = idp("client", "create", *arguments, "--tenant", "acme")
    assert (status, out) == (2, "")
    assert said in err
    with entered(acme):
        assert {client.client_id for client in clients.list_()} == {"asks", "nightly", "spa", "web"}


def test_client_and_api_are_made_together_or_not_at_all(idp, make, acme):
    make("spring")
    status, _, err = idp("client", "create", "--tenant", "acme", "--for", "envoy", "--url", URL)
    assert (status, "taken" in err or "already" in err) == (2, True), err
    with entered(acme):
        assert "envoy" not in {client.client_id for client in clients.list_()}
        assert set(apis.show(URL).scopes) == {"spring.access"}
    status, _, err = idp("client", "create", "web", "--tenant", "acme", "--for", "mcp", "--url", f"{URL}/mcp")
    assert status == 2, err
    with entered(acme):
        assert URL + "/mcp" not in {api.identifier for api in apis.list_()}


def signed_in(app, acme, made, **changes):
    """The tokens of a person who signs in through the product, and the party that got them."""
    rp = RelyingParty(
        app, acme, made["client_id"], made.get("client_secret"), made["redirect_uris"][0],
        made["token_endpoint_auth_method"],
    )  # fmt: skip
    scope = " ".join([made["scope"], *([f"{made['client_id']}.access"] if made["api"] else [])])
    back = rp.authorize(scope=scope, **changes).login("alice")
    back = back.consent() if "code=" not in back.location else back
    without = {"code_verifier": None} if changes.get("code_challenge", "") is None else {}
    answer = rp.redeem(back.code, **without)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return rp, answer.get_json()


@pytest.mark.parametrize("product", PRODUCTS, ids=NAMES)
def test_people_sign_in_through_it(make, app, acme, product):
    made = make(product.name)
    rp, tokens = signed_in(app, acme, made)
    claims = rp.verified(tokens["id_token"], product.name)
    assert pyjwt.get_unverified_header(tokens["id_token"])["alg"] == product.alg
    assert ("refresh_token" in tokens) == product.refreshes
    assert rp.userinfo(tokens["access_token"]).get_json()["sub"] == claims["sub"]
    if product.typ:
        assert pyjwt.get_unverified_header(tokens["access_token"])["typ"] == product.typ
        assert URL in rp.verified(tokens["access_token"], URL)["aud"]


def test_kubernetes_finds_name_and_groups_in_the_id_token(idp, make, app, acme, tmp_path):
    path = tmp_path / "b.yaml"
    path.write_text("tenants: [{slug: acme, groups: [{name: kubernetes-admins, members: [alice]}]}]")
    assert idp("apply", str(path), "--json")[0] == 0
    rp, tokens = signed_in(app, acme, make("kubernetes"))
    claims = rp.verified(tokens["id_token"], "kubernetes")
    assert (claims["preferred_username"], claims["groups"]) == ("alice", ["kubernetes-admins"])
    assert claims["aud"] == "kubernetes"


def test_argocd_asks_for_the_claims_that_it_reads(make, app, acme):
    made = make("argocd")
    asked = yaml.safe_load(yaml.safe_load(made["configuration"][0]["text"])["data"]["oidc.config"])
    claims = json.dumps({"id_token": asked["requestedIDTokenClaims"]})
    rp, tokens = signed_in(app, acme, made, claims=claims)
    told = rp.verified(tokens["id_token"], "argocd")
    assert (told["email"], told["email_verified"], told["name"]) == ("alice@example.com", True, "Alice Adams")


def test_the_load_balancer_needs_no_pkce_and_may_post_its_secret(make, app, acme):
    made = make("alb")
    for method in SECRETS:
        plain = {"code_challenge": None, "code_challenge_method": None}
        signed_in(app, acme, {**made, "token_endpoint_auth_method": method}, **plain)
