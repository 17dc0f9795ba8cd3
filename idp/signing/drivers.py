"""Where the bytes of a key ring lie: a file, the environment, or behind a command that asks a key service.

A driver reads and writes the ring's document and wraps its keys. Called at start and when the ring changes.
"""

import json
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any, Protocol

from idp import ids
from idp.config import ConfigError

_PATIENCE = 20
"""Seconds that a key service may take to answer."""


class Driver(Protocol):
    """What every place of a ring can do."""

    setting: str
    """The setting that names this place."""
    where: str
    """The place in words, for sentences."""

    def read(self) -> dict[str, Any] | None:
        """The document, or None when there is none. Raises ConfigError when it is unreadable or open to others."""
        ...

    def write(self, document: dict[str, Any]) -> None:
        """Replace the document as one step. Raises ConfigError where it cannot be written."""
        ...

    def wrap(self, plain: bytes) -> str:
        """A ring key as it stands in the document."""
        ...

    def unwrap(self, text: str) -> bytes:
        """The ring key behind a text of the document. Raises ValueError, ConfigError."""
        ...


def _object(raw: str, setting: str, where: str) -> dict[str, Any]:
    try:
        document = json.loads(raw)
    except ValueError:
        raise ConfigError(setting, f"must be JSON, as `idp keys ring` writes it ({where})") from None
    if not isinstance(document, dict):
        raise ConfigError(setting, f"must be a JSON object ({where})")
    return document


class File:
    """A file of mode 0600 in a folder of mode 0700."""

    setting = "IDP_KEYS"

    def __init__(self, path: Path) -> None:
        """`path`: the file."""
        self.path = path
        self.where = str(path)

    def read(self) -> dict[str, Any] | None:
        """The document, or None when the file is absent; refused when others may read or replace it."""
        try:
            with self.path.open(encoding="utf-8") as file:
                # Group may read: that is how orchestrators hand secrets to an unprivileged process.
                if os.fstat(file.fileno()).st_mode & 0o037:
                    raise ConfigError(
                        self.setting, f"holds a key ring that others may read; chmod 600 {self.path}"
                    )
                return _object(file.read(), self.setting, self.where)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise ConfigError(
                self.setting, f"holds a key ring that cannot be read ({error.strerror})"
            ) from None

    def write(self, document: dict[str, Any]) -> None:
        """Written beside the old file, synced, then moved over it: a crash leaves one of the two whole."""
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=self.path.parent, prefix=".kek-")
            try:
                with os.fdopen(handle, "w", encoding="utf-8") as file:
                    json.dump(document, file, indent=1)
                    file.flush()
                    os.fsync(file.fileno())
                os.replace(name, self.path)
            except BaseException:
                Path(name).unlink(missing_ok=True)
                raise
        except OSError as error:
            raise ConfigError(self.setting, f"cannot be written ({error.strerror}: {self.path})") from None

    def wrap(self, plain: bytes) -> str:
        """Base64url."""
        return ids.b64(plain)

    def unwrap(self, text: str) -> bytes:
        """Base64url."""
        return ids.unb64(text)


class Environment:
    """The document itself in a variable, which only who starts the process can change."""

    setting = "IDP_KEY_RING"
    where = "the environment"

    def __init__(self, content: str) -> None:
        """`content`: the variable's value."""
        self._content = content

    def read(self) -> dict[str, Any] | None:
        """The document."""
        return _object(self._content, self.setting, self.where)

    def write(self, document: dict[str, Any]) -> None:
        """Refused: a process cannot change the environment that the next one gets."""
        raise ConfigError(self.setting, "comes from the environment; change it where the process is started")

    def wrap(self, plain: bytes) -> str:
        """Base64url."""
        return ids.b64(plain)

    def unwrap(self, text: str) -> bytes:
        """Base64url."""
        return ids.unb64(text)


class Command:
    """A document whose keys only a key service opens: `argv` with `wrap` or `unwrap`, bytes in, bytes out."""

    def __init__(self, base: Driver, argv: object) -> None:
        """`base`: where the document lies; `argv`: the command and its arguments, no shell."""
        self.setting, self.where = base.setting, base.where
        self._base = base
        if not isinstance(argv, list) or not argv or not all(isinstance(word, str) for word in argv):
            raise ConfigError(self.setting, "names a command that is not a list of words")
        self._argv: list[str] = argv

    def read(self) -> dict[str, Any] | None:
        """The document, its keys still wrapped."""
        return self._base.read()

    def write(self, document: dict[str, Any]) -> None:
        """Replace the document."""
        self._base.write(document)

    def wrap(self, plain: bytes) -> str:
        """What the key service makes of a ring key."""
        return ids.b64(self._ask("wrap", plain))

    def unwrap(self, text: str) -> bytes:
        """What the key service opens."""
        return self._ask("unwrap", ids.unb64(text))

    def _ask(self, verb: str, data: bytes) -> bytes:
        try:
            done = subprocess.run(
                [*self._argv, verb], input=data, capture_output=True, timeout=_PATIENCE, check=True
            )
        except (OSError, subprocess.SubprocessError):
            raise ConfigError(
                self.setting, f"names a key service that did not {verb} ({self._argv[0]})"
            ) from None
        return done.stdout
