"""Broken servers: a few of them are served and noticed here; each one still fits the source."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from idp.cli import proving
from idp.embedded import scratch
from idp.prove import mutants_server, run
from idp.prove.broken_servers import SERVERS, Server
from idp.prove.mutants import Scratch
from idp.prove.promises import NotProved
from idp.prove.target import Program

_HERE = (
    "a store without a namespace",
    "documents kept by host and last name",
    "introspection for whoever asks",
    "requests that anybody may sign for a client",
)
"""The cheapest of each kind; `idp prove --mutants` tries all."""


@pytest.mark.parametrize("server", SERVERS, ids=lambda each: each.name)
def test_each_still_fits_the_source_and_names_promises(server: Server) -> None:
    for name, text, instead in server.changes:
        source = (mutants_server.PACKAGE / name).read_text()
        assert source.count(text) == 1, (name, text)
        compile(source.replace(text, instead), name, "exec")
    assert set(server.tried) <= {promise.code for promise in run.PROMISES}


def test_there_are_enough_of_them() -> None:
    assert len({server.name for server in SERVERS}) == len(SERVERS) >= 10


def test_one_that_does_not_fit_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "idp" / "web").mkdir(parents=True)
    path = tmp_path / "idp" / "web" / "csrf.py"
    path.write_text("whole\n")
    unfit = Server("unfit", (("web/csrf.py", "whole", "half"), ("web/csrf.py", "nowhere", "")), ())
    with pytest.raises(NotProved, match="“unfit” does not fit"), mutants_server._broken(tmp_path, unfit):
        raise AssertionError("it was served")
    assert path.read_text() == "whole\n"


def test_a_shadow_has_no_server() -> None:
    told: list[str] = []
    assert list(mutants_server.verdicts(Scratch("postgresql://nowhere/idp"), told.append)) == []
    assert len(told) == 1


@pytest.fixture
def room() -> Iterator[Scratch]:
    """Servers of its own, migrated."""
    with scratch.servers() as environment:
        known = proving.plain(**environment)
        Program(proving.WORDS, known)("migrate")
        yield Scratch(scratch.superuser(environment), known)


@pytest.mark.slow
def test_broken_servers_are_noticed_and_a_whole_one_is_not(room: Scratch) -> None:
    whole = Server("nothing", (("web/csrf.py", '_INFO = b"csrf"', '_INFO = b"csrf" + b""'),), ("redis_keys",))
    some = [server for server in SERVERS if server.name in _HERE]
    verdicts = list(mutants_server.tried(room, lambda _line: None, [whole, *some]))
    assert len(some) == len(_HERE)
    assert [verdict.name for verdict in verdicts if not verdict.killed] == ["nothing"]
