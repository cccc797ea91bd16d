// Asks before something is changed that cannot be undone by a click.

import { byId, setText } from "./elements.js";

export function withdraw() {
  byId("confirm").close("no"); // what it asked about is gone; does nothing where it is not open
}

export function confirmed(question, yes) {
  const dialog = byId("confirm");
  setText(byId("confirm-question"), question);
  setText(byId("confirm-yes"), yes);
  dialog.returnValue = "no";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}
