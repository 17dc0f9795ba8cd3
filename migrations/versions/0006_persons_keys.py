"""A key of each person, under which the record's personal values are sealed.

Revision ID: 0006

It goes with the person: what was sealed under it can then be read by nobody, and the chain over the record
stays whole. Code of before neither needs the table nor seals; what it recorded stays as it is.
"""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

TABLE = """
SET ROLE idp_owner;
CREATE TABLE person_keys (
    tenant_id UUID NOT NULL,
    id UUID NOT NULL,
    user_id UUID NOT NULL,
    kek_id TEXT NOT NULL,
    sealed BYTEA NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, user_id),
    FOREIGN KEY(tenant_id, user_id) REFERENCES users (tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY(tenant_id) REFERENCES tenants (id) ON DELETE CASCADE
);
SELECT protect('person_keys', 'update delete');
"""


def upgrade() -> None:
    """The table, behind the wall."""
    op.execute(TABLE)


def downgrade() -> None:
    """Without it: what was sealed can be read by nobody any more."""
    op.execute("SET ROLE idp_owner")
    op.execute("DROP TABLE person_keys")
