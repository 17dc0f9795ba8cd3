"""Each module of the conformance suite has its test, each test of a module is in the table, each plan plays them."""

import ast
import re
from pathlib import Path

import pytest

from tests.spec.certification import table

TOP = Path(__file__).resolve().parents[2]
FOLDER = TOP / "tests" / "spec" / "certification"
EVERY = {
    **{f"oidcc-{module}": test for module, test in {**table.COMMON, **table.OWN}.items()},
    **{f"fapi-ciba-id1-{module}": test for module, test in table.FAPI_CIBA.items()},
    **{
        f"fapi2-security-profile-final-{module}": test
        for module, test in {**table.FAPI2, **table.FAPI2_SIGNING}.items()
    },
}


def names_in(path: Path) -> set[str]:
    """The names of a file's tests, those of a class with its name before."""
    found = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.FunctionDef):
            found.add(node.name)
        if isinstance(node, ast.ClassDef):
            found |= {f"{node.name}.{each.name}" for each in node.body if isinstance(each, ast.FunctionDef)}
    return found


@pytest.mark.parametrize("module", sorted(EVERY))
def test_a_module_has_its_test(module: str) -> None:
    path, _, name = EVERY[module].partition("::")
    assert name in names_in(FOLDER / path), f"{module} has no test"


def test_no_test_of_a_module_is_left_out_of_the_table() -> None:
    there = {
        f"{path.relative_to(FOLDER).as_posix()}::{name}"
        for path in FOLDER.rglob("*.py")
        if path.parent.name != "over_tls"  # which plays the same ones again
        for name in names_in(path)
        if name.rpartition(".")[2].startswith(("test_oidcc_", "test_fapi_ciba_id1"))
    }
    beside = ("_in_a_browser", "_of_a_dynamic_client", "_jwks", "_that_is_not_registered")
    assert {each for each in there - set(EVERY.values()) if not each.endswith(beside)} == set()


@pytest.mark.parametrize("plan", sorted(table.PLAYED))
def test_a_plan_plays_what_the_plans_have_in_common(plan: str) -> None:
    tree = ast.parse((FOLDER / table.PLAYED[plan]).read_text())
    bases = {
        base.id
        for node in tree.body
        if isinstance(node, ast.ClassDef)
        for base in node.bases
        if isinstance(base, ast.Name)
    }
    assert "Modules" in bases


def test_each_plan_is_played_over_tls() -> None:
    text = (FOLDER / table.PLAYED["over TLS"]).read_text()
    classes = {node.name for node in ast.parse(text).body if isinstance(node, ast.ClassDef)}
    rows = re.findall(
        r"^\| ([^|]+) \| [^|]*`tests/spec/certification/", (TOP / "docs" / "specs.md").read_text(), re.M
    )
    assert {each for each in rows if "FAPI" not in each} == set(table.OVER_TLS) and set(
        table.OVER_TLS.values()
    ) <= classes


def test_the_table_counts_what_the_document_lists() -> None:
    """The suite's release 5.2.3: who adds a module to the table says here how many there are."""
    assert (len(table.COMMON), len(table.OWN), len(table.FAPI_CIBA)) == (39, 38, 43)
    assert (len(table.FAPI2), len(table.FAPI2_SIGNING)) == (56, 14)
