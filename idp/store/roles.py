"""The roles of Postgres: who owns, who migrates, who runs, who operates, who reads, who backs up.

`idp_app` is all that web and worker log in as. It is a member of nothing, owns nothing, and cannot turn
row security or the tracking of its statements on or off. Only a superuser, or whom a managed service lets
make roles, runs this; everything after it is done by `idp_migrator`.
"""

from urllib.parse import urlsplit, urlunsplit

import psycopg2
from psycopg2 import sql

LOGINS = ("idp_app", "idp_ops", "idp_migrator", "idp_readonly", "idp_backup")
"""Roles that log in, each with a password of its own."""

OWNERS = ("idp_owner", "idp_ctx", "idp_directory")
"""Roles that own and never log in: the tables, the context's keys, the cross-tenant functions."""

SETTINGS = {
    "idp_app": {
        "track_activities": "off",
        "statement_timeout": "2s",
        "lock_timeout": "1s",
        "deadlock_timeout": "200ms",
        "idle_in_transaction_session_timeout": "10s",
        "log_statement": "none",
        "log_min_duration_statement": "-1",
        "log_min_error_statement": "panic",
    },
    "idp_ops": {
        "statement_timeout": "30s",
        "lock_timeout": "2s",
        "idle_in_transaction_session_timeout": "30s",
    },
    "idp_readonly": {"statement_timeout": "30s", "idle_in_transaction_session_timeout": "30s"},
}
# These are a superuser's to set; a managed service may refuse them, which the reports then name as a residual
# risk. A deadlock has to be looked for before the wait for a lock is over: else it passes for a wait, which is
# answered with 503, and is not run anew.
_SUPERUSER_ONLY = {
    "track_activities",
    "deadlock_timeout",
    "log_statement",
    "log_min_duration_statement",
    "log_min_error_statement",
}
_CLOSED = r"""^(pg_stat_get_.*|pg_(try_)?advisory_.*|lo_.*|loread|lowrite|pg_lock_status|pg_notify
|pg_terminate_backend|pg_cancel_backend|pg_export_snapshot|pg_logical_emit_message)$""".replace("\n", "")
"""Functions of Postgres that act on or tell of others, which nobody gets by being in PUBLIC."""
_TELLING = "^(pg_stat(io)?_.*|pg_locks)$"
"""Views that tell what others do."""
_LOCKS = ("pg_advisory_xact_lock(bigint)", "pg_try_advisory_xact_lock(bigint)")


def bootstrap_sql(passwords: dict[str, str], *, database: str = "idp", managed: bool = False) -> str:
    """The statements that make the roles, for whoever may run them.

    `passwords` maps each of LOGINS to its password; a missing one leaves the role without a password.
    With `managed`, what only a superuser may do is left out. The statements can be run again.
    """
    return (
        "\n".join([*_make_roles(passwords), *_set_roles(managed), *_close_database(database, managed)]) + "\n"
    )


def _make_roles(passwords: dict[str, str]) -> list[str]:
    lines = []
    for role in (*OWNERS, *LOGINS):
        lines.append(
            f"DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{role}') THEN "
            f"CREATE ROLE {role}; END IF; END $$;"
        )
        login = "LOGIN" if role in LOGINS else "NOLOGIN"
        bypass = "BYPASSRLS" if role == "idp_backup" else "NOBYPASSRLS"
        lines.append(
            f"ALTER ROLE {role} {login} NOINHERIT NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION {bypass};"
        )
        if passwords.get(role):
            quoted = passwords[role].replace("'", "''")
            lines.append(f"ALTER ROLE {role} PASSWORD '{quoted}';")
    lines += [f"GRANT {owner} TO idp_migrator;" for owner in OWNERS]
    return lines


def _set_roles(managed: bool) -> list[str]:
    return [
        f"ALTER ROLE {role} SET {name} = '{value}';"
        for role, settings in SETTINGS.items()
        for name, value in settings.items()
        if not (managed and name in _SUPERUSER_ONLY)
    ]


def _close_database(database: str, managed: bool) -> list[str]:
    lines = [
        f"REVOKE ALL ON DATABASE {database} FROM PUBLIC;",
        f"GRANT CONNECT ON DATABASE {database} TO {', '.join(LOGINS)};",
        f"GRANT CREATE ON DATABASE {database} TO idp_ctx, idp_directory, idp_owner;",
    ]
    if not managed:
        lines += [
            _each("f", f"SELECT p.oid::regprocedure AS name FROM pg_proc p WHERE p.prokind = 'f' "
                  f"AND p.pronamespace = 'pg_catalog'::regnamespace AND p.proname ~ '{_CLOSED}'",
                  "REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC"),
            _each("f", "SELECT p.oid::regprocedure AS name FROM pg_proc p WHERE p.prokind = 'f' "
                  "AND p.pronamespace = 'pg_catalog'::regnamespace AND p.proname ~ '^pg_stat_get_'",
                  "GRANT EXECUTE ON FUNCTION %s TO pg_monitor"),
            _each("v", f"SELECT c.oid::regclass AS name FROM pg_class c WHERE c.relkind = 'v' "
                  f"AND c.relnamespace = 'pg_catalog'::regnamespace AND c.relname ~ '{_TELLING}'",
                  "REVOKE SELECT ON %s FROM PUBLIC", "GRANT SELECT ON %s TO pg_monitor"),
            "GRANT EXECUTE ON FUNCTION pg_lock_status() TO pg_monitor;",
            "GRANT EXECUTE ON FUNCTION pg_export_snapshot() TO idp_backup;",
            *(f"GRANT EXECUTE ON FUNCTION {lock} TO idp_app, idp_migrator;" for lock in _LOCKS),
        ]  # fmt: skip
    return lines


def _each(name: str, found: str, *statements: str) -> str:
    """A block that runs each of `statements` for every `name` that the query `found` answers."""
    done = " ".join(f"EXECUTE format('{statement}', {name}.name);" for statement in statements)
    return f"DO $$ DECLARE {name} record; BEGIN FOR {name} IN {found} LOOP {done} END LOOP; END $$;"


def create(admin_url: str, passwords: dict[str, str], *, database: str = "idp") -> bool:
    """Make the roles and the database as the superuser behind `admin_url`.

    Returns whether the database was made by this call. Raises psycopg2.Error.
    """
    connection = psycopg2.connect(admin_url)
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", (database,))
            made = cursor.fetchone() is None
            for line in _make_roles(passwords):
                cursor.execute(line)
            if made:
                cursor.execute(
                    sql.SQL("CREATE DATABASE {} OWNER idp_owner TEMPLATE template0 ENCODING 'UTF8'").format(
                        sql.Identifier(database)
                    )
                )
    finally:
        connection.close()
    inside = psycopg2.connect(with_database(admin_url, database))
    try:
        inside.autocommit = True
        with inside.cursor() as cursor:
            for line in (*_set_roles(False), *_close_database(database, False)):
                cursor.execute(line)
    finally:
        inside.close()
    return made


def with_database(url: str, database: str) -> str:
    """`url` with its database replaced."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{database}"))
