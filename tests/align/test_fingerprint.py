"""A fingerprint is the same of the same, holds no secret, and shows each kind of difference that is made for real."""

import json
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path

import pytest

from idp import directory
from idp.config import SECRET_NAMES
from idp.control import tenants
from idp.control.alignment import differences, fingerprint
from idp.control.alignment.levels import RULES, Level, rule_for
from idp.embedded.redis import OPERATOR, RUNTIME_USER
from idp.errors import Invalid
from tests.playing import PASSWORDS

TOP = Path(__file__).resolve().parents[2]


@pytest.fixture
def taken(services, twins):
    """`taken()` is the fingerprint now."""
    return lambda **changes: fingerprint.taken(services.settings.with_(**changes))


def found(here, there):
    return {each.path: each for each in differences.between(here, there)}


def test_it_is_the_same_of_the_same(taken):
    one, other = taken(), taken()
    assert fingerprint.text(one) == fingerprint.text(other)
    assert not differences.between(one, other)
    assert fingerprint.read(fingerprint.text(one)) == one


def test_it_holds_no_secret_and_nobody(taken, services):
    text = fingerprint.text(taken())
    for name in SECRET_NAMES:
        value = getattr(services.settings, name.removeprefix("IDP_").lower(), None)
        assert not value or value not in text
        assert not value or not (password := value.split("@")[0].rpartition(":")[2]) or password not in text
    for person in ("alice", "bob", "Adams", "example.com", *PASSWORDS.values()):
        assert person not in text


def test_every_setting_stands_in_it(taken, services):
    names = {field.name for field in fields(services.settings)}
    assert set(taken()["settings"]) == names | {"https"}


def test_every_place_has_a_rule_and_every_rule_a_sentence(taken):
    def places(path, part):
        for name, value in part.items():
            if isinstance(value, dict):
                yield from places((*path, name), value)
            elif path:
                yield (*path, name)

    *named, rest = RULES
    assert rest.path == ("*",)
    assert all(rule_for(place) in named for place in places((), taken()))
    for rule in RULES:
        assert rule.why.endswith(".")
        assert rule.change.endswith(".")
        assert rule_for(rule.path) is rule, "a line above it hides this one"


@contextmanager
def changed(database, change, back):
    database(change)
    try:
        yield
    finally:
        database(back)


POLICY = (
    "SELECT pg_get_expr(polqual, polrelid), polname FROM pg_policy WHERE polrelid = 'public.users'::regclass"
)

CHANGES = {
    "schema › policies › public.users.{policy}": (
        "DROP POLICY {policy} ON users",
        "CREATE POLICY {policy} ON users FOR ALL TO PUBLIC USING ({text}) WITH CHECK ({text})",
    ),
    "schema › tables › public.users › forced": (
        "ALTER TABLE users NO FORCE ROW LEVEL SECURITY", "ALTER TABLE users FORCE ROW LEVEL SECURITY",
    ),
    "schema › grants › public.users": ("GRANT TRUNCATE ON users TO idp_app", "REVOKE TRUNCATE ON users FROM idp_app"),
    "schema › roles › idp_app › settings": (
        "ALTER ROLE idp_app SET statement_timeout = '9s'", "ALTER ROLE idp_app SET statement_timeout = '2s'",
    ),
    "schema › roles › idp_readonly › attributes": (
        "ALTER ROLE idp_readonly BYPASSRLS", "ALTER ROLE idp_readonly NOBYPASSRLS",
    ),
    "schema › functions › public.doctored()": (
        "CREATE FUNCTION doctored() RETURNS int LANGUAGE sql AS 'SELECT 1'", "DROP FUNCTION doctored()",
    ),
}  # fmt: skip


@pytest.mark.parametrize("place", list(CHANGES))
def test_what_is_changed_in_the_schema_blocks(taken, database, place):
    before = taken()
    text, policy = database(POLICY)[0]
    change, back = (each.format(policy=policy, text=text) for each in CHANGES[place])
    with changed(database, change, back):
        after = taken()
        assert after["schema"]["digest"] != before["schema"]["digest"]
        told = found(after, before)[place.format(policy=policy)]
        assert told.level is Level.BLOCKS
    again = taken()
    again["schema"]["roles"] = before["schema"][
        "roles"
    ]  # a setting that was put back may have changed its place
    assert not [each for each in differences.between(again, before) if "policies" not in each.path]


