"""The data folder of a deployment: its lock, what it remembers, and its passwords.

`HOME/run/state.json` holds what is no secret: ports, the base URL, what runs now. Passwords are in
`deployment.json` of the keys folder, the only place on disk where secrets may lie.
"""

import fcntl
import json
import os
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from idp import ids
from idp.embedded import NotPossible
from idp.embedded.process import Trace

USERS = ("postgres", "idp_migrator", "idp_app", "idp_ops", "idp_readonly", "idp_backup")
REDIS_USERS = ("idp_app", "idp_operator")


class Folder:
    """One deployment on disk; `keys` is where its secrets lie."""

    def __init__(self, home: Path, keys: Path) -> None:
        """Nothing is read or written yet."""
        self.home, self.keys = home, keys
        self._lock: int | None = None

    @property
    def postgres(self) -> Path:
        """The data folder of Postgres."""
        return self.home / "postgres"

    @property
    def redis(self) -> Path:
        """The data folder of Redis."""
        return self.home / "redis"

    @property
    def logs(self) -> Path:
        """Where every process writes its log."""
        return self.home / "log"

    @property
    def used(self) -> bool:
        """Whether a deployment was ever made here."""
        return (self.postgres / "PG_VERSION").is_file() or self._state.is_file()

    @property
    def _state(self) -> Path:
        return self.home / "run" / "state.json"

    @property
    def _secrets(self) -> Path:
        return self.keys / "deployment.json"

    def make(self) -> None:
        """Make the folders, for their owner alone; what exists keeps its permissions.

        Raises NotPossible when one of them cannot be written.
        """
        for each in (self.home, self.keys, self.logs, self.home / "run"):
            try:
                each.mkdir(mode=0o700, parents=True, exist_ok=True)
                probe = each / f".write-{os.getpid()}"
                probe.touch()
                probe.unlink()
            except OSError as error:
                raise NotPossible(
                    f"The folder {each} cannot be written ({error.strerror}): choose another one with --home."
                ) from None

    def lock(self, kind: str) -> bool:
        """Take the deployment for this process until it ends; False when another process has it.

        `kind` is told to others: `up` stays, `command` goes away by itself.
        """
        handle = os.open(self.home / "run" / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            return False
        os.ftruncate(handle, 0)
        os.pwrite(handle, json.dumps({"pid": os.getpid(), "kind": kind}).encode(), 0)
        self._lock = handle
        return True

    def unlock(self) -> None:
        """Leave the deployment to others."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def holder(self) -> dict[str, Any] | None:
        """Who has the deployment now, as {pid, kind}; None when nobody has."""
        lock = self.home / "run" / "lock"
        try:
            handle = os.open(lock, os.O_RDWR)
        except OSError:
            return None
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            with suppress(ValueError, OSError):
                return dict(json.loads(lock.read_text()))
            return {"pid": 0, "kind": "command"}
        finally:
            os.close(handle)
        return None

    def state(self) -> dict[str, Any]:
        """What is remembered; empty where nothing is."""
        try:
            return dict(json.loads(self._state.read_text()))
        except (OSError, ValueError):
            return {}

    def remember(self, **facts: Any) -> None:
        """Add `facts` to what is remembered, whole or not at all."""
        _write(self._state, {**self.state(), **facts})

    def left_behind(self) -> list[Trace]:
        """The processes that the last run wrote down."""
        found = []
        for each in self.state().get("children", []):
            with suppress(TypeError):
                found.append(Trace(**each))
        return found

    def write_down(self, children: list[Trace]) -> None:
        """Note which processes run, for the run after a crash."""
        self.remember(children=[asdict(each) for each in children])

    def passwords(self) -> dict[str, str]:
        """The passwords of the database's roles, and `redis:NAME` for those of Redis; made for new data only.

        Raises NotPossible when there is data whose passwords are gone.
        """
        kept = self._kept()
        names = [*USERS, *(f"redis:{name}" for name in REDIS_USERS)]
        if "passwords" not in kept:
            if (self.postgres / "PG_VERSION").is_file():
                raise NotPossible(
                    f"{self.home} holds data, but its passwords are missing from {self._secrets}: "
                    "restore that folder (IDP_KEYS) or choose another --home."
                )
            self._keep({**kept, "passwords": {name: ids.secret() for name in names}})
            kept = self._kept()
        return {name: str(kept["passwords"][name]) for name in names}

    def addresses(self) -> dict[str, str]:
        """The URLs of servers that others run, as `idp up` was last given them, by environment name."""
        return {str(name): str(value) for name, value in self._kept().get("addresses", {}).items()}

    def keep_addresses(self, given: dict[str, str]) -> None:
        """Remember `given`, so that every other command finds the same servers."""
        if given != self.addresses():
            self._keep({**self._kept(), "addresses": given})

    def _kept(self) -> dict[str, Any]:
        try:
            return dict(json.loads(self._secrets.read_text()))
        except (FileNotFoundError, NotADirectoryError):
            return {}
        except (OSError, ValueError) as error:
            raise NotPossible(f"{self._secrets} cannot be read: {error}.") from None

    def _keep(self, content: dict[str, Any]) -> None:
        _write(self._secrets, content)


def _write(path: Path, content: dict[str, Any]) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(handle, "w", encoding="utf-8") as file:
        json.dump(content, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
