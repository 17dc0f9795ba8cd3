"""What `pg_catalog` must say of the wall: one function a rule, each answering the sentences of what is wrong.

Everything here is a list of what is allowed; what is not on a list is wrong, so that a new table, role,
function or grant turns a check red until somebody has thought about it and written it down.
"""

from collections.abc import Callable, Iterator
from typing import Any

from tests.isolation.allowed import (
    BLIND,
    BLIND_VIEWS,
    CONTROL_PLANE,
    DEFAULTS,
    DIRECTORY,
    FUNCTIONS,
    GLOBAL_READONLY,
    LOCKS,
    LOGINS,
    OPERATORS,
    OWN,
    OWNERS,
    SCHEMAS,
    SEALED,
    SEEN_BY_DIRECTORY,
    SELF,
    SETTINGS,
    TENANT,
    TEST_BED,
    TRIGGERS,
    WITHOUT_TENANT,
)

Ask = Callable[..., list[tuple[Any, ...]]]
"""Runs one query as superuser and answers its rows."""


def every_check() -> dict[str, Callable[[Ask], list[str]]]:
    """Each rule by its name."""
    rules = (relations, row_security, policies, columns, constraints, indexes, privileges, schemas, functions,
             triggers, roles, memberships, role_settings, defaults_for_new_things, database, extras, blind)  # fmt: skip
    return {rule.__name__: rule for rule in rules}


def findings(ask: Ask) -> dict[str, list[str]]:
    """What is wrong, by rule; empty when nothing is."""
    found = {name: rule(ask) for name, rule in every_check().items()}
    return {name: sentences for name, sentences in found.items() if sentences}


_OURS = (
    "n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast', 'seed') "
    "AND n.nspname !~ '^pg_(toast_)?temp_'"
)
_WHO = "CASE WHEN g.grantee = 0 THEN 'PUBLIC' ELSE g.grantee::regrole::text END"
_RIGHT = "g.privilege_type || CASE WHEN g.is_grantable THEN '!' ELSE '' END"


def _differ(what: str, found: Any, wanted: Any) -> Iterator[str]:
    if found != wanted:
        yield f"{what}: {found!r}, wanted {wanted!r}"


def classes() -> dict[str, str]:
    """Every table of ours → its class. Raises ValueError when one is in two."""
    found: dict[str, str] = {}
    for name, tables in {
        "tenant": TENANT, "control-plane": CONTROL_PLANE, "global-readonly": GLOBAL_READONLY, "sealed": SEALED,
    }.items():  # fmt: skip
        for table in tables:
            if table in found:
                raise ValueError(f"{table} is {found[table]} and {name}")
            found[table] = name
    return found


