"""What readiness asks of all tenants at once, and where the last results of the heavy gates are kept.

Revision ID: 0005

Two narrow functions: how long the oldest work has waited for the worker, and which tenant's keys are behind
their schedule. The table holds nothing of a tenant; operators' commands write it, the runtime role reads it.
"""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

LAG = """
    SELECT coalesce(extract(epoch FROM at - least(
        (SELECT min(o.run_after) FROM public.outbox o
            WHERE o.run_after <= at AND (o.locked_until IS NULL OR o.locked_until <= at)),
        (SELECT min(a.at) FROM public.tenants t CROSS JOIN LATERAL (
            SELECT l.at FROM public.audit_log l WHERE l.tenant_id = t.id AND l.xid > coalesce(
                (SELECT s.last_xid FROM public.audit_seals s WHERE s.tenant_id = t.id ORDER BY s.number DESC LIMIT 1),
                '0'::xid8)
            ORDER BY l.xid LIMIT 1) a
            WHERE t.status IN ('active', 'suspended'))
    )), 0)::double precision
"""
BEHIND = """
    SELECT t.slug, k.alg, NOT EXISTS (SELECT FROM public.signing_keys n
            WHERE n.tenant_id = t.id AND n.alg = k.alg AND n.revoked_at IS NULL
                AND n.publish_at <= at AND n.activate_at > at)
    FROM public.tenants t JOIN LATERAL (
        SELECT s.alg, max(s.activate_at) AS since FROM public.signing_keys s
        WHERE s.tenant_id = t.id AND s.revoked_at IS NULL AND s.activate_at <= at
            AND (s.gone_at IS NULL OR s.gone_at > at)
        GROUP BY s.alg) k ON true
    WHERE t.status = 'active' AND (
        k.since < at - make_interval(days => coalesce((t.policy->>'key_rotation_days')::integer, 90) + 1)
        OR NOT EXISTS (SELECT FROM public.signing_keys n
            WHERE n.tenant_id = t.id AND n.alg = k.alg AND n.revoked_at IS NULL
                AND n.publish_at <= at AND n.activate_at > at))
    LIMIT 1
"""

GATES = f"""
SET ROLE idp_owner;
GRANT SELECT (at) ON audit_log TO idp_directory;
GRANT SELECT (alg, publish_at) ON signing_keys TO idp_directory;
CREATE TABLE gates (
    name TEXT NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    green BOOLEAN NOT NULL,
    content JSONB NOT NULL,
    PRIMARY KEY (name)
);
REVOKE ALL ON gates FROM PUBLIC;
GRANT SELECT ON gates TO idp_app, idp_readonly, idp_backup;
GRANT SELECT, INSERT, UPDATE, DELETE ON gates TO idp_ops;
SET ROLE idp_directory;
CREATE FUNCTION directory.lag(at timestamptz)
RETURNS double precision
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $${LAG}$$;
CREATE FUNCTION directory.keys_behind(at timestamptz)
RETURNS TABLE (slug text, alg text, lonely boolean)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $${BEHIND}$$;
REVOKE ALL ON FUNCTION directory.lag(timestamptz), directory.keys_behind(timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION directory.lag(timestamptz), directory.keys_behind(timestamptz) TO idp_app;
SET ROLE idp_owner;
"""


def upgrade() -> None:
    """The questions, the table, and who may do what."""
    op.execute(GATES)


def downgrade() -> None:
    """Without them, and without the last results."""
    op.execute("SET ROLE idp_directory")
    op.execute("DROP FUNCTION directory.lag(timestamptz), directory.keys_behind(timestamptz)")
    op.execute("SET ROLE idp_owner")
    op.execute("DROP TABLE gates")
    op.execute("REVOKE SELECT (at) ON audit_log FROM idp_directory")
    op.execute("REVOKE SELECT (alg, publish_at) ON signing_keys FROM idp_directory")
