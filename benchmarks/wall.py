"""The price of the tenant wall: row security and signed context against none, on the same table and plan.

    .venv/bin/python -m benchmarks.wall [--tenants 1000] [--users 1000] [--no-refresh]

A throw-away cluster gets the product's own roles and schema, and users by a superuser's INSERT … SELECT with
one shared hash. The same indexed query then runs as `idp_app` behind the wall and as a role that bypasses row
security; both name the tenant in their WHERE, as every query of the product does.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import secrets
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any
from uuid import UUID, uuid5

import psutil
import psycopg2

from benchmarks import report
from benchmarks.browser import Browser
from benchmarks.bulk import SPACE, superuser_url
from benchmarks.hands import basic
from benchmarks.machine import LOAD_CORE, CannotMeasure, description, pin
from benchmarks.rows import refresh
from benchmarks.target import Server, ours
from idp.config import Settings
from idp.embedded.postgres import SUPERUSER, Postgres
from idp.store import migrate, roles
from idp.store.context import Signer

QUERY = "SELECT id, username, email, claims, status FROM users WHERE tenant_id = %s AND username_norm = %s"
PER_QUERY, PER_TRANSACTION, SHARE = 40.0, 100.0, 0.10
ROUNDS, BATCH = 60, 100


def say(*words: object) -> None:
    print(*words, file=sys.stderr, flush=True)


@contextmanager
def cluster(folder: Path, signing_key: tuple[str, bytes]) -> Iterator[Postgres]:
    """A throw-away Postgres with the product's roles and schema."""
    postgres = Postgres(
        folder / "postgres", password=secrets.token_hex(16), log=folder / "pg.log", durable=False
    )
    postgres.make()
    postgres.start()
    try:
        postgres.wait()
        passwords = {role: secrets.token_hex(16) for role in roles.LOGINS}
        roles.create(postgres.url(database="postgres"), passwords)
        url = postgres.url("idp_migrator", passwords["idp_migrator"])
        migrate.upgrade(Settings.load({}, migrator_database_url=url), [signing_key])
        for role in ("idp_app", "idp_bare"):
            with _connect(postgres, SUPERUSER) as admin, admin.cursor() as cursor:
                if role == "idp_bare":
                    cursor.execute("CREATE ROLE idp_bare LOGIN NOINHERIT BYPASSRLS")
                    cursor.execute("ALTER ROLE idp_bare SET track_activities = off")
                    cursor.execute("GRANT CONNECT ON DATABASE idp TO idp_bare")
                    cursor.execute("GRANT USAGE ON SCHEMA public TO idp_bare")
                    cursor.execute("GRANT SELECT ON users TO idp_bare")
                cursor.execute(f"ALTER ROLE {role} PASSWORD 'bench'")
        yield postgres
    finally:
        postgres.stop()


def _connect(postgres: Postgres, user: str) -> psycopg2.extensions.connection:
    password = None if user == SUPERUSER else "bench"
    return psycopg2.connect(postgres.url(user, password))


def tenant(number: int) -> UUID:
    return uuid5(SPACE, f"wall-{number}")


def fill(postgres: Postgres, tenants: int, users: int) -> None:
    """`tenants` × `users` rows, made by Postgres itself."""
    with _connect(postgres, SUPERUSER) as admin, admin.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute("CREATE TEMPORARY TABLE of (id uuid)")
        cursor.executemany(
            "INSERT INTO of VALUES (%s)", [(str(tenant(number)),) for number in range(tenants)]
        )
        cursor.execute(
            "INSERT INTO tenants (id, slug, name, status, policy, branding, version, changed_at, visited_at,"
            " created_at) SELECT id, id::text, id::text, 'active', '{}', '{}', 1, now(), now(), now() FROM of"
        )
        cursor.execute(
            "INSERT INTO users (tenant_id, id, username, username_norm, username_skeleton, email, email_norm,"
            " email_verified, claims, status, created_at, updated_at)"
            " SELECT of.id, gen_random_uuid(), 'user' || n, 'user' || n, 'user' || n,"
            " 'user' || n || '@bench.example', 'user' || n || '@bench.example', true, '{}', 'active', now(), now()"
            " FROM of, generate_series(1, %s) n",
            (users,),
        )
    admin.autocommit = True
    with admin.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE users")
    admin.close()


