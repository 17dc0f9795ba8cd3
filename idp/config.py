"""Settings: the only reader of the environment. Fails closed, naming the field.

Each `IDP_…` name is read once; names that hold secrets are removed from the environment afterwards,
because the web server hands a copy of the environment to every request.
"""

import os
import re
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from idp import paths

LOOPBACK = ("localhost", "127.0.0.1", "::1")
SECRET_NAMES = (
    "IDP_DATABASE_URL",
    "IDP_OPS_DATABASE_URL",
    "IDP_MIGRATOR_DATABASE_URL",
    "IDP_ADMIN_DATABASE_URL",
    "IDP_BACKUP_DATABASE_URL",
    "IDP_REDIS_URL",
    "IDP_REDIS_ADMIN_URL",
    "IDP_KEY_RING",
    "IDP_SMTP_URL",
    "IDP_CLIENT_CERTIFICATE_SECRET",
)


class ConfigError(Exception):
    """A setting is missing or wrong; `field` is its name in the environment, the text one sentence."""

    def __init__(self, field: str, sentence: str) -> None:
        """`field`: name in the environment; `sentence`: what is wrong and what to do."""
        super().__init__(f"{field}: {sentence}")
        self.field = field
        self.sentence = sentence


@dataclass(frozen=True, slots=True)
class Settings:
    """What this process was told. One sentence a field; URLs are URLs, not DSNs."""

    env: str = "production"
    """`IDP_ENV`: production, or development where `idp up` made the services itself."""
    home: Path = Path(".idp")
    """`IDP_HOME`: the data folder of a local deployment."""
    base_url: str = "http://localhost:8000"
    """`IDP_BASE_URL`: scheme, host and port under which people and applications reach this provider."""
    database_url: str = ""
    """`IDP_DATABASE_URL`: Postgres as `idp_app`, all that web and worker log in as."""
    ops_database_url: str | None = None
    """`IDP_OPS_DATABASE_URL`: Postgres as `idp_ops`, for operators' commands that cross tenants."""
    migrator_database_url: str | None = None
    """`IDP_MIGRATOR_DATABASE_URL`: Postgres as `idp_migrator`, for `idp migrate`."""
    admin_database_url: str | None = None
    """`IDP_ADMIN_DATABASE_URL`: a Postgres superuser, for making the roles once."""
    backup_database_url: str | None = None
    """`IDP_BACKUP_DATABASE_URL`: Postgres as `idp_backup`, for `idp backup`."""
    redis_url: str = ""
    """`IDP_REDIS_URL`: Redis or Valkey as the runtime's user."""
    redis_admin_url: str | None = None
    """`IDP_REDIS_ADMIN_URL`: Redis as the operators' user; absent for a Redis that others run."""
    keys: Path = Path("keys")
    """`IDP_KEYS`: the folder of the key-encryption keys."""
    key_ring: str | None = None
    """`IDP_KEY_RING`: the key ring's content itself, instead of a file in `IDP_KEYS`."""
    trusted_proxies: tuple[str, ...] = ()
    """`IDP_TRUSTED_PROXIES`: addresses or networks whose forwarded headers count, comma separated."""
    client_certificate_secret: str | None = None
    """`IDP_CLIENT_CERTIFICATE_SECRET`: what a trusted proxy puts before a client's certificate, to be believed."""
    mtls_base_url: str | None = None
    """`IDP_MTLS_BASE_URL`: scheme, host and port at which that proxy asks for certificates, if it is another."""
    management_bind: str = "127.0.0.1:0"
    """`IDP_MANAGEMENT_BIND`: address and port of the management listener; port 0 takes a free one."""
    domain: str | None = None
    """`IDP_DOMAIN`: where set, `{slug}.{domain}` is a tenant's issuer."""
    prove_every: int = 0
    """`IDP_PROVE_EVERY`: seconds after which the worker proves isolation again; 0 leaves that to people."""
    outbound_allow: tuple[str, ...] = ()
    """`IDP_OUTBOUND_ALLOW`: hosts, or hosts with a port, that may be reached though they are not public; by commas."""
    outbound_ca: Path | None = None
    """`IDP_OUTBOUND_CA`: certificates, in a file, that are trusted beside the system's when others are reached."""
    smtp_url: str | None = None
    """`IDP_SMTP_URL`: the mail server, `smtps://user:secret@host:465`, or `smtp://` for STARTTLS; none sends none."""
    mail_from: str | None = None
    """`IDP_MAIL_FROM`: the address that messages come from; the name beside it is the tenant's."""
    breached_passwords: Path | None = None
    """`IDP_BREACHED_PASSWORDS`: stolen passwords, a filter that `idp passwords build` made, beside the shipped one."""
    budget: str = "sign_in=1500,token=150,jwks=100"
    """`IDP_BUDGET`: milliseconds that the performance gate allows at the 99th percentile, for each kind of request."""
    log_level: str = "INFO"
    """`IDP_LOG_LEVEL`: DEBUG, INFO, WARNING or ERROR."""

    @classmethod
    def load(cls, environ: Mapping[str, str] | None = None, **overrides: Any) -> "Settings":
        """Settings from the environment (`os.environ` when None), then `overrides` by field name.

        Raises ConfigError. When it reads `os.environ` it removes the secrets from it.
        """
        source: Mapping[str, str] = os.environ if environ is None else environ
        given: dict[str, Any] = {}
        for field in fields(cls):
            raw = source.get(f"IDP_{field.name.upper()}", "").strip()
            if raw:
                given[field.name] = _convert(field.name, raw)
        given.update({name: value for name, value in overrides.items() if value is not None})
        result = _complete(cls(**given), given)
        if environ is None:
            _forget(os.environ)
        return result

    @property
    def development(self) -> bool:
        """Whether demo data, http issuers and verbose error pages may exist."""
        return self.env == "development"

    @property
    def port(self) -> int:
        """The port of the base URL."""
        parts = urlsplit(self.base_url)
        return parts.port or (443 if parts.scheme == "https" else 80)

    @property
    def host(self) -> str:
        """The host of the base URL with its port where it is not the scheme's own, as `Host` carries it."""
        return urlsplit(self.base_url).netloc.lower()

    @property
    def budgets(self) -> dict[str, float]:
        """The budget by kind, in milliseconds; a kind that it does not name keeps its default. Raises ConfigError."""
        return {**_budget(Settings().budget), **_budget(self.budget)}

    @property
    def secure(self) -> bool:
        """Whether cookies may demand https."""
        return self.base_url.startswith("https://")

    @property
    def local(self) -> bool:
        """Whether the base URL leads to this machine alone, by address or by name (RFC 6761 section 6.3)."""
        name = urlsplit(self.base_url).hostname or ""
        return name in LOOPBACK or name.endswith(".localhost")

    @property
    def behind_proxy(self) -> bool:
        """Whether https ends before it reaches us, as it does but for a development on this machine."""
        return self.secure and not (self.development and self.local)

    @property
    def hsts(self) -> bool:
        """Whether answers carry HSTS; not on this machine, where it would bind every program on every port."""
        return self.secure and not self.local

    def with_(self, **changes: Any) -> "Settings":
        """A copy with `changes`."""
        return replace(self, **changes)


