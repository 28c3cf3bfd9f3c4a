// The viewer: one picture, or two at the same place and zoom, over the whole window.
import {
  ask, button, copy, h, icon, large, moveNotices, news, notice, original, page, remove, say, small, star, words, write, writes,
} from "./shared.js";

/** @typedef {import("./shared.js").Picture} Picture */
/**
 * What the server tells of one picture.
 * @typedef {object} Details
 * @property {Picture} picture
 * @property {string} name to download it under
 * @property {string} prompt
 * @property {string | null} revised_prompt
 * @property {[string, string][]} facts
 * @property {boolean} usable whether it has settings
 * @property {string} link
 * @property {Picture[]} before what it was made from
 * @property {Picture[]} after what was made from it
 */

/** Thumbnails on either side of the shown one: a list may have ten thousand. */
const AROUND = 30;
/** Device pixels per pixel: above it, pixels are shown as pixels. */
const PIXELS = 3;
const CLOSEST = 16;
const STEP = 1.25;
/** In px: less is a tap that trembled, more is a swipe. */
const TREMBLE = 8;
const SWIPE = 56;
/** In ms: between the taps of a double tap, and between two steps of somebody who leafs through. */
const DOUBLE = 350;
const LEAFING = 150;

/** There, the recipe is a sheet that covers the picture: it stays closed until asked for. */
const narrow = matchMedia("(max-width: 900px)");

// --- what is gone through ---

/** @type {{ list: () => Picture[], from?: HTMLElement }} */
let opened = { list: () => [] };
/** @type {Picture[]} */
let sequence = [];
/** The one that is looked at, and that all actions are for. @type {Picture | undefined} */
let shown;
let at = 0;
/** @type {Picture | undefined} */
let pinned;
let mode = "side";
let recipeWanted = true;
/**
 * Pictures that the list lacks, or may lack for a while, each with the one that it comes after.
 * @type {Map<string, { picture: Picture, after?: string }>}
 */
const joined = new Map();
/** Deleted ones: the list may still have them. @type {Set<string>} */
const absent = new Set();
/** Stars as they were heard of. @type {Map<string, boolean>} */
const stars = new Map();
/** Pictures that are being starred or deleted: a second key press means the same. @type {Set<string>} */
const busy = new Set();
let deletedHere = "";

const isReference = (/** @type {Picture} */ { id }) => id.startsWith("reference-");
const isStarred = (/** @type {Picture} */ { id, starred }) => stars.get(id) ?? Boolean(starred);
const nameOf = (/** @type {Picture} */ picture) => picture.prompt || words.viewer_reference;

/** Ask the list again, and put in what only the viewer has. */
function refresh() {
  const listed = opened.list().filter(({ id }) => !absent.has(id));
  const there = new Set(listed.map(({ id }) => id));
  if (shown && !there.has(shown.id) && !absent.has(shown.id)) keepPlace(shown, at);
  for (const { picture, after } of joined.values()) {
    if (there.has(picture.id) || absent.has(picture.id)) continue;
    let place = after;
    while (place && absent.has(place)) place = joined.get(place)?.after;
    listed.splice(listed.findIndex(({ id }) => id === place) + 1, 0, picture);
  }
  sequence = listed;
  at = sequence.findIndex(({ id }) => id === shown?.id);
}

/** @param {Picture} picture @param {number} index */
function keepPlace(picture, index) {
  if (!joined.has(picture.id)) joined.set(picture.id, { picture, after: sequence[index - 1]?.id });
}

/** @param {number} by */
function step(by) {
  refresh();
  const next = at + by;
  const passed = sequence[next]?.id === pinned?.id ? next + by : next; // beside itself there is nothing to compare
  if (sequence[passed]) show(sequence[passed]);
}

/** @param {0 | -1} end */
function goToEnd(end) {
  refresh();
  show(/** @type {Picture} */ (sequence.at(end)));
}

/** Show a picture of the lineage, which the list needn't have. @param {Picture} picture */
function visit(picture) {
  if (!sequence.some(({ id }) => id === picture.id)) joined.set(picture.id, { picture, after: shown?.id });
  refresh();
  show(sequence.find(({ id }) => id === picture.id) ?? picture);
}

