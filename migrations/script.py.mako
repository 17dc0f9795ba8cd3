"""${message}

Revision ID: ${up_revision}
"""

from alembic import op

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Plain SQL; a new tenant table ends with SELECT protect('name', 'update delete')."""
    op.execute("")


def downgrade() -> None:
    """What takes the change back."""
    op.execute("")
