// The viewer: one picture, or two at the same place and zoom, over the whole window.
import { followHands } from "./hands.js";
import { newRecipe } from "./recipe.js";
import { newSequence } from "./sequence.js";
import { button, h, icon, moveNotices, news, page, remove, say, words, write, writes } from "./shared.js";
import { clearStage, modes, narrow, percent, present, setMode, stage, zoomActual, zoomBy, zoomFit } from "./stage.js";
import { drawStrip, isReference, labelOf, strip } from "./thumbs.js";

/** @typedef {import("./shared.js").Picture} Picture */
/** @typedef {import("./proof.js").Pair} Pair */

const STEP = 1.25;
/** In ms: less is between two steps of somebody who leafs through. */
const LEAFING = 150;

let sequence = newSequence(() => []);
/** The sequence as it was last. @type {Picture[]} */
let pictures = [];
/** The one that is looked at, and that all actions are for. @type {Picture | undefined} */
let shown;
let at = 0;
/** @type {Picture | undefined} */
let pinned;
/** What is looked at of the proof, or of the family; it ends where one leafs on. @type {Pair | undefined} */
let pair;
/** What was looked at before two were compared. @type {Picture | undefined} */
let single;
/** Pictures that are being deleted: a second key press means the same. @type {Set<string>} */
const removing = new Set();
let removedHere = "";
/** Where it was opened from. @type {HTMLElement | undefined} */
let origin;
/** @type {((id: string) => boolean) | undefined} */
let focusTile;
let recipeWanted = true;

// --- what is shown ---

function refresh() {
  pictures = sequence.refresh(shown);
  at = pictures.findIndex(({ id }) => id === shown?.id);
  return pictures;
}

function step(/** @type {number} */ by) {
  refresh();
  const next = at + by;
  const passed = pictures[next]?.id === pinned?.id ? next + by : next; // beside itself there is nothing to compare
  if (pictures[passed]) show(pictures[passed]);
}

/** Show a picture of the strip, or one that the list needn't have. */
function visit(/** @type {Picture} */ picture) {
  sequence.join(picture, shown?.id);
  show(refresh().find(({ id }) => id === picture.id) ?? picture);
}

function toggleCompare() {
  refresh();
  if (pinned) endCompare();
  else compareWith(pictures[at + 1] ?? pictures[at - 1] ?? shown);
}

/** Pin the shown one, and show another beside it. */
function compareWith(/** @type {Picture} */ other) {
  single ??= shown;
  pinned = shown;
  pair = undefined;
  visit(other);
  clearSight();
}

/** Show two pictures of the proof, or one of the family beside this one, or no longer. The shown one stays the one that all is for. */
function togglePair(/** @type {Pair} */ wanted) {
  if (wanted === pair) return endCompare();
  single ??= shown;
  pinned = wanted.pinned;
  pair = wanted;
  if (wanted.mode) setMode(wanted.mode);
  show(/** @type {Picture} */ (shown));
  clearSight();
}

function endCompare(next = /** @type {Picture} */ (shown)) {
  pinned = pair = single = undefined;
  visit(next);
}

let stepped = 0;
/** Done once nobody leafs on: what is passed is neither loaded nor asked for. @type {Promise<void> | undefined} */
let settled;
function noteStep() {
  const leafing = Date.now() - stepped < LEAFING;
  stepped = Date.now();
  settled = leafing ? new Promise((resolve) => setTimeout(resolve, LEAFING)) : undefined;
}

function show(/** @type {Picture} */ picture) {
  if (picture.id !== shown?.id) {
    noteStep();
    if (pair?.other) pinned = single = undefined;
    pair = undefined;
  }
  shown = picture;
  refresh();
  drawWords(picture);
  const place = picture.id === pinned?.id ? words.viewer_pick : (picture.label ?? String(at + 1));
  const labels = pair?.labels ?? (pinned ? [pinned.label ?? words.viewer_pinned, place] : [picture.label ?? ""]);
  present({ picture: pair?.other ?? picture, pinned, labels, neighbours: [pictures[at + 1], pictures[at - 1]], settled });
  recipe.tell(picture, settled);
  recipe.mark(pair);
  drawStrip(pictures, at, visit);
  keepFocus();
}

