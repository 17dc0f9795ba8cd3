"""The security headers of every answer, added where it leaves; a page brings its own policy for content."""

_NOTHING = ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
_NO_STORE = ("Cache-Control", "no-store")
_NOSNIFF = ("X-Content-Type-Options", "nosniff")
_NO_REFERRER = ("Referrer-Policy", "no-referrer")
_NO_FRAME = ("X-Frame-Options", "DENY")
HSTS = ("Strict-Transport-Security", "max-age=63072000; includeSubDomains")

Headers = list[tuple[str, str]]


def protect(headers: Headers, *, hsts: bool, request_id: str) -> Headers:
    """`headers` with what was missing. `hsts`: whether browsers are told that this host is reached over https alone."""
    present = {name.lower(): value for name, value in headers}
    html = present.get("content-type", "").startswith("text/html")
    headers.append(("X-Request-Id", request_id))
    headers.append(_NOSNIFF)
    if "cache-control" not in present:
        headers.append(_NO_STORE)
    if "referrer-policy" not in present:
        headers.append(_NO_REFERRER)
    if "content-security-policy" not in present:
        headers.append(_NOTHING)
    if html and "frame-ancestors 'none'" in present.get("content-security-policy", _NOTHING[1]):
        headers.append(_NO_FRAME)
    if hsts:
        headers.append(HSTS)
    return headers
