"""Groups (nested) and roles (of the tenant, of one client, or of one API), and who has them."""

from sqlalchemy import CheckConstraint, UniqueConstraint

from idp.store.durable.columns import belongs, index, tenant_table, text, unique, uuid

groups = tenant_table(
    "groups",
    text("name"),
    uuid("parent_id", null=True),
    belongs("parent_id", "groups", survives=True),
    unique("name"),
    index("groups", "parent_id"),
)

group_members = tenant_table(
    "group_members",
    uuid("group_id"),
    uuid("user_id"),
    belongs("group_id", "groups"),
    belongs("user_id", "users"),
    unique("group_id", "user_id"),
    unique("user_id", "group_id"),
)

roles = tenant_table(
    "roles",
    text("name"),
    uuid("client_id", null=True),
    uuid("api_id", null=True),
    belongs("client_id", "clients"),
    belongs("api_id", "apis"),
    UniqueConstraint("tenant_id", "client_id", "api_id", "name", postgresql_nulls_not_distinct=True),
    CheckConstraint("client_id IS NULL OR api_id IS NULL", name="roles_one_owner"),
    index("roles", "client_id"),
    index("roles", "api_id"),
)

role_members = tenant_table(
    "role_members",
    uuid("role_id"),
    uuid("user_id", null=True),
    uuid("group_id", null=True),
    belongs("role_id", "roles"),
    belongs("user_id", "users"),
    belongs("group_id", "groups"),
    UniqueConstraint("tenant_id", "role_id", "user_id", "group_id", postgresql_nulls_not_distinct=True),
    CheckConstraint("(user_id IS NULL) <> (group_id IS NULL)", name="role_members_one_member"),
    index("role_members", "role_id"),
    index("role_members", "user_id"),
    index("role_members", "group_id"),
)
