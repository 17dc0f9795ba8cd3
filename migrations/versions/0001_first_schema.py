"""The first schema: the wall, the directory, and every table of the vault.

Revision ID: 0001
"""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# The signed tenant context. Its key lies in a table that only idp_ctx reads; the runtime role can call
# the function and nothing more, so that even injected SQL cannot name another tenant. HMAC-SHA256
# (RFC 2104) is built from the core function sha256: the table holds the key already xored with the pads.
# It compares with the transaction's start, so that a long transaction does not go blind half-way.
CONTEXT = """
SET ROLE idp_ctx;
CREATE SCHEMA ctx AUTHORIZATION idp_ctx;
REVOKE ALL ON SCHEMA ctx FROM PUBLIC;
ALTER DEFAULT PRIVILEGES FOR ROLE idp_ctx REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
GRANT USAGE ON SCHEMA ctx TO idp_app, idp_ops, idp_readonly, idp_owner, idp_directory;
CREATE TABLE ctx.keys (
    id text PRIMARY KEY,
    inner_pad bytea NOT NULL CHECK (length(inner_pad) = 64),
    outer_pad bytea NOT NULL CHECK (length(outer_pad) = 64),
    created_at timestamptz NOT NULL DEFAULT now()
);
REVOKE ALL ON ctx.keys FROM PUBLIC;
CREATE FUNCTION ctx.tenant() RETURNS uuid
LANGUAGE plpgsql STABLE SECURITY DEFINER PARALLEL RESTRICTED
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    given text := current_setting('app.ctx', true);
    parts text[];
    pads ctx.keys;
BEGIN
    IF given IS NULL OR given = '' THEN
        RETURN NULL;
    END IF;
    parts := string_to_array(given, '.');
    IF array_length(parts, 1) IS DISTINCT FROM 5 OR parts[1] <> 'v1' THEN
        RAISE EXCEPTION 'the tenant context is malformed' USING ERRCODE = 'IDP02';
    END IF;
    SELECT * INTO pads FROM ctx.keys WHERE id = parts[2];
    IF pads.id IS NULL OR encode(sha256(pads.outer_pad || sha256(pads.inner_pad || convert_to(
        parts[1] || '.' || parts[2] || '.' || parts[3] || '.' || parts[4], 'UTF8'))), 'hex') <> parts[5] THEN
        RAISE EXCEPTION 'the tenant context is forged' USING ERRCODE = 'IDP02';
    END IF;
    IF parts[4]::double precision < extract(epoch FROM transaction_timestamp()) THEN
        RAISE EXCEPTION 'the tenant context has expired' USING ERRCODE = 'IDP01';
    END IF;
    RETURN parts[3]::uuid;
END
$$;
REVOKE ALL ON FUNCTION ctx.tenant() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ctx.tenant() TO idp_app, idp_ops, idp_readonly, idp_owner, idp_directory;
RESET ROLE;
"""

# One call at the end of every tenant table. UPDATE is granted column by column, so that no statement of
# the runtime role can move a row to another tenant or give it another id.
PROTECT = """
SET ROLE idp_owner;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO idp_app, idp_ops, idp_readonly, idp_backup, idp_directory;
ALTER DEFAULT PRIVILEGES FOR ROLE idp_owner REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
CREATE FUNCTION protect(target regclass, rights text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    columns text;
BEGIN
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', target);
    EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', target);
    EXECUTE format('DROP POLICY IF EXISTS tenant ON %s', target);
    EXECUTE format('CREATE POLICY tenant ON %s FOR ALL TO PUBLIC USING (tenant_id = (SELECT ctx.tenant())) '
        'WITH CHECK (tenant_id = (SELECT ctx.tenant()))', target);
    EXECUTE format('REVOKE ALL ON %s FROM PUBLIC, idp_app, idp_ops, idp_readonly, idp_backup', target);
    EXECUTE format('GRANT SELECT ON %s TO idp_readonly, idp_backup', target);
    EXECUTE format('GRANT SELECT, INSERT ON %s TO idp_app', target);
    IF rights LIKE '%%update%%' THEN
        SELECT string_agg(quote_ident(attname), ', ') INTO columns FROM pg_attribute
            WHERE attrelid = target AND attnum > 0 AND NOT attisdropped AND attname NOT IN ('tenant_id', 'id');
        EXECUTE format('GRANT UPDATE (%s) ON %s TO idp_app', columns, target);
    END IF;
    IF rights LIKE '%%delete%%' THEN
        EXECUTE format('GRANT DELETE ON %s TO idp_app', target);
    END IF;
END
$$;
"""

