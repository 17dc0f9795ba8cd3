"""The performance gate judges figures: by the budget of the settings, and by those that were accepted last."""

from typing import Any

import pytest

from idp.config import ConfigError, Settings
from idp.control.readiness import performance, run
from idp.control.readiness.burst import Figure, content
from idp.control.readiness.check import State
from idp.control.readiness.world import World

FIGURES = {
    "sign_in": Figure(100, 900, 9, 40),
    "token": Figure(2, 30, 800, 400),
    "jwks": Figure(1, 5, 4000, 800),
}


def world(settings: Settings) -> World:
    """One whose burst has been measured."""
    return World(settings, kept={"figures": FIGURES})


def seen(code: str, settings: Settings) -> Any:
    [check] = [each for each in performance.CHECKS if each.code == code]
    return run.one(check, world(settings))


def test_a_budget_names_known_kinds_and_whole_milliseconds() -> None:
    assert Settings.load({"IDP_BUDGET": "token=20"}).budgets == {"sign_in": 1500, "token": 20, "jwks": 100}
    for wrong in ("token", "token=0", "token=-1", "tokens=5", "token=1.5"):
        with pytest.raises(ConfigError, match="IDP_BUDGET"):
            Settings.load({"IDP_BUDGET": wrong})


def test_over_the_budget_is_red_and_within_it_tells_the_headroom() -> None:
    strict = seen("IDP-PRF-002", Settings(budget="token=20"))
    assert strict.state is State.RED and "p50 2 ms, p99 30 of 20 ms" in strict.words
    assert "IDP_BUDGET" in strict.check.fix
    assert "80% head-room" in seen("IDP-PRF-002", Settings()).words


def test_what_got_much_slower_than_accepted_is_red(vault: Settings, database: Any) -> None:
    database("DELETE FROM gates")
    assert seen("IDP-PRF-004", vault).state is State.ABSENT
    performance.accept(world(vault))
    assert seen("IDP-PRF-004", vault).state is State.GREEN
    slower = {**FIGURES, "jwks": Figure(3, 5, 4000, 800)}
    [check] = performance.CHECKS[3:]
    found = run.one(check, World(vault, kept={"figures": slower}))
    assert found.state is State.RED and "jwks takes 3.0 times" in found.words
    assert content(FIGURES)["token"] == {"p50": 2, "p99": 30, "rate": 800, "count": 400}
    database("DELETE FROM gates")
