"""Addresses to which nothing is sent any more, because they came back.

Revision ID: 0022

Code of before knows no suppressions: its workers write to such an address again.
"""

from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

TABLE = """
SET ROLE idp_owner;
CREATE TABLE mail_suppressions (
    tenant_id UUID NOT NULL,
    id UUID NOT NULL,
    address TEXT NOT NULL,
    address_norm TEXT NOT NULL,
    user_id UUID,
    why TEXT NOT NULL,
    status TEXT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY(tenant_id) REFERENCES tenants (id) ON DELETE CASCADE,
    UNIQUE (tenant_id, address_norm),
    FOREIGN KEY(tenant_id, user_id) REFERENCES users (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX mail_suppressions_user_id ON mail_suppressions (tenant_id, user_id);
SELECT protect('mail_suppressions', 'delete');
"""


def upgrade() -> None:
    """The table, behind the wall."""
    op.execute(TABLE)


def downgrade() -> None:
    """Without it: every address is written to again."""
    op.execute("SET ROLE idp_owner")
    op.execute("DROP TABLE mail_suppressions")
