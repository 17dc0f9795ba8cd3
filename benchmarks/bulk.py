"""Many tenants at once: what no product command may do. A superuser inserts copies of one tenant's rows.

Every copy has the same ids, clients, users and password hash as its original. Only the private keys differ
in their seal, which is bound to the tenant, so one RSA key is sealed anew for each.
"""

from __future__ import annotations

import io
from pathlib import Path
from uuid import UUID, uuid5

import psycopg2

from benchmarks.machine import CannotMeasure
from idp.embedded import deployment
from idp.signing import ring as rings
from idp.store.roles import with_database

USERS_OF_A_COPY = 10
COPIED = ("apis", "clients", "client_secrets", "api_grants", "groups", "roles", "users", "credentials")
SPACE = UUID("6b1d3c52-1f0e-4c67-9a53-5f0f6a3f7f01")


def slug(number: int) -> str:
    return f"copy-{number:05d}"


def superuser_url(home: Path) -> str:
    """The embedded Postgres of a running deployment, as its superuser."""
    url = deployment.find(home).settings().admin_database_url
    if url is None:
        raise CannotMeasure(
            "This deployment's Postgres is not the embedded one; bulk tenants need its superuser."
        )
    return with_database(url, "idp")


def copy_tenant(home: Path, original: str, count: int) -> None:
    """Make `count` copies of the tenant with slug `original` in the running deployment of `home`."""
    ring = rings.load(deployment.find(home).settings())
    connection = psycopg2.connect(superuser_url(home))
    try:
        with connection, connection.cursor() as cursor:
            # Foreign keys and the trigger that tells the directory run once a row; the rows are consistent.
            cursor.execute("SET session_replication_role = replica")
            cursor.execute("SELECT id FROM tenants WHERE slug = %s", (original,))
            found = cursor.fetchone()
            if found is None:
                raise CannotMeasure(f"There is no tenant {original} in {home}.")
            origin = UUID(str(found[0]))
            _tenants(cursor, origin, count)
            for table in COPIED:
                _rows(cursor, table, origin)
            _keys(cursor, ring, origin, count)
            cursor.execute("DROP TABLE copies")
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")
    finally:
        connection.close()


def _columns(cursor: psycopg2.extensions.cursor, table: str) -> list[str]:
    cursor.execute(
        "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped",
        (table,),
    )
    return [str(row[0]) for row in cursor.fetchall()]


def _tenants(cursor: psycopg2.extensions.cursor, origin: UUID, count: int) -> None:
    cursor.execute("CREATE TEMPORARY TABLE copies (id uuid PRIMARY KEY, slug text NOT NULL)")
    lines = "".join(f"{uuid5(SPACE, slug(number))}\t{slug(number)}\n" for number in range(1, count + 1))
    cursor.copy_expert("COPY copies FROM STDIN", io.StringIO(lines))
    columns = _columns(cursor, "tenants")
    # The worker looks after each tenant every ten minutes; that this is spread over time belongs to the picture.
    own = {
        "id": "c.id",
        "slug": "c.slug",
        "name": "c.slug",
        "visited_at": "now() - random() * interval '9 minutes'",
    }
    values = ", ".join(own.get(column, f"t.{column}") for column in columns)
    cursor.execute(
        f"INSERT INTO tenants ({', '.join(columns)}) SELECT {values} FROM tenants t, copies c WHERE t.id = %s",
        (str(origin),),
    )


def _rows(cursor: psycopg2.extensions.cursor, table: str, origin: UUID) -> None:
    columns = _columns(cursor, table)
    values = ", ".join("c.id" if column == "tenant_id" else f"t.{column}" for column in columns)
    few = {"users": "t.id", "credentials": "t.user_id"}.get(table)
    limit = ""
    if few is not None:
        limit = (
            f" AND {few} IN (SELECT id FROM users WHERE tenant_id = t.tenant_id "
            f"ORDER BY username_norm LIMIT {USERS_OF_A_COPY})"
        )
    cursor.execute(
        f"INSERT INTO {table} ({', '.join(columns)}) SELECT {values} FROM {table} t, copies c "
        f"WHERE t.tenant_id = %s{limit}",
        (str(origin),),
    )


def _keys(cursor: psycopg2.extensions.cursor, ring: rings.Ring, origin: UUID, count: int) -> None:
    columns = [column for column in _columns(cursor, "signing_keys") if column != "tenant_id"]
    sealed = {"kek_id", "sealed"}
    cursor.execute("CREATE TEMPORARY TABLE seals (tenant_id uuid, key_id uuid, kek_id text, sealed bytea)")
    cursor.execute("SELECT id, kid, kek_id, sealed FROM signing_keys WHERE tenant_id = %s", (str(origin),))
    lines = io.StringIO()
    for key_id, kid, kek_id, wrapped in cursor.fetchall():
        plain = ring.unwrap(kek_id, bytes(wrapped), origin, kid)
        for number in range(1, count + 1):
            tenant = uuid5(SPACE, slug(number))
            kek, again = ring.wrap(plain, tenant, kid)
            lines.write(f"{tenant}\t{key_id}\t{kek}\t\\\\x{again.hex()}\n")
    lines.seek(0)
    cursor.copy_expert("COPY seals FROM STDIN", lines)
    values = ", ".join(f"s.{column}" if column in sealed else f"t.{column}" for column in columns)
    cursor.execute(
        f"INSERT INTO signing_keys (tenant_id, {', '.join(columns)}) SELECT s.tenant_id, {values} "
        "FROM signing_keys t JOIN seals s ON s.key_id = t.id WHERE t.tenant_id = %s",
        (str(origin),),
    )
    cursor.execute("DROP TABLE seals")