let stepped = 0;
/** Done once nobody leafs on: what is passed is neither loaded nor asked for. @type {Promise<void> | undefined} */
let settled;
function noteStep() {
  const leafing = Date.now() - stepped < LEAFING;
  stepped = Date.now();
  settled = leafing ? new Promise((resolve) => setTimeout(resolve, LEAFING)) : undefined;
}

/** @param {Picture} picture */
function show(picture) {
  const another = picture.id !== shown?.id;
  shown = picture;
  if (another && !pinned) view.fit = true;
  if (another) {
    noteStep();
    describe(picture);
  }
  refresh();
  drawPanes();
  drawWords();
  drawStrip();
  keepFocus();
}

/** A focused button may have gone: the focus stays inside. */
function keepFocus() {
  if (!dialog.contains(document.activeElement) || document.activeElement === dialog) stage.focus();
}

// --- comparing ---

function toggleCompare() {
  if (!shown) return;
  if (pinned) {
    unpin();
    return show(shown);
  }
  refresh();
  pinned = shown;
  show(sequence[at + 1] ?? sequence[at - 1] ?? shown);
}

/** The second pane's picture is loaded already: its pane becomes the first, and shows the same place. */
function unpin() {
  view.zoom = scale(/** @type {Picture} */ (panes[1].picture));
  pinned = undefined;
  panes.reverse();
  stage.prepend(panes[0].element);
  clear(panes[1]);
}

/** @param {"side" | "slider"} to */
function setMode(to) {
  mode = to;
  drawWords();
  draw();
}

// --- where things are ---

/** CSS pixels per pixel of the first picture, and the point, from 0 to 1, in the middle of each pane. `pull` is a finger's, in px. */
const view = { zoom: 1, u: 0.5, v: 0.5, fit: true, pull: 0 };

/**
 * The point that one zooms at, and how far it is from the middle of its pane. It is kept from turn to turn of the wheel:
 * while a picture is smaller than its pane it is centred, and the point can't stay at the pointer yet.
 * @type {{ dx: number, dy: number, u: number, v: number, zoom: number } | undefined}
 */
let anchor;

const area = (/** @type {Picture} */ { w, h }) => w * h;
/** A pane's CSS pixels per pixel: both pictures get one area, whatever their sizes. @param {Picture} picture */
const scale = (picture, zoom = view.zoom) => zoom * Math.sqrt(area(first()) / area(picture));
const first = () => /** @type {Picture} */ (panes[0].picture);
const drawn = () => panes.flatMap(({ picture }) => (picture ? [picture] : []));
const space = () => ({ width: panes[0].element.clientWidth, height: panes[0].element.clientHeight });
const actualZoom = () => 1 / devicePixelRatio;

function fitZoom() {
  const { width, height } = space();
  const margin = narrow.matches ? 0 : 32;
  const fits = drawn().map((picture) => Math.min((width - margin) / picture.w, (height - margin) / picture.h) / scale(picture, 1));
  return Math.max(0.01, Math.min(PIXELS * actualZoom(), ...fits));
}

/** Whether there is more of a picture than fits in. */
function overflows() {
  const { width, height } = space();
  return drawn().some((picture) => picture.w * scale(picture) > width + 1 || picture.h * scale(picture) > height + 1);
}

/** Keep the pictures from being dragged away. */
function clampView() {
  const { width, height } = space();
  const clamp = (/** @type {number} */ place, /** @type {number[]} */ halves) => {
    const half = Math.min(0.5, ...halves);
    return Math.min(1 - half, Math.max(half, place));
  };
  view.u = clamp(view.u, drawn().map((picture) => width / 2 / (picture.w * scale(picture))));
  view.v = clamp(view.v, drawn().map((picture) => height / 2 / (picture.h * scale(picture))));
}

function draw() {
  if (!panes[0].picture) return;
  if (view.fit) Object.assign(view, { zoom: fitZoom(), u: 0.5, v: 0.5 });
  clampView();
  const { width, height } = space();
  for (const { picture, frame, sharp, element } of panes) {
    if (!picture) continue;
    const size = scale(picture);
    const pull = picture.id === shown?.id ? view.pull : 0;
    frame.style.width = `${picture.w * size}px`;
    frame.style.height = `${picture.h * size}px`;
    frame.style.left = `${onDevice(width / 2 - view.u * picture.w * size + pull)}px`;
    frame.style.top = `${onDevice(height / 2 - view.v * picture.h * size)}px`;
    element.classList.toggle("pixels", sharp && size * devicePixelRatio > PIXELS);
  }
  drawSplit();
  write(percent, `${Math.round(view.zoom * devicePixelRatio * 100)}\u00a0%`);
  stage.classList.toggle("zoomed", overflows());
}

