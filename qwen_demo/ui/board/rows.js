// Rows of pictures in their true shapes, under the days: where each of them is. Nothing here is drawn.
import { language, words } from "./shared.js";

/** @typedef {import("./shared.js").Picture} Picture */
/**
 * A day's heading, or a row with the pictures from `first` to before `end`.
 * @typedef {{ day: string, top: number, height: number, first: number, end: number }} Line
 */
/**
 * Where everything is, in px. `places` tells of each picture the line that it is in.
 * @typedef {{ lines: Line[], places: { line: Line, left: number, width: number }[], height: number }} Layout
 */

/** In px, as in `library.css`. */
const GAP = 6, HEADING = 48;

const narrow = matchMedia("(max-width: 900px)");
export const dayOf = (/** @type {Picture} */ { id }) => id.slice(0, 10);

/**
 * The row that begins at `first`: full, or all that is left of its day.
 * @param {Picture[]} pictures @param {number} first @param {number} width @param {number} target its height, or nearly so
 */
function rowFrom(pictures, first, width, target) {
  const day = dayOf(pictures[first]);
  let ratios = 0, height = Infinity, end = first;
  for (; end < pictures.length && dayOf(pictures[end]) === day; end++) {
    const looser = height;
    ratios += pictures[end].w / pictures[end].h;
    height = (width - GAP * (end - first)) / ratios;
    if (height > target) continue;
    // The last one goes to the next row where this one comes nearer to the target without it.
    return looser - target < target - height ? { end, height: looser } : { end: end + 1, height };
  }
  return { end, height: Math.min(height, target) };
}

/** @param {Picture[]} pictures @param {number} width @returns {Layout} */
export function layOut(pictures, width) {
  const target = narrow.matches ? 120 : 190;
  /** @type {Line[]} */
  const lines = [];
  /** @type {Layout["places"]} */
  const places = [];
  let top = 0;
  for (let first = 0; first < pictures.length; first = places.length) {
    const day = dayOf(pictures[first]);
    if (lines.at(-1)?.day !== day) {
      lines.push({ day, top, height: HEADING, first, end: first });
      top += HEADING;
    }
    const { end, height } = rowFrom(pictures, first, width, target);
    const line = { day, top, height: Math.round(height), first, end };
    for (let index = first, x = 0; index < end; index++) {
      const right = x + (pictures[index].w / pictures[index].h) * height;
      places.push({ line, left: Math.round(x), width: Math.round(right) - Math.round(x) });
      x = right + GAP;
    }
    lines.push(line);
    top += line.height + GAP;
  }
  return { lines, places, height: top };
}

/** The first line that ends below `y`; their number where none does. @param {Line[]} lines @param {number} y */
export function lineBelow(lines, y) {
  let low = 0, high = lines.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (lines[middle].top + lines[middle].height > y) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** @param {Date} date @returns {string} its day here, as ids begin */
export const dayHere = (date) => [date.getFullYear(), date.getMonth() + 1, date.getDate()].map((part) => String(part).padStart(2, "0")).join("-");

/** @param {string} day such as `2026-11-24` @returns {string} as people say it */
export function nameOf(day) {
  const now = new Date();
  if (day === dayHere(now)) return words.library_today;
  if (day === dayHere(new Date(now.getFullYear(), now.getMonth(), now.getDate() - 1))) return words.library_yesterday;
  const date = new Date(`${day}T12:00`);
  const year = date.getFullYear() === now.getFullYear() ? undefined : "numeric";
  return date.toLocaleDateString(language, { weekday: "long", day: "numeric", month: "long", year });
}
