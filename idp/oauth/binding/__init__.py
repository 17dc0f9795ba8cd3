"""What a token is bound to, so that whoever steals it holds nothing: one file a kind of binding.

Owns: the one binding that a request proves, and what it has to be for a grant. Leaves to others: minting with it
(`idp.oauth.issue`), asking for it at our own resources (`idp.oauth.protected`).
"""

from collections.abc import Mapping
from dataclasses import dataclass

from idp.errors import InvalidGrant, InvalidRequest
from idp.registration import fapi
from idp.store.durable.clients import Client

JKT = "jkt"
"""The thumbprint of a key that DPoP proofs are signed with (RFC 9449 §6.1)."""
X5T = "x5t#S256"
"""The thumbprint of a certificate of mutual TLS (RFC 8705 §3.1)."""
DEMANDS = {JKT: "dpop_bound_access_tokens", X5T: "tls_client_certificate_bound_access_tokens"}
"""By the member of `cnf`: what in a client's metadata says that all its tokens are bound so."""


@dataclass(frozen=True, slots=True)
class Binding:
    """The one key that a token is bound to: the member of `cnf` (RFC 7800 §3.1) and its thumbprint in base64url."""

    member: str
    thumbprint: str

    @property
    def cnf(self) -> dict[str, str]:
        """As it stands in a token and is kept with a grant."""
        return {self.member: self.thumbprint}

    @property
    def token_type(self) -> str:
        """How the token travels (RFC 9449 §5); one that a certificate binds stays a Bearer one (RFC 8705 §3)."""
        return "DPoP" if self.member == JKT else "Bearer"


def of(cnf: object) -> Binding | None:
    """The binding of a token or a grant, by its `cnf`; None where it has none that is known here."""
    if isinstance(cnf, Mapping) and len(cnf) == 1:
        (member, thumbprint), *_ = cnf.items()
        if member in DEMANDS and isinstance(thumbprint, str):
            return Binding(member, thumbprint)
    return None


def demanded(client: Client) -> str | None:
    """The member of `cnf` that every token of this client has; None where it may do without."""
    own = next((member for member, name in DEMANDS.items() if client.metadata.get(name)), None)
    return JKT if own is None and fapi.of(client) else own


def asked_for(client: Client, binding: Binding | None) -> None:
    """The client's tokens are bound as it is registered. Raises InvalidRequest (RFC 9449 §5.2, RFC 8705 §3.4)."""
    wanted = demanded(client)
    if wanted is not None and (binding is None or binding.member != wanted):
        raise InvalidRequest(
            "The tokens of this application are bound to a key, which has to be proved.",
            rule="binding.demanded",
            expected=wanted,
            got="none" if binding is None else binding.member,
            setting=f"client.{DEMANDS[wanted]}",
        )


def kept(client: Client, cnf: object, binding: Binding | None) -> None:
    """What was granted to the holder of a key goes on for no one else. Raises InvalidGrant.

    A public client has nothing but that key, and keeps it (RFC 9449 §5); one that authenticates may come with a new
    one of the same kind, and never without.
    """
    if cnf is None:
        return
    former = of(cnf)
    same = former is not None and binding is not None and former.member == binding.member
    if client.public:
        same = same and former == binding
    if not same:
        raise InvalidGrant(
            rule="binding.kept", expected=dict(cnf) if isinstance(cnf, Mapping) else cnf,
            got=None if binding is None else binding.cnf,
        )  # fmt: skip
