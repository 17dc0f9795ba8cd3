"""Tenants and their hosts: the control plane. Operators write them; a tenant sees its own row."""

from sqlalchemy import BigInteger, Column, ForeignKeyConstraint, Index, PrimaryKeyConstraint, Table, UniqueConstraint

from idp.store.durable.columns import instant, json, metadata, text, uuid

tenants = Table(
    "tenants",
    metadata,
    uuid("id"),
    text("slug"),
    text("name"),
    text("status"),
    text("primary_host", null=True),
    json("policy"),
    json("branding"),
    Column("version", BigInteger, nullable=False),
    instant("changed_at"),
    instant("visited_at"),
    instant("created_at"),
    PrimaryKeyConstraint("id"),
    UniqueConstraint("slug"),
    Index("tenants_changed_at", "changed_at"),
)

hosts = Table(
    "hosts",
    metadata,
    uuid("tenant_id"),
    uuid("id"),
    text("host"),
    text("status"),
    text("challenge"),
    instant("proved_at", null=True),
    instant("created_at"),
    PrimaryKeyConstraint("tenant_id", "id"),
    ForeignKeyConstraint(["tenant_id"], ["tenants.id"], ondelete="CASCADE"),
    UniqueConstraint("host"),
    Index("hosts_host", "tenant_id", "host"),
)
