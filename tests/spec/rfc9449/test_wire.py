"""DPoP over the wire: what the server makes of headers that come twice (RFC 9449 §4.3 item 1)."""

import base64
import http.client
import json
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from idp.config import Settings
from idp.tenants import Tenant
from tests.serving import served
from tests.spec.rfc9449.proving import Key


def test_two_headers_are_none_and_one_in_any_case_is_one(
    vault: Settings, acme: Tenant, tmp_path: Path
) -> None:
    key = Key()
    pair = base64.b64encode(b"nightly:acme-nightly-secret-0123456789-0123456789").decode()
    with served(vault, tmp_path / "serve.log") as (_, port, _):
        place = f"http://localhost:{port}/t/acme/token"

        def ask(*names: str) -> tuple[int, dict[str, Any]]:
            body = urlencode({"grant_type": "client_credentials"}).encode()
            with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
                connection.putrequest("POST", "/t/acme/token", skip_host=True)
                sent = {
                    "Host": f"localhost:{port}", "Authorization": f"Basic {pair}", "Content-Length": str(len(body)),
                    "Content-Type": "application/x-www-form-urlencoded",
                }  # fmt: skip
                for name, value in (*sent.items(), *((name, key.proof(place)) for name in names)):
                    connection.putheader(name, value)
                connection.endheaders(body)
                answer = connection.getresponse()
                return answer.status, json.loads(answer.read())

        for name in ("DPoP", "dpop", "DPOP"):
            status, body = ask(name)
            assert (status, body["token_type"]) == (200, "DPoP")
        for names in (("DPoP", "DPoP"), ("DPoP", "dpop")):
            status, body = ask(*names)
            assert (status, body["error"]) == (400, "invalid_dpop_proof")
