"""Tables of checks: deciding stops at the first failure, explaining goes on, and both say the same first one."""

import pytest

from idp.errors import InvalidToken
from idp.signing.checks import Check, Outcome, Table, no


def failing(rule):
    def run(seen):
        seen.append(rule)
        raise no(rule)

    return run


def passing(name):
    return lambda seen: seen.append(name)


TABLE = Table[list](
    Check("one", passing("one")),
    Check("two", failing("rule.two"), ("one",)),
    Check("three", passing("three"), ("two",)),
    Check("four", failing("rule.four"), ("one",)),
)


def verdicts(outcomes):
    return [(outcome.name, outcome.verdict) for outcome in outcomes]


def test_deciding_stops_at_the_first_failure():
    seen = []
    with pytest.raises(InvalidToken) as caught:
        TABLE.hold(seen)
    assert caught.value.rule == "rule.two"
    assert seen == ["one", "rule.two"]


def test_explaining_tries_whatever_does_not_need_what_failed():
    seen = []
    outcomes = TABLE.play(seen)
    assert verdicts(outcomes) == [
        ("one", "ok"),
        ("two", "failed"),
        ("three", "not tried"),
        ("four", "failed"),
    ]
    assert seen == ["one", "rule.two", "rule.four"]


def test_what_is_known_beforehand_is_not_run():
    seen, refusal = [], no("rule.known")
    outcomes = TABLE.play(seen, {"one": refusal, "two": None})
    assert outcomes[0] == Outcome("one", "failed", refusal)
    assert verdicts(outcomes)[1:] == [("two", "not tried"), ("three", "not tried"), ("four", "not tried")]
    assert not seen
    assert verdicts(TABLE.play([], {"two": None}))[1] == ("two", "not tried")


def test_each_check_of_the_product_needs_only_what_stands_before_it():
    from idp.oauth.client_auth import private_key_jwt
    from idp.oauth.tokens import access, id_token, refresh
    from idp.signing.foreign import FOREIGN
    from idp.signing.own import OWN

    tables = (OWN, FOREIGN, access.NAMED, access.ALIVE, id_token.ONLY, refresh.CHECKS, private_key_jwt.NAMED)
    for table in tables:
        before = set()
        for check in table.checks:
            assert before.issuperset(check.needs), check.name
            assert check.name not in before
            before.add(check.name)
