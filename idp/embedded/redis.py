"""One Valkey or Redis in a folder: started, recovered from its append-only file, stopped."""

import signal
import socket
import subprocess
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from idp.embedded import NotPossible, binaries, ports, process

RUNTIME_USER = "idp_app"
OPERATOR = "idp_operator"
RUNTIME_RULES = (
    "~idp:* &idp:* +@read +@write +@connection +@transaction +@scripting +time "
    "-@admin -@dangerous +info -keys -script|flush -script|kill -function"
)
READY_SECONDS = 30.0
STOP = (signal.SIGTERM,)


class Redis:
    """A server in `folder` with two users: the runtime's, held to its keys, and the operators'."""

    def __init__(self, folder: Path, *, passwords: dict[str, str], log: Path, durable: bool = True) -> None:
        """`passwords`: by user name. Nothing is started or made yet."""
        self.folder, self.log, self.durable = folder, log, durable
        self._passwords = passwords
        self.port = 0
        self.child: subprocess.Popen[bytes] | None = None
        self.signals = STOP

    @property
    def _pidfile(self) -> Path:
        return self.folder / "server.pid"

    def settle(self) -> None:
        """Stop a server that an earlier run left behind here. The caller holds the deployment's lock."""
        try:
            pid = int(self._pidfile.read_text())
        except (OSError, ValueError):
            return
        name, where = process.command(pid), process.folder(pid)
        if ("valkey" in name or "redis" in name) and where in (None, self.folder.resolve()):
            process.end(process.trace("redis", pid), STOP, 5.0)
        self._pidfile.unlink(missing_ok=True)

    def start(self, preferred_port: int | None = None) -> subprocess.Popen[bytes]:
        """Start the server on a free port of the loopback interface; `wait` tells when it is there."""
        self.port = ports.free(preferred_port)
        return self.restart()

    def restart(self) -> subprocess.Popen[bytes]:
        """Start the server on the port that it had. Raises NotPossible while somebody else has it."""
        ports.need(self.port)
        self.folder.mkdir(mode=0o700, exist_ok=True)
        self.settle()
        self.child = process.spawn(
            [binaries.redis(), "-"],
            log=self.log,
            cwd=self.folder,
            given=self._configuration().encode(),
        )
        return self.child

    def wait(self, seconds: float = READY_SECONDS) -> None:
        """Return once the server takes commands. Raises NotPossible when it ends or takes too long."""
        child = self.child
        if child is None or not process.until(lambda: child.poll() is not None or self._answers(), seconds):
            raise NotPossible(f"Redis did not answer within {seconds:.0f} s; see {self.log}.")
        if child.poll() is not None:
            raise NotPossible(f"Redis ended at its start; the last lines of {self.log} say why.")

    def stop(self, grace: float = 3.0) -> None:
        """Stop the server; by force after `grace` seconds, which the append-only file survives."""
        if self.child is not None:
            process.stop(self.child, STOP, grace)
            self.child = None
        self._pidfile.unlink(missing_ok=True)

    def url(self, user: str = RUNTIME_USER) -> str:
        """The URL of database 0 as `user`."""
        return url(self.port, user, self._passwords[user])

    def _configuration(self) -> str:
        """Given on standard input, so that no file and no process list has it; passwords as digests."""
        rules = {RUNTIME_USER: RUNTIME_RULES, OPERATOR: "~* &* +@all"}
        users = [
            f"user {name} on #{sha256(self._passwords[name].encode()).hexdigest()} {allowed}"
            for name, allowed in rules.items()
        ]
        quoted = '"' + str(self.folder).replace("\\", "\\\\").replace('"', '\\"') + '"'
        return "\n".join(
            [
                f"bind {ports.LOOPBACK}",
                f"port {self.port}",
                f"dir {quoted}",
                "pidfile server.pid",
                f"appendonly {'yes' if self.durable else 'no'}",
                "appendfsync everysec",
                'save ""',
                "maxmemory 256mb",
                "maxmemory-policy noeviction",
                "user default off",
                *users,
                "",
            ]
        )

    def _answers(self) -> bool:
        """Two inline commands need no client, whose import would slow every command of ours down."""
        words = f"AUTH {RUNTIME_USER} {self._passwords[RUNTIME_USER]}\r\nPING\r\n"
        with (
            suppress(OSError),
            socket.create_connection((ports.LOOPBACK, self.port), timeout=1) as connection,
        ):
            connection.sendall(words.encode())
            answer = b""
            while answer.count(b"\n") < 2 and (more := connection.recv(512)):
                answer += more
            return answer == b"+OK\r\n+PONG\r\n"
        return False


def url(port: int, user: str, password: str) -> str:
    """A URL of the embedded server on `port`."""
    return f"redis://{user}:{password}@{ports.LOOPBACK}:{port}/0"
