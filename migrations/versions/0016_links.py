"""Links that open something once: a new password, an address, an account.

Revision ID: 0016

Code of before knows no links and leaves the table alone.
"""

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

TABLE = """
SET ROLE idp_owner;
CREATE TABLE links (
    tenant_id UUID NOT NULL,
    id UUID NOT NULL,
    kind TEXT NOT NULL,
    digest BYTEA NOT NULL,
    user_id UUID,
    state BYTEA,
    sealed TEXT,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
    used_at TIMESTAMP WITH TIME ZONE,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY(tenant_id) REFERENCES tenants (id) ON DELETE CASCADE,
    FOREIGN KEY(tenant_id, user_id) REFERENCES users (tenant_id, id) ON DELETE CASCADE,
    UNIQUE (tenant_id, digest)
);
CREATE INDEX links_user_id ON links (tenant_id, user_id);
CREATE INDEX links_expires_at ON links (tenant_id, expires_at);
SELECT protect('links', 'update delete');
"""


def upgrade() -> None:
    """The table, behind the wall."""
    op.execute(TABLE)


def downgrade() -> None:
    """Without it: every link that was sent opens nothing."""
    op.execute("SET ROLE idp_owner")
    op.execute("DROP TABLE links")
