// How a program talks with the test that runs it: one JSON object a line.
import { createInterface } from "node:readline";

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const next = async () => JSON.parse((await lines.next()).value);
const say = (message) => process.stdout.write(JSON.stringify(message) + "\n");

/** Where a person arrives who is sent to `url`: an URL, or the Request of a form post. */
export async function browse(url) {
  say({ browse: String(url) });
  const { url: where, body } = await next();
  if (body === undefined) return new URL(where);
  const headers = { "content-type": "application/x-www-form-urlencoded" };
  return new Request(where, { method: "POST", headers, body });
}

/** Run the scenario that the first line names, and tell how it ended. */
export async function play(scenarios) {
  const given = await next();
  try {
    say({ done: await scenarios[given.scenario](given) });
  } catch (error) {
    const { name, code, message, error: oauth, cause } = error;
    say({ failed: { name, code, message, error: oauth, cause: String(cause?.message ?? cause), stack: error.stack } });
  }
  process.exit(0);
}

/** A private key for ES256 from its JWK. */
export function signing(jwk) {
  const { kty, crv, x, y, d } = jwk;
  return crypto.subtle.importKey("jwk", { kty, crv, x, y, d }, { name: "ECDSA", namedCurve: crv }, false, ["sign"]);
}

/** A private key that opens what was encrypted for it (ECDH-ES), from its JWK. */
export async function opening({ jwk, alg }) {
  const { kty, crv, x, y, d } = jwk;
  const named = { name: "ECDH", namedCurve: crv };
  const key = await crypto.subtle.importKey("jwk", { kty, crv, x, y, d }, named, false, ["deriveBits"]);
  return { key, alg, kid: jwk.kid };
}
