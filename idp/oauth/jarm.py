"""Authorization responses as one signed JWT, encrypted where the client wants that (JARM, OAuth 2.0 final §2, §3).

All that the answer says is inside, errors as well: nothing plain stands beside it. Its header type is its own, so that
nobody takes it for another JWT of ours (RFC 8725 §3.11).
"""

from idp import clock, platform
from idp.errors import InvalidRequest
from idp.oauth import encryption
from idp.registration import fapi
from idp.signing import jwt
from idp.store.durable.clients import Client
from idp.tenants import current, entered

MODES = ("jwt", "query.jwt", "fragment.jwt", "form_post.jwt")
SUFFIX = ".jwt"
TYPE = "oauth-authz-resp+jwt"
LIFETIME = 300
"""Seconds; it is read as soon as it arrives (§2.1 asks for ten minutes at most)."""


def alg(client: Client) -> str:
    """What the client's answers are signed with: what it registered for them, else what its ID tokens are."""
    own = ("authorization_signed_response_alg", "id_token_signed_response_alg")
    registered = next((client.metadata[name] for name in own if name in client.metadata), None)
    return fapi.alg(client, registered, current().policy.id_token_signing_alg)


def ready(client: Client) -> None:
    """An answer for this client can be made, which is asked before anybody signs in. Raises InvalidRequest, Busy."""
    if alg(client) not in jwt.algorithms():
        raise InvalidRequest(
            "The answer cannot be signed as the application wants it.",
            rule="response_mode.alg", expected=jwt.algorithms(), got=alg(client),
            setting="client.authorization_signed_response_alg",
        )  # fmt: skip
    encryption.ready(client, encryption.AUTHORIZATION)


def sealed(client: Client, parameters: dict[str, str]) -> dict[str, str]:
    """The one parameter `response` that says all of `parameters`, `iss` among them (§2.1, §2.3)."""
    with entered(platform.speaking_to(client)):
        return _sealed(client, parameters)


def _sealed(client: Client, parameters: dict[str, str]) -> dict[str, str]:
    now = clock.epoch()
    claims = {
        **parameters,
        "iss": current().issuer,
        "aud": client.client_id,
        "iat": now,
        "exp": now + LIFETIME,
    }
    signed = jwt.sign(claims, alg=alg(client), typ=TYPE)
    return {"response": encryption.sealed(client, encryption.AUTHORIZATION, signed, nested=True)}
