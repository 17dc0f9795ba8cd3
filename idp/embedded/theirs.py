"""Servers that others run: whether they answer at all, asked before anything of ours is started.

Reads nothing from them but that they are there; a login that is refused is told apart from silence.
"""

from urllib.parse import urlsplit

import psycopg2
import redis

from idp.config import ConfigError

SECONDS = 3
"""How long a server may take to answer."""


def postgres(name: str, url: str) -> None:
    """Raises ConfigError where no Postgres answers at `url`, the value of the setting `name`."""
    try:
        psycopg2.connect(url, connect_timeout=SECONDS, application_name="idp").close()
    except psycopg2.OperationalError as problem:
        if "FATAL" in str(problem):  # a server's own word: it is there, and refuses
            raise ConfigError(
                name, f"is refused by the Postgres at {_place(url, 5432)}: {_word(problem)}"
            ) from None
        raise ConfigError(name, f"leads to {_place(url, 5432)}, where no Postgres answers") from None
    except (psycopg2.Error, ValueError, UnicodeError):
        raise ConfigError(name, "cannot be read as the URL of a Postgres") from None


def cache(name: str, url: str) -> None:
    """Raises ConfigError where no Redis answers at `url`, the value of the setting `name`."""
    try:
        with redis.Redis.from_url(url, socket_timeout=SECONDS, socket_connect_timeout=SECONDS) as client:
            client.ping()
    except (redis.AuthenticationError, redis.ResponseError):
        raise ConfigError(
            name, f"is refused by the Redis at {_place(url, 6379)}: its login is wrong"
        ) from None
    except redis.RedisError:
        raise ConfigError(name, f"leads to {_place(url, 6379)}, where no Redis answers") from None
    except (ValueError, UnicodeError):
        raise ConfigError(name, "cannot be read as the URL of a Redis") from None


def _place(url: str, port: int) -> str:
    """Host and port without the login."""
    parts = urlsplit(url)
    return f"{parts.hostname or parts.path or 'this machine'}:{parts.port or port}"


def _word(problem: Exception) -> str:
    """The server's reason alone, in one line."""
    return str(problem).strip().splitlines()[-1].rpartition("FATAL:")[2].strip()
