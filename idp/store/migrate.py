"""Bring the schema to its head, as `idp_migrator` acting for the owners, and keep the context's keys.

A migration that touches rows enters every tenant with :func:`each_tenant`: under FORCE the owner sees
none, and an UPDATE would change nothing in silence.
"""

import importlib
import pkgutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO
from urllib.parse import urlsplit
from uuid import UUID

import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import Script, ScriptDirectory
from sqlalchemy.engine import Connection, Engine

from idp import paths
from idp.config import ConfigError, Settings
from idp.store import durable
from idp.store.context import Signer, pads
from idp.store.durable import columns
from idp.store.roles import with_database

_LOCK = 7_205_759_403_792_794


def metadata() -> sa.MetaData:
    """Every table of the vault, all durable modules loaded."""
    for module in pkgutil.iter_modules(durable.__path__):
        importlib.import_module(f"{durable.__name__}.{module.name}")
    return columns.metadata


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(paths.migrations()))
    config.attributes["connection"] = connection
    return config


def _engine(settings: Settings) -> Engine:
    if not settings.migrator_database_url:
        raise ConfigError("IDP_MIGRATOR_DATABASE_URL", "is missing; idp migrate needs the role idp_migrator")
    url = settings.migrator_database_url.replace("postgresql://", "postgresql+psycopg2://", 1)
    return sa.create_engine(url, poolclass=sa.pool.NullPool, connect_args={"connect_timeout": 5})


def upgrade(settings: Settings, context_keys: list[tuple[str, bytes]]) -> tuple[str | None, str]:
    """Migrate to the head and make `context_keys` (id, key) the only ones that contexts verify under.

    Returns the revisions before and after. Two calls at once wait for each other. Raises ConfigError.
    """
    engine = _engine(settings)
    with engine.connect() as connection, connection.begin():
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
        connection.exec_driver_sql("SET ROLE idp_owner")
        before = MigrationContext.configure(connection).get_current_revision()
        command.upgrade(_config(connection), "head")
        after = MigrationContext.configure(connection).get_current_revision()
        connection.exec_driver_sql("SET ROLE idp_ctx")
        _keep(connection, context_keys)
        connection.exec_driver_sql("RESET ROLE")
    engine.dispose()
    return before, str(after)


def restored(
    settings: Settings,
    context_keys: list[tuple[str, bytes]],
    revision: str,
    rows: Callable[[Connection], None],
    *,
    onward: bool = True,
) -> str:
    """In an empty database: the schema at `revision`, then `rows`, then the head, all or nothing; where it is then.

    Without `onward` it stays at `revision`.

    Raises ConfigError.
    """
    engine = _engine(settings)
    with engine.connect() as connection, connection.begin():
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
        connection.exec_driver_sql("SET ROLE idp_owner")
        command.upgrade(_config(connection), revision)
        connection.exec_driver_sql("SET ROLE idp_ctx")
        _keep(connection, context_keys)
        connection.exec_driver_sql("SET ROLE idp_owner")
        rows(connection)
        if onward:
            command.upgrade(_config(connection), "head")
        after = MigrationContext.configure(connection).get_current_revision()
        connection.exec_driver_sql("RESET ROLE")
    engine.dispose()
    return str(after)


@contextmanager
def connected(settings: Settings) -> Iterator[Connection]:
    """A connection as idp_migrator acting for the tables' owner, closed at the end. Raises ConfigError."""
    engine = _engine(settings)
    try:
        with engine.connect() as connection:
            with connection.begin():
                connection.exec_driver_sql("SET ROLE idp_owner")
            yield connection
    finally:
        engine.dispose()


def at(connection: Connection) -> str | None:
    """The revision of the database behind a connection."""
    return MigrationContext.configure(connection).get_current_revision()


def step(connection: Connection, revision: str) -> None:
    """Migrate to one revision, and commit."""
    with connection.begin():
        connection.exec_driver_sql("SET ROLE idp_owner")
        command.upgrade(_config(connection), revision)


def offline(into: TextIO) -> Config:
    """A configuration with which Alembic writes statements `into` something instead of running them."""
    config = Config(output_buffer=into)
    config.set_main_option("script_location", str(paths.migrations()))
    return config


def scripts_after(revision: str | None) -> list[Script]:
    """The revisions of this code that follow `revision`, the next one first."""
    scripts = ScriptDirectory.from_config(_config()).iterate_revisions("head", revision or "base")
    return [script for script in reversed(list(scripts)) if script.revision != revision]


def inside(settings: Settings) -> str:
    """The URL of the superuser in the product's own database. Raises ConfigError."""
    if not settings.admin_database_url or not settings.migrator_database_url:
        raise ConfigError("IDP_ADMIN_DATABASE_URL", "is missing; only a superuser sees what is locked")
    return with_database(
        settings.admin_database_url, urlsplit(settings.migrator_database_url).path.lstrip("/")
    )


def revisions() -> tuple[str, ...]:
    """Every revision that this code knows, the oldest first."""
    scripts = ScriptDirectory.from_config(_config()).walk_revisions()
    return tuple(reversed([script.revision for script in scripts]))


def _keep(connection: Connection, keys: list[tuple[str, bytes]]) -> None:
    for identifier, key in keys:
        inner, outer = pads(key)
        connection.exec_driver_sql(
            "INSERT INTO ctx.keys (id, inner_pad, outer_pad) VALUES (%s, %s, %s) "
            "ON CONFLICT (id) DO UPDATE SET inner_pad = excluded.inner_pad, outer_pad = excluded.outer_pad",
            (identifier, inner, outer),
        )
    connection.exec_driver_sql("DELETE FROM ctx.keys WHERE NOT id = ANY(%s)", ([name for name, _ in keys],))


def each_tenant(connection: Connection, signer: Signer) -> Iterator[UUID]:
    """Enter every tenant in turn inside a migration, so that its rows can be seen and changed."""
    connection.exec_driver_sql("SET ROLE idp_directory")
    tenants = [row[0] for row in connection.exec_driver_sql("SELECT id FROM tenants ORDER BY id")]
    connection.exec_driver_sql("SET ROLE idp_owner")
    for tenant in tenants:
        connection.exec_driver_sql("SELECT set_config('app.ctx', %s, true)", (signer.sign(tenant),))
        yield tenant
    connection.exec_driver_sql("SELECT set_config('app.ctx', '', true)")


def differences(settings: Settings) -> list[object]:
    """What the database at its head has otherwise than the models say; empty when they agree."""
    engine = _engine(settings)
    with engine.connect() as connection:
        connection.exec_driver_sql("SET ROLE idp_owner")
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        found = compare_metadata(context, metadata())
    engine.dispose()
    return list(found)
