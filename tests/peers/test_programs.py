"""How libraries come to be here: installed once, and named as missing where they cannot be had."""

from pathlib import Path
from typing import Any

import pytest

from tests.peers import programs
from tests.peers.programs import Failed, Missing, Program


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    monkeypatch.setattr(programs, "CACHE", tmp_path / "cache")
    lock = tmp_path / "package-lock.json"
    lock.write_text("{}")
    return [lock]


def test_an_installation_is_made_once_for_the_very_same_sources(sources: list[Path]) -> None:
    count = ["sh", "-c", "echo again >> log"]
    first = programs.installed("peer", sources, lambda _: count)
    assert programs.installed("peer", sources, lambda _: count) == first
    assert (first / "log").read_text() == "again\n" and (first / "package-lock.json").exists()
    sources[0].write_text("{ }")
    assert programs.installed("peer", sources, lambda _: count) != first


def test_what_cannot_be_installed_is_missing_with_its_reason_and_not_asked_for_again(
    sources: list[Path],
) -> None:
    with pytest.raises(Missing, match="sh could not install it: no such registry"):
        programs.installed("peer", sources, lambda _: ["sh", "-c", "echo no such registry >&2; exit 1"])
    with pytest.raises(Missing, match="no such registry"):
        programs.installed("peer", sources, lambda _: pytest.fail("it was tried again"))


def test_without_node_the_libraries_are_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Missing, match="no node on the PATH"):
        programs.node_packages()


def test_a_program_that_ends_without_a_word_has_failed() -> None:
    person: Any = None
    with pytest.raises(Failed, match="this went wrong"):
        Program(("sh", "-c", "read line; echo this went wrong >&2")).run(person, scenario="any")