def plan(
    connection: psycopg2.extensions.connection, context: str | None, arguments: tuple[str, str]
) -> list[str]:
    """The plan's scans and joins from top to bottom, without what the policy adds: the context, evaluated
    once as an InitPlan, and a Result that compares it with the tenant named in the WHERE."""
    with connection, connection.cursor() as cursor:
        if context is not None:
            cursor.execute("SELECT set_config('app.ctx', %s, true)", (context,))
        cursor.execute("EXPLAIN (FORMAT JSON) " + QUERY, arguments)
        node = cursor.fetchone()[0][0]["Plan"]
    found: list[str] = []
    _walk(node, found)
    return found


def _walk(node: dict[str, Any], found: list[str]) -> None:
    if node.get("Parent Relationship") == "InitPlan":
        return
    if "One-Time Filter" not in node:
        found.append(" ".join(str(node[key]) for key in ("Node Type", "Index Name") if key in node))
    for child in node.get("Plans", []):
        _walk(child, found)


class Side:
    """One connection, with or without the wall."""

    def __init__(self, connection: psycopg2.extensions.connection, signer: Signer | None) -> None:
        self.connection, self.signer = connection, signer

    def context(self, of: UUID) -> None:
        if self.signer is not None:
            with self.connection.cursor() as cursor:
                cursor.execute("SELECT set_config('app.ctx', %s, true)", (self.signer.sign(of),))

    def query(self, of: UUID, username: str) -> None:
        with self.connection.cursor() as cursor:
            cursor.execute(QUERY, (str(of), username))
            if cursor.fetchone() is None:
                raise CannotMeasure("The measured query found no row.")

    def queries(self, tenants: int, users: int) -> list[float]:
        """Microseconds of each query of one transaction."""
        of, times = tenant(random.randrange(tenants)), []
        self.context(of)
        for _ in range(BATCH):
            began = time.perf_counter()
            self.query(of, f"user{random.randint(1, users)}")
            times.append((time.perf_counter() - began) * 1e6)
        self.connection.commit()
        return times

    def transactions(self, tenants: int, users: int) -> list[float]:
        """Microseconds of whole transactions with one query each, signing included."""
        times = []
        for _ in range(BATCH):
            of, username = tenant(random.randrange(tenants)), f"user{random.randint(1, users)}"
            began = time.perf_counter()
            self.context(of)
            self.query(of, username)
            self.connection.commit()
            times.append((time.perf_counter() - began) * 1e6)
        return times


def compare(kind: Callable[[Side], list[float]], bare: Side, walled: Side) -> dict[str, float]:
    """Medians in microseconds, the two sides in turns so that noise falls on both."""
    times: dict[str, list[float]] = {"bare": [], "walled": []}
    for number in range(ROUNDS):
        for name, side in (("bare", bare), ("walled", walled)):
            taken = kind(side)
            if number:  # the first round fills caches
                times[name] += taken
    middles = {name: round(median(values), 1) for name, values in times.items()}
    return {**middles, "cost": round(middles["walled"] - middles["bare"], 1)}


def prices(folder: Path, tenants: int, users: int) -> dict[str, Any]:
    """What a query and a transaction cost behind the wall, and that their plans agree."""
    key = ("bench", hashlib.sha256(secrets.token_bytes(32)).digest())
    with cluster(folder, key) as postgres:
        say(f"making {tenants:,} tenants with {users:,} users each")
        fill(postgres, tenants, users)
        if postgres.child is not None:  # beside the client: waking another core costs more than the wall
            pin([psutil.Process(postgres.child.pid)], LOAD_CORE)
        signer = Signer([key])
        bare = Side(_connect(postgres, "idp_bare"), None)
        walled = Side(_connect(postgres, "idp_app"), signer)
        arguments = (str(tenant(0)), "user1")
        plans = (
            plan(bare.connection, None, arguments),
            plan(walled.connection, signer.sign(tenant(0)), arguments),
        )
        query = compare(lambda side: side.queries(tenants, users), bare, walled)
        whole = compare(lambda side: side.transactions(tenants, users), bare, walled)
        bare.connection.close()
        walled.connection.close()
    return {"plan": plans[1], "same_plan": plans[0] == plans[1], "query": query, "transaction": whole}


