"""Upstreams: where a tenant's people may prove elsewhere who they are, and as whom they are known there.

Revision ID: 0017

Code of before knows neither table and leaves both alone.
"""

from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

TABLES = """
SET ROLE idp_owner;
CREATE TABLE upstreams (
    tenant_id UUID NOT NULL,
    id UUID NOT NULL,
    name TEXT NOT NULL,
    protocol TEXT NOT NULL,
    issuer TEXT NOT NULL,
    client_id TEXT NOT NULL,
    kek_id TEXT,
    sealed BYTEA,
    source_digest BYTEA,
    status TEXT NOT NULL,
    settings JSONB NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY(tenant_id) REFERENCES tenants (id) ON DELETE CASCADE,
    UNIQUE (tenant_id, name),
    UNIQUE (tenant_id, issuer)
);
SELECT protect('upstreams', 'update delete');
CREATE TABLE identities (
    tenant_id UUID NOT NULL,
    id UUID NOT NULL,
    upstream_id UUID NOT NULL,
    user_id UUID NOT NULL,
    issuer TEXT NOT NULL,
    subject TEXT NOT NULL,
    shown TEXT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    used_at TIMESTAMP WITH TIME ZONE NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY(tenant_id) REFERENCES tenants (id) ON DELETE CASCADE,
    UNIQUE (tenant_id, issuer, subject),
    FOREIGN KEY(tenant_id, upstream_id) REFERENCES upstreams (tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY(tenant_id, user_id) REFERENCES users (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX identities_upstream_id ON identities (tenant_id, upstream_id);
CREATE INDEX identities_user_id ON identities (tenant_id, user_id);
SELECT protect('identities', 'update delete');
CREATE TRIGGER touch AFTER INSERT OR DELETE OR UPDATE ON upstreams FOR EACH ROW EXECUTE FUNCTION touch_tenant();
"""


def upgrade() -> None:
    """Both tables, behind the wall; processes hear of upstreams as they hear of clients."""
    op.execute(TABLES)


def downgrade() -> None:
    """Without them: whoever has no other way in cannot sign in any more."""
    op.execute("SET ROLE idp_owner")
    op.execute("DROP TABLE identities, upstreams")
