"""Examples are read in one minute: below eighty lines, plain environment names, nothing of the provider imported."""

import ast
import re
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
PROGRAMS = sorted(EXAMPLES.glob("*/app.py"))
NAMES = {
    "IDP_ISSUER",
    "CLIENT_ID",
    "CLIENT_SECRET",
    "PORT",
    "SERVICE_URL",
    "SCOPE",
    "AUDIENCE",
    "TYP",
    "TENANT",
    "CLIENT_CERTIFICATE_SECRET",
    "ACR_VALUES",
    "MAX_AGE",
}


def test_there_is_one_of_each_kind():
    kinds = {"relying_party", "resource_server", "mcp_server", "device_client"}
    assert {path.parent.name for path in PROGRAMS} >= kinds


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda path: path.parent.name)
def test_below_eighty_lines(program):
    assert len(program.read_text().splitlines()) < 80


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda path: path.parent.name)
def test_imports_nothing_of_the_provider(program):
    names = [
        name
        for node in ast.walk(ast.parse(program.read_text()))
        for name in (
            [a.name for a in node.names] if isinstance(node, ast.Import) else [getattr(node, "module", "")]
        )
        if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    assert not [name for name in names if name == "idp" or name.startswith("idp.")]


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda path: path.parent.name)
def test_settings_are_the_documented_environment_names(program):
    used = set(re.findall(r'environ(?:\.get\(|\[)"([A-Z_]+)"', program.read_text()))
    assert used <= NAMES
