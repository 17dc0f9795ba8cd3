"""`idp worker`: keys, audit seals, outbox and sweeping, until told to stop."""

import signal
from types import FrameType

import click

from idp.cli import session


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
            worker = Worker()

            def stop(_number: int, _frame: FrameType | None) -> None:
                worker.stop()

            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, stop)
            if once:
                worker.round()
            else:
                logs.log("idp.worker").info("worker.runs")
                worker.run()
