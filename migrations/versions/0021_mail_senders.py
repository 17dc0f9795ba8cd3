"""From which address a tenant's messages come, and by which mail server of its own.

Revision ID: 0021

Code of before knows no senders: its workers send everything from the platform's address.
"""

from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

TABLE = """
SET ROLE idp_owner;
CREATE TABLE mail_senders (
    tenant_id UUID NOT NULL,
    id UUID NOT NULL,
    address TEXT NOT NULL,
    name TEXT,
    smtp TEXT,
    kek_id TEXT,
    sealed BYTEA,
    source_digest BYTEA,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY(tenant_id) REFERENCES tenants (id) ON DELETE CASCADE
);
SELECT protect('mail_senders', 'update delete');
"""


def upgrade() -> None:
    """The table, behind the wall."""
    op.execute(TABLE)


def downgrade() -> None:
    """Without it: every tenant's messages come from the platform's address again."""
    op.execute("SET ROLE idp_owner")
    op.execute("DROP TABLE mail_senders")
