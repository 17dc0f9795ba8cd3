"""The key that a code is to be bound to, named before there is a proof (RFC 9449 §10)."""

import re

from idp.errors import InvalidRequest
from idp.oauth.binding import JKT, Binding
from idp.oauth.binding.dpop import InvalidDpopProof
from idp.oauth.checks.pending import Pending

NAME = "dpop_jkt"
_THUMBPRINT = re.compile(r"[A-Za-z0-9_-]{43}")


def wellformed(pending: Pending) -> None:
    """`dpop_jkt` is the SHA-256 thumbprint of a key (RFC 7638), where it is there."""
    given = pending.get(NAME)
    if given is not None and not _THUMBPRINT.fullmatch(given):
        raise InvalidRequest("dpop_jkt is malformed.", rule="dpop_jkt.form", got=given[:64])


def shown(pending: Pending, held: Binding | None) -> None:
    """A proof beside a pushed request says which key; the request names no other one (RFC 9449 §10.1).

    A certificate says nothing of a code: it binds the tokens alone (RFC 8705 §3).
    """
    if held is None or held.member != JKT:
        return
    given = pending.get(NAME)
    if given is not None and given != held.thumbprint:
        raise InvalidDpopProof(
            "dpop_jkt names another key than that of the DPoP proof.",
            rule="dpop_jkt.proof",
            expected=held.thumbprint,
            got=given,
        )
    pending.params = {**pending.params, NAME: held.thumbprint}
