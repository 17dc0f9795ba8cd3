"""Postgres: the engine, and the transaction that arms row-level security with its first statement.

A transaction belongs to the tenant that is entered. Where none is entered nothing is armed, and the
policies answer nothing. Every connection of web and worker logs in as `idp_app`.
"""

import json
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from sys import intern
from typing import Any, ParamSpec, TypeVar, cast
from uuid import UUID

import sqlalchemy as sa
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine, NestedTransaction
from sqlalchemy.orm import Session

from idp import clock, lanes, metrics
from idp.config import ConfigError, Settings
from idp.errors import Refusal
from idp.store import stalled
from idp.store.breaker import Breaker
from idp.store.context import Signer
from idp.store.durable.columns import metadata
from idp.store.troubles import GivenUp, Unavailable, named, translated
from idp.tenants import current

__all__ = ["GivenUp", "Kept", "Unavailable", "Work", "again", "outside", "transaction"]

db = SQLAlchemy(metadata=metadata)

# Health of a connection is the client's business, so these are libpq's own parameters; statement and
# lock timeouts are settings of the role, because a pooler refuses them at connect.
_CONNECT = {
    "connect_timeout": 2,
    "keepalives": 1,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 5000,
    "application_name": "idp",
}

_ASK_AFTER = 5.0
"""Seconds of rest after which a pooled connection is asked whether it lives."""


class Kept(Exception):
    """Carries a Refusal out of a transaction that commits: an answer of no whose effect must last."""

    def __init__(self, refusal: Refusal) -> None:
        """`refusal`: raised to the caller once the transaction has committed."""
        super().__init__(str(refusal))
        self.refusal = refusal


class _Store:
    engine: Engine | None = None
    signer: Signer | None = None
    ops: Engine | None = None
    watch: stalled.Watch | None = None


_store = _Store()
_open: ContextVar["Work | None"] = ContextVar("idp_transaction", default=None)


def start(
    settings: Settings, context_keys: list[tuple[str, bytes]], *, app: Flask | None = None, pool: int = 8
) -> Flask:
    """Bind the engine to `app` (a bare one when None). `context_keys`: (id, key), newest first."""
    if not settings.database_url:
        raise ConfigError("IDP_DATABASE_URL", "is missing; name Postgres as idp_app, or run idp up")
    app = app if app is not None else Flask("idp.store")
    app.config["SQLALCHEMY_DATABASE_URI"] = _driver(settings.database_url)
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = {
        "pool_size": pool,
        "max_overflow": 0,
        "pool_timeout": 1,
        "pool_recycle": 1800,
        "poolclass": stalled.Pool,
        "connect_args": {**_CONNECT, "connection_factory": stalled.Line},
        "use_native_hstore": False,
        "json_deserializer": _document,
        # An error's text would else carry what was asked with: contexts, digests, sealed keys.
        "hide_parameters": True,
    }
    db.init_app(app)
    with app.app_context():
        _store.engine, _store.signer = db.engine, Signer(context_keys)
    event.listen(_store.engine, "connect", _measure)
    event.listen(_store.engine, "checkin", _rested)
    event.listen(_store.engine, "checkout", _alive)
    _store.watch = stalled.Watch()
    if settings.ops_database_url:
        _store.ops = sa.create_engine(
            _driver(settings.ops_database_url),
            pool_size=1,
            pool_pre_ping=True,
            connect_args=_CONNECT,
            hide_parameters=True,
        )
    return app


def stop() -> None:
    """Close every connection."""
    if _store.watch is not None:
        _store.watch.stop()
    for engine in (_store.engine, _store.ops):
        if engine is not None:
            engine.dispose()
    _store.engine = _store.signer = _store.ops = _store.watch = None


def _engine() -> Engine:
    if _store.engine is None:
        raise RuntimeError("the store is not started")
    return _store.engine


def signer() -> Signer:
    """The signer of tenant contexts. Raises RuntimeError before `start`."""
    if _store.signer is None:
        raise RuntimeError("the store is not started")
    return _store.signer


def breaker() -> Breaker:
    """The breaker of this process: open while Postgres refuses connections or says nothing."""
    return stalled.breaker()


def _admitted() -> None:
    if not stalled.breaker().allow():
        raise Unavailable(retry_after=1, rule="database.breaker")


