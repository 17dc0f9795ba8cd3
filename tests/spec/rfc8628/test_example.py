"""The example of a device runs as a process, against the provider as a process, and a person allows it by hand."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import pytest
import requests

from idp.tenants import Tenant
from tests.playing import PASSWORDS, inputs
from tests.serving import served
from tests.spec.rfc8628.devices import television

APP = Path(__file__).resolve().parents[3] / "examples" / "device_client" / "app.py"


def _post(browser: requests.Session, page: requests.Response, **values: str) -> requests.Response:
    action = re.search(r'<form[^>]* action="([^"]*)"', page.text)
    address = urljoin(page.url, action[1].replace("&amp;", "&")) if action else page.url
    return browser.post(address, {**inputs(page.text), **values}, timeout=10)


@pytest.mark.slow
def test_the_example_shows_a_code_waits_and_says_who_it_is(
    app: Any, settings: Any, acme: Tenant, tmp_path: Path
) -> None:
    television(app, acme)
    with served(settings, tmp_path / "serve.log") as (_, port, _management):
        issuer = f"http://localhost:{port}/t/acme"
        given = {"PATH": os.environ["PATH"], "IDP_ISSUER": issuer, "CLIENT_ID": "tv"}
        with subprocess.Popen(
            [sys.executable, str(APP)], env=given, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as device:
            assert device.stdout is not None
            told = re.fullmatch(r"Open (\S+) and type (\S+)\n", device.stdout.readline())
            assert told is not None and told[1] == f"{issuer}/device"
            browser = requests.Session()
            page = _post(browser, browser.get(told[1], timeout=10), user_code=told[2])
            page = _post(browser, page, username="alice", password=PASSWORDS["acme", "alice"], action="login")
            page = _post(browser, page, action="allow")
            assert 'data-how="allowed"' in page.text
            rest = device.stdout.read()
            assert device.wait(30) == 0 and rest == "Signed in as Alice Adams\n"
