"""Providers of before OpenID Connect, such as GitHub: an access token tells who somebody is, at one endpoint.

There is no ID token. What binds the answer to the question is the code that is redeemed with our own secret and
verifier over TLS (RFC 6749 §4.1.3, RFC 7636), never a token that came by the browser.
"""

import json
from typing import Any

from idp.federation import openid
from idp.federation.fields import Settings
from idp.federation.openid import Sent
from idp.federation.profile import Profile, made
from idp.federation.providers import Provider
from idp.federation.refusals import Failed
from idp.store.durable.upstreams import Upstream

_MOST_ADDRESSES = 100


def profile(upstream: Upstream, how: Settings, provider: Provider, sent: Sent, code: str) -> Profile:
    """Whom the provider speaks of: its id for them, which is for good. Raises Failed, UpstreamAway, Busy."""
    token = str(openid.redeemed(upstream, how, provider, sent, code)["access_token"])
    told = openid.asked(how.userinfo_endpoint, token=token)
    subject = told.get(how.subject_claim)
    if isinstance(subject, int) and not isinstance(subject, bool) and subject > 0:
        subject = str(subject)
    claims = {name: value for name, value in told.items() if name not in ("email", "email_verified", "amr")}
    if how.emails_endpoint:
        claims |= _address(_listed(openid.bytes_of(how.emails_endpoint, token=token)))
    return made(how, upstream.issuer, subject, claims)


def _address(addresses: list[Any]) -> dict[str, Any]:
    """The first address among those that the provider lists, and whether it has verified it."""
    for one in addresses[:_MOST_ADDRESSES]:
        if isinstance(one, dict) and one.get("primary") is True:
            return {"email": one.get("email"), "email_verified": one.get("verified") is True}
    return {}


def _listed(raw: bytes) -> list[Any]:
    """A JSON list. Raises Failed."""
    try:
        found = json.loads(raw)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, list):
        raise Failed(rule="upstream.answer", expected="a JSON list")
    return found
