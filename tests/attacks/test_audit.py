"""Attacks on the record: by the runtime role, by an outage, and by another tenant."""

from contextlib import closing
from typing import Any

import psycopg2
import pytest

from idp import directory, logs, seals
from idp.errors import Busy
from idp.signing import cache, envelope, rotation
from idp.store import database as vault_database
from idp.store.durable import audit_log, signing_keys
from idp.tenants import Tenant, entered
from tests.playing import relying_party


@pytest.mark.parametrize("table", ["audit_log", "audit_seals"])
@pytest.mark.parametrize(
    "verb",
    [
        "UPDATE {0} SET at = now()",
        "DELETE FROM {0}",
        "TRUNCATE {0}",
        "ALTER TABLE {0} DISABLE ROW LEVEL SECURITY",
        "DROP TABLE {0}",
        "CREATE TRIGGER t BEFORE INSERT ON {0} EXECUTE FUNCTION touch_tenant()",
    ],
)
def test_au01_even_injected_sql_cannot_change_the_record(
    acme: Tenant, services: Any, table: str, verb: str
) -> None:
    """As `idp_app`, with a context that is good: all that an injection could ever be."""
    context = vault_database.signer().sign(acme.id)
    with (
        closing(psycopg2.connect(services.settings.database_url)) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute("SELECT set_config('app.ctx', %s, true)", (context,))
        with pytest.raises(psycopg2.Error, match=r"permission denied|must be owner"):
            cursor.execute(verb.format(table))


def test_au01_a_forged_seal_of_the_runtime_role_is_found(acme: Tenant, services: Any) -> None:
    """It may INSERT seals, because the worker does; what it inserts must still follow from the rows."""
    with entered(acme):
        seals.seal()
        assert seals.verify().whole
    context = vault_database.signer().sign(acme.id)
    with (
        closing(psycopg2.connect(services.settings.database_url)) as connection,
        connection,
        connection.cursor() as cursor,
    ):
        cursor.execute("SELECT set_config('app.ctx', %s, true)", (context,))
        cursor.execute(
            "INSERT INTO audit_seals SELECT tenant_id, gen_random_uuid(), number + 1, first_xid, last_xid, first_id, "
            "last_id, count, digest, sha256('x'), now() FROM audit_seals ORDER BY number DESC LIMIT 1"
        )
    with entered(acme):
        assert not seals.verify().whole


def test_au05_what_cannot_be_recorded_is_not_done(
    app: Any, acme: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    rp = relying_party(app, acme)
    tokens = rp.sign_in()

    def away(_entries: object) -> None:
        raise Busy

    with monkeypatch.context() as outage:
        outage.setattr(audit_log, "insert_all", away)
        refused = rp.refresh(tokens["refresh_token"])
        assert refused.status_code == 503
        assert refused.headers["Retry-After"]
        page = rp.authorize().login("alice").answer
        assert page.status_code in (303, 503) and "code=" not in page.headers.get("Location", "")
    assert rp.refresh(tokens["refresh_token"]).status_code == 200


def test_au06_what_happens_at_acme_is_nothing_at_globex(app: Any, twins: tuple[Tenant, Tenant]) -> None:
    acme, globex = twins
    with entered(globex):
        before = audit_log.recent(1000), audit_log.unsealed(0)
    relying_party(app, acme).sign_in()
    with entered(acme):
        assert audit_log.recent(event="token.issued") or len(audit_log.recent()) > 0
    with entered(globex):
        assert (audit_log.recent(1000), audit_log.unsealed(0)) == before


def test_au08_signing_keys_lie_sealed_and_bound_to_their_tenant(
    twins: tuple[Tenant, Tenant], database: Any
) -> None:
    acme, globex = twins
    for tenant in twins:
        rotation.ensure(tenant)
    stored = database("SELECT sealed, public::text FROM signing_keys")
    for sealed, public in stored:
        assert b"\x30\x82" not in bytes(sealed)[:8] and b"PRIVATE" not in bytes(sealed)
        assert '"d"' not in public
    with entered(acme):
        (stolen, *_) = signing_keys.all_keys()
    with entered(globex):
        (mine, *_) = signing_keys.all_keys()
        signing_keys.reseal(mine.id, stolen.sealed, stolen.kek_id)
        database("UPDATE signing_keys SET kid = %s WHERE id = %s", stolen.kid, str(mine.id))
        cache.forget()
        directory.poll()
        with pytest.raises(envelope.Unsealable):
            cache.private_key(cache.load().by_kid[stolen.kid], globex.id)
    cache.forget()


def test_every_row_and_every_line_names_its_request(app: Any, acme: Tenant) -> None:
    """What an answer carries as X-Request-Id is in the rows that its request wrote, and nothing is left bound."""
    rp = relying_party(app, acme)
    with entered(acme):
        before = {row.id for row in audit_log.recent(1000)}
    answer = rp.redeem(rp.authorize().login("alice").code)
    with entered(acme):
        rows = [row for row in audit_log.recent(1000) if row.id not in before]
    assert rows and all(row.request_id for row in rows)
    assert answer.headers["X-Request-Id"] in {row.request_id for row in rows if row.event == "code.redeemed"}
    assert len({row.request_id for row in rows}) > 1
    assert logs.request.get() is None
    mark = logs.request.set("r-7")
    try:
        assert logs.of_request(None, "", {"event": "x"}) == {"event": "x", "request_id": "r-7"}
        assert logs.of_request(None, "", {"request_id": "own"}) == {"request_id": "own"}
    finally:
        logs.request.reset(mark)