/** On whole device pixels a picture at 1:1 is sharp. @param {number} place */
const onDevice = (place) => Math.round(place * devicePixelRatio) / devicePixelRatio;

function drawSplit() {
  panes[0].element.style.clipPath = "";
  panes[1].element.style.clipPath = mode === "slider" ? `inset(0 0 0 ${split.value}%)` : "";
}

/** Zoom, and keep what is at a place of a pane there. @param {number} wanted @param {{ x: number, y: number }} [place] */
function zoomTo(wanted, place) {
  const { width, height } = space();
  const fit = fitZoom();
  const zoom = Math.min(Math.max(CLOSEST * actualZoom(), fit), Math.max(Math.min(fit, actualZoom()), wanted));
  const [dx, dy] = place ? [place.x - width / 2, place.y - height / 2] : [0, 0];
  if (anchor?.dx !== dx || anchor.dy !== dy || anchor.zoom !== view.zoom) {
    anchor = { dx, dy, u: view.u + dx / (first().w * view.zoom), v: view.v + dy / (first().h * view.zoom), zoom };
  }
  view.u = anchor.u - dx / (first().w * zoom);
  view.v = anchor.v - dy / (first().h * zoom);
  view.zoom = anchor.zoom = zoom;
  view.fit = Math.abs(zoom / fit - 1) < 0.001;
  draw();
}

/** @param {number} dx @param {number} dy */
function pan(dx, dy) {
  anchor = undefined;
  view.u -= dx / (first().w * view.zoom);
  view.v -= dy / (first().h * view.zoom);
  draw();
}

const zoomBy = (/** @type {number} */ factor, /** @type {{ x: number, y: number }=} */ place) => zoomTo(view.zoom * factor, place);
const zoomActual = () => zoomTo(actualZoom());
function zoomFit() {
  view.fit = true;
  draw();
}

/** Between fitted and 1:1, or closer where that is hardly a difference. @param {{ x: number, y: number }} place */
function toggleZoom(place) {
  if (!view.fit) return zoomFit();
  zoomTo(actualZoom() > 1.2 * view.zoom ? actualZoom() : 2 * view.zoom, place);
}

/** A place of the window as one of the pane that it is in. @param {{ x: number, y: number }} place */
function inPane({ x, y }) {
  const boxes = drawn().map((_, index) => panes[index].element.getBoundingClientRect());
  const box = boxes.find(({ right, bottom }) => x <= right && y <= bottom) ?? boxes[0];
  return { x: x - box.left, y: y - box.top };
}

// --- the panes ---

function newPane() {
  const frame = h("div", { class: "frame", role: "img" });
  const label = h("span", { class: "label" });
  const broken = h("p", { class: "broken", hidden: true }, words.viewer_broken);
  /** @type {Picture | undefined} */
  const picture = undefined;
  return { element: h("div", { class: "pane" }, frame, label, broken), frame, label, broken, picture, sharp: false, loading: new Image() };
}

/** An image whose text stands elsewhere; it goes where it can't be loaded. @param {string | null} src @param {object} [more] */
const imageOf = (src, more) => h("img", { src, alt: "", draggable: "false", onerror: ({ target }) => target.remove(), ...more });

/** @param {ReturnType<newPane>} pane @param {Picture} picture @param {string} label */
function put(pane, picture, label) {
  write(pane.label, label);
  pane.label.hidden = !label;
  if (pane.picture?.id === picture.id) return;
  clear(pane);
  pane.picture = picture;
  pane.frame.setAttribute("aria-label", nameOf(picture));
  const preview = imageOf(small(picture), { decoding: "sync" });
  pane.frame.append(preview);
  load(pane, preview, large(picture));
}

/** @param {ReturnType<newPane>} pane @param {HTMLElement} preview @param {string} src */
async function load(pane, preview, src) {
  const image = imageOf(null, { decoding: "sync" });
  pane.loading = image;
  if (!neighbours.some((one) => one.src === src && one.complete)) await settled;
  if (pane.loading !== image) return;
  image.src = src;
  const decoded = await image.decode().then(() => true, () => false);
  if (pane.loading !== image) return;
  if (decoded) sharpen(pane, preview, image);
  else pane.broken.hidden = false;
}

