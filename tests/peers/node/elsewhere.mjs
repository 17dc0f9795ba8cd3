// Programs that ask for somebody who is not in their browser, on openid-client and on oauth4webapi: device, CIBA.
import * as client from "openid-client";
import * as oauth from "oauth4webapi";
import { browse, play, signing } from "./lines.mjs";

const metadata = { id_token_signed_response_alg: "ES256" };

/** What became of it: the claims, userinfo, what a thief gets, the refresh, and what the page said. */
async function told(config, DPoP, tokens, page) {
  const { sub } = tokens.claims();
  const userinfo = await client.fetchUserInfo(config, tokens.access_token, sub, { DPoP });
  const stolen = await client.fetchUserInfo(config, tokens.access_token, sub).catch((error) => error.status);
  const refreshed = await client.refreshTokenGrant(config, tokens.refresh_token, undefined, { DPoP });
  return { claims: tokens.claims(), userinfo, stolen, type: tokens.token_type, refreshed: Boolean(refreshed.access_token), page };
}

async function openidClient({ issuer, client_id, jwk }) {
  const auth = client.PrivateKeyJwt({ key: await signing(jwk), kid: jwk.kid });
  const config = await client.discovery(new URL(issuer), client_id, metadata, auth);
  return { config, DPoP: client.getDPoPHandle(config, await client.randomDPoPKeyPair("ES256")) };
}

/** openid-client as a device: it shows a code, and waits for its tokens. */
async function device(given) {
  const { config, DPoP } = await openidClient(given);
  const shown = await client.initiateDeviceAuthorization(config, { scope: given.scope });
  const page = await browse(shown.verification_uri_complete);
  return told(config, DPoP, await client.pollDeviceAuthorizationGrant(config, shown, undefined, { DPoP }), page);
}

/** openid-client as a service that asks for Alice, and polls. */
async function ciba(given) {
  const { config, DPoP } = await openidClient(given);
  const asked = { scope: given.scope, login_hint: "alice", binding_message: "W4SC" };
  const waiting = await client.initiateBackchannelAuthentication(config, asked);
  const page = await browse(`${given.issuer}/approve`);
  return told(config, DPoP, await client.pollBackchannelAuthenticationGrant(config, waiting, undefined, { DPoP }), page);
}

/** oauth4webapi, which leaves the polling to its caller; `signs`: the request is a JWT that the client signed. */
async function cibaByHand({ issuer, client_id, jwk, scope, signs }) {
  const url = new URL(issuer);
  const as = await oauth.processDiscoveryResponse(url, await oauth.discoveryRequest(url));
  const one = { client_id, ...metadata };
  const key = { key: await signing(jwk), kid: jwk.kid };
  const auth = oauth.PrivateKeyJwt(key);
  const DPoP = oauth.DPoP(one, await oauth.generateKeyPair("ES256"));
  const plain = new URLSearchParams({ scope, login_hint: "alice", binding_message: "W4SC" });
  const asked = signs ? new URLSearchParams({ request: await oauth.issueRequestObject(as, one, plain, key) }) : plain;
  const begun = await oauth.backchannelAuthenticationRequest(as, one, auth, asked);
  const waiting = await oauth.processBackchannelAuthenticationResponse(as, one, begun);
  const poll = async () => {
    const answer = await oauth.backchannelAuthenticationGrantRequest(as, one, auth, waiting.auth_req_id, { DPoP });
    return oauth.processBackchannelAuthenticationGrantResponse(as, one, answer);
  };
  const early = await poll().catch((error) => error.error);
  const page = await browse(`${issuer}/approve`);
  const tokens = await poll();
  const claims = oauth.getValidatedIdTokenClaims(tokens);
  const asking = await oauth.userInfoRequest(as, one, tokens.access_token, { DPoP });
  const userinfo = await oauth.processUserInfoResponse(as, one, claims.sub, asking);
  const bare = await oauth.userInfoRequest(as, one, tokens.access_token);
  const again = await poll().catch((error) => error.error);
  const ended = await oauth.userInfoRequest(as, one, tokens.access_token, { DPoP });
  return { ended: ended.status, early, again, claims, userinfo, stolen: bare.status, type: tokens.token_type, page };
}

await play({ device, ciba, cibaByHand });
