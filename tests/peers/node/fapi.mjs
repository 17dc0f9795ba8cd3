// Relying parties of the FAPI 2.0 Security Profile on openid-client and on oauth4webapi: PAR, private_key_jwt, DPoP.
import * as client from "openid-client";
import * as oauth from "oauth4webapi";
import { browse, play, signing } from "./lines.mjs";

const metadata = { id_token_signed_response_alg: "ES256", authorization_signed_response_alg: "ES256" };

/** openid-client; `messages`: requests are signed, and answers come as a JWT (JARM). */
async function openidClient({ issuer, client_id, jwk, redirect_uri, scope, messages }) {
  const auth = client.PrivateKeyJwt({ key: await signing(jwk), kid: jwk.kid });
  const config = await client.discovery(new URL(issuer), client_id, metadata, auth);
  if (messages) client.useJwtResponseMode(config);
  const DPoP = client.getDPoPHandle(config, await client.randomDPoPKeyPair("ES256"));
  const pkceCodeVerifier = client.randomPKCECodeVerifier();
  const checks = { pkceCodeVerifier, expectedState: client.randomState(), expectedNonce: client.randomNonce() };
  let asked = {
    redirect_uri, scope, state: checks.expectedState, nonce: checks.expectedNonce, code_challenge_method: "S256",
    code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
  };
  if (messages) {
    const key = { key: await signing(jwk), kid: jwk.kid };
    asked = (await client.buildAuthorizationUrlWithJAR(config, asked, key)).searchParams;
  }
  const url = await client.buildAuthorizationUrlWithPAR(config, asked, { DPoP });
  const back = await browse(url);
  const tokens = await client.authorizationCodeGrant(config, back, checks, undefined, { DPoP });
  const { sub } = tokens.claims();
  const userinfo = await client.fetchUserInfo(config, tokens.access_token, sub, { DPoP });
  const refreshed = await client.refreshTokenGrant(config, tokens.refresh_token, undefined, { DPoP });
  const stolen = await client.fetchUserInfo(config, refreshed.access_token, sub).catch((error) => error.status);
  const told = await client.tokenIntrospection(config, refreshed.access_token);
  return {
    asked: Object.fromEntries(url.searchParams), back: Object.fromEntries(back.searchParams), told, userinfo, stolen,
    type: tokens.token_type, again: refreshed.refresh_token ?? tokens.refresh_token, first: tokens.refresh_token,
    jkt: await DPoP.calculateThumbprint(),
  };
}

/** oauth4webapi, which leaves the second try with a nonce to its caller. */
async function oauth4webapi({ issuer, client_id, jwk, redirect_uri, scope, messages }) {
  const url = new URL(issuer);
  const as = await oauth.processDiscoveryResponse(url, await oauth.discoveryRequest(url));
  const one = { client_id, ...metadata };
  const key = { key: await signing(jwk), kid: jwk.kid };
  const auth = oauth.PrivateKeyJwt(key);
  const DPoP = oauth.DPoP(one, await oauth.generateKeyPair("ES256"));
  const tries = [];
  const twice = (ask, read) =>
    ask().then(read).catch(async (error) => {
      if (!oauth.isDPoPNonceError(error)) throw error;
      tries.push(error.error ?? "challenge");
      return read(await ask());
    });
  const verifier = oauth.generateRandomCodeVerifier();
  const state = oauth.generateRandomState();
  const nonce = oauth.generateRandomNonce();
  let asked = new URLSearchParams({
    client_id, redirect_uri, response_type: "code", scope, state, nonce, code_challenge_method: "S256",
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier), ...(messages ? { response_mode: "jwt" } : {}),
  });
  if (messages) asked = new URLSearchParams({ client_id, request: await oauth.issueRequestObject(as, one, asked, key) });
  const pushed = await twice(
    () => oauth.pushedAuthorizationRequest(as, one, auth, asked, { DPoP }),
    (answer) => oauth.processPushedAuthorizationResponse(as, one, answer),
  );
  const to = new URL(as.authorization_endpoint);
  to.search = new URLSearchParams({ client_id, request_uri: pushed.request_uri });
  const back = await browse(to);
  const params = messages
    ? await oauth.validateJwtAuthResponse(as, one, back, state)
    : oauth.validateAuthResponse(as, one, back, state);
  const checks = { expectedNonce: nonce, requireIdToken: true };
  const tokens = await twice(
    () => oauth.authorizationCodeGrantRequest(as, one, auth, params, redirect_uri, verifier, { DPoP }),
    (answer) => oauth.processAuthorizationCodeResponse(as, one, answer, checks),
  );
  const { sub } = oauth.getValidatedIdTokenClaims(tokens);
  const userinfo = await twice(
    () => oauth.userInfoRequest(as, one, tokens.access_token, { DPoP }),
    (answer) => oauth.processUserInfoResponse(as, one, sub, answer),
  );
  const refreshed = await twice(
    () => oauth.refreshTokenGrantRequest(as, one, auth, tokens.refresh_token, { DPoP }),
    (answer) => oauth.processRefreshTokenResponse(as, one, answer),
  );
  const bare = await oauth.userInfoRequest(as, one, refreshed.access_token);
  const answer = await oauth.introspectionRequest(as, one, auth, refreshed.access_token);
  const told = await oauth.processIntrospectionResponse(as, one, answer);
  return {
    asked: Object.fromEntries(to.searchParams), back: Object.fromEntries(back.searchParams), told, userinfo, tries,
    stolen: bare.status, type: tokens.token_type, again: refreshed.refresh_token ?? tokens.refresh_token,
    first: tokens.refresh_token, jkt: await DPoP.calculateThumbprint(),
  };
}

await play({ openidClient, oauth4webapi });