TABLES = """
CREATE TABLE tenants (
    id UUID NOT NULL,
    slug TEXT NOT NULL,
    name TEXT NOT NULL,
    status TEXT NOT NULL,
    primary_host TEXT,
    policy JSONB NOT NULL,
    branding JSONB NOT NULL,
    version BIGINT NOT NULL,
    changed_at TIMESTAMP WITH TIME ZONE NOT NULL,
    visited_at TIMESTAMP WITH TIME ZONE NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    moving_host TEXT,
    moving_since TIMESTAMP WITH TIME ZONE,
    PRIMARY KEY (id),
    UNIQUE (slug)
);

CREATE TABLE activity (
    tenant_id UUID NOT NULL,
    id UUID NOT NULL,
    client_id UUID NOT NULL,
    kind TEXT NOT NULL,
    scopes TEXT[] NOT NULL,
    count INTEGER NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    request_id TEXT,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY(tenant_id) REFERENCES tenants (id) ON DELETE CASCADE
);

CREATE INDEX activity_at ON activity (tenant_id, at);

CREATE TABLE apis (
    tenant_id UUID NOT NULL,
    id UUID NOT NULL,
    identifier TEXT NOT NULL,
    name TEXT NOT NULL,
    scopes JSONB NOT NULL,
    settings JSONB NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, identifier),
    FOREIGN KEY(tenant_id) REFERENCES tenants (id) ON DELETE CASCADE
);

CREATE TABLE audit_log (
    tenant_id UUID NOT NULL,
    id UUID NOT NULL,
    xid xid8 DEFAULT pg_current_xact_id() NOT NULL,
    event TEXT NOT NULL,
    actor JSONB NOT NULL,
    facts JSONB NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    request_id TEXT,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY(tenant_id) REFERENCES tenants (id) ON DELETE CASCADE
);

CREATE INDEX audit_log_at ON audit_log (tenant_id, at);
CREATE INDEX audit_log_xid ON audit_log (tenant_id, xid);

CREATE TABLE audit_seals (
    tenant_id UUID NOT NULL,
    id UUID NOT NULL,
    number INTEGER NOT NULL,
    first_xid xid8 NOT NULL,
    last_xid xid8 NOT NULL,
    first_id UUID NOT NULL,
    last_id UUID NOT NULL,
    count INTEGER NOT NULL,
    previous BYTEA NOT NULL,
    digest BYTEA NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, number),
    FOREIGN KEY(tenant_id) REFERENCES tenants (id) ON DELETE CASCADE
);

CREATE TABLE clients (
    tenant_id UUID NOT NULL,
    id UUID NOT NULL,
    client_id TEXT NOT NULL,
    metadata JSONB NOT NULL,
    settings JSONB NOT NULL,
    status TEXT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, client_id),
    FOREIGN KEY(tenant_id) REFERENCES tenants (id) ON DELETE CASCADE
);

CREATE TABLE groups (
    tenant_id UUID NOT NULL,
    id UUID NOT NULL,
    name TEXT NOT NULL,
    parent_id UUID,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY(tenant_id, parent_id) REFERENCES groups (tenant_id, id) ON DELETE SET NULL (parent_id),
    UNIQUE (tenant_id, name),
    FOREIGN KEY(tenant_id) REFERENCES tenants (id) ON DELETE CASCADE
);

CREATE INDEX groups_parent_id ON groups (tenant_id, parent_id);

CREATE TABLE hosts (
    tenant_id UUID NOT NULL,
    id UUID NOT NULL,
    host TEXT NOT NULL,
    status TEXT NOT NULL,
    challenge TEXT NOT NULL,
    proved_at TIMESTAMP WITH TIME ZONE,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    checked_at TIMESTAMP WITH TIME ZONE,
    missing_since TIMESTAMP WITH TIME ZONE,
    lapsed_at TIMESTAMP WITH TIME ZONE,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY(tenant_id) REFERENCES tenants (id) ON DELETE CASCADE,
    UNIQUE (host)
);

CREATE INDEX hosts_host ON hosts (tenant_id, host);

CREATE TABLE marks (
    tenant_id UUID NOT NULL,
    id UUID NOT NULL,
    kind TEXT NOT NULL,
    digest BYTEA NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, kind, digest),
    FOREIGN KEY(tenant_id) REFERENCES tenants (id) ON DELETE CASCADE
);

CREATE INDEX marks_expires_at ON marks (tenant_id, expires_at);

CREATE TABLE outbox (
    tenant_id UUID NOT NULL,
    id UUID NOT NULL,
    topic TEXT NOT NULL,
    payload JSONB NOT NULL,
    attempts INTEGER NOT NULL,
    run_after TIMESTAMP WITH TIME ZONE NOT NULL,
    locked_until TIMESTAMP WITH TIME ZONE,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY(tenant_id) REFERENCES tenants (id) ON DELETE CASCADE
);

CREATE INDEX outbox_run_after ON outbox (tenant_id, run_after);

CREATE TABLE refusals (
    tenant_id UUID NOT NULL,
    id UUID NOT NULL,
    request_id TEXT NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    code TEXT NOT NULL,
    rule TEXT,
    expected TEXT,
    got TEXT,
    setting TEXT,
    path TEXT NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY(tenant_id) REFERENCES tenants (id) ON DELETE CASCADE
);

CREATE INDEX refusals_at ON refusals (tenant_id, at);
CREATE INDEX refusals_request_id ON refusals (tenant_id, request_id);

CREATE TABLE revoked_tokens (
    tenant_id UUID NOT NULL,
    id UUID NOT NULL,
    jti_digest BYTEA NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, jti_digest),
    FOREIGN KEY(tenant_id) REFERENCES tenants (id) ON DELETE CASCADE
);

CREATE INDEX revoked_tokens_expires_at ON revoked_tokens (tenant_id, expires_at);

CREATE TABLE signing_keys (
    tenant_id UUID NOT NULL,
    id UUID NOT NULL,
    kid TEXT NOT NULL,
    alg TEXT NOT NULL,
    public JSONB NOT NULL,
    sealed BYTEA NOT NULL,
    kek_id TEXT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    publish_at TIMESTAMP WITH TIME ZONE NOT NULL,
    activate_at TIMESTAMP WITH TIME ZONE,
    retire_at TIMESTAMP WITH TIME ZONE,
    gone_at TIMESTAMP WITH TIME ZONE,
    revoked_at TIMESTAMP WITH TIME ZONE,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, kid),
    FOREIGN KEY(tenant_id) REFERENCES tenants (id) ON DELETE CASCADE
);

CREATE TABLE throttles (
    tenant_id UUID NOT NULL,
    id UUID NOT NULL,
    kind TEXT NOT NULL,
    key_digest BYTEA NOT NULL,
    count INTEGER NOT NULL,
    window_start TIMESTAMP WITH TIME ZONE NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, kind, key_digest),
    FOREIGN KEY(tenant_id) REFERENCES tenants (id) ON DELETE CASCADE
);

CREATE TABLE users (
    tenant_id UUID NOT NULL,
    id UUID NOT NULL,
    username TEXT NOT NULL,
    username_norm TEXT NOT NULL,
    username_skeleton TEXT NOT NULL,
    email TEXT,
    email_norm TEXT,
    email_verified BOOLEAN NOT NULL,
    claims JSONB NOT NULL,
    status TEXT NOT NULL,
    not_before TIMESTAMP WITH TIME ZONE,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, username_norm),
    UNIQUE (tenant_id, username_skeleton),
    UNIQUE (tenant_id, email_norm),
    FOREIGN KEY(tenant_id) REFERENCES tenants (id) ON DELETE CASCADE
);

CREATE TABLE api_grants (
    tenant_id UUID NOT NULL,
    id UUID NOT NULL,
    api_id UUID NOT NULL,
    client_id UUID NOT NULL,
    scopes TEXT[] NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY(tenant_id, api_id) REFERENCES apis (tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY(tenant_id, client_id) REFERENCES clients (tenant_id, id) ON DELETE CASCADE,
    UNIQUE (tenant_id, api_id, client_id),
    FOREIGN KEY(tenant_id) REFERENCES tenants (id) ON DELETE CASCADE
);

CREATE INDEX api_grants_client_id ON api_grants (tenant_id, client_id);

CREATE TABLE client_secrets (
    tenant_id UUID NOT NULL,
    id UUID NOT NULL,
    client_id UUID NOT NULL,
    digest BYTEA NOT NULL,
    source_digest BYTEA,
    expires_at TIMESTAMP WITH TIME ZONE,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY(tenant_id, client_id) REFERENCES clients (tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY(tenant_id) REFERENCES tenants (id) ON DELETE CASCADE
);

CREATE INDEX client_secrets_client_id ON client_secrets (tenant_id, client_id);

CREATE TABLE consents (
    tenant_id UUID NOT NULL,
    id UUID NOT NULL,
    user_id UUID NOT NULL,
    client_id UUID NOT NULL,
    scopes TEXT[] NOT NULL,
    granted_at TIMESTAMP WITH TIME ZONE NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY(tenant_id, user_id) REFERENCES users (tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY(tenant_id, client_id) REFERENCES clients (tenant_id, id) ON DELETE CASCADE,
    UNIQUE (tenant_id, user_id, client_id),
    FOREIGN KEY(tenant_id) REFERENCES tenants (id) ON DELETE CASCADE
);

CREATE INDEX consents_client_id ON consents (tenant_id, client_id);

CREATE TABLE credentials (
    tenant_id UUID NOT NULL,
    id UUID NOT NULL,
    user_id UUID NOT NULL,
    kind TEXT NOT NULL,
    secret TEXT NOT NULL,
    source_digest BYTEA,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    changed_at TIMESTAMP WITH TIME ZONE NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY(tenant_id, user_id) REFERENCES users (tenant_id, id) ON DELETE CASCADE,
    UNIQUE (tenant_id, user_id, kind),
    FOREIGN KEY(tenant_id) REFERENCES tenants (id) ON DELETE CASCADE
);

CREATE TABLE issuer_uses (
    tenant_id UUID NOT NULL,
    id UUID NOT NULL,
    client_id UUID NOT NULL,
    issuer TEXT NOT NULL,
    last_at TIMESTAMP WITH TIME ZONE NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY(tenant_id, client_id) REFERENCES clients (tenant_id, id) ON DELETE CASCADE,
    UNIQUE (tenant_id, client_id, issuer),
    FOREIGN KEY(tenant_id) REFERENCES tenants (id) ON DELETE CASCADE
);

CREATE TABLE group_members (
    tenant_id UUID NOT NULL,
    id UUID NOT NULL,
    group_id UUID NOT NULL,
    user_id UUID NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY(tenant_id, group_id) REFERENCES groups (tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY(tenant_id, user_id) REFERENCES users (tenant_id, id) ON DELETE CASCADE,
    UNIQUE (tenant_id, group_id, user_id),
    UNIQUE (tenant_id, user_id, group_id),
    FOREIGN KEY(tenant_id) REFERENCES tenants (id) ON DELETE CASCADE
);

CREATE TABLE roles (
    tenant_id UUID NOT NULL,
    id UUID NOT NULL,
    name TEXT NOT NULL,
    client_id UUID,
    api_id UUID,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY(tenant_id, client_id) REFERENCES clients (tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY(tenant_id, api_id) REFERENCES apis (tenant_id, id) ON DELETE CASCADE,
    UNIQUE NULLS NOT DISTINCT (tenant_id, client_id, api_id, name),
    CONSTRAINT roles_one_owner CHECK (client_id IS NULL OR api_id IS NULL),
    FOREIGN KEY(tenant_id) REFERENCES tenants (id) ON DELETE CASCADE
);

CREATE INDEX roles_api_id ON roles (tenant_id, api_id);
CREATE INDEX roles_client_id ON roles (tenant_id, client_id);

CREATE TABLE sessions (
    tenant_id UUID NOT NULL,
    id UUID NOT NULL,
    digest BYTEA NOT NULL,
    sid TEXT NOT NULL,
    user_id UUID NOT NULL,
    auth_time TIMESTAMP WITH TIME ZONE NOT NULL,
    amr TEXT[] NOT NULL,
    acr TEXT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    last_seen_at TIMESTAMP WITH TIME ZONE NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
    ended_at TIMESTAMP WITH TIME ZONE,
    end_reason TEXT,
    address TEXT,
    user_agent TEXT,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY(tenant_id, user_id) REFERENCES users (tenant_id, id) ON DELETE CASCADE,
    UNIQUE (tenant_id, digest),
    UNIQUE (tenant_id, sid),
    FOREIGN KEY(tenant_id) REFERENCES tenants (id) ON DELETE CASCADE
);

CREATE INDEX sessions_user_id ON sessions (tenant_id, user_id);

CREATE TABLE grants (
    tenant_id UUID NOT NULL,
    id UUID NOT NULL,
    code_digest BYTEA NOT NULL,
    user_id UUID NOT NULL,
    client_id UUID NOT NULL,
    session_id UUID,
    scopes TEXT[] NOT NULL,
    resources TEXT[] NOT NULL,
    claims JSONB NOT NULL,
    acr TEXT NOT NULL,
    amr TEXT[] NOT NULL,
    auth_time TIMESTAMP WITH TIME ZONE NOT NULL,
    offline BOOLEAN NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
    revoked_at TIMESTAMP WITH TIME ZONE,
    revoked_reason TEXT,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY(tenant_id, user_id) REFERENCES users (tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY(tenant_id, client_id) REFERENCES clients (tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY(tenant_id, session_id) REFERENCES sessions (tenant_id, id) ON DELETE SET NULL (session_id),
    UNIQUE (tenant_id, code_digest),
    FOREIGN KEY(tenant_id) REFERENCES tenants (id) ON DELETE CASCADE
);

CREATE INDEX grants_client_id ON grants (tenant_id, client_id);
CREATE INDEX grants_expires_at ON grants (tenant_id, expires_at);
CREATE INDEX grants_session_id ON grants (tenant_id, session_id);
CREATE INDEX grants_user_id ON grants (tenant_id, user_id);

CREATE TABLE role_members (
    tenant_id UUID NOT NULL,
    id UUID NOT NULL,
    role_id UUID NOT NULL,
    user_id UUID,
    group_id UUID,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY(tenant_id, role_id) REFERENCES roles (tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY(tenant_id, user_id) REFERENCES users (tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY(tenant_id, group_id) REFERENCES groups (tenant_id, id) ON DELETE CASCADE,
    UNIQUE NULLS NOT DISTINCT (tenant_id, role_id, user_id, group_id),
    CONSTRAINT role_members_one_member CHECK ((user_id IS NULL) <> (group_id IS NULL)),
    FOREIGN KEY(tenant_id) REFERENCES tenants (id) ON DELETE CASCADE
);

CREATE INDEX role_members_group_id ON role_members (tenant_id, group_id);
CREATE INDEX role_members_role_id ON role_members (tenant_id, role_id);
CREATE INDEX role_members_user_id ON role_members (tenant_id, user_id);

CREATE TABLE session_clients (
    tenant_id UUID NOT NULL,
    id UUID NOT NULL,
    session_id UUID NOT NULL,
    client_id UUID NOT NULL,
    first_at TIMESTAMP WITH TIME ZONE NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY(tenant_id, session_id) REFERENCES sessions (tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY(tenant_id, client_id) REFERENCES clients (tenant_id, id) ON DELETE CASCADE,
    UNIQUE (tenant_id, session_id, client_id),
    FOREIGN KEY(tenant_id) REFERENCES tenants (id) ON DELETE CASCADE
);

CREATE INDEX session_clients_client_id ON session_clients (tenant_id, client_id);

CREATE TABLE refresh_tokens (
    tenant_id UUID NOT NULL,
    id UUID NOT NULL,
    grant_id UUID NOT NULL,
    digest BYTEA NOT NULL,
    generation INTEGER NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    consumed_at TIMESTAMP WITH TIME ZONE,
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY(tenant_id, grant_id) REFERENCES grants (tenant_id, id) ON DELETE CASCADE,
    UNIQUE (tenant_id, digest),
    UNIQUE (tenant_id, grant_id, generation),
    FOREIGN KEY(tenant_id) REFERENCES tenants (id) ON DELETE CASCADE
);
"""

