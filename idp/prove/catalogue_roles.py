"""What `pg_catalog` must say of everything but tables: schemas, functions, triggers, roles, settings, extras."""

from idp.prove.allowed import (
    BLIND,
    BLIND_VIEWS,
    DEFINITIONS,
    EXTENSIONS,
    FUNCTIONS,
    LEAKPROOF,
    LOCKS,
    LOGINS,
    OWNERS,
    SCHEMAS,
    SETTINGS,
    TRIGGERS,
    UNRESTRAINED,
    VERSIONS,
)
from idp.prove.look import FIRST, Look, differ

_OF_EXTENSION = "EXISTS (SELECT FROM pg_depend d WHERE d.objid = {} AND d.deptype = 'e')"


def schemas(look: Look) -> list[str]:
    """Who may look into which schema; nobody but its owner may make anything in it."""
    rows = look(
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
    wrong += [f"{name} can be looked into" for name in look.beside if found.pop(name, set())]
    return wrong + list(differ("schemas", found, SCHEMAS))


def functions(look: Look) -> list[str]:
    """Only known functions; whose owner's rights they have cannot bypass; search_path pinned; none leakproof."""
    rows = look(
        "SELECT p.oid::regprocedure::text, p.prosecdef, o.rolname, l.lanname, p.proconfig::text, p.proleakproof, "
        "o.rolsuper OR o.rolbypassrls OR o.rolcanlogin, "
        "(SELECT array_agg(CASE WHEN g.grantee = 0 THEN 'PUBLIC' ELSE g.grantee::regrole::text END ORDER BY 1) "
        " FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) g WHERE g.grantee <> p.proowner), "
        "CASE WHEN p.prokind IN ('f', 'p') "
        "THEN encode(sha256(convert_to(pg_get_functiondef(p.oid), 'UTF8')), 'hex') END "
        "FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace JOIN pg_roles o ON o.oid = p.proowner "
        f"JOIN pg_language l ON l.oid = p.prolang WHERE {look.ours('p.oid')} AND NOT {_OF_EXTENSION.format('p.oid')}"
    )
    wrong = []
    for name, definer, owner, language, config, leakproof, powerful, callers, source in rows:
        if name not in FUNCTIONS:
            wrong.append(f"{name} is on no list")
            continue
        given = (definer, owner, language, tuple(sorted(callers or ())))
        wrong += differ(name, given, FUNCTIONS[name])
        if config not in (
            '{"search_path=pg_catalog, pg_temp"}',
            '{"search_path=pg_catalog, public, pg_temp"}',
        ):
            wrong.append(f"{name} does not pin its search_path: {config}")
        if leakproof or powerful:
            wrong.append(f"{name}: leakproof {leakproof}, owner can bypass or log in {powerful}")
        if source != DEFINITIONS[name]:
            wrong.append(f"{name} does something else, or in another way, than it was written for")
    return wrong + [f"{name} does not exist" for name in FUNCTIONS if name not in {row[0] for row in rows}]


def triggers(look: Look) -> list[str]:
    """Only the triggers that tell the directory, each in its whole text; references are watched; no rules."""
    found = {
        (table, name): f"{text}{'' if enabled == 'O' else f' ({enabled})'}"
        for table, name, text, enabled in look(
            "SELECT tgrelid::regclass::text, tgname, pg_get_triggerdef(oid), tgenabled::text "
            "FROM pg_trigger WHERE NOT tgisinternal"
        )
    }
    wrong = list(differ("trigger", found, TRIGGERS))
    wrong += [f"the references of {table} are not watched" for (table,) in look(
        "SELECT DISTINCT tgrelid::regclass::text FROM pg_trigger WHERE tgisinternal AND tgenabled <> 'O'"
    )]  # fmt: skip
    wrong += [f"rule {name}" for (name,) in look(
        "SELECT r.rulename FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class "
        f"JOIN pg_namespace n ON n.oid = c.relnamespace WHERE {look.ours('c.oid')} AND c.relkind <> 'v'"
    )]  # fmt: skip
    return wrong + [f"event trigger {name}" for (name,) in look("SELECT evtname FROM pg_event_trigger")]


def roles(look: Look) -> list[str]:
    """Our roles with exactly their attributes; another one beside the cluster's maker is known if it has no power."""
    rows = look(
        "SELECT rolname, rolcanlogin, rolbypassrls, rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication, "
        "rolinherit, rolvaliduntil IS NOT NULL, rolconnlimit FROM pg_roles WHERE rolname !~ '^pg_' AND oid <> 10"
    )
    for role in sorted(look.service):
        look.note(f"the service's own role {role} is the service's to answer for")
    wanted = {
        role: (role in LOGINS, role == "idp_backup", False, False, False, -1) for role in (*LOGINS, *OWNERS)
    }
    found = {row[0]: row[1:] for row in rows if row[0] not in look.service}
    for role, (_login, bypass, powerful, *_rest) in list(found.items()):
        if role not in wanted and not (bypass or powerful):
            look.note(f"the role {role} is not ours and has no power of its own here")
            del found[role]
    return list(differ("roles", found, wanted))


def memberships(look: Look) -> list[str]:
    """The migrator may become an owner, by SET ROLE alone; nobody else can become anybody."""
    found = set(look(
        "SELECT roleid::regrole::text, member::regrole::text, admin_option, inherit_option, set_option "
        "FROM pg_auth_members WHERE member::regrole::text <> 'pg_monitor'"
    ))  # fmt: skip
    theirs = {each for each in found if each[1] in look.service}
    for role, member, _admin, inherits, sets in sorted(theirs):
        if inherits or sets:
            look.note(f"the service's role {member} can act as {role}")
    wanted = {(owner, "idp_migrator", False, False, True) for owner in OWNERS}
    return list(differ("memberships", found - theirs, wanted))


def role_settings(look: Look) -> list[str]:
    """Exactly the settings that are written down, for any database."""
    rows = look(
        "SELECT setdatabase::text, CASE WHEN setrole = 0 THEN 'all' ELSE setrole::regrole::text END, setconfig "
        "FROM pg_db_role_setting"
    )
    found = {(database, role): set(values) for database, role, values in rows if role not in look.service}
    wanted = {("0", role): set(values) for role, values in SETTINGS.items()}
    if look.managed:
        for setting in sorted(wanted[("0", "idp_app")] - found.get(("0", "idp_app"), set())):
            if setting.startswith(UNRESTRAINED):
                look.note(f"the service does not let idp_app have {setting}")
                wanted[("0", "idp_app")].discard(setting)
    return list(differ("settings", found, wanted))


def defaults_for_new_things(look: Look) -> list[str]:
    """What is made later is granted to nobody: no default privilege but the owners' functions being their own."""
    rows = look(
        "SELECT defaclrole::regrole::text, defaclnamespace::text, defaclobjtype::text, defaclacl::text "
        "FROM pg_default_acl"
    )
    found = {row for row in rows if row[0] not in look.service}
    return list(
        differ("default privileges", found, {(role, "0", "f", f"{{{role}=X/{role}}}") for role in OWNERS})
    )


def database(look: Look) -> list[str]:
    """Nobody connects but the roles that log in, and only owners make schemas; no temporary tables."""
    rows = look(
        "SELECT CASE WHEN g.grantee = 0 THEN 'PUBLIC' ELSE g.grantee::regrole::text END, g.privilege_type "
        "FROM pg_database d, aclexplode(d.datacl) g WHERE d.datname = current_database() AND g.grantee <> d.datdba"
    )
    found = {row for row in rows if row[0] not in look.service}
    wanted = {(role, "CONNECT") for role in LOGINS} | {("idp_ctx", "CREATE"), ("idp_directory", "CREATE")}
    return list(differ("database", found, wanted))


_EXTRAS = {
    "publication": "SELECT pubname FROM pg_publication",
    "subscription": "SELECT subname FROM pg_subscription",
    "foreign server": "SELECT srvname FROM pg_foreign_server",
    "foreign data wrapper": "SELECT fdwname FROM pg_foreign_data_wrapper",
    "large object": "SELECT oid::text FROM pg_largeobject_metadata",
    "grant on a parameter": "SELECT parname FROM pg_parameter_acl",
    "extended statistics": "SELECT stxname FROM pg_statistic_ext",
    "replication slot": "SELECT slot_name FROM pg_replication_slots WHERE database = current_database()",
    "operator": f"SELECT oid::regoperator::text FROM pg_operator WHERE oid >= {FIRST}",
    "cast": f"SELECT castsource::regtype || ' as ' || casttarget::regtype FROM pg_cast WHERE oid >= {FIRST}",
    "type": f"SELECT oid::regtype::text FROM pg_type WHERE oid >= {FIRST} AND typtype IN ('d', 'e', 'r', 'm')",
    "operator class": f"SELECT opcname FROM pg_opclass WHERE oid >= {FIRST}",
    "table that tells a replica its old rows": "SELECT oid::regclass::text FROM pg_class WHERE relreplident = 'f'",
    "language": "SELECT lanname FROM pg_language WHERE lanname NOT IN ('internal', 'c', 'sql', 'plpgsql')",
}


def extras(look: Look) -> list[str]:
    """Nothing that crosses tenants by its nature: extensions, publications, foreign servers, large objects."""
    wrong = [
        f"{kind} {name}"
        for kind, query in _EXTRAS.items()
        for (name,) in look.if_allowed(f"any {kind}", query)
    ]
    for (name,) in look("SELECT extname FROM pg_extension"):
        if name not in EXTENSIONS:
            wrong.append(f"extension {name}")
    readable = look(
        "SELECT c.oid::regclass::text FROM pg_class c WHERE c.relname ~ '^pg_stat_statements' "
        "AND has_table_privilege('idp_app', c.oid, 'SELECT') UNION ALL SELECT p.oid::regprocedure::text "
        "FROM pg_proc p WHERE p.proname ~ '^pg_stat_statements' AND has_function_privilege('idp_app', p.oid, 'EXECUTE')"
    )
    return wrong + [f"idp_app may look into {name}" for (name,) in readable]


_MORE = {
    "function": (
        "pg_proc", "f", "p.oid::regprocedure::text", "p.proacl", "p.proowner", "false"
    ),
    "relation": (
        "pg_class", "r", "p.oid::regclass::text", "p.relacl", "p.relowner",
        "p.relnamespace = 'information_schema'::regnamespace AND g.grantee = 0 AND g.privilege_type = 'SELECT'",
    ),
    "schema": (
        "pg_namespace", "n", "p.nspname::text", "p.nspacl", "p.nspowner",
        "p.nspname = 'information_schema' AND g.grantee = 0 AND g.privilege_type = 'USAGE'",
    ),
    "type": ("pg_type", "T", "p.oid::regtype::text", "p.typacl", "p.typowner", "false"),
    "language": ("pg_language", "l", "p.lanname::text", "p.lanacl", "p.lanowner", "false"),
}  # fmt: skip
"""Kind → catalogue, letter of its default rights, name, rights, owner, and what is as it should be."""


def builtins(look: Look) -> list[str]:
    """Nobody may do more to what is Postgres' own than `initdb` lets them; none of it is another than it was made."""
    wrong = []
    for kind, (table, letter, name, rights, owner, fine) in _MORE.items():
        for thing, who, right in look(
            f"SELECT {name}, CASE WHEN g.grantee = 0 THEN 'PUBLIC' ELSE g.grantee::regrole::text END, g.privilege_type "
            f"FROM {table} p LEFT JOIN pg_init_privs i ON i.objoid = p.oid AND i.classoid = '{table}'::regclass "
            f"AND i.objsubid = 0, aclexplode(coalesce({rights}, acldefault('{letter}', {owner}))) g "
            f"WHERE p.oid < {FIRST} AND g.grantee <> {owner} AND NOT ({fine}) AND NOT EXISTS (SELECT FROM "
            f"aclexplode(coalesce(i.initprivs, acldefault('{letter}', {owner}))) w WHERE w.grantee IN (0, g.grantee) "
            "AND w.privilege_type = g.privilege_type AND (w.is_grantable OR NOT g.is_grantable))"
        ):
            wrong.append(f"{who} has {right} on the {kind} {thing} of Postgres")
    wrong += [f"{who} has {right} on a column of {thing} of Postgres" for thing, who, right in look(
        "SELECT a.attrelid::regclass::text, CASE WHEN g.grantee = 0 THEN 'PUBLIC' ELSE g.grantee::regrole::text END, "
        "g.privilege_type FROM pg_attribute a LEFT JOIN pg_init_privs i ON i.objoid = a.attrelid "
        "AND i.classoid = 'pg_class'::regclass AND i.objsubid = a.attnum, aclexplode(a.attacl) g "
        f"WHERE a.attrelid < {FIRST} AND NOT EXISTS (SELECT FROM aclexplode(i.initprivs) w "
        "WHERE w.grantee IN (0, g.grantee) AND w.privilege_type = g.privilege_type)"
    )]  # fmt: skip
    if look.managed:
        for sentence in wrong:
            look.note(f"the service leaves it so that {sentence}")
        wrong = []
    wrong += [f"{name} of Postgres runs with its owner's rights" for (name,) in look(
        f"SELECT oid::regprocedure::text FROM pg_proc WHERE oid < {FIRST} AND prosecdef"
    )]  # fmt: skip
    [(major, leakproof)] = look(
        "SELECT current_setting('server_version_num')::int / 10000, "
        "encode(sha256(convert_to(string_agg(oid::text, ',' ORDER BY oid), 'UTF8')), 'hex') "
        f"FROM pg_proc WHERE oid < {FIRST} AND proleakproof"
    )
    if major not in LEAKPROOF:
        look.note(f"which functions of Postgres {major} are leakproof by birth is not known here")
    elif leakproof != LEAKPROOF[major]:
        wrong.append("other functions of Postgres are leakproof than those that it makes so")
    return wrong


def blind(look: Look) -> list[str]:
    """The runtime role cannot read others' statements, the server's files, or large objects."""
    found = [f"idp_app may call {name}" for (name,) in look(
        "SELECT oid::regprocedure::text FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace "
        "AND proname ~ %s AND NOT (oid::regprocedure::text = ANY (%s)) "
        "AND has_function_privilege('idp_app', oid, 'EXECUTE')",
        BLIND, list(LOCKS),
    )]  # fmt: skip
    found += [f"idp_app may read {name}" for (name,) in look(
        "SELECT oid::regclass::text FROM pg_class WHERE relnamespace = 'pg_catalog'::regnamespace "
        "AND relkind IN ('r', 'v') AND relname ~ %s AND has_any_column_privilege('idp_app', oid, 'SELECT')",
        BLIND_VIEWS,
    )]  # fmt: skip
    locks = look(
        "SELECT oid::regprocedure::text FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace "
        "AND proname ~ '^pg_(try_)?advisory' AND has_function_privilege('idp_app', oid, 'EXECUTE')"
    )
    found += differ("locks by name", {name for (name,) in locks}, set(LOCKS))
    if look.managed:
        for sentence in found:
            look.note(f"the service leaves it so that {sentence}")
        return []
    return found


def server(look: Look) -> list[str]:
    """A version in which row security has no known hole, and no replay of an older one."""
    [(number, text)] = look(
        "SELECT current_setting('server_version_num')::int, current_setting('server_version')"
    )
    major, minor = divmod(int(number), 10_000)
    fine = major > max(VERSIONS) or minor >= VERSIONS.get(major, 10_000)
    return [] if fine else [f"PostgreSQL {text} has holes in row security that later versions have closed"]
