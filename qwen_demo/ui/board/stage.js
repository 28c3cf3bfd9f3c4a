// The stage: one picture, or two at the same place and zoom.
import { button, h, inFeed, large, words, write } from "./shared.js";
import { labelOf, preview } from "./thumbs.js";

/** @typedef {import("./shared.js").Picture} Picture */
/** @typedef {ReturnType<typeof newPane>} Pane */
/** Of the window, in px. @typedef {{ x: number, y: number }} Place */

/** Device pixels per pixel: above it, pixels are shown as pixels. */
const PIXELS = 3;
const CLOSEST = 16;

/** There, a picture gets all the place that there is. */
export const narrow = matchMedia("(max-width: 900px)");
/** How large the picture is drawn. */
export const percent = h("span", { class: "percent" });
/** How two pictures are laid out. */
export const modes = h("div", { class: "modes", role: "group", "aria-label": words.viewer_modes },
  button("side", words.viewer_side, () => setMode("side")), button("slider", words.viewer_slider, () => setMode("slider")));
const split = h("input", {
  class: "split", type: "range", min: 0, max: 100, value: 50, step: 0.5, "aria-label": words.viewer_split,
  oninput: () => stage.style.setProperty("--split", `${split.value}%`),
  onpointerdown: (/** @type {Event} */ event) => event.stopPropagation(), // what is under it isn't dragged along
});
export const stage = h("div", { class: "stage", tabindex: -1 }, split);
/** None, one, or the pinned picture's and the one of the picture that is looked at. @type {Pane[]} */
const panes = [];
/** The next picture and the one before. @type {(Picture | undefined)[]} */
let beside = [];
/** They are loaded ahead. */
const ahead = [new Image(), new Image()];
/** CSS pixels per pixel of the first picture, and the point, from 0 to 1, in the middle of each pane. `pull` is a finger's, in px. */
const view = { zoom: 1, u: 0.5, v: 0.5, fit: true, pull: 0 };
/**
 * The point that one zooms at, and how far it is from the middle of its pane. It is kept from turn to turn of the wheel:
 * while a picture is smaller than its pane it is centred, and the point can't stay at the pointer yet.
 * @type {{ dx: number, dy: number, u: number, v: number, zoom: number } | undefined}
 */
let anchor;

setMode("side");
new ResizeObserver(draw).observe(stage);

export function setMode(/** @type {"side" | "slider"} */ mode) {
  stage.dataset.mode = mode;
  for (const one of modes.children) one.setAttribute("aria-pressed", String(one.dataset.act === mode));
  draw();
}

// --- the panes ---

/**
 * Put a picture on the stage, beside the pinned one, if there is one. What is there already stays as it is, at its place.
 * @param {object} scene
 * @param {Picture} scene.picture
 * @param {Picture} [scene.pinned]
 * @param {string[]} scene.labels what the panes are called, from the first on
 * @param {(Picture | undefined)[]} scene.neighbours the next one and the one before
 * @param {Promise<void>} [scene.settled] what isn't loaded yet waits for it
 */
export function present({ picture, pinned, labels, neighbours, settled }) {
  beside = neighbours;
  const left = new Set(panes);
  const next = (pinned ? [pinned, picture] : [picture]).map((wanted) => {
    const there = [...left].find((pane) => pane.picture.id === wanted.id);
    if (there) left.delete(there);
    return there ?? newPane(wanted);
  });
  const stays = next.find((pane) => panes.includes(pane));
  const began = next.filter((pane) => !panes.includes(pane));
  const size = stays ? scale(stays.picture) : 0;
  panes.splice(0, panes.length, ...next);
  drop([...left]);
  if (stays) view.zoom = size / scale(stays.picture, 1);
  else view.fit = true;
  panes.forEach((pane, index) => {
    if (stage.children[index] !== pane.element) stage.insertBefore(pane.element, stage.children[index]);
    write(pane.label, labels[index]);
  });
  for (const pane of began) load(pane, settled);
  draw();
}

function newPane(/** @type {Picture} */ picture) {
  const frame = h("div", { class: "frame", role: "img", "aria-label": labelOf(picture) }, preview(picture, { decoding: "sync" }));
  const label = h("span", { class: "label" });
  const image = h("img", { alt: "", draggable: "false", decoding: "sync" });
  return { picture, element: h("div", { class: "pane" }, frame, label), frame, label, image, sharp: false };
}

function drop(/** @type {Pane[]} */ gone) {
  for (const { element, image } of gone) {
    image.removeAttribute("src"); // stops it
    element.remove();
  }
}

/** @param {Pane} pane @param {Promise<void>} [settled] */
async function load(pane, settled) {
  const src = large(pane.picture);
  if (!ahead.some((one) => one.src === src && one.complete)) await settled;
  if (!panes.includes(pane)) return;
  pane.image.src = src;
  const decoded = await pane.image.decode().then(() => true, () => false);
  if (!panes.includes(pane)) return;
  if (decoded) sharpen(pane);
  else pane.element.append(h("p", { class: "broken" }, words.viewer_broken));
}

/** Lay the decoded picture over its preview, which goes once that was painted. */
function sharpen(/** @type {Pane} */ pane) {
  const under = pane.frame.firstChild;
  pane.frame.append(pane.image);
  pane.sharp = true;
  draw();
  requestAnimationFrame(() => requestAnimationFrame(() => under?.remove()));
  if (pane === panes.at(-1)) beside.forEach(loadAhead);
}

