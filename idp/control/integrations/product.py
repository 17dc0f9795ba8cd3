"""What is known of one product that signs people in with us, or takes our tokens."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

_NONE: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Product:
    """A relying party or service, as far as it decides how its client has to be.

    `{url}` in an address stands for where the product is reached. Scopes, claims and methods are spelled as the
    specifications spell them.
    """

    name: str  # as it stands behind --for
    title: str  # as people write it
    place: str  # where an example of it is
    what: str  # a sentence: what the client is for
    method: str  # token_endpoint_auth_method
    scopes: tuple[str, ...]
    redirects: tuple[str, ...]
    files: tuple[str, ...]  # of its configuration, each a template of this name
    post_logout: tuple[str, ...] = ()
    backchannel: str | None = None
    alg: str = "RS256"  # of ID tokens
    native: bool = False
    refreshes: bool = False
    settings: Mapping[str, Any] = field(default_factory=lambda: _NONE)
    typ: str | None = None  # of access tokens; it is a service with an API of its own where there is one
    at_root: bool = False  # it knows its addresses at the root of a host alone
    know: tuple[str, ...] = ()  # sentences: what people trip on
    tried: str = "The client is tried by the tests; the product itself was not run."

    def metadata(self, url: str) -> dict[str, Any]:
        """The client metadata of the product at `url` (RFC 7591 section 2)."""
        found: dict[str, Any] = {
            "application_type": "native" if self.native else "web",
            "grant_types": ["authorization_code", *(["refresh_token"] if self.refreshes else [])],
            "id_token_signed_response_alg": self.alg,
            "redirect_uris": [_at(url, each) for each in self.redirects],
            "scope": " ".join(self.scopes),
            "token_endpoint_auth_method": self.method,
        }
        if self.post_logout:
            found["post_logout_redirect_uris"] = [_at(url, each) for each in self.post_logout]
        if self.backchannel:
            found["backchannel_logout_uri"] = _at(url, self.backchannel)
            found["backchannel_logout_session_required"] = True
        return found

    @property
    def public(self) -> bool:
        """Whether its client has no secret."""
        return self.method == "none"


def _at(url: str, address: str) -> str:
    return address.replace("{url}", url)
