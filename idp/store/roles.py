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

_SETTINGS = {
    "idp_app": {
        "track_activities": "off",
        "statement_timeout": "2s",
        "lock_timeout": "1s",
        "idle_in_transaction_session_timeout": "10s",
        "log_statement": "none",
        "log_min_duration_statement": "-1",
        "log_min_error_statement": "panic",
    },
    "idp_ops": {"statement_timeout": "30s", "lock_timeout": "2s", "idle_in_transaction_session_timeout": "30s"},
    "idp_readonly": {"statement_timeout": "30s", "idle_in_transaction_session_timeout": "30s"},
}
# track_activities and the logging settings are a superuser's to set; a managed service may refuse them,
# which the reports then name as a residual risk.
_SUPERUSER_ONLY = {"track_activities", "log_statement", "log_min_duration_statement", "log_min_error_statement"}
_BLIND = ("pg_stat_get_activity(integer)", "pg_stat_get_backend_activity(integer)")


def bootstrap_sql(passwords: dict[str, str], *, database: str = "idp", managed: bool = False) -> str:
    """The statements that make the roles, for whoever may run them.

    `passwords` maps each of LOGINS to its password; a missing one leaves the role without a password.
    With `managed`, what only a superuser may do is left out. The statements can be run again.
    """
    return "\n".join([*_make_roles(passwords), *_set_roles(managed), *_close_database(database, managed)]) + "\n"


def _make_roles(passwords: dict[str, str]) -> list[str]:
    lines = []
    for role in (*OWNERS, *LOGINS):
        lines.append(
            f"DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{role}') THEN "
            f"CREATE ROLE {role}; END IF; END $$;"
        )
        login = "LOGIN" if role in LOGINS else "NOLOGIN"
        bypass = "BYPASSRLS" if role == "idp_backup" else "NOBYPASSRLS"
        lines.append(f"ALTER ROLE {role} {login} NOINHERIT NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION {bypass};")
        if passwords.get(role):
            quoted = passwords[role].replace("'", "''")
            lines.append(f"ALTER ROLE {role} PASSWORD '{quoted}';")
    lines += [f"GRANT {owner} TO idp_migrator;" for owner in OWNERS]
    return lines


def _set_roles(managed: bool) -> list[str]:
    return [
        f"ALTER ROLE {role} SET {name} = '{value}';"
        for role, settings in _SETTINGS.items()
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
        lines += [f"REVOKE EXECUTE ON FUNCTION {function} FROM PUBLIC;" for function in _BLIND]
        lines += [
            "REVOKE SELECT ON pg_stat_activity FROM PUBLIC;",
            "DO $$ DECLARE f record; BEGIN FOR f IN SELECT p.oid::regprocedure AS name FROM pg_proc p "
            "JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = 'pg_catalog' "
            r"AND (p.proname LIKE 'lo\_%' OR p.proname IN ('loread', 'lowrite')) "
            "LOOP EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', f.name); END LOOP; END $$;",
        ]
    return lines


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
