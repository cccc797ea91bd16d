// The live page: hears once a second how things are, and shows it.

import { Chart } from "./charts.js";
import { Conversations } from "./conversations.js";
import { DeadLetters } from "./dead_letters.js";
import { byId, make, setText } from "./elements.js";
import { Passing } from "./passing.js";
import { Publish } from "./publish.js";
import { bytes, count, duration, rate, whole } from "./wording.js";

const PIECES = 720;
const LATE = 4000; // milliseconds without a word, after which the page says so
const DRAWN_EVERY = 5000; // milliseconds
const [ACCEPTED, DELIVERED, OLDEST, LATENCY, SLOW] = [1, 2, 4, 5, 6];
const STATES = {
  connected: "Connected", connecting: "Connecting", retrying: "Not connected", halted: "Halted",
  closed: "Closed", unattended: "No process delivers", unreadable: "Cannot be read",
};

const history = new Map();
const charts = {
  rates: new Chart(byId("rates"), "Events a second", [
    { name: "accepted", column: ACCEPTED }, { name: "delivered", column: DELIVERED },
  ], rate),
  latency: new Chart(byId("latency"), "From publish to the confirm", [
    { name: "mean", column: LATENCY }, { name: "95 of 100", column: SLOW },
  ], duration),
  oldest: new Chart(byId("oldest"), "How long the oldest has waited", [
    { name: "oldest", column: OLDEST },
  ], duration),
};
const letters = new DeadLetters();
const followers = [new Passing(), new Conversations(), new Publish()];
let sight = { time: 0, destinations: [], consumers: [] };
let heard = performance.now();
let drawn = -Infinity; // when the charts were, on the clock of the page
let announced = "";

function listen() {
  const source = new EventSource("api/stream");
  source.addEventListener("history", (message) => {
    for (const [name, pieces] of Object.entries(JSON.parse(message.data))) {
      pieces.forEach((piece) => note(name, piece));
    }
    drawn = -Infinity;
  });
  source.addEventListener("sight", (message) => {
    heard = performance.now();
    sight = JSON.parse(message.data);
    for (const each of sight.destinations) if (each.piece) note(each.name, each.piece);
    show();
  });
  source.addEventListener("error", () => {
    // a browser gives up for good where the answer is no stream, such as while a proxy starts
    if (source.readyState === EventSource.CLOSED) setTimeout(listenAgain, 2000);
  });
}

async function listenAgain() {
  const answered = await fetch("./").catch(() => null);
  if (answered?.status === 401) location.reload(); // the cookie has ended: the token, please
  else listen();
}

function note(name, piece) {
  const pieces = history.get(name) ?? [];
  history.set(name, pieces);
  while (pieces.length && pieces[pieces.length - 1][0] >= piece[0]) pieces.pop();
  pieces.push(piece);
  if (pieces.length > PIECES) pieces.shift();
}

function show() {
  showConnection();
  byId("no-destinations").hidden = sight.destinations.length > 0;
  showTable();
  showChoice();
  showConsumers();
  const chosen = sight.destinations.find((each) => each.name === byId("chosen").value);
  if (chosen === undefined) {
    letters.gone();
    return;
  }
  for (const each of followers) each.choose(chosen.name);
  letters.update(chosen);
  showNow(chosen);
  showRoom(chosen);
  if (performance.now() - drawn >= DRAWN_EVERY) showCharts(chosen);
}

function showConnection() {
  const late = performance.now() - heard > LATE;
  setText(byId("connection"), late
    ? "The server does not answer; what is shown is old. The page asks again by itself"
    : "Live, once a second");
  byId("connection").className = late ? "notice" : "quiet";
}

function showTable() {
  const body = byId("destinations");
  while (body.rows.length > sight.destinations.length) body.deleteRow(-1);
  while (body.rows.length < sight.destinations.length) {
    body.append(make("tr", {}, make("th", { scope: "row" }), ...Array.from({ length: 5 }, () => make("td"))));
  }
  sight.destinations.forEach((each, index) => {
    const known = each.pending !== undefined;
    const texts = [
      each.name, STATES[each.state],
      known ? whole(each.pending) : "–", duration(each.oldest_pending_seconds),
      known ? whole(each.dead_letters) : "–", known ? whole(each.delivered_last_minute) : "–",
    ];
    texts.forEach((text, cell) => setText(body.rows[index].cells[cell], text));
    body.rows[index].cells[1].className = each.state;
  });
}

