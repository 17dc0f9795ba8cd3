"""The key ring: made once, never in silence over data; newest wraps, all unwrap."""

import json
import stat
import sys
import uuid
from pathlib import Path

import pytest

from idp.config import ConfigError, Settings
from idp.signing import envelope, ring

TENANT, OTHER = uuid.uuid4(), uuid.uuid4()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings.load({}, home=tmp_path, keys=tmp_path / "keys")


def test_a_new_ring_is_made_for_new_data_only_and_found_again(settings: Settings) -> None:
    made = ring.ensure(settings, data_exists=False)
    file = settings.keys / "kek.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(settings.keys.stat().st_mode) == 0o700
    assert ring.ensure(settings, data_exists=True) == made == ring.load(settings)


def test_f20_data_without_its_ring_refuses_in_one_sentence(settings: Settings) -> None:
    with pytest.raises(ConfigError, match="restore the ring from its backup") as refused:
        ring.ensure(settings, data_exists=True)
    assert refused.value.field == "IDP_KEYS"
    assert not settings.keys.exists()
    with pytest.raises(ConfigError):
        ring.load(settings)


@pytest.mark.parametrize("mode", [0o644, 0o604, 0o660, 0o602])
def test_a_ring_that_others_may_read_or_replace_is_refused(settings: Settings, mode: int) -> None:
    ring.ensure(settings, data_exists=False)
    (settings.keys / "kek.json").chmod(mode)
    with pytest.raises(ConfigError, match="others may read"):
        ring.load(settings)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        '{"keys": []}',
        '{"keys": [{"id": "a", "created_at": "2026-01-01T00:00:00+00:00", "key": "AAAA"}]}',
        '{"keys": [{"id": "a"}]}',
        '{"keys": "x"}',
    ],
)
def test_a_ring_that_cannot_be_read_names_its_setting_and_none_of_its_content(content: str) -> None:
    with pytest.raises(ConfigError) as refused:
        ring.load(Settings(key_ring=content or " "))
    assert refused.value.field == "IDP_KEY_RING"
    assert "AAAA" not in str(refused.value)
    assert refused.value.__cause__ is None


def test_the_newest_wraps_and_all_unwrap() -> None:
    old = ring.Ring((ring.make(),))
    first_id, first = old.wrap(b"one", TENANT, "k")
    both = ring.added(old)
    second_id, second = both.wrap(b"two", TENANT, "k")
    assert first_id != second_id == both.newest.id
    assert both.unwrap(first_id, first, TENANT, "k") == b"one"
    assert both.unwrap(second_id, second, TENANT, "k") == b"two"
    with pytest.raises(ring.UnknownRingKey):
        old.unwrap(second_id, second, TENANT, "k")
    left = ring.dropped(both, first_id)
    with pytest.raises(ring.UnknownRingKey):
        left.unwrap(first_id, first, TENANT, "k")
    with pytest.raises(ValueError, match="newest"):
        ring.dropped(both, second_id)


def test_what_is_derived_depends_on_purpose_and_key_alone() -> None:
    root = ring.Ring((ring.make(), ring.make()))
    assert root.derive(b"a") == root.derive(b"a") != root.derive(b"b")
    assert [name for name, _ in root.derive_all(b"a")] == [key.id for key in reversed(root.keys)]
    assert root.derive_all(b"a")[0][1] == root.derive(b"a")
    assert root.newest.secret not in {value for _, value in root.derive_all(b"a")}


def test_repr_shows_no_key_bytes() -> None:
    key = ring.make()
    assert str(key.secret) not in repr(ring.Ring((key,)))
    assert "secret" not in repr(key)


def test_the_environment_carries_a_ring_and_cannot_be_written(settings: Settings) -> None:
    ring.ensure(settings, data_exists=False)
    content = (settings.keys / "kek.json").read_text()
    told = settings.with_(key_ring=content)
    assert ring.load(told) == ring.load(settings)
    with pytest.raises(ConfigError, match="comes from the environment"):
        ring.save(ring.driver(told), ring.added(ring.load(told)))


def test_a_key_service_wraps_the_ring_by_a_command(settings: Settings, tmp_path: Path) -> None:
    script = tmp_path / "kms.py"
    script.write_text(
        "import sys; d = sys.stdin.buffer.read(); sys.stdout.buffer.write(bytes(b ^ 0x5A for b in d))"
    )
    settings.keys.mkdir()
    file = settings.keys / "kek.json"
    argv = [sys.executable, str(script)]
    made = ring.Ring((ring.make(),))
    from idp.signing.drivers import Command, File

    base = File(file)
    source = Command(base, argv)
    base.write({"command": argv, "keys": []})
    ring.save(source, made)
    assert ring.load(settings).newest.secret == made.newest.secret
    stored = json.loads(file.read_text())
    assert stored["command"] == argv
    assert base.unwrap(stored["keys"][0]["key"]) != made.newest.secret
    file.write_text(json.dumps({**stored, "command": ["/nonexistent/kms"]}))
    with pytest.raises(ConfigError, match="did not unwrap"):
        ring.load(settings)


def test_a_process_takes_up_a_key_that_was_added_meanwhile(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ring, "process_settings", lambda: settings)
    monkeypatch.setattr(ring._Process, "ring", None)
    monkeypatch.setattr(ring._Process, "looked", float("-inf"))
    old = ring.use(ring.ensure(settings, data_exists=False))
    renewed = ring.added(old)
    ring.save(ring.driver(settings), renewed)
    assert ring.ring() == old
    assert ring.holding(renewed.newest.id) == renewed == ring.ring()
    # An id that is nowhere does not make every request read the file again.
    assert ring.holding("0" * 12) == renewed
    ring.save(ring.driver(settings), ring.added(renewed))
    assert ring.holding("0" * 12) == renewed


def test_au08_a_sealed_key_opens_only_in_its_tenant_and_row() -> None:
    root = ring.Ring((ring.make(),))
    kek_id, sealed = root.wrap(b"private", TENANT, "k1")
    assert root.unwrap(kek_id, sealed, TENANT, "k1") == b"private"
    for tenant, kid in ((OTHER, "k1"), (TENANT, "k2")):
        with pytest.raises(envelope.Unsealable):
            root.unwrap(kek_id, sealed, tenant, kid)
