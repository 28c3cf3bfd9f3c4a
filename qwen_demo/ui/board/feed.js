// The feed: a card for each order, the newest on top. The server says how orders stand; here the page is changed in place.
import { attention, ended } from "./attention.js";
import { acceptDrops } from "./drop.js";
import { followOrders } from "./orders.js";
import { act, addressed, ask, button, copy, h, icon, inFeed, language, news, notice, page, say, small, tell, words, write } from "./shared.js";
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

  setInterval(() => drawn.forEach((card) => card.tick()), TICK);
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
  const slots = Array.from({ length: first.n }, (_, place) => newSlot(id, place, first, look));
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
    repaint: button("repaint", words.proof_repaint, () => page.fill({ act: "repaint", id: card.painted })),
    fetch: button("fetch", words.fetch, order("fetch")),
    raw: h("a", { "data-act": "raw", href: addressed(`board/answers.zip?order=${id}`), download: "" }, words.raw),
    lost: button("order-lost", words.lost_again, order("again")),
    forget: button("forget", icon("close"), order("forget"), { "aria-label": words.forget, title: words.forget_note }),
  };
  const usage = h("details", { class: "usage", "data-act": "usage" }, h("summary", {}, words.usage), h("dl"));
  const element = h("article", { class: "card", "data-order": id, "data-kind": first.kind, "aria-labelledby": `prompt-${id}`, tabindex: -1 },
    h("header", {}, h("h2", {}, prompt), state, buttons.forget), usual,
    h("div", { class: `slots of-${Math.min(first.n, 6)}` }, slots.map((slot) => slot.element)),
    said, notes, revised,
    h("footer", {}, buttons.again, buttons.repaint, buttons.stop, buttons.fetch, buttons.raw, buttons.lost, newCode(id, card.billed), usage, meta));
  usual.style.setProperty("--since", `${Math.min(0, first.at - now())}s`);

  const come = () => Object.values(card.slots).filter((slot) => slot.id).length;
  const running = () => [
    card.place ? say("line", { place: ordinal(card.place) }) : say("seconds", { count: Math.max(0, Math.floor(now() - card.at)) }),
    card.way ? say("still", { count: card.way }) : card.n > 1 && say("of", { count: come(), n: card.n }),
    !card.place && card.usual && say("usually", { seconds: Math.max(1, Math.round(card.usual)) }),
  ];
  const over = () => [card.state === "done" ? "" : ended(card), say("seconds", { count: card.seconds }), card.cost];

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
      card = told;
      element.dataset.state = card.state;
      element.style.setProperty("--ratio", String(card.shape[0] / card.shape[1]));
      usual.hidden = card.state !== "running" || !card.usual || card.place > 0;
      if (card.usual) usual.style.setProperty("--usual", `${card.usual}s`);
      buttons.stop.hidden = card.state !== "running" || card.way > 0;
      buttons.fetch.hidden = buttons.raw.hidden = !card.unread;
      buttons.lost.hidden = !card.lost;
      buttons.repaint.hidden = !card.painted;
      buttons.forget.hidden = card.state === "running";
      write(said, card.said);
      said.hidden = Object.values(card.slots).every(({ failed }) => failed === card.said); // all its places say so already
      draw(notes, card.notes, (note) => h("li", {}, note));
      draw(revised, card.revised, (text) => h("p", {}, h("b", {}, words.revised), " ", h("span", {}, text), " ",
        button("take", words.take, () => page.fill({ act: "prompt", kind: card.kind, text }))));
      usage.hidden = !card.usage.length;
      draw(usage.lastElementChild, card.usage, ([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value)));
      write(meta, card.meta);
      slots.forEach((slot, place) => slot.update(card.slots[place] ?? {}, card));
      tick();
    },
  };
}

/** Draw rows anew where they have changed. @template T @param {HTMLElement} home @param {T[]} rows @param {(row: T) => Node} make */
function draw(home, rows, make) {
  const told = JSON.stringify(rows);
  home.hidden = !rows.length;
  if (home.dataset.told === told) return;
  home.dataset.told = told;
  home.replaceChildren(...rows.map(make));
}

const ORDINALS = new Intl.PluralRules(language, { type: "ordinal" });
const ordinal = (/** @type {number} */ n) => say(`ordinal_${ORDINALS.select(n)}`, { n });

/**
 * A place of an order, which never moves.
 * @param {string} order @param {number} place @param {Card} card @param {(picture: Slot, from: HTMLElement) => void} look
 */
function newSlot(order, place, card, look) {
  const element = h("div", { class: "slot", "data-slot": place });
  const close = near(element); // asked before there is a picture: the answer takes a frame
  let shown = "";

  function content(/** @type {Slot} */ slot, /** @type {Card} */ of) {
    if (slot.gone) return [h("p", {}, words.gone)];
    if (slot.failed) {
      return [h("p", {}, slot.failed), slot.again && button("order-again", words.order_again, () => act("again", { order, place }))];
    }
    if (slot.dropped) return [h("p", {}, card.billed ? words.dropped : words.dropped_own)];
    return [h("span", { class: "unseen" }, `${words.waiting}: ${say("of", { count: place + 1, n: of.n })}`)];
  }

  /** The picture takes its place when it can be seen whole: until then its frame waits. */
  async function show(/** @type {Slot} */ slot, /** @type {string} */ kind) {
    const image = h("img", { alt: "", width: slot.w, height: slot.h, decoding: "async" });
    const open = button("open", image, () => look(slot, open), { "data-picture": slot.id, "aria-label": say("open", { prompt: `${card.prompt} (${say("of", { count: place + 1, n: card.n })})` }) });
    await close;
    await loaded(image, slot);
    if (shown !== kind) return;
    element.dataset.is = "picture";
    const focused = document.activeElement === element;
    const caption = slot.parts || (slot.seed == null ? "" : say("seed", { seed: slot.seed }));
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
      const kind = slot.gone ? "gone" : slot.id ? `picture ${slot.id}` : slot.failed ? `failed ${slot.failed} ${slot.again}` : slot.dropped ? "dropped" : "waiting";
      if (kind === shown) return; // nothing is drawn twice
      shown = kind;
      element.removeAttribute("tabindex");
      if (slot.id && !slot.gone) {
        void show(slot, kind);
        return;
      }
      element.dataset.is = kind.split(" ")[0];
      element.replaceChildren(...content(slot, of).filter((part) => part instanceof Node));
      requestAnimationFrame(() => { if (element.scrollHeight > element.clientHeight) element.tabIndex = 0; }); // keys scroll it
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
}, { rootMargin: "100% 0px" });
/** Wait until an element is not far from the window: a long feed would load all its pictures at once. @param {Element} element */
const near = (element) => new Promise((resolve) => {
  waiting.set(element, () => resolve(undefined));
  nearby.observe(element);
});

/** Load a picture: the light one where the large one isn't asked for at once. @param {HTMLImageElement} image @param {Slot} slot */
async function loaded(image, slot) {
  image.src = inFeed(slot);
  await image.decode().catch(() => { image.src = small(slot); });
}

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
