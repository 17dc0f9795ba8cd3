"""The static files: style sheet, scripts, icons, on every host, without cookies or a tenant.

Their address carries a hash of their content, so that they may be kept for ever.
"""

from flask import Response, request, send_from_directory

from idp import paths
from idp.web.gates import Door, Gate

door = Door("assets", __name__, gate=Gate.PUBLIC, page="error")


@door.route("/static/<path:filename>", credentials=())
def static(filename: str) -> Response:
    """One file below `static/`; anything else is not there."""
    response = send_from_directory(paths.static(), filename, conditional=True, etag=True)
    versioned = request.environ.get("QUERY_STRING", "").startswith("v=")
    response.headers["Cache-Control"] = (
        "public, max-age=31536000, immutable" if versioned else "public, max-age=300"
    )
    response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
    return response


DOORS = (door,)
