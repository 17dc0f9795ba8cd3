"""Every word of pages and mails stands in every language, or its page waits, and a test tells which."""

import re
from pathlib import Path

import pytest

from idp import paths
from idp.tenants import LANGUAGES
from idp.web import languages
from tests.house import words

OTHERS = pytest.mark.parametrize("language", LANGUAGES[1:])
MACROS = ("form", "icon", "identity", "notice", "provider", "rows")
DONE = [
    paths.templates() / name
    for name in ("base.html", *(f"macros/{each}.html" for each in MACROS), *sorted(languages.SPOKEN))
]
MAILS = [*words.mails(), paths.templates() / "email" / "frame.html"]
"""None of them ever waits."""
WAITING = [each for each in words.templates() if each not in (*DONE, *MAILS)]


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
        kinds = (r"%\(\w+\)s", r"</?\w[^>]*>", r"\"[^\"]*\"")
        wanted = [sorted(re.findall(kind, _texts(entry.id)[0])) for kind in kinds]
        for text in _texts(entry.string):
            assert [sorted(re.findall(kind, text)) for kind in kinds] == wanted, (entry.id, text)
            assert "%" not in re.sub(r"%\(\w+\)s", "", text), text


@pytest.mark.parametrize(
    "template", [*DONE, *MAILS], ids=lambda path: path.relative_to(paths.templates()).as_posix()
)
def test_every_word_of_a_page_is_marked(template: Path) -> None:
    """One with other words is taken off languages.SPOKEN, and its readers are told that it is English."""
    assert words.unmarked(template) == []


@pytest.mark.parametrize("template", WAITING, ids=lambda path: path.relative_to(paths.templates()).as_posix())
def test_what_waits_is_told(template: Path) -> None:
    """A page whose words are all marked and translated goes on languages.SPOKEN."""
    waiting = words.unmarked(template)
    pytest.xfail(f"in English alone: {len(waiting)} pieces of text, {str(waiting[:1])[:60]} first")


@pytest.mark.parametrize("template", DONE, ids=lambda path: path.relative_to(paths.templates()).as_posix())
def test_what_is_put_into_a_sentence_was_made_harmless_first(template: Path) -> None:
    """A marked sentence is markup: what stands in it passes a filter that takes out what reorders or hides text."""
    for call in re.findall(r"_\([\"'].*?[\"'],\s*(\w+=.*?)\)\s*(?:\}\}|,)", template.read_text()):
        for value in re.findall(r"\w+=((?:[^,()]|\([^()]*\))+)", call):
            assert re.search(r"\|(short|exact|duration)", value), (template.name, call)


def test_each_language_can_be_loaded_and_has_a_name_of_its_own() -> None:
    names = [languages.own_name(each) for each in LANGUAGES]
    assert len(set(names)) == len(names) == 7
    for language in LANGUAGES[1:]:
        assert languages.catalogue(language).gettext("Password") != "Password"  # type: ignore[no-untyped-call]
