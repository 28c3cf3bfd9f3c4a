// The places of an order in its card, which never move: few large ones, many small ones, or a table of what varies.
import { newName, writeNames } from "./names.js";
import { act, arrowed, button, h, icon, inFeed, notice, say, small, words } from "./shared.js";

/** @typedef {import("./orders.js").Card} Card */
/** @typedef {import("./orders.js").Slot} Slot */

/** Places that are drawn large; where there are more, all are small. */
const LARGE = 6;

/** Whether an order has a picture each of what varies: its places have names or headings. @param {Card} card */
export const isBatch = (card) => Boolean(card.grid || card.slots[0]?.name);

/** Why there is no picture at a place. @param {Slot} slot @param {Card} card @returns {string} */
export function absence(slot, card) {
  if (slot.gone) return words.gone;
  if (slot.failed) return slot.failed;
  if (!slot.dropped) return words.waiting;
  if (card.state !== "stopped" && card.state !== "running") return words.not_sent;
  return card.billed ? words.dropped : words.dropped_own;
}

/**
 * @param {string} order
 * @param {Card} card as it is told first
 * @param {(picture: Slot, from: HTMLElement) => void} look opens a picture
 */
export function newSlots(order, card, look) {
  const places = Array.from({ length: card.n }, (_, place) => newSlot(order, place, card, look));
  const elements = places.map(({ element }) => element);
  const form = card.n > LARGE ? "many" : `of-${card.n}`;
  const told = elements.map((_, place) => card.slots[place] ?? {});
  const element = card.grid ? newTable(card.grid, elements) : h("div", { class: `slots ${form}` }, isBatch(card) ? named(elements, told) : elements);
  if (isBatch(card)) oneStop(element, elements);
  return { element, places };
}

/** Places with their names below them. @param {HTMLElement[]} places @param {Slot[]} told */
function named(places, told) {
  const names = told.map(({ name, title }) => newName({ title: title ?? name }));
  writeNames(names, told.map(({ name = "" }) => name));
  return places.map((slot, place) => h("figure", {}, slot, h("figcaption", {}, names[place])));
}

/** Places that are one stop for Tab; arrows lead from one to the next. @param {HTMLElement} element @param {HTMLElement[]} places */
function oneStop(element, places) {
  let at = places[0];
  const pressed = () => places.filter((slot) => slot.querySelector("button"));
  const mark = () => {
    const all = pressed(), stop = all.includes(at) ? at : all[0];
    for (const slot of all) for (const one of slot.querySelectorAll("button")) one.tabIndex = slot === stop ? 0 : -1;
  };
  new MutationObserver(mark).observe(element, { childList: true, subtree: true });
  element.addEventListener("focusin", ({ target }) => {
    at = /** @type {Element} */ (target).closest(".slot") ?? at;
    mark();
  });
  element.addEventListener("keydown", (event) => {
    const from = /** @type {Element} */ (event.target).closest(".slot");
    const to = from && arrowed(event.key, from, pressed());
    if (!to) return;
    event.preventDefault();
    to.querySelector("button").focus();
  });
}

/** What varies in two ways, as rows and columns. @param {NonNullable<Card["grid"]>} grid @param {HTMLElement[]} slots by their places */
function newTable({ rows, columns, whole_rows: wholeRows, whole_columns: wholeColumns, cells }, slots) {
  const at = new Map(cells.map(([row, column], place) => [`${row} ${column}`, slots[place]]));
  const heading = (/** @type {string} */ role, /** @type {string} */ text, /** @type {string} */ whole) => h("div", { role, title: whole }, h("span", {}, text));
  const cell = (/** @type {Node | string} */ content) => h("div", { role: "cell" }, content);
  const table = h("div", { class: slots.length > LARGE ? "slots table small" : "slots table", role: "table", "aria-label": words.grid },
    h("div", { role: "row", class: "columns" }, cell(""), columns.map((text, column) => heading("columnheader", text, wholeColumns[column]))),
    rows.map((text, row) => h("div", { role: "row" }, heading("rowheader", text, wholeRows[row]), columns.map((_, column) => cell(at.get(`${row} ${column}`) ?? "–")))));
  table.style.setProperty("--across", String(columns.length));
  new ResizeObserver(() => {
    const wide = table.scrollWidth > table.clientWidth;
    table.classList.toggle("wide", wide); // then it scrolls sideways by itself; else its headings stay in the window
    if (wide) table.tabIndex = 0;
    else table.removeAttribute("tabindex");
  }).observe(table);
  return table;
}