# The control plane: a tenant sees its own row, operators see all, the directory's functions read.
CONTROL_PLANE = """
ALTER TABLE tenants ENABLE ROW LEVEL SECURITY;
ALTER TABLE tenants FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON tenants FOR ALL TO idp_app, idp_readonly
    USING (id = (SELECT ctx.tenant())) WITH CHECK (id = (SELECT ctx.tenant()));
CREATE POLICY operators ON tenants FOR ALL TO idp_ops USING (true) WITH CHECK (true);
CREATE POLICY directory ON tenants FOR SELECT TO idp_directory USING (true);
GRANT SELECT ON tenants TO idp_app, idp_readonly, idp_backup;
GRANT UPDATE (version, changed_at, visited_at) ON tenants TO idp_app;
GRANT SELECT, INSERT, DELETE ON tenants TO idp_ops;
GRANT UPDATE (name, status, primary_host, policy, branding, version, changed_at, visited_at, moving_host, moving_since)
    ON tenants TO idp_ops;
GRANT SELECT ON tenants TO idp_directory;
ALTER TABLE hosts ENABLE ROW LEVEL SECURITY;
ALTER TABLE hosts FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON hosts FOR ALL TO idp_app, idp_readonly
    USING (tenant_id = (SELECT ctx.tenant())) WITH CHECK (tenant_id = (SELECT ctx.tenant()));
CREATE POLICY operators ON hosts FOR ALL TO idp_ops USING (true) WITH CHECK (true);
CREATE POLICY directory ON hosts FOR SELECT TO idp_directory USING (true);
GRANT SELECT ON hosts TO idp_app, idp_readonly, idp_backup;
GRANT SELECT, INSERT, DELETE ON hosts TO idp_ops;
GRANT UPDATE (checked_at, missing_since, lapsed_at) ON hosts TO idp_app;
GRANT UPDATE (host, status, challenge, proved_at, checked_at, missing_since, lapsed_at) ON hosts TO idp_ops;
GRANT SELECT ON hosts TO idp_directory;
"""

