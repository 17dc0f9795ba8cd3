"""OpenID Connect as the one who relies on it: a code becomes a profile (OpenID Connect Core 1.0 §3.1.3).

The ID token is checked by the one table for what others sign (§3.1.3.7), and by what that table cannot know: `azp`,
`nonce`, and the issuers of Microsoft Entra, of which each directory has one.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote_plus

from idp import clock, lanes, outbound
from idp.errors import InvalidToken
from idp.federation import secrets
from idp.federation.fields import TENANTID, Settings
from idp.federation.profile import Profile, made
from idp.federation.providers import Provider
from idp.federation.refusals import Failed, NotFresh, UpstreamAway
from idp.ids import b64
from idp.logs import log
from idp.oauth import client_keys
from idp.signing import parts
from idp.signing.foreign import FOREIGN, Foreign
from idp.store.durable.upstreams import Upstream

LARGEST = 131_072
"""Bytes of an answer that are read."""
TYPES = (None, "JWT")
LIFETIME = 86_400
"""Seconds from now that the `exp` of an ID token may lie ahead."""
_DIRECTORY = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
_BEARER = re.compile(r"[A-Za-z0-9._~+/-]{1,8000}=*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Sent:
    """What was sent along with somebody and is compared with what comes back."""

    nonce: str
    verifier: str
    redirect_uri: str
    left: int


def profile(upstream: Upstream, how: Settings, provider: Provider, sent: Sent, code: str) -> Profile:
    """Whom the provider speaks of. Raises Failed, UpstreamAway, Busy."""
    tokens = redeemed(upstream, how, provider, sent, code)
    claims = _verified(tokens.get("id_token"), upstream, how, provider, sent)
    issuer, subject = claims["iss"], claims["sub"]
    told = _told(provider, tokens, claims)
    auth_time = clock.from_instant(claims["auth_time"]) if "auth_time" in claims else None
    if how.preset == "entra":
        # `sub` differs by application there; the directory and the person in it do not (Microsoft's own advice).
        subject = f"{claims['tid']}.{claims['oid']}"
    return made(how, issuer, subject, {**told, **claims}, auth_time)


def redeemed(upstream: Upstream, how: Settings, provider: Provider, sent: Sent, code: str) -> dict[str, Any]:
    """What the token endpoint gives for a code (RFC 6749 §4.1.3, RFC 7636 §4.5). Raises Failed, UpstreamAway, Busy."""
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": sent.redirect_uri,
        "code_verifier": sent.verifier,
    }
    heads: dict[str, str] = {}
    value = secrets.opened(upstream)
    method = how.token_endpoint_auth_method or _method(provider, value)
    if value is not None and method == "client_secret_basic":
        pair = f"{quote_plus(upstream.client_id)}:{quote_plus(value)}"  # RFC 6749 §2.3.1
        heads["Authorization"] = f"Basic {_basic(pair)}"
    else:
        form["client_id"] = upstream.client_id
        if value is not None and method == "client_secret_post":
            form["client_secret"] = value
    tokens: dict[str, Any] = asked(provider.token_endpoint, form=form, heads=heads)
    if not isinstance(tokens.get("access_token"), str) or str(tokens.get("token_type")).lower() != "bearer":
        raise Failed(rule="upstream.token_response", expected="a bearer token")
    return tokens


def asked(
    uri: str,
    *,
    form: dict[str, str] | None = None,
    heads: dict[str, str] | None = None,
    token: str | None = None,
) -> Any:
    """The JSON object that an endpoint of an upstream answers with. Raises Failed, UpstreamAway, Busy."""
    raw = bytes_of(uri, form, heads, token)
    try:
        return parts.json_object(raw, "upstream.answer")
    except InvalidToken as refusal:
        raise Failed(rule=refusal.rule, expected=refusal.expected) from None


def bytes_of(
    uri: str,
    form: dict[str, str] | None = None,
    heads: dict[str, str] | None = None,
    token: str | None = None,
) -> bytes:
    """What an endpoint of an upstream answers with. Raises Failed, UpstreamAway, Busy."""
    fields = dict(heads or {})
    if token is not None:
        if not _BEARER.fullmatch(token):
            raise Failed(rule="upstream.access_token", expected="a bearer token (RFC 6750 section 2.1)")
        fields["Authorization"] = f"Bearer {token}"
    try:
        with lanes.left():
            return outbound.ask(uri, LARGEST, form=form, heads=fields)
    except outbound.NotSent as problem:
        if problem.status is not None and 400 <= problem.status < 500:
            # It refuses what the browser brought; that is nobody's fault on this side (RFC 6749 §5.2).
            raise Failed(rule="upstream.refused", expected="200", got=problem.status) from None
        log(__name__).warning("upstream.not_answered", why=str(problem)[:200])
        raise UpstreamAway(rule="upstream.answer", expected=uri, got=str(problem)[:200]) from None


def _method(provider: Provider, value: str | None) -> str:
    if value is None:
        return "none"
    basic = not provider.auth_methods or "client_secret_basic" in provider.auth_methods
    return "client_secret_basic" if basic else "client_secret_post"


def _basic(pair: str) -> str:
    padded = b64(pair.encode()).replace("-", "+").replace("_", "/")
    return padded + "=" * (-len(padded) % 4)


def _verified(
    token: object, upstream: Upstream, how: Settings, provider: Provider, sent: Sent
) -> dict[str, Any]:
    """The claims of the ID token, once all of it holds. Raises Failed, Busy."""
    try:
        if provider.jwks_uri is None:
            raise AssertionError("an OpenID provider has keys")
        keys = client_keys.served(upstream.id, provider.jwks_uri, parts.kid(str(token)), vouched=True)
        template = TENANTID in upstream.issuer
        seen = Foreign(
            token, keys, how.algorithms, TYPES, None if template else upstream.issuer, None, (upstream.client_id,),
            LIFETIME, clock.epoch(),
        )  # fmt: skip
        FOREIGN.hold(seen)
        _own_checks(seen.claims, upstream, how, sent)
    except InvalidToken as refusal:
        rule = str(refusal.rule).replace("assertion.", "id_token.").replace("token.", "id_token.", 1)
        raise Failed(rule=f"upstream.{rule}", expected=refusal.expected, got=refusal.got) from None
    return seen.claims


def _own_checks(claims: Mapping[str, Any], upstream: Upstream, how: Settings, sent: Sent) -> None:
    audience, azp = claims.get("aud"), claims.get("azp")
    if "iat" not in claims or not claims.get("sub"):
        raise Failed(rule="upstream.id_token.claims", expected="iat and sub")
    if (isinstance(audience, list) and len(audience) > 1 and azp is None) or azp not in (
        None,
        upstream.client_id,
    ):
        raise Failed(rule="upstream.id_token.azp", expected=upstream.client_id, got=azp)
    if claims.get("nonce") != sent.nonce:
        raise Failed(
            rule="upstream.id_token.nonce", expected="the nonce of this sign-in", got="another or none"
        )
    auth_time = claims.get("auth_time", 0)
    if not isinstance(auth_time, int) or isinstance(auth_time, bool) or not 0 <= auth_time < 1 << 40:
        raise Failed(rule="upstream.id_token.auth_time", expected="seconds since 1970", got=auth_time)
    if auth_time > clock.epoch() + parts.SKEW:
        raise Failed(rule="upstream.id_token.auth_time", expected="not ahead", got=auth_time)
    if how.preset == "entra":
        _entra(claims, upstream, how)


def _entra(claims: Mapping[str, Any], upstream: Upstream, how: Settings) -> None:
    """The issuer is that of the directory which `tid` names, one that is let in, and `oid` names somebody in it."""
    tid, oid = claims.get("tid"), claims.get("oid")
    if not all(isinstance(each, str) and _DIRECTORY.fullmatch(each) for each in (tid, oid)):
        raise Failed(rule="upstream.id_token.tid", expected="tid and oid, each a UUID")
    if claims.get("iss") != upstream.issuer.replace(TENANTID, str(tid)):
        raise Failed(rule="upstream.id_token.iss", expected=f"the issuer of {tid}", got=claims.get("iss"))
    if how.directories and tid not in how.directories:
        raise Failed(rule="upstream.directory", expected=sorted(how.directories), got=tid,
                     setting="upstream.directories")  # fmt: skip


def issued_by(configured: str, issuer: str) -> bool:
    """Whether `issuer` is the configured one, or that of one of its directories."""
    if TENANTID not in configured:
        return issuer == configured
    head, _, tail = configured.partition(TENANTID)
    middle = issuer.removeprefix(head).removesuffix(tail)
    return issuer == f"{head}{middle}{tail}" and _DIRECTORY.fullmatch(middle) is not None


def _told(provider: Provider, tokens: Mapping[str, Any], claims: Mapping[str, Any]) -> dict[str, Any]:
    """What userinfo adds, of the very same person (OpenID Connect Core 1.0 §5.3.2).

    Raises Failed, UpstreamAway, Busy.
    """
    if provider.userinfo_endpoint is None:
        return {}
    told: dict[str, Any] = asked(provider.userinfo_endpoint, token=str(tokens["access_token"]))
    if told.get("sub") != claims["sub"]:
        raise Failed(
            rule="upstream.userinfo.sub", expected="the subject of the ID token", got="another or none"
        )
    return told


def check_age(found: Profile, fresh: bool, max_age: int | None, left: int) -> None:
    """That the provider has asked the person as lately as it was told to. Raises NotFresh."""
    if not fresh and max_age is None:
        return
    since = found.auth_time
    earliest = left if fresh else clock.epoch() - (max_age or 0)
    if since is None or since.timestamp() < earliest - parts.SKEW:
        raise NotFresh(rule="upstream.auth_time", expected=f"after {earliest}", got=since)
