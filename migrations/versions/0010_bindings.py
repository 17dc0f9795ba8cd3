"""Grants whose tokens are bound to a key: what they are bound to.

Revision ID: 0010

Code of before makes none and leaves the column alone.
"""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The column; a grant without it is bound to nothing."""
    op.execute("SET ROLE idp_owner")
    op.execute("ALTER TABLE grants ADD COLUMN cnf JSONB")
    op.execute("GRANT UPDATE (cnf) ON grants TO idp_app")


def downgrade() -> None:
    """Without it."""
    op.execute("SET ROLE idp_owner")
    op.execute("ALTER TABLE grants DROP COLUMN cnf")
