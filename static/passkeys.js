// Passkeys on the pages that have them: the browser makes or shows one, its answer goes back with the page's form.
// Without this script, or where the browser has no passkeys, the buttons stay hidden and the pages work without them.
"use strict";
const kind = globalThis.PublicKeyCredential;
for (const button of document.querySelectorAll("[data-passkey]")) {
  if (!kind?.parseRequestOptionsFromJSON) break;
  const form = button.form, field = form.elements.passkey, making = button.dataset.passkey === "create";
  const given = JSON.parse(form.elements.passkey_options.value);
  const publicKey = making ? kind.parseCreationOptionsFromJSON(given) : kind.parseRequestOptionsFromJSON(given);
  let waiting = new AbortController();
  const ask = async (mediation) => {
    waiting.abort();
    waiting = new AbortController();
    const wanted = { publicKey, mediation, signal: waiting.signal };
    try {
      const made = await (making ? navigator.credentials.create(wanted) : navigator.credentials.get(wanted));
      field.value = JSON.stringify(made.toJSON());
      form.requestSubmit(button);
    } catch (problem) {
      const said = document.getElementById("passkey-said");
      if (said && problem.name !== "AbortError" && !mediation) said.hidden = false;
    }
  };
  button.addEventListener("click", (event) => {
    if (field.value) return;
    event.preventDefault();
    ask();
  });
  for (const part of document.querySelectorAll("[data-with-passkeys]")) part.hidden = false;
  button.hidden = false;
  // Offered in the list that opens at the field of the name; never a window that nobody asked for.
  if (button.dataset.autofill) kind.isConditionalMediationAvailable?.().then((can) => can && ask("conditional"));
}
