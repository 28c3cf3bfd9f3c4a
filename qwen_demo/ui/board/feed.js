// The feed: a card for each order, the newest on top. The server says how orders stand; here the page is changed in place.
import { attention, ended } from "./attention.js";
import { acceptDrops } from "./drop.js";
import { followOrders } from "./orders.js";
import { act, addressed, ask, button, copy, h, icon, language, news, notice, page, redraw, say, tell, words, write, zip } from "./shared.js";
import { saveSheet } from "./sheet.js";
import { isBatch, newSlots } from "./slots.js";
import { openViewer } from "./viewer.js";

/** @typedef {import("./orders.js").Card} Card */
/** @typedef {import("./orders.js").Slot} Slot */

const TICK = 500; // ms between looks at the clock
const narrow = () => innerWidth <= 900;

/** @param {HTMLElement} element @param {import("./shared.js").Part} part */
export function mount(element, { trigger, props, upload, watch }) {
  page.light = props.light;
  page.fill = (what) => trigger("fill", what);
  /** @type {Map<string, ReturnType<typeof newCard>>} */
  const drawn = new Map();
  const list = h("div", { class: "cards", role: "feed", "aria-label": words.feed, hidden: true });
  const session = h("span", { class: "session" });
  const lost = h("span", { class: "lost", role: "status" });
  const outside = attention();
  const bar = h("div", { class: "over" }, outside.element, lost, session);
  const empty = newEmpty(props.examples);
  empty.hidden = true;
  element.replaceChildren(outside.heard, bar, empty, list);

  let clock = 0; // how far the server's is ahead, in seconds
  let pressed = 0; // when an order was placed here last
  let left = ""; // how many pictures may be ordered
  let begun = false; // whether the orders of before this page are known: what comes after them is new
  const now = () => Date.now() / 1000 + clock;
  const pictures = () => [...drawn.values()].reverse().flatMap((card) => card.pictures());
  const look = (/** @type {Slot} */ picture, /** @type {HTMLElement} */ from) => openViewer({ list: pictures, start: picture.id, from, closed });
  const closed = (/** @type {string} */ id) => element.checkVisibility() && [...drawn.values()].some((card) => card.focus(id));

  const follow = () => followOrders(
    (cards, told) => {
      clock = told.now - Date.now() / 1000;
      const before = new Set(pictures().map(({ id }) => id)), known = new Set(drawn.keys());
      for (const [id, card] of drawn) {
        if (!cards.has(id)) {
          card.element.remove();
          drawn.delete(id);
        }
      }
      list.hidden = !cards.size; // first: what is hidden is scrolled to by nobody
      empty.hidden = cards.size > 0;
      for (const [id, card] of [...cards].sort(([, one], [, other]) => one.at - other.at)) {
        const there = drawn.get(id) ?? add(id, card);
        there.update(card);
        if (begun && !known.has(id) && Date.now() - pressed < 10_000) reveal(there.element);
      }
      outside.hear(cards, begun);
      write(session, told.session);
      left = told.left;
      tellLeft();
      list.setAttribute("aria-busy", String([...cards.values()].some(({ state }) => state === "running")));
      const came = pictures().filter(({ id }) => !before.has(id));
      if (came.length && begun) tell("came", came);
      begun = true;
    },
    (gone) => write(lost, gone ? words.reconnecting : ""),
  );
  // Without cookies, the page's session says whose orders these are, and the server which one that is.
  if (document.documentElement.classList.contains("no-cookies")) trigger("begin");
  else follow();

  /** Below the run buttons that are in the page: tabs are drawn when they are opened. */
  function tellLeft() {
    for (const line of document.querySelectorAll(".actions [id$=-left] p")) write(line, left);
  }
  /** @param {string} id @param {Card} card */
  function add(id, card) {
    const made = newCard(id, card, look, now);
    drawn.set(id, made);
    list.prepend(made.element);
    return made;
  }
  /** Have what was ordered here in sight, once it is drawn: before, the page may be too short. @param {HTMLElement} card */
  function reveal(card) {
    pressed = 0;
    if (narrow()) card.scrollIntoView({ behavior: "smooth", block: "start" });
    else scrollTo({ top: 0, behavior: "smooth" });
  }

  setInterval(() => {
    drawn.forEach((card) => card.tick());
    tellLeft();
  }, TICK);
  for (const type of ["gone", "back"]) {
    news.addEventListener(type, (event) => drawn.forEach((card) => card.mark(/** @type {CustomEvent} */ (event).detail, type === "gone")));
  }
  document.addEventListener("click", ({ target }) => {
    if (target instanceof Element && target.closest(".actions .run")) pressed = Date.now();
  }, true);

  watch("value", () => {
    const { said, turn, session: who } = props.value ?? {};
    if (who && !page.session) {
      page.session = who;
      follow();
    }
    if (said) notice(said);
    if (!turn) return;
    const form = document.querySelector(".modes .tabitem:not([style*='display: none']) .controls");
    form?.scrollTo(0, 0); // it scrolls by itself, but not on a phone
    form?.scrollIntoView({ block: narrow() ? "start" : "nearest" });
  });
  acceptDrops(upload);
}

