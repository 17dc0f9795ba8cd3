"""`idp doctor` as people run it: a running deployment, a stopped one, a broken one."""

import json

import pytest

from tests.running import idp, up


@pytest.mark.slow
def test_running_stopped_and_broken(tmp_path):
    home = ("--home", str(tmp_path / "home"))
    with up(tmp_path / "home") as running:
        running.wait_ready()
        assert idp("tenant", "create", "acme", *home).returncode == 0
        well = idp("doctor", *home)
        assert (well.returncode, well.stdout) == (0, ""), well.stderr
        assert "Configuration and truth agree" in well.stderr
        assert "✓ Discovery documents from outside" in well.stderr
        running.end()
    stopped = idp("doctor", *home, "--json")  # its servers are started for the command, the provider is not
    assert stopped.returncode == 0, stopped.stdout
    states = {each["name"]: each["state"] for each in json.loads(stopped.stdout)["examinations"]}
    assert states["postgres.server"] == states["redis.server"] == "ok"
    assert states["port"] == states["discovery"] == states["cookies"] == "not tried"
    token = idp("explain-token", "a.b.c", *home)
    assert (token.returncode, token.stdout) == (1, "")
    assert "It is refused by token.encoding." in token.stderr
    typo = idp("doctor", *home, IDP_TRUSTED_PROXY="10.0.0.1")
    assert typo.returncode == 1
    assert "environment.unknown" in typo.stderr
    assert "write IDP_TRUSTED_PROXIES" in typo.stderr


def test_a_setting_that_cannot_be_read_is_a_finding(tmp_path):
    done = idp("doctor", "--json", "--home", str(tmp_path), IDP_BASE_URL="id.example.com")
    assert done.returncode == 1
    first = json.loads(done.stdout)["examinations"][0]
    assert first["findings"][0]["code"] == "environment.setting"
    assert first["findings"][0]["where"] == "IDP_BASE_URL"


def test_servers_that_do_not_answer_are_findings_and_the_rest_goes_on(tmp_path):
    given = {
        "IDP_ENV": "production", "IDP_BASE_URL": "https://localhost:1", "IDP_KEYS": str(tmp_path),
        "IDP_DATABASE_URL": "postgresql://idp_app:secret-word@127.0.0.1:1/idp",
        "IDP_REDIS_URL": "redis://idp_app:secret-word@127.0.0.1:1/0",
    }  # fmt: skip
    done = idp("doctor", "--json", "--home", str(tmp_path / "home"), **given)
    assert done.returncode == 1, done.stderr
    assert "secret-word" not in done.stdout + done.stderr
    found = [
        each["code"] for result in json.loads(done.stdout)["examinations"] for each in result["findings"]
    ]
    assert found == ["environment.no_proxy", "files.no_ring", "postgres.login", "redis.login"]


def test_what_cannot_be_done_is_a_sentence(tmp_path):
    for arguments, words in (
        (("--home", str(tmp_path / "nothing")), "There is no deployment"),
        (("--via", "nowhere"), "must be HOST:PORT"),
    ):
        done = idp("doctor", *arguments)
        assert (done.returncode, done.stdout) == (2, "")
        assert words in done.stderr
        assert "Traceback" not in done.stderr
