"""A Postgres and a Redis that are thrown away: where a proof may break things to see whether it notices."""

import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from idp.embedded import postgres, redis
from idp.embedded.folder import USERS


@contextmanager
def servers() -> Iterator[dict[str, str]]:
    """Both servers for the length of the block, empty; the environment in which `idp` finds them.

    Raises NotPossible.
    """
    with tempfile.TemporaryDirectory(prefix="idp-scratch-") as folder:
        home = Path(folder)
        home.chmod(0o711)  # Postgres runs as another user where we are root
        passwords = {name: secrets.token_urlsafe(24) for name in (*USERS, redis.RUNTIME_USER, redis.OPERATOR)}
        cluster = postgres.Postgres(
            home / "postgres",
            password=passwords[postgres.SUPERUSER],
            log=home / "postgres.log",
            durable=False,
        )
        users = {name: passwords[name] for name in (redis.RUNTIME_USER, redis.OPERATOR)}
        store = redis.Redis(home / "redis", passwords=users, log=home / "redis.log", durable=False)
        try:
            cluster.make()
            cluster.start()
            store.start()
            cluster.wait()
            store.wait()
            yield _environment(home, cluster, store, passwords)
        finally:
            store.stop()
            cluster.stop()


def _environment(
    home: Path, cluster: postgres.Postgres, store: redis.Redis, passwords: dict[str, str]
) -> dict[str, str]:
    roles = {"DATABASE": "idp_app", "OPS_DATABASE": "idp_ops", "MIGRATOR_DATABASE": "idp_migrator",
             "BACKUP_DATABASE": "idp_backup"}  # fmt: skip
    return {
        "IDP_ENV": "development",
        "IDP_HOME": str(home),
        "IDP_KEYS": str(home / "keys"),
        **{
            f"IDP_{name}_URL": postgres.url(cluster.port, role, passwords[role])
            for name, role in roles.items()
        },
        "IDP_ADMIN_DATABASE_URL": cluster.url(database="postgres"),
        "IDP_REDIS_URL": store.url(),
        "IDP_REDIS_ADMIN_URL": store.url(redis.OPERATOR),
    }


def superuser(environment: dict[str, str]) -> str:
    """The URL of a superuser in the product's database, once `idp migrate` has made it."""
    return environment["IDP_ADMIN_DATABASE_URL"].rpartition("/")[0] + f"/{postgres.DATABASE}"
