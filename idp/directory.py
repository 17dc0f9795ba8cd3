"""Slug or host → tenant, and what a tenant's clients and APIs are, from memory.

Every process asks Postgres twice a second which tenants have changed, and forgets what it knew of those.
What is in memory is therefore at most STALE seconds behind; when the answer has been missing for longer,
:func:`fresh` says so and those who promise that bound read Postgres instead. Unknown names are remembered
for a second, so that a flood of them costs one query each.
"""

import datetime as dt
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from idp import clock, metrics
from idp.config import Settings
from idp.config import settings as process_settings
from idp.errors import Busy
from idp.logs import log
from idp.memory import Recent
from idp.store import database
from idp.store.durable import apis as api_store
from idp.store.durable import clients as client_store
from idp.store.durable import tenants as tenant_store
from idp.store.durable.apis import Api
from idp.store.durable.clients import Client
from idp.tenants import PLATFORM, Branding, Policy, Tenant, current, entered

POLL = 0.5
"""Seconds between two questions for changes."""

STALE = 1.0
"""Seconds after which a missing answer makes memory untrusted for those who promise that bound."""

OVERLAP = dt.timedelta(seconds=15)
"""How far each question looks back: longer than any transaction of ours may last before it commits."""

MOST_TENANTS = 12_000
MOST_CLIENTS = 2_000
UNKNOWN_FOR = 1.0
REREAD = 900.0
"""Seconds after which a tenant's row is read again though nothing told of a change: nothing stays for ever."""
LATER = 2.0
"""Seconds for which a row goes on that could not be read again."""


@dataclass(slots=True)
class _Known:
    """What is in memory of one tenant."""

    tenant: Tenant
    until: float
    clients: Recent[str, tuple[float, Client]] = field(default_factory=lambda: Recent(MOST_CLIENTS))
    apis: tuple[float, tuple[Api, ...]] | None = None


class _Directory:
    def __init__(self) -> None:
        self.known: Recent[UUID, _Known] = Recent(MOST_TENANTS)
        self.names: Recent[tuple[str, str], UUID] = Recent(2 * MOST_TENANTS)
        self.unknown: Recent[tuple[str, str], float] = Recent(4_096)
        self.versions: dict[UUID, int] = {}
        self.heard = float("-inf")
        self.since = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
        self.listeners: list[Callable[[UUID], None]] = []
        self.thread: threading.Thread | None = None
        self.stopping = threading.Event()
        # Held while a change is taken note of and while a row that was read is put into memory, so that
        # a reader who was overtaken by a change cannot put yesterday's row back.
        self.lock = threading.Lock()
        # Held while changes are asked for, so that an answer under way brings nothing back that was forgotten.
        self.polling = threading.Lock()


_directory = _Directory()


def start(settings: Settings | None = None) -> None:
    """Begin to ask for changes in a thread of its own."""
    del settings
    _directory.stopping.clear()
    _directory.thread = threading.Thread(target=_run, name="directory", daemon=True)
    _directory.thread.start()


def stop() -> None:
    """Stop asking and forget everything."""
    _directory.stopping.set()
    if _directory.thread is not None:
        _directory.thread.join(2)
        _directory.thread = None
    forget_all()


def forget_all() -> None:
    """Forget every tenant, client and API, and tell the listeners of each tenant."""
    with _directory.polling:
        for tenant_id in _directory.known.everyone():
            for listener in _directory.listeners:
                listener(tenant_id)
        for part in (_directory.known, _directory.names, _directory.unknown):
            part.clear()
        _directory.versions.clear()
        _directory.heard = float("-inf")
        _directory.since = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def on_change(listener: Callable[[UUID], None]) -> None:
    """Call `listener(tenant_id)` whenever a tenant has changed."""
    if listener not in _directory.listeners:
        _directory.listeners.append(listener)


