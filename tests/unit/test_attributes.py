"""What may be known of a person: types and bounds of OpenID Connect Core section 5.1."""

import pytest

from idp.accounts import attributes
from idp.errors import Invalid

GOOD = {
    "name": "Alice Adams",
    "profile": "https://alice.test/",
    "birthdate": "1980-01-31",
    "zoneinfo": "Europe/Berlin",
    "locale": "en-GB",
    "phone_number": "+49 (30) 123456;ext=7",
    "phone_number_verified": True,
    "address": {"formatted": "Street 1\nCity", "country": "DE"},
    "gender": "female",
}


def test_core_5_1_standard_claims():
    assert attributes.standard(GOOD) == GOOD
    assert attributes.standard({"birthdate": "0000-12-24"})
    assert attributes.standard({"birthdate": "1980"})
    assert attributes.standard({"name": None}) == {"name": None}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("name", 5), ("name", ""), ("name", "a\u202eb"), ("name", "x" * 257), ("profile", "http://alice.test/"),
        ("picture", "javascript:alert(1)"), ("website", "data:,x"), ("birthdate", "31.1.1980"),
        ("birthdate", "1980-13-01"), ("birthdate", "1700-01-01"), ("zoneinfo", "../../etc"), ("locale", "x"),
        ("locale", "en_GB/../.."), ("phone_number", "call me"), ("phone_number_verified", "true"),
        ("address", "Street"), ("address", {}), ("address", {"planet": "Earth"}), ("address", {"country": 5}),
        ("address", {"formatted": "a\x00b"}), ("gender", "x" * 65),
    ],
)  # fmt: skip
def test_ox09_what_is_refused(name, value):
    with pytest.raises(Invalid) as refusal:
        attributes.standard({name: value})
    assert refusal.value.rule == name


def test_own_attributes():
    own = {"org_unit": "Sales", "floor": 3, "boss": True, "tags": ["a", "b"], "old": None}
    assert attributes.own(own) == own


@pytest.mark.parametrize(
    "given",
    [
        "x", {"name": "x"}, {"sub": "x"}, {"email": "x"}, {"groups": ["x"]}, {"a b": "x"}, {"": "x"}, {"x": 1.5},
        {"x": {}}, {"x": [1]}, {"x": "a\nb"}, {"x": "y" * 1025}, {"x": ["y"] * 101}, {"x": 2**53},
        {f"x{n}": 1 for n in range(51)}, {5: "x"},
    ],
)  # fmt: skip
def test_own_attributes_that_are_refused(given):
    with pytest.raises(Invalid) as refusal:
        attributes.own(given)
    assert refusal.value.rule.startswith("attributes")
