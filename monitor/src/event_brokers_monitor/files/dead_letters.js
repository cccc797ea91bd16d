// Shows dead letters grouped by the reason, and lets one, a group or all be retried or dropped.

import { confirmed, withdraw } from "./confirm.js";
import { button, byId, make, row, setText } from "./elements.js";
import { ask, tell } from "./server.js";
import { clock, count } from "./wording.js";

const PAUSE = 2000; // milliseconds between two looks while more and more come

export class DeadLetters {
  constructor() {
    this.destination = null;
    this.known = null; // how many there were when they were looked at
    this.looked = 0; // when, on the clock of the page
    this.looking = false;
    this.groups = new Map(); // reason -> what shows it, which stays while there are some
    this.total = 0;
    this.until = null; // the last of them
    this.all = this.buttons(() => ({ all: true, until: this.until }), () => this.total, "all");
    byId("letters-all").append(this.all);
  }

  update(destination) {
    const [name, number] = [destination.name, destination.dead_letters ?? 0];
    const isSame = name === this.destination;
    if (isSame && (number === this.known || performance.now() - this.looked < PAUSE)) return;
    if (!isSame) this.clear();
    [this.destination, this.known, this.canChange] = [name, number, destination.spool !== null];
    this.look();
  }

  gone() {
    this.clear();
    this.destination = null;
    setText(byId("letters-summary"), "");
  }

  clear() {
    withdraw();
    this.total = 0;
    this.all.hidden = true;
    this.groups.clear();
    byId("letters").replaceChildren();
  }

  async look() {
    if (this.looking) {
      this.again = true;
      return;
    }
    const name = this.destination;
    if (name === null) return;
    this.looking = true;
    this.looked = performance.now();
    try {
      const found = await ask("dead-letters", { destination: name });
      if (name === this.destination) this.show(found);
    } catch (error) {
      this.known = null; // so that the page asks again
      setText(byId("letters-summary"), error.message);
    } finally {
      this.looking = false;
    }
    if (this.again) {
      this.again = false;
      this.look();
    }
  }

  show({ groups, others, until }) {
    const total = groups.reduce((sum, group) => sum + group.count, others);
    const summary = total
      ? `${count(total, "dead letter")} for ${count(groups.length, "reason")}`
      : "None: the broker has refused nothing.";
    const rest = others ? `; ${others} more for other reasons` : "";
    const memory = total && !this.canChange ? ". In memory they can only be looked at" : "";
    setText(byId("letters-summary"), summary + rest + memory);
    this.total = total;
    this.until = until;
    this.all.hidden = !total || !this.canChange;
    this.showGroups(groups);
  }

  showGroups(groups) {
    const reasons = new Set(groups.map((group) => group.reason));
    for (const [reason, shown] of this.groups) {
      if (reasons.has(reason)) continue;
      shown.article.remove();
      this.groups.delete(reason);
    }
    // what is there stays as it is: somebody may be reading it, or have the focus in it
    for (const group of groups) {
      if (!this.groups.has(group.reason)) this.groups.set(group.reason, this.newGroup(group.reason));
      this.fill(this.groups.get(group.reason), group);
    }
  }

  newGroup(reason) {
    const heads = ["Event", "Type", "Conversation", "Given up", "Attempts", "Bytes", "Change"];
    const head = make("tr", {}, ...heads.map((text) => make("th", { scope: "col" }, text)));
    const shown = {
      count: 0,
      until: null,
      samples: "",
      times: make("p", { className: "quiet" }),
      summary: make("summary"),
      body: make("tbody"),
    };
    const chosen = () => ({ reason, until: shown.until });
    shown.buttons = this.buttons(chosen, () => shown.count, "the group");
    const area = make(
      "div",
      { className: "scroll", role: "region", tabIndex: 0, "aria-label": `Samples of: ${reason}` },
      make("table", {}, make("thead", {}, head), shown.body),
    );
    shown.article = make(
      "article", {},
      make("h3", {}, reason), shown.times, shown.buttons,
      make("details", {}, shown.summary, area),
    );
    byId("letters").append(shown.article);
    return shown;
  }

  fill(shown, group) {
    shown.count = group.count;
    shown.until = group.until;
    shown.buttons.hidden = !this.canChange;
    const times = `first ${clock(group.first)}, last ${clock(group.last)}`;
    setText(shown.times, `${count(group.count, "event")}, ${times}`);
    setText(shown.summary, `Samples (${group.samples.length} of ${group.count})`);
    const samples = group.samples.map((sample) => sample.id).join();
    if (samples === shown.samples) return;
    shown.samples = samples;
    shown.body.replaceChildren(...group.samples.flatMap((sample) => this.sample(sample)));
  }

  sample(sample) {
    const buttons = this.buttons(() => ({ ids: [sample.id] }), () => 1, "it");
    buttons.hidden = !this.canChange;
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

  // chosen: () => which; number: () => how many these are now
  buttons(chosen, number, what) {
    // what was there when the question was asked, for the page goes on behind it
    const fixed = () => [{ destination: this.destination, ...chosen() }, number()];
    const retry = async () => {
      const [wanted, letters] = fixed();
      const question = `Send ${count(letters, "dead letter")} again, behind the events that wait?`;
      if (letters > 1 && !(await confirmed(question, `Retry ${what}`))) return;
      await this.change("retry", wanted);
    };
    const drop = async () => {
      const [wanted, letters] = fixed();
      const question = `Forget ${count(letters, "dead letter")} for good? Nobody can get them back.`;
      if (await confirmed(question, `Drop ${what}`)) await this.change("drop", wanted);
    };
    return make(
      "p", { className: "buttons", hidden: true },
      button(`Retry ${what}`, retry), button(`Drop ${what}`, drop, "danger"),
    );
  }

  async change(how, wanted) {
    try {
      const done = await tell(`dead-letters/${how}`, wanted);
      const said = how === "retry"
        ? `${count(done.retried, "event")} wait again`
        : `${count(done.dropped, "event")} dropped`;
      await this.look();
      setText(byId("letters-summary"), `${said}. ${byId("letters-summary").textContent}`);
    } catch (error) {
      await this.look();
      setText(byId("letters-summary"), error.message);
    }
    byId("letters-title").scrollIntoView({ block: "nearest" });
  }
}