/** What an empty feed says, with examples that fill the form. @param {string[]} examples */
function newEmpty(examples) {
  const example = (/** @type {string} */ key) => button("example", [
    h("img", { src: new URL(`example-${key}.webp`, import.meta.url), alt: "", width: 240, height: 240 }), words[`example_${key}`],
  ], () => page.fill({ act: "example", key }));
  return h("section", { class: "empty" }, h("h2", {}, words.empty), h("p", {}, words.empty_hint), h("div", { class: "examples" }, examples.map(example)));
}

/**
 * @param {string} id
 * @param {Card} first
 * @param {(picture: Slot, from: HTMLElement) => void} look opens a picture
 * @param {() => number} now the server's time
 */
function newCard(id, first, look, now) {
  let card = first;
  const { element: places, places: slots } = newSlots(id, first, look);
  const batch = isBatch(first);
  const state = h("span", { class: "state" });
  const usual = h("div", { class: "usual", "aria-hidden": "true" }, h("i"));
  const said = h("p", { class: "said" });
  const notes = h("ul", { class: "notes" });
  const revised = h("div", { class: "revised" });
  const meta = h("span", { class: "meta" });
  const prompt = button("prompt", h("span", { id: `prompt-${id}` }, first.prompt), () => {
    prompt.setAttribute("aria-expanded", String(prompt.getAttribute("aria-expanded") !== "true"));
  }, { class: "prompt", "aria-expanded": "false", title: words.whole_prompt });
  const order = (/** @type {string} */ what, /** @type {object} */ more = {}) => () => act(what, { order: id, ...more });
  const buttons = {
    again: button("again", words.again, () => page.fill({ act: "order", order: id })),
    stop: button("stop", words.stop, order("stop")),
    goOn: newGoOn(order("go_on")),
    zip: button("zip", words.library_zip, () => zip({ order: id })),
    sheet: button("sheet", words.sheet, saveAsSheet),
    repaint: button("repaint", words.proof_repaint, () => page.fill({ act: "repaint", id: card.painted })),
    fetch: button("fetch", words.fetch, order("fetch")),
    raw: h("a", { "data-act": "raw", href: addressed(`board/answers.zip?order=${id}`), download: "" }, words.raw),
    lost: button("order-lost", words.lost_again, order("again")),
    forget: button("forget", icon("close"), order("forget"), { "aria-label": words.forget, title: words.forget_note }),
  };
  const usage = h("details", { class: "usage", "data-act": "usage" }, h("summary", {}, words.usage), h("dl"));
  const element = h("article", { class: batch ? "card batch" : "card", "data-order": id, "data-kind": first.kind, "aria-labelledby": `prompt-${id}`, tabindex: -1 },
    h("header", {}, h("h2", {}, prompt), state, buttons.forget), usual,
    places, said, notes, revised, batch && meta, // not in the footer: that stays in the window
    h("footer", {}, buttons.goOn.element, buttons.again, buttons.repaint, buttons.stop, buttons.zip, buttons.sheet, buttons.fetch, buttons.raw, buttons.lost, newCode(id, card.billed), usage, !batch && meta));
  usual.style.setProperty("--since", `${Math.min(0, first.at - now())}s`);
  usual.classList.toggle("counted", batch);

  const come = () => Object.values(card.slots).filter((slot) => slot.id).length;
  const settled = () => Object.values(card.slots).filter((slot) => slot.id || slot.failed || slot.gone).length;
  const running = () => [
    card.place ? say("line", { place: ordinal(card.place) }) : say("seconds", { count: Math.max(0, Math.floor(now() - card.at)) }),
    card.way ? say("still", { count: card.way }) : card.n > 1 && say("of", { count: come(), n: card.n }),
    !card.place && !batch && card.usual && say("usually", { seconds: Math.max(1, Math.round(card.usual)) }),
  ];
  const over = () => [card.state === "done" ? "" : ended(card), say("seconds", { count: card.seconds }), card.cost];

  async function saveAsSheet() {
    if (buttons.sheet.ariaBusy) return;
    buttons.sheet.ariaBusy = "true";
    await saveSheet(card).catch(() => notice(words.sheet_failed));
    buttons.sheet.ariaBusy = null;
  }

  function tick() {
    write(state, (card.state === "running" ? running() : over()).filter(Boolean).join(" · "));
  }

  return {
    element,
    tick,
    /** Its pictures, by their places. @returns {Slot[]} */
    pictures: () => Object.values(card.slots).filter((slot) => slot.id && !slot.gone).map((slot) => ({ ...slot, prompt: card.prompt })),
    /** Have a picture in sight, with the focus. @param {string} id @returns {boolean} whether it is one of this card's */
    focus: (id) => slots.some((slot, place) => card.slots[place]?.id === id && !card.slots[place].gone && slot.focus()),
    /** @param {string[]} ids of pictures that are gone, or back @param {boolean} gone */
    mark(ids, gone) {
      slots.forEach((slot, place) => {
        const told = card.slots[place];
        if (told && ids.includes(told.id)) slot.update((card.slots[place] = { ...told, gone }), card);
      });
    },
    /** @param {Card} told */
    update(told) {
      const focused = /** @type {HTMLElement} */ (document.activeElement);
      card = told;
      element.dataset.state = card.state;
      element.style.setProperty("--ratio", String(card.shape[0] / card.shape[1]));
      usual.hidden = card.state !== "running" || (!batch && (!card.usual || card.place > 0));
      usual.style.setProperty("--settled", String(settled() / card.n));
      if (card.usual) usual.style.setProperty("--usual", `${card.usual}s`);
      buttons.stop.hidden = card.state !== "running" || card.way > 0;
      buttons.goOn.update(card);
      buttons.zip.hidden = !card.zip;
      buttons.sheet.hidden = !card.zip || !card.settings.length;
      buttons.fetch.hidden = buttons.raw.hidden = !card.unread;
      buttons.lost.hidden = !card.lost;
      buttons.repaint.hidden = !card.painted;
      buttons.forget.hidden = card.state === "running";
      const paused = card.state === "paused" && say("paused_said", { count: come(), n: card.n, unsent: card.unsent });
      const others = !paused || come() + card.unsent < card.n;
      write(said, [paused, others && card.said].filter(Boolean).join(" "));
      said.hidden = Object.values(card.slots).every(({ failed }) => failed === card.said); // all its places say so already
      redraw(notes, card.notes, (note) => h("li", {}, note));
      redraw(revised, card.revised, (text) => h("p", {}, h("b", {}, words.revised), " ", h("span", {}, text), " ",
        button("take", words.take, () => page.fill({ act: "prompt", kind: card.kind, text }))));
      usage.hidden = !card.usage.length;
      redraw(usage.lastElementChild, card.usage, ([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value)));
      write(meta, card.meta);
      slots.forEach((slot, place) => slot.update(card.slots[place] ?? {}, card));
      if (element.contains(focused) && focused.hidden) element.focus({ preventScroll: true }); // or keys would begin at the page's top
      tick();
    },
  };
}