def refresh_share(server: Server, price: dict[str, Any], times: int = 200) -> dict[str, float]:
    """What part of a refresh request the wall takes: context checks and transactions, counted by Postgres."""
    assert server.home is not None
    families = refresh(server, server.sites, times)
    admin = psycopg2.connect(superuser_url(server.home))
    admin.autocommit = True
    with admin.cursor() as cursor:
        cursor.execute("ALTER SYSTEM SET track_functions = 'pl'")
        cursor.execute("SELECT pg_reload_conf()")
    time.sleep(0.5)
    before = _counted(admin)
    browser, taken = Browser(server.port), []
    for raw in families:
        token = raw.rsplit(b"refresh_token=", 1)[1].decode()
        form = {"grant_type": "refresh_token", "refresh_token": token}
        began = time.perf_counter()
        answer = browser.send("POST", server.sites[0].endpoint("token_endpoint"), form, **basic("web"))
        taken.append((time.perf_counter() - began) * 1e6)
        if answer.status != 200:
            raise CannotMeasure(f"A refresh was refused ({answer.status}): {answer.body[:200]}")
    time.sleep(1.5)  # backends report their counts at most once a second
    after = _counted(admin)
    admin.close()
    checks, transactions = ((late - early) / times for early, late in zip(before, after, strict=True))
    # The transaction's price holds one query; the rest of the checks are further queries.
    extra = max(0.0, checks - transactions) * price["query"]["cost"]
    wall = transactions * price["transaction"]["cost"] + extra
    whole = median(taken)
    return {
        "microseconds": round(whole, 1),
        "checks": round(checks, 2),
        "transactions": round(transactions, 2),
        "wall_microseconds": round(wall, 1),
        "share": round(wall / whole, 4),
    }


def _counted(admin: psycopg2.extensions.connection) -> tuple[int, int]:
    with admin.cursor() as cursor:
        cursor.execute("SELECT pg_stat_clear_snapshot()")
        cursor.execute("SELECT coalesce(sum(calls), 0) FROM pg_stat_user_functions WHERE schemaname = 'ctx'")
        calls = int(cursor.fetchone()[0])
        cursor.execute("SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()")
        return calls, int(cursor.fetchone()[0])


def table(result: dict[str, Any]) -> str:
    """A Markdown table of what the wall costs and may cost."""
    query, whole, share = result["query"], result["transaction"], result.get("refresh")
    lines = [
        f"| {result['tenants']:,} tenants × {result['users']:,} users | without | behind the wall | cost | allowed |",
        "|---|--:|--:|--:|--:|",
        f"| a query, µs | {query['bare']} | {query['walled']} | {query['cost']} | ≤ {PER_QUERY:.0f} |",
        f"| a transaction, µs | {whole['bare']} | {whole['walled']} | {whole['cost']} | ≤ {PER_TRANSACTION:.0f} |",
    ]
    if share:
        lines.append(
            f"| a refresh request, µs | | {share['microseconds']} | {share['share']:.1%} | ≤ {SHARE:.0%} |"
        )
    same = "the same plan" if result["same_plan"] else "DIFFERENT PLANS"
    return "\n".join(
        [*lines, "", f"Medians, client and Postgres on one core, {same} ({', '.join(result['plan'])})."]
    )


def main() -> int:
    parser = argparse.ArgumentParser(prog="benchmarks.wall", description="The price of the tenant wall.")
    parser.add_argument("--tenants", type=int, default=1000)
    parser.add_argument("--users", type=int, default=1000)
    parser.add_argument("--no-refresh", action="store_true", help="leave out the share of a refresh request")
    parser.add_argument("--save", action="store_true", help="keep the result in benchmarks/results")
    given = parser.parse_args()
    pin([psutil.Process()], LOAD_CORE)
    try:
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="idp-wall-")))
            result: dict[str, Any] = {
                "at": datetime.now(UTC).isoformat(timespec="seconds"),
                "machine": description(),
                "tenants": given.tenants,
                "users": given.users,
                **prices(folder, given.tenants, given.users),
            }
            if not given.no_refresh:
                result["refresh"] = refresh_share(stack.enter_context(ours(folder)), result)
    except CannotMeasure as error:
        say(error)
        return 2
    print(table(result))
    if given.save:
        say(f"written: {report.save('wall', result)}")
    else:
        say(json.dumps(result["query"] | {"transaction": result["transaction"]}))
    held = result["query"]["cost"] <= PER_QUERY and result["transaction"]["cost"] <= PER_TRANSACTION
    held = held and result["same_plan"] and result.get("refresh", {"share": 0})["share"] <= SHARE
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