def _driver(url: str) -> str:
    return url.replace("postgresql://", "postgresql+psycopg2://", 1)


def _shared(members: list[tuple[str, Any]]) -> dict[str, Any]:
    return {intern(name): intern(v) if v.__class__ is str and len(v) < _SHORT else v for name, v in members}


_SHORT = 32
_document = json.JSONDecoder(object_pairs_hook=_shared).decode
"""Documents of ten thousand tenants stay in memory: the names and short words that many share are there once."""


def _measure(connection: Any, _record: Any = None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT extract(epoch FROM clock_timestamp())")
        signer().measured(float(cursor.fetchone()[0]))
    connection.rollback()


def _rested(_connection: Any, record: Any) -> None:
    record.info["rested"] = clock.monotonic()


def _alive(connection: Any, record: Any, _proxy: Any) -> None:
    """Ask a connection that has rested for long whether it still leads somewhere; the pool replaces it if not.

    One that was used just now is not asked: that would cost every transaction a round trip. When it has died
    all the same, its transaction is told Unavailable and the pool drops every other one of its age.
    """
    rested = record.info.get("rested")
    if rested is None or clock.monotonic() - rested < _ASK_AFTER:
        return
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        connection.rollback()
    except Exception as error:
        raise sa.exc.DisconnectionError from error


class Work:
    """A transaction of one tenant. Its first statement takes a connection and arms it: nothing comes before.

    What the vault needs of a connection and no more; the session that an object mapper would put in between costs
    a third of each statement, and nothing is mapped here.
    """

    __slots__ = ("_connection", "info", "readonly", "tenant_id")

    def __init__(self, tenant_id: UUID, *, readonly: bool) -> None:
        """`readonly`: Postgres refuses whatever would change anything."""
        self.tenant_id = tenant_id
        self.readonly = readonly
        self.info: dict[str, Any] = {}
        """What is remembered until it ends, by whoever works in it."""
        self._connection: Connection | None = None

    def execute(self, statement: sa.Executable, parameters: Any = None) -> sa.CursorResult[Any]:
        """Run a statement, with parameters or a list of them."""
        return self.connection().execute(statement, parameters)

    def scalar(self, statement: sa.Executable, parameters: Any = None) -> Any:
        """The first value of the first row, or None."""
        return self.connection().scalar(statement, parameters)

    def begin_nested(self) -> NestedTransaction:
        """A savepoint, rolled back alone when its block fails."""
        return self.connection().begin_nested()

    def commit(self) -> None:
        """End it, and let the connection go."""
        if self._connection is not None:
            self._connection.commit()
            self._close()

    def rollback(self) -> None:
        """Undo it, and let the connection go."""
        if self._connection is not None:
            self._connection.rollback()
            self._close()

    def invalidate(self) -> None:
        """Give the connection up: it is not used again."""
        if self._connection is not None:
            self._connection.invalidate()
            self._close()

    def connection(self) -> Connection:
        """The connection itself, armed."""
        if self._connection is None:
            self._connection = _engine().connect()
            begin = "SET TRANSACTION READ ONLY; " if self.readonly else ""
            context = signer().sign(self.tenant_id)
            self._connection.exec_driver_sql(f"{begin}SELECT set_config('app.ctx', %s, true)", (context,))
        return self._connection

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


@contextmanager
def transaction(readonly: bool = False) -> Iterator[Work]:
    """A transaction of the entered tenant; an inner call joins the outer one.

    Commits at the end, rolls back on any exception but Kept, which commits and raises its refusal.
    Raises NoTenant when none is entered, Unavailable when Postgres is away.
    """
    tenant = current()
    outer = _open.get()
    if outer is not None:
        if outer.tenant_id != tenant.id:
            raise RuntimeError("a transaction cannot change its tenant")
        try:
            yield outer
        except sa.exc.DBAPIError as error:
            # Told as the outer one would, so that whoever is in between can undo what is its own.
            raise named(error, readonly=outer.readonly) from error
        return
    _admitted()
    work = Work(tenant.id, readonly=readonly)
    token = _open.set(work)
    try:
        with _told(work, readonly=readonly):
            yield work
    finally:
        _open.reset(token)


def working() -> bool:
    """Whether a transaction is open: then nobody outside of the house is waited for."""
    return _open.get() is not None


TRIES = 3
"""How often a transaction is run that Postgres gives up for the sake of another."""
_PAUSE = 0.02
"""Seconds at most before the second try, twice that before the third."""
_P = ParamSpec("_P")
_R = TypeVar("_R")


def again(work: Callable[_P, _R]) -> Callable[_P, _R]:
    """Let `work`, which is one whole transaction, be run anew when Postgres gave it up: TRIES times in all.

    For work whose effects are all in Postgres, or do no harm when they come twice (a tombstone, a copy that
    nobody was told of); mail goes through the outbox, and what is burned in Redis is burned before. Inside a
    transaction it does nothing, since that one is run anew as a whole. Raises GivenUp after the last try.
    """

    @wraps(work)
    def tried(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        if _open.get() is not None:
            return work(*args, **kwargs)
        for failed in range(1, TRIES):
            try:
                return work(*args, **kwargs)
            except GivenUp:
                metrics.count("transactions_repeated_total")
                with lanes.left():
                    time.sleep(random.uniform(0, _PAUSE * failed))
        return work(*args, **kwargs)

    return tried


@contextmanager
def _told(work: Work | Session, *, readonly: bool = False) -> Iterator[None]:
    refusal: Refusal | None = None
    try:
        try:
            yield
        except Kept as kept:
            refusal = kept.refusal
        work.commit()
    except sa.exc.DBAPIError as error:
        _quietly_roll_back(work)
        raise named(error, readonly=readonly) from error
    except sa.exc.TimeoutError as error:
        metrics.count("database_errors_total", reason="pool")
        raise Unavailable(rule="database.pool") from error
    except BaseException:
        _quietly_roll_back(work)
        raise
    if refusal is not None:
        raise refusal


def _quietly_roll_back(work: Work | Session) -> None:
    try:
        work.rollback()
    except sa.exc.DBAPIError:
        work.invalidate()


@contextmanager
def outside() -> Iterator[Connection]:
    """A read-only connection as `idp_app` without a tenant: only the directory's functions answer it."""
    _admitted()
    try:
        with _engine().connect() as connection, connection.begin():
            if signer().stale():
                epoch = connection.exec_driver_sql("SELECT extract(epoch FROM clock_timestamp())").scalar()
                signer().measured(float(cast(float, epoch)))
            yield connection
    except sa.exc.DBAPIError as error:
        raise translated(error) from error
    except sa.exc.TimeoutError as error:
        raise Unavailable(rule="database.pool") from error


def insert_each(
    table: sa.Table, names: Sequence[str], rows: Mapping[UUID, Sequence[tuple[Any, ...]]]
) -> None:
    """Insert rows of many tenants in one transaction and one round trip, each tenant's under its own context.

    `rows` by tenant, each the values of the columns `names`. Raises Unavailable, or what Postgres says of any
    of the rows: then none is written.
    """
    values = f"(%s::uuid, {', '.join(['%s'] * len(names))})"
    insert = f"INSERT INTO {table.name} (tenant_id, {', '.join(names)}) VALUES "
    statements: list[str] = []
    given: list[Any] = []
    for tenant_id, of_tenant in rows.items():
        statements.append(
            f"SELECT set_config('app.ctx', %s, true); {insert}{', '.join([values] * len(of_tenant))}"
        )
        given.append(signer().sign(tenant_id))
        for row in of_tenant:
            given.append(str(tenant_id))
            given += [str(value) if value.__class__ is UUID else value for value in row]
    _admitted()
    try:
        with _engine().begin() as connection:
            connection.exec_driver_sql("; ".join(statements), tuple(given))
    except sa.exc.DBAPIError as error:
        raise translated(error) from error
    except sa.exc.TimeoutError as error:
        raise Unavailable(rule="database.pool") from error


@contextmanager
def operations() -> Iterator[Session]:
    """A transaction as `idp_ops`, for the control plane alone. Raises ConfigError without its address."""
    if _store.ops is None:
        raise ConfigError("IDP_OPS_DATABASE_URL", "is missing; operators' commands need the role idp_ops")
    with Session(_store.ops, autoflush=False, expire_on_commit=False) as session, _told(session):
        yield session