/** What is heavy isn't loaded before it is looked at. @param {Picture | undefined} picture @param {number} index */
function loadAhead(picture, index) {
  if (picture && large(picture) === inFeed(picture)) ahead[index].src = large(picture);
}

export function clearStage() {
  drop(panes.splice(0));
  view.pull = 0;
}

// --- where things are ---

const area = (/** @type {Picture} */ { w, h }) => w * h;
/** A pane's CSS pixels per pixel: both pictures get one area, whatever their sizes. */
const scale = (/** @type {Picture} */ picture, zoom = view.zoom) => zoom * Math.sqrt(area(panes[0].picture) / area(picture));
/** In CSS pixels, as all that follow. */
const sizeOf = (/** @type {Pane} */ { picture }, zoom = view.zoom) =>
  ({ w: picture.w * scale(picture, zoom), h: picture.h * scale(picture, zoom) });
const sizes = (zoom = view.zoom) => panes.map((pane) => sizeOf(pane, zoom));
const space = () => ({ width: panes[0].element.clientWidth, height: panes[0].element.clientHeight });
const actualZoom = () => 1 / devicePixelRatio;
/** On whole device pixels a picture at 1:1 is sharp. */
const onDevice = (/** @type {number} */ place) => Math.round(place * devicePixelRatio) / devicePixelRatio;

function fitZoom() {
  const { width, height } = space();
  const margin = narrow.matches ? 0 : 32;
  const fits = sizes(1).flatMap(({ w, h }) => [(width - margin) / w, (height - margin) / h]);
  return Math.max(0.01, Math.min(PIXELS * actualZoom(), ...fits));
}

/** Whether there is more of a picture than fits in. */
export function overflows() {
  const { width, height } = space();
  return sizes().some(({ w, h }) => w > width + 1 || h > height + 1);
}

/** A pane's middle, so that no picture is dragged away. @param {number} place @param {number} room @param {number[]} lengths */
function clamp(place, room, lengths) {
  const half = Math.min(0.5, ...lengths.map((length) => room / 2 / length));
  return Math.min(1 - half, Math.max(half, place));
}

function draw() {
  if (!panes.length) return;
  const { width, height } = space();
  if (view.fit) Object.assign(view, { zoom: fitZoom(), u: 0.5, v: 0.5 });
  view.u = clamp(view.u, width, sizes().map(({ w }) => w));
  view.v = clamp(view.v, height, sizes().map(({ h }) => h));
  for (const pane of panes) {
    const { w, h } = sizeOf(pane);
    const left = onDevice(width / 2 - view.u * w + (pane === panes.at(-1) ? view.pull : 0));
    const top = onDevice(height / 2 - view.v * h);
    Object.assign(pane.frame.style, { width: `${w}px`, height: `${h}px`, left: `${left}px`, top: `${top}px` });
    pane.element.classList.toggle("pixels", pane.sharp && scale(pane.picture) * devicePixelRatio > PIXELS);
  }
  write(percent, `${Math.round(view.zoom * devicePixelRatio * 100)}\u00a0%`);
  stage.classList.toggle("zoomed", overflows());
}

// --- moving it ---

/** Zoom, and keep what is at a place there. @param {number} wanted @param {Place} [place] */
function zoomTo(wanted, place) {
  const fit = fitZoom();
  const zoom = Math.min(Math.max(CLOSEST * actualZoom(), fit), Math.max(Math.min(fit, actualZoom()), wanted));
  const { dx, dy } = place ? fromMiddle(place) : { dx: 0, dy: 0 };
  const { w, h } = panes[0].picture;
  if (anchor?.dx !== dx || anchor.dy !== dy || anchor.zoom !== view.zoom) {
    anchor = { dx, dy, u: view.u + dx / (w * view.zoom), v: view.v + dy / (h * view.zoom), zoom };
  }
  anchor.zoom = zoom;
  Object.assign(view, { zoom, u: anchor.u - dx / (w * zoom), v: anchor.v - dy / (h * zoom), fit: Math.abs(zoom / fit - 1) < 0.001 });
  draw();
}

/** How far a place is from the middle of the pane that it is in. */
function fromMiddle(/** @type {Place} */ { x, y }) {
  const boxes = panes.map(({ element }) => element.getBoundingClientRect());
  const box = boxes.find(({ right, bottom }) => x <= right && y <= bottom) ?? boxes[0];
  return { dx: x - box.left - box.width / 2, dy: y - box.top - box.height / 2 };
}

/** @param {number} factor @param {Place} [place] */
export const zoomBy = (factor, place) => zoomTo(view.zoom * factor, place);
export const zoomActual = () => zoomTo(actualZoom());
export function zoomFit() {
  view.fit = true;
  draw();
}

/** Between fitted and 1:1, or closer where that is hardly a difference. */
export function toggleZoom(/** @type {Place} */ place) {
  if (view.fit) zoomTo(actualZoom() > 1.2 * view.zoom ? actualZoom() : 2 * view.zoom, place);
  else zoomFit();
}

/** @param {number} dx @param {number} dy */
export function pan(dx, dy) {
  const [{ w, h }] = sizes();
  anchor = undefined;
  view.u -= dx / w;
  view.v -= dy / h;
  draw();
}

/** The picture follows the finger, unwillingly where there is no other. */
export function pull(/** @type {number} */ dx) {
  view.pull = beside[dx < 0 ? 0 : 1] ? dx : dx / 4;
  draw();
}
