// What feed, viewer and library share: elements, words, addresses, requests, and word of what happened to pictures.

/**
 * A picture, as the server tells of it.
 * @typedef {object} Picture
 * @property {string} id its day and a hash, such as `2026-11-22-1f3a…`; `reference-…` for one that somebody brought
 * @property {number} w
 * @property {number} h
 * @property {string} prompt
 * @property {string} [label] what tells it from the others of its order, where that is more than its seed
 * @property {boolean} [starred]
 * @property {string} [token] leave to load it where the browser keeps no cookies
 * @property {string} [url] where it is, if it is not in the library
 */

/**
 * What the page gives to its parts when they are mounted.
 * @typedef {object} Part
 * @property {(name: string, data?: object) => void} trigger has a listener of the page run
 * @property {Record<string, any>} props
 * @property {(file: File) => Promise<{path: string}>} upload
 * @property {(name: string, then: () => void) => void} watch
 */

/** The sides in px of the previews, as in `library.py`. */
const SMALL = 512, FULL = 3072;
/** Pixels of a picture that is only loaded where it is looked at closely: a file of 12 megapixels has 20 MB. */
const HEAVY = 6e6;
/** Pictures that one message may be about: less than what `routes.py` takes. */
const MOST = 5000;
/** Seconds until what was deleted is gone for good: the server waits a little longer. */
const UNDO = 10;

const beside = (/** @type {string} */ file) => new URL(file, import.meta.url);
export const language = document.documentElement.lang;

// A sheet of its own: Gradio puts ".gradio-container" before the rules that it is given, which a dialog in the body is not in.
const sheet = document.createElement("link");
sheet.rel = "stylesheet";
sheet.href = beside("board.css").href;
const styled = new Promise((resolve) => sheet.addEventListener("load", resolve));
document.head.append(sheet);

/** The words of the board in the page's language, by their keys. @type {Record<string, string>} */
export const words = await (await fetch(beside(`words.${language}.json`))).json();
await styled;

/** What the page told of itself. `session` names its visitor where the browser keeps no cookies. */
export const page = {
  light: false,
  session: "",
  /** @type {(what: object) => void} */
  fill: () => {},
  /** Takes several files for the edit tab, beside so many others. @type {((files: File[], others: number) => void) | undefined} */
  photos: undefined,
};

/** @param {string} key @param {Record<string, unknown>} facts @returns {string} words with their facts put in */
export const say = (key, facts = {}) => words[key].replace(/\{(\w+)\}/g, (_, name) => String(facts[name]));

/**
 * An element: `h("div", { class: "a", onclick: f, hidden: true }, child, "text")`. What is null or false is left out.
 * @param {string} tag @param {Record<string, any>} [attributes] @param {...any} children @returns {any}
 */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== false && value != null) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child != null && child !== false));
  return element;
}

/** A button with its words. @param {string} act its `data-act` @param {any} content @param {(event: any) => void} onclick @param {object} more */
export const button = (act, content, onclick, more = {}) => h("button", { type: "button", "data-act": act, onclick, ...more }, content);

/** Write only what has changed: selections stay, and nothing is read out again. @param {Element} element @param {string} text */
export function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Draw rows anew where they have changed. @template T @param {HTMLElement} home @param {T[]} rows @param {(row: T) => Node} make */
export function redraw(home, rows, make) {
  const told = JSON.stringify(rows);
  home.hidden = !rows.length;
  if (home.dataset.told === told) return;
  home.dataset.told = told;
  home.replaceChildren(...rows.map(make));
}

const ICONS = {
  bin: "M4 7h16M9 7V4h6v3M6 7l1 13h10l1-13M10 11v5M14 11v5",
  brush: "M19.5 4.5L11 13M9 21c-2 0-4-.5-5-1.5 1.5-.5 1-2 1.5-3.5a3.2 3.2 0 1 1 4.5 4.5c-.3.3-.6.5-1 .5zM21 3c-3 1-7 5-9 8l1 1c3-2 7-6 8-9z",
  check: "M5 12.5l4.5 4.5L19 7.5",
  close: "M5 5l14 14M19 5L5 19",
  compare: "M12 4v16M4 6h5v12H4zM15 6h5v12h-5z",
  edit: "M4 20l1-4.5L16 4.5l3.5 3.5L8.5 19zM14 6.5l3.5 3.5",
  eraser: "M8 20h12M4.5 15.5l10-10a2 2 0 0 1 2.8 0l2.7 2.7a2 2 0 0 1 0 2.8L11 20H8l-3.5-3.5a.7.7 0 0 1 0-1zM9.5 10.5l5.5 5.5",
  info: "M12 11v6M12 7.5v.5M12 3a9 9 0 1 0 .01 0",
  larger: "M14 4h6v6M20 4l-7 7M10 20H4v-6M4 20l7-7",
  left: "M15 5l-7 7 7 7",
  minus: "M5 12h14",
  plus: "M12 5v14M5 12h14",
  redo: "M15 5l5 5-5 5M20 10H10a5.5 5.5 0 0 0 0 11h3",
  right: "M9 5l7 7-7 7",
  smaller: "M20 10h-6V4M14 10l6-6M4 14h6v6M10 14l-6 6",
  star: "M12 4l2.5 5.2 5.7.8-4.1 4 1 5.7-5.1-2.7-5.1 2.7 1-5.7-4.1-4 5.7-.8z",
  undo: "M9 5l-5 5 5 5M4 10h10a5.5 5.5 0 0 1 0 11h-3",
};

