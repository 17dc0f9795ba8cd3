"""The Basic plan against a provider that runs as people run it: `idp up --tls`, over sockets and TLS.

The modules are those that the other plans play in process; here each request is one of HTTP, and time passes by itself.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest
import requests

from idp.tenants import Tenant
from tests.running import TOP, Up, free_ports, idp, up
from tests.spec.certification.modules import Modules, Plan

BLUEPRINT = TOP / "examples" / "certification" / "blueprint.yaml"
SECONDS = 20


@dataclass(frozen=True)
class Answer:
    """An answer of HTTP with the names that the modules know."""

    got: requests.Response

    @property
    def status_code(self) -> int:
        return self.got.status_code

    @property
    def headers(self) -> Any:
        return self.got.headers

    @property
    def mimetype(self) -> str:
        return self.got.headers.get("Content-Type", "").partition(";")[0]

    def get_json(self) -> Any:
        return self.got.json()

    def get_data(self, *, as_text: bool) -> str:
        assert as_text
        return self.got.content.decode()


class Browser:
    """Cookies of its own, and no redirect followed: who plays looks at each."""

    def __init__(self, base: str, ca: str) -> None:
        self.base, self.session = base, requests.Session()
        self.session.verify, self.session.trust_env = ca, False

    def _ask(self, method: str, path: str, **given: Any) -> Answer:
        return Answer(
            self.session.request(method, self.base + path, allow_redirects=False, timeout=SECONDS, **given)
        )

    def get(self, path: str, **given: Any) -> Answer:
        return self._ask("GET", path, **given)

    def post(self, path: str, **given: Any) -> Answer:
        return self._ask("POST", path, **given)


@dataclass(frozen=True)
class Provider:
    """Stands where the application stands in process."""

    base: str
    ca: str

    def test_client(self) -> Browser:
        return Browser(self.base, self.ca)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    home = tmp_path_factory.mktemp("certification") / "home"
    with up(home, "--tls", port=free_ports()) as started:
        started.wait_ready()
        done = idp("apply", str(BLUEPRINT), "--home", str(home))
        assert done.returncode == 0, done.stderr
        yield started
        assert started.end() == 0


@pytest.fixture
def app(running: Up) -> Provider:
    return Provider(f"https://localhost:{running.port}", str(running.home / "keys" / "local-ca.crt"))


@pytest.fixture
def certification(app: Provider) -> Tenant:
    return Tenant(UUID(int=1), "certification", "Certification", "active", f"{app.base}/t/certification")


@pytest.fixture
def frozen() -> Callable[..., Any]:
    """Nothing is frozen outside of this process: as much of the time as a module needs passes."""

    class Clock:
        def tick(self, by: Any) -> None:
            time.sleep(min(by.total_seconds(), 2.1))

    @contextmanager
    def real(_instant: Any = None) -> Iterator[Clock]:
        yield Clock()

    return real


class TestBasicOverTls(Modules):
    """response_type=code."""

    PLANS = (Plan("code", "query"),)


def test_tls_1_3_and_https_everywhere(app: Provider, certification: Tenant) -> None:
    answer = app.test_client().get("/t/certification/.well-known/openid-configuration")
    told = answer.get_json()
    assert told["issuer"] == certification.issuer
    assert all(
        value.startswith("https://") for name, value in told.items() if name.endswith(("_endpoint", "_uri"))
    )