def environment() -> dict[str, str]:
    """A copy of the environment, for processes that this one starts and for finding a local deployment."""
    return dict(os.environ)


def shield() -> None:
    """Remove the secrets from the environment, which the web server copies into every request.

    Raises ConfigError for a name that would pass for a request's header there.
    """
    _forget(os.environ)
    for name in os.environ:
        if name.startswith("HTTP_"):
            raise ConfigError(
                name, "would pass for a header of every request; take it out of the environment"
            )


_RUNNING = ("HOME", "LANG", "PATH", "PROMETHEUS_MULTIPROC_DIR", "TMPDIR", "TZ")


def bare() -> None:
    """Keep of this process's environment only what a running web process reads; each request gets a copy."""
    shield()
    for name in [
        name for name in os.environ if name not in _RUNNING and not name.startswith(("LC_", "SSL_"))
    ]:
        del os.environ[name]


def hand_down(**names: str) -> None:
    """Put `names` into the environment of the processes that this one starts."""
    os.environ.update(names)


def forget() -> None:
    """Remove the secrets from this process's environment, once whoever needs them has a copy."""
    _forget(os.environ)


def _convert(name: str, raw: str) -> Any:
    if name in {"home", "keys", "outbound_ca", "breached_passwords"}:
        return Path(raw)
    if name == "prove_every":
        return _whole("IDP_PROVE_EVERY", raw)
    if name in {"trusted_proxies", "outbound_allow"}:
        return tuple(part.strip() for part in raw.split(",") if part.strip())
    return raw


def _whole(name: str, raw: str) -> int:
    if not raw.isascii() or not raw.isdigit() or len(raw) > 9:
        raise ConfigError(name, "must be a whole number of seconds, such as 86400")
    return int(raw)


_HOST = re.compile(r"[a-z0-9.-]{1,253}(?::[1-9][0-9]{0,4})?")
_KINDS = ("sign_in", "token", "jwks")


def _budget(text: str) -> dict[str, float]:
    found = dict(part.strip().partition("=")[::2] for part in text.split(","))
    if not all(name in _KINDS and number.isascii() and number.isdigit() and int(number)
               for name, number in found.items()):  # fmt: skip
        raise ConfigError(
            "IDP_BUDGET", f"must give milliseconds of {', '.join(_KINDS)}, such as sign_in=1500"
        )
    return {name: float(number) for name, number in found.items()}


_DATABASE_URLS = (
    "database_url",
    "ops_database_url",
    "migrator_database_url",
    "admin_database_url",
    "backup_database_url",
)


