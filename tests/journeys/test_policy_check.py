"""`idp policy check`: which settings break a security profile, row by row of its one table."""

import json

import pytest

from idp.control import apis, profiles, tenants
from idp.control.profiles import TABLE, Of, Profile

BREAKING = {
    "require_pkce": "public", "implicit_flow": True, "hybrid_flow": True, "session_idle": 3601,
    "session_absolute": 86_401, "account_failures": 101, "request_uri_parameter": True,
    "id_token_signing_alg": "RS256", "access_token_signing_alg": "RS256",
    "require_pushed_authorization_requests": False,
    "assertion_for_token_endpoint": True, "remember_strangers_consent": True,
}  # fmt: skip
"""A value of each policy that breaks whichever profile asks something of it."""
KEEPING = (
    "id_token_signing_alg=ES256", "access_token_signing_alg=PS256", "require_pushed_authorization_requests=true",
)  # fmt: skip
"""What makes the policies of a new tenant keep FAPI 2.0."""
ASKED = sorted({(str(row.profile), row.name) for row in TABLE if row.of is Of.POLICY})


@pytest.fixture
def empty(idp):
    """A tenant of its own without clients."""
    status, _, err = idp("tenant", "create", "umbrella", "--name", "Umbrella", "--json")
    assert status == 0, err
    return "umbrella"


def policy(idp, slug, *settings):
    given = [word for each in settings for word in ("--set", f"policy.{each}")]
    assert idp("tenant", "update", slug, *given)[0] == 0


def checked(idp, profile, *more):
    status, out, err = idp("policy", "check", "--profile", profile, "--json", *more)
    found = json.loads(out)
    assert status == (1 if found["breaks"] else 0), err
    assert found["holds"] is not bool(found["breaks"])
    return found


def named(found):
    return {(each["of"], each["policy"]) for each in found["breaks"]}


def test_a_new_tenant_breaks_nothing_of_asvs_and_its_rsa_of_pkcs_1_breaks_fapi(idp, empty):
    assert checked(idp, "asvs-l2", "--tenant", empty)["breaks"] == []
    found = checked(idp, "fapi2", "--tenant", empty)
    assert named(found) == {("policy", each.partition("=")[0]) for each in KEEPING}
    policy(idp, empty, *KEEPING)
    assert checked(idp, "fapi2", "--tenant", empty)["breaks"] == []


@pytest.mark.parametrize(("profile", "name"), ASKED)
def test_each_policy_that_a_profile_asks_about_is_named_when_it_breaks(idp, empty, profile, name):
    policy(idp, empty, *KEEPING)
    policy(idp, empty, f"{name}={json.dumps(BREAKING[name])}")
    row = next(each for each in TABLE if (str(each.profile), each.name) == (profile, name))
    assert checked(idp, profile, "--tenant", empty)["breaks"] == [{
        "tenant": empty, "of": "policy", "policy": name, "value": BREAKING[name], "asks": row.asks,
        "requirement": row.requirement,
    }]  # fmt: skip


def test_implicit_flow_is_told_in_words_with_its_requirement_by_both(idp, acme):
    policy(idp, "acme", "implicit_flow=true")
    for profile, requirement in (("asvs-l2", "V10.4.4"), ("fapi2", "5.3.2.2")):
        status, out, err = idp("policy", "check", "--profile", profile, "--tenant", "acme")
        (line,) = [line for line in err.splitlines() if "implicit_flow" in line]
        assert (status, out) == (1, "")
        assert line.split()[:4] == ["acme", "policy", "implicit_flow", "true"]
        assert line.endswith(requirement)


def client(idp, slug, client_id, *settings):
    given = [word for each in settings for word in ("--set", each)]
    status, _, err = idp("client", "create", client_id, "--tenant", slug, *given, "--json")
    assert status == 0, err


