"""An instant before which nothing of a tenant counts: tokens, refresh tokens, sessions, codes.

Revision ID: 0004

An operator sets it after rows were lost or brought back (an asynchronous failover, a restore), because what had
been revoked or used may be good again. One column without a default; older code does not read it.
"""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The column, which operators write and the tenant reads with its row."""
    op.execute("SET ROLE idp_owner")
    op.execute("ALTER TABLE tenants ADD COLUMN not_before TIMESTAMP WITH TIME ZONE")
    op.execute("GRANT UPDATE (not_before) ON tenants TO idp_ops")


def downgrade() -> None:
    """Without it: what was cut off counts again."""
    op.execute("SET ROLE idp_owner")
    op.execute("ALTER TABLE tenants DROP COLUMN not_before")
