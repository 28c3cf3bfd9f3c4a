// The family of a picture: what it was made from and what was made of it, as a list that is indented by its steps.
import { button, h, icon, say, words } from "./shared.js";
import { preview } from "./thumbs.js";

/** @typedef {import("./shared.js").Picture} Picture */
/** @typedef {import("./proof.js").Pair} Pair */
/**
 * `note` tells it from an older one with the same words.
 * @typedef {{ depth: number, picture: Picture, words: string, note: string }} Member
 */

/** Characters of a member's words over a picture. */
const SHORT = 32;
const wordsOf = (/** @type {Member} */ member) => member.words || words.proof_photo;
const noteOf = (/** @type {Member} */ { note }) => note && ` · ${note}`;

/** @param {Member} member */
function labelOf(member) {
  const letters = [...wordsOf(member)];
  return (letters.length > SHORT ? `${letters.slice(0, SHORT - 1).join("")}…` : letters.join("")) + noteOf(member);
}

/** How many rows above it stands what each was made from; 0 for where a family begins. @param {Member[]} members */
const heights = (members) => members.map(({ depth }, index) =>
  depth && index - members.slice(0, index).findLastIndex((above) => above.depth < depth));

/**
 * @param {object} viewer what it can do
 * @param {(what: object) => void} viewer.fill
 * @param {(picture: Picture) => void} viewer.visit
 * @param {(pair: Pair) => void} viewer.togglePair
 */
export function newFamily({ fill, visit, togglePair }) {
  /** As it is drawn, to be drawn anew only where it has changed. */
  let drawn = "";
  /** @type {Member[]} */
  let members = [];
  /** What is looked at. @type {Pair | undefined} */
  let looked;
  const list = h("ol");
  const hint = h("p");
  const whole = h("div", { class: "whole" }, button("all-at-once", words.family_at_once, () =>
    fill({ act: "all_at_once", id: currentRow()?.dataset.id })), hint);
  const element = h("div", { class: "family" }, h("h2", { id: "viewer-family" }, words.family), list, whole);
  list.setAttribute("aria-labelledby", "viewer-family");

  /** @param {Member} member @param {number} height */
  function rowOf(member, height) {
    const { depth, picture } = member;
    const prompt = wordsOf(member) + noteOf(member);
    const told = h("span", { class: "told" }, h("span", {}, wordsOf(member)), member.note && h("small", {}, noteOf(member)));
    const open = button("show", [preview(picture, { loading: "lazy" }), told], () => visit(picture),
      { "data-id": picture.id, "aria-label": say("open", { prompt }) });
    const named = (/** @type {string} */ label) => ({ title: label, "aria-label": label });
    const acts = h("div", { class: "acts" },
      button("compare-with", icon("compare"), () => compareWith(member),
        { ...named(say("family_compare", { prompt })), "data-with": picture.id }),
      button("edit-on", icon("edit"), () => fill({ act: "edit", id: picture.id }), named(say("family_edit", { prompt }))));
    return h("li", { class: height > 0 && "made", style: `--depth: ${depth}; --height: ${height}` }, open, acts);
  }

  /** Show it beside the current one, or no longer. */
  function compareWith(/** @type {Member} */ member) {
    const current = members.find(({ picture }) => picture.id === currentRow()?.dataset.id) ?? member;
    const seen = looked?.pinned.id === member.picture.id && looked;
    togglePair(seen || { pinned: member.picture, labels: [labelOf(member), labelOf(current)] });
  }

  const rows = () => /** @type {HTMLElement[]} */ ([...list.querySelectorAll("[data-id]")]);
  const currentRow = () => rows().find((row) => row.ariaCurrent);
  function mark(/** @type {string} */ id) {
    for (const row of rows()) row.ariaCurrent = row.dataset.id === id ? "true" : null;
    reveal();
  }
  function markLooks() {
    for (const look of list.querySelectorAll("[data-with]")) look.ariaPressed = String(look.dataset.with === looked?.pinned.id);
  }
  /** Have the current one in the part of the list that is seen. */
  function reveal() {
    const line = currentRow()?.parentElement;
    if (!line) return;
    const above = line.offsetTop < list.scrollTop, below = line.offsetTop + line.offsetHeight > list.scrollTop + list.clientHeight;
    if (above || below) list.scrollTop = line.offsetTop - (list.clientHeight - line.offsetHeight) / 2;
  }

  return {
    element,
    reveal,
    /** What is known at once: whoever goes through a family keeps it. @param {Picture} picture */
    outline({ id }) {
      element.hidden = !rows().some((row) => row.dataset.id === id);
      whole.hidden = true;
      mark(id);
    },
    /** @param {Pair | undefined} pair what is looked at */
    markPair(pair) {
      looked = pair;
      markLooks();
    },
    /** @param {Picture} picture @param {Member[]} all @param {number} steps to be asked for at once, if any */
    draw({ id }, all, steps) {
      members = all;
      const told = JSON.stringify(members);
      const focused = list.contains(document.activeElement);
      element.hidden = members.length < 2;
      const above = heights(members);
      const lines = () => members.map((member, index) => rowOf(member, above[index]));
      if (told !== drawn) list.replaceChildren(...(element.hidden ? [] : lines()));
      drawn = told;
      whole.hidden = !steps;
      hint.textContent = say("family_at_once_hint", { count: steps });
      mark(id);
      markLooks();
      if (focused && !list.contains(document.activeElement)) currentRow()?.focus();
    },
  };
}
