// The right side of the viewer: how a picture was made, and what can be done with it.
import { newFamily } from "./family.js";
import { newProof } from "./proof.js";
import { ask, button, copy, download, h, icon, news, notice, original, star, words, write } from "./shared.js";
import { isReference, nameOf } from "./thumbs.js";

/** @typedef {import("./shared.js").Picture} Picture */
/**
 * What the server tells of a picture: the name to download it under, whether it has settings, its family, the edits from an
 * original to it where something was lost on the way, else 0, whether it can be proved what an edit left alone …
 * @typedef {{ picture: Picture, name: string, prompt: string, revised_prompt: string | null, facts: [string, string][],
 *   usable: boolean, link: string, family: import("./family.js").Member[], steps: number, provable: boolean }} Details
 */

const BLANK = "\u00a0";
const title = (/** @type {string} */ text) => h("h2", {}, text);
const rows = (/** @type {[string, string][]} */ pairs) =>
  pairs.flatMap(([label, value]) => [h("dt", {}, label || BLANK), h("dd", {}, String(value))]);

/**
 * @typedef {object} Viewer what it can do
 * @property {(what: object) => void} fill a form, which lies behind it
 * @property {(picture: Picture) => void} visit
 * @property {(pair: import("./proof.js").Pair) => void} togglePair
 * @property {() => void} removeShown
 */

