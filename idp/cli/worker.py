"""`idp worker`: keys, audit seals, outbox and sweeping, until told to stop."""

import signal
from types import FrameType
from typing import TYPE_CHECKING

import click

from idp.cli import proving, session
from idp.config import ConfigError

if TYPE_CHECKING:
    from idp.config import Settings
    from idp.jobs.prover import Prover


@click.command("worker")
@click.option("--once", is_flag=True, help="Do what is due now, then end.")
@session.options
def command(once: bool) -> None:
    """Run the background work. Any number of workers may run at once."""
    from idp import logs
    from idp.control import installation
    from idp.jobs.worker import Worker

    with session.found().running() as settings:
        logs.setup(settings.log_level)
        with installation.opened(settings):
            prover = _prover(settings)
            worker = Worker(beside=prover.look if prover else None)

            def stop(_number: int, _frame: FrameType | None) -> None:
                worker.stop()

            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, stop)
            if once:
                worker.once()
            else:
                logs.log("idp.worker").info("worker.runs")
                try:
                    worker.run()
                finally:
                    if prover:
                        prover.stop()


def _prover(settings: "Settings") -> "Prover | None":
    """The proof on a schedule, where it was asked for. Raises ConfigError where it could make no canaries."""
    from idp.jobs.prover import Prover

    if not settings.prove_every:
        return None
    embedded = settings.ops_database_url is None and "postgres_port" in session.found().folder.state()
    if settings.ops_database_url is None and not embedded:
        raise ConfigError(
            "IDP_OPS_DATABASE_URL", "is missing; a worker that proves makes canaries as idp_ops"
        )
    program = proving.scheduled(settings, embedded=embedded)
    return Prover(settings.prove_every, [*program.words, "prove"], program.environment)
