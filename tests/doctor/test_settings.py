"""Settings and files by themselves: each finding is caused by exactly one thing."""

import re
from pathlib import Path

import pytest

from idp.config import ConfigError, Settings
from idp.control.doctor import run
from idp.control.doctor.world import World

SOURCE = Path(run.__file__).parent
GROUPS = ("environment", "files", "postgres", "redis", "dns", "tls", "port", "discovery", "headers", "cookies",
          "redirect", "issuer")  # fmt: skip


def plain(environment=None, **changes):
    return World(Settings(**{"base_url": "https://id.example.com", "trusted_proxies": ("10.0.0.1",), **changes}),
                 environment or {}, closed="Nothing is open here.")  # fmt: skip


@pytest.mark.parametrize(
    ("name", "environment", "expected"),
    [
        ("environment", {"IDP_BASE_URL": "x", "HOME": "/", "PATH": "/bin"}, []),
        ("environment", {"IDP_DATABSE_URL": "x"}, ["environment.unknown"]),
        ("environment", {"HTTP_HOST": "x"}, ["environment.header"]),
    ],
)
def test_names(codes, name, environment, expected):
    assert codes(name, plain(environment)) == expected


def test_a_typo_is_told_with_the_nearest_name():
    (finding,) = run.one(run.EXAMINATIONS[0], plain({"IDP_TRUSTED_PROXY": "x"})).findings
    assert finding.where == "IDP_TRUSTED_PROXY"
    assert "IDP_TRUSTED_PROXIES" in finding.change
    (finding,) = run.one(run.EXAMINATIONS[0], plain({"IDP_SOMETHING": "x"})).findings
    assert "take it out" in finding.change


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, []),
        ({"trusted_proxies": ()}, ["environment.no_proxy"]),
        ({"trusted_proxies": (), "base_url": "http://localhost:8000"}, []),
        ({"trusted_proxies": ("proxy",)}, ["environment.proxies"]),
        ({"trusted_proxies": ("10.0.0.1", "0.0.0.0/0")}, ["environment.proxies_everyone"]),
        ({"trusted_proxies": ("2001:db8::/15",)}, ["environment.proxies_everyone"]),
    ],
)
def test_proxies(codes, changes, expected):
    assert codes("proxies", plain(**changes)) == expected


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, []),
        ({"domain": "id.example.net"}, []),
        ({"domain": "https://id.example.net"}, ["environment.domain"]),
        ({"domain": "example.com"}, ["environment.base_in_domain"]),
    ],
)
def test_domain(codes, changes, expected):
    assert codes("domain", plain(**changes)) == expected


def test_files(codes, tmp_path):
    folder = tmp_path / "keys"
    folder.mkdir(mode=0o700)
    assert codes("files", plain(keys=folder)) == ["files.no_ring"]
    ring = folder / "kek.json"
    ring.write_text("{}")
    ring.chmod(0o600)
    (folder / "README.md").write_text("public")
    assert codes("files", plain(keys=folder)) == []
    ring.chmod(0o640)  # how orchestrators hand secrets to an unprivileged process
    assert codes("files", plain(keys=folder)) == []
    ring.chmod(0o644)
    assert codes("files", plain(keys=folder)) == ["files.readable"]
    ring.chmod(0o600)
    folder.chmod(0o777)
    assert codes("files", plain(keys=folder)) == ["files.keys_folder"]
    assert codes("files", plain(keys=folder, key_ring="{}"))[0].startswith(
        "not tried: The key ring comes by IDP_KEY_RING"
    )


def test_what_needs_the_vault_is_not_tried_and_the_rest_goes_on(tmp_path):
    results = {
        result.name: result for result in run.look(plain(keys=tmp_path, base_url="http://localhost:1"))
    }
    assert len(results) == len(run.EXAMINATIONS)
    for name in ("postgres.server", "dns.hosts", "redirects", "discovery", "headers", "cookies"):
        assert results[name].not_tried == "Nothing is open here."
    assert "nothing listens on port 1" in results["port"].not_tried
    assert results["files"].findings
    assert results["environment"].not_tried is None


def test_a_setting_that_cannot_be_read_is_a_finding():
    first, *others = run.unreadable(ConfigError("IDP_BASE_URL", "must be a scheme and a host"))
    assert [finding.code for finding in first.findings] == ["environment.setting"]
    assert first.findings[0].where == "IDP_BASE_URL"
    assert all(result.not_tried for result in others)


def test_every_code_has_a_test_that_breaks_exactly_that():
    known = set()
    for file in SOURCE.glob("*.py"):
        known |= set(re.findall(rf'"((?:{"|".join(GROUPS)})\.[a-z_]+)"', file.read_text()))
    known -= {each.name for each in run.EXAMINATIONS} | {"redis.conf"}
    tried = set()
    for file in Path(__file__).parent.glob("test_*.py"):
        tried |= set(re.findall(r'"([a-z]+\.[a-z_]+)"', file.read_text()))
    assert len(known) > 45
    assert known - tried == set()
    manual = (Path(__file__).parents[2] / "docs" / "operations.md").read_text()
    section = manual.partition("## Configuration and truth")[2].partition("\n## ")[0]
    assert not [code for code in known if f".{code.partition('.')[2]}`" not in section]
