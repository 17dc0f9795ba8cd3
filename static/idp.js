// Adds what a page can do without: showing a password, copying a request id, printing, hiding a logo that did not load
// (a letter waits behind it), going on as soon as the frames of a sign-out have loaded. Nothing depends on it.
"use strict";
for (const logo of document.querySelectorAll(".tile img")) {
  const gone = () => { logo.hidden = true; };
  logo.addEventListener("error", gone);
  if (logo.complete && !logo.naturalWidth) gone();
}
for (const button of document.querySelectorAll("[data-reveal]")) {
  const field = document.getElementById(button.dataset.reveal);
  const set = (shown) => {
    field.type = shown ? "text" : "password";
    button.textContent = shown ? button.dataset.hide : button.dataset.show;
    button.setAttribute("aria-label", shown ? button.dataset.hideLabel : button.dataset.showLabel);
    button.setAttribute("aria-pressed", shown);
  };
  button.addEventListener("click", () => { set(field.type === "password"); field.focus(); });
  // Browsers remember the text of text fields, never of password fields.
  field.form.addEventListener("submit", () => set(false));
  button.hidden = false;
}
for (const button of document.querySelectorAll("[data-copy]")) {
  if (!navigator.clipboard) continue;
  const said = button.parentElement.querySelector("[data-copied]");
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
    button.textContent = button.dataset.done;
    if (said) said.textContent = button.dataset.done;
  });
  button.hidden = false;
}
for (const button of document.querySelectorAll("[data-print]")) {
  button.addEventListener("click", () => print());
  button.hidden = false;
}
for (const onward of document.querySelectorAll("[data-onward]")) {
  const go = () => location.replace(onward.href);
  addEventListener("load", go);
  setTimeout(go, 4000);
}
