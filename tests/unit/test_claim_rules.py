"""Claim rules: what an operator may write, and the names that no rule makes."""

import pytest

from idp import claim_rules
from idp.claim_rules import ClaimRule
from idp.errors import Invalid


def test_a_rule_says_where_it_comes_from():
    rules = claim_rules.parse(
        [
            {"claim": "department", "attribute": "org_unit", "where": ["id_token"], "max": 1},
            {"claim": "groups", "source": "groups", "shape": "space-separated"},
            {"claim": "https://acme.example/tier", "constant": "gold", "where": "access_token"},
            {"claim": "features", "source": "constant", "value": ["a", "b"]},
        ]
    )
    assert rules == (
        ClaimRule("department", "attribute", "org_unit", None, ("id_token",), "string", 1),
        ClaimRule("groups", "groups", None, None, ("id_token", "userinfo"), "space-separated", 100),
        ClaimRule("https://acme.example/tier", "constant", None, "gold", ("access_token",), "string", 100),
        ClaimRule("features", "constant", None, ("a", "b"), ("id_token", "userinfo"), "list", 100),
    )
    assert claim_rules.load([rule.stored() for rule in rules]) == rules


@pytest.mark.parametrize("name", sorted(claim_rules.RESERVED))
def test_tk19_reserved_names(name):
    with pytest.raises(Invalid) as refusal:
        claim_rules.parse([{"claim": name, "constant": "x"}])
    assert refusal.value.rule == "claims[0].claim"


@pytest.mark.parametrize(
    "name", ["iss", "sub", "aud", "exp", "iat", "nonce", "acr", "tenant", "tenant_id", "email_verified"]
)
def test_tk19_names_that_must_be_among_them(name):
    assert name in claim_rules.RESERVED


@pytest.mark.parametrize(
    ("rule", "field"),
    [
        ("x", "claims[0]"),
        ({}, "claims[0].source"),
        ({"claim": "x"}, "claims[0].source"),
        ({"claim": "x", "source": "sql"}, "claims[0].source"),
        ({"claim": "x", "source": ["groups"]}, "claims[0].source"),
        ({"claim": "x", "source": "groups", "attribute": "y"}, "claims[0].source"),
        ({"claim": "x", "attribute": "y", "constant": "z"}, "claims[0].source"),
        ({"claim": "x", "source": "attribute"}, "claims[0].attribute"),
        ({"claim": "x", "attribute": "a b"}, "claims[0].attribute"),
        ({"claim": "x", "constant": None}, "claims[0].constant"),
        ({"claim": "x", "constant": {}}, "claims[0].constant"),
        ({"claim": "x", "constant": [1]}, "claims[0].constant"),
        ({"claim": "x", "constant": "a\nb"}, "claims[0].constant"),
        ({"claim": "x", "constant": "a" * 1025}, "claims[0].constant"),
        ({"claim": "x", "constant": 2**53}, "claims[0].constant"),
        ({"claim": "x", "source": "groups", "where": ["logout_token"]}, "claims[0].where"),
        ({"claim": "x", "source": "groups", "where": []}, "claims[0].where"),
        ({"claim": "x", "source": "groups", "where": 5}, "claims[0].where"),
        ({"claim": "x", "source": "groups", "shape": "csv"}, "claims[0].shape"),
        ({"claim": "x", "source": "groups", "max": 0}, "claims[0].max"),
        ({"claim": "x", "source": "groups", "max": True}, "claims[0].max"),
        ({"claim": "x", "source": "groups", "template": "{{7*7}}"}, "claims[0].template"),
        ({"claim": "", "source": "groups"}, "claims[0].claim"),
        ({"claim": 5, "source": "groups"}, "claims[0].claim"),
        ({"claim": "x y", "source": "groups"}, "claims[0].claim"),
    ],
)
def test_mistakes_name_the_member(rule, field):
    with pytest.raises(Invalid) as refusal:
        claim_rules.parse([rule])
    assert refusal.value.rule == field


@pytest.mark.parametrize("rules", [None, {}, "x", 5])
def test_rules_are_a_list(rules):
    with pytest.raises(Invalid):
        claim_rules.parse(rules)


def test_one_rule_for_a_claim_in_a_document():
    with pytest.raises(Invalid) as refusal:
        claim_rules.parse(
            [{"claim": "x", "source": "groups"}, {"claim": "x", "source": "roles", "where": ["userinfo"]}]
        )
    assert refusal.value.rule == "claims[1].claim"
    assert claim_rules.parse(
        [
            {"claim": "x", "source": "groups", "where": ["id_token"]},
            {"claim": "x", "source": "roles", "where": ["userinfo"]},
        ]
    )


def test_what_is_stored_and_unreadable_by_now_is_left_out():
    assert (
        claim_rules.load([{"claim": "sub", "constant": "x"}, {"claim": "x", "constant": "y"}])[0].claim == "x"
    )
