"""Upstreams and identities: each tenant's own, under the very same names, issuers and subjects."""

from dataclasses import replace
from typing import Any

import pytest

from idp import clock
from idp.errors import Conflict
from idp.ids import uuid7
from idp.store.database import transaction
from idp.store.durable import upstreams
from idp.store.durable.upstreams import Upstream
from idp.tenants import Tenant, entered

ISSUER = "https://id.example"


def made(**changes: Any) -> Upstream:
    at = clock.now()
    plain = Upstream(
        uuid7(), "corp", "openid", ISSUER, "us", "k1", b"sealed", None, "active", {"display_name": "Corp"}, at, at
    )  # fmt: skip
    return replace(plain, **changes)


def test_twins_have_their_own_under_one_name(acme: Tenant, globex: Tenant) -> None:
    mine = made()
    with entered(acme):
        upstreams.add(mine)
        assert upstreams.by_name("corp") == mine == upstreams.by_id(mine.id)
    with entered(globex):
        assert (
            upstreams.every() == () and upstreams.by_name("corp") is None and upstreams.by_id(mine.id) is None
        )
        assert not upstreams.change(replace(mine, client_id="stolen")) and not upstreams.remove(mine.id)
        assert upstreams.under_others("other") == () and upstreams.sealed_by() == {}
        with transaction():
            assert upstreams.held(mine.id) is None
        upstreams.add(made(client_id="theirs"))
        assert [each.client_id for each in upstreams.every()] == ["theirs"]
    with entered(acme):
        assert upstreams.every() == (mine,) and upstreams.under_others("k2") == (mine,)
        assert upstreams.under_others("k1") == () and upstreams.sealed_by() == {"k1": 1}
        assert upstreams.change(replace(mine, status="suspended"))
        held = upstreams.held(mine.id)
        assert held is not None and not held.active
        assert upstreams.remove(mine.id) and upstreams.every() == ()


@pytest.mark.parametrize("taken", [{"name": "other"}, {"issuer": "https://other.example"}])
def test_a_name_and_an_issuer_are_there_once(in_acme: Tenant, taken: dict[str, str]) -> None:
    upstreams.add(made())
    with pytest.raises(Conflict):
        upstreams.add(made(**taken))
    free = made(name="other", issuer="https://other.example")
    upstreams.add(free)
    with pytest.raises(Conflict):
        upstreams.change(replace(free, **({"name": "corp"} if "issuer" in taken else {"issuer": ISSUER})))
    assert {each.issuer for each in upstreams.every()} == {ISSUER, "https://other.example"}