def forget(tenant_id: UUID) -> None:
    """Forget one tenant and tell the listeners."""
    _directory.known.drop(tenant_id)
    for listener in _directory.listeners:
        listener(tenant_id)


def fresh() -> bool:
    """Whether memory is at most STALE seconds behind Postgres."""
    return clock.monotonic() - _directory.heard <= STALE


def away() -> bool:
    """Whether Postgres is taken to be away, so that asking it would be answered with Unavailable at once."""
    return database.breaker().open


def poll() -> None:
    """Ask once which tenants have changed and forget those. Raises Unavailable."""
    with _directory.polling:
        _poll()


def _poll() -> None:
    asked = clock.monotonic()
    changes, at = tenant_store.changed(_asked_from())
    for tenant_id, version in changes:
        if _directory.versions.get(tenant_id) != version:
            _directory.unknown.clear()
            with _directory.lock:
                _directory.versions[tenant_id] = version
                _directory.known.drop(tenant_id)
            forget(tenant_id)
    if len(_directory.versions) > MOST_TENANTS:
        _directory.versions.clear()
    _directory.since = at
    _directory.heard = asked
    metrics.show("directory_age_seconds", 0)


def _asked_from() -> dt.datetime:
    if _directory.since.year == 1970:
        return clock.now() - OVERLAP
    return _directory.since - OVERLAP


def _run() -> None:
    logger = log(__name__)
    told = False
    while not _directory.stopping.wait(POLL):
        try:
            poll()
            told = False
        except Busy:
            metrics.show("directory_age_seconds", clock.monotonic() - _directory.heard)
            if not told:
                logger.warning("directory.away")
                told = True
        except Exception:
            logger.exception("directory.failed")


def issuer_of(slug: str, primary_host: str | None, settings: Settings | None = None) -> str:
    """The one issuer of a tenant: its primary host when it has one, else the path under the base URL."""
    settings = settings or process_settings()
    if slug == PLATFORM:
        return settings.base_url
    if primary_host:
        return f"https://{primary_host}"
    if settings.domain:
        scheme = "https" if settings.secure else "http"
        return f"{scheme}://{slug}.{settings.domain}"
    return f"{settings.base_url}/t/{slug}"


def resolve(slug: str) -> Tenant | None:
    """The tenant with this slug, whatever its status, or None. Raises Unavailable when nothing is known."""
    return _resolve(("slug", slug))


def resolve_host(host: str) -> Tenant | None:
    """The tenant whose own proved host this is, or None."""
    settings = process_settings()
    if settings.domain and host.endswith("." + settings.domain):
        slug = host[: -len(settings.domain) - 1]
        return resolve(slug) if "." not in slug else None
    return _resolve(("host", host))


def _resolve(name: tuple[str, str]) -> Tenant | None:
    tenant_id = _directory.names.get(name)
    if tenant_id is not None:
        known = _remembered(tenant_id)
        if known is not None and _bears(known.tenant, name):
            return known.tenant
    missing_until = _directory.unknown.get(name)
    if missing_until is not None and clock.monotonic() < missing_until:
        return None
    found = tenant_store.find(**{name[0]: name[1]})
    if found is None:
        _directory.unknown.put(name, clock.monotonic() + UNKNOWN_FOR)
        return None
    _directory.names.put(name, found)
    known = _load(found)
    return known.tenant if known is not None else None


def by_id(tenant_id: UUID) -> Tenant | None:
    """The tenant with this id, or None."""
    known = _remembered(tenant_id) or _load(tenant_id)
    return known.tenant if known is not None else None


def version_of(tenant_id: UUID) -> int | None:
    """The version in which a tenant is in memory, or None when it is not."""
    known = _directory.known.get(tenant_id)
    return known.tenant.version if known is not None else None


def _bears(tenant: Tenant, name: tuple[str, str]) -> bool:
    """Whether the tenant still has this name: a host may have gone to another since it was remembered."""
    return name[1] in tenant.hosts if name[0] == "host" else name[1] == tenant.slug


