"""Applications that registered themselves: from which network each came, so that none fills the table.

Revision ID: 0014

Code of before leaves the column empty: such an application counts for the tenant and for no network.
"""

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The column, a digest, and the index by which one network's are counted."""
    op.execute("SET ROLE idp_owner")
    op.execute("ALTER TABLE registrations ADD COLUMN origin BYTEA")
    op.execute("GRANT UPDATE (origin) ON registrations TO idp_app")
    op.execute("CREATE INDEX registrations_origin ON registrations (tenant_id, origin)")


def downgrade() -> None:
    """Without it."""
    op.execute("SET ROLE idp_owner")
    op.execute("ALTER TABLE registrations DROP COLUMN origin")
