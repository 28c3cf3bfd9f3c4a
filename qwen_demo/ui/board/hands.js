// Hands on the stage: wheel, drag, pinch, swipe and double tap.
import { overflows, pan, pull, stage, toggleZoom, zoomBy } from "./stage.js";

/** @typedef {import("./stage.js").Place} Place */

/** In px: less is a tap that trembled, more is a swipe, and half of it is if it is quick. */
const TREMBLE = 8, SWIPE = 56;
/** In ms: the longest double tap, and the longest quick swipe. */
const DOUBLE = 350, FLICK = 250;

const placeOf = (/** @type {MouseEvent} */ { clientX, clientY }) => ({ x: clientX, y: clientY });
const distance = (/** @type {Place} */ one, /** @type {Place} */ other) => Math.hypot(one.x - other.x, one.y - other.y);

/** @param {(by: number) => void} step what a swipe does @returns {() => void} forgets the fingers, as when the stage is hidden */
export function followHands(step) {
  /** @type {Map<number, Place>} */
  const fingers = new Map();
  /** What they do from the first that comes down to the last that goes up. */
  let gesture = { x: 0, y: 0, began: 0, several: false, moved: false, pulled: 0 };
  let lastTap = { x: 0, y: 0, time: 0 };

  function touch(/** @type {PointerEvent} */ event) {
    if (event.button || fingers.size === 2) return;
    if (!fingers.size) gesture = { ...placeOf(event), began: event.timeStamp, several: false, moved: false, pulled: 0 };
    fingers.set(event.pointerId, placeOf(event));
    gesture.several ||= fingers.size === 2;
    stage.setPointerCapture(event.pointerId);
  }

  function drag(/** @type {PointerEvent} */ event) {
    const before = fingers.get(event.pointerId);
    if (!before) return;
    const now = placeOf(event);
    fingers.set(event.pointerId, now);
    gesture.moved ||= distance(now, gesture) > TREMBLE;
    const other = [...fingers].find(([id]) => id !== event.pointerId)?.[1];
    if (other) pinch(before, now, other);
    else if (overflows()) pan(now.x - before.x, now.y - before.y);
    else if (event.pointerType !== "mouse" && !gesture.several) pull((gesture.pulled = now.x - gesture.x));
  }

  function pinch(/** @type {Place} */ before, /** @type {Place} */ now, /** @type {Place} */ other) {
    pull(0);
    pan((now.x - before.x) / 2, (now.y - before.y) / 2);
    zoomBy(distance(now, other) / Math.max(1, distance(before, other)), { x: (now.x + other.x) / 2, y: (now.y + other.y) / 2 });
  }

  function letGo(/** @type {PointerEvent} */ event) {
    if (!fingers.delete(event.pointerId) || fingers.size) return;
    const { pulled, began, several, moved } = gesture;
    pull(0);
    if (event.type === "pointercancel" || several) return;
    if (Math.abs(pulled) > (event.timeStamp - began < FLICK ? SWIPE / 2 : SWIPE)) step(-Math.sign(pulled));
    else if (!moved) tap(event);
  }

  function tap(/** @type {PointerEvent} */ event) {
    const place = { ...placeOf(event), time: event.timeStamp };
    const double = place.time - lastTap.time < DOUBLE && distance(place, lastTap) < 4 * TREMBLE;
    lastTap = double ? { x: 0, y: 0, time: 0 } : place;
    if (double) toggleZoom(place);
  }

  function wheel(/** @type {WheelEvent} */ event) {
    event.preventDefault();
    const delta = Math.max(-240, Math.min(240, event.deltaY * (event.deltaMode ? 32 : 1))); // some browsers count lines
    zoomBy(Math.exp(-delta * (event.ctrlKey ? 0.01 : 0.0018)), placeOf(event)); // a trackpad's pinch comes as a wheel with Ctrl
  }

  for (const [type, run] of Object.entries({ pointerdown: touch, pointermove: drag, pointerup: letGo, pointercancel: letGo, wheel })) {
    stage.addEventListener(type, /** @type {EventListener} */ (run), { passive: false });
  }
  return () => fingers.clear();
}