/** @param {keyof typeof ICONS} name @returns {SVGElement} a drawn one, in the colour of the text */
export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(svg.namespaceURI, "path");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}

/** @param {Picture} picture @param {Record<string, string | number>} [asked] */
function address({ id, token, url }, asked = {}) {
  if (url) return addressed(url);
  const query = new URLSearchParams({ ...asked, ...(token ? { t: token } : {}) });
  return new URL(`picture/${id}${query.size ? `?${query}` : ""}`, document.baseURI).href;
}
/** The address of the file itself. @param {Picture} picture */
export const original = (picture) => address(picture);
/** The address of what is looked at closely: in public a light one. @param {Picture} picture */
export const large = (picture) => address(picture, page.light ? { w: FULL } : {});
/** The address of what stands among others at its whole width: of a camera's picture a light one does. @param {Picture} picture */
export const inFeed = (picture) => (picture.w * picture.h > HEAVY ? address(picture, { w: FULL }) : large(picture));
/** The address of a small preview. @param {Picture} picture */
export const small = (picture) => address(picture, { w: SMALL });

/** An address of the app, for whom no header can be sent along: a stream, or a download. @param {string} path */
export function addressed(path) {
  const url = new URL(path, document.baseURI);
  if (page.session) url.searchParams.set("page", page.session);
  return url.href;
}

/**
 * Ask the app something.
 * @param {string} path below the page's own address, with its query
 * @param {object} [body] to be sent as JSON
 * @returns {Promise<any>} its answer
 * @throws {Error} in words for people
 */
export async function ask(path, body) {
  const headers = { ...(page.session ? { "X-Page": page.session } : {}), ...(body ? { "Content-Type": "application/json" } : {}) };
  const answer = await fetch(new URL(path, document.baseURI), { method: body ? "POST" : "GET", body: body && JSON.stringify(body), headers }).catch(() => null);
  const told = answer?.headers.get("content-type")?.includes("json") ? await answer.json() : {};
  if (!answer?.ok) throw new Error(told.detail ?? words.unreachable);
  return told;
}

/** Have the app do something, and say so where it can't. @param {string} act @param {object} data @returns {Promise<any>} its answer, or nothing */
export const act = (act, data) => ask("board/act", { act, ...data }).catch((error) => void notice(error.message));

/** What is free below a notice, in px. */
const BELOW = 24;
/** @type {HTMLElement} */
let notices;
/**
 * A line at the bottom with at most one action, inside the open dialog, if there is one: all else is inert then. It takes the
 * place of the one before, but a way back stays beside other news.
 * @param {string} text @param {string} [action] @param {() => void} [then]
 */
export function notice(text, action, then) {
  notices ??= h("div", { class: "board-notices", role: "status" });
  const home = document.querySelector("dialog#viewer[open]") ?? document.body;
  if (notices.parentNode !== home) home.append(notices);
  const line = h("div", { class: "board-notice" }, h("span", {}, text));
  if (action) line.append(button("undo", action, () => { line.remove(); then?.(); }));
  for (const other of [...notices.children]) if (!other.querySelector("button") === !action) other.remove();
  notices.append(line);
  lift();
  setTimeout(() => line.remove(), UNDO * 1000);
}
/** Have them above what is to be pressed at the window's bottom, such as the run button on a phone. */
function lift() {
  if (!notices?.childElementCount) return;
  const under = innerHeight - notices.offsetHeight - BELOW, middle = innerWidth / 2;
  const bars = notices.parentNode === document.body ? [...document.querySelectorAll(".actions, .batch > footer")] : [];
  const bar = bars.map((one) => one.getBoundingClientRect())
    .find(({ left, right, top, bottom }) => left < middle && middle < right && top < innerHeight && bottom > under);
  notices.style.bottom = `${bar ? innerHeight - bar.top + 8 : BELOW}px`;
}
addEventListener("scroll", lift, { passive: true });

