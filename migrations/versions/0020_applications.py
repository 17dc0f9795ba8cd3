"""Applications of the platform, the tenants for which each is enabled, and the clients that stand for them there.

Revision ID: 0020

Operators write both tables. A tenant reads its own rows of the second, from which its clients are kept in step. Code
of before knows neither table nor column: what it makes is no platform's client, and what is one it takes for any other.
"""

from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

TABLES = """
SET ROLE idp_owner;
CREATE TABLE applications (
    id UUID NOT NULL,
    client_id TEXT NOT NULL,
    metadata JSONB NOT NULL,
    settings JSONB NOT NULL,
    secrets JSONB NOT NULL,
    status TEXT NOT NULL,
    everywhere BOOLEAN NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE NOT NULL,
    PRIMARY KEY (id),
    UNIQUE (client_id)
);
REVOKE ALL ON applications FROM PUBLIC;
GRANT SELECT ON applications TO idp_readonly, idp_backup;
GRANT SELECT, INSERT, UPDATE, DELETE ON applications TO idp_ops;
CREATE TABLE enabled_applications (
    tenant_id UUID NOT NULL,
    id UUID NOT NULL,
    application_id UUID NOT NULL,
    client_id TEXT NOT NULL,
    metadata JSONB NOT NULL,
    settings JSONB NOT NULL,
    secrets JSONB NOT NULL,
    status TEXT NOT NULL,
    enabled BOOLEAN NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, application_id),
    UNIQUE (tenant_id, client_id),
    FOREIGN KEY(tenant_id) REFERENCES tenants (id) ON DELETE CASCADE
);
ALTER TABLE enabled_applications ENABLE ROW LEVEL SECURITY;
ALTER TABLE enabled_applications FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON enabled_applications FOR ALL TO idp_app, idp_readonly
    USING (tenant_id = (SELECT ctx.tenant())) WITH CHECK (tenant_id = (SELECT ctx.tenant()));
CREATE POLICY operators ON enabled_applications FOR ALL TO idp_ops USING (true) WITH CHECK (true);
REVOKE ALL ON enabled_applications FROM PUBLIC;
GRANT SELECT ON enabled_applications TO idp_app, idp_readonly, idp_backup;
GRANT SELECT, INSERT, DELETE ON enabled_applications TO idp_ops;
GRANT UPDATE (metadata, settings, secrets, status, enabled) ON enabled_applications TO idp_ops;
ALTER TABLE clients ADD COLUMN application_id UUID;
SELECT protect('clients', 'update delete');
"""


def upgrade() -> None:
    """The tables and who may do what to them; clients say whose they are."""
    op.execute(TABLES)


def downgrade() -> None:
    """Without them: the clients that stand for applications stay, as the tenants' own."""
    op.execute("SET ROLE idp_owner")
    op.execute("DROP TABLE applications, enabled_applications")
    op.execute("ALTER TABLE clients DROP COLUMN application_id")
