"""The states of a signing key, as pure functions of the times on its row.

next → active → retiring → gone, or revoked at any moment. Every boundary is written ahead of time, so that
each process passes it at the same instant, without a message and without the worker running.
"""

import datetime as dt
from collections.abc import Iterable
from dataclasses import fields
from enum import StrEnum

from idp.store.durable.signing_keys import SigningKey
from idp.tenants import Policy

BORN_WITH = ("RS256", "ES256")
ALGORITHMS = ("RS256", "PS256", "ES256", "EdDSA")
RSA_ALGORITHMS = ("RS256", "PS256")
ENCRYPTION = ("RSA-OAEP-256", "ECDH-ES")
"""Algorithms of keys with which others encrypt for a tenant (RFC 7518 §4); such a key never signs."""
EVERY = (*ALGORITHMS, *ENCRYPTION)

JWKS_MAX_AGE = dt.timedelta(seconds=300)
"""How long a relying party may keep the public set; a new key signs no sooner than this after publication."""
PUBLISHED_AHEAD = dt.timedelta(hours=24)
"""How long a key is public before it signs, when the schedule and not an operator replaces its predecessor."""
SPREAD = 10
"""Tenants' rotations are spread over one part in this many of the rotation period."""

_TOKEN_LIFETIMES = ("access_token_lifetime", "id_token_lifetime")
LONGEST_TOKEN = dt.timedelta(
    seconds=max(field.metadata["ceiling"] for field in fields(Policy) if field.name in _TOKEN_LIFETIMES)
)
"""No token lives longer than this, whatever tenant, client or API says: the platform's ceiling."""


class State(StrEnum):
    """Where a key stands. `PENDING` is a key whose publication lies in the future."""

    PENDING = "pending"
    NEXT = "next"
    ACTIVE = "active"
    RETIRING = "retiring"
    GONE = "gone"
    REVOKED = "revoked"


PUBLISHED = frozenset({State.NEXT, State.ACTIVE, State.RETIRING})


def canonical(alg: str) -> str:
    """The wire's name of an algorithm: `Ed25519` (RFC 9864) is known to relying parties as `EdDSA` (RFC 8037)."""
    return "EdDSA" if alg == "Ed25519" else alg


def state(key: SigningKey, now: dt.datetime) -> State:
    """The state of `key` at `now`; a boundary belongs to the later state."""
    if key.revoked_at is not None and now >= key.revoked_at:
        return State.REVOKED
    if key.gone_at is not None and now >= key.gone_at:
        return State.GONE
    if key.retire_at is not None and now >= key.retire_at:
        return State.RETIRING
    if key.activate_at is not None and now >= key.activate_at:
        return State.ACTIVE
    return State.NEXT if now >= key.publish_at else State.PENDING


def published(keys: Iterable[SigningKey], now: dt.datetime) -> list[SigningKey]:
    """The keys of the public set at `now`: next, active and retiring."""
    return [key for key in keys if state(key, now) in PUBLISHED]


def signer(keys: Iterable[SigningKey], alg: str, now: dt.datetime) -> SigningKey | None:
    """The one key that signs with `alg` at `now`: of several active ones that which became so last."""
    active = [key for key in keys if key.alg == alg and state(key, now) is State.ACTIVE]
    return max(active, key=lambda key: (key.activate_at or key.publish_at, key.kid), default=None)


def boundaries(key: SigningKey) -> list[dt.datetime]:
    """The instants at which the state of `key` changes."""
    times = (key.publish_at, key.activate_at, key.retire_at, key.gone_at, key.revoked_at)
    return sorted(time for time in times if time is not None)


def next_change(keys: Iterable[SigningKey], now: dt.datetime) -> dt.datetime | None:
    """The first instant after `now` at which any of `keys` changes its state; None when none will."""
    return min((time for key in keys for time in boundaries(key) if time > now), default=None)


def gone_after(retire_at: dt.datetime) -> dt.datetime:
    """When the last token has expired that a key signed which retires at `retire_at`."""
    return retire_at + LONGEST_TOKEN
