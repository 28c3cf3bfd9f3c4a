// The proof for the sceptic: what of a photo an edit left alone, in numbers and to be looked at.
import { act, ask, button, h, original, tell, words, write } from "./shared.js";

/** @typedef {import("./shared.js").Picture} Picture */
/**
 * What is looked at side by side, or with a slider, or as last time: the pinned one, and the other one, or else the one that
 * is told of.
 * @typedef {{ pinned: Picture, other?: Picture, labels: string[], mode?: "side" | "slider" }} Pair
 */
/**
 * What the server counts. `repaint` is told where only a part was changed: whether its paint can still be adjusted.
 * @typedef {{ said?: string[], hint?: string, photo?: Picture, sent?: Picture, answered?: Picture, map?: Picture,
 *   repaint?: boolean, align?: boolean }} Proof
 */

/**
 * @param {object} viewer what it can do
 * @param {(what: object) => void} viewer.fill
 * @param {(picture: Picture) => void} viewer.visit
 * @param {(pair: Pair) => void} viewer.togglePair
 */
export function newProof({ fill, visit, togglePair }) {
  /** The one that is told of. @type {Picture | undefined} */
  let picture;
  /** @type {Map<string, Promise<Proof>>} */
  const known = new Map();
  /** The buttons of what can be looked at. @type {Map<Pair, HTMLElement>} */
  const looks = new Map();
  const element = h("div", { class: "proof", hidden: true });

  /** @returns {Promise<Proof>} nothing where there is none */
  function proofOf(/** @type {Picture} */ { id }) {
    const told = known.get(id) ?? ask(`board/proof?${new URLSearchParams({ id })}`).catch(() => ({}));
    known.set(id, told);
    return told;
  }

  function lookAt(/** @type {string} */ name, /** @type {string} */ label, /** @type {Pair} */ pair) {
    const look = button(name, label, () => togglePair(pair), { "aria-pressed": "false" });
    looks.set(pair, look);
    return look;
  }

  /** @param {Picture} of @param {Proof} proof */
  function draw(of, { said, hint, photo, sent, answered, map, repaint, align }) {
    const both = (/** @type {string[]} */ labels) => labels.join(" | ");
    const beside = [words.proof_photo, words.proof_result];
    const asked = [words.proof_sent, words.proof_answered];
    const differing = [words.proof_result, words.proof_map];
    element.replaceChildren(...[
      h("h2", {}, repaint == null ? words.proof_beside : words.proof),
      (said ?? []).map((sentence) => h("p", {}, sentence)),
      h("div", { class: "looks" },
        photo && lookAt("proof-photo", both(beside), { pinned: photo, labels: beside, mode: "side" }),
        sent && answered && lookAt("proof-sent", both(asked), { pinned: sent, other: answered, labels: asked, mode: "side" }),
        map && lookAt("proof-map", words.proof_whole_map, { pinned: of, other: map, labels: differing, mode: "slider" })),
      hint && h("p", { class: "hint" }, hint),
      h("div", { class: "looks" },
        repaint && button("repaint", words.proof_repaint, () => fill({ act: "repaint", id: of.id })),
        align && newAlign(of),
        answered && h("a", { "data-act": "answered", class: "quiet", href: original(answered), download: "" }, words.proof_save)),
    ].flat().filter((part) => part instanceof Node));
    element.hidden = false;
  }

  function newAlign(/** @type {Picture} */ of) {
    const align = button("align", words.proof_align, async () => {
      align.disabled = true; // for some seconds, of a large photo
      write(align, words.proof_aligning);
      const done = await act("align", { ids: [of.id] });
      align.disabled = false;
      write(align, words.proof_align);
      if (!done?.picture) return;
      tell("came", [done.picture]);
      if (picture?.id === of.id) visit(done.picture); // whoever leafed on meanwhile stays there
    });
    return align;
  }

  function clear() {
    picture = undefined;
    looks.clear();
    element.replaceChildren();
    element.hidden = true;
  }

  return {
    element,
    clear,
    /** Tell of a picture, once that is counted. @param {Picture} of */
    async tell(of) {
      if (of.id === picture?.id) return;
      clear();
      picture = of;
      const proof = await proofOf(of);
      if (picture === of && proof.said?.length) draw(of, proof);
    },
    /** @param {Pair | undefined} pair what is looked at */
    mark(pair) {
      for (const [one, look] of looks) look.setAttribute("aria-pressed", String(one === pair));
    },
    reset() {
      clear();
      known.clear();
    },
  };
}
