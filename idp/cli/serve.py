"""`idp serve`: the web server's worker processes, and the management listener beside them."""

import gc
import multiprocessing
import os
import shutil
import signal
import socket
import ssl
import tempfile
import threading
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import click

from idp import config
from idp.cli import session
from idp.config import ConfigError, Settings

DRAIN = 3.0
"""Seconds in production between saying "unready" and closing the door, so that proxies look elsewhere."""
ARENAS = "2"
"""Heaps of glibc's allocator in a web process."""
KILL = 5
"""Seconds that a worker process may take to finish what it answers; idle connections keep it open."""
HEADER_SECONDS = 10
BUFFER = 32 * 1024
_LOOPBACK = "127.0.0.1"
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
Tls = tuple[Path, Path] | None
"""The files of certificate and key, where this server speaks https itself."""


@click.command("serve")
@click.option(
    "--bind", help="Address and port to listen on (else 127.0.0.1 and the base URL's port, or 8000)."
)
@click.option(
    "--workers", type=click.IntRange(1, 64), help="Worker processes (else one a core, four at most)."
)
@click.option(
    "--threads", type=click.IntRange(2, 64), default=16, show_default=True, help="Threads a worker process."
)
@click.option(
    "--certificate", type=_FILE, help="Speak https with this certificate, its chain behind it, in PEM."
)
@click.option("--certificate-key", "key", type=_FILE, help="The certificate's private key, in PEM.")
@session.options
def command(
    bind: str | None, workers: int | None, threads: int, certificate: Path | None, key: Path | None
) -> None:
    """Run the web server."""
    deployment = session.found()
    with deployment.running() as settings:
        config.shield()
        host, port = _address(bind, settings)
        tls = _usable(certificate, key)
        _run(settings, host, port, workers or min(4, len(os.sched_getaffinity(0))), threads, tls)


def _address(bind: str | None, settings: Settings) -> tuple[str, int]:
    if bind is None:
        return _LOOPBACK, 8000 if settings.secure else settings.port
    host, _, port = bind.rpartition(":")
    if not port.isdigit() or int(port) > 65535:
        raise click.BadParameter("must be an address and a port, such as 0.0.0.0:8000", param_hint="--bind")
    return host.strip("[]") or _LOOPBACK, int(port)


def _usable(certificate: Path | None, key: Path | None) -> Tls:
    """Both files, once they are known to belong together. Raises ConfigError."""
    if certificate is None and key is None:
        return None
    if certificate is None or key is None:
        raise ConfigError("--certificate", "needs --certificate-key, and the other way round")
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key)
    except (OSError, ValueError):
        raise ConfigError(
            "--certificate", f"cannot be used: {certificate} and {key} are no certificate in PEM and its key"
        ) from None
    return certificate, key


def _run(settings: Settings, host: str, port: int, workers: int, threads: int, tls: Tls) -> None:
    """Check, open, listen, serve; whatever was opened is closed again."""
    from idp import logs
    from idp.control import running
    from idp.control.readiness import run
    from idp.web.health import Readiness
    from idp.web.management import Management, listen

    logs.setup(settings.log_level)
    _refuse_taken(host, port)
    run.refuse_start(settings, opened=False)
    running.start(settings)
    logger = logs.log(__name__)
    for sentence in run.refuse_start(settings):
        logger.warning("serve.warning", words=sentence)
    folder = Path(tempfile.mkdtemp(prefix="idp-metrics-"))
    # A hash takes 19 MiB; with an arena for each thread the allocator would keep that many of them for ever.
    config.hand_down(PROMETHEUS_MULTIPROC_DIR=str(folder), MALLOC_ARENA_MAX=ARENAS)
    readiness = Readiness()
    readiness.draining = multiprocessing.get_context("spawn").Event()
    management, address = listen(Management(settings, readiness, folder), settings.management_bind)
    readiness.watch()
    logger.info(
        "serve.starts", listening=f"{host}:{port}", management=address, workers=workers, threads=threads
    )
    try:
        _serve(settings, host, port, workers, threads, readiness.draining, tls)
    finally:
        management.shutdown()
        shutil.rmtree(folder, ignore_errors=True)


def _refuse_taken(host: str, port: int) -> None:
    """The workers share the port between them, and would share it with a stranger too."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise ConfigError("--bind", f"cannot be listened on: {host}:{port} ({error.strerror})") from None


def _serve(
    settings: Settings, host: str, port: int, workers: int, threads: int, draining: Any, tls: Tls
) -> None:
    from granian.constants import HTTPModes, Interfaces, SSLProtocols
    from granian.http import HTTP1Settings
    from granian.log import LogLevels
    from granian.server import Server

    # A forked worker would share this process's connections and whatever locks its threads hold.
    multiprocessing.set_start_method("spawn", force=True)
    server = Server(
        "idp.app:wsgi",
        address=host,
        port=port,
        interface=Interfaces.WSGI,
        http=HTTPModes.http1,
        workers=workers,
        blocking_threads=threads,
        websockets=False,
        backlog=2048,
        http1_settings=HTTP1Settings(header_read_timeout=HEADER_SECONDS * 1000, max_buffer_size=BUFFER),
        log_level=LogLevels.error,
        log_dictconfig=_QUIET,
        respawn_failed_workers=True,
        workers_kill_timeout=KILL,
        ssl_cert=tls[0] if tls else None,
        ssl_key=tls[1] if tls else None,
        ssl_protocol_min=SSLProtocols.tls12,  # rustls knows no suite but those with ECDHE and AEAD
    )
    server.on_startup(
        partial(_take_signals, server, draining, DRAIN if settings.env == "production" else 0.0)
    )
    server.serve(target_loader=partial(load, settings, threads, workers, draining), wrap_loader=False)


_QUIET = {"loggers": {"_granian": {"handlers": [], "propagate": True}}}


def _take_signals(server: Any, draining: Any, delay: float) -> None:
    """Say "unready" first, close the door `delay` seconds later."""

    def stop(number: int, frame: FrameType | None) -> None:
        draining.set()
        if delay and not server.interrupt_signal:
            threading.Timer(delay, server.signal_handler_interrupt).start()
        else:
            server.signal_handler_interrupt(number, frame)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)


def load(settings: Settings, threads: int, processes: int, draining: Any) -> Any:
    """What each worker process does first: watch over its parent, then build the application."""
    from idp import app
    from idp.web.health import readiness

    config.bare()
    threading.Thread(target=_follow, args=(os.getppid(),), name="parent", daemon=True).start()
    readiness.draining = draining
    made = app.wsgi(settings, threads, processes)
    readiness.watch()
    # What is there by now stays: the collector of cycles need not walk through it again and again.
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    return made


def _follow(parent: int) -> None:
    """End this process when its parent has ended, however it ended."""
    pause = threading.Event()
    while os.getppid() == parent:
        pause.wait(1.0)
    os.kill(os.getpid(), signal.SIGTERM)
    pause.wait(KILL)
    os.kill(os.getpid(), signal.SIGKILL)
