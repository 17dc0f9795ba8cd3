// A relying party, and a service that takes access tokens, on oauth4webapi.
import * as oauth from "oauth4webapi";
import { browse, play, signing } from "./lines.mjs";

const plain = { [oauth.allowInsecureRequests]: true };

async function discovered(given) {
  const issuer = new URL(given.issuer);
  return oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, { ...plain, ...given.discovery }));
}

async function authentication({ method, client_secret, jwk }) {
  if (method === "private_key_jwt") return oauth.PrivateKeyJwt({ key: await signing(jwk), kid: jwk.kid });
  if (method === "client_secret_post") return oauth.ClientSecretPost(client_secret);
  return method === "none" ? oauth.None() : oauth.ClientSecretBasic(client_secret);
}

async function registered(as, given) {
  const answer = await oauth.dynamicClientRegistrationRequest(as, given.register, plain);
  const made = await oauth.processDynamicClientRegistrationResponse(answer);
  return { client: made, auth: await authentication({ ...given, client_secret: made.client_secret }) };
}

async function party(as, given) {
  if (given.register) return registered(as, given);
  return { client: { client_id: given.client_id, ...given.metadata }, auth: await authentication(given) };
}

async function signIn(as, client, given) {
  const verifier = oauth.generateRandomCodeVerifier();
  const state = oauth.generateRandomState();
  const nonce = oauth.generateRandomNonce();
  const url = new URL(as.authorization_endpoint);
  const asked = {
    client_id: client.client_id, redirect_uri: given.redirect_uri, response_type: "code", scope: given.scope, state,
    nonce, code_challenge: await oauth.calculatePKCECodeChallenge(verifier), code_challenge_method: "S256",
    ...given.params,
  };
  if (given.signs) {
    const key = { key: await signing(given.jwk), kid: given.jwk.kid };
    const request = await oauth.issueRequestObject(as, client, asked, key);
    url.search = new URLSearchParams({ client_id: client.client_id, request });
  } else url.search = new URLSearchParams(asked);
  return { back: await browse(url), verifier, state, nonce };
}

async function redeemed(as, { client, auth }, given, params, { verifier, nonce }) {
  const to = given.redirect_uri;
  const answer = await oauth.authorizationCodeGrantRequest(as, client, auth, params, to, verifier, plain);
  const checks = { expectedNonce: nonce, requireIdToken: true };
  const tokens = await oauth.processAuthorizationCodeResponse(as, client, answer, checks);
  await oauth.validateApplicationLevelSignature(as, answer, plain);
  return tokens;
}

/** Sign in, ask who it is, refresh, introspect, revoke, sign out. */
async function whole(given) {
  const as = await discovered(given);
  const { client, auth } = await party(as, given);
  const visit = await signIn(as, client, given);
  const came = visit.back instanceof Request ? new URLSearchParams(await visit.back.text()) : visit.back;
  const params = oauth.validateAuthResponse(as, client, came, visit.state);
  const tokens = await redeemed(as, { client, auth }, given, params, visit);
  const claims = oauth.getValidatedIdTokenClaims(tokens);
  const asked = await oauth.userInfoRequest(as, client, tokens.access_token, plain);
  const userinfo = await oauth.processUserInfoResponse(as, client, claims.sub, asked);
  if (client.userinfo_signed_response_alg) await oauth.validateApplicationLevelSignature(as, asked, plain);
  const refresh = await oauth.refreshTokenGrantRequest(as, client, auth, tokens.refresh_token, plain);
  const refreshed = await oauth.processRefreshTokenResponse(as, client, refresh);
  const told = given.method === "none" ? null : await introspected(as, client, auth, refreshed.access_token);
  await oauth.processRevocationResponse(await oauth.revocationRequest(as, client, auth, refreshed.refresh_token, plain));
  const late = await oauth.refreshTokenGrantRequest(as, client, auth, refreshed.refresh_token, plain);
  const gone = await oauth.processRefreshTokenResponse(as, client, late).catch((error) => error.error);
  return {
    claims, userinfo, told, gone, client, scope: tokens.scope,
    rotated: refreshed.refresh_token !== tokens.refresh_token, again: oauth.getValidatedIdTokenClaims(refreshed)?.sub,
    arrived: visit.back instanceof Request ? "form_post" : "query", left: await leave(as, given, tokens.id_token),
  };
}

async function introspected(as, client, auth, token) {
  const answer = await oauth.introspectionRequest(as, client, auth, token, plain);
  return oauth.processIntrospectionResponse(as, client, answer);
}

async function leave(as, given, hint) {
  const url = new URL(as.end_session_endpoint);
  url.search = new URLSearchParams({
    id_token_hint: hint, post_logout_redirect_uri: given.post_logout_redirect_uri, state: "bye",
  });
  return String(await browse(url));
}

/** A code and an ID token come back together; the library holds c_hash and s_hash against code and state. */
async function hybrid(given) {
  const as = await discovered(given);
  const { client, auth } = await party(as, given);
  const visit = await signIn(as, client, { ...given, params: { response_type: "code id_token", ...given.params } });
  const { back, nonce, state } = visit;
  const params = await oauth.validateCodeIdTokenResponse(as, client, back, nonce, state, undefined, plain);
  const tokens = await redeemed(as, { client, auth }, given, params, visit);
  return { claims: oauth.getValidatedIdTokenClaims(tokens) };
}

/** What a service does with an access token (RFC 9068 section 4). */
async function service(given) {
  const as = await discovered(given);
  const { client, auth } = await party(as, given);
  const asked = new URLSearchParams({ scope: given.scope });
  const answer = await oauth.clientCredentialsGrantRequest(as, client, auth, asked, plain);
  const tokens = await oauth.processClientCredentialsResponse(as, client, answer);
  const headers = { authorization: `Bearer ${tokens.access_token}` };
  const request = () => new Request("https://api.example.com/orders", { headers });
  const claims = await oauth.validateJwtAccessToken(as, request(), given.audience, plain);
  const other = oauth.validateJwtAccessToken(as, request(), "https://other.example.com", plain);
  return { claims, other: await other.catch((error) => error.code ?? error.name) };
}

await play({ whole, hybrid, service, discovered });
