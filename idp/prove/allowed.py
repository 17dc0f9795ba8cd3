"""What the catalogue may hold: every table, function, role and grant, each on a list of its own.

What is on no list is wrong, so that a new table, role, function or grant turns the proof red until somebody has
thought about it and written it down here.
"""

FULL, NO_UPDATE, APPEND = "SELECT INSERT DELETE UPDATE", "SELECT INSERT DELETE", "SELECT INSERT"

TENANT = {
    "activity": NO_UPDATE,
    "api_grants": FULL,
    "apis": FULL,
    "audit_log": APPEND,
    "audit_seals": APPEND,
    "authenticators": FULL,
    "client_secrets": FULL,
    "clients": FULL,
    "consents": FULL,
    "credentials": FULL,
    "grants": FULL,
    "group_members": FULL,
    "groups": FULL,
    "identities": FULL,
    "initial_access_tokens": FULL,
    "issuer_uses": FULL,
    "links": FULL,
    "mailed_codes": FULL,
    "mail_senders": FULL,
    "mail_suppressions": NO_UPDATE,
    "mail_texts": FULL,
    "marks": NO_UPDATE,
    "outbox": FULL,
    "passkeys": FULL,
    "person_keys": FULL,
    "recovery_codes": FULL,
    "refresh_tokens": FULL,
    "refusals": NO_UPDATE,
    "registrations": FULL,
    "remembered_devices": FULL,
    "revoked_tokens": FULL,
    "role_members": FULL,
    "roles": FULL,
    "session_clients": FULL,
    "sessions": FULL,
    "signing_keys": FULL,
    "subject_salts": APPEND,
    "throttles": FULL,
    "undelivered": FULL,
    "upstreams": FULL,
    "users": FULL,
}
"""Tables of tenants' rows, and what the runtime role may do with its own tenant's."""

CONTROL_PLANE = {
    "tenants": {
        "idp_app": "SELECT UPDATE(changed_at,version,visited_at)",
        "idp_ops": "SELECT INSERT DELETE "
        "UPDATE(branding,changed_at,moving_host,moving_since,name,not_before,policy,primary_host,status,version,visited_at)",
        "idp_directory": "SELECT",
    },
    "hosts": {
        "idp_app": "SELECT UPDATE(checked_at,lapsed_at,missing_since)",
        "idp_ops": "SELECT INSERT DELETE "
        "UPDATE(challenge,checked_at,host,lapsed_at,missing_since,proved_at,status)",
        "idp_directory": "SELECT",
    },
    "enabled_applications": {
        "idp_app": "SELECT",
        "idp_ops": "SELECT INSERT DELETE UPDATE(enabled,metadata,secrets,settings,status)",
    },
}
"""Tables that operators write; a tenant reads its own row."""

GLOBAL_READONLY = {"alembic_version": ("idp_app", "idp_ops", "idp_readonly", "idp_backup")}
"""Tables that hold nothing of a tenant, and who may read them."""

PLATFORM = {
    "proofs": {
        "idp_app": "SELECT",
        "idp_ops": "SELECT INSERT DELETE",
        "idp_readonly": "SELECT",
        "idp_backup": "SELECT",
    },
    "gates": {
        "idp_app": "SELECT",
        "idp_ops": "SELECT INSERT DELETE UPDATE",
        "idp_readonly": "SELECT",
        "idp_backup": "SELECT",
    },
    "applications": {
        "idp_ops": "SELECT INSERT DELETE UPDATE",
        "idp_readonly": "SELECT",
        "idp_backup": "SELECT",
    },
}
"""Tables of the platform that hold nothing of a tenant, and who may do what to them."""

SEALED = {"ctx.keys": "idp_ctx"}
"""Tables that nobody but their owner may touch."""

SEEN_BY_DIRECTORY = {
    "outbox": ("locked_until", "run_after", "tenant_id"),
    "audit_log": ("at", "tenant_id", "xid"),
    "audit_seals": ("last_xid", "number", "tenant_id"),
    "signing_keys": ("activate_at", "alg", "gone_at", "publish_at", "revoked_at", "tenant_id"),
}
"""Columns that the owner of the cross-tenant functions reads."""

DEFAULTS = {("audit_log", "xid"): "pg_current_xact_id()"}
"""The only columns that Postgres fills in."""

