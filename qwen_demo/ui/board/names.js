// Names in little room: a camera's begin alike, so what tells one from the others is what stays in sight.
import { h, language, write } from "./shared.js";

/** Characters before the first that is another's: numbers are read with what stands before it. */
const BEFORE = 3;

/** Orders names as people do: "photo 2" is before "photo 10". */
export const byName = new Intl.Collator(language, { numeric: true }).compare;

/** A file's name, with a number where others have it: as `apart` in `photos.py`. @param {string} name @param {string[]} others */
export function apart(name, others) {
  const [, stem, end] = /** @type {RegExpExecArray} */ (/^(.*?)(\.[^.]*)?$/s.exec(name));
  let free = name;
  for (let number = 2; others.includes(free); number++) free = `${stem} (${number})${end ?? ""}`;
  return free;
}

/** Where a name is to be written. @param {object} [more] */
export const newName = (more) => h("bdi", { class: "board-name", ...more }, h("span"), h("span"));

/** Write names, each in two parts, of which the first makes room for the second. @param {HTMLElement[]} elements @param {string[]} names */
export function writeNames(elements, names) {
  const sorted = [...new Set(names)].sort();
  const place = new Map(sorted.map((name, at) => [name, at]));
  names.forEach((name, at) => {
    const own = place.get(name) ?? 0;
    const alike = Math.max(...[sorted[own - 1], sorted[own + 1]].map((other = "") => begunAlike(name, other)));
    const shared = alike > 2 * BEFORE ? name.slice(0, alike - BEFORE).replace(/\p{Cs}$/u, "") : ""; // no half a character
    write(elements[at].firstElementChild, shared);
    write(elements[at].lastElementChild, name.slice(shared.length));
  });
}

function begunAlike(/** @type {string} */ one, /** @type {string} */ other) {
  let at = 0;
  while (at < one.length && one[at] === other[at]) at += 1;
  return at;
}