function drawWords(/** @type {Picture} */ picture) {
  const facts = { at: at + 1, count: pictures.length, prompt: labelOf(picture) };
  write(count, `${facts.at} / ${facts.count}`);
  write(heard, pair?.labels.join(" | ") ?? say(pinned ? "viewer_compared" : "viewer_heard", facts));
  compareTool.setAttribute("aria-pressed", String(Boolean(pinned)));
  dialog.classList.toggle("comparing", Boolean(pinned));
  dialog.classList.toggle("alone", pictures.length < 2);
}

/** A focused button may have gone: the focus stays inside. */
function keepFocus() {
  if (!dialog.contains(document.activeElement) || document.activeElement === dialog) stage.focus();
}

// --- what is done ---

/** Fill a form, which lies behind the viewer. */
function fill(/** @type {object} */ what) {
  leave(false);
  page.fill(what);
}

async function removeShown() {
  if (!shown || isReference(shown) || removing.has(shown.id)) return;
  const { id } = shown;
  removedHere = id;
  removing.add(id);
  await remove([id]);
  removing.delete(id);
}

function toggleRecipe() {
  const wanted = dialog.classList.contains("bare");
  if (!narrow.matches) recipeWanted = wanted;
  showRecipe(wanted);
}

/** The sheet would cover the two. */
function clearSight() {
  if (!narrow.matches) return;
  showRecipe(false);
  stage.focus();
}

function showRecipe(/** @type {boolean} */ visible) {
  dialog.classList.toggle("bare", !visible);
  infoTool.setAttribute("aria-expanded", String(visible));
  if (visible) recipe.seen();
}

// --- news ---

/**
 * The list learns of it in the same moment, maybe after the viewer.
 * @param {string} type @param {(detail: any) => Picture | undefined} next what to show then, if anything
 */
const hear = (type, next) => news.addEventListener(type, (event) => queueMicrotask(() => {
  if (!shown) return;
  const picture = next(/** @type {CustomEvent} */ (event).detail);
  recipe.renew();
  if (picture) show(picture);
  else leave();
}));

hear("came", () => shown);
hear("gone", (/** @type {string[]} */ ids) => {
  const next = nextWithout(new Set(ids));
  sequence.lose(ids);
  if (pinned && [...ids, next?.id].includes(pinned.id)) pinned = pair = single = undefined;
  if (single && ids.includes(single.id)) single = undefined;
  return next;
});
hear("back", (/** @type {string[]} */ ids) => {
  sequence.regain(ids);
  return refresh().find(({ id }) => id === removedHere && ids.includes(id)) ?? shown;
});

/** The shown one, or else the next, or else the one before; the pinned one only where no other is left. */
function nextWithout(/** @type {Set<string>} */ going) {
  const order = [...pictures.slice(at), ...pictures.slice(0, at).reverse()].filter(({ id }) => !going.has(id));
  return order.find(({ id }) => id === shown?.id || id !== pinned?.id) ?? order[0];
}

// --- keys ---

/** @type {Record<string, () => void>} */
const KEYS = {
  ArrowLeft: () => step(-1), ArrowRight: () => step(1), Home: () => show(refresh()[0]), End: () => show(refresh().slice(-1)[0]),
  0: zoomFit, 1: zoomActual, "+": () => zoomBy(STEP), "=": () => zoomBy(STEP), "-": () => zoomBy(1 / STEP),
  c: toggleCompare, f: () => recipe.toggleStar(), i: toggleRecipe, Delete: removeShown,
};
/** All others do nothing more while they are held down. */
const REPEATED = /^(Arrow.*|[-+=])$/;

function press(/** @type {KeyboardEvent} */ event) {
  if (!dialog.open) return;
  event.stopImmediatePropagation(); // the page's own keys rest
  if (event.isComposing || event.ctrlKey || event.metaKey || event.altKey || writes(event)) return;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const slides = event.target instanceof HTMLInputElement && /^(Arrow|Home|End)/.test(key);
  if (slides || !KEYS[key]) return;
  event.preventDefault();
  if (!event.repeat || REPEATED.test(key)) KEYS[key]();
}

// --- the dialog ---

