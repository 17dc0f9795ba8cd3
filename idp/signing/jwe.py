"""Encrypt for a client, and decrypt what was encrypted for the entered tenant (RFC 7516, RFC 7518 §4 and §5).

The compact form alone, without compression, with the few algorithms that are named here; a private key is found by
`kid` among the tenant's own encryption keys and nowhere else. What comes out is not trusted by having been encrypted:
anybody can encrypt. Whoever asked verifies the signature inside.
"""

import json
from collections.abc import Mapping
from typing import Any, cast

from joserfc import jwe
from joserfc.errors import JoseError

from idp import clock, ids
from idp.signing import cache, keys, parts
from idp.signing.cache import JoseKey
from idp.signing.checks import no
from idp.signing.jwks import MEMBERS
from idp.store.durable.signing_keys import SigningKey
from idp.tenants import current

ALGORITHMS = ("RSA-OAEP-256", "RSA-OAEP", "ECDH-ES", "ECDH-ES+A128KW", "ECDH-ES+A256KW")
"""`alg`: how the content key travels. No symmetric one, since clients' secrets are kept as digests; no RSA1_5."""
CONTENT = ("A128CBC-HS256", "A256CBC-HS512", "A128GCM", "A256GCM")
"""`enc`: how the content is encrypted; the first where a client names none (OpenID Connect Registration 1.0 §2)."""
DECRYPTED = tuple(alg for alg in ALGORITHMS if alg != "RSA-OAEP")
"""What is taken from clients: nothing with SHA-1."""
KINDS = {alg: "RSA" if alg.startswith("RSA") else "EC" for alg in ALGORITHMS}
"""Key type of each (RFC 7518 §6.1)."""
_NAMED = {"alg", "enc", "kid", "typ", "cty", "epk", "apu", "apv"}
_ALLOWED = (*ALGORITHMS, *CONTENT)


def encrypt(text: str, key: Mapping[str, Any], *, alg: str, enc: str, nested: bool) -> str:
    """`text` for whoever has the other half of `key`; `nested`: it is a JWT itself (RFC 7519 §5.2)."""
    header = {"alg": alg, "enc": enc, **({"kid": key["kid"]} if "kid" in key else {})}
    if nested:
        header |= {"typ": "JWT", "cty": "JWT"}
    public = {name: key[name] for name in MEMBERS if name in key}
    opened = cache.JOSE_KEYS[KINDS[alg]].import_key(cast(Any, public))
    return jwe.encrypt_compact(header, text, opened, algorithms=_ALLOWED)


def encrypted(token: object) -> bool:
    """Whether this has the form of a JWE (RFC 7516 §7.1)."""
    return isinstance(token, str) and token.count(".") == 4


def decrypt(token: str) -> str:
    """What was encrypted for the entered tenant. Raises InvalidToken."""
    if len(token) > parts.LONGEST:
        raise no("token.size", expected=parts.LONGEST, got=len(token))
    alg, kid = _header(token)
    now = clock.now()
    for row in keys.published(cache.load().keys, now):
        # A key of the tenant's is an encryption key by its own algorithm, whatever the header says.
        fits = row.alg in keys.ENCRYPTION and row.public["kty"] == KINDS[alg] and kid in (None, row.kid)
        if fits and (text := _opened(token, row)) is not None:
            return text
    raise no("token.encryption", expected="one for an encryption key of the tenant", got="another")


def _header(token: str) -> tuple[str, str | None]:
    head = token.partition(".")[0]
    try:
        header = parts.json_object(ids.unb64(head), "token.header")
    except ValueError:
        raise no("token.encoding", expected="canonical base64url") from None
    if not set(header) <= _NAMED or header.get("alg") not in DECRYPTED or header.get("enc") not in CONTENT:
        raise no("token.encryption", expected=[*DECRYPTED, *CONTENT], got=json.dumps(header)[:200])
    kid = header.get("kid")
    if not isinstance(kid, str | None):
        raise no("token.kid", expected="a string", got=kid)
    return str(header["alg"]), kid


def _opened(token: str, row: SigningKey) -> str | None:
    key: JoseKey = cache.private_key(row, current().id)
    try:
        found = jwe.decrypt_compact(token, key, algorithms=[*DECRYPTED, *CONTENT])
        return None if found.plaintext is None else found.plaintext.decode("ascii")
    except (JoseError, ValueError, TypeError, KeyError, AttributeError):
        return None
