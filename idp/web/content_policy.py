"""The Content-Security-Policy of a page, and how a registered address becomes a source in it."""

from urllib.parse import urlsplit

from idp.web import words


def form_target(redirect_uri: str) -> str:
    """The CSP source that lets a form's redirect reach a registered redirect URI (CSP3 section 6.4.2).

    An origin for http and https, `scheme:` for native applications. CSP has no way to write an IPv6
    address, so that such a loopback address is allowed by its scheme.
    """
    parts = urlsplit(redirect_uri)
    if parts.scheme in ("", "javascript", "vbscript", "data", "blob", "file", "about"):
        raise ValueError("not an address that a form may lead to")
    if parts.scheme not in ("http", "https") or ":" in (parts.hostname or ":"):
        return f"{parts.scheme}:"
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{parts.hostname}{port}"


def policy(
    nonce: str,
    form_action: tuple[str, ...] = (),
    images: tuple[str, ...] = (),
    frames: tuple[str, ...] = (),
    *,
    watches: bool = False,
) -> str:
    """The Content-Security-Policy of a page: it shows `images` and `frames` of these sources and no others.

    `watches`: its script may ask where the page came from.

    Raises ValueError on a source that is not one.
    """
    for source in (*form_action, *images, *frames):
        if not words.CSP_SOURCE.fullmatch(source):
            raise ValueError("not a CSP source")
    nonced = f"'nonce-{nonce}'" if nonce else "'none'"
    return "; ".join(
        (
            "default-src 'none'",
            f"style-src 'self' {nonced}" if nonce else "style-src 'self'",
            f"script-src {nonced}",
            " ".join(("img-src 'self'", *images)),
            " ".join(("form-action 'self'", *form_action)),
            *(("connect-src 'self'",) if watches else ()),
            *((" ".join(("frame-src", *dict.fromkeys(frames))),) if frames else ()),
            "base-uri 'none'",
            "frame-ancestors 'none'",
        )
    )


def framed(nonce: str, ancestors: tuple[str, ...]) -> str:
    """The policy of a bare page with one script, which pages of `ancestors` alone may frame."""
    for source in ancestors:
        if not words.CSP_SOURCE.fullmatch(source):
            raise ValueError("not a CSP source")
    shown = " ".join(ancestors) or "'none'"
    return f"default-src 'none'; script-src 'nonce-{nonce}'; base-uri 'none'; frame-ancestors {shown}"