/**
 * Lay the decoded picture over its preview, which goes once that was painted.
 * @param {ReturnType<newPane>} pane
 * @param {HTMLElement} preview
 * @param {HTMLElement} image
 */
function sharpen(pane, preview, image) {
  pane.frame.append(image);
  pane.sharp = true;
  draw();
  requestAnimationFrame(() => requestAnimationFrame(() => preview.remove()));
  if (pane.picture?.id === shown?.id) loadNeighbours();
}

/** @param {ReturnType<newPane>} pane */
function clear(pane) {
  pane.loading.removeAttribute("src"); // stops it
  pane.loading = new Image();
  pane.picture = undefined;
  pane.sharp = false;
  pane.broken.hidden = true;
  pane.frame.replaceChildren();
}

const neighbours = [new Image(), new Image()];
function loadNeighbours() {
  for (const [index, by] of [1, -1].entries()) {
    const picture = sequence[at + by];
    if (picture) neighbours[index].src = large(picture);
  }
}

function drawPanes() {
  const picture = /** @type {Picture} */ (shown);
  dialog.classList.toggle("comparing", Boolean(pinned));
  if (pinned) put(panes[0], pinned, words.viewer_pinned);
  if (pinned) put(panes[1], picture, picture.id === pinned.id ? words.viewer_pick : String(at + 1));
  else put(panes[0], picture, "");
  draw();
}

// --- bar, strip, and what is read out ---

/** @param {string} act @param {any} content @param {string} label @param {string} key @param {() => void} run @param {object} [more] */
const tool = (act, content, label, key, run, more = {}) =>
  button(act, content, run, { "aria-label": label, title: key ? `${label} (${key})` : label, ...more });

const count = h("span", { class: "count" });
const percent = h("span", { class: "percent" });
const compareTool = tool("compare", icon("compare"), words.viewer_compare, "C", toggleCompare);
const infoTool = tool("info", icon("info"), words.viewer_info, "I", toggleRecipe, { "aria-controls": "viewer-recipe" });
const modes = [
  button("side", words.viewer_side, () => setMode("side")),
  button("slider", words.viewer_slider, () => setMode("slider")),
];
compareTool.append(h("span", {}, words.viewer_compare));

const bar = h("div", { class: "bar" },
  h("div", { class: "start" }, count, compareTool, h("div", { class: "modes", role: "group", "aria-label": words.viewer_modes }, modes)),
  h("div", { class: "zoom", role: "group", "aria-label": words.viewer_zoom },
    tool("zoom-out", icon("minus"), words.viewer_zoom_out, "−", () => zoomBy(1 / STEP)),
    percent,
    tool("zoom-in", icon("plus"), words.viewer_zoom_in, "+", () => zoomBy(STEP)),
    tool("fit", words.viewer_fit, words.viewer_fit, "0", zoomFit),
    tool("actual", "1:1", words.viewer_actual, "1", zoomActual)),
  h("div", { class: "end" }, infoTool, tool("close", icon("close"), words.viewer_close, "Esc", () => leave())));

const heard = h("p", { class: "heard", role: "status" });
const strip = h("div", { class: "strip", role: "group", "aria-label": words.viewer_pictures });
/** @type {Map<string, HTMLElement>} */
const thumbs = new Map();

function drawWords() {
  const facts = { at: at + 1, count: sequence.length, prompt: shown && nameOf(shown) };
  write(count, `${facts.at} / ${facts.count}`);
  write(heard, say(pinned ? "viewer_compared" : "viewer_heard", facts));
  dialog.dataset.mode = mode;
  compareTool.setAttribute("aria-pressed", String(Boolean(pinned)));
  for (const one of modes) one.setAttribute("aria-pressed", String(one.dataset.act === mode));
  drawStar();
}

function drawStrip() {
  dialog.classList.toggle("alone", sequence.length < 2);
  const begin = Math.max(0, Math.min(at - AROUND, sequence.length - 2 * AROUND - 1));
  const near = sequence.slice(begin, begin + 2 * AROUND + 1);
  const ids = new Set(near.map(({ id }) => id));
  for (const [id, thumb] of thumbs) if (!ids.has(id)) { thumb.remove(); thumbs.delete(id); }
  near.forEach((picture, index) => {
    const thumb = thumbs.get(picture.id) ?? newThumb(picture);
    thumbs.set(picture.id, thumb);
    if (strip.children[index] !== thumb) strip.insertBefore(thumb, strip.children[index] ?? null);
    mark(thumb, picture.id === shown?.id);
  });
}

