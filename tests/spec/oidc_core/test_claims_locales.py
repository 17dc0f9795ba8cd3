"""OpenID Connect Core 1.0 §5.2: what people read of a person, in the languages and scripts that are asked for."""

from typing import Any

import pytest

from idp.control import tenants, users
from idp.errors import Invalid
from idp.tenants import Tenant, entered
from tests.attacks.acting import policy
from tests.playing import RelyingParty, relying_party

TAGS = ["de", "ja-Kana-JP", "ja-Hani-JP"]
KANA, HANI = "family_name#ja-Kana-JP", "family_name#ja-Hani-JP"


@pytest.fixture
def op(acme: Tenant) -> Tenant:
    found = policy(acme, claims_locales=TAGS)
    with entered(found):
        users.update("alice", {
            "family_name": "Adams", KANA: "アダムズ", HANI: "亜段", "name#de": "Alice Adams aus Kiel",
            "address": {"country": "Germany"}, "address#de": {"country": "Deutschland"},
        })  # fmt: skip
    return found


@pytest.fixture
def rp(app: Any, op: Tenant) -> RelyingParty:
    return relying_party(app, op)


def told(rp: RelyingParty, **changes: str | None) -> dict[str, Any]:
    tokens = rp.sign_in(scope="openid profile address", **changes)
    return dict(rp.userinfo(tokens["access_token"]).get_json())


def test_5_2_without_a_wish_claims_have_no_tags(rp: RelyingParty) -> None:
    person = told(rp)
    assert person["family_name"] == "Adams" and person["name"] == "Alice Adams"
    assert not [name for name in person if "#" in name]


@pytest.mark.parametrize(
    ("wish", "family", "name"),
    [
        ("de", "Adams", "Alice Adams aus Kiel"),
        ("ja-Kana-JP", "アダムズ", "Alice Adams"),
        ("JA-kana-jp", "アダムズ", "Alice Adams"),
        ("de-AT-1996", "Adams", "Alice Adams aus Kiel"),
        ("se", "Adams", "Alice Adams"),
        ("se xx-yy %%% ja-Hani-JP", "亜段", "Alice Adams"),
        ("ja", "Adams", "Alice Adams"),
        ("", "Adams", "Alice Adams"),
        ("a" * 3_000, "Adams", "Alice Adams"),
    ],
)
def test_5_2_one_language_is_told_without_its_tag(
    rp: RelyingParty, wish: str, family: str, name: str
) -> None:
    person = told(rp, claims_locales=wish)
    assert (person["family_name"], person["name"]) == (family, name)
    assert person["given_name"] == "Alice", "what is not there in that language is told as it is"
    assert not [each for each in person if "#" in each]
    assert person["address"]["country"] == ("Deutschland" if "Kiel" in name else "Germany")


def test_5_2_of_several_languages_each_has_its_tag_and_the_best_stands_without(rp: RelyingParty) -> None:
    person = told(rp, claims_locales="ja-Hani-JP de ja-Kana-JP")
    assert person["family_name"] == person[HANI] == "亜段" and person[KANA] == "アダムズ"
    assert person["name"] == person["name#de"] == "Alice Adams aus Kiel"
    assert {each for each in person if "#" in each} == {HANI, KANA, "name#de", "address#de"}


def test_5_2_the_claims_parameter_names_a_language(rp: RelyingParty) -> None:
    wish = (
        '{"userinfo":{"family_name#ja-kana-JP":{"essential":true},"name#fr":null,"gender#de":null,"sub#de":null},'
        '"id_token":{"family_name#ja-Hani-JP":null}}'
    )
    tokens = rp.exchange(rp.authorize(scope="openid", claims=wish).login("alice").code)
    person = rp.userinfo(tokens["access_token"]).get_json()
    assert set(person) == {"sub", KANA} and person[KANA] == "アダムズ"
    claims = rp.verified(tokens["id_token"], "web")
    assert claims[HANI] == "亜段" and KANA not in claims and "family_name" not in claims


