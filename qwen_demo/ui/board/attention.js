// What reaches a visitor who looks elsewhere: the window's title, the browser's notification, words for a screen reader.
import { h, notice, say, words } from "./shared.js";

/** @typedef {import("./orders.js").Card} Card */

const TITLE = document.title;
const KEPT = "qwen-image-demo-notify";
const come = (/** @type {Card} */ card) => Object.values(card.slots).filter(({ id }) => id).length;

/** How a card stands, in a word or two. @param {Card} card */
export const ended = (card) => ({ done: words.done, partly: say("of", { count: come(card), n: card.n }), stopped: words.stopped, paused: words.paused, lost: words.answer_missing, unread: card.billed ? words.unread : card.unread ? words.unread_own : words.failed }[card.state] ?? words.failed);

/** A switch, words that are heard and not seen, and what hears of all cards at each change: `{ element, heard, hear }`. */
export function attention() {
  const box = h("input", { type: "checkbox", "data-act": "notify", onchange: choose });
  const heard = h("p", { class: "unseen heard", role: "status" });
  const element = h("label", { class: "notify" }, box, words.tell_me);
  /** @type {Map<string, [string, number]>} */
  let known = new Map();
  let finished = false;

  box.checked = localStorage.getItem(KEPT) === "1" && globalThis.Notification?.permission === "granted";
  element.hidden = !("Notification" in globalThis);

  async function choose() {
    if (box.checked && (await Notification.requestPermission()) !== "granted") {
      box.checked = false;
      notice(words.tell_denied);
    }
    localStorage.setItem(KEPT, box.checked ? "1" : "");
  }

  function tell(/** @type {string} */ id, /** @type {Card} */ card) {
    if (document.hidden) finished = true;
    if (!document.hidden || !box.checked) return;
    try {
      const note = new Notification(ended(card), { body: card.prompt, tag: id });
      note.onclick = () => { focus(); note.close(); };
    } catch {} // Android's Chrome lets only service workers do that
  }

  /** @param {Map<string, Card>} cards @param {boolean} begun whether those that are not known yet are new, and not of before a reload */
  function hear(cards, begun) {
    let [there, all] = [0, 0];
    const now = new Map(), lines = [];
    for (const [id, card] of cards) {
      const [state, count] = known.get(id) ?? [];
      if (card.state === "running") {
        there += come(card);
        all += card.n;
      }
      now.set(id, [card.state, come(card)]);
      if (state === card.state && count === come(card)) continue;
      if (card.state !== "running" && (state === "running" || (begun && !state))) { // some end before they are heard of
        lines.push(card.state === "done" ? say("done_in", { seconds: card.seconds, prompt: card.prompt }) : say("ended", { state: card.said || ended(card), prompt: card.prompt }));
        tell(id, card);
      } else if (begun && card.state === "running" && come(card) < card.n) { // with the last one comes the end
        lines.push(say(state ? "came" : "ordered", { count: come(card), n: card.n, prompt: card.prompt }));
      }
    }
    known = now;
    if (lines.length) heard.replaceChildren(lines.join(" ")); // also the same again: the same was ordered twice
    title(there, all);
  }

  function title(/** @type {number} */ there, /** @type {number} */ all) {
    const dot = finished && document.hidden ? "● " : "";
    document.title = all ? `${there}/${all} · ${TITLE}` : `${dot}${TITLE}`;
  }
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) return;
    finished = false;
    document.title = document.title.replace(/^● /, "");
  });

  return { element, heard, hear };
}
