"""Whether the database that the runtime role sees keeps tenants apart at all; read as that role.

Each question answers with a sentence, or nothing where all is well.
"""

import re

from idp.store import roles
from idp.store.database import outside

_OLDEST = {16: 14, 17: 10, 18: 4}

_POWERS = """
SELECT current_user, rolsuper, rolbypassrls,
    EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND pg_has_role(current_user, c.relowner, 'MEMBER'))
FROM pg_roles WHERE rolname = current_user
"""
_UNFORCED = """
SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND NOT (c.relrowsecurity AND c.relforcerowsecurity)
    AND EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped)
ORDER BY 1 LIMIT 1
"""

_SETTINGS = """
SELECT unnest(s.setconfig) FROM pg_db_role_setting s JOIN pg_roles r ON r.oid = s.setrole
WHERE r.rolname = current_user ORDER BY 1
"""


def version() -> str:
    """The server's version, such as 18.4. Raises Unavailable."""
    with outside() as connection:
        text = str(connection.exec_driver_sql("SHOW server_version").scalar())
    return text.split()[0]


def supported(text: str) -> bool:
    """Whether this house runs on that version: 16.14, 17.10, 18.4 and later of each."""
    found = re.match(r"(\d+)(?:\.(\d+))?", text)
    if found is None:
        return False
    major, minor = int(found[1]), int(found[2] or 0)
    return major > max(_OLDEST) or minor >= _OLDEST.get(major, 1_000_000)


def powers() -> str:
    """What the runtime role may do that it must not: be superuser, bypass row security, own tables."""
    with outside() as connection:
        row = connection.exec_driver_sql(_POWERS).first()
    if row is None or row[1] or row[2] or row[3]:
        name = row[0] if row is not None else "?"
        return f"The runtime logs in as {name}, which can get around row security."
    return ""


def unforced() -> str:
    """The first table of tenants' rows that does not force row security on its owner too."""
    with outside() as connection:
        table = connection.exec_driver_sql(_UNFORCED).scalar()
    return f"The table {table} does not force row security." if table else ""


def settings() -> str:
    """The first setting of the runtime role, for any database, that is not one of those it is made with."""
    allowed = {f"{name}={value}" for name, value in roles.SETTINGS["idp_app"].items()}
    with outside() as connection:
        strange = [text for (text,) in connection.exec_driver_sql(_SETTINGS) if text not in allowed]
    if not strange:
        return ""
    name = strange[0].partition("=")[0]
    return f"The runtime role has {strange[0]}; take it back with ALTER ROLE … RESET {name}."
