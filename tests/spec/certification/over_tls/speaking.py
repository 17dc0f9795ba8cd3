"""What the modules of the plans know by the names of a test client, as requests of HTTP over TLS."""

import json
import time
from dataclasses import dataclass
from http.cookiejar import Cookie
from typing import Any
from urllib.parse import urlencode

import requests

from idp import directory
from tests.running import Up, idp

SECONDS = 20
PATIENCE = 240.0
"""Seconds for a command of an operator, on a machine that does much else."""


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

    def get_json(self, silent: bool = False) -> Any:
        return self.got.json()

    def get_data(self, *, as_text: bool) -> str:
        assert as_text
        return self.got.content.decode()


class Browser:
    """Cookies of its own, and no redirect followed: who plays looks at each."""

    def __init__(self, base: str, ca: str) -> None:
        self.base, self.session = base, requests.Session()
        self.session.verify, self.session.trust_env = ca, False

    def open(self, path: str, *, method: str, query_string: Any = None, content_type: str | None = None,
             **given: Any) -> Answer:  # fmt: skip
        """One request."""
        heads = {**given.pop("headers", {}), **({"Content-Type": content_type} if content_type else {})}
        asked = self.base + path + (f"?{urlencode(query_string)}" if query_string else "")
        return Answer(
            self.session.request(
                method, asked, headers=heads, allow_redirects=False, timeout=SECONDS, **given
            )
        )

    def get(self, path: str, **given: Any) -> Answer:
        """A request for a page."""
        return self.open(path, method="GET", **given)

    def post(self, path: str, **given: Any) -> Answer:
        """A form."""
        return self.open(path, method="POST", **given)

    def get_cookie(self, name: str) -> Cookie | None:
        """A cookie, which has the prefix of https before its name."""
        return next((each for each in self.session.cookies if each.name == f"__Host-{name}"), None)


@dataclass(frozen=True)
class Provider:
    """Stands where the application stands in process."""

    base: str
    ca: str

    def test_client(self) -> Browser:
        """A browser that trusts the local authority."""
        return Browser(self.base, self.ca)


def applied(running: Up, **tenant: Any) -> None:
    """Change a tenant as an operator does, and wait until every process has heard of it."""
    file = running.home / "change.yaml"  # JSON is YAML
    file.write_text(json.dumps({"tenants": [tenant]}))
    done = idp("apply", str(file), "--home", str(running.home), timeout=PATIENCE)
    assert done.returncode == 0, done.stderr
    time.sleep(2 * directory.POLL)


def web(running: Up, **fields: Any) -> None:
    """Change Acme's client `web`; what is not named stays as it is."""
    applied(running, slug="acme", clients=[{"client_id": "web", **fields}])
