"""The audit says of whom a row is, so that people can read their own history.

Revision ID: 0011

Code of before writes rows without a person; nobody reads those as their own history. What a row says is what its
seal covers: the column only finds it.
"""

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

PERSON = """
SET ROLE idp_owner;
ALTER TABLE audit_log ADD COLUMN person UUID;
CREATE INDEX audit_log_person_at ON audit_log (tenant_id, person, at);
"""


def upgrade() -> None:
    """The column and its index."""
    op.execute(PERSON)


def downgrade() -> None:
    """Without them."""
    op.execute("SET ROLE idp_owner")
    op.execute("DROP INDEX audit_log_person_at")
    op.execute("ALTER TABLE audit_log DROP COLUMN person")
