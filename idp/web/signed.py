"""What a browser carries for us and cannot change: JSON under a key of the ring, for one purpose and tenant.

It can be read by whoever sees it; nothing secret goes into it.
"""

import hmac
import json
from typing import Any

from idp.ids import b64, same, unb64
from idp.signing.ring import ring
from idp.tenants import current


def write(purpose: bytes, kept: dict[str, Any]) -> str:
    """`kept` as text that `read` takes for the same purpose in the same tenant."""
    body = b64(json.dumps(kept, separators=(",", ":")).encode())
    return f"{body}.{_mac(ring().derive(purpose), body)}"


def read(purpose: bytes, value: str | None) -> dict[str, Any] | None:
    """What was kept, or None for anything that we did not write, under any key of the ring."""
    body, _, mac = (value or "").rpartition(".")
    if not body or not any(same(mac, _mac(key, body)) for _, key in ring().derive_all(purpose)):
        return None
    kept: dict[str, Any] = json.loads(unb64(body))
    return kept


def _mac(key: bytes, body: str) -> str:
    return b64(hmac.digest(key, f"{current().id}|{body}".encode(), "sha256"))
