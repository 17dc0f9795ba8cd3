"""Passkeys of people.

Revision ID: 0018

Code of before knows nothing of them and leaves the table alone.
"""

from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

TABLE = """
SET ROLE idp_owner;
CREATE TABLE passkeys (
    tenant_id UUID NOT NULL,
    id UUID NOT NULL,
    user_id UUID NOT NULL,
    credential_id BYTEA NOT NULL,
    public_key BYTEA NOT NULL,
    sign_count BIGINT NOT NULL,
    rp_id TEXT NOT NULL,
    aaguid TEXT NOT NULL,
    transports TEXT[] NOT NULL,
    backup_eligible BOOLEAN NOT NULL,
    backed_up BOOLEAN NOT NULL,
    name TEXT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    used_at TIMESTAMP WITH TIME ZONE,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, credential_id),
    FOREIGN KEY(tenant_id, user_id) REFERENCES users (tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY(tenant_id) REFERENCES tenants (id) ON DELETE CASCADE
);
CREATE INDEX passkeys_user_id ON passkeys (tenant_id, user_id);
SELECT protect('passkeys', 'update delete');
"""


def upgrade() -> None:
    """The table, behind the wall."""
    op.execute(TABLE)


def downgrade() -> None:
    """Without it: people sign in with what else they have, and make passkeys anew later."""
    op.execute("SET ROLE idp_owner")
    op.execute("DROP TABLE passkeys")
