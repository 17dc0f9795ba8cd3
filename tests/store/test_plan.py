"""`idp migrate --plan` and `--check`, with revisions that only this test knows."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from idp import cli, paths
from idp.config import Settings
from idp.control import migrations
from idp.embedded.deployment import Deployment
from idp.errors import Conflict
from idp.store import revision
from idp.store.ddl import Work
from idp.tenants import Tenant

REVISION = '''"""{title}

Revision ID: {revision}
"""

from alembic import op

revision = "{revision}"
down_revision = "{down}"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Only for a test."""
    op.execute("SET ROLE idp_owner")
    for statement in {statements!r}:
        op.execute(statement)


def downgrade() -> None:
    """Nowhere."""
'''
EXPANDS = ["ALTER TABLE users ADD COLUMN later TEXT"]
REWRITES = [
    "ALTER TABLE sessions ADD COLUMN later UUID NOT NULL DEFAULT gen_random_uuid()",
    "CREATE INDEX sessions_later ON sessions (tenant_id, later)",
]
BREAKS = ["ALTER TABLE users NO FORCE ROW LEVEL SECURITY"]


@pytest.fixture
def later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: Settings, twins: tuple[Tenant, Tenant]
) -> Iterator[Any]:
    """`later(*statements lists)`: revisions behind the head, one for each list."""
    folder = tmp_path / "migrations"
    shutil.copytree(paths.migrations(), folder, ignore=shutil.ignore_patterns("__pycache__"))
    head = revision.head()
    monkeypatch.setattr(paths, "migrations", lambda: folder)
    revision.head.cache_clear()

    def add(*lists: list[str]) -> list[str]:
        down, made = head, []
        for number, statements in enumerate(lists, 1):
            made.append(f"9{number:03}")
            text = REVISION.format(
                title=f"Step {number}", revision=made[-1], down=down, statements=statements
            )
            (folder / "versions" / f"{made[-1]}_later.py").write_text(text)
            down = made[-1]
        return made

    yield add
    revision.head.cache_clear()


def test_nothing_is_pending_at_the_head(later: Any, settings: Settings) -> None:
    assert migrations.pending(settings) == ()


def test_the_plan_says_what_is_locked_and_runs_nothing(later: Any, settings: Settings, database: Any) -> None:
    database("ANALYZE sessions")
    names = later(EXPANDS, REWRITES)
    first, second = migrations.pending(settings)
    assert [first.revision, second.revision] == names and second.title == "Step 2"
    effects = [step.effect for step in (*first.steps, *second.steps) if step.effect.lock]
    told = [(each.lock, each.table, each.work) for each in effects]
    assert told == [
        ("ACCESS EXCLUSIVE", "users", Work.NONE),
        ("ACCESS EXCLUSIVE", "sessions", Work.REWRITE),
        ("SHARE", "sessions", Work.BUILD),
    ]
    assert [step.seconds > 0 for step in second.steps if step.effect.lock] == [True, True]
    columns = "SELECT count(*) FROM information_schema.columns WHERE column_name = 'later'"
    assert database(columns) == [(0,)]


@pytest.mark.slow
def test_the_check_sees_locks_and_rewrites_on_a_copy_and_a_wall_that_fell(
    later: Any, settings: Settings, database: Any
) -> None:
    names = later(EXPANDS, REWRITES, BREAKS)
    people = database("SELECT count(*) FROM users")
    told: list[str] = []
    trial = migrations.tried(settings, None, told.append)
    assert trial.rows > 20 and told[-1] == "looking at the wall"
    by_revision = {name: [seen for seen in trial.seen if seen.revision == name] for name in names}
    [expanded] = by_revision[names[0]]
    assert ("users", "AccessExclusiveLock") in expanded.locks and expanded.rewritten == ()
    rewritten = by_revision[names[1]]
    assert rewritten[0].rewritten == ("sessions",)
    assert ("sessions", "ShareLock") in [lock for seen in rewritten for lock in seen.locks]
    assert any("users" in sentence and "FORCE" in sentence.upper() for sentence in trial.wrong)
    assert database("SELECT count(*) FROM users") == people
    assert database("SELECT relforcerowsecurity FROM pg_class WHERE oid = 'users'::regclass") == [(True,)]


def test_the_deployment_is_no_shadow_of_its_own(later: Any, settings: Settings) -> None:
    with pytest.raises(Conflict, match="the deployment itself"):
        migrations.tried(settings, settings.admin_database_url, lambda _line: None)


def test_the_command_prints_the_plan(
    later: Any, settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    @contextmanager
    def running(*_: Any, **__: Any) -> Iterator[Settings]:
        yield settings

    monkeypatch.setattr(Deployment, "running", running)
    later(REWRITES)
    assert cli.status(["migrate", "--plan", "--json"]) == 0
    [pending] = json.loads(capsys.readouterr().out)["pending"]
    assert pending["revision"] == "9001"
    assert [step["work"] for step in pending["steps"]] == ["none", "rewrite", "index"]
    assert cli.status(["migrate", "--plan"]) == 0
    assert "ACCESS EXCLUSIVE on sessions" in capsys.readouterr().err
