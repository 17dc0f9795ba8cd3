"""Where an upstream's endpoints are: its discovery document (OpenID Connect Discovery 1.0 §4), as it is remembered.

The issuer in it must be the one that was configured, character by character (§4.3): otherwise one provider could
speak for another. One that does not answer keeps what it had for a day.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

from idp import urls
from idp.errors import Invalid
from idp.federation import fields
from idp.federation.fields import Settings
from idp.federation.refusals import UpstreamAway
from idp.fetching import Memory, Rules, Wanted
from idp.signing import parts
from idp.store.durable.upstreams import Upstream
from idp.tenants import current

_SUFFIX = "/.well-known/openid-configuration"


@dataclass(frozen=True, slots=True)
class Provider:
    """What is known of a provider. `issuer` may hold `{tenantid}`; `tells_issuer`: RFC 9207 §3."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    userinfo_endpoint: str | None
    jwks_uri: str | None
    tells_issuer: bool
    auth_methods: tuple[str, ...]


_DOCUMENTS: Memory[Provider] = Memory(
    Rules(
        "upstream",
        ("application/json",),
        131_072,
        least=300,
        usual=3_600,
        most=86_400,
        stale=86_400,
        wrong_ends=False,
    )
)


def of(upstream: Upstream, how: Settings) -> Provider:
    """What is known of an upstream's provider. Raises UpstreamAway, Busy."""
    if upstream.protocol == fields.OAUTH2:
        return Provider(
            upstream.issuer,
            how.authorization_endpoint,
            how.token_endpoint,
            how.userinfo_endpoint,
            None,
            False,
            (),
        )
    uri = how.discovery_uri or upstream.issuer + _SUFFIX
    found = _DOCUMENTS.get(Wanted(upstream.id, uri, partial(_read, upstream.issuer), vouched=True))
    if found.value is None:
        raise UpstreamAway(
            rule="upstream.discovery", expected=uri, got=found.why or "nothing", retry_after=10
        )
    return found.value


def forget() -> None:
    """Forget every document: between tests."""
    _DOCUMENTS.forget()


def _read(issuer: str, body: bytes) -> Provider:
    """What the document says. Raises ValueError, Refusal for one that cannot be used."""
    document = parts.json_object(body, "upstream.discovery")
    if document.get("issuer") != issuer:
        raise Invalid("The document is of another issuer.", rule="upstream.discovery.issuer")
    told = {name: _url(document[name]) for name in _ENDPOINTS if document.get(name) is not None}
    for name in _ENDPOINTS[:3]:
        if name not in told:
            raise Invalid(f"The document has no {name}.", rule=f"upstream.discovery.{name}")
    return Provider(
        issuer=issuer,
        authorization_endpoint=told["authorization_endpoint"],
        token_endpoint=told["token_endpoint"],
        userinfo_endpoint=told.get("userinfo_endpoint"),
        jwks_uri=told["jwks_uri"],
        tells_issuer=document.get("authorization_response_iss_parameter_supported") is True,
        auth_methods=_texts(document.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])),
    )


_ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri", "userinfo_endpoint")


def _url(value: object) -> str:
    return urls.web_url(value, loopback=current().local).text


def _texts(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise ValueError("a list of texts is no list of texts")
    return tuple(value)
