"""Applications that register themselves: what they manage themselves with, and what lets them begin.

Revision ID: 0008

Code of before knows neither table and leaves both alone.
"""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

TABLES = """
SET ROLE idp_owner;
CREATE TABLE registrations (
    tenant_id UUID NOT NULL,
    id UUID NOT NULL,
    client_id UUID NOT NULL,
    digest BYTEA NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    used_at TIMESTAMP WITH TIME ZONE,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY(tenant_id) REFERENCES tenants (id) ON DELETE CASCADE,
    UNIQUE (tenant_id, client_id),
    FOREIGN KEY(tenant_id, client_id) REFERENCES clients (tenant_id, id) ON DELETE CASCADE
);
SELECT protect('registrations', 'update delete');
CREATE TABLE initial_access_tokens (
    tenant_id UUID NOT NULL,
    id UUID NOT NULL,
    digest BYTEA NOT NULL,
    note TEXT NOT NULL,
    uses_left INTEGER,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY(tenant_id) REFERENCES tenants (id) ON DELETE CASCADE,
    UNIQUE (tenant_id, digest)
);
CREATE INDEX initial_access_tokens_expires_at ON initial_access_tokens (tenant_id, expires_at);
SELECT protect('initial_access_tokens', 'update delete');
"""


def upgrade() -> None:
    """Both tables, behind the wall."""
    op.execute(TABLES)


def downgrade() -> None:
    """Without them: who registered keeps the application, and can no longer manage it."""
    op.execute("SET ROLE idp_owner")
    op.execute("DROP TABLE initial_access_tokens, registrations")
