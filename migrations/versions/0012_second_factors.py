"""Second factors: authenticator apps, recovery codes, and devices on which one was given.

Revision ID: 0012

Code of before knows none of the tables: a sign-in that it answers asks for the password alone.
"""

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

TABLES = """
SET ROLE idp_owner;
CREATE TABLE authenticators (
    tenant_id UUID NOT NULL,
    id UUID NOT NULL,
    user_id UUID NOT NULL,
    sealed TEXT NOT NULL,
    last_step BIGINT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    used_at TIMESTAMP WITH TIME ZONE,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, user_id),
    FOREIGN KEY(tenant_id, user_id) REFERENCES users (tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY(tenant_id) REFERENCES tenants (id) ON DELETE CASCADE
);
SELECT protect('authenticators', 'update delete');
CREATE TABLE recovery_codes (
    tenant_id UUID NOT NULL,
    id UUID NOT NULL,
    user_id UUID NOT NULL,
    kind TEXT NOT NULL,
    digest BYTEA NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE,
    used_at TIMESTAMP WITH TIME ZONE,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, user_id, digest),
    FOREIGN KEY(tenant_id, user_id) REFERENCES users (tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY(tenant_id) REFERENCES tenants (id) ON DELETE CASCADE
);
SELECT protect('recovery_codes', 'update delete');
CREATE TABLE remembered_devices (
    tenant_id UUID NOT NULL,
    id UUID NOT NULL,
    user_id UUID NOT NULL,
    digest BYTEA NOT NULL,
    user_agent TEXT,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, user_id, digest),
    FOREIGN KEY(tenant_id, user_id) REFERENCES users (tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY(tenant_id) REFERENCES tenants (id) ON DELETE CASCADE
);
CREATE INDEX remembered_devices_expires_at ON remembered_devices (tenant_id, expires_at);
SELECT protect('remembered_devices', 'update delete');
"""


def upgrade() -> None:
    """The tables, behind the wall."""
    op.execute(TABLES)


def downgrade() -> None:
    """Without them: everybody signs in with the first factor alone, and sets up a second one anew later."""
    op.execute("SET ROLE idp_owner")
    op.execute("DROP TABLE remembered_devices, recovery_codes, authenticators")