def test_an_index_that_is_missing_matters(taken, database):
    before = taken()
    with changed(database, "CREATE INDEX doctored ON users (tenant_id, status)", "DROP INDEX doctored"):
        told = found(before, taken())["schema › indexes › public.doctored"]
    assert (told.level, told.here) == (Level.MATTERS, "absent")


def test_a_redis_that_evicts_blocks(taken, services):
    from redis import Redis

    before = taken()
    with Redis.from_url(services.redis.url(OPERATOR)) as client:
        client.config_set("maxmemory-policy", "allkeys-lru")
        try:
            told = found(taken(), before)["redis › settings › maxmemory_policy"]
        finally:
            client.config_set("maxmemory-policy", "noeviction")
    assert (told.level, told.here, told.there) == (Level.BLOCKS, "allkeys-lru", "noeviction")
    assert "redis.conf" in told.change


def test_a_user_of_redis_that_may_more_matters(taken, services):
    from redis import Redis

    before = taken()
    with Redis.from_url(services.redis.url(OPERATOR)) as client:
        client.execute_command("ACL", "SETUSER", RUNTIME_USER, "+config")
        try:
            told = found(taken(), before)["redis › user_may › configure"]
        finally:
            client.execute_command("ACL", "SETUSER", RUNTIME_USER, "-config")
    assert (told.level, told.here, told.there) == (Level.MATTERS, True, False)


def test_other_settings_matter_or_are_expected(taken):
    before = taken()
    other = taken(
        env="production",
        base_url="https://id.example.com",
        trusted_proxies=("10.0.0.0/8",),
        log_level="ERROR",
    )
    levels = {path: each.level for path, each in found(other, before).items()}
    assert levels == {
        "settings › base_url": Level.EXPECTED,
        "settings › env": Level.MATTERS,
        "settings › https": Level.MATTERS,
        "settings › log_level": Level.EXPECTED,
        "settings › trusted_proxies": Level.MATTERS,
    }


def test_another_library_matters_unless_it_is_for_development_alone(taken):
    before = taken()
    needs = {line.split(">")[0].strip() for line in (TOP / "requirements" / "embedded.in").read_text().splitlines()
             if line and not line.startswith("#")}  # fmt: skip
    assert needs <= set(before["libraries"])
    image = json.loads(json.dumps(before))
    image["libraries"] |= dict.fromkeys(needs, "absent")
    image["libraries"]["joserfc"] = "1.0.0"
    levels = {path: each.level for path, each in found(before, image).items()}
    expected = {f"libraries › {name}": Level.EXPECTED for name in needs}
    assert levels == {**expected, "libraries › joserfc": Level.MATTERS}


def test_another_policy_of_a_tenant_matters(taken):
    before = taken()
    tenants.update("acme", {"policy": {"code_lifetime": 30}})
    told = found(taken(), before)["tenants › acme › policy › code_lifetime"]
    assert (told.level, told.here, told.there) == (Level.MATTERS, 30, "absent")


def test_a_tenant_of_one_alone_is_expected_and_a_suspended_one_matters(taken):
    before = taken()
    tenants.suspend("globex")
    assert found(taken(), before)["tenants › globex › status"].level is Level.MATTERS
    del before["tenants"]["globex"]
    assert found(taken(), before)["tenants › globex"].level is Level.EXPECTED


def test_canaries_of_a_proof_are_left_out(taken, database):
    before = taken()
    tenants.create("canary-a-1")
    directory.poll()
    assert not differences.between(taken(), before)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda content: content.pop("format"), "no fingerprint"),
        (lambda content: content.update(format="other"), "no fingerprint"),
        (lambda content: content.update(version=2), "use the newer idp"),
        (lambda content: content.update(version="1"), "in which version"),
        (lambda content: content.update(version=0), "in which version"),
    ],
)
def test_a_file_of_another_kind_or_a_newer_one_is_refused(taken, change, words):
    content = taken()
    change(content)
    with pytest.raises(Invalid, match=words):
        fingerprint.read(json.dumps(content))


def test_what_is_no_json_or_not_whole_is_refused(taken):
    for text in ("", "{", "[]", "null", "[" * 100_000):
        with pytest.raises(Invalid, match="no fingerprint"):
            fingerprint.read(text)
    content = taken()
    with pytest.raises(Invalid, match="schema is missing"):
        differences.between(content, {name: part for name, part in content.items() if name != "schema"})
