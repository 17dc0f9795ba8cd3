"""A tenant's keys in memory: read once for each version of the tenant, opened when first needed.

Owns the bounded caches beneath signing and verifying. The directory tells of a new version within a second
of a change; the next use then reads the rows again. Where Postgres is away at that moment the former keys
serve for a few seconds more, so that an outage does not stop what needs no database, and an emergency
revocation still reaches every process within its 5 s.
"""

import datetime as dt
import threading
from contextvars import Context
from typing import Any, cast
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from joserfc.jwk import ECKey, OKPKey, RSAKey

from idp import clock, lanes
from idp.errors import Busy
from idp.memory import Recent
from idp.signing import envelope, keys, ring
from idp.store.durable import signing_keys
from idp.store.durable.signing_keys import SigningKey
from idp.tenants import Tenant, current, entered

TENANTS = 12_000
"""Tenants whose public sets and sealed keys are kept: about 6 kB each."""
OPENED = 12_000
"""Private keys of elliptic curves that are kept open, about 3 kB each; to open one anew takes 45 us."""
OPENED_RSA = 2_048
"""Private RSA keys that are kept open: 7 kB each once they have signed, and opened anew in 25 us."""
PUBLIC = 4_096
"""Public keys that are kept ready for verifying."""
PERSONS = 4_096
"""Keys of people that are kept open: see `persons`."""
GRACE = 3.0
"""Seconds for which former keys serve when Postgres cannot be asked for the present ones."""

JoseKey = RSAKey | ECKey | OKPKey
JOSE_KEYS: dict[str, type[RSAKey] | type[ECKey] | type[OKPKey]] = {"RSA": RSAKey, "EC": ECKey, "OKP": OKPKey}


class KeySet:
    """The keys of one tenant at one version of it, and what is derived from them on the way."""

    __slots__ = ("_signers", "keys", "outdated_since", "version")

    def __init__(self, rows: tuple[SigningKey, ...], version: int) -> None:
        """`rows`: every key of the tenant; `version`: the tenant's, when they were read."""
        self.keys = rows
        self.version = version
        self.outdated_since: float | None = None
        self._signers: dict[str, tuple[SigningKey, dt.datetime, dt.datetime | None]] = {}

    @property
    def by_kid(self) -> dict[str, SigningKey]:
        """The rows by their names; made anew each time, since there are few and this lies in memory for long."""
        return {row.kid: row for row in self.keys}

    def signer(self, alg: str, now: dt.datetime) -> SigningKey | None:
        """The row of the key that signs with `alg` at `now`, remembered until the next boundary passes."""
        known = self._signers.get(alg)
        if known is not None and known[1] <= now and (known[2] is None or now < known[2]):
            return known[0]
        chosen = keys.signer(self.keys, alg, now)
        if chosen is not None:
            self._signers[alg] = (chosen, now, keys.next_change(self.keys, now))
        return chosen


_sets: Recent[UUID, KeySet] = Recent(TENANTS)
# Bare: the library's wrapping takes half a kilobyte each and 2 us to make.
_opened: Recent[tuple[UUID, str, bytes], Any] = Recent(OPENED)
_opened_rsa: Recent[tuple[UUID, str, bytes], Any] = Recent(OPENED_RSA)
_public: Recent[tuple[UUID, str], JoseKey] = Recent(PUBLIC)
# Striped: one tenant's slow read holds up few others, and a herd reads a tenant's rows once (F21).
_reading = tuple(threading.Lock() for _ in range(64))

persons: Recent[tuple[UUID, UUID], bytes] = Recent(PERSONS)


def load(tenant: Tenant | None = None) -> KeySet:
    """The keys of the entered tenant. Raises NoTenant, Busy when they are not known and Postgres is away.

    `tenant`, where given, is the entered one, which saves a look-up, or the one that signs for it.
    """
    tenant = tenant or current()
    known = _sets.get(tenant.id)
    if known is not None and known.version >= tenant.version:
        return known
    with lanes.holding(_reading[tenant.id.int % len(_reading)]):
        known = _sets.get(tenant.id)
        if known is not None and known.version >= tenant.version:
            return known
        return _read(tenant, known)


def _read(tenant: Tenant, former: KeySet | None) -> KeySet:
    try:
        return _sets.put(tenant.id, KeySet(_rows(tenant), tenant.version))
    except Busy:
        if former is None:
            raise
        if former.outdated_since is None:
            former.outdated_since = clock.monotonic()
        if clock.monotonic() - former.outdated_since > GRACE:
            raise
        return former


def _rows(tenant: Tenant) -> tuple[SigningKey, ...]:
    """The keys of a tenant; in a context of its own where another one is entered, whose rows they are not."""
    if tenant.id == current().id:
        return signing_keys.all_keys()

    def alone() -> tuple[SigningKey, ...]:
        with entered(tenant):
            return signing_keys.all_keys()

    return Context().run(alone)


def private_key(row: SigningKey, tenant_id: UUID) -> JoseKey:
    """The open private key of a row, as the JOSE library takes it. Raises Unsealable."""
    # The sealed bytes take part in the name: an erased or replaced key is never answered from memory.
    name = (tenant_id, row.kid, row.sealed[:13])
    kept = _opened_rsa if row.public["kty"] == "RSA" else _opened
    key = kept.get(name)
    if key is None:
        der = ring.holding(row.kek_id).unwrap(row.kek_id, row.sealed, tenant_id, row.kid)
        key = kept.put(name, envelope.from_der(der))
    return native(key, row.public)


def public_key(row: SigningKey, tenant_id: UUID) -> JoseKey:
    """The public key of a row, ready for verifying."""
    name = (tenant_id, row.kid)
    known = _public.get(name)
    if known is not None:
        return known
    return _public.put(name, JOSE_KEYS[row.public["kty"]].import_key(cast(Any, row.public)))


def native(key: Any, public: dict[str, str]) -> JoseKey:
    """A private key object wrapped without importing it again (36 ms for RSA).

    The public members are handed over as the key's description, so that what the library would ever print of
    it is public. Raises TypeError for a kind of key that nothing here signs with.
    """
    if isinstance(key, RSAPrivateKey):
        return RSAKey(key, public)
    if isinstance(key, EllipticCurvePrivateKey):
        return ECKey(key, public)
    if isinstance(key, Ed25519PrivateKey):
        return OKPKey(key, public)
    raise TypeError(f"cannot sign with a {type(key).__name__}")


def describe(key: Any) -> dict[str, str]:
    """The JWK members of a public key object (RFC 7518 §6, RFC 8037 §2). Raises TypeError."""
    for kind, wrapper in (
        (RSAPublicKey, RSAKey),
        (EllipticCurvePublicKey, ECKey),
        (Ed25519PublicKey, OKPKey),
    ):
        if isinstance(key, kind):
            return cast(dict[str, str], wrapper(key, key).as_dict(private=False))  # type: ignore[arg-type]
    raise TypeError(f"cannot describe a {type(key).__name__}")


def forget(tenant_id: UUID | None = None) -> None:
    """Forget one tenant's set, or everything: after a change in this very process, and between tests."""
    if tenant_id is not None:
        _sets.drop(tenant_id)
        return
    for kept in (_sets, _opened, _opened_rsa, _public, persons):
        kept.clear()
