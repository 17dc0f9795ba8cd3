"""Grants that came from another one by exchange, who acts in them, and what was allowed in detail.

Revision ID: 0015

Code of before makes grants without any of it, and reads past it.
"""

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

COLUMNS = """
SET ROLE idp_owner;
ALTER TABLE grants ADD COLUMN parent_id UUID, ADD COLUMN act JSONB, ADD COLUMN authorization_details JSONB;
ALTER TABLE grants ADD FOREIGN KEY (tenant_id, parent_id) REFERENCES grants (tenant_id, id) ON DELETE CASCADE;
CREATE INDEX grants_parent_id ON grants (tenant_id, parent_id);
GRANT UPDATE (parent_id, act, authorization_details) ON grants TO idp_app;
"""


def upgrade() -> None:
    """The columns, all of them empty."""
    op.execute(COLUMNS)


def downgrade() -> None:
    """Without them: what was exchanged lives until it expires, and says no more who acts."""
    op.execute("SET ROLE idp_owner")
    op.execute("ALTER TABLE grants DROP COLUMN parent_id, DROP COLUMN act, DROP COLUMN authorization_details")
