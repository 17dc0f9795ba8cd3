"""Nonces that we hand out for DPoP proofs (RFC 9449 §8, §9): derived from the key ring, so that nothing is stored.

One is the tenant's for a period; it and the one before are taken, and so is the next where another node's clock is
ahead by as much as clocks may differ.
"""

import hmac

from idp import clock
from idp.ids import b64, same
from idp.signing import ring
from idp.signing.parts import SKEW
from idp.tenants import current

PERIOD = 120
"""Seconds for which one is handed out; it is taken for as long again."""
_INFO = b"dpop-nonce"
_LONGEST = 64


def fresh() -> str:
    """The nonce that a client is to put into its next proof."""
    return _made(ring.ring().derive(_INFO), clock.epoch() // PERIOD)


def good(nonce: str) -> bool:
    """Whether this is a nonce of the entered tenant's, of this period or the one before."""
    if len(nonce) > _LONGEST or not nonce.isascii():
        return False
    now = clock.epoch()
    periods = {(now + ahead) // PERIOD for ahead in (-PERIOD, 0, SKEW)}
    return any(
        same(_made(key, period), nonce) for _, key in ring.ring().derive_all(_INFO) for period in periods
    )


def _made(key: bytes, period: int) -> str:
    return b64(hmac.digest(key, f"{current().id}:{period}".encode(), "sha256")[:18])
