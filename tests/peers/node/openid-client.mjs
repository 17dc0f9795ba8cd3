// A relying party on openid-client.
import * as client from "openid-client";
import { browse, opening, play, signing } from "./lines.mjs";

const options = { execute: [client.allowInsecureRequests] };

async function authentication({ method, client_secret, jwk }) {
  if (method === "private_key_jwt") return client.PrivateKeyJwt({ key: await signing(jwk), kid: jwk.kid });
  if (method === "client_secret_post") return client.ClientSecretPost(client_secret);
  return method === "none" ? client.None() : client.ClientSecretBasic(client_secret);
}

async function configuration(given) {
  const config = await known(given);
  if (given.opens) client.enableDecryptingResponses(config, [given.opens.enc], await opening(given.opens));
  return config;
}

async function known(given) {
  const issuer = new URL(given.issuer);
  if (given.register) return client.dynamicClientRegistration(issuer, given.register, undefined, options);
  return client.discovery(issuer, given.client_id, given.metadata ?? {}, await authentication(given), options);
}

/** Send a person to sign in; where they arrived, and what has to be held against it. */
async function signIn(config, given) {
  const pkceCodeVerifier = client.randomPKCECodeVerifier();
  const checks = { pkceCodeVerifier, expectedState: client.randomState(), expectedNonce: client.randomNonce() };
  const asked = {
    redirect_uri: given.redirect_uri,
    scope: given.scope,
    state: checks.expectedState,
    nonce: checks.expectedNonce,
    code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
    code_challenge_method: "S256",
    ...given.params,
  };
  const url = given.signs
    ? await client.buildAuthorizationUrlWithJAR(config, asked, { key: await signing(given.jwk), kid: given.jwk.kid })
    : client.buildAuthorizationUrl(config, asked);
  return { back: await browse(url), checks: { ...checks, idTokenExpected: true } };
}

async function leave(config, given, hint) {
  const asked = { id_token_hint: hint, post_logout_redirect_uri: given.post_logout_redirect_uri, state: "bye" };
  return String(await browse(client.buildEndSessionUrl(config, asked)));
}

/** Sign in, ask who it is, refresh, introspect, revoke, sign out. */
async function whole(given) {
  const config = await configuration(given);
  const { back, checks } = await signIn(config, given);
  const tokens = await client.authorizationCodeGrant(config, back, checks);
  const claims = tokens.claims();
  const userinfo = await client.fetchUserInfo(config, tokens.access_token, claims.sub);
  const refreshed = await client.refreshTokenGrant(config, tokens.refresh_token);
  const told = given.method === "none" ? null : await client.tokenIntrospection(config, refreshed.access_token);
  await client.tokenRevocation(config, refreshed.refresh_token);
  const opened = client.getDecryptedResponses(tokens)?.id_token?.token_endpoint;
  const gone = await client.refreshTokenGrant(config, refreshed.refresh_token).catch((error) => error.error);
  return {
    claims, userinfo, told, gone, scope: tokens.scope, client: config.clientMetadata(),
    rotated: refreshed.refresh_token !== tokens.refresh_token, again: refreshed.claims()?.sub,
    arrived: back instanceof Request ? "form_post" : "query", left: await leave(config, given, opened ?? tokens.id_token),
    parts: tokens.id_token.split(".").length,
  };
}

/** A code and an ID token come back together. */
async function hybrid(given) {
  const config = await configuration(given);
  client.useCodeIdTokenResponseType(config);
  const { back, checks } = await signIn(config, given);
  const tokens = await client.authorizationCodeGrant(config, back, checks);
  return { claims: tokens.claims(), arrived: back instanceof Request ? "form_post" : back.hash.slice(0, 1) };
}

/** An ID token comes back and nothing else. */
async function implicit(given) {
  const config = await configuration(given);
  client.useIdTokenResponseType(config);
  const { expectedNonce, expectedState } = { expectedNonce: client.randomNonce(), expectedState: client.randomState() };
  const { redirect_uri, scope, params } = given;
  const asked = { redirect_uri, scope, state: expectedState, nonce: expectedNonce, ...params };
  const back = await browse(client.buildAuthorizationUrl(config, asked));
  return { claims: await client.implicitAuthentication(config, back, expectedNonce, { expectedState }) };
}

async function service(given) {
  const config = await configuration(given);
  const tokens = await client.clientCredentialsGrant(config, { scope: given.scope });
  return { tokens, told: await client.tokenIntrospection(config, tokens.access_token) };
}

/** What the library, or the provider, says when something does not fit. */
async function refused(given) {
  const config = await configuration(given);
  const { back, checks } = await signIn(config, given);
  if (given.spoil === "iss") back.searchParams.set("iss", "http://localhost/t/other");
  if (given.spoil === "no iss") back.searchParams.delete("iss");
  if (given.spoil === "verifier") checks.pkceCodeVerifier = client.randomPKCECodeVerifier();
  if (given.spoil === "nonce") checks.expectedNonce = client.randomNonce();
  if (given.spoil === "twice") await client.authorizationCodeGrant(config, back, checks);
  return (await client.authorizationCodeGrant(config, back, checks)).claims();
}

await play({ whole, hybrid, implicit, service, refused });