function showChoice() {
  const select = byId("chosen");
  const names = sight.destinations.map((each) => each.name);
  const options = [...select.options].map((option) => option.value);
  if (names.join("\n") !== options.join("\n")) {
    const before = select.value;
    select.replaceChildren(...names.map((name) => make("option", { value: name }, name)));
    if (names.includes(before)) select.value = before;
    drawn = -Infinity;
  }
  byId("choice").hidden = names.length < 2;
}

function showNow(chosen) {
  setText(byId("now-title"), chosen.name);
  const where = chosen.spool === null ? "events wait in memory" : `events wait in ${chosen.spool}`;
  setText(byId("place"), `${chosen.place}; ${where}`);
  setText(byId("sentence"), chosen.sentence);
  byId("sentence").className = `state ${chosen.state}`;
  byId("error").hidden = chosen.error === null;
  setText(byId("error"), chosen.error ?? "");
  const state = `${chosen.name}: ${STATES[chosen.state]}`;
  if (state !== announced) setText(byId("announced"), (announced = state));
  const numbers = chosen.pending === undefined ? [] : [
    ["accepted", whole(chosen.accepted)],
    ["delivered", whole(chosen.delivered)],
    ["pending", whole(chosen.pending)],
    ["dead letters", whole(chosen.dead_letters)],
    ["the oldest waits for", duration(chosen.oldest_pending_seconds)],
    ["last confirm", agoOf(chosen.last_confirm_seconds)],
  ];
  pairs(byId("numbers"), numbers, "dt", "dd");
}

function agoOf(seconds) {
  if (seconds === null || seconds === undefined) return "none yet";
  return seconds < 1 ? "just now" : `${duration(seconds)} ago`;
}

function pairs(list, texts, first, second) {
  if (list.children.length !== texts.length) {
    list.replaceChildren(...texts.map(() => make("div", {}, make(first), make(second))));
  }
  texts.forEach(([name, text], index) => {
    const [one, other] = list.children[index].children;
    setText(one, name);
    setText(other, text);
  });
}

function showRoom(chosen) {
  const room = chosen.room;
  const used = [[`${bytes(room.bytes)} of ${bytes(room.max_bytes)} are used`, room.bytes, room.max_bytes]];
  if (room.max_pending !== null && chosen.pending !== undefined) {
    used.push([
      `${whole(chosen.pending)} of ${count(room.max_pending, "event")} wait`,
      chosen.pending, room.max_pending,
    ]);
  }
  if (room.disk_free !== null) used.push([`${bytes(room.disk_free)} are free on the disk`]);
  used.push([`dead letters may take ${bytes(room.max_dead_letter_bytes)}`]);
  const list = byId("room");
  if (list.children.length !== used.length) {
    list.replaceChildren(...used.map(([, value]) => make(
      "div", { className: "room" },
      make("span"), ...(value === undefined ? [] : [make("meter", { min: 0 })]),
    )));
  }
  used.forEach(([text, value, most], index) => {
    const [said, meter] = list.children[index].children;
    setText(said, text);
    if (meter === undefined) return;
    Object.assign(meter, { max: most, high: most * 0.8, value });
    meter.setAttribute("aria-label", text);
  });
}

function showCharts(chosen) {
  drawn = performance.now();
  const pieces = history.get(chosen.name) ?? [];
  charts.rates.draw(pieces, sight.time, "Nothing is known yet.");
  charts.oldest.draw(pieces, sight.time, "Nothing is known yet.");
  charts.latency.draw(pieces, sight.time, chosen.delivers_here
    ? "No event was confirmed in the last hour."
    : "Not known here: the process that delivers measures it, and shows it in its own page and metrics.");
}

function showConsumers() {
  const texts = sight.consumers.map((each) => {
    const group = each.group === null ? "without a group, so it only looks" : `group ${each.group}`;
    return `${each.name}, ${group}: ${count(each.received, "event")} received; how far it is behind is not known`;
  });
  const list = byId("consumers");
  while (list.children.length > texts.length) list.lastElementChild.remove();
  while (list.children.length < texts.length) list.append(make("li"));
  texts.forEach((text, index) => setText(list.children[index], text));
  setText(byId("consumers-note"), texts.length
    ? "Those of this process. How far a consumer is behind only its broker tells."
    : "None in this process. Those of other processes, and how far they are behind, only their broker knows.");
}

byId("chosen").addEventListener("change", () => {
  drawn = -Infinity;
  show();
});
setInterval(showConnection, 1000);
listen();