def _remembered(tenant_id: UUID) -> _Known | None:
    """What is in memory of a tenant, its row read again now and then."""
    known = _directory.known.get(tenant_id)
    if known is None or clock.monotonic() < known.until:
        return known
    known.until = clock.monotonic() + LATER
    try:
        row = tenant_store.read(tenant_id)
    except Busy:
        return known
    if row is not None and row.version == known.tenant.version:
        known.until = clock.monotonic() + REREAD
        return known
    forget(tenant_id)
    return None


def _load(tenant_id: UUID) -> _Known | None:
    row = tenant_store.read(tenant_id)
    if row is None or row.status == "deleted":
        return None
    known = _Known(as_tenant(row), clock.monotonic() + REREAD)
    with _directory.lock:
        if _directory.versions.get(tenant_id, 0) <= row.version:
            _directory.known.put(tenant_id, known)
    return known


def as_tenant(row: "tenant_store.TenantRow") -> Tenant:
    """The tenant that a row of the control plane describes."""
    return Tenant(
        id=row.id,
        slug=row.slug,
        name=row.name,
        status=row.status,
        issuer=issuer_of(row.slug, row.primary_host),
        hosts=row.hosts,
        policy=_once(Policy.parse(row.policy)),
        branding=_once(Branding.parse(row.branding)),
        version=row.version,
        also=issuer_of(row.slug, row.moving_host) if row.moving_since else None,
        moving_since=row.moving_since,
        not_before=row.not_before,
    )


_alike: Recent[Any, Any] = Recent(256)


def _once(value: Any) -> Any:
    """`value`, or the equal one that another tenant has: most policies are the same."""
    return _alike.get(value) or _alike.put(value, value)


def _here() -> _Known | None:
    return _directory.known.get(current().id)


def not_before() -> dt.datetime | None:
    """The instant before which nothing of the entered tenant counts, at most STALE seconds behind.

    Where memory may be older Postgres is asked; where that is away too, whoever writes or reads a row stops there.
    """
    if not fresh():
        try:
            row = tenant_store.read(current().id)
        except Busy:
            row = None
        if row is not None:
            return row.not_before
    return current().not_before


def _recent(read_at: float) -> bool:
    """Whether what was read at `read_at` is at most STALE seconds behind: by its age, or by changes heard of."""
    return clock.monotonic() - max(read_at, _directory.heard) <= STALE


def client(client_id: str) -> Client | None:
    """The client of the entered tenant with this `client_id`, or None; whatever its status.

    One that describes itself is none where the tenant's policy does not, or no longer, read what lies at its address.
    """
    known = _here()
    kept = known.clients.get(client_id) if known is not None else None
    if kept is not None and _recent(kept[0]):
        return kept[1]
    read_at = clock.monotonic()
    found = client_store.by_client_id(client_id)
    if found is not None and found.setting("metadata_document"):
        policy = known.tenant.policy if known is not None else current().policy
        found = found if policy.reads(client_id) else None
    if known is not None and found is not None:
        known.clients.put(client_id, (read_at, found))
    return found


def apis() -> tuple[Api, ...]:
    """The APIs of the entered tenant."""
    known = _here()
    if known is not None and known.apis is not None and _recent(known.apis[0]):
        return known.apis[1]
    read_at = clock.monotonic()
    found = api_store.every()
    if known is not None:
        known.apis = (read_at, found)
    return found


def known_names() -> Any:
    """How many tenants are in memory; for the management listener."""
    return {"tenants": len(_directory.known), "fresh": fresh()}


def enter(tenant_id: UUID) -> Any:
    """Enter the tenant with this id: a context manager. Raises KeyError when it does not exist."""
    tenant = by_id(tenant_id)
    if tenant is None:
        raise KeyError(str(tenant_id))
    return entered(tenant)
