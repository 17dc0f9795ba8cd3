// OpenID Connect Session Management 1.0 section 3.2: the application posts its client_id and session_state, and
// hears whether the session of this browser is still the one that it was told of.
"use strict";
const name = document.currentScript.dataset.cookie;
const state = () => {
  for (const pair of document.cookie.split("; ")) {
    if (pair.startsWith(`${name}=`)) return pair.slice(name.length + 1);
  }
  return "";
};
const judged = async (said, origin) => {
  const parts = typeof said === "string" && said.length <= 2000 ? said.split(" ") : [];
  const [hash, salt, more] = parts.length === 2 ? parts[1].split(".") : [];
  if (!parts[0] || !hash || !salt || more !== undefined) return "error";
  const text = new TextEncoder().encode(`${parts[0]} ${origin} ${state()} ${salt}`);
  const bytes = new Uint8Array(await crypto.subtle.digest("SHA-256", text));
  const found = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return found === hash ? "unchanged" : "changed";
};
addEventListener("message", async (event) => {
  if (!event.source || !/^https?:\/\//.test(event.origin)) return;
  event.source.postMessage(await judged(event.data, event.origin), event.origin);
});
