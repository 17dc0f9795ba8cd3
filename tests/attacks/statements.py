"""An issuer of software statements, and what it signs."""

import json
import time
from typing import Any

import jwt as pyjwt

from idp.tenants import Tenant
from tests.attacks.acting import policy
from tests.attacks.assertions import EC
from tests.receiving import Serving

ISSUER = "https://store.example.com"


def trusting(tenant: Tenant, server: Serving, **more: Any) -> Tenant:
    """The tenant, which trusts the issuer whose keys `server` serves, and lets anybody register."""
    values = {"client_registration": "open", "registrations": 1_000, **more}
    return policy(tenant, software_statement_issuers=[f"{ISSUER} {server.uri}"], **values)


def statement(
    key: Any = EC, alg: str = "ES256", headers: dict[str, Any] | None = None, **changes: Any
) -> str:
    """A good statement, but for `changes`; `...` leaves a claim out."""
    claims = {
        "iss": ISSUER,
        "software_id": "4NRB1-0XZABZI9E6",
        "iat": int(time.time()),
        "client_name": "Vouched For",
        "redirect_uris": ["https://vouched.example.com/cb"],
        **changes,
    }
    kept = {name: value for name, value in claims.items() if value is not ...}
    heads = {"kid": "e", **(headers or {})}
    return pyjwt.api_jws.encode(json.dumps(kept).encode(), key, algorithm=alg, headers=heads)
