"""The public set: what is published, sorted, with no private member, until the next boundary."""

import datetime as dt
import json
from collections.abc import Iterator
from dataclasses import replace

import freezegun
import pytest
from jwt import PyJWKSet

from idp import clock
from idp.signing import cache, jwks, jwt, keys
from idp.tenants import entered
from tests.unit.keyrings import Keyring, keyring

PRIVATE = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"}


@pytest.fixture
def ring() -> Iterator[Keyring]:
    with keyring() as made:
        yield made


def test_tk25_every_key_is_public_named_and_for_signatures(ring: Keyring) -> None:
    with entered(ring.tenant()):
        document = jwks.document()
    assert len(document["keys"]) == 2 * len(keys.ALGORITHMS)
    assert [key["kid"] for key in document["keys"]] == sorted(key["kid"] for key in document["keys"])
    for key in document["keys"]:
        assert not PRIVATE & set(key)
        assert key["use"] == "sig"
        assert key["alg"] in keys.ALGORITHMS
        assert set(key) <= {"kid", "use", "alg", *jwks.MEMBERS}
    assert len(PyJWKSet.from_json(json.dumps(document)).keys) == len(document["keys"])


def test_a_private_member_in_a_row_would_not_come_out(ring: Keyring) -> None:
    with entered(ring.tenant()) as tenant:
        ring.rows[tenant.id] = tuple(
            replace(row, public={**row.public, "d": "secret"}) for row in ring.rows[tenant.id]
        )
        assert "secret" not in json.dumps(jwks.document())
        for alg in keys.ALGORITHMS:
            row = cache.load().signer(alg, clock.now())
            assert row is not None
            assert not PRIVATE & set(cache.describe(cache.private_key(row, tenant.id).public_key))


def test_the_document_changes_exactly_when_it_says(ring: Keyring) -> None:
    with freezegun.freeze_time("2026-01-01") as time, entered(ring.tenant(algs=("ES256",))):
        before = jwks.document()
        until = jwks.expires()
        assert until is not None
        assert dt.timedelta(days=80) < until - clock.now() < dt.timedelta(days=90)
        time.move_to(until - dt.timedelta(seconds=1))
        assert jwks.document() == before
        assert jwks.expires() == until
        time.move_to(until)
        assert jwks.document()["keys"] == before["keys"]  # retiring is still public
        later = jwks.expires()
        assert later == until + keys.LONGEST_TOKEN
        time.move_to(later)
        assert len(jwks.document()["keys"]) == 1
        assert jwks.expires() is None


def test_f21_a_herd_reads_a_tenants_rows_once_for_each_version(
    ring: Keyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    from concurrent.futures import ThreadPoolExecutor

    from idp.store.durable import signing_keys

    asked: list[int] = []
    rows = signing_keys.all_keys
    monkeypatch.setattr(signing_keys, "all_keys", lambda: asked.append(1) or rows())
    tenant = ring.tenant()

    def fetch(version: int) -> int:
        with entered(replace(tenant, version=version)):
            return len(jwks.document()["keys"])

    with ThreadPoolExecutor(16) as pool:
        assert set(pool.map(fetch, [1] * 500)) == {8}
        assert len(asked) == 1
        assert set(pool.map(fetch, [2] * 500)) == {8}
        assert len(asked) == 2


def test_keys_outlive_an_outage_by_seconds_only(ring: Keyring, monkeypatch: pytest.MonkeyPatch) -> None:
    from idp.errors import Busy
    from idp.store.durable import signing_keys

    tenant = ring.tenant()
    with entered(tenant):
        jwks.document()

    def away() -> tuple[()]:
        raise Busy

    monkeypatch.setattr(signing_keys, "all_keys", away)
    elapsed = [0.0]
    monkeypatch.setattr(clock, "monotonic", lambda: elapsed[0])
    with entered(replace(tenant, version=2)):
        assert jwt.algorithms() == keys.ALGORITHMS
        elapsed[0] = cache.GRACE - 0.1
        assert jwt.algorithms() == keys.ALGORITHMS
        elapsed[0] = cache.GRACE + 0.1
        with pytest.raises(Busy):
            jwt.algorithms()
    with entered(tenant):  # nothing has changed as far as this process knows
        assert jwt.algorithms() == keys.ALGORITHMS
