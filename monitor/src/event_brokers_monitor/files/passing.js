// Shows events as they pass, the latest first, and never more than a page can hold.

import { byId, make, row, setText } from "./elements.js";
import { bytes, clock, count } from "./wording.js";

const MOST = 100;
const AGAIN = 2000; // milliseconds

export class Passing {
  constructor() {
    this.destination = null;
    this.source = null;
    this.missed = 0;
    byId("passing-on").addEventListener("change", () => this.restart());
  }

  choose(name) {
    if (name === this.destination) return;
    this.destination = name;
    this.restart();
  }

  restart() {
    this.source?.close();
    this.source = null;
    this.missed = 0;
    byId("passing").replaceChildren();
    const on = byId("passing-on").checked && this.destination !== null;
    byId("passing-area").hidden = !on;
    setText(byId("passing-note"), on ? "Waiting for the first one." : "");
    if (!on) return;
    const parameters = new URLSearchParams({ destination: this.destination });
    this.source = new EventSource(`api/passing?${parameters}`);
    this.source.addEventListener("passed", (message) => this.add(JSON.parse(message.data)));
    this.source.addEventListener("error", (failure) => this.recover(failure.target));
  }

  recover(source) {
    // closed for good where the answer was no stream, such as while the destination is gone
    if (source.readyState !== EventSource.CLOSED || source !== this.source) return;
    setText(byId("passing-note"), "Nothing is heard of them now; the page asks again.");
    setTimeout(() => source === this.source && this.restart(), AGAIN);
  }

  add({ events, missed, note }) {
    this.missed += missed;
    const rest = this.missed
      ? ` ${count(this.missed, "event")} passed too quickly to be shown.` : "";
    setText(byId("passing-note"), note + rest);
    const body = byId("passing");
    const latest = events.slice(-MOST).reverse();
    body.prepend(...latest.map(line));
    while (body.rows.length > MOST) body.deleteRow(-1);
  }
}

function line(event) {
  const what = event.body === null ? (event.id ?? "without an id") : make("pre", {}, event.body);
  return row(
    clock(event.time), event.type ?? "–", event.sender_id ?? "–", bytes(event.bytes),
    event.origin, what,
  );
}