/** @param {HTMLElement} thumb @param {boolean} current */
function mark(thumb, current) {
  thumb.tabIndex = current ? 0 : -1; // one stop for Tab: the arrows go on from it
  if (!current) return thumb.removeAttribute("aria-current");
  thumb.setAttribute("aria-current", "true");
  strip.scrollLeft = thumb.offsetLeft - (strip.clientWidth - thumb.offsetWidth) / 2;
}

/** @param {Picture} picture */
function newThumb(picture) {
  const ratio = Math.min(2, Math.max(0.5, picture.w / picture.h));
  return thumbOf(picture, () => show(sequence.find(({ id }) => id === picture.id) ?? picture), { style: `aspect-ratio: ${ratio}` });
}

/** @param {Picture} picture @param {() => void} run @param {object} [more] */
function thumbOf(picture, run, more) {
  const label = say("open", { prompt: nameOf(picture) });
  return button("show", imageOf(small(picture), { loading: "lazy" }), run, { "data-id": picture.id, "aria-label": label, ...more });
}

// --- the recipe, and what can be done with a picture ---

const title = (/** @type {string} */ text) => h("h2", {}, text);
const prompt = h("p", { class: "prompt" });
const rewritten = h("p", { class: "prompt" });
const rewriting = h("div", { class: "rewriting" },
  title(words.viewer_rewritten), rewritten, button("take", words.viewer_take, () => take(), { class: "quiet" }));
const texts = h("div", { class: "texts" }, title(words.viewer_prompt), prompt, rewriting);
const downloadLink = h("a", { "data-act": "download" }, words.download);
const starTool = button("star", icon("star"), toggleStar);
starTool.append(words.star);
const settingsTool = button("settings", words.use_settings, () => use("settings", { seed: false }));
const seedTool = button("settings-seed", words.viewer_same_seed, () => use("settings", { seed: true }), { class: "quiet" });
const deleteTool = button("delete", words.delete, removeShown, { class: "quiet" });
const copyTool = button("copy-prompt", words.copy_prompt, () => withDetails((told) => copy(told.prompt, words.prompt_copied)));
const linkTool = button("copy-link", words.copy_link, () =>
  withDetails((told) => copy(location.origin + location.pathname + told.link, words.link_copied)));
const actions = h("div", { class: "actions" },
  button("edit", words.edit_this, () => use("edit"), { class: "first" }),
  button("fuse", words.fuse, () => fill({ act: "fuse", ids: [shown?.id] })), settingsTool,
  downloadLink, starTool, copyTool, linkTool);
const facts = h("dl");
const lineage = h("div", { class: "lineage" });
const recipe = h("section", { id: "viewer-recipe", class: "recipe", "aria-label": words.viewer_info },
  texts, actions, h("div", { class: "others" }, seedTool, deleteTool), facts, lineage, h("p", { class: "keys" }, words.viewer_keys));

/** @type {Map<string, Promise<Details>>} */
const known = new Map();
/** @param {Picture} picture @returns {Promise<Details>} */
function detailsOf({ id }) {
  const told = known.get(id) ?? ask(`board/picture?${new URLSearchParams({ id })}`);
  known.set(id, told);
  told.catch(() => known.delete(id)); // it is asked again next time
  return told;
}

/** Do something with the details of the picture that is shown now. @param {(told: Details) => void} then */
const withDetails = (then) => detailsOf(/** @type {Picture} */ (shown)).then(then, (error) => notice(error.message));

/** @param {Picture} picture */
async function describe(picture) {
  outline(picture);
  if (!known.has(picture.id)) await settled;
  if (picture.id === shown?.id) await tellOf(picture);
}

/** @param {Picture} picture */
async function tellOf(picture) {
  const told = await detailsOf(picture).catch((error) => error);
  if (picture.id !== shown?.id) return;
  recipe.removeAttribute("aria-busy");
  texts.style.minHeight = lineage.style.minHeight = "";
  if (told instanceof Error) facts.replaceChildren(...rows([[told.message, ""]]));
  else writeDetails(told);
}

