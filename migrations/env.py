"""Alembic's entry: it gets a connection of idp_migrator from `idp.store.migrate` and owns nothing else.

Offline it writes the statements down instead of running them, for `idp migrate --plan`.
"""

from alembic import context

from idp.store.migrate import metadata

if context.is_offline_mode():
    context.configure(dialect_name="postgresql", target_metadata=metadata(), literal_binds=True)
else:
    connection = context.config.attributes["connection"]
    context.configure(connection=connection, target_metadata=metadata(), transactional_ddl=True)
with context.begin_transaction():
    context.run_migrations()