# A change of what processes keep in memory tells the directory: the tenant's version moves in the same
# transaction, and every process asks for changed versions twice a second.
TOUCH = """
CREATE FUNCTION touch_tenant() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
    UPDATE public.tenants SET version = version + 1, changed_at = clock_timestamp()
        WHERE id = coalesce(NEW.tenant_id, OLD.tenant_id);
    RETURN NULL;
END
$$;
"""

REMEMBERED = ("clients", "client_secrets", "apis", "api_grants", "signing_keys")

# What crosses tenants: three narrow functions, owned by a role that may read these columns and no others.
DIRECTORY = """
CREATE POLICY directory ON outbox FOR SELECT TO idp_directory USING (true);
CREATE POLICY directory ON audit_log FOR SELECT TO idp_directory USING (true);
CREATE POLICY directory ON audit_seals FOR SELECT TO idp_directory USING (true);
GRANT SELECT (tenant_id, run_after, locked_until) ON outbox TO idp_directory;
GRANT SELECT (tenant_id, xid) ON audit_log TO idp_directory;
GRANT SELECT (tenant_id, number, last_xid) ON audit_seals TO idp_directory;
SET ROLE idp_directory;
CREATE SCHEMA directory AUTHORIZATION idp_directory;
REVOKE ALL ON SCHEMA directory FROM PUBLIC;
ALTER DEFAULT PRIVILEGES FOR ROLE idp_directory REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
GRANT USAGE ON SCHEMA directory TO idp_app;
CREATE FUNCTION directory.find(given_slug text, given_host text)
RETURNS TABLE (id uuid, status text, version bigint)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT t.id, t.status, t.version FROM public.tenants t WHERE t.slug = given_slug
    UNION ALL
    SELECT t.id, t.status, t.version FROM public.hosts h JOIN public.tenants t ON t.id = h.tenant_id
        WHERE h.host = given_host AND h.status = 'proved' AND h.lapsed_at IS NULL
    LIMIT 1
$$;
CREATE FUNCTION directory.changed(since timestamptz)
RETURNS TABLE (id uuid, version bigint, at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT t.id, t.version, clock_timestamp() FROM public.tenants t WHERE t.changed_at > since
    UNION ALL
    SELECT NULL::uuid, NULL::bigint, clock_timestamp()
$$;
CREATE FUNCTION directory.due(after uuid, at timestamptz, most integer)
RETURNS TABLE (id uuid)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT t.id FROM public.tenants t
    WHERE t.id > after AND t.status IN ('active', 'suspended') AND (
        t.visited_at < at - interval '10 minutes'
        OR EXISTS (SELECT FROM public.outbox o WHERE o.tenant_id = t.id AND o.run_after <= at
            AND (o.locked_until IS NULL OR o.locked_until <= at))
        OR EXISTS (SELECT FROM public.audit_log a WHERE a.tenant_id = t.id AND a.xid > coalesce(
            (SELECT s.last_xid FROM public.audit_seals s WHERE s.tenant_id = t.id ORDER BY s.number DESC LIMIT 1),
            '0'::xid8)))
    ORDER BY t.id LIMIT least(most, 100)
$$;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA directory FROM PUBLIC;
GRANT EXECUTE ON FUNCTION directory.find(text, text), directory.changed(timestamptz),
    directory.due(uuid, timestamptz, integer) TO idp_app;
RESET ROLE;
"""