/** What is known at once. What isn't keeps its place, so that no button moves away under the pointer. @param {Picture} picture */
function outline(picture) {
  texts.style.minHeight = `${texts.offsetHeight}px`;
  lineage.style.minHeight = `${lineage.offsetHeight}px`;
  writeTexts(nameOf(picture), "");
  downloadLink.href = original(picture);
  downloadLink.download = "";
  for (const one of [starTool, deleteTool, settingsTool, seedTool, linkTool]) one.hidden = isReference(picture);
  copyTool.hidden = !picture.prompt;
  recipe.setAttribute("aria-busy", "true");
  if (!facts.querySelector("dd")) facts.replaceChildren(...rows([["", ""], ["", ""], ["", ""], ["", ""], ["", ""]]));
  for (const value of facts.querySelectorAll("dd")) value.textContent = "\u00a0";
  lineage.replaceChildren();
}

/** @param {Details} told */
function writeDetails(told) {
  writeTexts(told.prompt || nameOf(told.picture), told.revised_prompt ?? "");
  downloadLink.download = told.name;
  for (const one of [settingsTool, seedTool]) one.classList.toggle("unseen", !told.usable);
  linkTool.classList.toggle("unseen", !told.link);
  copyTool.hidden = !told.prompt;
  if (!stars.has(told.picture.id)) stars.set(told.picture.id, isStarred(told.picture));
  drawStar();
  facts.replaceChildren(...rows(told.facts));
  drawLineage(told);
}

