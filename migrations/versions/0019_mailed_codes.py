"""Codes and links by e-mail, by which people sign in or confirm that it is them.

Revision ID: 0019

Code of before knows nothing of them and leaves the table alone.
"""

from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

TABLE = """
SET ROLE idp_owner;
CREATE TABLE mailed_codes (
    tenant_id UUID NOT NULL,
    id UUID NOT NULL,
    purpose TEXT NOT NULL,
    transaction BYTEA NOT NULL,
    sealed TEXT NOT NULL,
    user_id UUID,
    state BYTEA,
    code BYTEA,
    link BYTEA,
    tries INTEGER NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
    confirmed_at TIMESTAMP WITH TIME ZONE,
    used_at TIMESTAMP WITH TIME ZONE,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY(tenant_id) REFERENCES tenants (id) ON DELETE CASCADE,
    FOREIGN KEY(tenant_id, user_id) REFERENCES users (tenant_id, id) ON DELETE CASCADE,
    UNIQUE (tenant_id, link)
);
CREATE INDEX mailed_codes_user_id ON mailed_codes (tenant_id, user_id);
CREATE INDEX mailed_codes_expires_at ON mailed_codes (tenant_id, expires_at);
SELECT protect('mailed_codes', 'update delete');
"""


def upgrade() -> None:
    """The table, behind the wall."""
    op.execute(TABLE)


def downgrade() -> None:
    """Without it: every code and link that was sent opens nothing."""
    op.execute("SET ROLE idp_owner")
    op.execute("DROP TABLE mailed_codes")
