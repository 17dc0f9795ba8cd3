"""What is encrypted for a client, as it has registered (OpenID Connect Core 1.0 §16.14, Registration 1.0 §2).

Signed first, then encrypted (§2); never the other way round. The client's key is looked for before anything is burned
or minted (`ready`), because it may lie at an address of the client's, and nobody waits for one in a transaction.
"""

from idp.errors import Busy, InvalidRequest
from idp.oauth import client_keys
from idp.registration import keys
from idp.signing import jwe
from idp.store.durable.clients import Client

ID_TOKEN, USERINFO = "id_token_encrypted_response", "userinfo_encrypted_response"
AUTHORIZATION, INTROSPECTION = "authorization_encrypted_response", "introspection_encrypted_response"


def wanted(client: Client, what: str) -> bool:
    """Whether this client wants `what` encrypted."""
    return f"{what}_alg" in client.metadata


def ready(client: Client, what: str) -> None:
    """Have the client's key at hand, where it wants `what` encrypted. Raises InvalidRequest, Busy."""
    if wanted(client, what):
        alg = str(client.metadata[f"{what}_alg"])
        if keys.for_encryption(client_keys.of(client, None), alg) is None:
            raise InvalidRequest(
                "The application has no key with which its tokens can be encrypted.",
                rule="encryption.key", expected=f"a key for {alg}", got="none", setting="client.jwks_uri",
            )  # fmt: skip


def sealed(client: Client, what: str, text: str, *, nested: bool) -> str:
    """`text` as the client wants it: encrypted, or as it is. Raises Busy when its key has gone since `ready`."""
    if not wanted(client, what):
        return text
    alg = str(client.metadata[f"{what}_alg"])
    key = keys.for_encryption(client_keys.of(client, None), alg)
    if key is None:
        raise Busy(rule="encryption.key", retry_after=1)
    enc = str(client.metadata.get(f"{what}_enc", jwe.CONTENT[0]))
    return jwe.encrypt(text, key, alg=alg, enc=enc, nested=nested)
