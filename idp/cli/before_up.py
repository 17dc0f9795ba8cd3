"""What `idp up` refuses before it starts, makes or looks at anything: the wrong mode, servers that are silent.

Development is where `idp up` makes every server itself, or where `IDP_ENV=development` says so; anything else
is production, which servers of ours, plain http and the demonstration are not for.
"""

from urllib.parse import urlsplit

from idp.config import LOOPBACK
from idp.embedded import NotPossible, theirs
from idp.embedded.deployment import Deployment

_POSTGRES = ("IDP_DATABASE_URL", "IDP_MIGRATOR_DATABASE_URL", "IDP_OPS_DATABASE_URL")


def check(deployment: Deployment, demo: bool | None, *, tls: bool) -> None:
    """Raises NotPossible or ConfigError, one sentence each. `demo`: what the command line said of it."""
    environment = deployment.environment()
    base = environment.get("IDP_BASE_URL", f"{'https' if tls else 'http'}://localhost")
    settings = deployment.settings(base_url=base)
    if settings.env == "production":
        _production(deployment, environment, secure=settings.secure, demo=bool(demo), tls=tls)
    if demo and not loopback(base, tls=tls):
        raise NotPossible(
            "--demo needs a base URL on this machine's loopback, because its applications live there: "
            f"leave out --demo or IDP_BASE_URL ({base})."
        )
    _answering(deployment, environment)


def loopback(base: str, *, tls: bool) -> bool:
    """Whether the demonstration can live beside a provider of this base URL; `tls`: which speaks https itself."""
    parts = urlsplit(base)
    return parts.scheme == ("https" if tls else "http") and parts.hostname in LOOPBACK


def _production(
    deployment: Deployment, environment: dict[str, str], *, secure: bool, demo: bool, tls: bool
) -> None:
    given = [name for name in ("IDP_DATABASE_URL", "IDP_REDIS_URL") if name in environment]
    why = "IDP_ENV is production"
    if "IDP_ENV" not in environment:
        why = f"{' and '.join(given)} {'name' if len(given) > 1 else 'names'} a server of others, so this is production"
    if demo:
        raise NotPossible(f"--demo needs IDP_ENV=development: {why}.")
    if tls:
        raise NotPossible(f"--tls needs IDP_ENV=development: {why}, where https ends at a proxy of yours.")
    ours = [
        (server, name)
        for server, name, embedded in (
            ("Postgres", "IDP_DATABASE_URL", deployment.embeds_postgres),
            ("Redis", "IDP_REDIS_URL", deployment.embeds_redis),
        )
        if embedded
    ]
    if ours:
        servers, names = (" and ".join(each) for each in zip(*ours, strict=True))
        raise NotPossible(
            f"{why}, and a {servers} of idp up's own is for development alone: give {names} too, "
            "or set IDP_ENV=development."
        )
    if not secure:
        raise NotPossible(
            f"{why}, where IDP_BASE_URL must be https: set it, or set IDP_ENV=development to try this out."
        )


def _answering(deployment: Deployment, environment: dict[str, str]) -> None:
    """The servers that others run answer, the superuser first where roles and database are still to be made."""
    if not deployment.embeds_postgres:
        admin = "IDP_ADMIN_DATABASE_URL"
        for name in (admin,) if admin in environment else _POSTGRES:
            if name in environment:
                theirs.postgres(name, environment[name])
    if not deployment.embeds_redis:
        for name in ("IDP_REDIS_URL", "IDP_REDIS_ADMIN_URL"):
            if name in environment:
                theirs.cache(name, environment[name])
