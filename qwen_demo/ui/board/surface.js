// Where a photo is painted on: hands and keys become strokes, and strokes become paint.
import { h, words } from "./shared.js";

/**
 * Its radius, whether it takes paint away (1) or not (0), then x and y of each point: lengths in thousandths of the
 * photo's longer side.
 * @typedef {number[]} Stroke
 */

/** In px, of the longer side that is drawn on: phones cap the memory of canvases. */
const SIDE = 1600;
/** Of a region: as `strokes.py` takes them. */
const MAX_STROKES = 500, MAX_POINTS = 5000;
export const INKS = ["#7c3aed", "#e11d48", "#0369a1", "#15803d"];

const round = (/** @type {number} */ value) => Math.round(value * 10) / 10;

/** The points of a line without those it does without: none is further from what remains than that. @param {number[]} points @param {number} tolerance @returns {number[]} */
export function thinned(points, tolerance) {
  const [x, y] = points, [endX, endY] = points.slice(-2);
  const length = Math.hypot(endX - x, endY - y);
  let furthest = 0, off = tolerance;
  for (let i = 2; i < points.length - 2; i += 2) {
    const [dx, dy] = [points[i] - x, points[i + 1] - y];
    const along = length && Math.min(1, Math.max(0, (dx * (endX - x) + dy * (endY - y)) / length ** 2));
    const distance = Math.hypot(dx - along * (endX - x), dy - along * (endY - y));
    if (distance > off) [furthest, off] = [i, distance];
  }
  if (!furthest) return points.length > 2 ? [x, y, endX, endY] : points;
  return [...thinned(points.slice(0, furthest + 2), tolerance).slice(0, -2), ...thinned(points.slice(furthest), tolerance)];
}

/** Whether a region can take no more. @param {Stroke[]} strokes */
const full = (strokes) => strokes.length > MAX_STROKES || strokes.reduce((sum, { length }) => sum + length - 2, 0) > 2 * MAX_POINTS;

/**
 * @param {object} told
 * @param {(strokes: Stroke[]) => void} told.painted takes what the region at hand has from now on
 * @param {() => void} told.refused that would be too much
 */
