"""The command table and what the commands share."""

import importlib
import json
import pkgutil
import subprocess
import sys

import click
import pytest

from idp import cli
from idp.cli import demo, session
from idp.errors import Conflict


def test_every_command_is_in_the_table_and_every_entry_has_its_module():
    modules = {
        module.name for module in pkgutil.iter_modules(cli.__path__) if not module.name.startswith("_")
    }
    commands = {name for name in modules if hasattr(importlib.import_module(f"idp.cli.{name}"), "command")}
    assert {module for module, _ in cli.COMMANDS.values()} == commands


def test_help_imports_no_command_and_no_framework():
    script = (
        "import sys; from idp import cli; cli.status(['--help']);"
        "print(sorted({'flask', 'sqlalchemy', 'redis', 'idp.cli.up'} & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stderr == "[]\n"
    assert "Run everything here" in done.stdout


def run(monkeypatch, capsys, function, *arguments):
    monkeypatch.setattr(
        cli.Table, "get_command", lambda *_: click.command("probe")(session.options(function))
    )
    status = cli.status(["probe", *arguments])
    return status, capsys.readouterr()


def test_refusal_is_a_sentence_and_exit_2(monkeypatch, capsys):
    def refuse():
        raise Conflict("There is a tenant of that name.")

    status, said = run(monkeypatch, capsys, refuse)
    assert (status, said.out, said.err) == (2, "", "idp: There is a tenant of that name.\n")


def test_unexpected_error_is_a_sentence_without_logins(monkeypatch, capsys):
    def fail():
        raise RuntimeError("no route to postgresql://idp_app:secret@db/idp\nand more")

    status, said = run(monkeypatch, capsys, fail)
    assert status == 2
    assert said.err.count("\n") == 1
    assert "RuntimeError" in said.err and "secret" not in said.err


def test_unknown_option_is_exit_2(monkeypatch, capsys):
    assert run(monkeypatch, capsys, lambda: None, "--nonsense")[0] == 2


@pytest.mark.parametrize("arguments", [("--json", "--as", "ops", "--reason", "audit"), ()])
def test_shared_options_and_the_actor(monkeypatch, capsys, arguments):
    def show():
        actor = session.actor()
        session.answer({"id": actor.id, "reason": actor.reason}, "words")

    status, said = run(monkeypatch, capsys, show, *arguments)
    assert status == 0
    if arguments:
        assert json.loads(said.out) == {"id": "ops", "reason": "audit"}
    else:
        assert (said.out, said.err) == ("", "words\n")


def test_no_is_exit_1(monkeypatch, capsys):
    with pytest.raises(SystemExit) as ended:
        run(monkeypatch, capsys, session.no)
    assert ended.value.code == 1


def test_demonstration_moves_with_the_port(tmp_path):
    (tmp_path / "run").mkdir()
    text = demo.blueprint(tmp_path, 9001).read_text()
    assert "http://localhost:9002/callback" in text
    assert "localhost:8001" not in text and "localhost:8000" not in text
    names = {name: env for name, _, env in demo.programs("http://localhost:9001", 9001)}
    assert (
        names["relying-party"]["IDP_ISSUER"]
        == names["service"]["IDP_ISSUER"]
        == "http://localhost:9001/t/acme"
    )
    assert names["relying-party"]["SERVICE_URL"].endswith(":" + names["service"]["PORT"])
