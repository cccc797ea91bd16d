// Shows dead letters grouped by the reason, and lets one, a group or all be retried or dropped.

import { confirmed } from "./confirm.js";
import { button, byId, make, row, setText } from "./elements.js";
import { ask, tell } from "./server.js";
import { clock, count } from "./wording.js";

export class DeadLetters {
  constructor() {
    this.destination = null;
    this.known = null; // how many there were when they were looked at
    this.looking = false;
  }

  update(destination) {
    const [name, number] = [destination.name, destination.dead_letters ?? 0];
    if (name === this.destination && number === this.known) return;
    if (name !== this.destination) byId("letters").replaceChildren();
    [this.destination, this.known, this.canChange] = [name, number, destination.spool !== null];
    this.look();
  }

  async look() {
    if (this.looking) {
      this.again = true;
      return;
    }
    this.looking = true;
    const name = this.destination;
    try {
      const found = await ask("dead-letters", { destination: name });
      if (name === this.destination) this.show(found);
    } catch (error) {
      setText(byId("letters-summary"), error.message);
    } finally {
      this.looking = false;
    }
    if (this.again) {
      this.again = false;
      this.look();
    }
  }

  show({ groups, others }) {
    const total = groups.reduce((sum, group) => sum + group.count, others);
    const summary = total
      ? `${count(total, "dead letter")} for ${count(groups.length, "reason")}`
      : "None: the broker has refused nothing.";
    const rest = others ? `; ${others} more for other reasons` : "";
    const memory = total && !this.canChange ? ". In memory they can only be looked at" : "";
    setText(byId("letters-summary"), summary + rest + memory);
    byId("letters-all").replaceChildren(
      ...(total ? [this.buttons({ all: true }, total, "all")] : []),
    );
    byId("letters").replaceChildren(...groups.map((group) => this.group(group)));
  }

  group(group) {
    const times = `${count(group.count, "event")}, first ${clock(group.first)}, last ${clock(group.last)}`;
    const heads = ["Event", "Type", "Conversation", "Given up", "Attempts", "Bytes", "Change"];
    const head = make("tr", {}, ...heads.map((text) => make("th", { scope: "col" }, text)));
    const samples = group.samples.flatMap((sample) => this.sample(sample));
    const title = `Samples of: ${group.reason}`;
    return make(
      "article", {},
      make("h3", {}, group.reason),
      make("p", { className: "quiet" }, times),
      this.buttons({ reason: group.reason }, group.count, "the group"),
      make("details", {},
        make("summary", {}, `Samples (${group.samples.length} of ${group.count})`),
        make("div", { className: "scroll", role: "region", tabIndex: 0, "aria-label": title },
          make("table", {}, make("thead", {}, head), make("tbody", {}, ...samples)))),
    );
  }

  sample(sample) {
    const buttons = this.buttons({ ids: [sample.id] }, 1, "it");
    const cells = [
      sample.id, sample.type, sample.sender_id, clock(sample.time), String(sample.attempts),
      String(sample.bytes), buttons,
    ];
    const rows = [row(...cells)];
    if (sample.body !== undefined) {
      const body = make("td", { colSpan: cells.length }, make("pre", {}, sample.body));
      rows.push(make("tr", {}, body));
    }
    return rows;
  }

  buttons(chosen, number, what) {
    if (!this.canChange) return make("p", {});
    const events = count(number, "dead letter");
    const retry = async () => {
      const question = `Send ${events} again, behind the events that wait?`;
      if (number > 1 && !(await confirmed(question, `Retry ${what}`))) return;
      await this.change("retry", chosen);
    };
    const drop = async () => {
      const question = `Forget ${events} for good? Nobody can get them back.`;
      if (await confirmed(question, `Drop ${what}`)) await this.change("drop", chosen);
    };
    return make(
      "p", { className: "buttons" },
      button(`Retry ${what}`, retry), button(`Drop ${what}`, drop, "danger"),
    );
  }

  async change(how, chosen) {
    try {
      const done = await tell(`dead-letters/${how}`, { destination: this.destination, ...chosen });
      const said = how === "retry"
        ? `${count(done.retried, "event")} wait again`
        : `${count(done.dropped, "event")} dropped`;
      await this.look();
      setText(byId("letters-summary"), `${said}. ${byId("letters-summary").textContent}`);
    } catch (error) {
      setText(byId("letters-summary"), error.message);
    }
    byId("letters-title").scrollIntoView({ block: "nearest" });
  }
}
