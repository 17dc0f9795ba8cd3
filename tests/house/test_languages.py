"""Every word of pages and mails stands in every language, or its page waits, and a test tells which."""

import re
from pathlib import Path

import pytest

from idp import paths
from idp.tenants import LANGUAGES
from idp.web import languages
from idp.web.account import devices
from tests.house import words

OTHERS = pytest.mark.parametrize("language", LANGUAGES[1:])
NUMBER = "%(num)d"
MAILS = [*words.mails(), paths.templates() / "email" / "frame.html"]
"""None of them ever waits."""
PAGES = [each for each in words.templates() if each not in MAILS]
LATE = {paths.templates() / name for name in languages.WAITING}
_CALL = r"_\((?:\"[^\"]*\"|'[^']*'),\s*(\w+=.*?)\)\s*(?:\}\}|[,~])"


def _named(path: Path) -> str:
    return path.relative_to(paths.templates()).as_posix()


def _texts(entry: str | tuple[str, ...]) -> tuple[str, ...]:
    return (entry,) if isinstance(entry, str) else tuple(entry)


@OTHERS
def test_nothing_waits_and_nothing_is_left_over(language: str) -> None:
    """`python -m tests.house.words --write` puts what is lacking into the catalogues."""
    assert [*words.waiting(language)] == []
    there = {entry.id for entry in words.catalogue(language) if entry.id}
    assert there - set(words.said()) == set()


@OTHERS
def test_a_translation_has_the_marks_of_what_it_translates_and_no_others(language: str) -> None:
    for entry in words.catalogue(language):
        if not entry.id:
            continue
        kinds = (r"%\(\w+\)[sd]", r"</?\w[^>]*>", r"\"[^\"]*\"")
        wanted = [sorted(re.findall(kind, _texts(entry.id)[0])) for kind in kinds]
        for text in _texts(entry.string):
            found = [sorted(re.findall(kind, text)) for kind in kinds]
            if not isinstance(entry.id, str) and NUMBER in wanted[0] and NUMBER not in found[0]:
                found[0] = sorted([*found[0], NUMBER])  # a form for one, or for two, says the number in words
            assert found == wanted, (entry.id, text)
            assert "%" not in re.sub(r"%\(\w+\)[sd]", "", text), text


@pytest.mark.parametrize("template", [*PAGES, *MAILS], ids=_named)
def test_every_word_of_a_page_is_marked(template: Path) -> None:
    """One with other words stands on languages.WAITING, and its readers are told that it is English."""
    unmarked = words.unmarked(template)
    if template in LATE:
        pytest.xfail(f"in English alone: {len(unmarked)} pieces of text, {str(unmarked[:1])[:60]} first")
    assert unmarked == []


@pytest.mark.parametrize("module", words.spoken(), ids=lambda path: path.relative_to(words.TOP).as_posix())
def test_every_sentence_of_a_view_is_marked(module: Path) -> None:
    named = {word for pair in (*devices._BROWSERS, *devices._SYSTEMS) for word in pair}
    assert set(words.bare(module)) - named == set()


def test_pages_that_wait_are_there() -> None:
    assert set(PAGES) >= LATE


@pytest.mark.parametrize("template", PAGES, ids=_named)
def test_what_is_put_into_a_sentence_was_made_harmless_first(template: Path) -> None:
    """A marked sentence is markup: what stands in it passes a filter that takes out what reorders or hides text."""
    for call in re.findall(_CALL, template.read_text()):
        for value in re.findall(r"\w+=((?:[^,()]|\([^()]*\))+)", call):
            assert re.search(r"\|(short|exact|duration|int)|^when\(", value), (template.name, call)


def test_each_language_can_be_loaded_and_has_a_name_of_its_own() -> None:
    names = [languages.own_name(each) for each in LANGUAGES]
    assert len(set(names)) == len(names) == 7
    for language in LANGUAGES[1:]:
        assert languages.catalogue(language).gettext("Password") != "Password"  # type: ignore[no-untyped-call]