/** A viewer that is opened or closed takes the notice along. @param {HTMLElement} home */
export function moveNotices(home) {
  if (notices?.childElementCount) home.append(notices);
  lift();
}

/**
 * Word of what happened to pictures, for every part that shows them: `came` with the new pictures, `gone` and `back` with
 * ids, `starred` with `{ ids, on }`. The browser's other tabs hear of it too.
 */
export const news = new EventTarget();
const others = new BroadcastChannel("qwen-image-demo-pictures");
others.onmessage = ({ data: [type, detail] }) => news.dispatchEvent(new CustomEvent(type, { detail }));
/** @param {"came" | "gone" | "back" | "starred"} type @param {any} detail */
export function tell(type, detail) {
  news.dispatchEvent(new CustomEvent(type, { detail }));
  if (type !== "came") others.postMessage([type, detail]);
}

/**
 * Have the app do something with pictures, in as many parts as it takes.
 * @param {string} what @param {string[]} ids @param {object} [more] @returns {Promise<string[]>} those with which it is done
 */
async function actOnMany(what, ids, more) {
  const done = [];
  for (let from = 0; from < ids.length; from += MOST) {
    const part = ids.slice(from, from + MOST);
    if (!(await act(what, { ids: part, ...more }))) break;
    done.push(...part);
  }
  return done;
}

/** Delete pictures, with a way back. @param {string[]} ids */
export async function remove(ids) {
  const gone = await actOnMany("delete", ids);
  if (!gone.length) return;
  tell("gone", gone);
  notice(say("deleted", { count: gone.length }), words.undo, async () => {
    const back = await actOnMany("restore", gone);
    if (back.length) tell("back", back);
  });
}

/** @param {string[]} ids @param {boolean} on */
export async function star(ids, on) {
  const done = await actOnMany("star", ids, { on });
  if (done.length) tell("starred", { ids: done, on });
}

/** In a frame of another site a download takes no cookie along: there the page fetches it by itself. */
const framed = window !== window.top;
if (framed) {
  document.addEventListener("click", (event) => {
    const link = /** @type {Element} */ (event.target).closest("a");
    if (!link?.hasAttribute("download") || event.defaultPrevented) return;
    event.preventDefault();
    download(link.href, link.download);
  });
}

/** Download an address. @param {string} href @param {string} name "" for the one that the app gives it */
export async function download(href, name) {
  const here = !framed || href.startsWith("blob:");
  if (!here) {
    const answer = await fetch(href).catch(() => null);
    if (!answer?.ok) return notice(words.unreachable);
    name ||= answer.headers.get("content-disposition")?.match(/filename="([^"]+)"/)?.[1] ?? "";
    href = URL.createObjectURL(await answer.blob());
  }
  h("a", { href, download: name }).click();
  if (!here) setTimeout(URL.revokeObjectURL, 60_000, href);
}

/** Download pictures as one file. @param {{ ids: string[] } | { order: string }} what */
export async function zip(what) {
  const offered = await act("zip", what);
  if (offered) download(new URL(`pictures.zip?${new URLSearchParams({ ticket: offered.ticket })}`, document.baseURI).href, "");
}

/** @param {string} text @param {string} said */
export async function copy(text, said) {
  try {
    await navigator.clipboard.writeText(text);
    notice(said);
  } catch {
    window.prompt("", text); // without https there is no clipboard
  }
}

/** Whether somebody writes there, so that keys are letters. @param {Event} event */
export const writes = (event) => event.target instanceof Element && Boolean(event.target.closest("textarea, select, input:not([type=checkbox], [type=radio], [type=range], [type=button]), [contenteditable=true]"));

/**
 * Where an arrow leads among things in rows, and Home and End.
 * @param {string} key @param {Element} from one of them @param {Element[]} all in their order
 * @returns {any} another, or nothing
 */
export function arrowed(key, from, all) {
  const at = all.indexOf(from);
  /** @type {Record<string, Element | undefined>} */
  const beside = { ArrowLeft: all[at - 1], ArrowRight: all[at + 1], Home: all[0], End: all.at(-1) };
  const way = { ArrowUp: -1, ArrowDown: 1 }[key];
  if (!way) return beside[key];
  const middle = (/** @type {Element} */ one) => {
    const { left, width, bottom } = one.getBoundingClientRect(); // what stands in a row ends at one height
    return { x: left + width / 2, y: bottom };
  };
  const here = middle(from);
  const far = (/** @type {Element} */ one) => {
    const { x, y } = middle(one);
    return (y - here.y) * way > 1 ? (y - here.y) * way * 100 + Math.abs(x - here.x) : Infinity; // the next row first
  };
  const nearest = all.reduce((best, one) => (far(one) < far(best) ? one : best), from);
  return nearest === from ? undefined : nearest;
}
