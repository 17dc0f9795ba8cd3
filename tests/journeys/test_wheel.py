"""The wheel alone, in an environment where the checkout is not: `idp up` starts and Alice signs in."""

import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.playing import inputs
from tests.running import GRACE, Up, environment, free_ports

TOP = Path(__file__).resolve().parents[2]
LEFT_OUT = shutil.ignore_patterns(
    ".git", ".venv", ".idp", "node_modules", "build", "*.egg-info", "__pycache__", ".*cache"
)


def _run(*command: str, cwd: Path) -> None:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program `idp` of a new environment that holds the wheel, and beside it the locked dependencies."""
    folder = tmp_path_factory.mktemp("wheel")
    shutil.copytree(TOP, folder / "sources", ignore=LEFT_OUT)
    pip = (sys.executable, "-m", "pip")
    wheel = (*pip, "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", str(folder), ".")
    _run(*wheel, cwd=folder / "sources")
    (built,) = folder.glob("*.whl")
    _run(sys.executable, "-m", "venv", "--without-pip", str(folder / "venv"), cwd=folder)
    _run(
        *pip,
        "--python",
        str(folder / "venv"),
        "install",
        "-q",
        "--no-deps",
        "--no-index",
        str(built),
        cwd=folder,
    )
    (site,) = (folder / "venv" / "lib").glob("python*/site-packages")
    # A folder named here is searched, but its own .pth files are not read: the checkout stays out.
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    shutil.rmtree(folder / "sources")
    return folder / "venv" / "bin" / "idp"


@pytest.fixture(scope="module")
def running(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    home, port = tmp_path_factory.mktemp("home") / "idp", free_ports()
    plain = {name: value for name, value in environment().items() if name != "PYTHONPATH"}
    process = subprocess.Popen(
        [installed, "up", "--home", home, "--port", str(port), "--workers", "1"],
        cwd="/",
        env=plain,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    started = Up(process, home, port)
    try:
        started.wait_ready()
        yield started
        assert started.end() == 0
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(GRACE)
        process.stdout.close()  # type: ignore[union-attr]
        process.stderr.close()  # type: ignore[union-attr]


def test_the_code_is_the_wheels(installed: Path) -> None:
    where = [installed.parent / "python", "-c", "import idp; print(idp.__file__)"]
    plain = {name: value for name, value in environment().items() if name != "PYTHONPATH"}
    said = subprocess.run(where, cwd="/", env=plain, capture_output=True, text=True, check=True)
    assert Path(said.stdout.strip()).is_relative_to(installed.parents[1])


def test_alice_signs_in_from_the_wheel(running: Up) -> None:
    browser = requests.Session()
    page = browser.get(f"http://localhost:{running.port + 1}/sign-in", timeout=20)
    assert 'id="login-form"' in page.text
    style = browser.get(f"{running.base}/static/idp.css", timeout=20)
    assert style.status_code == 200 and "--" in style.text
    form = {
        **inputs(page.text),
        "username": "alice",
        "password": "correct horse battery staple",
        "action": "login",
    }
    back = browser.post(page.url, data=form, timeout=20)
    assert back.url == f"http://localhost:{running.port + 1}/"
    assert "Alice Adams" in back.text
