"""What Postgres and Redis say of themselves: versions, settings, what a role or a user may do. Reads only."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import redis as driver
from redis.backoff import NoBackoff
from redis.retry import Retry

from idp.errors import Busy
from idp.store.database import outside

TIMEOUT = 2.0
"""Seconds that Redis may take here, where nobody's request waits."""


def postgres_settings(names: Sequence[str]) -> dict[str, str]:
    """Settings of the server as the runtime role has them; unknown and hidden ones are left out. Raises Unavailable."""
    statement = "SELECT name, setting FROM pg_settings WHERE name = ANY(%(names)s) ORDER BY 1"
    with outside() as connection:
        return {
            str(name): str(value)
            for name, value in connection.exec_driver_sql(statement, {"names": list(names)})
        }


def database_locale() -> dict[str, str]:
    """Encoding and collation of the database, by which names are compared and kept. Raises Unavailable."""
    statement = (
        "SELECT pg_encoding_to_char(encoding), datcollate, datctype, datlocprovider::text "
        "FROM pg_database WHERE datname = current_database()"
    )
    with outside() as connection:
        row = connection.exec_driver_sql(statement).one()
    return dict(zip(("encoding", "collate", "ctype", "provider"), map(str, row), strict=True))


def session() -> dict[str, Any]:
    """Who the runtime role is, and whether its connection is encrypted. Raises Unavailable."""
    with outside() as connection:
        role = connection.exec_driver_sql("SELECT current_user::text").scalar()
        driver_connection: Any = connection.connection.driver_connection
        tls = bool(driver_connection.info.ssl_in_use)  # pg_stat_ssl is closed to the runtime role
    return {"role": str(role), "tls": tls}


def redis_info(url: str) -> dict[str, Any]:
    """INFO of the Redis behind `url`. Raises Busy where it does not answer or lets nobody in."""
    with _client(url) as client:
        return {str(name): value for name, value in client.info().items()}


def redis_config(url: str, names: Sequence[str]) -> dict[str, str]:
    """CONFIG GET, for a user who may. Raises Busy."""
    with _client(url) as client:
        return {str(name): str(value) for name, value in client.config_get(*names).items()}


def redis_allows(url: str, *command: str) -> bool:
    """Whether the user of `url` may run a command, which is run for that. Raises Busy."""
    with _client(url) as client:
        try:
            client.execute_command(*command)
        except driver.exceptions.NoPermissionError:
            return False
        return True


@contextmanager
def _client(url: str) -> Iterator[Any]:
    try:
        client = driver.Redis.from_url(
            url,
            socket_timeout=TIMEOUT,
            socket_connect_timeout=TIMEOUT,
            retry=Retry(NoBackoff(), 0),
            decode_responses=True,
            protocol=2,
        )
        with client:
            yield client
    except (driver.exceptions.RedisError, OSError, ValueError) as error:
        raise Busy(rule="redis.facts", got=type(error).__name__) from error
