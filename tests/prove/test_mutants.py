"""Everything that is broken is noticed, by the runtime role's own attacks wherever they can reach it."""

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import psycopg2
import pytest

from idp.prove import mutants, mutants_sql
from idp.prove.mutants import Scratch, Verdict
from idp.prove.promises import NotProved

pytestmark = pytest.mark.slow

REACHED = {
    "a dropped policy", "row security off", "a second policy that lets everything through", "a policy with an OR",
    "a policy that checks no writing", "tenants that see each other", "a context that needs no signature",
    "a context that may be a bare tenant", "a context that never ends", "TRUNCATE", "a readable key",
    "a context that opens everything when it is bad", "DELETE of the audit", "a view with its owner's eyes",
    "a materialized view", "a partition that is reached directly", "a table that nobody protected",
    "a unique value across tenants", "a reference across tenants", "a role that bypasses row security",
    "membership of an owner", "CREATE in the schema", "temporary tables",
}  # fmt: skip
"""Mutants that an attack itself notices, not only the catalogue."""


@pytest.fixture(scope="module")
def scratch(services: Any) -> Iterator[Scratch]:
    """This suite's own database, in which nothing is ever committed."""
    services.superuser("DROP SCHEMA IF EXISTS seed CASCADE")
    yield Scratch(services.superuser.url)


@pytest.fixture(scope="module")
def verdicts(scratch: Scratch) -> dict[str, Verdict]:
    """Every mutant of SQL, by name."""
    return {each.name: each for each in mutants_sql.verdicts(scratch, lambda _line: None)}


def test_every_mutant_is_killed(verdicts: dict[str, Verdict]) -> None:
    assert len(verdicts) == len(mutants_sql.MUTANTS) >= 20
    assert [name for name, verdict in verdicts.items() if not verdict.killed] == []


def test_attacks_notice_what_they_can_reach(verdicts: dict[str, Verdict]) -> None:
    by_attack = {name for name, each in verdicts.items()
                 if any(not code.startswith("catalogue.") for code in each.noticed)}  # fmt: skip
    assert by_attack >= REACHED


def test_nothing_of_it_stays(services: Any, verdicts: dict[str, Verdict]) -> None:
    assert services.superuser("SELECT count(*) FROM ctx.keys WHERE id = 'mutants'") == [(0,)]
    assert services.superuser("SELECT count(*) FROM tenants WHERE slug LIKE 'canary-%'") == [(0,)]
    assert services.superuser("SELECT count(*) FROM pg_roles WHERE rolname = 'somebody'") == [(0,)]


def test_a_mutant_that_breaks_nothing_survives(scratch: Scratch, monkeypatch: pytest.MonkeyPatch) -> None:
    harmless = mutants_sql.Mutant("nothing", "SELECT 1")
    monkeypatch.setattr(mutants_sql, "MUTANTS", (harmless,))
    [verdict] = mutants_sql.verdicts(scratch, lambda _line: None)
    assert not verdict.killed
    assert mutants.content((verdict,)) == [{"half": "sql", "name": "nothing", "killed": False, "noticed": []}]


def test_what_cannot_be_broken_is_one_sentence(services: Any, scratch: Scratch) -> None:
    with pytest.raises(NotProved, match="no superuser"):
        list(mutants_sql.verdicts(Scratch(services.settings.database_url), lambda _line: None))
    live = Scratch(scratch.superuser_url, live_url=services.settings.database_url)
    with pytest.raises(NotProved, match="never broken"):
        mutants.run(live)
    with closing(psycopg2.connect(scratch.superuser_url)) as connection, connection.cursor() as cursor:
        cursor.execute("GRANT SELECT ON users TO PUBLIC")
        connection.commit()
        try:
            with pytest.raises(NotProved, match=r"broken already: catalogue\.privileges"):
                list(mutants_sql.verdicts(scratch, lambda _line: None))
        finally:
            cursor.execute("REVOKE SELECT ON users FROM PUBLIC")
            connection.commit()
