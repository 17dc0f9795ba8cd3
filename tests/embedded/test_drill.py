"""The restore drill: a deployment is lost, its backup comes back elsewhere, and what was promised still holds.

Told at the end: how long each step took, which is what `docs/operations.md` says of it.
"""

import json
import shutil
import stat
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from idp.prove.browser import Browser
from idp.prove.service import Service
from idp.prove.visitor import Party
from idp.prove.wire import Net
from tests.playing import PASSWORDS
from tests.running import TOP, free_ports, idp, up, within

pytestmark = pytest.mark.slow

TWINS = TOP / "tests" / "twins.yaml"
PASSWORD = PASSWORDS["acme", "alice"]


@dataclass
class Loss:
    """What a deployment left behind: a backup, its key ring, and what its clients still hold."""

    place: Path
    port: int
    tokens: dict[str, Any] = field(default_factory=dict)
    revoked: dict[str, Any] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def file(self) -> Path:
        """The backup."""
        return self.place / "backup.idp"

    def ring(self, home: Path) -> None:
        """Put the ring's own backup into the keys folder of another deployment."""
        (home / "keys").mkdir(parents=True, mode=0o700)
        shutil.copy(self.place / "kek.json", home / "keys" / "kek.json")

    def timed(self, name: str, *arguments: str, status: int = 0) -> Any:
        """Run a command of ours, note how long it took, and read its JSON."""
        began = time.monotonic()
        done = idp(*arguments, "--json", timeout=900)
        self.seconds[name] = time.monotonic() - began
        assert done.returncode == status, done.stderr
        return json.loads(done.stdout) if done.stdout.strip() else None


def party(net: Net, port: int) -> Party:
    """Acme's client `web`."""
    issuer = f"http://localhost:{port}/t/acme"
    secret = "acme-web-secret-0123456789-0123456789"
    return Party(net, issuer, "web", "http://localhost:8001/callback", secret, scope="openid offline_access")


@pytest.fixture(scope="module")
def loss(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loss]:
    """A deployment that was used, backed up while it ran, and is gone."""
    place = tmp_path_factory.mktemp("drill")
    lost, home = Loss(place, free_ports()), place / "first"
    with up(home, "--blueprint", str(TWINS), port=lost.port) as running, Net() as net:
        running.wait_ready()
        rp = party(net, lost.port)
        lost.tokens = rp.sign_in(Browser(net, rp.issuer), "alice", PASSWORD)
        lost.revoked = rp.sign_in(Browser(net, rp.issuer), "alice", PASSWORD)
        lost.timed("backup", "backup", "--to", str(lost.file), "--home", str(home))
        assert rp.revoke(lost.revoked["refresh_token"]).status == 200
        assert rp.introspect(lost.revoked["access_token"]).json() == {"active": False}
        running.end()
    shutil.copy(home / "keys" / "kek.json", place / "kek.json")
    shutil.rmtree(home)
    yield lost


def test_f30_the_whole_drill(loss: Loss, capsys: pytest.CaptureFixture[str]) -> None:
    home = loss.place / "second"
    loss.ring(home)
    done = loss.timed("restore --verify", "restore", str(loss.file), "--verify", "--home", str(home))
    assert done["rows"] > 50 and done["behind"] == 0
    assert done["verified"]["wrong"] == [] and done["verified"]["keys"] >= 8
    assert done["proved"]["holds"] and done["proved"]["tried"] > 5_000 and done["proved"]["found"] == []
    with up(home, port=loss.port) as running, Net() as net:
        began = time.monotonic()
        running.wait_ready()
        loss.seconds["start"] = time.monotonic() - began
        rp = party(net, loss.port)
        assert Service(net, rp.issuer, rp.issuer).check(loss.tokens["access_token"])["tenant"] == "acme"
        assert rp.userinfo(loss.tokens["access_token"]).status == 200
        refreshed = rp.refresh(loss.tokens["refresh_token"]).json()
        assert rp.introspect(refreshed["access_token"]).json()["active"]
        # What was revoked after the backup was taken is good again: this is why not-before is there.
        assert rp.introspect(loss.revoked["access_token"]).json()["active"]
        loss.timed("not-before", "not-before", "--all", "--home", str(home))
        assert within(5, lambda: not rp.introspect(loss.revoked["access_token"]).json()["active"])
        for held in (loss.tokens, refreshed):
            assert rp.introspect(held["access_token"]).json() == {"active": False}
            assert rp.refresh(held["refresh_token"]).status == 400
        assert rp.sign_in(Browser(net, rp.issuer), "alice", PASSWORD)["refresh_token"]
        proof = loss.timed("prove", "prove", "--home", str(home))
        assert proof["holds"]
        # What is recorded from now on is sealed on behind what was restored.
        assert within(10, lambda: _sealed(home))
        running.end()
    with capsys.disabled():
        print("\n  the drill:", ", ".join(f"{name} {took:.1f} s" for name, took in loss.seconds.items()))


