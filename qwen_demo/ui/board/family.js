// The family of a picture: what it was made from and what was made of it, as a list that is indented by its steps.
import { button, h, icon, say, words } from "./shared.js";
import { nameOf, preview } from "./thumbs.js";

/** @typedef {import("./shared.js").Picture} Picture */
/** @typedef {{ depth: number, picture: Picture, words: string }} Member */

/** From so many steps on, edits of edits can be asked for at once. */
const SEVERAL = 2;

/**
 * @param {object} viewer what it can do
 * @param {(what: object) => void} viewer.fill
 * @param {(picture: Picture) => void} viewer.visit
 * @param {(picture: Picture) => void} viewer.compareWith
 */
export function newFamily({ fill, visit, compareWith }) {
  /** As it is drawn, to be drawn anew only where it has changed. */
  let drawn = "";
  const list = h("ol");
  const hint = h("p");
  const whole = h("div", { class: "whole" }, button("all-at-once", words.family_at_once, () =>
    fill({ act: "all_at_once", id: currentRow()?.dataset.id })), hint);
  const element = h("div", { class: "family" }, h("h2", { id: "viewer-family" }, words.family), list, whole);
  list.setAttribute("aria-labelledby", "viewer-family");

  function rowOf(/** @type {Member} */ { depth, picture, words: told }) {
    const prompt = told || nameOf(picture);
    const open = button("show", [preview(picture, { loading: "lazy" }), h("span", {}, prompt)], () => visit(picture),
      { "data-id": picture.id, "aria-label": say("open", { prompt }) });
    const named = (/** @type {string} */ label) => ({ title: label, "aria-label": label });
    const acts = h("div", { class: "acts" },
      button("compare-with", icon("compare"), () => {
        open.focus(); // it is the current one then, and has no actions
        compareWith(picture);
      }, named(say("family_compare", { prompt }))),
      button("edit-on", icon("edit"), () => fill({ act: "edit", id: picture.id }), named(say("family_edit", { prompt }))));
    return h("li", { style: `--depth: ${depth}` }, open, acts);
  }

  const rows = () => /** @type {HTMLElement[]} */ ([...list.querySelectorAll("[data-id]")]);
  const currentRow = () => rows().find((row) => row.ariaCurrent);
  function mark(/** @type {string} */ id) {
    for (const row of rows()) row.ariaCurrent = row.dataset.id === id ? "true" : null;
    reveal();
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
    /** @param {Picture} picture @param {Member[]} members @param {number} steps edits from the original to the picture */
    draw({ id }, members, steps) {
      const told = JSON.stringify(members);
      const focused = list.contains(document.activeElement);
      element.hidden = members.length < 2;
      if (told !== drawn) list.replaceChildren(...(element.hidden ? [] : members.map(rowOf)));
      drawn = told;
      whole.hidden = steps < SEVERAL;
      hint.textContent = say("family_at_once_hint", { count: steps });
      mark(id);
      if (focused && !list.contains(document.activeElement)) currentRow()?.focus();
    },
  };
}