export function newSurface({ painted, refused }) {
  const photo = h("img", { alt: "", draggable: "false" });
  const frame = h("i", { class: "frame", hidden: true });
  const ring = h("i", { class: "ring" });
  const element = h("div", { class: "surface", role: "application", tabindex: "0", "aria-label": words.painter_surface, "aria-roledescription": words.painter_canvas }, photo, frame, ring);
  /** A canvas for each region, and the strokes that are on it. @type {{ canvas: HTMLCanvasElement, strokes: Stroke[] }[]} */
  let layers = [];
  let at = 0, sides = [1, 1], place = [500, 500];
  /** @type {Stroke | null} */
  let stroke = null;
  const brush = { radius: 30, erases: 0 };

  const long = () => Math.max(...sides);
  const limits = () => sides.map((side) => (1000 * side) / long());

  /** @param {CanvasRenderingContext2D} g @param {Stroke} stroke @param {number} [from] the point to begin at */
  function trace(g, [radius, erases, ...points], from = 0) {
    const unit = SIDE / 1000;
    g.globalCompositeOperation = erases ? "destination-out" : "source-over";
    g.lineWidth = 2 * radius * unit;
    g.beginPath();
    g.moveTo(points[from] * unit + 0.01, points[from + 1] * unit); // of a line without length not even the ends are drawn
    for (let i = from; i < points.length; i += 2) g.lineTo(points[i] * unit, points[i + 1] * unit);
    g.stroke();
  }

  function pen(/** @type {number} */ index) {
    const g = /** @type {CanvasRenderingContext2D} */ (layers[index].canvas.getContext("2d"));
    return Object.assign(g, { lineCap: "round", lineJoin: "round", strokeStyle: INKS[index] });
  }

  function redraw(/** @type {number} */ index) {
    const g = pen(index);
    g.clearRect(0, 0, g.canvas.width, g.canvas.height);
    for (const one of layers[index].strokes) trace(g, one);
  }

  function newCanvas() {
    const [width, height] = sides.map((side) => Math.max(1, Math.round((SIDE * side) / long())));
    const canvas = h("canvas", { width, height, "aria-hidden": "true" });
    frame.before(canvas);
    return canvas;
  }

  function moveRing(/** @type {number} */ x, /** @type {number} */ y) {
    place = [x, y];
    const [width, height] = limits();
    Object.assign(ring.style, { left: `${(100 * x) / width}%`, top: `${(100 * y) / height}%`, width: `${(200 * brush.radius) / width}%` });
  }

  /** @param {PointerEvent} event */
  function pointOf(event) {
    const box = element.getBoundingClientRect();
    const scale = 1000 / Math.max(box.width, box.height);
    return [event.clientX - box.left, event.clientY - box.top].map((value) => Math.min(1200, Math.max(-200, value * scale)));
  }

  function begin(/** @type {number[]} */ [x, y]) {
    stroke = [brush.radius, brush.erases, x, y];
    trace(pen(at), stroke);
  }

  function drop() {
    if (!stroke) return;
    stroke = null;
    redraw(at);
  }

  function end() {
    if (!stroke) return;
    const [radius, erases, ...points] = stroke;
    const strokes = [...layers[at].strokes, [radius, erases, ...thinned(points, Math.max(0.5, radius / 12)).map(round)]];
    drop();
    if (full(strokes)) refused();
    else painted(strokes);
  }

  element.addEventListener("pointerdown", (/** @type {PointerEvent} */ event) => {
    if (!event.isPrimary) return drop(); // a second finger: the page is zoomed
    if (event.button) return;
    element.setPointerCapture(event.pointerId);
    moveRing(...pointOf(event));
    begin(pointOf(event));
  });
  element.addEventListener("pointermove", (/** @type {PointerEvent} */ event) => {
    if (!event.isPrimary) return;
    moveRing(...pointOf(event));
    if (!stroke) return;
    const from = stroke.length - 4;
    for (const one of event.getCoalescedEvents?.() ?? [event]) {
      const [x, y] = pointOf(one);
      if (Math.hypot(x - stroke.at(-2), y - stroke.at(-1)) >= 1) stroke.push(x, y);
    }
    trace(pen(at), stroke, from);
  });
  element.addEventListener("pointerup", (/** @type {PointerEvent} */ event) => event.isPrimary && end());
  element.addEventListener("pointercancel", drop);
  element.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (step && !event.ctrlKey && !event.metaKey) moveRing(...place.map((value, axis) => Math.min(limits()[axis], Math.max(0, value + (step[axis] * brush.radius) / 2))));
    else if (event.key === " ") {
      begin(place);
      end();
    } else return;
    event.preventDefault();
  });

  return {
    element,
    /** What the brush does from now on. @param {{ radius?: number, erases?: number }} how */
    take(how) {
      Object.assign(brush, how);
      element.classList.toggle("erases", Boolean(brush.erases));
      moveRing(...place);
    },
    /** Another photo, with nothing on it. @param {string} address @param {number[]} size its width and height @param {number[] | null} box the part of it that counts */
    load(address, size, box) {
      stroke = null;
      for (const { canvas } of layers) canvas.remove();
      [layers, sides] = [[], size];
      element.style.setProperty("--ratio", String(size[0] / size[1]));
      if (photo.src !== address) photo.src = address;
      frame.hidden = !box;
      if (box) {
        const [left, top, right, bottom] = box.map((value, side) => (100 * value) / limits()[side % 2]);
        Object.assign(frame.style, { left: `${left}%`, top: `${top}%`, width: `${right - left}%`, height: `${bottom - top}%` });
      }
      moveRing(...limits().map((side) => side / 2));
    },
    /** Show the regions' strokes, and paint on the one at hand. @param {Stroke[][]} regions @param {number} hand */
    paint(regions, hand) {
      drop();
      at = hand;
      for (const { canvas } of layers.splice(regions.length)) canvas.remove();
      regions.forEach((strokes, index) => {
        if (layers[index]?.strokes === strokes) return;
        layers[index] = { canvas: layers[index]?.canvas ?? newCanvas(), strokes };
        redraw(index);
      });
    },
  };
}