def _sealed(home: Path) -> bool:
    """Whether the chain is whole and covers everything."""
    done = idp("audit", "verify", "--tenant", "acme", "--json", "--home", str(home))
    verdict = json.loads(done.stdout)
    return bool(verdict["whole"] and verdict["unsealed"] == 0)


def test_a_backup_is_its_owners_alone_and_holds_no_key(loss: Loss) -> None:
    assert stat.S_IMODE(loss.file.stat().st_mode) == 0o600
    secrets = [key["key"] for key in json.loads((loss.place / "kek.json").read_text())["keys"]]
    with zipfile.ZipFile(loss.file) as file:
        names = file.namelist()
        content = b"".join(file.read(name) for name in names)
    assert "users.copy" in names and "manifest.json" in names and "keys.copy" not in names
    assert all(secret.encode() not in content for secret in secrets)


def _refused(*arguments: str) -> str:
    done = idp(*arguments, timeout=120)
    assert done.returncode == 2 and "Traceback" not in done.stderr, done.stderr
    return done.stderr


def test_a_backup_is_not_written_over_another(loss: Loss) -> None:
    home = loss.place / "second"
    assert "is there already" in _refused("backup", "--to", str(loss.file), "--home", str(home))


def test_a_restore_refuses_what_is_not_empty(loss: Loss) -> None:
    home = loss.place / "second"
    assert "into an empty cluster only" in _refused("restore", str(loss.file), "--home", str(home))


@pytest.mark.parametrize("damage", ["cut", "changed", "absent", "no backup"])
def test_a_restore_refuses_a_file_that_is_not_whole(loss: Loss, tmp_path: Path, damage: str) -> None:
    file = tmp_path / "damaged.idp"
    content = loss.file.read_bytes()
    if damage == "changed":
        with zipfile.ZipFile(loss.file) as old, zipfile.ZipFile(file, "w") as new:
            for name in old.namelist():
                text = old.read(name)
                new.writestr(name, text.replace(b"alice", b"mallory") if name == "users.copy" else text)
    elif damage != "absent":
        file.write_bytes(content[: len(content) // 2] if damage == "cut" else b"hello")
    home = tmp_path / "home"
    loss.ring(home)
    said = _refused("restore", str(file), "--home", str(home))
    assert "not a whole backup" in said or "There is no file" in said


@pytest.mark.parametrize("ring", ["none", "another"])
def test_a_restore_refuses_another_key_ring(loss: Loss, tmp_path: Path, ring: str) -> None:
    home = tmp_path / "home"
    loss.ring(home)
    kept = home / "keys" / "kek.json"
    if ring == "none":
        kept.unlink()
    else:
        document = json.loads(kept.read_text())
        document["keys"][0]["id"] = "0123456789ab"
        kept.write_text(json.dumps(document))
    assert "IDP_KEYS" in _refused("restore", str(loss.file), "--home", str(home))
    assert not (home / "keys" / "kek.json").exists() or ring == "another"