_INDEX = "CREATE {}INDEX {} ON {} USING btree ({})"
WITHOUT_TENANT = {
    # a tenant's id is the tenant; slugs are public, and one per platform; the directory asks which tenants changed
    "tenants_pkey": _INDEX.format("UNIQUE ", "tenants_pkey", "public.tenants", "id"),
    "tenants_slug_key": _INDEX.format("UNIQUE ", "tenants_slug_key", "public.tenants", "slug"),
    "tenants_changed_at": _INDEX.format("", "tenants_changed_at", "public.tenants", "changed_at"),
    # a host belongs to one tenant
    "hosts_host_key": _INDEX.format("UNIQUE ", "hosts_host_key", "public.hosts", "host"),
    # these hold nothing of a tenant
    "proofs_pkey": _INDEX.format("UNIQUE ", "proofs_pkey", "public.proofs", "id"),
    "gates_pkey": _INDEX.format("UNIQUE ", "gates_pkey", "public.gates", "name"),
    "applications_pkey": _INDEX.format("UNIQUE ", "applications_pkey", "public.applications", "id"),
    "applications_client_id_key": _INDEX.format(
        "UNIQUE ", "applications_client_id_key", "public.applications", "client_id"
    ),
    "alembic_version_pkc": _INDEX.format(
        "UNIQUE ", "alembic_version_pkc", "public.alembic_version", "version_num"
    ),
    "ctx.keys_pkey": _INDEX.format("UNIQUE ", "keys_pkey", "ctx.keys", "id"),
}
"""Indexes that do not start with the tenant, each with its reason and its whole definition."""

OWN = "(tenant_id = ( SELECT ctx.tenant() AS tenant))"
"""The canonical text of a tenant's policy, as pg_get_expr prints it."""
SELF = "(id = ( SELECT ctx.tenant() AS tenant))"
DIRECTORY = ("directory", True, "r", ("idp_directory",), "true", None)
OPERATORS = ("operators", True, "*", ("idp_ops",), "true", "true")

FUNCTIONS = {
    "ctx.tenant()": (
        True,
        "idp_ctx",
        "plpgsql",
        ("idp_app", "idp_directory", "idp_ops", "idp_owner", "idp_readonly"),
    ),
    "directory.find(text,text)": (True, "idp_directory", "sql", ("idp_app",)),
    "directory.changed(timestamp with time zone)": (True, "idp_directory", "sql", ("idp_app",)),
    "directory.due(uuid,timestamp with time zone,integer)": (True, "idp_directory", "sql", ("idp_app",)),
    "directory.keyless(timestamp with time zone)": (True, "idp_directory", "sql", ("idp_app",)),
    "directory.keys_behind(timestamp with time zone)": (True, "idp_directory", "sql", ("idp_app",)),
    "directory.lag(timestamp with time zone)": (True, "idp_directory", "sql", ("idp_app",)),
    "protect(regclass,text)": (False, "idp_owner", "plpgsql", ()),
    "touch_tenant()": (False, "idp_owner", "plpgsql", ()),
}
"""Every function of ours: runs with its owner's rights?, owner, language, who else may call it."""

DEFINITIONS = {
    "ctx.tenant()":
        "f8193a09453ba10162f56ae2e970aa5c6865d25f4eaf715268739ed55bbbe7b9",
    "directory.find(text,text)":
        "f1a486a834094945982222918a6eb7a4039e7509623fab596ab4cfea178741de",
    "directory.changed(timestamp with time zone)":
        "b9b7ff7573293d595e3dec18bf83a13ed4812c7f4b584d4e777f43def69587d1",
    "directory.due(uuid,timestamp with time zone,integer)":
        "0e89db2749db437e63143199c47463196e3c1e45e0b36ff83b1c82bbcc22245b",
    "directory.keyless(timestamp with time zone)":
        "f3834f40f6821a9ea34e22365012cc963cf0676986c3751d778a920100eee2e7",
    "directory.keys_behind(timestamp with time zone)":
        "d0e85b803bc540cb04f648faf175c4a5b564fb61709733d848307496678b8ef9",
    "directory.lag(timestamp with time zone)":
        "0b1637a0938c56acbd64c1bce4b3d3f2e7c7824210625aa267d938db825621c4",
    "protect(regclass,text)":
        "d91940c40101174f645b2914412d7a6341b376e6e21054d83126675fa98baf9b",
    "touch_tenant()":
        "038f3b4400145f7caa97c5c1b7c551c7f2a9f4a60985e1ac0d76ad35de2aa60e",
}  # fmt: skip
"""SHA-256 of what `pg_get_functiondef` says of each: arguments, result, volatility, settings, body and the rest.

One that was read and found narrow; a changed one has to be read again.
"""

