"""Postgres: the engine, the transaction, and the listener that arms row-level security in each of them.

A transaction belongs to the tenant that is entered. Where none is entered nothing is armed, and the
policies answer nothing. Every connection of web and worker logs in as `idp_app`.
"""

import json
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from functools import wraps
from sys import intern
from typing import Any, ParamSpec, TypeVar, cast
from uuid import UUID

import sqlalchemy as sa
from flask import Flask, current_app, has_app_context
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.orm import Session

from idp import clock, lanes, metrics
from idp.config import ConfigError, Settings
from idp.errors import Busy, Refusal
from idp.store import stalled
from idp.store.breaker import Breaker
from idp.store.context import Signer
from idp.store.durable.columns import metadata
from idp.tenants import current, maybe_current

db = SQLAlchemy(metadata=metadata, session_options={"autoflush": False, "expire_on_commit": False})

_AWAY_CLASSES = ("08", "53", "57", "58")
_READ_ONLY = "25006"
_AWAY_CODES = {_READ_ONLY, "55P03", "25P03"}
_GIVEN_UP_CODES = {"40001", "40P01"}
_CONTEXT_CODES = {"IDP01": "expired", "IDP02": "forged"}
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


class Unavailable(Busy):
    """Postgres is away, slow or full; nothing was changed."""

    description = "The database is not answering. Try again shortly."


class GivenUp(Unavailable):
    """Postgres gave this transaction up for another one's sake (deadlock, serialization); it may be run again."""


class Kept(Exception):
    """Carries a Refusal out of a transaction that commits: an answer of no whose effect must last."""

    def __init__(self, refusal: Refusal) -> None:
        """`refusal`: raised to the caller once the transaction has committed."""
        super().__init__(str(refusal))
        self.refusal = refusal


class _Store:
    app: Flask | None = None
    signer: Signer | None = None
    ops: Engine | None = None
    watch: stalled.Watch | None = None


_store = _Store()
_open: ContextVar[tuple[UUID, Session] | None] = ContextVar("idp_transaction", default=None)


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
    _store.app, _store.signer = app, Signer(context_keys)
    with app.app_context():
        event.listen(db.engine, "connect", _measure)
        event.listen(db.engine, "checkin", _rested)
        event.listen(db.engine, "checkout", _alive)
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
    if _store.app is not None:
        with _store.app.app_context():
            db.session.remove()
            db.engine.dispose()
    if _store.ops is not None:
        _store.ops.dispose()
    _store.app = _store.signer = _store.ops = _store.watch = None


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


@event.listens_for(db.session, "after_begin")
def _arm(session: Session, _transaction: Any, connection: Connection) -> None:
    """Show Postgres the signed context as the first statement of the transaction."""
    tenant = maybe_current()
    if tenant is None:
        return
    begin = "SET TRANSACTION READ ONLY; " if session.info.get("readonly") else ""
    context = signer().sign(tenant.id)
    connection.exec_driver_sql(f"{begin}SELECT set_config('app.ctx', %s, true)", (context,))


@contextmanager
def _application() -> Iterator[None]:
    if _store.app is None:
        raise RuntimeError("the store is not started")
    # The web's own application is another one: the store belongs to the process, not to one application.
    if has_app_context() and current_app == _store.app:
        yield
        return
    with _store.app.app_context():
        yield


@contextmanager
def transaction(readonly: bool = False) -> Iterator[Session]:
    """A transaction of the entered tenant; an inner call joins the outer one.

    Commits at the end, rolls back on any exception but Kept, which commits and raises its refusal.
    Raises NoTenant when none is entered, Unavailable when Postgres is away.
    """
    tenant = current()
    outer = _open.get()
    if outer is not None:
        if outer[0] != tenant.id:
            raise RuntimeError("a transaction cannot change its tenant")
        try:
            yield outer[1]
        except sa.exc.DBAPIError as error:
            # Told as the outer one would, so that whoever is in between can undo what is its own.
            raise _named(outer[1], error) from error
        return
    _admitted()
    with ExitStack() as stack:
        stack.enter_context(_application())
        session = db.session()
        session.info["readonly"] = readonly
        token = _open.set((tenant.id, session))
        stack.callback(_open.reset, token)
        stack.callback(db.session.remove)
        with _told(session):
            yield session


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
def _told(session: Session) -> Iterator[None]:
    refusal: Refusal | None = None
    try:
        try:
            yield
        except Kept as kept:
            refusal = kept.refusal
        session.commit()
    except sa.exc.DBAPIError as error:
        _quietly_roll_back(session)
        raise _named(session, error) from error
    except sa.exc.TimeoutError as error:
        metrics.count("database_errors_total", reason="pool")
        raise Unavailable(rule="database.pool") from error
    except BaseException:
        _quietly_roll_back(session)
        raise
    if refusal is not None:
        raise refusal


def _quietly_roll_back(session: Session) -> None:
    try:
        session.rollback()
    except sa.exc.DBAPIError:
        session.invalidate()


def _named(session: Session, error: sa.exc.DBAPIError) -> Exception:
    # A write where only reading was promised is a mistake of ours; anywhere else it is a standby that answers.
    if session.info.get("readonly") and getattr(error.orig, "pgcode", None) == _READ_ONLY:
        return error
    return _translated(error)


def _translated(error: sa.exc.DBAPIError) -> Exception:
    code = cast(str | None, getattr(error.orig, "pgcode", None))
    if code in _CONTEXT_CODES:
        metrics.count("context_errors_total", reason=_CONTEXT_CODES[code])
        return Unavailable(rule=f"tenant_context.{_CONTEXT_CODES[code]}")
    if code in _GIVEN_UP_CODES:
        metrics.count("database_errors_total", reason=code)
        return GivenUp(rule="database.given_up", got=code)
    lost = error.connection_invalidated or (code is None and isinstance(error, sa.exc.OperationalError))
    if lost or code in _AWAY_CODES or (code or "")[:2] in _AWAY_CLASSES:
        metrics.count("database_errors_total", reason=code or "lost")
        return Unavailable(rule="database.away", got=code)
    return error


@contextmanager
def outside() -> Iterator[Connection]:
    """A read-only connection as `idp_app` without a tenant: only the directory's functions answer it."""
    _admitted()
    with _application():
        try:
            with db.engine.connect() as connection, connection.begin():
                if signer().stale():
                    epoch = connection.exec_driver_sql(
                        "SELECT extract(epoch FROM clock_timestamp())"
                    ).scalar()
                    signer().measured(float(cast(float, epoch)))
                yield connection
        except sa.exc.DBAPIError as error:
            raise _translated(error) from error
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
    with _application():
        try:
            with db.engine.begin() as connection:
                connection.exec_driver_sql("; ".join(statements), tuple(given))
        except sa.exc.DBAPIError as error:
            raise _translated(error) from error
        except sa.exc.TimeoutError as error:
            raise Unavailable(rule="database.pool") from error


@contextmanager
def operations() -> Iterator[Session]:
    """A transaction as `idp_ops`, for the control plane alone. Raises ConfigError without its address."""
    if _store.ops is None:
        raise ConfigError("IDP_OPS_DATABASE_URL", "is missing; operators' commands need the role idp_ops")
    with Session(_store.ops, autoflush=False, expire_on_commit=False) as session, _told(session):
        yield session
