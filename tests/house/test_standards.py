"""docs/rfc9700.md and docs/asvs.md: every requirement once, with a state, and nothing named that is not there."""

import re
from pathlib import Path

import pytest

from idp.control.profiles import TABLE, Profile

TOP = Path(__file__).resolve().parents[2]
STATES = {"met", "partly", "missing", "left", "none"}
SECTIONS = {
    "V6": (3, 12, 8, 6, 8, 4, 2, 4), "V7": (3, 4, 2, 5, 3, 2), "V8": (4, 4, 3, 2), "V9": (3, 4),
    "V10": (2, 3, 5, 16, 5, 2, 3),
}  # fmt: skip
"""How many requirements each section of the five chapters of ASVS 5.0.0 has."""
Row = dict[str, str]


def rows(page: str) -> list[Row]:
    """The rows of a page's table, by the names of its columns."""
    lines = [line for line in (TOP / "docs" / page).read_text().splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert all(len(each) == len(cells[0]) for each in cells), "a row has more or fewer columns than the head"
    return [dict(zip(cells[0], each, strict=True)) for each in cells[2:]]


RFC, ASVS = rows("rfc9700.md"), rows("asvs.md")
EVERY = [*((f"rfc9700 {row['§']} {row['what is asked'][:40]}", row) for row in RFC),
         *((row["number"], row) for row in ASVS)]  # fmt: skip


def named(row: Row) -> list[str]:
    """The files, folders and tests in the last two columns."""
    text = " ".join([row.get("where", ""), row["shown by, or why not"]])
    return [name for name in re.findall(r"`([^`]+)`", text) if "/" in name and " " not in name]


@pytest.mark.parametrize("row", [row for _, row in EVERY], ids=[name for name, _ in EVERY])
def test_what_a_row_names_is_there(row: Row) -> None:
    for name in named(row):
        path, _, function = name.partition("::")
        assert (TOP / path).exists(), name
        if function:
            assert re.search(rf"^def {function}\(", (TOP / path).read_text(), re.MULTILINE), name


@pytest.mark.parametrize("row", [row for _, row in EVERY], ids=[name for name, _ in EVERY])
def test_a_row_has_a_state_that_it_can_answer_for(row: Row) -> None:
    assert row["state"] in STATES
    tests = [name for name in named(row) if name.startswith("tests/")]
    why = row["shown by, or why not"]
    if row["state"] == "met":
        assert tests, "nothing shows it"
        assert row.get("where", "idp/"), "it is done nowhere"
    if row["state"] in {"partly", "none"}:
        assert re.sub(r"`[^`]*`|[\s,:;.]", "", why), (
            "it must say what is not done, or why nothing is to be done"
        )
    if row["state"] == "left":
        assert why.startswith("to "), "it must say to whom"


def test_every_requirement_of_the_five_chapters_stands_once_in_its_order() -> None:
    due = [
        f"{chapter}.{section}.{number}"
        for chapter, counts in SECTIONS.items()
        for section, count in enumerate(counts, 1)
        for number in range(1, count + 1)
    ]
    assert [row["number"] for row in ASVS] == due
    assert {row["level"] for row in ASVS} == {"1", "2", "3"}


def test_levels_of_rfc_9700_are_its_words() -> None:
    assert {row["level"] for row in RFC} == {"MUST", "MUST NOT", "SHOULD", "SHOULD NOT"}


def test_the_profile_of_the_command_asks_only_what_level_two_asks() -> None:
    levels = {row["number"]: row["level"] for row in ASVS}
    asked = {row.requirement for row in TABLE if row.profile is Profile.ASVS_L2}
    assert asked
    assert not [number for number in asked if levels[number] not in {"1", "2"}]


def test_a_page_says_what_its_words_mean() -> None:
    for page in ("rfc9700.md", "asvs.md"):
        text = (TOP / "docs" / page).read_text()
        used = {row["state"] for row in rows(page)}
        assert not [state for state in used if f"**{state}**" not in text.partition("\n| ")[0]]
