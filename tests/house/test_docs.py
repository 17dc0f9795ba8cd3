"""The documentation says what the code says: settings, policies, branding, files that it points at."""

import ast
import dataclasses
import itertools
import re
from pathlib import Path

import pytest

from idp import config, metrics
from idp.tenants import Branding, Policy

TOP = Path(__file__).resolve().parents[2]
DOCS = TOP / "docs"
CONFIGURATION = (DOCS / "configuration.md").read_text()
PAGES = sorted(path for path in [TOP / "README.md", TOP / "SECURITY.md", *DOCS.rglob("*.md")])


def settings_rows() -> list[str]:
    """One table row a setting, from the sentence under each field of Settings."""
    tree = ast.parse(Path(config.__file__).read_text())
    body = next(node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "Settings").body
    rows = []
    for field, sentence in itertools.pairwise(body):
        if isinstance(field, ast.AnnAssign) and isinstance(sentence, ast.Expr):
            name, _, words = ast.literal_eval(sentence.value).partition(": ")
            rows.append(f"| {name} | {words[0].upper()}{' '.join(words[1:].split())} |")
    return rows


def value(given: object) -> str:
    if given is None:
        return "none"
    return str(given).lower() if isinstance(given, bool) else str(given)


def rows_of(kind: type) -> list[str]:
    """One table row a policy or design token: name, default, bounds, sentence."""
    rows = []
    for field in dataclasses.fields(kind):
        rules = field.metadata
        bounds = " · ".join(map(str, rules.get("choices", ())))
        if "ceiling" in rules:
            bounds = f"{rules.get('least', 0)} … {rules['ceiling']}{' ' + rules['unit'] if rules.get('unit') else ''}"
        rows.append(
            f"| `{field.name}` | {value(field.default)} | {bounds or rules.get('shape', '')} | {rules['doc']} |"
        )
    return rows


def test_every_setting_is_documented_in_its_own_words():
    assert not [row for row in settings_rows() if row not in CONFIGURATION]
    known = {f"IDP_{field.name.upper()}" for field in dataclasses.fields(config.Settings)}
    named = set(re.findall(r"\bIDP_[A-Z_]+\b", "".join(page.read_text() for page in PAGES))) - {"IDP_ISSUER"}
    assert named <= known, "a page names a setting that does not exist"


@pytest.mark.parametrize("kind", [Policy, Branding])
def test_every_policy_is_documented_with_default_and_ceiling(kind):
    missing = [row for row in rows_of(kind) if row not in CONFIGURATION]
    assert not missing, "docs/configuration.md lacks:\n" + "\n".join(missing)


def test_every_metric_is_documented():
    operations = (DOCS / "operations.md").read_text()
    names = [*metrics._COUNTERS, *(f"{name}_seconds" for name in metrics._DURATIONS), *metrics._GAUGES]
    assert not [name for name in names if f"`idp_{name}`" not in operations]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(TOP).as_posix())
def test_links_lead_somewhere(page):
    targets = re.findall(r"\]\((?!https?:|mailto:|#)([^)#\s]+)", page.read_text())
    assert not [target for target in targets if not (page.parent / target).exists()]


@pytest.mark.parametrize("page", [DOCS / "architecture.md", DOCS / "specs.md"], ids=lambda page: page.name)
def test_files_that_the_maps_name_exist(page):
    """`web/fast.py` and `idp/web/fast.py` are the same file; tests are named from the top."""
    named = re.findall(r"`((?:[a-z_]+/)+[a-z_0-9]*(?:\.py)?)`", page.read_text())
    missing = [name for name in named if not any((top / name).exists() for top in (TOP, TOP / "idp"))]
    assert not missing


def test_decisions_are_numbered_and_have_the_same_parts():
    records = sorted((DOCS / "decisions").glob("*.md"))
    numbers = [int(path.name[:4]) for path in records]
    assert numbers == list(range(1, len(records) + 1))
    for path in records:
        text = path.read_text()
        assert text.startswith(f"# {path.name[:4]} "), path.name
        assert "\n## Why\n" in text, path.name
        assert "\n## What it costs\n" in text, path.name


def spec_rows() -> list[list[str]]:
    """The cells of each row of docs/specs.md's tables."""
    lines = (DOCS / "specs.md").read_text().splitlines()
    rows = [
        [cell.strip() for cell in line.strip("|").split(" | ")] for line in lines if line.startswith("| ")
    ]
    return [cells for cells in rows if cells[0].strip("| ") not in {"specification", "plan", "library"}]


@pytest.mark.parametrize("cells", spec_rows(), ids=lambda cells: cells[0].strip("| "))
def test_what_the_page_of_specifications_points_at_is_there(cells: list[str]) -> None:
    where = [
        named for cell in cells[-2 if len(cells) > 3 else 1 :] for named in re.findall(r"`([^`]+)`", cell)
    ]
    paths = [named for named in where if "/" in named and " " not in named]
    assert paths, cells
    for named in paths:
        found = [TOP / named, TOP / "idp" / named]
        assert any(path.exists() for path in found), named
    tests = [named for named in paths if named.startswith("tests/")]
    assert tests, "nothing proves it"
    for named in tests:
        files = [TOP / named] if named.endswith(".py") else list((TOP / named).rglob("test_*.py"))
        assert any(
            re.search(r"^\s*def test_|\(Modules\)", path.read_text(), re.MULTILINE) for path in files
        ), named
