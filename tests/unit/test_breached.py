"""Passwords that others have lost: found without a network, and by five characters of a digest where allowed."""

import hashlib
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from idp import config, outbound, tenants
from idp.accounts import breached, strength
from idp.accounts.strength import Weak
from idp.cli import passwords
from idp.config import ConfigError, Settings
from idp.outbound import Document
from idp.tenants import Policy, Tenant, entered


@pytest.fixture
def tenant() -> Any:
    """A tenant of this file, entered."""
    before = config._settings
    config.use(Settings())
    with entered(Tenant(tenants.UUID(int=1), "acme", "Acme", "active", "http://localhost/t/acme")) as found:
        yield found
    config._settings = before


@pytest.mark.parametrize("word", ["baseball", "BASEBALL", "1qaz2wsx", "qwertyuiop", "superman", "trustno1"])
def test_bf08_common_passwords_are_known_as_they_are_and_without_capitals(tenant: Tenant, word: str) -> None:
    assert breached.known(word)


def test_hardly_a_good_one_is_taken_for_a_bad_one(tenant: Tenant) -> None:
    assert sum(breached.known(f"unlikely words {number} in a row") for number in range(5_000)) <= 2


@pytest.mark.parametrize("digests", [False, True])
def test_a_list_of_yours_becomes_a_filter(tenant: Tenant, tmp_path: Path, digests: bool) -> None:
    stolen = ["stolen from somebody", "another stolen pass", "bücher und ähnliches", "short"]
    lines = [f"{hashlib.sha1(each.encode()).hexdigest().upper()}:{7}" if digests else each for each in stolen]
    (tmp_path / "list").write_text("\n".join(lines), encoding="utf-8")
    made = tmp_path / "made.filter"
    done = CliRunner().invoke(
        passwords.command, ["build", str(tmp_path / "list"), "--to", str(made), "--json"]
    )
    assert done.exit_code == 0, done.output
    assert f'"entries": {4 if digests else 3}' in done.stdout
    assert not breached.known(stolen[0])
    config.use(Settings.load({"IDP_BREACHED_PASSWORDS": str(made)}))
    assert all(breached.known(each) for each in stolen[:3]) and not breached.known("stolen from nobody else")
    with pytest.raises(Weak, match="stolen"):
        strength.check(stolen[0], None)


def test_a_filter_that_is_none_stops_nobody_and_one_that_is_missing_the_start(
    tenant: Tenant, tmp_path: Path
) -> None:
    for content in (b"", b"x", b"idp passwords 1\n" + b"\x00" * 16):
        broken = tmp_path / f"{len(content)}.filter"
        broken.write_bytes(content)
        config.use(Settings().with_(breached_passwords=broken))
        assert not breached.known("a good password of mine") and breached.known("baseball")
    with pytest.raises(ConfigError, match="IDP_BREACHED_PASSWORDS"):
        Settings.load({"IDP_BREACHED_PASSWORDS": str(tmp_path / "none")})


def test_the_range_service_hears_five_characters_and_only_where_allowed(
    monkeypatch: pytest.MonkeyPatch, tenant: Tenant
) -> None:
    word = "nobody ever chose this one"
    name = hashlib.sha1(word.encode()).hexdigest().upper()
    asked: list[str] = []
    body = f"{'0' * 35}:3\r\n{name[5:]}:12\r\n".encode()

    def get(uri: str, kinds: tuple[str, ...], most: int, **_: Any) -> Document:
        asked.append(uri)
        return Document(body, None)

    monkeypatch.setattr(outbound, "get", get)
    assert not breached.known(word) and asked == []


def test_the_range_service_decides_where_the_policy_lets_it(monkeypatch: pytest.MonkeyPatch) -> None:
    word = "nobody ever chose this one"
    name = hashlib.sha1(word.encode()).hexdigest().upper()
    asked: list[str] = []
    bodies = [f"{name[5:]}:12\r\n", f"{name[5:]}:0\r\n", f"{'A' * 35}:9\r\n", ""]

    def get(uri: str, kinds: tuple[str, ...], most: int, **_: Any) -> Document:
        asked.append(uri)
        if not bodies:
            raise outbound.NotSent("away")
        return Document(bodies.pop(0).encode(), None)

    monkeypatch.setattr(outbound, "get", get)
    before = config._settings
    config.use(Settings())
    policy = Policy(breached_passwords_service=True)
    with entered(Tenant(tenants.UUID(int=1), "a", "A", "active", "http://localhost/t/a", policy=policy)):
        assert [breached.known(word) for _ in range(5)] == [True, False, False, False, False]
    assert set(asked) == {f"{breached.RANGE}{name[:5]}"} and name[5:] not in "".join(asked)
    config._settings = before