/** So many pictures are ordered at one press; for more a second one is asked for. */
const AT_ONCE = 12;

/** What is missing of an order, to be ordered in its place. @param {() => void} order */
function newGoOn(order) {
  let told = "", sure = "";
  const element = button("go-on", "", (/** @type {MouseEvent} */ { detail }) => {
    if (detail > 1) return; // a double click is meant as one
    if (sure && element.textContent !== sure) return write(element, sure);
    write(element, told);
    order();
  }, { onblur: () => write(element, told) });
  return {
    element,
    /** @param {Card} card */
    update({ open, open_cost: cost, state }) {
      element.hidden = !open;
      const before = told, facts = { count: open };
      const priced = (/** @type {string} */ text) => [text, cost].filter(Boolean).join(" · ");
      const unsent = ["paused", "stopped", "lost", "unread"].includes(state);
      told = priced(unsent ? say(open === 1 ? "go_on_one" : "go_on", facts) : say(open === 1 ? "missing_one" : "missing", facts));
      sure = open > AT_ONCE ? priced(say("go_on_sure", facts)) : "";
      if (told !== before) write(element, told);
    },
  };
}

const ORDINALS = new Intl.PluralRules(language, { type: "ordinal" });
const ordinal = (/** @type {number} */ n) => say(`ordinal_${ORDINALS.select(n)}`, { n });

/** The order as code, in four forms, asked for when it is unfolded. @param {string} order @param {boolean} billed */
function newCode(order, billed) {
  const text = h("pre", { tabindex: 0 });
  const choice = h("div", { class: "forms", role: "radiogroup", "aria-label": words.code_forms });
  const body = h("div", { hidden: true }, choice, text, h("p", {}, billed ? words.code_note : words.code_note_own));
  /** @type {Record<string, string>} */
  let forms = {};
  const choose = (/** @type {string} */ form) => {
    text.textContent = forms[form];
    for (const one of choice.querySelectorAll("[role=radio]")) one.setAttribute("aria-checked", String(one.textContent === form));
  };
  async function unfold() {
    if (!details.open || !body.hidden) return;
    try {
      forms = await ask(`board/code?${new URLSearchParams({ order })}`);
    } catch (error) {
      notice(/** @type {Error} */ (error).message);
      return;
    }
    choice.replaceChildren(
      ...Object.keys(forms).map((form) => button(`code-${form.toLowerCase()}`, form, () => choose(form), { role: "radio", "aria-checked": "false" })),
      button("copy-code", words.copy, () => copy(text.textContent ?? "", words.copied)));
    choose(Object.keys(forms)[0]);
    body.hidden = false;
  }
  const details = h("details", { class: "code", "data-act": "code", ontoggle: unfold }, h("summary", {}, words.code), body);
  return details;
}
