"""Attacks on what sits between the tenants: they hold on the product, and a key or a value out of place is found."""

import json
from typing import Any

import pytest
from redis import Redis

from idp.prove import between, between_jobs, between_redis
from idp.prove.promises import Promise, Tally
from idp.prove.target import Target

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("promise", between.PROMISES, ids=lambda each: each.code)
def test_nothing_goes_from_one_tenant_to_the_other(target: Target, promise: Promise) -> None:
    tally = Tally()
    promise.probe(target, tally)
    assert tally.found == [] and tally.notes == []
    assert tally.tried >= 10


def test_what_lies_in_redis_out_of_place_is_found(target: Target) -> None:
    name = f"idp:{{{target.a.id}}}:session:0123"
    wrong = {"idp:session:0123": "{}", name: json.dumps({"t": target.b.id, "k": "code", "v": {}})}
    with Redis.from_url(target.redis_admin_url or "") as client:
        for key, value in wrong.items():
            client.set(key, value, ex=60)
        try:
            tally = Tally()
            between_redis.keys(target, tally)
        finally:
            client.delete(*wrong)
    assert [sentence.split(":")[0] for sentence in tally.found] == [
        "A key in Redis names no tenant", "A value of the kind session in Redis does not repeat its tenant and kind.",
        "A value of the kind session in Redis names another tenant.",
    ]  # fmt: skip


def test_a_job_that_reaches_another_tenant_is_found(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = between_jobs._messages

    def followed(*named: Any) -> Any:
        """What a careless worker would do with such messages: drop the copy in the name of whoever has it."""
        with Redis.from_url(target.redis_admin_url or "") as client:
            for key in client.scan_iter(match=f"idp:{{{target.b.id}}}:session:*"):
                client.delete(key)
        return whole(*named)

    monkeypatch.setattr(between_jobs, "_messages", followed)
    tally = Tally()
    between_jobs.misled(target, tally)
    assert any(sentence.endswith("changed that tenant's copies of sessions.") for sentence in tally.found)