def test_5_5_a_language_opens_no_scope(app: Any, op: Tenant) -> None:
    rp = relying_party(app, op, "spa")  # may not ask for addresses
    wish = '{"userinfo":{"address#de":null,"name#de":null}}'
    tokens = rp.exchange(rp.authorize(scope="openid", claims=wish).login("alice").code)
    assert set(rp.userinfo(tokens["access_token"]).get_json()) == {"sub", "name#de"}


def test_12_a_refresh_keeps_the_languages(rp: RelyingParty) -> None:
    wish = '{"id_token":{"family_name":null}}'
    tokens = rp.sign_in(scope="openid profile offline_access", claims=wish, claims_locales="ja-Kana-JP")
    again = rp.refresh(tokens["refresh_token"]).get_json()
    for each in (tokens, again):
        assert rp.verified(each["id_token"], "web")["family_name"] == "アダムズ"
        assert rp.userinfo(each["access_token"]).get_json()["family_name"] == "アダムズ"


def test_5_2_an_id_token_alone_has_them_too(app: Any, op: Tenant) -> None:
    from tests.attacks.acting import client, party

    implicit = policy(op, claims_locales=TAGS, implicit_flow=True, require_pkce="public")
    made = client(
        implicit, "page", response_types=["id_token"], grant_types=["implicit"],
        token_endpoint_auth_method="client_secret_basic", scope="openid profile",
    )  # fmt: skip
    rp = party(app, implicit, made)
    asked = {
        "response_type": "id_token", "scope": "openid profile", "code_challenge": None, "code_challenge_method": None
    }  # fmt: skip
    got = rp.authorize(**asked, claims_locales="ja-Hani-JP").login("alice").fragment
    assert rp.verified(got["id_token"], "page")["family_name"] == "亜段"


def test_discovery_3_says_which_languages_people_may_have(app: Any, op: Tenant, globex: Tenant) -> None:
    def said(tenant: Tenant) -> Any:
        path = f"/t/{tenant.slug}/.well-known/openid-configuration"
        return app.test_client().get(path).get_json().get("claims_locales_supported")

    assert said(op) == TAGS and said(globex) is None


def test_what_a_policy_no_longer_names_is_told_no_more(app: Any, op: Tenant) -> None:
    rp = relying_party(app, op)
    tokens = rp.sign_in(scope="openid profile offline_access", claims_locales="ja-Kana-JP de")
    assert rp.userinfo(tokens["access_token"]).get_json()[KANA] == "アダムズ"
    policy(op, claims_locales=["de"])
    person = rp.userinfo(tokens["access_token"]).get_json()
    assert KANA not in person and person["family_name"] == "Adams" and person["name#de"]


@pytest.mark.parametrize(
    "wrong", ["DE", "xx", "ja-kana-JP", "ja-Xxxx", "de-ZX", "de_AT", "", "de-de-DE", "x-private"]
)
def test_a_policy_names_registered_tags_in_their_usual_spelling(acme: Tenant, wrong: str) -> None:
    with pytest.raises(Invalid, match=r"policy\.claims_locales"):
        tenants.update(acme.slug, {"policy": {"claims_locales": [wrong]}})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("name#fr", "Alice"), ("name#DE", "Alice"), ("name#", "Alice"), ("birthdate#de", "1980-01-31"), ("sub#de", "x"),
        ("email#de", "a@b.example"), ("name#de#de", "Alice"), ("name#de", 5), ("name#de", ""), ("profile#de", "no"),
        ("address#de", {"planet": "Erde"}), ("password#de", "x"),
    ],
)  # fmt: skip
def test_ox09_what_a_person_may_not_have(op: Tenant, name: str, value: Any) -> None:
    with entered(op), pytest.raises(Invalid) as refused:
        users.update("alice", {name: value})
    assert refused.value.rule == name


def test_a_name_in_a_language_is_taken_away_again(rp: RelyingParty, op: Tenant) -> None:
    with entered(op):
        users.update("alice", {KANA: None})
        assert KANA not in users.show("alice").claims
    assert told(rp, claims_locales="ja-Kana-JP")["family_name"] == "Adams"
