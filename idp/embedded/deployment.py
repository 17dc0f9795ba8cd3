"""A deployment as every command finds it: by its folder alone, running or stopped."""

import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from idp import config, paths
from idp.config import Settings
from idp.embedded import NotPossible, postgres, redis
from idp.embedded.folder import Folder
from idp.embedded.postgres import Postgres
from idp.embedded.process import end, until
from idp.embedded.redis import Redis

START_SECONDS = 60.0
_SERVERS = ("postgres", "redis")


@dataclass(slots=True)
class Services:
    """The servers of this deployment that this process runs; None where others run them."""

    postgres: Postgres | None
    redis: Redis | None

    def start(self, ports: Mapping[str, Any]) -> None:
        """Start both on their remembered `ports` where those are free, and wait until both answer."""
        if self.postgres is not None:
            if not self.postgres.made:
                self.postgres.make()
            self.postgres.start(ports.get("postgres_port"))
        if self.redis is not None:
            self.redis.start(ports.get("redis_port"))
            self.redis.wait()
        if self.postgres is not None:
            self.postgres.wait()

    def stop(self) -> None:
        """Stop both."""
        if self.redis is not None:
            self.redis.stop()
        if self.postgres is not None:
            self.postgres.stop()


@dataclass(slots=True)
class Deployment:
    """One deployment: its folder, and the environment names that were given from outside."""

    folder: Folder
    given: dict[str, str] = field(default_factory=dict)

    @property
    def home(self) -> Path:
        """The data folder."""
        return self.folder.home

    @property
    def embeds_postgres(self) -> bool:
        """Whether Postgres is ours to run."""
        return "IDP_DATABASE_URL" not in self.environment()

    @property
    def embeds_redis(self) -> bool:
        """Whether Redis is ours to run."""
        return "IDP_REDIS_URL" not in self.environment()

    @property
    def embedded(self) -> bool:
        """Whether both servers are ours, which is what makes a deployment one for development."""
        return self.embeds_postgres and self.embeds_redis

    @property
    def up(self) -> bool:
        """Whether an `idp up` runs here and serves."""
        holder = self.folder.holder()
        return bool(holder and holder["kind"] == "up" and self.folder.state().get("serving") == holder["pid"])

    def environment(self) -> dict[str, str]:
        """The `IDP_…` names from outside: what was given now, before what `idp up` was given last."""
        return {**self.folder.addresses(), **self.given}

    def services(self) -> Services:
        """The servers that are ours, not started. Raises NotPossible when their passwords are lost."""
        if not (self.embeds_postgres or self.embeds_redis):
            return Services(None, None)
        secrets, logs = self.folder.passwords(), self.folder.logs
        users = {name: secrets[f"redis:{name}"] for name in (redis.RUNTIME_USER, redis.OPERATOR)}
        return Services(
            Postgres(self.folder.postgres, password=secrets[postgres.SUPERUSER], log=logs / "postgres.log")
            if self.embeds_postgres
            else None,
            Redis(self.folder.redis, passwords=users, log=logs / "redis.log") if self.embeds_redis else None,
        )

    def settings(self, **overrides: Any) -> Settings:
        """The settings of this deployment with the ports that it uses, or used last. Raises ConfigError."""
        state = self.folder.state()
        values: dict[str, Any] = {
            "home": self.home,
            "keys": self.folder.keys,
            "env": "development" if self.embedded else None,
            "base_url": state.get("base_url"),
            "management_bind": state.get("management_bind"),
            **(self._postgres_urls(state) if self.embeds_postgres else {}),
            **(self._redis_urls(state) if self.embeds_redis else {}),
        }
        environment = self.environment()
        unset = {name: value for name, value in values.items() if f"IDP_{name.upper()}" not in environment}
        return Settings.load(environment, **{**unset, **overrides})

    def _postgres_urls(self, state: Mapping[str, Any]) -> dict[str, str]:
        port = state.get("postgres_port")
        if port is None:
            return {}
        secrets = self.folder.passwords()
        roles = {
            "database_url": "idp_app",
            "ops_database_url": "idp_ops",
            "migrator_database_url": "idp_migrator",
            "admin_database_url": postgres.SUPERUSER,
            "backup_database_url": "idp_backup",
        }
        database = {postgres.SUPERUSER: "postgres"}  # the one that exists before ours is made
        return {
            name: postgres.url(port, role, secrets[role], database.get(role, postgres.DATABASE))
            for name, role in roles.items()
        }

    def _redis_urls(self, state: Mapping[str, Any]) -> dict[str, str]:
        port = state.get("redis_port")
        if port is None:
            return {}
        secrets = self.folder.passwords()
        users = {"redis_url": redis.RUNTIME_USER, "redis_admin_url": redis.OPERATOR}
        return {name: redis.url(port, user, secrets[f"redis:{user}"]) for name, user in users.items()}

    @contextmanager
    def running(self, *, postgres_only: bool = False, make: bool = False) -> Iterator[Settings]:
        """The settings of a deployment whose servers answer: those of `idp up`, else started for this block.

        With `postgres_only` a Postgres that others run is enough; with `make` new servers are made. Raises
        NotPossible where nothing was ever made, ConfigError where a setting is missing.
        """
        if not (self.embeds_postgres or (self.embeds_redis and not postgres_only)):
            yield self.settings()
            return
        if not (make or self.folder.used):
            raise NotPossible(
                f"There is no deployment in {self.home}: start one with 'idp up', name another folder with "
                "--home, or set IDP_DATABASE_URL and IDP_REDIS_URL."
            )
        self.folder.make()
        if self._joins():
            yield self.settings()
            return
        services = self.services()
        try:
            self.clean_up()
            self.start(services)
            yield self.settings()
        finally:
            services.stop()
            self.folder.unlock()

    def clean_up(self) -> None:
        """Stop what a crashed run left behind; the caller holds the lock, so it belongs to nobody."""
        for seen in self.folder.left_behind():
            if seen.name not in _SERVERS:  # those know their own, by their folders
                end(seen, (signal.SIGTERM,), 3.0)
        services = self.services()
        for server in (services.postgres, services.redis):
            if server is not None:
                server.settle()
        self.folder.write_down([])

    def start(self, services: Services) -> None:
        """Start `services` and remember their ports; the caller holds the lock and has cleaned up."""
        services.start(self.folder.state())
        facts: dict[str, Any] = {}
        if services.postgres is not None:
            facts["postgres_port"] = services.postgres.port
        if services.redis is not None:
            facts["redis_port"] = services.redis.port
        self.folder.remember(**facts)

    def _joins(self) -> bool:
        """Whether `idp up` runs and has its servers ready; False when this process now has the lock itself."""
        outcome: list[bool] = []

        def settled() -> bool:
            if self.folder.lock("command"):
                outcome.append(False)
            elif self.up:
                outcome.append(True)
            return bool(outcome)

        if not until(settled, START_SECONDS, pause=0.05):
            raise NotPossible(
                f"Another command has held {self.home} for {START_SECONDS:.0f} s; try again later."
            )
        return outcome[0]


def find(home: Path | None = None) -> Deployment:
    """The deployment in `home`, else in `IDP_HOME`, else in `.idp` of the checkout or of this folder."""
    given = {
        name: value
        for name, value in config.environment().items()
        if name.startswith("IDP_") and value.strip()
    }
    if home is not None:
        given["IDP_HOME"] = str(home)
    named = given.get("IDP_HOME")
    top = paths.checkout()
    place = Path(named) if named else (top or Path.cwd()) / ".idp"
    keys = Path(given["IDP_KEYS"]) if "IDP_KEYS" in given else None
    if keys is None:
        keys = top / "keys" if named is None and top is not None else place / "keys"
    given["IDP_HOME"], given["IDP_KEYS"] = str(place.absolute()), str(keys.absolute())
    return Deployment(Folder(place.absolute(), keys.absolute()), given)
