"""The security headers of every answer; a page brings its own Content-Security-Policy."""

from flask import Response

NOTHING = "default-src 'none'; frame-ancestors 'none'"
HSTS = "max-age=63072000; includeSubDomains"


def protect(response: Response, *, secure: bool, request_id: str) -> Response:
    """Add what is missing. `secure`: whether this deployment is reached over https alone.

    Pages say `same-origin` where everything else says `no-referrer`: under `no-referrer` browsers send
    `Origin: null` with a form's post, and the check of the origin would refuse every one of them.
    """
    headers = response.headers
    headers["X-Request-Id"] = request_id
    headers["X-Content-Type-Options"] = "nosniff"
    html = (response.mimetype or "") == "text/html"
    if "Cache-Control" not in headers:
        headers["Cache-Control"] = "no-store"
    if "Referrer-Policy" not in headers:
        headers["Referrer-Policy"] = "same-origin" if html else "no-referrer"
    if "Content-Security-Policy" not in headers:
        headers["Content-Security-Policy"] = NOTHING
    if html:
        headers["X-Frame-Options"] = "DENY"
    if secure:
        headers["Strict-Transport-Security"] = HSTS
    return response
