"""What readiness asks: whether any active tenant has no signing key, and since which revision code may run here.

Revision ID: 0002

The comment of `alembic_version` names the oldest revision whose code works on this schema. A migration that
only adds leaves it alone; one that takes something away raises it to the first revision that no longer needs
what is gone, and code that is older then says that it is not ready.
"""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

KEYLESS = """
SET ROLE idp_owner;
CREATE POLICY directory ON signing_keys FOR SELECT TO idp_directory USING (true);
GRANT SELECT (tenant_id, activate_at, gone_at, revoked_at) ON signing_keys TO idp_directory;
SET ROLE idp_directory;
CREATE FUNCTION directory.keyless(at timestamptz)
RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT t.slug FROM public.tenants t
    WHERE t.status = 'active' AND NOT EXISTS (SELECT FROM public.signing_keys k WHERE k.tenant_id = t.id
        AND k.activate_at <= at AND k.revoked_at IS NULL AND (k.gone_at IS NULL OR k.gone_at > at))
    LIMIT 1
$$;
REVOKE ALL ON FUNCTION directory.keyless(timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION directory.keyless(timestamptz) TO idp_app;
RESET ROLE;
SET ROLE idp_owner;
COMMENT ON TABLE alembic_version IS 'compatible_from=0001';
"""


def upgrade() -> None:
    """The question, and the mark."""
    op.execute(KEYLESS)


def downgrade() -> None:
    """Back to a sample of tenants and no mark."""
    op.execute("SET ROLE idp_directory")
    op.execute("DROP FUNCTION directory.keyless(timestamptz)")
    op.execute("SET ROLE idp_owner")
    op.execute("DROP POLICY directory ON signing_keys")
    op.execute(
        "REVOKE SELECT (tenant_id, activate_at, gone_at, revoked_at) ON signing_keys FROM idp_directory"
    )
    op.execute("COMMENT ON TABLE alembic_version IS NULL")
