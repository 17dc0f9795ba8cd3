"""What a process that runs for long needs to know of the installation: is it safe to start, is it ready.

Owns the start's refusals (insecure or impossible, never merely stale) and the facts behind `/readyz`.
Leaves to `idp.web.health` who is told what.
"""

import atexit
from contextlib import ExitStack
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from idp import clock, directory, upkeep
from idp.config import ConfigError, Settings, settings
from idp.control import installation
from idp.errors import Busy
from idp.signing import ring
from idp.store import migrate, redis, safety
from idp.store.durable import tenants

WORKER = upkeep.WORKER
"""Name under which the worker says that it lives."""

_DEFAULTS = frozenset(
    {"postgres", "password", "changeme", "change-me", "secret", "idp", "redis", "admin", "test"}
)

_opened = ExitStack()


def start(settings: Settings) -> None:
    """Open vault, ring and directory for the life of this process. Raises ConfigError."""
    _opened.enter_context(installation.opened(settings))
    atexit.register(_opened.close)


@dataclass(frozen=True, slots=True)
class Fact:
    """One condition of readiness: `code` names it, `ok` whether it holds, `words` why not."""

    code: str
    ok: bool
    words: str = ""


def facts() -> list[Fact]:
    """What must hold before a process takes its first traffic; never raises."""
    schema = _schema()
    if schema.code == "postgres" or not schema.ok:
        return [schema]
    return [schema, _directory(), *_redis_and_worker(), _keys()]


def lost() -> list[Fact]:
    """What turns a process red that was ready: only what the other replicas would not share."""
    return [Fact("key_ring", ring.exists(settings()), "The key ring is gone.")]


def outgrown() -> Fact:
    """Whether the schema has gone on to where this code, which is older, cannot follow. Raises Busy."""
    wanted, oldest = migrate.head(), migrate.compatible_from()
    return Fact(
        "schema",
        oldest is None or wanted >= oldest,
        f"The schema is marked compatible with code from {oldest} on, and this code is at {wanted}.",
    )


def _schema() -> Fact:
    try:
        return _compared(migrate.present(), migrate.head())
    except Busy:
        return Fact("postgres", False, "Postgres does not answer.")


def _compared(present: str | None, wanted: str) -> Fact:
    if present is None:
        return Fact("schema", False, "The database has no schema yet; run idp migrate.")
    if present < wanted:
        return Fact("schema", False, f"The schema is at {present}, this code needs {wanted}.")
    return outgrown()


def _directory() -> Fact:
    return Fact("directory", directory.fresh(), "The directory of tenants has not been read.")


def _redis_and_worker() -> tuple[Fact, Fact]:
    try:
        lives = redis.beats(WORKER)
    except Busy:
        return Fact("redis", False, "Redis does not answer."), Fact(
            "worker", False, "The worker is not seen."
        )
    return Fact("redis", True), Fact("worker", lives, "The worker is not running; start idp worker.")


def _keys() -> Fact:
    """Whether every active tenant can sign."""
    try:
        missing = tenants.keyless(clock.now())
    except Busy:
        return Fact("keys", False, "The tenants' keys could not be read.")
    return Fact("keys", missing is None, f"Tenant {missing} has no signing key.")


def refuse_start(settings: Settings) -> None:
    """Raise ConfigError where starting would be insecure or cannot succeed; one sentence each."""
    if settings.env == "production":
        if not settings.secure:
            raise ConfigError("IDP_BASE_URL", "must be https in production; http is for development alone")
        _refuse_default_secrets(settings)
    ring.load(settings)
    try:
        version = safety.version()
    except Busy:
        raise ConfigError(
            "IDP_DATABASE_URL", "leads to no Postgres that answers; start it, or mend the URL"
        ) from None
    if not safety.supported(version):
        raise ConfigError(
            "IDP_DATABASE_URL", f"leads to PostgreSQL {version}; needed is 16.14, 17.10, 18.4 or later"
        )
    schema = _schema()
    if not schema.ok:
        raise ConfigError("IDP_DATABASE_URL", f"leads to a database that cannot be used: {schema.words}")
    for sentence in (safety.powers(), safety.unforced(), safety.settings()):
        if sentence:
            raise ConfigError("IDP_DATABASE_URL", sentence)


def _refuse_default_secrets(settings: Settings) -> None:
    for field in ("database_url", "redis_url"):
        parts = urlsplit(getattr(settings, field))
        given = unquote(parts.password or "")
        if given and (given.lower() in _DEFAULTS or given == unquote(parts.username or "")):
            raise ConfigError(
                f"IDP_{field.upper()}", "has a password that everybody knows; set one of its own"
            )


def warnings(settings: Settings) -> list[str]:
    """What may go on but should be known."""
    names = ("ops_database_url", "migrator_database_url", "admin_database_url")
    return [
        f"IDP_{name.upper()} is set, and the web server has no use for it; leave it out of its environment."
        for name in names
        if getattr(settings, name)
    ]