/** @param {string} text @param {string} revised */
function writeTexts(text, revised) {
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

const rows = (/** @type {[string, string][]} */ pairs) =>
  pairs.flatMap(([label, value]) => [h("dt", {}, label || "\u00a0"), h("dd", {}, String(value))]);

/** @param {Details} told */
function drawLineage({ picture, before, after }) {
  const row = (/** @type {string} */ label, /** @type {any[]} */ content) => [h("h2", {}, label), h("div", {}, content)];
  const steps = (/** @type {Picture[]} */ pictures) => pictures.map((one) => thumbOf(one, () => visit(one)));
  const current = h("img", { class: "current", src: small(picture), alt: nameOf(picture) });
  if (!before.length && !after.length) return lineage.replaceChildren();
  lineage.replaceChildren(
    ...(before.length ? row(words.viewer_before, steps(before)) : []), ...row(words.viewer_this, [current]),
    ...(after.length ? row(words.viewer_after, steps(after)) : []));
}

function drawStar() {
  if (shown) starTool.setAttribute("aria-pressed", String(isStarred(shown)));
}

function toggleRecipe() {
  const bare = dialog.classList.toggle("bare");
  if (!narrow.matches) recipeWanted = !bare;
  infoTool.setAttribute("aria-expanded", String(!bare));
}

/** Fill a form, which lies behind the viewer. @param {object} what */
function fill(what) {
  leave(false);
  page.fill(what);
}
/** @param {string} act @param {object} [more] */
const use = (act, more) => fill({ act, id: shown?.id, ...more });
const take = () => fill({ act: "prompt", text: rewritten.textContent });

/** @param {(picture: Picture) => Promise<void>} run what to do with the shown picture, once at a time, if it is one of ours */
async function once(run) {
  const picture = shown;
  if (!picture || isReference(picture) || busy.has(picture.id)) return;
  busy.add(picture.id);
  await run(picture);
  busy.delete(picture.id);
}
function toggleStar() {
  once((picture) => star([picture.id], !isStarred(picture)));
}
function removeShown() {
  once((picture) => {
    deletedHere = picture.id;
    return remove([picture.id]);
  });
}

// --- news ---

/** The list learns of it in the same moment, maybe after the viewer. @param {string} type @param {(detail: any) => void} then */
const hear = (type, then) =>
  news.addEventListener(type, (event) => queueMicrotask(() => shown && then(/** @type {CustomEvent} */ (event).detail)));

hear("came", () => redraw());
hear("gone", (/** @type {string[]} */ ids) => {
  const next = nextWithout(new Set(ids));
  sequence.forEach((picture, index) => ids.includes(picture.id) && keepPlace(picture, index));
  for (const id of ids) absent.add(id);
  if (!next) return leave();
  if (pinned && (ids.includes(pinned.id) || next.id === pinned.id)) unpin();
  redraw(next);
});
hear("back", (/** @type {string[]} */ ids) => {
  for (const id of ids) absent.delete(id);
  redraw(ids.includes(deletedHere) ? joined.get(deletedHere)?.picture : shown);
});
hear("starred", ({ ids, on }) => {
  for (const id of ids) stars.set(id, on);
  drawStar();
});

/** The shown one, or else the next, or else the one before; the pinned one only where no other is left. @param {Set<string>} going */
function nextWithout(going) {
  const order = [...sequence.slice(at), ...sequence.slice(0, at).reverse()].filter(({ id }) => !going.has(id));
  return order.find(({ id }) => id === shown?.id || id !== pinned?.id) ?? order[0];
}

/** What was made from what may have changed too. */
function redraw(picture = shown) {
  known.clear();
  const same = picture?.id === shown?.id;
  refresh();
  show(/** @type {Picture} */ (picture));
  if (same) tellOf(/** @type {Picture} */ (picture));
}

// --- hands ---

/** @type {Map<number, { x: number, y: number }>} */
const fingers = new Map();
/** What the fingers do from the first that comes down to the last that goes up. */
let gesture = { x: 0, y: 0, began: 0, several: false, moved: false };
let lastTap = { x: 0, y: 0, time: 0 };
const placeOf = (/** @type {MouseEvent} */ { clientX, clientY }) => ({ x: clientX, y: clientY });
const distance = (/** @type {{ x: number, y: number }} */ one, /** @type {{ x: number, y: number }} */ other) =>
  Math.hypot(one.x - other.x, one.y - other.y);

/** @param {PointerEvent} event */
function touch(event) {
  if (event.button || event.target === split || fingers.size === 2) return;
  if (!fingers.size) gesture = { ...placeOf(event), began: event.timeStamp, several: false, moved: false };
  fingers.set(event.pointerId, placeOf(event));
  gesture.several ||= fingers.size === 2;
  stage.setPointerCapture(event.pointerId);
}

/** @param {PointerEvent} event */
function drag(event) {
  const before = fingers.get(event.pointerId);
  if (!before) return;
  const now = placeOf(event);
  fingers.set(event.pointerId, now);
  gesture.moved ||= distance(now, gesture) > TREMBLE;
  const other = [...fingers].find(([id]) => id !== event.pointerId)?.[1];
  if (other) pinch(before, now, other);
  else if (overflows()) pan(now.x - before.x, now.y - before.y);
  else if (event.pointerType !== "mouse" && !gesture.several) pull(now.x - gesture.x);
}

/** @param {{ x: number, y: number }} before @param {{ x: number, y: number }} now @param {{ x: number, y: number }} other */
function pinch(before, now, other) {
  view.pull = 0;
  pan((now.x - before.x) / 2, (now.y - before.y) / 2);
  zoomBy(distance(now, other) / Math.max(1, distance(before, other)), inPane({ x: (now.x + other.x) / 2, y: (now.y + other.y) / 2 }));
}

/** The picture follows the finger, unwillingly where there is no other. @param {number} by */
function pull(by) {
  view.pull = sequence[at - Math.sign(by)] ? by : by / 4;
  draw();
}

/** @param {PointerEvent} event */
function letGo(event) {
  if (!fingers.delete(event.pointerId) || fingers.size) return;
  const by = view.pull;
  view.pull = 0;
  draw();
  if (event.type === "pointercancel" || gesture.several) return;
  const flicked = Math.abs(by) > SWIPE / 2 && event.timeStamp - gesture.began < 250;
  if (Math.abs(by) > SWIPE || flicked) step(-Math.sign(by));
  else if (!gesture.moved) tap(event);
}

/** @param {PointerEvent} event */
function tap(event) {
  const place = { ...placeOf(event), time: event.timeStamp };
  const double = place.time - lastTap.time < DOUBLE && distance(place, lastTap) < 4 * TREMBLE;
  lastTap = double ? { x: 0, y: 0, time: 0 } : place;
  if (double) toggleZoom(inPane(place));
}

/** @param {WheelEvent} event */
function wheel(event) {
  event.preventDefault();
  const lines = event.deltaMode ? 32 : 1;
  const delta = Math.max(-240, Math.min(240, event.deltaY * lines));
  zoomBy(Math.exp(-delta * (event.ctrlKey ? 0.01 : 0.0018)), inPane(placeOf(event))); // a trackpad's pinch comes as a wheel with Ctrl
}

/** @type {Record<string, () => void>} */
const KEYS = {
  ArrowLeft: () => step(-1), ArrowRight: () => step(1), Home: () => goToEnd(0), End: () => goToEnd(-1),
  0: zoomFit, 1: zoomActual, "+": () => zoomBy(STEP), "=": () => zoomBy(STEP), "-": () => zoomBy(1 / STEP),
};
/** These do nothing more while they are held down. @type {Record<string, () => void>} */
const ONCE = { c: toggleCompare, f: toggleStar, i: toggleRecipe, Delete: removeShown };

/** @param {KeyboardEvent} event */
function press(event) {
  if (!dialog.open) return;
  event.stopImmediatePropagation(); // the page's own keys rest
  if (event.isComposing || event.ctrlKey || event.metaKey || event.altKey || writes(event)) return;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (event.target === split && /^(Arrow|Home|End)/.test(key)) return;
  const run = KEYS[key] ?? ONCE[key];
  if (!run) return;
  event.preventDefault();
  if (KEYS[key] || !event.repeat) run();
}

// --- the dialog ---

const split = h("input", {
  class: "split", type: "range", min: 0, max: 100, value: 50, step: 0.5, "aria-label": words.viewer_split, oninput: drawSplit,
});
const panes = [newPane(), newPane()];
const stage = h("div", { class: "stage", tabindex: -1 }, panes[0].element, panes[1].element, split);
const dialog = h("dialog", { id: "viewer", "aria-label": words.viewer }, heard, bar, stage, recipe, strip);

stage.addEventListener("pointerdown", touch);
stage.addEventListener("pointermove", drag);
stage.addEventListener("pointerup", letGo);
stage.addEventListener("pointercancel", letGo);
stage.addEventListener("wheel", wheel, { passive: false });
// Not the dialog: where a focused button has gone, the keys come from the body.
addEventListener("keydown", press, true);
dialog.addEventListener("close", () => dialog.open || tidy(true));
new ResizeObserver(draw).observe(stage);
new ResizeObserver(markScrollable).observe(recipe);

/**
 * Open the viewer.
 * @param {object} what
 * @param {() => Picture[]} what.list what to go through, asked again whenever there is news
 * @param {string} what.start the id of the one to begin with
 * @param {HTMLElement} what.from what gets the focus back where the picture last looked at has no tile
 * @param {Picture} [what.pin] what to compare it with
 */
export function openViewer({ list, start, from, pin }) {
  const picture = list().find(({ id }) => id === start) ?? list()[0];
  if (!picture) return;
  opened = { list, from };
  for (const kept of [joined, absent, stars, known]) kept.clear();
  deletedHere = "";
  panes.forEach(clear);
  shown = undefined;
  pinned = pin;
  view.fit = true;
  dialog.classList.toggle("bare", narrow.matches || !recipeWanted);
  infoTool.setAttribute("aria-expanded", String(!dialog.classList.contains("bare")));
  if (!dialog.isConnected) document.body.append(dialog);
  holdPage();
  if (!dialog.open) dialog.showModal();
  stage.focus();
  moveNotices(dialog);
  show(picture);
  recipe.scrollTop = 0;
}

/** The page behind neither scrolls nor jumps: where there was a scrollbar, its place is kept. */
function holdPage() {
  const { documentElement } = document;
  documentElement.classList.toggle("scrollbar", innerWidth > documentElement.clientWidth);
  documentElement.classList.add("viewing");
}

/** @param {boolean} [back] whether the focus goes back */
function leave(back = true) {
  dialog.close();
  tidy(back);
}

/** @param {boolean} back */
function tidy(back) {
  const last = shown;
  if (!last) return;
  shown = pinned = undefined;
  panes.forEach(clear);
  strip.replaceChildren();
  thumbs.clear();
  fingers.clear();
  document.documentElement.classList.remove("viewing", "scrollbar");
  moveNotices(document.body);
  if (back) giveFocusBack(last);
}

/** To the tile of the picture last looked at, else to where it began. @param {Picture} last */
function giveFocusBack({ id }) {
  const tiles = [...document.querySelectorAll(`[data-picture="${CSS.escape(id)}"]`)];
  const tile = tiles.find((one) => !dialog.contains(one) && one.checkVisibility());
  for (const place of [tile, opened.from]) {
    for (const one of place ? [place, ...place.querySelectorAll("button, a[href]")] : []) {
      /** @type {HTMLElement} */ (one).focus();
      if (document.activeElement === one) return;
    }
  }
}
