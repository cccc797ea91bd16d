// Shows which conversations are known, and the events of one of them in order.

import { button, byId, make, setText } from "./elements.js";
import { ask } from "./server.js";
import { clock, count } from "./wording.js";

const WHERE = { passed: "has passed", waits: "waits", "dead letter": "is a dead letter" };

export class Conversations {
  constructor() {
    this.destination = null;
    this.shown = null;
    byId("conversations-look").addEventListener("click", () => this.look());
  }

  choose(name) {
    if (name === this.destination) return;
    [this.destination, this.shown] = [name, null];
    byId("conversations").replaceChildren();
    byId("conversation").replaceChildren();
    setText(byId("conversations-note"), "");
  }

  async look() {
    await this.asking(async () => {
      const found = await ask("conversations", { destination: this.destination });
      const known = found.conversations;
      setText(byId("conversations-note"),
        known.length ? `${count(known.length, "conversation")}, the latest first.` : "None is known.");
      byId("conversations").replaceChildren(...known.map((each) => this.item(each)));
      if (this.shown !== null) await this.show(this.shown);
    });
  }

  item(known) {
    const parts = [count(known.events, "event")];
    if (known.waiting) parts.push(`${known.waiting} waiting`);
    if (known.dead_letters) parts.push(count(known.dead_letters, "dead letter"));
    const opened = button(known.sender_id, () => this.asking(() => this.show(known.sender_id)));
    opened.setAttribute("aria-pressed", String(known.sender_id === this.shown));
    opened.append(make("br"), parts.join(", "));
    opened.dataset.sender = known.sender_id;
    return make("li", {}, opened);
  }

  async show(sender) {
    const found = await ask("conversation", { destination: this.destination, sender_id: sender });
    this.shown = sender;
    for (const each of byId("conversations").querySelectorAll("button")) {
      each.setAttribute("aria-pressed", String(each.dataset.sender === sender));
    }
    byId("conversation").replaceChildren(
      make("h3", {}, sender),
      make("ol", { className: "timeline" }, ...found.events.map(moment)),
    );
  }

  async asking(act) {
    try {
      await act();
    } catch (error) {
      setText(byId("conversations-note"), error.message);
    }
  }
}

function moment(event) {
  const reason = event.reason === null ? "" : `: ${event.reason}`;
  const item = make(
    "li", {},
    make("strong", {}, event.type ?? "an event without a type"),
    ` ${clock(event.time)}, ${WHERE[event.where]}${reason}`,
  );
  item.append(event.body === null
    ? make("div", { className: "quiet" }, event.id ?? "")
    : make("pre", {}, event.body));
  return item;
}
