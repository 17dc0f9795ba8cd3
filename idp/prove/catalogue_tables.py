"""What `pg_catalog` must say of tables: one function a rule, each answering the sentences of what is wrong.

A table that nobody has classed, a policy whose whole text is not the canonical one, a key, reference or index
without the tenant, a grant beyond what is declared: each is wrong, whatever else it may be good for.
"""

from collections.abc import Iterable
from typing import Any

from idp.prove.allowed import (
    CONTROL_PLANE,
    DEFAULTS,
    DIRECTORY,
    GLOBAL_READONLY,
    OPERATORS,
    OWN,
    PLATFORM,
    SEALED,
    SEEN_BY_DIRECTORY,
    SELF,
    TENANT,
    WITHOUT_TENANT,
)
from idp.prove.look import Look, differ

_OF_TENANTS = (*TENANT, *(table for table in CONTROL_PLANE if table != "tenants"))
_WHO = "CASE WHEN g.grantee = 0 THEN 'PUBLIC' ELSE g.grantee::regrole::text END"
_RIGHT = "g.privilege_type || CASE WHEN g.is_grantable THEN '!' ELSE '' END"


def classes() -> dict[str, str]:
    """Every table of ours → its class. Raises ValueError when one is in two."""
    found: dict[str, str] = {}
    kinds: dict[str, Iterable[str]] = {
        "tenant": TENANT, "control-plane": CONTROL_PLANE, "global-readonly": GLOBAL_READONLY, "sealed": SEALED,
        "platform": PLATFORM,
    }  # fmt: skip
    for name, tables in kinds.items():
        for table in tables:
            if table in found:
                raise ValueError(f"{table} is {found[table]} and {name}")
            found[table] = name
    return found


def relations(look: Look) -> list[str]:
    """Tables of a known class only: no view, materialized view, partition, foreign table or sequence."""
    known, wrong = classes(), []
    rows = look(
        "SELECT c.oid::regclass::text, c.relkind, c.relispartition, c.relpersistence, c.relowner::regrole::text "
        "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
        f"WHERE {look.ours('c.oid')} AND c.relkind NOT IN ('i', 'I', 't') "
        "AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')"
    )
    kinds = {
        "v": "view",
        "m": "materialized view",
        "p": "partitioned table",
        "f": "foreign table",
        "S": "sequence",
    }
    for name, kind, partition, persistence, owner in rows:
        if kind != "r" or partition or persistence != "p":
            wrong.append(f"{name} is a {kinds.get(kind, 'partition or unlogged table')}")
        elif name not in known:
            wrong.append(f"{name} is in no class")
        elif owner != SEALED.get(name, "idp_owner"):
            wrong.append(f"{name} belongs to {owner}")
    wrong += [f"{name} does not exist" for name in known if name not in {row[0] for row in rows}]
    wrong += [f"{name} inherits" for (name,) in look("SELECT inhrelid::regclass::text FROM pg_inherits")]
    return wrong


def row_security(look: Look) -> list[str]:
    """ENABLE and FORCE on whatever has a tenant."""
    rows = look(
        "SELECT c.relname, c.relrowsecurity, c.relforcerowsecurity FROM pg_class c "
        "WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')"
    )
    return [
        f"{name}: ENABLE {on}, FORCE {forced}"
        for name, on, forced in rows
        if name not in GLOBAL_READONLY and name not in PLATFORM and not (on and forced)
    ]


