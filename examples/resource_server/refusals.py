"""How the service says no, and what it asks of a sign-in (RFC 6750 section 3, RFC 9449 section 7.1, RFC 9470).

Environment: ACR_VALUES, classes of sign-in that will do, separated by blanks (absent: any); MAX_AGE, the seconds that
a sign-in may be old (absent: as old as it is).
"""

import os
import time

from flask import Response, jsonify, make_response

ACR_VALUES = os.environ.get("ACR_VALUES", "")
MAX_AGE = os.environ.get("MAX_AGE", "")


def signed_in_well(claims: dict) -> bool:
    """Whether the sign-in behind the token will do (RFC 9470 section 4)."""
    if ACR_VALUES and claims.get("acr") not in ACR_VALUES.split():
        return False
    return not MAX_AGE or time.time() - claims.get("auth_time", 0) <= int(MAX_AGE)


def refuse(status: int, error: str) -> Response:
    """The answer, with the ways to present a token; for a better sign-in, what has to be asked for (section 3)."""
    wanted = {"acr_values": ACR_VALUES, "max_age": MAX_AGE} if error.startswith("insufficient_user") else {}
    more = "".join(f', {name}="{value}"' for name, value in wanted.items() if value)
    ways = f'Bearer error="{error}"{more}, DPoP error="{error}"{more}, algs="ES256 PS256 EdDSA"'
    return make_response((jsonify(error=error), status, {"WWW-Authenticate": ways}))