_TOUCH = (
    "CREATE TRIGGER touch AFTER INSERT OR DELETE OR UPDATE ON public.{} "
    "FOR EACH ROW EXECUTE FUNCTION touch_tenant()"
)
TRIGGERS = {
    (table, "touch"): _TOUCH.format(table)
    for table in ("api_grants", "apis", "client_secrets", "clients", "signing_keys", "upstreams")
}
"""The triggers that tell the directory, as `pg_get_triggerdef` says them."""

LOGINS = ("idp_app", "idp_ops", "idp_migrator", "idp_readonly", "idp_backup")
OWNERS = ("idp_owner", "idp_ctx", "idp_directory")
SETTINGS = {
    "idp_app": {
        "track_activities=off", "statement_timeout=2s", "lock_timeout=1s", "deadlock_timeout=200ms",
        "idle_in_transaction_session_timeout=10s",
        "log_statement=none", "log_min_duration_statement=-1", "log_min_error_statement=panic",
    },
    "idp_ops": {"statement_timeout=30s", "lock_timeout=2s", "idle_in_transaction_session_timeout=30s"},
    "idp_readonly": {"statement_timeout=30s", "idle_in_transaction_session_timeout=30s"},
}  # fmt: skip
SCHEMAS = {
    "public": {"idp_app", "idp_backup", "idp_directory", "idp_ops", "idp_readonly"},
    "ctx": {"idp_app", "idp_directory", "idp_ops", "idp_owner", "idp_readonly"},
    "directory": {"idp_app"},
}
"""Schemas, and who may look inside; nobody but the owner makes anything there."""
BLIND = (
    r"^(pg_stat_get_.*|pg_(try_)?advisory_.*|lo_.*|loread|lowrite|pg_lock_status|pg_notify|pg_terminate_backend"
    r"|pg_cancel_backend|pg_export_snapshot|pg_logical_emit_message|pg_read_.*file.*|pg_ls_.*|pg_stat_file"
    r"|pg_reload_conf|pg_rotate_logfile|pg_log_.*)$"
)
"""Names of functions of Postgres that act on or tell of others, of which the runtime role calls LOCKS alone."""
BLIND_VIEWS = (
    r"^(pg_stat(io)?_.*|pg_locks|pg_shadow|pg_authid|pg_statistic|pg_user_mapping|pg_hba_file_rules"
    r"|pg_largeobject)$"
)
"""Names of relations of Postgres that tell of others, which the runtime role must not read."""
LOCKS = ("pg_advisory_xact_lock(bigint)", "pg_try_advisory_xact_lock(bigint)")
"""The only locks that it takes by name: they end with its transaction."""
SERVICE_ROLES = (
    "rds",
    "aws_",
    "cloudsql",
    "alloydb",
    "azure",
    "supabase_",
    "neon_",
    "doadmin",
    "_doadmin",
    "aiven",
)
"""How the names of roles begin that managed services keep for themselves."""
UNRESTRAINED = (
    "track_activities",
    "deadlock_timeout",
    "log_statement",
    "log_min_duration_statement",
    "log_min_error_statement",
)
"""Settings that only a superuser can give a role; a managed service may refuse them."""
EXTENSIONS = {"plpgsql", "pg_stat_statements"}
"""Extensions that cross no tenants, the second one where nobody but monitors may read it."""
VERSIONS = {16: 14, 17: 10, 18: 4}
"""Major version of Postgres → the oldest minor one in which row security has no known hole."""
LEAKPROOF = {18: "682dad69bc9387aa54b748099cca6ad9754654d295b3c88ca43c8532e6aab0ae"}
"""Major version of Postgres → SHA-256 of the ids of its own functions that are leakproof as `initdb` makes them."""
