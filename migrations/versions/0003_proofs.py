"""Where the last proofs of isolation are kept.

Revision ID: 0003

A report names the canaries of its own run and nothing of a customer: the table holds nothing of a tenant.
Operators' commands write it, the runtime role reads it for readiness and metrics.
"""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

PROOFS = """
SET ROLE idp_owner;
CREATE TABLE proofs (
    id UUID NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    holds BOOLEAN NOT NULL,
    report TEXT NOT NULL,
    PRIMARY KEY (id)
);
REVOKE ALL ON proofs FROM PUBLIC;
GRANT SELECT ON proofs TO idp_app, idp_readonly, idp_backup;
GRANT SELECT, INSERT, DELETE ON proofs TO idp_ops;
"""


def upgrade() -> None:
    """The table and who may do what to it."""
    op.execute(PROOFS)


def downgrade() -> None:
    """Without it, and without the reports."""
    op.execute("SET ROLE idp_owner")
    op.execute("DROP TABLE proofs")