def policies(look: Look) -> list[str]:
    """Exactly the canonical policies, compared as whole texts."""
    rows = look(
        "SELECT p.polrelid::regclass::text, p.polname, p.polpermissive, p.polcmd::text, "
        "(SELECT array_agg(CASE WHEN r = 0 THEN 'public' ELSE r::regrole::text END ORDER BY r::regrole::text) "
        "FROM unnest(p.polroles) r), pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid) "
        "FROM pg_policy p"
    )
    found: dict[str, set[tuple[Any, ...]]] = {}
    for table, name, permissive, command, to, using, check in rows:
        found.setdefault(table, set()).add((name, permissive, command, tuple(to), using, check))
    wanted: dict[str, set[tuple[Any, ...]]] = {
        table: {("tenant", True, "*", ("public",), OWN, OWN)} for table in TENANT
    }
    for table in SEEN_BY_DIRECTORY:
        wanted[table].add(DIRECTORY)
    for table, rights in CONTROL_PLANE.items():
        text = SELF if table == "tenants" else OWN
        wanted[table] = {("tenant", True, "*", ("idp_app", "idp_readonly"), text, text), OPERATORS}
        wanted[table] |= {DIRECTORY} if "idp_directory" in rights else set()
    return [
        sentence
        for table in sorted(found.keys() | wanted.keys())
        for sentence in differ(f"policies of {table}", found.get(table), wanted.get(table))
    ]


def columns(look: Look) -> list[str]:
    """tenant_id and id are UUIDs, never null; Postgres fills in neither of them, and no other column."""
    rows = look(
        "SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, "
        "pg_get_expr(d.adbin, d.adrelid), a.attidentity::text || a.attgenerated::text "
        "FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid "
        "LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum "
        "WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped"
    )
    wrong: list[str] = []
    for table, column, kind, required, default, generated in rows:
        wrong += differ(f"default of {table}.{column}", default, DEFAULTS.get((table, column)))
        if generated:
            wrong.append(f"{table}.{column} is generated")
        if column in ("tenant_id", "id") and (kind != "uuid" or not required):
            wrong.append(f"{table}.{column} is {kind}, NOT NULL {required}")
    have = {(table, column) for table, column, *_ in rows}
    wrong += [f"{table} has no tenant_id" for table in _OF_TENANTS if (table, "tenant_id") not in have]
    return wrong


def constraints(look: Look) -> list[str]:
    """The key is (tenant_id, id), and every reference pairs the tenant."""
    rows = look(
        "SELECT c.relname, k.conname, k.contype::text, k.confrelid::regclass::text, k.convalidated "
        "AND NOT k.condeferrable AND k.confupdtype IN ('a', ' ') AND k.confdeltype IN ('c', 'n', ' '), "
        "(SELECT array_agg(a.attname::text ORDER BY o) FROM unnest(k.conkey) WITH ORDINALITY u(n, o) "
        " JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.n), "
        "(SELECT array_agg(a.attname::text ORDER BY o) FROM unnest(k.confkey) WITH ORDINALITY u(n, o) "
        " JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.n) "
        "FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid "
        "WHERE c.relnamespace = 'public'::regnamespace AND k.contype IN ('p', 'f', 'x', 'c')"
    )
    wrong, keyed, held = [], set(), set()
    for table, name, kind, other, valid, mine, theirs in rows:
        if kind == "c":
            wrong += [] if valid else [f"{name} of {table} was never held against the rows that are there"]
            continue
        paired = mine[:1] == ["tenant_id"] and theirs == ["tenant_id", "id"] and len(mine) == 2
        if kind == "p" and (mine == ["tenant_id", "id"] or table in ("tenants", *GLOBAL_READONLY, *PLATFORM)):
            keyed.add(table)
        elif kind == "f" and valid and (mine, theirs, other) == (["tenant_id"], ["id"], "tenants"):
            held.add(table)
        elif kind != "f" or not paired or not valid:
            wrong.append(f"{name} of {table}: {mine} → {other}{theirs}")
    refer = [(table, *mine) for table, _, kind, _, _, mine, _ in rows if kind == "f"]
    wrong += [
        f"{table} refers twice by {', '.join(by)}" for table, *by in {r for r in refer if refer.count(r) > 1}
    ]
    tables = _OF_TENANTS
    wrong += [f"{table} has no key (tenant_id, id)" for table in tables if table not in keyed]
    wrong += [f"{table} does not belong to a tenant" for table in tables if table not in held]
    return wrong


