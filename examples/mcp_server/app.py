"""An MCP server whose tool answers whoever brings an access token that one tenant issued for it.

Needs the official SDK: pip install mcp joserfc. Environment: IDP_ISSUER, PORT (8003), SCOPE (notes.read), TYP (at+jwt),
AUDIENCE (this server's own address, by default http://127.0.0.1:PORT/mcp). The SDK tells clients where to go.
"""

import os
import time

import anyio
import httpx2
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet
from mcp.server.auth.middleware.auth_context import get_access_token
from mcp.server.auth.provider import AccessToken
from mcp.server.auth.settings import AuthSettings
from mcp.server.mcpserver import MCPServer

ISSUER = os.environ["IDP_ISSUER"].rstrip("/")
PORT = int(os.environ.get("PORT", "8003"))
AUDIENCE = os.environ.get("AUDIENCE", f"http://127.0.0.1:{PORT}/mcp")
SCOPE = os.environ.get("SCOPE", "notes.read")
TYP = os.environ.get("TYP", "at+jwt")
ALGORITHMS = ["RS256", "PS256", "ES256", "EdDSA"]
KEEP, AT_MOST_EACH = 300, 1  # seconds: the JWKS is kept, and asked for again when a key is unknown


class Verifier:
    """Judges access tokens by RFC 9068 section 4, with the issuer's public keys."""

    keys, at = KeySet([]), 0.0

    async def known(self, after: float) -> KeySet:
        if not self.keys.keys or time.monotonic() - self.at > after:
            async with httpx2.AsyncClient(timeout=5) as http:
                metadata = (await http.get(f"{ISSUER}/.well-known/openid-configuration")).json()
                if metadata["issuer"] != ISSUER:
                    raise JoseError("the discovery document names another issuer")
                found = (await http.get(metadata["jwks_uri"])).raise_for_status().json()
            self.keys, self.at = KeySet.import_key_set(found), time.monotonic()
        return self.keys

    async def verify_token(self, token: str) -> AccessToken | None:
        try:
            try:
                found = jwt.decode(token, await self.known(KEEP), algorithms=ALGORITHMS)
            except InvalidKeyIdError:  # the issuer has rotated its keys
                found = jwt.decode(token, await self.known(AT_MOST_EACH), algorithms=ALGORITHMS)
            if found.header.get("typ", "").lower().removeprefix("application/") != TYP.lower():
                return None
            rules = {
                name: {"essential": True, "value": value}
                for name, value in (("iss", ISSUER), ("aud", AUDIENCE))
            }
            jwt.JWTClaimsRegistry(leeway=15, exp={"essential": True}, **rules).validate(found.claims)
        except (JoseError, ValueError, KeyError, httpx2.HTTPError):
            return None
        said = found.claims
        return AccessToken(
            token=token, client_id=said["client_id"], scopes=said.get("scope", "").split(), expires_at=said["exp"],
            resource=AUDIENCE, subject=said["sub"], claims={"iss": said["iss"]},
        )  # fmt: skip


auth = AuthSettings(
    issuer_url=ISSUER, resource_server_url=AUDIENCE, required_scopes=[SCOPE], validate_token_resource=True
)
server = MCPServer("Notes", token_verifier=Verifier(), auth=auth)


@server.tool()
def notes() -> str:
    """The notes of the person who is signed in."""
    return f"The first note of {get_access_token().subject}"


if __name__ == "__main__":
    anyio.run(lambda: server.run_streamable_http_async(host="127.0.0.1", port=PORT, stateless_http=True))
