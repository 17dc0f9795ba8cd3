"""Operators' commands, as processes and in this process."""

import os
import subprocess
import sys
from contextlib import contextmanager

import pytest
from click.testing import CliRunner

from idp import audit, cli
from idp.cli import session

NAMES = ("database_url", "ops_database_url", "redis_url", "keys", "env", "base_url")


@pytest.fixture
def process(services, twins, tmp_path):
    """`process(*arguments)` runs a command as a process on this worker's deployment; status, output, words."""
    given = {f"IDP_{name.upper()}": str(getattr(services.settings, name)) for name in NAMES}
    kept = {name: value for name, value in os.environ.items() if not name.startswith("IDP_")}
    environment = {**kept, **given, "IDP_HOME": str(tmp_path)}

    def run(*arguments, stdin=None):
        done = subprocess.run(
            [sys.executable, "-P", "-m", "idp.cli", *arguments],
            env=environment, cwd=tmp_path, input=stdin, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert "Traceback" not in done.stderr
        return done.returncode, done.stdout, done.stderr

    return run


@pytest.fixture
def idp(settings, twins, monkeypatch):
    """The same in this process, which has the deployment open already."""

    @contextmanager
    def deployment():
        with audit.acting(session.actor()):
            yield settings

    monkeypatch.setattr(session, "deployment", deployment)

    def run(*arguments, stdin=None):
        with CliRunner().isolation(input=stdin) as (out, err, _):
            try:
                status = cli.status(list(arguments))
            except SystemExit as end:
                status = end.code
            return status, out.getvalue().decode(), err.getvalue().decode()

    return run
