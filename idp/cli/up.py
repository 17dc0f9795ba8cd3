"""`idp up`: a whole provider on this machine, in order, until it is told to stop."""

import http.client
import os
import ssl
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import click

from idp import clock, config, logs, paths
from idp.cli import before_up, https, session, welcome
from idp.cli import demo as demonstration
from idp.config import Settings
from idp.embedded import NotPossible, ports, process, settled
from idp.embedded.authority import Certificate
from idp.embedded.deployment import Deployment, Services
from idp.embedded.folder import Folder
from idp.embedded.supervise import Interrupted, Supervisor

DEFAULT_PORT = 8000
READY_SECONDS = 60.0
_ASK = 12  # connections fall on web processes by chance, and each becomes ready by itself
_ADMIN_NAMES = (
    "IDP_OPS_DATABASE_URL",
    "IDP_MIGRATOR_DATABASE_URL",
    "IDP_ADMIN_DATABASE_URL",
    "IDP_BACKUP_DATABASE_URL",
    "IDP_REDIS_ADMIN_URL",
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the command line asked for; None where it left the choice to us."""

    port: int | None
    blueprints: tuple[Path, ...]
    demo: bool | None
    workers: int | None
    tls: bool


@click.command("up")
@click.option(
    "--port", type=click.IntRange(1, 65533), help="The port (else the one used last here, else 8000)."
)
@click.option(
    "--blueprint",
    "blueprints",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    multiple=True,
    help="A blueprint to apply before serving; may be given several times.",
)
@click.option(
    "--demo/--no-demo", default=None, help="With or without the demonstration's tenants and applications."
)
@click.option(
    "--workers", type=click.IntRange(1, 64), help="Web processes (else as many as idp serve takes)."
)
@click.option(
    "--tls/--no-tls",
    default=None,
    help="https by an authority in the keys folder, or http (else as last time).",
)
@session.options
def command(
    port: int | None, blueprints: tuple[Path, ...], demo: bool | None, workers: int | None, tls: bool | None
) -> None:
    """Run everything here: servers, web, worker, demo."""
    logs.setup("WARNING")
    deployment = session.found()
    wanted = Wanted(port, blueprints, demo, workers, https.wanted(deployment, tls))
    before_up.check(deployment, demo, tls=wanted.tls)
    deployment.folder.make()
    with _alone(deployment):
        supervisor = Supervisor(deployment.folder)
        services = deployment.services()
        with supervisor.signals():
            try:
                _bring_up(deployment, supervisor, services, wanted)
                supervisor.run()
            except Interrupted:
                pass
            finally:
                supervisor.starting = False
                deployment.folder.remember(serving=None)
                supervisor.stop()
                services.stop()


@contextmanager
def _alone(deployment: Deployment) -> Iterator[None]:
    """Hold the deployment. A command that has it will go away; another `idp up` will not."""
    folder = deployment.folder

    def free() -> bool:
        if folder.lock("up"):
            return True
        holder = folder.holder()
        if holder and holder["kind"] == "up":
            where = folder.state().get("base_url", "an unknown address")
            raise NotPossible(f"idp up already runs in {folder.home}: process {holder['pid']}, {where}.")
        return False

    if not process.until(free, 60.0, pause=0.05):
        raise NotPossible(f"Another command has held {folder.home} for a minute; try again later.")
    try:
        yield
    finally:
        folder.unlock()


def _bring_up(deployment: Deployment, supervisor: Supervisor, services: Services, wanted: Wanted) -> None:
    """Services, schema, blueprints, processes, readiness, words; each needs the one before."""
    folder = deployment.folder
    deployment.clean_up()
    _remember_addresses(deployment, wanted)
    shown = https.certificate(deployment.settings()) if wanted.tls else None
    base_port = _listening_port(deployment)
    with_demo = _wants_demo(deployment, wanted)
    _need_ports([base_port, *(demonstration.ports(base_port) if with_demo else ())])
    deployment.start(services)
    supervisor.adopt(services)
    settings = deployment.settings()
    _schema(deployment, settings, with_demo)
    with_demo = with_demo and _demo_belongs(deployment, wanted.demo)
    if with_demo:  # its programs need nothing of ours to start, and what follows is one process's work
        _start_demo(deployment, supervisor, settings, shown)
    _blueprints(deployment, settings, wanted.blueprints, with_demo)
    folder.remember(serving=os.getpid())
    _start_programs(deployment, supervisor, settings, wanted.workers, shown)
    _wait_until_ready(supervisor, base_port, https.context(shown))
    supervisor.starting = False
    welcome.show(settings, folder.home, base_port if with_demo else None, shown)


def _remember_addresses(deployment: Deployment, wanted: Wanted) -> None:
    """Which base URL and which management port this run has, and whether it speaks https itself."""
    folder, given = deployment.folder, deployment.given
    names = ("IDP_DATABASE_URL", "IDP_REDIS_URL", *_ADMIN_NAMES)
    folder.keep_addresses({**folder.addresses(), **{name: given[name] for name in names if name in given}})
    state = folder.state()
    port = wanted.port or state.get("port") or DEFAULT_PORT
    management = int(str(state.get("management_bind", ":0")).rpartition(":")[2])
    management = ports.free(management or None, avoid={port, *demonstration.ports(port)})
    folder.remember(
        port=port,
        tls=wanted.tls,
        base_url=https.base_url(given, port, tls=wanted.tls),
        management_bind=given.get("IDP_MANAGEMENT_BIND", f"{ports.LOOPBACK}:{management}"),
    )


def _listening_port(deployment: Deployment) -> int:
    return int(deployment.folder.state()["port"])


def _need_ports(wanted: list[int]) -> None:
    """Raises NotPossible for a port that somebody listens on; one that was just left gets a moment."""
    for each in wanted:
        if not process.until(lambda each=each: ports.is_free(each), 1.0, pause=0.1):  # type: ignore[misc]
            more = "" if each == wanted[0] else " for the demonstration, or leave it out with --no-demo"
            raise NotPossible(
                f"Port {each} is taken by another program: choose another one with --port{more}."
            )


def _wants_demo(deployment: Deployment, wanted: Wanted) -> bool:
    """Whether this run may have the demonstration at all; whether it does is known once the database is seen."""
    if wanted.demo is not None:
        return wanted.demo
    base = str(deployment.folder.state()["base_url"])
    if deployment.embedded and not before_up.loopback(base, tls=wanted.tls):
        click.echo(f"Without the demonstration: its applications cannot live beside {base}.", err=True)
        return False
    return deployment.embedded and deployment.folder.state().get("demo") in (None, "wanted", "applied")


def _schema(deployment: Deployment, settings: Settings, with_demo: bool) -> None:
    """Roles, schema and key ring. What is due in a new database is noted first, so that a crash loses none of it."""
    folder = deployment.folder
    if deployment.embedded and _settled(folder, settings):
        return
    from idp.control import installation

    passwords = folder.passwords() if deployment.embeds_postgres else installation.passwords_of(settings)
    if installation.make_roles(settings, passwords):
        folder.remember(schema="new", demo="wanted" if with_demo and deployment.embedded else "none")
    if settings.migrator_database_url:
        installation.upgrade(settings, fresh=folder.state().get("schema") == "new")
    folder.remember(schema="made", made=settled.mark(settings))


def _settled(folder: Folder, settings: Settings) -> bool:
    """Whether everything is as the last run left it: then nothing of what makes it has to be loaded."""
    state = folder.state()
    same = state.get("schema") == "made" and state.get("made") == settled.mark(settings)
    return same and settled.at_head(settings)


def _demo_belongs(deployment: Deployment, demo: bool | None) -> bool:
    """Whether the demonstration is in this database, or goes in now: into new ones, elsewhere on demand only."""
    folder, state = deployment.folder, deployment.folder.state()
    if demo:
        folder.remember(demo="wanted")
    elif state.get("demo") == "applied" and state.get("demo_port") != _listening_port(deployment):
        click.echo(
            f"The demonstration here was made for port {state.get('demo_port')}; --demo moves it to this one.",
            err=True,
        )
        return False
    return demo or state.get("demo") in ("wanted", "applied")


def _blueprints(deployment: Deployment, settings: Settings, files: tuple[Path, ...], with_demo: bool) -> None:
    """Apply the demonstration where it is still wanted, then the given files, in their order."""
    folder, port = deployment.folder, _listening_port(deployment)
    ours = with_demo and folder.state().get("demo") == "wanted"
    todo = [*([demonstration.blueprint(folder.home, port)] if ours else []), *files]
    if todo:
        from idp.control import blueprints, installation

        with installation.opened(settings):
            blueprints.apply_files(todo, session.actor())
    if ours:
        folder.remember(demo="applied", demo_port=port)


def _start_programs(
    deployment: Deployment,
    supervisor: Supervisor,
    settings: Settings,
    workers: int | None,
    shown: Certificate | None,
) -> None:
    """Web and worker, with the runtime's addresses alone."""
    env = _environment(deployment, settings)
    idp = [sys.executable, "-P", "-m", "idp.cli"]
    bind = ["--bind", f"{ports.LOOPBACK}:{_listening_port(deployment)}"]
    some = ["--workers", str(workers)] if workers else []
    tls = ["--certificate", str(shown.chain), "--certificate-key", str(shown.key)] if shown else []
    supervisor.start("serve", [*idp, "serve", *bind, *some, *tls], env)
    supervisor.start("worker", [*idp, "worker"], {**env, "IDP_MANAGEMENT_BIND": f"{ports.LOOPBACK}:0"})


def _start_demo(
    deployment: Deployment, supervisor: Supervisor, settings: Settings, shown: Certificate | None
) -> None:
    """The demonstration's programs, with none of our addresses: they are anybody's."""
    plain = {name: value for name, value in config.environment().items() if not name.startswith("IDP_")}
    for name, program, own in demonstration.programs(settings.base_url, _listening_port(deployment)):
        supervisor.start(name, [sys.executable, program], {**plain, **https.trusted(shown), **own})


def _environment(deployment: Deployment, settings: Settings) -> dict[str, str]:
    """The environment of our own programs: what was given, without the owners' and operators' addresses."""
    inherited = {name: value for name, value in config.environment().items() if name not in _ADMIN_NAMES}
    own = {
        "IDP_ENV": settings.env,
        "IDP_HOME": str(settings.home),
        "IDP_KEYS": str(settings.keys),
        "IDP_BASE_URL": settings.base_url,
        "IDP_MANAGEMENT_BIND": settings.management_bind,
        "IDP_DATABASE_URL": settings.database_url,
        "IDP_REDIS_URL": settings.redis_url,
    }
    if settings.key_ring:
        own["IDP_KEY_RING"] = settings.key_ring
    known = [str(paths.PACKAGE.parent), *filter(None, [inherited.get("PYTHONPATH")])]
    return {**inherited, **own, "PYTHONPATH": os.pathsep.join(known)}


def _wait_until_ready(supervisor: Supervisor, port: int, context: ssl.SSLContext | None) -> None:
    began = clock.monotonic()
    if not supervisor.until(lambda: all(_answers_ready(port, context) for _ in range(_ASK)), READY_SECONDS):
        waited = clock.monotonic() - began
        raise NotPossible(
            f"The web server was not ready within {waited:.0f} s: {supervisor.last_words('serve')}"
        )


def _answers_ready(port: int, context: ssl.SSLContext | None) -> bool:
    where = (ports.LOOPBACK, port)
    connection: http.client.HTTPConnection = (
        http.client.HTTPSConnection(*where, timeout=2, context=context)
        if context
        else http.client.HTTPConnection(*where, timeout=2)
    )
    try:
        connection.request("GET", "/readyz", headers={"Connection": "close"})
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
