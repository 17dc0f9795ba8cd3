"""The house itself: sizes, entries at the top, who may read what, words that must not appear."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]
IDP = TOP / "idp"
LONGEST_FILE, LONGEST_FUNCTION = 400, 60

ENTRIES = {
    ".ci", ".dockerignore", ".editorconfig", ".gitignore",
    "CHANGELOG.md", "Dockerfile", "LICENSE", "MANIFEST.in", "Makefile", "README.md", "SECURITY.md",
    "benchmarks", "deploy", "docker-compose.yml", "docs", "examples", "idp", "keys", "migrations",
    "pyproject.toml", "requirements", "setup.cfg", "static", "templates", "tests",
}  # fmt: skip

# Real time, and why the frozen clock must not move it.
REAL_TIME = {
    "idp/ids.py": "the time inside an id only keeps rows in order",
    "idp/clock.py": "the one reader of time",
    "idp/store/context.py": "Postgres judges the expiry of a signed context by its own clock",
    "idp/prove/clock.py": "the prover shares nothing with what it verifies, its clock included",
}


def tracked() -> list[Path]:
    """The files under version control, or all where this is no checkout."""
    done = subprocess.run(["git", "ls-files", "-z"], cwd=TOP, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip("not a git checkout, so there is no list of files")
    return [TOP / name for name in done.stdout.split("\0") if name and (TOP / name).is_file()]


def modules() -> list[Path]:
    return sorted(IDP.rglob("*.py"))


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def name_of(path: Path) -> str:
    return path.relative_to(TOP).as_posix()


def imports(path: Path) -> Iterator[str]:
    """Every dotted name that a module imports, wherever in the file."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_top_level_has_only_entries_with_a_responsibility():
    assert {path.relative_to(TOP).parts[0] for path in tracked()} <= ENTRIES


def test_no_file_is_longer_than_400_lines():
    long = {
        name_of(path): count
        for path in modules()
        if (count := len(path.read_text().splitlines())) > LONGEST_FILE
    }
    assert not long


def test_no_function_is_longer_than_60_lines():
    long = [
        f"{name_of(path)}:{node.lineno} {node.name}"
        for path in modules()
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or 0) - node.lineno + 1 > LONGEST_FUNCTION
    ]
    assert not long


def test_every_module_says_what_it_is_and_every_package_what_it_owns():
    silent = [name_of(path) for path in modules() if not ast.get_docstring(tree(path))]
    assert not silent


def test_every_folder_with_code_is_a_package():
    loose = {name_of(path.parent) for path in modules() if not (path.parent / "__init__.py").is_file()}
    assert not loose


def test_only_config_reads_the_environment():
    readers = {
        name_of(path)
        for path in modules()
        for node in ast.walk(tree(path))
        if (isinstance(node, ast.Attribute) and node.attr in {"environ", "getenv", "environb"}
            and isinstance(node.value, ast.Name) and node.value.id == "os")
    }  # fmt: skip
    assert readers <= {"idp/config.py"}


def test_only_the_clock_reads_time():
    calls = re.compile(
        r"\b(time\.(time|time_ns|monotonic|perf_counter)|datetime\.(now|utcnow|today)|date\.today)\("
    )
    readers = {name_of(path) for path in modules() if calls.search(path.read_text())}
    assert readers <= set(REAL_TIME)


def test_authlib_integrations_only_in_web_and_its_jose_nowhere():
    """import-linter sees a package of others as a whole; this looks at what is inside it."""
    wrong = [
        f"{name_of(path)}: {name}"
        for path in modules()
        for name in imports(path)
        if name.startswith("authlib.jose")
        or (name.startswith("authlib.integrations") and not name_of(path).startswith("idp/web/"))
    ]
    assert not wrong


def test_imports_go_down_only():
    """The contracts of setup.cfg; the layers are exhaustive, so an unnamed room fails here."""
    program = Path(sys.executable).parent / "lint-imports"
    done = subprocess.run(
        [program, "--no-logo", "--no-cache"], cwd=TOP, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_module_is_called_after_its_lack_of_a_subject():
    nameless = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "base_utils"}
    assert not [name_of(path) for path in modules() if path.stem in nameless]


def test_nothing_is_marked_unfinished():
    unfinished = re.compile(r"\b(TODO|FIXME|XXX|HACK|NotImplementedError)\b")
    assert not [name_of(path) for path in modules() if unfinished.search(path.read_text())]


def test_no_path_of_anybodys_machine_is_in_the_tree():
    private = re.compile(r"(?<![\w/.~-])/(?:work|farm|home/\w+|Users/\w+|root/(?!\W))[/\w]")
    found = []
    for path in tracked():
        if path.suffix in {".png", ".ico", ".woff2"} or path == Path(__file__):
            continue
        text = path.read_text(errors="ignore")
        found += [f"{name_of(path)}: {hit[0]}" for hit in private.finditer(text)]
    assert not found


def test_no_secret_lies_in_keys():
    assert {path.name for path in tracked() if path.parent == TOP / "keys"} <= {"README.md", ".gitignore"}
