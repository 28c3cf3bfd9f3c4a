// Small previews to choose from, and the strip of those around the shown one.
import { button, h, say, small, words } from "./shared.js";

/** @typedef {import("./shared.js").Picture} Picture */
/** @typedef {(picture: Picture) => void} Choose */

/** On either side of the shown one: a list may have ten thousand. */
const AROUND = 30;

export const isReference = (/** @type {Picture} */ { id }) => id.startsWith("reference-");
export const nameOf = (/** @type {Picture} */ picture) => picture.prompt || words.viewer_reference;
/** What it is among others. */
export const labelOf = (/** @type {Picture} */ picture) => picture.label ?? nameOf(picture);
/** A preview whose text stands elsewhere; it goes where it can't be loaded. @param {Picture} picture @param {object} more */
export const preview = (picture, more) =>
  h("img", { src: small(picture), alt: "", draggable: "false", onerror: ({ target }) => target.remove(), ...more });

/** @param {Picture} picture @param {Choose} choose @param {object} [more] */
export function thumbOf(picture, choose, more) {
  const label = say("open", { prompt: labelOf(picture) });
  return button("show", preview(picture, { loading: "lazy" }), () => choose(picture),
    { "data-id": picture.id, "aria-label": label, ...more });
}

export const strip = h("div", { class: "strip", role: "group", "aria-label": words.viewer_pictures });

/** What is there already stays, with its focus. @param {Picture[]} pictures @param {number} at @param {Choose} choose */
export function drawStrip(pictures, at, choose) {
  const begin = Math.max(0, Math.min(at - AROUND, pictures.length - 2 * AROUND - 1));
  const near = pictures.slice(begin, begin + 2 * AROUND + 1);
  const ids = new Set(near.map(({ id }) => id));
  for (const thumb of [...strip.children]) if (!ids.has(thumb.dataset.id)) thumb.remove();
  const there = new Map([...strip.children].map((thumb) => [thumb.dataset.id, thumb]));
  near.forEach((picture, index) => {
    const ratio = Math.min(2, Math.max(0.5, picture.w / picture.h));
    const thumb = there.get(picture.id) ?? thumbOf(picture, choose, { style: `aspect-ratio: ${ratio}` });
    if (strip.children[index] !== thumb) strip.insertBefore(thumb, strip.children[index] ?? null);
    mark(thumb, begin + index === at);
  });
}

function mark(/** @type {HTMLElement} */ thumb, /** @type {boolean} */ current) {
  thumb.tabIndex = current ? 0 : -1; // one stop for Tab: the arrows go on from it
  if (!current) return thumb.removeAttribute("aria-current");
  thumb.setAttribute("aria-current", "true");
  strip.scrollLeft = thumb.offsetLeft - (strip.clientWidth - thumb.offsetWidth) / 2;
}
