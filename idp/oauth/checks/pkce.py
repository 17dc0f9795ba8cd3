"""Proof Key for Code Exchange (RFC 7636): S256 alone, demanded where the request is made."""

import re

from idp.errors import InvalidRequest
from idp.oauth.checks.pending import Pending
from idp.registration import fapi, flows
from idp.tenants import current

METHODS = ("S256",)
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")


def pkce_present(pending: Pending) -> None:
    """Public clients always, every client by default (RFC 9700 §2.1.1)."""
    if not flows.has(pending.response_type, flows.CODE):
        return  # there is no code that could be stolen
    client = pending.known_client
    own = client.setting("require_pkce")
    usual = current().policy.require_pkce == "all" if own is None else bool(own)
    demanded = client.public or fapi.of(client) or usual
    if demanded and pending.get("code_challenge") is None:
        raise InvalidRequest(
            "code_challenge is missing; PKCE with S256 is required.",
            rule="pkce.present",
            setting="policy.require_pkce",
        )


def pkce_method(pending: Pending) -> None:
    """Only S256, and it is said: an absent method would mean plain (RFC 7636 §4.3)."""
    given, method = pending.get("code_challenge"), pending.get("code_challenge_method")
    if given is None and method is None:
        return
    if method not in METHODS:
        raise InvalidRequest(
            "code_challenge_method must be S256.", rule="pkce.method", expected=METHODS, got=method
        )


def pkce_challenge(pending: Pending) -> None:
    """The challenge is base64url of a SHA-256 digest: 43 characters (RFC 7636 §4.2)."""
    given = pending.get("code_challenge")
    if given is None:
        if pending.get("code_challenge_method") is not None:
            raise InvalidRequest("code_challenge is missing.", rule="pkce.challenge")
        return
    if not _CHALLENGE.fullmatch(given):
        raise InvalidRequest("code_challenge is malformed.", rule="pkce.challenge", got=given[:64])
    pending.code_challenge = given
