"""Values that a row or a message carries and nobody reads there: sealed under a key of the ring, for one purpose.

They open in the tenant and for the purpose that they were sealed for, nowhere else.
"""

import json
from typing import Any

from idp.ids import b64, unb64
from idp.signing import envelope
from idp.signing.envelope import Unsealable
from idp.signing.ring import ring
from idp.tenants import current


def write(purpose: str, values: dict[str, Any]) -> str:
    """`values` as text that `read` opens for the same purpose in the same tenant."""
    plain = json.dumps(values, separators=(",", ":")).encode()
    return b64(envelope.seal(ring().derive(b"sealed"), plain, _bound(purpose)))


def read(purpose: str, sealed: str) -> dict[str, Any]:
    """What was sealed, under any key of the ring. Raises Unsealable."""
    for _, key in ring().derive_all(b"sealed"):
        try:
            values: dict[str, Any] = json.loads(envelope.open_(key, unb64(sealed), _bound(purpose)))
            return values
        except Unsealable:
            continue
    raise Unsealable("sealed elsewhere, for something else, or under a key that is gone")


def _bound(purpose: str) -> bytes:
    return b"idp sealed\x00" + current().id.bytes + purpose.encode()
