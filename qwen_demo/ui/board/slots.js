// The places of an order in its card, which never move: few large ones, many small ones, or a table of what varies.
import { act, button, h, icon, inFeed, notice, say, small, words } from "./shared.js";

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
  const element = card.grid ? newTable(card.grid, elements) : h("div", { class: `slots ${form}` }, elements.map((slot, place) => named(slot, card.slots[place]?.name)));
  return { element, places };
}

/** A place with its name below it, if it has one. @param {HTMLElement} slot @param {string} [name] */
const named = (slot, name) => (name ? h("figure", {}, slot, h("figcaption", { title: name }, name)) : slot);

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
    const said = `${slot.name ?? card.prompt} (${say("of", { count: place + 1, n: card.n })})`;
    const open = button("open", image, () => look(slot, open), { "data-picture": slot.id, "aria-label": say("open", { prompt: said }) });
    await close;
    await loaded(image, slot, card.n > LARGE);
    if (shown !== kind) return;
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
      const kind = `${is} ${slot.id ?? slot.failed} ${slot.again}`;
      if (kind === shown) return; // nothing is drawn twice
      shown = kind;
      element.removeAttribute("tabindex");
      if (is === "picture") {
        void show(slot, kind);
        return;
      }
      element.dataset.is = is;
      element.replaceChildren(...content(slot, of).filter((part) => part instanceof Node));
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

/** Load a picture: the light one where the large one isn't asked for at once. @param {HTMLImageElement} image @param {Slot} slot @param {boolean} light */
async function loaded(image, slot, light) {
  image.src = light ? small(slot) : inFeed(slot);
  await image.decode().catch(() => { image.src = small(slot); });
}