KEY = json.dumps({"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "k", "alg": "EdDSA",
                            "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]})  # fmt: skip
BY_KEY = (
    "token_endpoint_auth_method=private_key_jwt", f"jwks={KEY}", "token_endpoint_auth_signing_alg=EdDSA",
    "dpop_bound_access_tokens=true",
)  # fmt: skip
CODE = 'grant_types=["authorization_code","refresh_token"]'
HTTPS = 'redirect_uris=["https://rp.example/cb"]'
ONCE = "rotate_refresh_tokens=false"
SAFE = (CODE, HTTPS, ONCE, *BY_KEY)


@pytest.mark.parametrize(
    ("profile", "given", "broken"),
    [
        ("fapi2", SAFE, set()),
        ("fapi2", (CODE, HTTPS, ONCE), {"token_endpoint_auth_method", "dpop_bound_access_tokens"}),
        ("fapi2", (CODE, HTTPS, "token_endpoint_auth_method=none"),
         {"token_endpoint_auth_method", "rotate_refresh_tokens", "dpop_bound_access_tokens"}),
        ("fapi2", (CODE, HTTPS, *BY_KEY), {"rotate_refresh_tokens"}),
        ("fapi2", (*SAFE, "require_pkce=false"), {"require_pkce"}),
        ("fapi2", (*SAFE, "id_token_signed_response_alg=RS256"), {"id_token_signed_response_alg"}),
        ("fapi2", (*SAFE, "userinfo_signed_response_alg=RS256"), {"userinfo_signed_response_alg"}),
        ("fapi2", (*SAFE, "request_object_signing_alg=RS256"), {"request_object_signing_alg"}),
        ("fapi2", (CODE, HTTPS, ONCE, *BY_KEY[:3]), {"dpop_bound_access_tokens"}),
        ("fapi2", (CODE, HTTPS, *BY_KEY[:3], "profile=fapi2"), set()),
        ("fapi2", (CODE, HTTPS, ONCE, *BY_KEY[:2], BY_KEY[3], "token_endpoint_auth_signing_alg=RS256"),
         {"token_endpoint_auth_signing_alg"}),
        ("fapi2", (*SAFE, "assertion_for_token_endpoint=true"), {"assertion_for_token_endpoint"}),
        ("fapi2", (CODE, 'redirect_uris=["http://localhost:8001/cb"]', ONCE, *BY_KEY), {"redirect_uris"}),
        ("fapi2", (CODE, 'redirect_uris=["http://127.0.0.1/cb"]', ONCE, *BY_KEY), {"redirect_uris"}),
        ("fapi2", (CODE, 'redirect_uris=["http://127.0.0.1/cb"]', ONCE, *BY_KEY, "application_type=native"), set()),
        ("fapi2", (CODE, 'redirect_uris=["http://localhost/cb"]', ONCE, *BY_KEY, "application_type=native"),
         {"redirect_uris"}),
        ("fapi2", ('grant_types=["client_credentials"]', *BY_KEY), set()),
        ("asvs-l2", (CODE, HTTPS), set()),
        ("asvs-l2", (CODE, HTTPS, ONCE), set()),
        ("asvs-l2", (CODE, HTTPS, "token_endpoint_auth_method=none"), set()),
        ("asvs-l2", (CODE, HTTPS, "require_pkce=false"), {"require_pkce"}),
        ("asvs-l2", (CODE, HTTPS, "require_consent=false"), {"require_consent"}),
        ("asvs-l2", ('grant_types=["client_credentials"]', "require_consent=false"), set()),
    ],
)  # fmt: skip
def test_what_a_client_breaks_is_named_with_the_client(idp, empty, profile, given, broken):
    policy(idp, empty, *KEEPING)
    client(idp, empty, "desk", *given)
    assert named(checked(idp, profile, "--tenant", empty)) == {("client desk", name) for name in broken}


@pytest.mark.parametrize(
    ("alg", "broken"), [("RS256", {("api https://api.example", "alg")}), ("ES256", set())]
)
def test_an_apis_own_algorithm_counts(idp, empty, alg, broken):
    policy(idp, empty, *KEEPING)
    with tenants.enter(empty):
        apis.create("https://api.example", {"name": "Orders", "scopes": {"read": "Read"}, "alg": alg})
    assert named(checked(idp, "fapi2", "--tenant", empty)) == broken


def test_without_a_tenant_every_one_is_looked_at_and_an_unknown_one_is_told(idp, acme, globex):
    policy(idp, "globex", "hybrid_flow=true")
    policy(idp, "acme", "session_idle=7200")
    found = checked(idp, "asvs-l2")
    told = {(each["tenant"], each["policy"]) for each in found["breaks"]}
    assert told >= {("globex", "hybrid_flow"), ("acme", "session_idle")}
    status, out, err = idp("policy", "check", "--profile", "asvs-l2", "--tenant", "nobody")
    assert (status, out) == (2, "")
    assert "There is no tenant nobody." in err
    assert (
        idp("policy", "check", "--tenant", "acme")[0] == idp("policy", "check", "--profile", "hipaa")[0] == 2
    )


def test_what_is_not_spoken_here_is_told_apart_as_long_as_discovery_says_so(idp, empty, monkeypatch):
    policy(idp, empty, *KEEPING)
    found = checked(idp, "fapi2", "--tenant", empty)
    spoken = profiles.metadata.document
    known = {row.name for row in TABLE if row.of is Of.SERVER and row.profile is Profile.FAPI2}
    assert {each["policy"] for each in found["missing"]} <= known
    assert found["holds"]
    monkeypatch.setattr(profiles.metadata, "document", lambda: {**spoken(), **dict.fromkeys(known, "here")})
    assert checked(idp, "fapi2", "--tenant", empty)["missing"] == []
    monkeypatch.setattr(profiles.metadata, "document", lambda: {"acr_values_supported": ["1"]})
    status, _, err = idp("policy", "check", "--profile", "fapi2", "--tenant", empty)
    assert (
        status,
        "Missing here, whatever the settings are: pushed authorization requests (5.3.2.2)" in err,
    ) == (0, True)
    assert [each["requirement"] for each in checked(idp, "asvs-l2", "--tenant", empty)["missing"]] == [
        "V6.3.3"
    ]


def test_as_a_process(process):
    assert process("tenant", "update", "acme", "--set", "policy.implicit_flow=true")[0] == 0
    status, out, _ = process("policy", "check", "--profile", "asvs-l2", "--tenant", "acme", "--json")
    assert status == 1
    assert ("policy", "implicit_flow") in named(json.loads(out))
