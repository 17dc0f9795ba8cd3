"""Devices that a person trusts: where a second factor was given lately, none is asked for again.

The cookie holds 256 random bits, Postgres their digest, for one person of one tenant. It says nothing of the first
factor, ends with a new password (which moves the person's `not_before`) and with every change of their factors, and
never counts where an application or a request insists on a second factor.
"""

from datetime import timedelta
from uuid import UUID

from idp import audit, clock
from idp.audit import Event
from idp.ids import digest, secret, uuid7
from idp.store.database import transaction
from idp.store.durable import remembered_devices
from idp.store.durable.remembered_devices import Remembered
from idp.store.durable.users import User
from idp.tenants import current

_AGENT_LONGEST = 256


def remember(user: User, agent: str | None) -> str | None:
    """The cookie's value for a device that is remembered from now on; None where the tenant's policy remembers none."""
    lasts = current().policy.remembered_device
    if not lasts:
        return None
    token, at = secret(), clock.now()
    shown = (agent or "")[:_AGENT_LONGEST].encode("utf-8", "replace").decode().replace("\x00", "?") or None
    with transaction():
        remembered_devices.add(
            Remembered(uuid7(), user.id, digest(token), shown, at, at + timedelta(seconds=lasts))
        )
        audit.record(Event.DEVICE_REMEMBERED, audit.Actor("user", str(user.id)), days=lasts // 86_400)
    return token


def of_user(user: User) -> tuple[Remembered, ...]:
    """The devices that the person trusts now, the newest first."""
    live = [each for each in remembered_devices.of_user(user.id) if _counts(each, user)]
    return tuple(sorted(live, key=lambda each: each.created_at, reverse=True))


def forget(user: User, device_id: UUID) -> bool:
    """Ask for a second factor on that device again; False when it was none of theirs."""
    with transaction():
        if not remembered_devices.forget(user.id, device_id):
            return False
        audit.record(Event.DEVICE_FORGOTTEN, audit.Actor("user", str(user.id)))
    return True


def known(user: User, token: str | None) -> bool:
    """Whether this cookie's device is one that the person trusts, by the tenant's policy of now."""
    if not token or len(token) > 64 or not token.isascii():
        return False
    found = remembered_devices.find(user.id, digest(token))
    return found is not None and _counts(found, user)


def _counts(device: Remembered, user: User) -> bool:
    """By the policy of now, and as long as the person's credentials are those of then."""
    lasts = current().policy.remembered_device
    ends = min(device.expires_at, device.created_at + timedelta(seconds=lasts))
    return clock.now() < ends and (user.not_before is None or user.not_before <= device.created_at)
