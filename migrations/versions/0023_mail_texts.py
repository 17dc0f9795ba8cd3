"""A tenant's own words in messages, for a kind of message and a language.

Revision ID: 0023

Code of before knows no such words and sends ours.
"""

from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

TABLE = """
SET ROLE idp_owner;
CREATE TABLE mail_texts (
    tenant_id UUID NOT NULL,
    id UUID NOT NULL,
    kind TEXT NOT NULL,
    language TEXT NOT NULL,
    parts JSONB NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY(tenant_id) REFERENCES tenants (id) ON DELETE CASCADE,
    UNIQUE (tenant_id, kind, language)
);
SELECT protect('mail_texts', 'update delete');
"""


def upgrade() -> None:
    """The table, behind the wall."""
    op.execute(TABLE)


def downgrade() -> None:
    """Without it: every message has our words again."""
    op.execute("SET ROLE idp_owner")
    op.execute("DROP TABLE mail_texts")
