// Numbers as people read them.

const WHOLE = new Intl.NumberFormat("en");
const SHORT = new Intl.NumberFormat("en", { maximumSignificantDigits: 3 });

export function count(number, one, many = `${one}s`) {
  return `${WHOLE.format(number)} ${number === 1 ? one : many}`;
}

export const whole = (number) => WHOLE.format(number);

export const rate = (number) => `${SHORT.format(number)}/s`;

export function duration(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  if (seconds === 0) return "0 s";
  if (seconds < 0.001) return `${SHORT.format(seconds * 1e6)} µs`;
  if (seconds < 1) return `${SHORT.format(seconds * 1000)} ms`;
  if (seconds < 120) return `${SHORT.format(seconds)} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172800) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86400)} days`;
}

export function bytes(number) {
  if (number < 1024) return `${number} B`;
  const units = ["KiB", "MiB", "GiB", "TiB"];
  let size = number / 1024;
  let unit = 0;
  while (size >= 1024 && unit < units.length - 1) [size, unit] = [size / 1024, unit + 1];
  return `${SHORT.format(size)} ${units[unit]}`;
}

export function clock(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  const time = new Date(seconds * 1000);
  if (Number.isNaN(time.getTime())) return "–";
  const today = time.toDateString() === new Date().toDateString();
  return today ? time.toLocaleTimeString() : time.toLocaleString();
}
