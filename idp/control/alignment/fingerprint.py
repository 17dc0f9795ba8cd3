"""The fingerprint of an environment: everything by which two of them could behave differently."""

import hashlib
import json
import platform
import re
from collections.abc import Mapping
from dataclasses import fields
from importlib import metadata
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from idp import __version__, clock
from idp.config import SECRET_NAMES, Settings
from idp.control import record, tenants
from idp.errors import Busy, Invalid
from idp.signing import cache, keys, ring
from idp.store import catalogue, facts, observed, revision
from idp.tenants import Policy, Tenant, entered

FORMAT = "idp.align"
VERSION = 1
LARGEST = 64 * 1024 * 1024
"""Characters of a file that is read."""

_POSTGRES = (
    "DateStyle", "TimeZone", "default_transaction_isolation", "default_transaction_read_only", "fsync",
    "full_page_writes", "jit", "max_connections", "password_encryption", "row_security", "ssl",
    "standard_conforming_strings", "synchronous_commit", "synchronous_standby_names", "wal_level",
)  # fmt: skip
_REDIS = ("maxmemory", "maxmemory_policy", "aof_enabled", "role", "cluster_enabled")
_REDIS_CONFIG = ("appendfsync", "save", "timeout")
_CANARY = "canary-"
_URLS = tuple(name.removeprefix("IDP_").lower() for name in SECRET_NAMES if name.endswith("_URL"))
_NAME = re.compile(r"[A-Za-z0-9._-]+")


def taken(settings: Settings) -> dict[str, Any]:
    """The fingerprint of this environment; the same of the same, whenever it is taken. Raises Busy."""
    described = catalogue.described()
    content: dict[str, Any] = {
        "format": FORMAT,
        "version": VERSION,
        "product": {
            "release": __version__,
            "schema_of_code": revision.head(),
            "schema_of_database": revision.present(),
        },
        "python": {
            "release": platform.python_version(),
            "implementation": platform.python_implementation(),
            "machine": platform.machine(),
            "system": platform.system(),
        },
        "libraries": libraries(),
        "postgres": _postgres(),
        "schema": {"digest": digest(described), **described},
        "redis": _redis(settings),
        "settings": told(settings),
        "keys": {"ring": _ring(settings)},
        "policy": {field.name: field.default for field in fields(Policy)},
        "tenants": {
            tenant.slug: _tenant(tenant) for tenant in record.every() if not tenant.slug.startswith(_CANARY)
        },
    }
    return dict(json.loads(text(content)))


def text(content: Mapping[str, Any]) -> str:
    """The file of a fingerprint: its members in one order."""
    return json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def digest(described: Mapping[str, Any]) -> str:
    """One short text that two equal schemas share."""
    canonical = json.dumps(described, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:32]


def read(given: str) -> dict[str, Any]:
    """The fingerprint in a file. Raises Invalid with a sentence for anything else, a newer format included."""
    if len(given) > LARGEST:
        raise Invalid("The file is too large for a fingerprint.", rule="align.file")
    try:
        content = json.loads(given)
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise Invalid("The file is no fingerprint: idp align --export makes one.", rule="align.file")
    version = content.get("version")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise Invalid("The file does not say in which version of the format it is.", rule="align.file")
    if version > VERSION:
        raise Invalid(
            f"The file has version {version} of the format, and this program knows {VERSION}: use the newer idp.",
            rule="align.file",
        )
    return content


def libraries() -> dict[str, str]:
    """The version of each library that the product names as a need of its own; `absent` where it is not installed."""
    names = sorted(
        {found[0].lower() for need in metadata.requires("idp") or [] if (found := _NAME.match(need))}
    )
    return {name: _installed(name) for name in names}


def _installed(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "absent"


def _postgres() -> dict[str, Any]:
    seen = observed.postgres()
    return {
        "release": seen.version,
        "settings": facts.postgres_settings(_POSTGRES),
        "locale": facts.database_locale(),
        "session": {**facts.session(), "replica": seen.replica},
    }


def _redis(settings: Settings) -> dict[str, Any]:
    info = facts.redis_info(settings.redis_url)
    product = "valkey" if "valkey_version" in info else "redis"
    told: dict[str, Any] = {name: info.get(name) for name in _REDIS}
    if settings.redis_admin_url:
        try:
            told |= facts.redis_config(settings.redis_admin_url, _REDIS_CONFIG)
        except Busy:  # a managed service may keep CONFIG for itself
            told |= dict.fromkeys(_REDIS_CONFIG, "not told")
    may = {
        "configure": facts.redis_allows(settings.redis_url, "CONFIG", "GET", "maxmemory"),
        "reach_keys_of_others": facts.redis_allows(settings.redis_url, "GET", "align"),
    }
    return {"product": product, "release": info.get(f"{product}_version"), "settings": told, "user_may": may}


def told(settings: Settings) -> dict[str, Any]:
    """The settings without anything secret: of an address its form, of a ring that it is there."""
    result: dict[str, Any] = {}
    for field in fields(Settings):
        value = getattr(settings, field.name)
        if field.name in _URLS:
            result[field.name] = _form(value)
        elif f"IDP_{field.name.upper()}" in SECRET_NAMES:
            result[field.name] = "given" if value else "not given"
        else:
            result[field.name] = list(value) if isinstance(value, tuple) else value and str(value)
    result["https"] = settings.secure
    return result


def _form(url: str | None) -> dict[str, Any]:
    """What of an address decides how the product behaves; never its host, its password or all of its query."""
    if not url:
        return {"given": False}
    parts = urlsplit(url)
    query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    tls = {name: query[name] for name in ("sslmode", "ssl_cert_reqs") if name in query}
    return {
        "given": True,
        "scheme": parts.scheme,
        "user": unquote(parts.username or ""),
        "password": "given" if parts.password else "not given",
        "database": parts.path.lstrip("/"),
        "tls": tls,
    }


def _ring(settings: Settings) -> dict[str, Any]:
    held = ring.load(settings)
    return {"driver": type(ring.driver(settings)).__name__.lower(), "keys": len(held.keys)}


def _tenant(tenant: Tenant) -> dict[str, Any]:
    row = tenants.show(tenant.slug)
    now = clock.now()
    with entered(tenant):
        rows = cache.load().keys
    active = sorted({row.alg for row in rows if keys.state(row, now) is keys.State.ACTIVE})
    following = sorted({row.alg for row in rows if keys.state(row, now) is keys.State.NEXT})
    return {
        "status": row.status,
        "issuer": "host" if row.primary_host else "base",
        "hosts": len(row.hosts),
        "policy": dict(row.policy),
        "keys": {"active": active, "next": following},
    }
