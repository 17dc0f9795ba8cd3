// An application on Auth.js: the printed auth.ts as it is, its environment, and a browser with one cookie jar.
import { Auth, setEnvDefaults } from "@auth/core";
import { writeFile } from "node:fs/promises";
import { parseEnv } from "node:util";
import { browse, play } from "./lines.mjs";

const here = new URL(".", import.meta.url);
const jar = new Map();

/** The configuration that the file gives to NextAuth. */
async function printed(file) {
  const text = file.replace('"next-auth"', '"./next-auth.mjs"');
  const path = new URL("printed-auth.mjs", here);
  await writeFile(path, text);
  await import(path);
  const { config } = await import("./next-auth.mjs");
  return config;
}

async function call(config, path, form) {
  const headers = new Headers({ cookie: [...jar].map(([name, value]) => `${name}=${value}`).join("; ") });
  const body = form && new URLSearchParams(form);
  const address = new URL(path, process.env.AUTH_URL);
  const answer = await Auth(new Request(address, { method: form ? "POST" : "GET", headers, body }), config);
  for (const cookie of answer.headers.getSetCookie()) {
    const [, name, value] = /^([^=]+)=([^;]*)/.exec(cookie);
    if (value) jar.set(name, value);
    else jar.delete(name);
  }
  return answer;
}

async function whole(given) {
  Object.assign(process.env, parseEnv(given.env));
  const config = { ...(await printed(given.file)), basePath: "/api/auth", secret: "x".repeat(32), trustHost: true };
  setEnvDefaults(process.env, config);
  const thrown = [];
  config.logger = { error: (error) => thrown.push(String(error.cause?.err ?? error)), warn() {}, debug() {} };
  const { csrfToken } = await (await call(config, "/api/auth/csrf")).json();
  const out = await call(config, "/api/auth/signin/idp", { csrfToken, callbackUrl: process.env.AUTH_URL });
  const back = await browse(out.headers.get("location"));
  const landed = await call(config, back.pathname + back.search);
  const session = await (await call(config, "/api/auth/session")).json();
  return { back: String(back), landed: landed.headers.get("location"), session, thrown };
}

await play({ whole });