/**
 * A place of an order.
 * @param {string} order @param {number} place @param {Card} card @param {(picture: Slot, from: HTMLElement) => void} look
 */
function newSlot(order, place, card, look) {
  const shape = card.slots[place]?.shape;
  const element = h("div", { class: shape ? "slot shaped" : "slot", "data-slot": place });
  if (shape) element.style.setProperty("--ratio", String(shape[0] / shape[1]));
  const close = near(element); // asked before there is a picture: the answer takes a frame
  const batch = isBatch(card);
  let shown = "";

  const again = () => act(batch ? "go_on" : "again", { order, place });

  function content(/** @type {Slot} */ slot, /** @type {Card} */ of) {
    const why = absence(slot, of);
    if (why === words.waiting) return [h("span", { class: "unseen" }, `${why}: ${say("of", { count: place + 1, n: of.n })}`)];
    // A small place shows how it begins: pressed, it says the whole of it.
    const told = batch ? button("why", why, () => (slot.again ? notice(why, words.order_again, again) : notice(why)), { title: why }) : h("p", {}, why);
    const label = batch ? { "aria-label": words.order_again, title: words.order_again } : {};
    return [told, slot.again && button("order-again", batch ? [icon("redo"), h("span", {}, words.order_again)] : words.order_again, again, label)];
  }

  /** The picture takes its place when it can be seen whole: until then its frame waits. */
  async function show(/** @type {Slot} */ slot, /** @type {string} */ kind) {
    const image = h("img", { alt: "", width: slot.w, height: slot.h, decoding: "async" });
    const said = slot.label ?? `${card.prompt} (${say("of", { count: place + 1, n: card.n })})`;
    const open = button("open", image, () => look(slot, open), { "data-picture": slot.id, "aria-label": say("open", { prompt: said }) });
    await close;
    const come = await loaded(image, slot, card.n > LARGE);
    if (shown !== kind) return;
    if (!come) return void (shown = ""); // its frame waits: the app was out of reach, and is asked again at its next word
    element.dataset.is = "picture";
    const focused = document.activeElement === element;
    const caption = slot.parts || (batch || slot.seed == null ? "" : say("seed", { seed: slot.seed }));
    element.replaceChildren(open, ...(caption ? [h("span", { class: "seed" }, caption)] : []));
    element.removeAttribute("tabindex");
    if (focused) open.focus();
  }

  return {
    element,
    /** The picture gets the focus, or until it is drawn its place. */
    focus() {
      const picture = element.querySelector("[data-act=open]");
      if (!picture) element.tabIndex = -1;
      (picture ?? element).focus();
      return true;
    },
    /** @param {Slot} slot @param {Card} of */
    update(slot, of) {
      const is = slot.gone ? "gone" : slot.id ? "picture" : slot.failed ? "failed" : slot.dropped ? "dropped" : "waiting";
      const kind = `${is} ${slot.id ?? absence(slot, of)} ${slot.again}`;
      if (kind === shown) return; // nothing is drawn twice
      shown = kind;
      element.removeAttribute("tabindex");
      if (is === "picture") {
        void show(slot, kind);
        return;
      }
      element.dataset.is = is;
      const focused = element.contains(document.activeElement);
      element.replaceChildren(...content(slot, of).filter((part) => part instanceof Node));
      if (focused) this.focus();
      requestAnimationFrame(() => { if (element.scrollHeight > element.clientHeight && !batch) element.tabIndex = 0; }); // keys scroll it
    },
  };
}

/** @type {WeakMap<Element, () => void>} */
const waiting = new WeakMap();
const nearby = new IntersectionObserver((entries) => {
  for (const { isIntersecting, target } of entries) {
    if (!isIntersecting) continue;
    nearby.unobserve(target);
    waiting.get(target)?.();
  }
}, { rootMargin: "100%", scrollMargin: "0px 100%" }); // also what a table is scrolled to
/** Wait until an element is not far from the window: a long feed would load all its pictures at once. @param {Element} element */
const near = (element) => new Promise((resolve) => {
  waiting.set(element, () => resolve(undefined));
  nearby.observe(element);
});

/**
 * Load a picture: the light one where the large one isn't asked for at once, or can't be had.
 * @param {HTMLImageElement} image @param {Slot} slot @param {boolean} light @returns {Promise<boolean>} whether it came
 */
async function loaded(image, slot, light) {
  for (const src of light ? [small(slot)] : [inFeed(slot), small(slot)]) {
    image.src = src;
    if (await image.decode().then(() => true, () => false)) return true;
  }
  return false;
}
