"""Dora, once in each tenant, under the very same id: what is found of one must never be the other's."""

from typing import Any
from uuid import UUID

from idp.tenants import Tenant

SAME = UUID("0193a5b0-0000-7000-8000-00000000d0ca")


def doras(twins: tuple[Tenant, Tenant], database: Any) -> tuple[Tenant, Tenant]:
    """The twins, with a Dora each."""
    for tenant in twins:
        database(
            "INSERT INTO users (tenant_id, id, username, username_norm, username_skeleton, email_verified, claims,"
            " status, created_at, updated_at) VALUES (%s, %s, 'dora', 'dora', 'dora', false, '{}', 'active', now(),"
            " now())",
            str(tenant.id), str(SAME),
        )  # fmt: skip
    return twins
