"""Password hashes of other systems: an index by which a tenant that has none left is told from one that has.

Revision ID: 0013

Code of before takes no such hashes; what is brought in meanwhile matches nothing there.
"""

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

INDEX = """
SET ROLE idp_owner;
CREATE INDEX credentials_imported ON credentials (tenant_id)
    WHERE secret !~ '^[$]argon2id[$]v=19[$]m=19456,t=2,p=1[$]';
"""


def upgrade() -> None:
    """The index."""
    op.execute(INDEX)


def downgrade() -> None:
    """Without it."""
    op.execute("SET ROLE idp_owner")
    op.execute("DROP INDEX credentials_imported")
