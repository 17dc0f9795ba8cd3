"""Messages of the outbox name their recipients, say what went wrong, and are kept where they were given up.

Revision ID: 0007

Code of before writes messages without a recipient, as it did; where it meets one that has one, whose topic it
does not know, it lets it wait.
"""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

RECIPIENTS = """
SET ROLE idp_owner;
ALTER TABLE outbox ADD COLUMN recipient TEXT, ADD COLUMN problem TEXT;
GRANT UPDATE (recipient, problem) ON outbox TO idp_app;
CREATE TABLE undelivered (
    tenant_id UUID NOT NULL,
    id UUID NOT NULL,
    topic TEXT NOT NULL,
    payload JSONB NOT NULL,
    recipient TEXT,
    attempts INTEGER NOT NULL,
    problem TEXT,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    given_up_at TIMESTAMP WITH TIME ZONE NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY(tenant_id) REFERENCES tenants (id) ON DELETE CASCADE
);
CREATE INDEX undelivered_given_up_at ON undelivered (tenant_id, given_up_at);
SELECT protect('undelivered', 'update delete');
"""


def upgrade() -> None:
    """The columns, and the table behind the wall."""
    op.execute(RECIPIENTS)


def downgrade() -> None:
    """Without them: what was given up is forgotten."""
    op.execute("SET ROLE idp_owner")
    op.execute("DROP TABLE undelivered")
    op.execute("ALTER TABLE outbox DROP COLUMN recipient, DROP COLUMN problem")