/** @param {Viewer} viewer */
export function newRecipe({ fill, visit, togglePair, removeShown }) {
  /** The one that is told of. @type {Picture | undefined} */
  let picture;
  /** @type {Map<string, Promise<Details>>} */
  const known = new Map();
  /** Stars as they were heard of. @type {Map<string, boolean>} */
  const stars = new Map();
  const use = (/** @type {string} */ act, more = {}) => fill({ act, id: picture?.id, ...more });

  const prompt = h("p", { class: "prompt" });
  const rewritten = h("p", { class: "prompt" });
  const rewriting = h("div", { class: "rewriting" }, title(words.viewer_rewritten), rewritten,
    button("take", words.viewer_take, () => use("prompt", { text: rewritten.textContent }), { class: "quiet" }));
  const texts = h("div", { class: "texts" }, title(words.viewer_prompt), prompt, rewriting);
  const settingsTool = button("settings", words.use_settings, () => use("settings", { seed: false }));
  const seedTool = button("settings-seed", words.viewer_same_seed, () => use("settings", { seed: true }), { class: "quiet" });
  const deleteTool = button("delete", words.delete, removeShown, { class: "quiet" });
  const downloadLink = h("a", { "data-act": "download", onclick: (/** @type {Event} */ event) => {
    if (downloadLink.download) return;
    event.preventDefault(); // its name is still on its way
    withDetails((told) => download(original(told.picture), told.name));
  } }, words.download);
  const starTool = button("star", icon("star"), toggleStar);
  starTool.append(words.star);
  const copyTool = button("copy-prompt", words.copy_prompt, () => withDetails((told) => copy(told.prompt, words.prompt_copied)));
  const linkTool = button("copy-link", words.copy_link, () =>
    withDetails((told) => copy(location.origin + location.pathname + told.link, words.link_copied)));
  const actions = h("div", { class: "actions" },
    button("edit", words.edit_this, () => use("edit"), { class: "first" }),
    button("fuse", words.fuse, () => fill({ act: "fuse", ids: [picture?.id] })),
    settingsTool, downloadLink, starTool, copyTool, linkTool);
  const facts = h("dl");
  const family = newFamily({ fill, visit, togglePair });
  const proof = newProof({ fill, visit, togglePair });
  /** As it is drawn. @type {Details | undefined} */
  let details;
  const element = h("section", { id: "viewer-recipe", class: "recipe", "aria-label": words.viewer_info },
    texts, actions, h("div", { class: "others" }, seedTool, deleteTool), facts, family.element, proof.element, h("p", { class: "keys" }, words.viewer_keys));

  new ResizeObserver(markScrollable).observe(element);
  news.addEventListener("starred", (event) => {
    const { ids, on } = /** @type {CustomEvent} */ (event).detail;
    for (const id of ids) stars.set(id, on);
    drawStar();
  });

  /** @returns {Promise<Details>} */
  function detailsOf(/** @type {Picture} */ { id }) {
    const told = known.get(id) ?? ask(`board/picture?${new URLSearchParams({ id })}`);
    known.set(id, told);
    told.catch(() => known.delete(id)); // it is asked again next time
    return told;
  }
  const withDetails = (/** @type {(told: Details) => void} */ then) =>
    detailsOf(/** @type {Picture} */ (picture)).then(then, (error) => notice(error.message));

  /** What is known at once. What isn't keeps its place, so that no button moves away under the pointer. */
  function outline(/** @type {Picture} */ of) {
    texts.style.minHeight = `${texts.offsetHeight}px`;
    writeTexts(nameOf(of), "");
    downloadLink.href = original(of);
    downloadLink.download = "";
    for (const one of [starTool, deleteTool, settingsTool, seedTool, linkTool]) one.hidden = isReference(of);
    copyTool.hidden = !of.prompt;
    drawStar();
    element.setAttribute("aria-busy", "true");
    if (!facts.querySelector("dd")) facts.replaceChildren(...rows(Array(5).fill(["", ""])));
    for (const value of facts.querySelectorAll("dd")) value.textContent = BLANK;
    family.outline(of);
    proof.clear();
    details = undefined;
  }

  function writeDetails(/** @type {Details} */ told) {
    writeTexts(told.prompt || nameOf(told.picture), told.revised_prompt ?? "");
    downloadLink.download = told.name;
    for (const one of [settingsTool, seedTool]) one.classList.toggle("kept-place", !told.usable);
    linkTool.classList.toggle("kept-place", !told.link);
    copyTool.hidden = !told.prompt;
    if (!stars.has(told.picture.id)) stars.set(told.picture.id, Boolean(told.picture.starred));
    drawStar();
    facts.replaceChildren(...rows(told.facts));
    family.draw(told.picture, told.family, told.steps);
    details = told;
    prove();
  }

  /** What is hidden needs no proof, which costs the server some work. */
  function prove() {
    if (details?.provable && element.checkVisibility()) proof.tell(details.picture);
  }

  function writeTexts(/** @type {string} */ text, /** @type {string} */ revised) {
    write(prompt, text);
    write(rewritten, revised);
    rewriting.hidden = !revised;
    markScrollable();
  }

  /** Whoever has no mouse scrolls by keys. */
  function markScrollable() {
    for (const one of [prompt, rewritten]) {
      if (one.scrollHeight > one.clientHeight) one.tabIndex = 0;
      else one.removeAttribute("tabindex");
    }
  }

  const isStarred = (/** @type {Picture} */ { id, starred }) => stars.get(id) ?? Boolean(starred);
  function drawStar() {
    if (picture) starTool.setAttribute("aria-pressed", String(isStarred(picture)));
  }
  function toggleStar() {
    if (picture && !isReference(picture)) star([picture.id], !isStarred(picture));
  }

  return {
    element,
    toggleStar,
    /** @param {import("./proof.js").Pair | undefined} pair what is looked at */
    mark(pair) {
      family.markPair(pair);
      proof.mark(pair);
    },
    /** It was hidden, and is seen from now on. */
    seen() {
      family.reveal();
      prove();
    },
    /** Tell of a picture. @param {Picture} next @param {Promise<void>} [settled] what isn't known yet is asked for after it */
    async tell(next, settled) {
      const another = next.id !== picture?.id;
      const asked = known.has(next.id);
      if (!another && asked) return;
      picture = next;
      if (another) outline(next);
      if (!asked) await settled;
      if (next.id !== picture?.id) return;
      const told = await detailsOf(next).catch((error) => error);
      if (next.id !== picture?.id) return;
      element.removeAttribute("aria-busy");
      texts.style.minHeight = "";
      if (told instanceof Error) facts.replaceChildren(...rows([[told.message, ""]]));
      else writeDetails(told);
    },
    /** Ask again from now on: what was made from a picture may have changed too. */
    renew: () => known.clear(),
    reset() {
      picture = details = undefined;
      proof.reset();
      known.clear();
      stars.clear();
    },
  };
}