def relations(ask: Ask) -> list[str]:
    """Tables of a known class only: no view, materialized view, partition, foreign table or sequence."""
    known, wrong = classes(), []
    rows = ask(
        "SELECT c.oid::regclass::text, c.relkind, c.relispartition, c.relpersistence, c.relowner::regrole::text "
        "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
        f"WHERE {_OURS} AND c.relkind NOT IN ('i', 'I', 't')"
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
    wrong += [f"{name} inherits" for (name,) in ask("SELECT inhrelid::regclass::text FROM pg_inherits")]
    return wrong


def row_security(ask: Ask) -> list[str]:
    """ENABLE and FORCE on whatever has a tenant."""
    rows = ask(
        "SELECT c.relname, c.relrowsecurity, c.relforcerowsecurity FROM pg_class c "
        "WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')"
    )
    return [
        f"{name}: ENABLE {on}, FORCE {forced}"
        for name, on, forced in rows
        if name not in GLOBAL_READONLY and not (on and forced)
    ]


def policies(ask: Ask) -> list[str]:
    """Exactly the canonical policies, compared as whole texts."""
    rows = ask(
        "SELECT p.polrelid::regclass::text, p.polname, p.polpermissive, p.polcmd::text, "
        "(SELECT array_agg(CASE WHEN r = 0 THEN 'public' ELSE r::regrole::text END ORDER BY r::regrole::text) "
        "FROM unnest(p.polroles) r), pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid) "
        "FROM pg_policy p"
    )
    found: dict[str, set[tuple[Any, ...]]] = {}
    for table, name, permissive, command, to, using, check in rows:
        found.setdefault(table, set()).add((name, permissive, command, tuple(to), using, check))
    wanted = {table: {("tenant", True, "*", ("public",), OWN, OWN)} for table in TENANT}
    for table in SEEN_BY_DIRECTORY:
        wanted[table].add(DIRECTORY)
    for table, text in (("tenants", SELF), ("hosts", OWN)):
        wanted[table] = {("tenant", True, "*", ("idp_app", "idp_readonly"), text, text), OPERATORS, DIRECTORY}
    return [
        sentence
        for table in sorted(found.keys() | wanted.keys())
        for sentence in _differ(f"policies of {table}", found.get(table), wanted.get(table))
    ]


def columns(ask: Ask) -> list[str]:
    """`tenant_id` and `id` are UUIDs, never null, never filled in by Postgres; so is nothing else."""
    rows = ask(
        "SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, "
        "pg_get_expr(d.adbin, d.adrelid), a.attidentity::text || a.attgenerated::text "
        "FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid "
        "LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum "
        "WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped"
    )
    wrong = []
    for table, column, kind, required, default, generated in rows:
        wrong += _differ(f"default of {table}.{column}", default, DEFAULTS.get((table, column)))
        if generated:
            wrong.append(f"{table}.{column} is generated")
        if column in ("tenant_id", "id") and (kind != "uuid" or not required):
            wrong.append(f"{table}.{column} is {kind}, NOT NULL {required}")
    have = {(table, column) for table, column, *_ in rows}
    wrong += [f"{table} has no tenant_id" for table in (*TENANT, "hosts") if (table, "tenant_id") not in have]
    return wrong


def constraints(ask: Ask) -> list[str]:
    """The key is (tenant_id, id), and every reference pairs the tenant."""
    rows = ask(
        "SELECT c.relname, k.conname, k.contype::text, k.confrelid::regclass::text, k.convalidated, "
        "(SELECT array_agg(a.attname::text ORDER BY o) FROM unnest(k.conkey) WITH ORDINALITY u(n, o) "
        " JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.n), "
        "(SELECT array_agg(a.attname::text ORDER BY o) FROM unnest(k.confkey) WITH ORDINALITY u(n, o) "
        " JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.n) "
        "FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid "
        "WHERE c.relnamespace = 'public'::regnamespace AND k.contype IN ('p', 'f', 'x')"
    )
    wrong, keyed, held = [], set(), set()
    for table, name, kind, other, valid, mine, theirs in rows:
        paired = mine[:1] == ["tenant_id"] and theirs == ["tenant_id", "id"] and len(mine) == 2
        if kind == "p" and (mine == ["tenant_id", "id"] or table in ("tenants", *GLOBAL_READONLY)):
            keyed.add(table)
        elif kind == "f" and (mine, theirs, other) == (["tenant_id"], ["id"], "tenants"):
            held.add(table)
        elif kind != "f" or not paired or not valid:
            wrong.append(f"{name} of {table}: {mine} → {other}{theirs}")
    tables = (*TENANT, "hosts")
    wrong += [f"{table} has no key (tenant_id, id)" for table in tables if table not in keyed]
    wrong += [f"{table} does not belong to a tenant" for table in tables if table not in held]
    return wrong


def indexes(ask: Ask) -> list[str]:
    """Every index starts with the tenant, so that neither a unique error nor a timing tells of another's rows."""
    rows = ask(
        "SELECT x.indexrelid::regclass::text, i.indisunique, "
        "(SELECT attname FROM pg_attribute a WHERE a.attrelid = i.indrelid AND a.attnum = i.indkey[0]) "
        "FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace "
        f"CROSS JOIN LATERAL (SELECT i.indexrelid) x WHERE {_OURS}"
    )
    return [
        f"{name} starts with {first or 'an expression'}" + (" and is unique" if unique else "")
        for name, unique, first in rows
        if first != "tenant_id" and name not in WITHOUT_TENANT
    ]


def _granted(ask: Ask) -> dict[str, dict[str, str]]:
    """Table → role → what was granted, columns of a partial grant named; owners are left out."""
    rows = ask(
        f"SELECT c.oid::regclass::text, {_WHO}, {_RIGHT}, NULL "
        "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace, aclexplode(c.relacl) g "
        f"WHERE {_OURS} AND c.relkind NOT IN ('i', 'I') AND g.grantee <> c.relowner "
        f"UNION ALL SELECT c.oid::regclass::text, {_WHO}, {_RIGHT}, "
        "string_agg(a.attname, ',' ORDER BY a.attname) FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid "
        f"JOIN pg_namespace n ON n.oid = c.relnamespace, aclexplode(a.attacl) g WHERE {_OURS} AND NOT a.attisdropped "
        "GROUP BY 1, 2, 3"
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


def privileges(ask: Ask) -> list[str]:
    """Exactly what is declared: no TRUNCATE, REFERENCES, TRIGGER, nothing for PUBLIC, UPDATE without the key."""
    columns_of: dict[str, list[str]] = {}
    for table, column in ask(
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
    wanted |= {table: dict.fromkeys(readers, "SELECT") for table, readers in GLOBAL_READONLY.items()}
    found = _granted(ask)
    return [
        sentence
        for table in sorted(found.keys() | wanted.keys())
        for sentence in _differ(f"grants on {table}", found.get(table), wanted.get(table))
    ]


def _rights(rights: str, free: str) -> str:
    plain = [right for right in ("SELECT", "INSERT", "DELETE") if right in rights]
    return " ".join([*plain, *([f"UPDATE({free})"] if "UPDATE" in rights else [])])


def schemas(ask: Ask) -> list[str]:
    """Who may look into which schema; nobody but its owner may make anything in it."""
    rows = ask(
        "SELECT n.nspname, CASE WHEN g.grantee = 0 THEN 'PUBLIC' ELSE g.grantee::regrole::text END, g.privilege_type "
        "FROM pg_namespace n LEFT JOIN LATERAL aclexplode(n.nspacl) g ON g.grantee <> n.nspowner "
        "WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'"
    )
    found: dict[str, set[str]] = {}
    wrong = []
    for name, role, right in rows:
        found.setdefault(name, set())
        if role is not None:
            found[name].add(role)
        if right not in (None, "USAGE"):
            wrong.append(f"{role} has {right} on schema {name}")
    if not found.pop(TEST_BED, set()) <= set():
        wrong.append("the test bed's copies can be read")
    return wrong + list(_differ("schemas", found, SCHEMAS))


def functions(ask: Ask) -> list[str]:
    """Only known functions; whose owner's rights they have cannot bypass; search_path pinned; none leakproof."""
    rows = ask(
        "SELECT p.oid::regprocedure::text, p.prosecdef, o.rolname, l.lanname, p.proconfig::text, p.proleakproof, "
        "o.rolsuper OR o.rolbypassrls OR o.rolcanlogin, "
        "(SELECT array_agg(CASE WHEN g.grantee = 0 THEN 'PUBLIC' ELSE g.grantee::regrole::text END ORDER BY 1) "
        " FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) g WHERE g.grantee <> p.proowner) "
        "FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace JOIN pg_roles o ON o.oid = p.proowner "
        f"JOIN pg_language l ON l.oid = p.prolang WHERE {_OURS}"
    )
    wrong = []
    for name, definer, owner, language, config, leakproof, powerful, callers in rows:
        if name not in FUNCTIONS:
            wrong.append(f"{name} is on no list")
            continue
        given = (definer, owner, language, tuple(sorted(callers or ())))
        wrong += _differ(name, given, FUNCTIONS[name])
        if "search_path=pg_catalog" not in (config or "") or "pg_temp" not in (config or ""):
            wrong.append(f"{name} does not pin its search_path: {config}")
        if leakproof or powerful:
            wrong.append(f"{name}: leakproof {leakproof}, owner can bypass or log in {powerful}")
    return wrong + [f"{name} does not exist" for name in FUNCTIONS if name not in {row[0] for row in rows}]


def triggers(ask: Ask) -> list[str]:
    """Only the triggers that tell the directory; no rules, no event triggers."""
    found = ask(
        "SELECT tgrelid::regclass::text, tgname, tgfoid::regproc::text, tgenabled::text "
        "FROM pg_trigger WHERE NOT tgisinternal"
    )
    wrong = [
        f"trigger {name} on {table}"
        for table, name, function, enabled in found
        if (table, name) not in TRIGGERS or function != "touch_tenant" or enabled != "O"
    ]
    wrong += [f"{table} does not tell the directory" for table, name in TRIGGERS - {row[:2] for row in found}]
    wrong += [f"rule {name}" for (name,) in ask(
        "SELECT r.rulename FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class "
        f"JOIN pg_namespace n ON n.oid = c.relnamespace WHERE {_OURS} AND c.relkind <> 'v'"
    )]  # fmt: skip
    return wrong + [f"event trigger {name}" for (name,) in ask("SELECT evtname FROM pg_event_trigger")]


def roles(ask: Ask) -> list[str]:
    """Only our roles beside the superuser who made the cluster, each with exactly its attributes."""
    rows = ask(
        "SELECT rolname, rolcanlogin, rolbypassrls, rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication, "
        "rolinherit, rolvaliduntil IS NOT NULL, rolconnlimit FROM pg_roles WHERE rolname !~ '^pg_' AND oid <> 10"
    )
    wanted = {
        role: (role in LOGINS, role == "idp_backup", False, False, False, -1) for role in (*LOGINS, *OWNERS)
    }
    return list(_differ("roles", {row[0]: row[1:] for row in rows}, wanted))


def memberships(ask: Ask) -> list[str]:
    """The migrator may become an owner, by SET ROLE alone; nobody else can become anybody."""
    found = set(ask(
        "SELECT roleid::regrole::text, member::regrole::text, admin_option, inherit_option, set_option "
        "FROM pg_auth_members WHERE member::regrole::text <> 'pg_monitor'"
    ))  # fmt: skip
    return list(
        _differ("memberships", found, {(owner, "idp_migrator", False, False, True) for owner in OWNERS})
    )


def role_settings(ask: Ask) -> list[str]:
    """Exactly the settings that are written down, for any database."""
    rows = ask(
        "SELECT setdatabase::text, CASE WHEN setrole = 0 THEN 'all' ELSE setrole::regrole::text END, setconfig "
        "FROM pg_db_role_setting"
    )
    found = {(database, role): set(values) for database, role, values in rows}
    return list(_differ("settings", found, {("0", role): values for role, values in SETTINGS.items()}))


def defaults_for_new_things(ask: Ask) -> list[str]:
    """What is made later is granted to nobody: no default privilege but the owners' functions being their own."""
    rows = ask(
        "SELECT defaclrole::regrole::text, defaclnamespace::text, defaclobjtype::text, defaclacl::text "
        "FROM pg_default_acl"
    )
    wanted = {(role, "0", "f", f"{{{role}=X/{role}}}") for role in OWNERS}
    return list(_differ("default privileges", set(rows), wanted))


def database(ask: Ask) -> list[str]:
    """Nobody connects but the roles that log in, and only owners make schemas; no temporary tables."""
    rows = ask(
        "SELECT CASE WHEN g.grantee = 0 THEN 'PUBLIC' ELSE g.grantee::regrole::text END, g.privilege_type "
        "FROM pg_database d, aclexplode(d.datacl) g WHERE d.datname = current_database() AND g.grantee <> d.datdba"
    )
    wanted = {(role, "CONNECT") for role in LOGINS} | {("idp_ctx", "CREATE"), ("idp_directory", "CREATE")}
    return list(_differ("database", set(rows), wanted))


def extras(ask: Ask) -> list[str]:
    """Nothing that crosses tenants by its nature: extensions, publications, foreign servers, large objects."""
    return [f"{kind} {name}" for kind, name in ask(
        "SELECT 'extension', extname::text FROM pg_extension WHERE extname <> 'plpgsql' "
        "UNION ALL SELECT 'publication', pubname::text FROM pg_publication "
        "UNION ALL SELECT 'foreign server', srvname::text FROM pg_foreign_server "
        "UNION ALL SELECT 'large object', oid::text FROM pg_largeobject_metadata "
        "UNION ALL SELECT 'parameter', parname FROM pg_parameter_acl"
    )]  # fmt: skip


def blind(ask: Ask) -> list[str]:
    """The runtime role cannot read others' statements, the server's files, or large objects."""
    wrong = [
        f"idp_app may call {name}"
        for (name,) in ask(
            "SELECT f FROM unnest(%s) f WHERE to_regprocedure(f) IS NOT NULL "
            "AND has_function_privilege('idp_app', f, 'EXECUTE')",
            list(BLIND),
        )
    ]
    wrong += [
        f"idp_app may read {name}"
        for (name,) in ask(
            "SELECT v FROM unnest(%s) v WHERE has_table_privilege('idp_app', v, 'SELECT')", list(BLIND_VIEWS)
        )
    ]
    locks = ask(
        "SELECT oid::regprocedure::text FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace "
        "AND proname ~ '^pg_(try_)?advisory' AND has_function_privilege('idp_app', oid, 'EXECUTE')"
    )
    return wrong + list(_differ("locks by name", {name for (name,) in locks}, set(LOCKS)))
