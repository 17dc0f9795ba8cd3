"""Pairwise subjects: the salt of each tenant that has a client which wants them.

Revision ID: 0009

Code of before knows no such client and leaves the table alone.
"""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

TABLE = """
SET ROLE idp_owner;
CREATE TABLE subject_salts (
    tenant_id UUID NOT NULL,
    id UUID NOT NULL,
    salt BYTEA NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY(tenant_id) REFERENCES tenants (id) ON DELETE CASCADE
);
SELECT protect('subject_salts', '');
"""


def upgrade() -> None:
    """The table, behind the wall."""
    op.execute(TABLE)


def downgrade() -> None:
    """Without it: pairwise clients of before get other subjects when the table comes again."""
    op.execute("SET ROLE idp_owner")
    op.execute("DROP TABLE subject_salts")