UNCHANGING = {
    "audit_log": "",
    "audit_seals": "",
    "activity": "delete",
    "refusals": "delete",
    "marks": "delete",
}


def upgrade() -> None:
    """Make everything; each tenant table ends with the call that protects it."""
    op.execute(CONTEXT)
    op.execute(PROTECT)
    op.execute(TABLES)
    op.execute(CONTROL_PLANE)
    op.execute(TOUCH)
    for (table,) in _tenant_tables():
        op.execute(f"SELECT protect('{table}', '{UNCHANGING.get(table, 'update delete')}')")
    for table in REMEMBERED:
        op.execute(
            f"CREATE TRIGGER touch AFTER INSERT OR UPDATE OR DELETE ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION touch_tenant()"
        )
    op.execute("CREATE INDEX tenants_changed_at ON tenants (changed_at)")
    op.execute(DIRECTORY)
    op.execute("SET ROLE idp_owner")
    op.execute("GRANT SELECT ON alembic_version TO idp_app, idp_ops, idp_readonly, idp_backup")


def _tenant_tables() -> list[tuple[str]]:
    rows = op.get_bind().exec_driver_sql(
        "SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id' "
        "WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND c.relname <> 'hosts' ORDER BY 1"
    )
    return [(row[0],) for row in rows]


def downgrade() -> None:
    """There is nothing before the first schema; a downgrade would drop every tenant's data."""
    raise RuntimeError("the first revision has no predecessor")
