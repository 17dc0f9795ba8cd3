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
    "client_secrets": FULL,
    "clients": FULL,
    "consents": FULL,
    "credentials": FULL,
    "grants": FULL,
    "group_members": FULL,
    "groups": FULL,
    "initial_access_tokens": FULL,
    "issuer_uses": FULL,
    "marks": NO_UPDATE,
    "outbox": FULL,
    "person_keys": FULL,
    "refresh_tokens": FULL,
    "refusals": NO_UPDATE,
    "registrations": FULL,
    "revoked_tokens": FULL,
    "role_members": FULL,
    "roles": FULL,
    "session_clients": FULL,
    "sessions": FULL,
    "signing_keys": FULL,
    "subject_salts": APPEND,
    "throttles": FULL,
    "undelivered": FULL,
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

WITHOUT_TENANT = {
    "tenants_pkey": "a tenant's id is the tenant",
    "tenants_slug_key": "slugs are public, and one per platform",
    "tenants_changed_at": "the directory asks which tenants changed",
    "hosts_host_key": "a host belongs to one tenant",
    "proofs_pkey": "holds nothing of a tenant",
    "gates_pkey": "holds nothing of a tenant",
    "alembic_version_pkc": "holds nothing of a tenant",
    "ctx.keys_pkey": "holds nothing of a tenant",
}
"""Indexes that do not start with the tenant, each with its reason."""

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

SOURCES = {
    "ctx.tenant()": "5e5b5a98eb60572ab91397e37741402060059341b7b54a2b1d4231184d12fc44",
    "directory.find(text,text)": "4241f60a8a609f8ac1f48c7cba8da8b2e9486f3f48d4d9b06838e19f44aa9e32",
    "directory.changed(timestamp with time zone)": "3f0c98c3a39363f2dc559629667ead53585c97e2f7e628cf14963bb31f8eea3f",
    "directory.due(uuid,timestamp with time zone,integer)":
        "79f487acc3e572c37f695c5b69d42afcc6815547b5f33fa5a25cba838c0326ef",
    "directory.keyless(timestamp with time zone)": "f28abae01188116feda0add21fdf46743ceec27da2820709b3d746e101838d1b",
    "directory.keys_behind(timestamp with time zone)":
        "75d8bb84f37fcaa61e6f9454aa58b567eb3295f4ad11847fe6fc0023c2ccad07",
    "directory.lag(timestamp with time zone)":
        "957156f19e0cd67411a78584dd5d76e72902bba0480e64ae572dd16077f8a7d0",
    "protect(regclass,text)": "b4e62a854ec3704c13f2e2390a2c545bdcac2fc33de062a993d487503aa2b487",
    "touch_tenant()": "dd9676459822127d16816d1b5d3229b80b4d3b4158a2991ac573e717a155e697",
}  # fmt: skip
"""SHA-256 of the body of each: one that was read and found narrow; a changed one has to be read again."""

TRIGGERS = {("api_grants", "touch"), ("apis", "touch"), ("client_secrets", "touch"), ("clients", "touch"),
            ("signing_keys", "touch")}  # fmt: skip

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
    "pg_stat_get_activity(integer)", "pg_stat_get_backend_activity(integer)", "lo_import(text)", "lo_creat(integer)",
    "lo_create(oid)", "lo_open(oid,integer)", "lo_get(oid)", "lo_put(oid,bigint,bytea)", "lo_from_bytea(oid,bytea)",
    "pg_read_file(text)", "pg_read_binary_file(text)", "pg_ls_dir(text)", "pg_reload_conf()", "pg_ls_logdir()",
    "pg_terminate_backend(integer,bigint)", "pg_cancel_backend(integer)", "pg_notify(text,text)", "pg_lock_status()",
    "pg_export_snapshot()", "pg_logical_emit_message(boolean,text,text)", "pg_logical_emit_message(boolean,text,bytea)",
    "pg_logical_emit_message(boolean,text,text,boolean)", "pg_logical_emit_message(boolean,text,bytea,boolean)",
    "pg_advisory_lock(bigint)", "pg_advisory_lock(integer,integer)", "pg_try_advisory_lock(bigint)",
    "pg_advisory_unlock_all()", "pg_advisory_xact_lock_shared(bigint)", "pg_stat_get_live_tuples(oid)",
    "pg_stat_get_tuples_inserted(oid)", "pg_stat_get_xact_numscans(oid)", "pg_stat_get_backend_client_addr(integer)",
)  # fmt: skip
"""Functions of Postgres that the runtime role must not call."""
BLIND_VIEWS = ("pg_stat_activity", "pg_stat_all_tables", "pg_stat_user_tables", "pg_statio_all_tables",
               "pg_stat_database", "pg_stat_all_indexes", "pg_locks")  # fmt: skip
"""Views of Postgres that the runtime role must not read."""
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
