"""The database's own description of our schema, in an order that does not change: for comparing two environments.

Texts are those that Postgres prints for its catalogue; names of people and rows of tenants are in none of them.
"""

import hashlib
from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection

from idp.store.database import outside

_OURS = "n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'"
_ROLES = "starts_with(r.rolname, 'idp_')"

_TABLES = f"""
SELECT n.nspname || '.' || c.relname, c.relkind::text, c.relowner::regrole::text, c.relrowsecurity,
    c.relforcerowsecurity, coalesce(array_to_string(c.reloptions, ','), ''),
    (SELECT array_agg(concat_ws(' ', a.attname, format_type(a.atttypid, a.atttypmod),
            CASE WHEN a.attnotnull THEN 'NOT NULL' END, pg_get_expr(d.adbin, d.adrelid)) ORDER BY a.attname)
        FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
        WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE {_OURS} AND c.relkind IN ('r', 'p', 'v', 'm', 'f') ORDER BY 1
"""
_POLICIES = f"""
SELECT n.nspname || '.' || c.relname || '.' || p.polname, p.polpermissive, p.polcmd::text,
    (SELECT array_agg(CASE WHEN role = 0 THEN 'public' ELSE role::regrole::text END ORDER BY 1)
        FROM unnest(p.polroles) role),
    pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid)
FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE {_OURS} ORDER BY 1
"""
_FUNCTIONS = f"""
SELECT n.nspname || '.' || p.proname || '(' || pg_get_function_identity_arguments(p.oid) || ')',
    p.proowner::regrole::text, p.prosecdef, p.provolatile::text, p.proleakproof,
    coalesce(array_to_string(p.proconfig, ','), ''), p.prosrc
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE {_OURS}
    AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e') ORDER BY 1
"""
_CONSTRAINTS = f"""
SELECT n.nspname || '.' || c.relname || '.' || k.conname, pg_get_constraintdef(k.oid)
FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE {_OURS} AND k.contype <> 'n' ORDER BY 1
"""
_INDEXES = f"""
SELECT n.nspname || '.' || i.relname, pg_get_indexdef(i.oid) FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid
JOIN pg_namespace n ON n.oid = i.relnamespace WHERE {_OURS} ORDER BY 1
"""
_TRIGGERS = f"""
SELECT n.nspname || '.' || c.relname || '.' || t.tgname, pg_get_triggerdef(t.oid) || ' ' || t.tgenabled::text
FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE {_OURS} AND NOT t.tgisinternal ORDER BY 1
"""
_RIGHT = (
    "CASE WHEN x.grantee = 0 THEN 'public' ELSE x.grantee::regrole::text END || ' ' || x.privilege_type || "
    "CASE WHEN x.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END"
)
_GRANTS = f"""
SELECT object, array_agg(told ORDER BY told) FROM (
    SELECT n.nspname || '.' || c.relname AS object, {_RIGHT} AS told
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace CROSS JOIN aclexplode(c.relacl) x
        WHERE {_OURS} AND c.relkind <> 'i'
    UNION ALL SELECT n.nspname || '.' || c.relname || '.' || a.attname, {_RIGHT}
        FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
        CROSS JOIN aclexplode(a.attacl) x WHERE {_OURS}
    UNION ALL SELECT n.nspname || '.' || p.proname || '(' || pg_get_function_identity_arguments(p.oid) || ')', {_RIGHT}
        FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
        CROSS JOIN aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) x WHERE {_OURS}
    UNION ALL SELECT 'schema ' || n.nspname, {_RIGHT}
        FROM pg_namespace n CROSS JOIN aclexplode(coalesce(n.nspacl, acldefault('n', n.nspowner))) x WHERE {_OURS}
    UNION ALL SELECT 'database', {_RIGHT}
        FROM pg_database d CROSS JOIN aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) x
        WHERE d.datname = current_database() AND x.grantee <> d.datdba
    UNION ALL SELECT 'defaults of ' || f.defaclrole::regrole::text || ' ' || f.defaclobjtype::text, {_RIGHT}
        FROM pg_default_acl f CROSS JOIN aclexplode(f.defaclacl) x
) given GROUP BY object ORDER BY 1
"""
_ROLE = f"""
SELECT r.rolname, concat_ws(' ',
        CASE WHEN r.rolsuper THEN 'SUPERUSER' END, CASE WHEN r.rolbypassrls THEN 'BYPASSRLS' END,
        CASE WHEN r.rolinherit THEN 'INHERIT' END, CASE WHEN r.rolcanlogin THEN 'LOGIN' END,
        CASE WHEN r.rolcreaterole THEN 'CREATEROLE' END, CASE WHEN r.rolcreatedb THEN 'CREATEDB' END,
        CASE WHEN r.rolreplication THEN 'REPLICATION' END),
    (SELECT array_agg(m.roleid::regrole::text ORDER BY 1) FROM pg_auth_members m WHERE m.member = r.oid),
    (SELECT array_agg(setting ORDER BY 1) FROM pg_db_role_setting s CROSS JOIN unnest(s.setconfig) setting
        WHERE s.setrole = r.oid)
FROM pg_roles r WHERE {_ROLES} ORDER BY 1
"""
_EXTENSIONS = "SELECT extname::text, extversion FROM pg_extension ORDER BY 1"

Part = dict[str, Any]


def described() -> dict[str, Part]:
    """The schema by its parts: each object under its name. Raises Unavailable."""
    with outside() as connection:
        return {
            "tables": _objects(
                connection, _TABLES, ("kind", "owner", "row_security", "forced", "options", "columns")
            ),
            "policies": _objects(connection, _POLICIES, ("permissive", "command", "roles", "using", "check")),
            "functions": _functions(connection),
            "constraints": _texts(connection, _CONSTRAINTS),
            "indexes": _texts(connection, _INDEXES),
            "triggers": _texts(connection, _TRIGGERS),
            "grants": {name: list(rights) for name, rights in connection.exec_driver_sql(_GRANTS)},
            "roles": _objects(connection, _ROLE, ("attributes", "member_of", "settings")),
            "extensions": _texts(connection, _EXTENSIONS),
        }


def _objects(connection: Connection, query: str, names: Iterable[str]) -> Part:
    members = tuple(names)
    return {
        str(name): dict(zip(members, values, strict=True))
        for name, *values in connection.exec_driver_sql(query)
    }


def _texts(connection: Connection, query: str) -> Part:
    return {str(name): str(text) for name, text in connection.exec_driver_sql(query)}


def _functions(connection: Connection) -> Part:
    """Functions with a digest of their source, which is long."""
    members = ("owner", "security_definer", "volatility", "leakproof", "settings")
    return {
        str(name): {
            **dict(zip(members, values, strict=True)),
            "source": hashlib.sha256(str(source).encode()).hexdigest()[:16],
        }
        for name, *values, source in connection.exec_driver_sql(_FUNCTIONS)
    }
