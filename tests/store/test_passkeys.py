"""Passkeys in the vault: one tenant's own, and a counter that only goes up."""

from typing import Any
from uuid import uuid4

import pytest

from idp import clock
from idp.errors import Conflict
from idp.store.durable import passkeys
from idp.store.durable.passkeys import Passkey
from idp.tenants import Tenant, entered
from tests.store.namesakes import SAME, doras


@pytest.fixture
def both(twins: tuple[Tenant, Tenant], database: Any) -> tuple[Tenant, Tenant]:
    """The twins, with a Dora each."""
    return doras(twins, database)


def _key(credential: bytes = b"credential", **changes: Any) -> Passkey:
    values: dict[str, Any] = {
        "id": uuid4(), "user_id": SAME, "credential_id": credential, "public_key": b"key", "sign_count": 0,
        "rp_id": "localhost", "aaguid": "0", "transports": ("internal",), "backup_eligible": True,
        "backed_up": False, "name": "Laptop", "created_at": clock.now(), "used_at": None,
    }  # fmt: skip
    return Passkey(**{**values, **changes})


def test_a_passkey_is_its_tenants_alone(both: tuple[Tenant, Tenant]) -> None:
    acme, globex = both
    mine = _key()
    with entered(acme):
        passkeys.add(mine)
        with pytest.raises(Conflict):
            passkeys.add(_key())
    with entered(globex):
        assert passkeys.by_credential(b"credential") is None and passkeys.of_user(SAME) == ()
        assert passkeys.count() == 0 and passkeys.remove(SAME) == 0
        assert not passkeys.use(mine.id, 5, backed_up=True) and not passkeys.rename(SAME, mine.id, "stolen")
        theirs = _key(name="Phone")
        passkeys.add(theirs)
    with entered(acme):
        assert passkeys.by_credential(b"credential") == mine and passkeys.of_user(SAME) == (mine,)
        other = _key(b"other", created_at=clock.now())
        passkeys.add(other)
        assert passkeys.count() == 2 and passkeys.rename(SAME, mine.id, "Desk")
        assert passkeys.remove(SAME, mine.id) == 1 and passkeys.of_user(SAME) == (other,)
        assert passkeys.remove(SAME) == 1
    with entered(globex):
        assert passkeys.of_user(SAME) == (theirs,)


def test_wa04_a_counter_goes_up_or_never_counts(both: tuple[Tenant, Tenant]) -> None:
    still, counting = _key(b"still"), _key(b"counting", sign_count=7)
    with entered(both[0]):
        passkeys.add(still)
        passkeys.add(counting)
        assert passkeys.use(still.id, 0, backed_up=True) and passkeys.use(still.id, 0, backed_up=True)
        assert passkeys.use(counting.id, 8, backed_up=False)
        assert not passkeys.use(counting.id, 8, backed_up=False)
        assert not passkeys.use(counting.id, 0, backed_up=False)
        found = passkeys.by_credential(b"still")
        assert found is not None and found.backed_up and found.used_at is not None
