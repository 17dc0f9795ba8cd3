"""A Postgres that answers and lets nobody in: told in the log, once in a while, and never with a secret."""

import psycopg2
import pytest
from structlog.testing import capture_logs

from idp.store import stalled


def test_a_login_that_postgres_refuses_is_told_and_leaves_the_breaker_closed(services, vault, monkeypatch):
    monkeypatch.setattr(stalled._Told, "at", float("-inf"))
    wrong = services.settings.database_url.replace("idp_app:", "idp_app:not-", 1)
    with capture_logs() as lines:
        for _ in range(2):
            with pytest.raises(psycopg2.OperationalError, match="authentication failed"):
                psycopg2.connect(wrong, connection_factory=stalled.Line)
    told = [line for line in lines if line["event"] == "database.refused"]
    assert len(told) == 1
    assert 'authentication failed for user "idp_app"' in told[0]["words"]
    assert "not-" not in told[0]["words"]
    assert not stalled.breaker().open
