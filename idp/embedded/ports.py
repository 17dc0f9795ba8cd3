"""TCP ports of the loopback interface."""

import errno
import secrets
import socket

from idp.embedded import NotPossible

LOOPBACK = "127.0.0.1"
QUIET = range(16_384, 32_768)
"""Ports below those that systems give to outgoing connections, and above most that programs are known by."""


def free(preferred: int | None = None, avoid: set[int] | None = None) -> int:
    """`preferred` when nobody listens there, else one at random from QUIET, else one that the system picks.

    The system picks among those that it also gives to outgoing connections, of whoever, at any moment.
    """
    if preferred and is_free(preferred):
        return preferred
    for port in secrets.SystemRandom().sample(QUIET, 100):
        if port not in (avoid or set()) and is_free(port):
            return port
    while True:
        with socket.socket() as probe:
            probe.bind((LOOPBACK, 0))
            port = int(probe.getsockname()[1])
        if port not in (avoid or set()):
            return port


def need(port: int) -> None:
    """Raises NotPossible when somebody listens on `port`."""
    if not is_free(port):
        raise NotPossible(f"Port {port} is taken by another program.")


def is_free(port: int) -> bool:
    """Whether a server could listen on `port` of the loopback interface now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError as error:
            if error.errno in (errno.EADDRINUSE, errno.EACCES):
                return False
            raise
    return True
