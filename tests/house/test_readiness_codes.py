"""The table of checks: codes that stay, sentences, and the page that has every one of them."""

import re
from itertools import groupby

from idp.control.readiness.check import Gate, Level, Stops
from idp.control.readiness.table import CHECKS
from tests.house import readiness

LETTERS = {Gate.INFRASTRUCTURE: "INF", Gate.SECURITY: "SEC", Gate.INTEGRATION: "INT", Gate.PERFORMANCE: "PRF"}


def test_the_page_has_every_check_in_its_own_words():
    assert readiness.written() == readiness.table(), "run: python -m tests.house.readiness"


def test_codes_are_unique_in_order_and_tell_the_gate():
    codes = [check.code for check in CHECKS]
    assert len(set(codes)) == len(codes)
    for check in CHECKS:
        assert re.fullmatch(rf"IDP-{LETTERS[check.gate]}-\d{{3}}", check.code)
    assert len([gate for gate, _ in groupby(CHECKS, lambda check: check.gate)]) == len(
        {c.gate for c in CHECKS}
    )


def test_reason_and_fix_are_sentences():
    wrong = [
        check.code
        for check in CHECKS
        if not (check.reason.endswith(".") and check.fix.endswith(".") and check.reason[0].isupper())
    ]
    assert not wrong


def test_what_stops_a_start_needs_no_running_server_and_names_its_setting():
    for check in CHECKS:
        if Stops.START in check.stops and check.level is Level.RED:
            assert check.gate.light and check.setting, check.code
        if not check.gate.light:
            assert check.stops == (Stops.DEPLOY,), check.code


def test_every_check_that_looks_says_what_it_looks_for():
    assert not [check.code for check in CHECKS if not check.look.__doc__]
