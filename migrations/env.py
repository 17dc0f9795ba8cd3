"""Alembic's entry: it gets a connection of idp_migrator from `idp.store.migrate` and owns nothing else."""

from alembic import context

from idp.store.migrate import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata(), transactional_ddl=True)
with context.begin_transaction():
    context.run_migrations()
