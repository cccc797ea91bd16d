// Draws what happened in the last hour as lines, each chart with the same in words and in a table.

import { make, makeSvg, setText } from "./elements.js";
import { clock, duration } from "./wording.js";

const WIDTH = 420;
const HEIGHT = 150;
const LEFT = 56;
const RIGHT = WIDTH - 8;
const TOP = 10;
const BOTTOM = HEIGHT - 22;
const HOUR = 3600;
const SHORTEST = 120; // seconds that a chart shows at least
const PIECE = 5;
const ROWS = 12; // of the table: five minutes each
const CLASSES = ["first", "second"];

export class Chart {
  // series: [{ name, column }]; say: a number as text
  constructor(figure, title, series, say) {
    this.series = series;
    this.say = say;
    this.svg = makeSvg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img" });
    this.svg.setAttribute("aria-label", title);
    this.lines = series.map((_, index) => makeSvg("path", { class: `line ${CLASSES[index]}` }));
    this.most = makeSvg("text", { x: LEFT - 6, y: TOP + 4, "text-anchor": "end" });
    const zero = makeSvg("text", { x: LEFT - 6, y: BOTTOM + 4, "text-anchor": "end" });
    const begin = makeSvg("text", { x: LEFT, y: HEIGHT - 6 });
    const end = makeSvg("text", { x: RIGHT, y: HEIGHT - 6, "text-anchor": "end" });
    [zero.textContent, end.textContent] = ["0", "now"];
    this.begin = begin;
    const axis = makeSvg("path", { class: "axis", d: `M${LEFT},${TOP}V${BOTTOM}H${RIGHT}` });
    this.svg.append(axis, this.most, zero, begin, end, ...this.lines);
    const keys = series.map((each, index) =>
      make("span", { className: `key ${CLASSES[index]}` }, each.name),
    );
    this.words = make("p", { className: "quiet" });
    this.rows = Array.from({ length: ROWS }, () =>
      make("tr", {}, ...Array.from({ length: series.length + 1 }, () => make("td"))),
    );
    const heads = ["From", ...series.map((each) => each.name)];
    const table = make(
      "table", {},
      make("thead", {},
        make("tr", {}, ...heads.map((text) => make("th", { scope: "col" }, text)))),
      make("tbody", {}, ...this.rows),
    );
    figure.replaceChildren(
      make("figcaption", {}, make("strong", {}, title), make("br"), ...keys),
      this.svg,
      this.words,
      make("details", {}, make("summary", {}, `${title} as a table`), table),
    );
  }

  draw(pieces, now, none) {
    const shown = pieces.filter((piece) => piece[0] > now - HOUR - PIECE);
    const values = (column) =>
      shown.map((piece) => piece[column]).filter((value) => value !== null);
    const most = Math.max(...this.series.flatMap((each) => values(each.column)), 0);
    const top = rounded(most);
    // a page that was opened a while ago shows that while, and no empty hour
    const span = Math.min(HOUR, Math.max(SHORTEST, now - (shown[0]?.[0] ?? now)));
    setText(this.begin, `${duration(span)} ago`);
    setText(this.most, this.say(top));
    this.series.forEach((each, index) => {
      this.lines[index].setAttribute("d", path(shown, each.column, { now, span, top }));
    });
    setText(this.words, this.inWords(values, none));
    this.fill(shown, now);
  }

  inWords(values, none) {
    const told = this.series.map(({ name, column }) => {
      const known = values(column);
      if (!known.length) return null;
      const [latest, most] = [known[known.length - 1], Math.max(...known)];
      return `${name}: ${this.say(latest)} now, ${this.say(most)} at most`;
    });
    const known = told.filter((text) => text !== null);
    return known.length ? `${known.join("; ")}.` : none;
  }

  fill(pieces, now) {
    this.rows.forEach((row, index) => {
      const from = now - ((index + 1) * HOUR) / ROWS;
      const inside = pieces.filter((piece) => piece[0] >= from && piece[0] < from + HOUR / ROWS);
      setText(row.cells[0], clock(from));
      this.series.forEach(({ column }, each) => {
        const known = inside.map((piece) => piece[column]).filter((value) => value !== null);
        const mean = known.reduce((sum, value) => sum + value, 0) / known.length;
        setText(row.cells[each + 1], known.length ? this.say(mean) : "–");
      });
    });
  }
}

function path(pieces, column, { now, span, top }) {
  let drawn = "";
  let before = null;
  for (const piece of pieces) {
    const value = piece[column];
    if (value === null) {
      before = null;
      continue;
    }
    const x = LEFT + (RIGHT - LEFT) * (1 - Math.max(0, now - piece[0] - PIECE) / span);
    const y = BOTTOM - (BOTTOM - TOP) * (value / top);
    const joins = before !== null && piece[0] - before <= 2 * PIECE;
    // a line of no length has round ends, and is seen
    drawn += joins ? `L${point(x, y)}` : `M${point(x - 1, y)}L${point(x, y)}`;
    before = piece[0];
  }
  return drawn;
}

const point = (x, y) => `${Math.max(LEFT, x).toFixed(1)},${y.toFixed(1)}`;

function rounded(most) {
  if (most <= 0) return 1;
  const unit = 10 ** Math.floor(Math.log10(most));
  return [1, 1.5, 2, 3, 5, 7.5, 10].map((factor) => factor * unit).find((value) => value >= most);
}