/** @param {string} act @param {any} content @param {string} label @param {string} key @param {() => void} run @param {object} [more] */
const tool = (act, content, label, key, run, more = {}) =>
  button(act, content, run, { "aria-label": label, title: `${label} (${key})`, ...more });

const html = document.documentElement;
const count = h("span", { class: "count" });
const compareTool = tool("compare", icon("compare"), words.viewer_compare, "C", toggleCompare);
compareTool.append(h("span", {}, words.viewer_compare));
const infoTool = tool("info", icon("info"), words.viewer_info, "I", toggleRecipe, { "aria-controls": "viewer-recipe" });
const bar = h("div", { class: "bar" },
  h("div", { class: "start" }, count, compareTool, modes),
  h("div", { class: "zoom", role: "group", "aria-label": words.viewer_zoom },
    tool("zoom-out", icon("minus"), words.viewer_zoom_out, "−", () => zoomBy(1 / STEP)),
    percent,
    tool("zoom-in", icon("plus"), words.viewer_zoom_in, "+", () => zoomBy(STEP)),
    tool("fit", words.viewer_fit, words.viewer_fit, "0", zoomFit),
    tool("actual", "1:1", words.viewer_actual, "1", zoomActual)),
  h("div", { class: "end" }, infoTool, tool("close", icon("close"), words.viewer_close, "Esc", () => leave())));
const heard = h("p", { class: "heard", role: "status" });
const recipe = newRecipe({ fill, visit, togglePair, removeShown });
const dialog = h("dialog", { id: "viewer", "aria-label": words.viewer, oncancel: goBack, onclose: () => dialog.open || leave() },
  heard, bar, stage, recipe.element, strip);
const forgetFingers = followHands(step);
addEventListener("keydown", press, true); // not on the dialog: where a focused button has gone, the keys come from the body

/**
 * Open the viewer.
 * @param {object} what
 * @param {() => Picture[]} what.list what to go through, asked again whenever there is news
 * @param {string} what.start the id of the one to begin with
 * @param {HTMLElement} what.from what gets the focus back where the picture last looked at has no tile
 * @param {Picture} [what.pin] what to compare it with
 * @param {(id: string) => boolean} [what.closed] gives the focus to that picture's tile, which needn't be in the page; false where there is none
 */
export function openViewer({ list, start, from, pin, closed }) {
  const picture = list().find(({ id }) => id === start) ?? list()[0];
  if (!picture) return;
  sequence = newSequence(list);
  origin = from;
  focusTile = closed;
  shown = pair = single = undefined;
  pinned = pin;
  removedHere = "";
  clearStage();
  recipe.reset();
  showRecipe(recipeWanted && !narrow.matches);
  if (!dialog.isConnected) document.body.append(dialog);
  // The page behind neither scrolls nor jumps: where there was a scrollbar, its place is kept.
  html.classList.toggle("scrollbar", innerWidth > html.clientWidth);
  html.classList.add("viewing");
  if (!dialog.open) dialog.showModal();
  stage.focus();
  moveNotices(dialog);
  show(picture);
  recipe.element.scrollTop = 0;
}

/** From a comparison, Escape goes back to what was looked at before; else it closes. */
function goBack(/** @type {Event} */ event) {
  if (!single) return;
  event.preventDefault();
  endCompare(single);
}

/** Close it, if it isn't closed yet, and tidy up. */
function leave(back = true) {
  const last = shown;
  dialog.close();
  if (!last) return;
  shown = pinned = pair = single = undefined;
  clearStage();
  recipe.reset(); // what is gone isn't asked about any more
  strip.replaceChildren();
  forgetFingers();
  html.classList.remove("viewing", "scrollbar");
  moveNotices(document.body);
  if (back) giveFocusBack(last);
}

/** To the tile of the picture last looked at, else to where it began. */
function giveFocusBack(/** @type {Picture} */ { id }) {
  if (focusTile?.(id)) return;
  const tiles = [...document.querySelectorAll(`[data-picture="${CSS.escape(id)}"]`)];
  const tile = tiles.find((one) => !dialog.contains(one) && one.checkVisibility());
  const places = [tile, origin].flatMap((one) => (one ? [one, ...one.querySelectorAll("button, a[href]")] : []));
  places.some((/** @type {HTMLElement} */ one) => {
    one.focus();
    return document.activeElement === one;
  });
}