def _complete(settings: Settings, given: dict[str, Any]) -> Settings:
    if settings.env not in {"production", "development"}:
        raise ConfigError("IDP_ENV", "must be production or development")
    base = settings.base_url.rstrip("/")
    parts = urlsplit(base)
    if (
        parts.scheme not in {"http", "https"}
        or not parts.hostname
        or parts.path
        or parts.query
        or parts.fragment
    ):
        raise ConfigError("IDP_BASE_URL", "must be a scheme and a host, such as https://id.example.com")
    if parts.scheme == "http" and parts.hostname not in LOOPBACK:
        raise ConfigError("IDP_BASE_URL", "must be https unless its host is this machine's loopback")
    if settings.log_level not in {"DEBUG", "INFO", "WARNING", "ERROR"}:
        raise ConfigError("IDP_LOG_LEVEL", "must be DEBUG, INFO, WARNING or ERROR")
    _ = settings.budgets
    _certificates(settings)
    if settings.outbound_ca is not None and not settings.outbound_ca.is_file():
        raise ConfigError("IDP_OUTBOUND_CA", "must be a file of certificates in PEM")
    if settings.breached_passwords is not None and not settings.breached_passwords.is_file():
        raise ConfigError("IDP_BREACHED_PASSWORDS", "must be a file that idp passwords build made")
    if not all(_HOST.fullmatch(each) for each in settings.outbound_allow):
        raise ConfigError(
            "IDP_OUTBOUND_ALLOW", "must be hosts, or hosts with a port, such as keys.internal:8443"
        )
    _mail(settings)
    changes: dict[str, Any] = {"base_url": base, "home": settings.home.absolute()}
    if "keys" not in given:
        top = paths.checkout()
        default_home = "home" not in given
        changes["keys"] = top / "keys" if default_home and top is not None else changes["home"] / "keys"
    for name in _DATABASE_URLS:
        value = getattr(settings, name)
        if value:
            changes[name] = _postgres(f"IDP_{name.upper()}", value)
    if settings.redis_url and not settings.redis_url.startswith(("redis://", "rediss://", "unix://")):
        raise ConfigError("IDP_REDIS_URL", "must begin with redis://, rediss:// or unix://")
    return replace(settings, **changes)


_ADDRESS = re.compile(
    r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?"
)


def _mail(settings: Settings) -> None:
    if settings.mail_from is not None and not _ADDRESS.fullmatch(settings.mail_from):
        raise ConfigError("IDP_MAIL_FROM", "must be an e-mail address, such as no-reply@example.com")
    if settings.smtp_url is None:
        return
    parts = urlsplit(settings.smtp_url)
    try:
        fits = parts.scheme in {"smtp", "smtps"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        fits = False
    if not fits or parts.path.strip("/") or parts.query or parts.fragment:
        raise ConfigError(
            "IDP_SMTP_URL", "must be smtps:// or smtp://, a host, and a port where it is another one"
        )
    if settings.mail_from is None:
        raise ConfigError(
            "IDP_MAIL_FROM", "must name the address that messages come from, beside IDP_SMTP_URL"
        )


_SECRET = re.compile(r"[A-Za-z0-9_-]{32,128}")


def _certificates(settings: Settings) -> None:
    secret, place = settings.client_certificate_secret, settings.mtls_base_url
    if secret is not None and not _SECRET.fullmatch(secret):
        raise ConfigError(
            "IDP_CLIENT_CERTIFICATE_SECRET",
            "must have 32 to 128 letters, digits, - and _, such as openssl rand -hex 32",
        )
    if secret is not None and not settings.trusted_proxies:
        raise ConfigError(
            "IDP_TRUSTED_PROXIES", "must name the proxy that IDP_CLIENT_CERTIFICATE_SECRET is shared with"
        )
    if place is None:
        return
    parts = urlsplit(place)
    if parts.scheme != "https" or not parts.hostname or parts.path or parts.query or parts.fragment:
        raise ConfigError(
            "IDP_MTLS_BASE_URL", "must be https and a host, such as https://mtls.id.example.com"
        )
    if secret is None or place == settings.base_url.rstrip("/"):
        raise ConfigError(
            "IDP_MTLS_BASE_URL",
            "must be another host or port than IDP_BASE_URL, and needs IDP_CLIENT_CERTIFICATE_SECRET",
        )


def _postgres(name: str, value: str) -> str:
    if value.startswith(("postgresql://", "postgres://")):
        return value.replace("postgres://", "postgresql://", 1) if value.startswith("postgres://") else value
    raise ConfigError(name, "must begin with postgresql://")


def _forget(environ: MutableMapping[str, str]) -> None:
    for name in SECRET_NAMES:
        environ.pop(name, None)


_settings: Settings | None = None


def use(settings: Settings) -> Settings:
    """Make `settings` those of this process."""
    global _settings
    _settings = settings
    return settings


def settings() -> Settings:
    """The settings of this process; read from the environment at the first call."""
    return _settings if _settings is not None else use(Settings.load())