def indexes(look: Look) -> list[str]:
    """Every index starts with the tenant, so that neither a unique error nor a timing tells of another's rows."""
    rows = look(
        "SELECT x.indexrelid::regclass::text, i.indisunique, pg_get_indexdef(i.indexrelid), "
        "(SELECT attname FROM pg_attribute a WHERE a.attrelid = i.indrelid AND a.attnum = i.indkey[0]) "
        "FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace "
        f"CROSS JOIN LATERAL (SELECT i.indexrelid) x WHERE {look.ours('c.oid')}"
    )
    return [
        f"{name} starts with {first or 'an expression'}" + (" and is unique" if unique else "")
        for name, unique, text, first in rows
        if first != "tenant_id" and WITHOUT_TENANT.get(name) != text
    ]


def _granted(look: Look) -> dict[str, dict[str, str]]:
    """Table → role → what was granted, columns of a partial grant named; owners are left out."""
    rows = look(
        f"SELECT c.oid::regclass::text, {_WHO}, {_RIGHT}, NULL "
        "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace, aclexplode(c.relacl) g "
        f"WHERE {look.ours('c.oid')} AND c.relkind NOT IN ('i', 'I') AND g.grantee <> c.relowner "
        f"UNION ALL SELECT c.oid::regclass::text, {_WHO}, {_RIGHT}, "
        "string_agg(a.attname, ',' ORDER BY a.attname) FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid "
        f"JOIN pg_namespace n ON n.oid = c.relnamespace, aclexplode(a.attacl) g WHERE {look.ours('c.oid')} "
        "AND NOT a.attisdropped GROUP BY 1, 2, 3"
    )
    order = ["SELECT", "INSERT", "DELETE"]
    found: dict[str, dict[str, list[str]]] = {}
    for table, role, right, only in rows:
        found.setdefault(table, {}).setdefault(role, []).append(f"{right}({only})" if only else right)
    return {
        table: {
            role: " ".join(sorted(rights, key=lambda r: (order.index(r) if r in order else 9, r)))
            for role, rights in by.items()
        }
        for table, by in found.items()
    }


def privileges(look: Look) -> list[str]:
    """Exactly what is declared: no TRUNCATE, REFERENCES, TRIGGER, nothing for PUBLIC, UPDATE without the key."""
    columns_of: dict[str, list[str]] = {}
    for table, column in look(
        "SELECT c.relname, a.attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid WHERE a.attnum > 0 "
        "AND NOT a.attisdropped AND c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' ORDER BY 2"
    ):
        columns_of.setdefault(table, []).append(column)
    read = {"idp_readonly": "SELECT", "idp_backup": "SELECT"}
    wanted: dict[str, dict[str, str]] = {table: {**by, **read} for table, by in CONTROL_PLANE.items()}
    for table, rights in TENANT.items():
        free = ",".join(name for name in columns_of.get(table, []) if name not in ("tenant_id", "id"))
        wanted[table] = {**read, "idp_app": _rights(rights, free)}
    for table, names in SEEN_BY_DIRECTORY.items():
        wanted[table]["idp_directory"] = f"SELECT({','.join(names)})"
    wanted |= PLATFORM
    wanted |= {table: dict.fromkeys(readers, "SELECT") for table, readers in GLOBAL_READONLY.items()}
    found = _granted(look)
    return [
        sentence
        for table in sorted(found.keys() | wanted.keys())
        for sentence in differ(f"grants on {table}", found.get(table), wanted.get(table))
    ]


def _rights(rights: str, free: str) -> str:
    plain = [right for right in ("SELECT", "INSERT", "DELETE") if right in rights]
    return " ".join([*plain, *([f"UPDATE({free})"] if "UPDATE" in rights else [])])
