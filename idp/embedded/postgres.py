"""One Postgres cluster in a folder: made, started, recovered, stopped."""

import os
import pwd
import shutil
import signal
import subprocess
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

import psycopg2

from idp.embedded import NotPossible, binaries, ports, privilege, process

SUPERUSER = "postgres"
DATABASE = "idp"
READY_SECONDS = 60.0  # crash recovery of a large log takes its time
STOP = (
    signal.SIGINT,
    signal.SIGQUIT,
)  # fast, then immediate shutdown (PostgreSQL, "Shutting Down the Server")


class Postgres:
    """A cluster in `folder`; `password` is its superuser's; `durable=False` is for throw-away data only."""

    def __init__(self, folder: Path, *, password: str, log: Path, durable: bool = True) -> None:
        """Nothing is started or made yet."""
        self.folder, self.log, self.durable = folder, log, durable
        self._password = password
        self.port = 0
        self.child: subprocess.Popen[bytes] | None = None
        self.signals = STOP

    @property
    def made(self) -> bool:
        """Whether the folder holds a cluster that was made to the end."""
        return (self.folder / "PG_VERSION").is_file()

    def make(self) -> None:
        """Create the cluster. Half a cluster of an interrupted attempt is thrown away first.

        Raises NotPossible with the reason that initdb gives.
        """
        programs = binaries.postgres()
        _must_have_a_name()
        attempt = self.folder.with_name(self.folder.name + ".new")
        shutil.rmtree(attempt, ignore_errors=True)
        attempt.mkdir(mode=0o700)
        who = privilege.choose(programs.postgres, attempt)
        os.chown(attempt, *who.owner)
        argv: list[str | Path] = [
            programs.initdb,
            "-D",
            attempt,
            "-U",
            SUPERUSER,
            "--auth=scram-sha-256",
            "--pwfile=/dev/stdin",
            "--encoding=UTF8",
            "--no-instructions",
            "--no-sync",
            *(["--locale-provider=builtin", "--locale=C.UTF-8"] if programs.major >= 17 else ["--locale=C"]),
        ]
        status, said = process.finish(argv, given=f"{self._password}\n".encode(), prepare=who.prepare)
        if status != 0:
            shutil.rmtree(attempt, ignore_errors=True)
            lines = [line for line in said.splitlines() if "error" in line.lower() or "FATAL" in line]
            raise NotPossible(
                f"Postgres could not make its data folder {self.folder}: {lines[0] if lines else said.strip()}"
            )
        shutil.rmtree(self.folder, ignore_errors=True)
        attempt.rename(self.folder)

    def settle(self) -> None:
        """Stop what an earlier run left behind on this folder; remove a lock file that names a stranger.

        The caller holds the lock on the deployment, so a server found here belongs to nobody. A lock file
        whose process is gone stays: by it Postgres itself finds out whether old memory is still in use.
        """
        lock = self.folder / "postmaster.pid"
        pid = _first_number(lock)
        if pid is not None and self._is_ours(pid):
            process.end(process.trace("postgres", pid), STOP, 10.0)
        for stray in process.inside(self.folder.resolve(), "postgres"):
            process.end(stray, (signal.SIGQUIT,), 5.0)
        if pid is None or (process.started(pid) is not None and not self._is_ours(pid)):
            lock.unlink(missing_ok=True)

    def start(self, preferred_port: int | None = None) -> subprocess.Popen[bytes]:
        """Start the server on a free port of the loopback interface; `wait` tells when it is there."""
        self.port = ports.free(preferred_port)
        return self.restart()

    def restart(self) -> subprocess.Popen[bytes]:
        """Start the server on the port that it had. Raises NotPossible while somebody else has it."""
        ports.need(self.port)
        programs = binaries.postgres(int((self.folder / "PG_VERSION").read_text()))
        who = privilege.choose(programs.postgres, self.folder)
        _give(self.folder, who.owner)
        self.settle()
        settings = {
            "listen_addresses": ports.LOOPBACK,
            "unix_socket_directories": "",
            "timezone": "UTC",
            "max_connections": "100",
            "shared_buffers": "64MB",
            "log_timezone": "UTC",
            # Statements carry secrets, because psycopg2 writes parameters into their text.
            "log_min_error_statement": "panic",
            "log_parameter_max_length_on_error": "0",
            **(
                {}
                if self.durable
                else {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
            ),
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        self.child = process.spawn(
            [programs.postgres, "-D", self.folder, "-p", str(self.port), *options],
            log=self.log,
            cwd=self.folder.parent,
            last_wish=signal.SIGINT,
            prepare=who.prepare,
        )
        return self.child

    def wait(self, seconds: float = READY_SECONDS) -> None:
        """Return once the server takes connections. Raises NotPossible when it ends or takes too long."""
        child = self.child
        if child is None or not process.until(lambda: child.poll() is not None or self._answers(), seconds):
            raise NotPossible(f"Postgres did not answer within {seconds:.0f} s; see {self.log}.")
        if child.poll() is not None:
            raise NotPossible(f"Postgres ended at its start; the last lines of {self.log} say why.")

    def stop(self, grace: float = 3.0) -> None:
        """Stop the server: fast, after `grace` seconds at once, then by force; recovery is Postgres' own."""
        if self.child is not None:
            process.stop(self.child, STOP, grace)
            self.child = None

    def url(self, user: str = SUPERUSER, password: str | None = None, database: str = DATABASE) -> str:
        """The URL of `database` as `user`; of the superuser unless told otherwise."""
        return url(self.port, user, self._password if password is None else password, database)

    def _answers(self) -> bool:
        with suppress(psycopg2.OperationalError):
            psycopg2.connect(self.url(database="postgres"), connect_timeout=2).close()
            return True
        return False

    def _is_ours(self, pid: int) -> bool:
        if process.command(pid) != "postgres":
            return False
        where = process.folder(pid)
        return where is None or where == self.folder.resolve()


def url(port: int, user: str, password: str, database: str = DATABASE) -> str:
    """A URL of the embedded Postgres on `port`."""
    return (
        f"postgresql://{quote(user, safe='')}:{quote(password, safe='')}@{ports.LOOPBACK}:{port}/{database}"
    )


def _give(folder: Path, owner: tuple[int, int]) -> None:
    """Hand the cluster to the identity that will run it; one that already has it is left alone."""
    there = folder.stat()
    if os.geteuid() != 0 or (there.st_uid, there.st_gid) == owner:
        return
    for top, folders, files in os.walk(folder):
        for name in (*folders, *files):
            os.chown(os.path.join(top, name), *owner, follow_symlinks=False)
    os.chown(folder, *owner)


def _first_number(lock: Path) -> int | None:
    try:
        return int(lock.read_text().split("\n", 1)[0])
    except (OSError, ValueError):
        return None


def _must_have_a_name() -> None:
    try:
        pwd.getpwuid(os.geteuid())
    except KeyError:
        raise NotPossible(
            f"Postgres needs the user id {os.geteuid()} to have an entry in the password database: "
            "add one, or set IDP_DATABASE_URL."
        ) from None
