"""Two deployments that are alike, by the command; then one is changed."""

import json
import shutil

import pytest

from tests.running import idp, up


@pytest.mark.slow
def test_two_deployments_are_alike_until_one_is_changed(tmp_path):
    one, two, file = tmp_path / "one", tmp_path / "two", tmp_path / "one.json"
    with up(one) as running:
        running.wait_ready()
        assert idp("tenant", "create", "acme", "--home", str(one)).returncode == 0
        done = idp("align", "--export", str(file), "--home", str(one))
        assert done.returncode == 0, done.stderr
        running.end()
    shutil.copytree(one, two)
    home = ("--home", str(two))
    alike = idp(
        "align", "--against", str(file), *home, "--json"
    )  # stopped: its servers are started for the command
    assert alike.returncode == 0, alike.stderr + alike.stdout
    assert {each["level"] for each in json.loads(alike.stdout)["differences"]} <= {"expected"}
    assert idp("tenant", "update", "acme", "--set", "policy.session_idle=60", *home).returncode == 0
    changed = idp("align", "--against", str(file), *home)
    assert (changed.returncode, changed.stdout) == (1, "")
    assert "matters   tenants › acme › policy › session_idle" in changed.stderr
    assert "1 differences matter" in changed.stderr


def test_what_cannot_be_done_is_a_sentence(tmp_path):
    file = tmp_path / "newer.json"
    file.write_text(json.dumps({"format": "idp.align", "version": 99}))
    for arguments, words in (
        (("--against", str(file)), "use the newer idp"),
        (("--against", str(tmp_path / "none.json")), "does not exist"),
        ((), "Give --export FILE"),
        (("--export", "-", "--against", str(file)), "Give --export FILE"),
    ):
        done = idp("align", *arguments, "--home", str(tmp_path / "home"))
        assert (done.returncode, done.stdout) == (2, "")
        assert words in done.stderr
        assert "Traceback" not in done.stderr
