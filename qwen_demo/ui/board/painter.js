// "Change only a part": the switch in the form, what is painted over the photo, and how much of it the model sees.
import { button, h, icon, notice, say, words, write, writes } from "./shared.js";
import { INKS, newSurface } from "./surface.js";

/** @typedef {import("./surface.js").Stroke} Stroke */
/** @typedef {{ strokes: Stroke[], own: { words: string } }} Region `own` is the same over all its changes */

const NEW = () => [{ strokes: [], own: { words: "" } }];
/** What `painter.py` knows of a photo, before there is one. */
const NONE = { photo: "", original: "", address: false, size: [0, 0], of: "", box: null };
const STEP = 5; // of the brush, in thousandths of the longer side

/** @param {HTMLElement} element @param {import("./shared.js").Part} part */
export function mount(element, { trigger, props, watch }) {
  let value = { ...NONE, sees: "part", edge: 1 };
  let on = false;
  /** @type {Region[]} */
  let regions = NEW();
  let at = 0;
  /** @type {Region[][]} */
  let past = [];
  /** @type {Region[][]} */
  let future = [];
  /** The regions that are applied again, in JSON, until there is an answer. */
  let applied = "";

  const surface = newSurface({
    painted: (strokes) => change(regions.map((region, index) => (index === at ? { ...region, strokes } : region))),
    refused: () => notice(words.painter_full),
  });

  const tool = (/** @type {string} */ act, /** @type {any} */ drawn, /** @type {string} */ name, /** @type {() => void} */ does) =>
    button(act, icon(drawn), does, { title: name, "aria-label": name });
  const paint = tool("paint", "brush", words.painter_paint, () => hold(false));
  const eraser = tool("erase", "eraser", words.painter_erase, () => hold(true));
  const size = h("input", { type: "range", min: 5, max: 120, step: STEP, value: 30, "aria-label": words.painter_size, title: words.painter_size, oninput: () => resize(0) });
  const back = tool("undo", "undo", words.undo, undo);
  const forth = tool("redo", "redo", words.painter_redo, redo);
  const wipe = tool("wipe", "bin", words.painter_wipe, () => change(regions.map((region, index) => (index === at ? { ...region, strokes: [] } : region))));
  const larger = tool("enlarge", "larger", words.painter_larger, () => (dialog.open ? dialog.close() : enlarge()));

  const chips = h("div", { class: "regions", role: "group", "aria-label": words.painter_parts });
  const own = h("input", { type: "text", maxlength: props.longest, placeholder: words.painter_words, oninput: word });
  const remove = tool("remove-part", "close", words.painter_remove, () => change(regions.filter((_, index) => index !== at)));
  const wording = h("div", { class: "wording" }, own, remove);
  const unsent = h("p", { role: "status" });
  const work = h("div", { class: "work" },
    h("div", { class: "tools", role: "toolbar", "aria-label": words.painter }, paint, eraser, size, back, forth, wipe, larger),
    h("div", { class: "room" }, surface.element), chips, wording, unsent);
  work.addEventListener("keydown", press);
  const dialog = h("dialog", { class: "large", "aria-label": words.painter, onclose: () => settle(home) });
  const home = h("div", { class: "home" }, work);

  const sees = choice(words.painter_sees, [["part", words.painter_part], ["whole", words.painter_whole]], (chosen) => set({ sees: chosen }));
  const edge = choice(words.painter_edge, [["0", words.painter_hard], ["1", words.painter_soft], ["2", words.painter_softer]], (chosen) => set({ edge: Number(chosen) }));
  const told = h("p", { class: "told", role: "status" });
  const again = button("apply", words.painter_apply, apply);
  const costs = h("span", { role: "status" });
  const applying = h("div", { class: "applying" }, again, costs);
  const hint = h("p", { class: "hint", role: "status" });
  const open = h("div", { class: "open" }, home, sees.element, told, edge.element, applying);
  const box = h("input", { type: "checkbox", role: "switch", onchange: () => turn(box.checked) });
  element.replaceChildren(h("label", { class: "switch" }, box, h("span", {}, words.painter)), hint, open, dialog);

  const painted = () => on && regions.some(({ strokes }) => strokes.length);
  const erases = () => eraser.ariaPressed === "true";

  /** @param {string} name @param {[string, string][]} options @param {(chosen: string) => void} choose */
  function choice(name, options, choose) {
    const group = `painter-${options[0][0]}`;
    const inputs = options.map(([key]) => h("input", { type: "radio", name: group, value: key, onchange: () => choose(key) }));
    const notes = options.map(() => h("small"));
    const labels = options.map(([, text], index) => h("label", {}, inputs[index], h("span", {}, text), notes[index]));
    return {
      element: h("fieldset", { class: "choice" }, h("legend", {}, name), h("div", {}, labels)),
      /** @param {string} chosen @param {string[]} [said] a word with each */
      show(chosen, said = []) {
        inputs.forEach((input, index) => {
          input.checked = options[index][0] === chosen;
          write(notes[index], said[index] ?? "");
        });
      },
    };
  }

  function press(/** @type {KeyboardEvent} */ event) {
    if (writes(event)) return;
    const key = (event.ctrlKey || event.metaKey ? "Ctrl+" : "") + (event.shiftKey ? "Shift+" : "") + event.key.toLowerCase();
    const does = { "[": () => resize(-STEP), "]": () => resize(STEP), e: () => hold(!erases()), "Ctrl+z": undo, "Ctrl+Shift+z": redo, "Ctrl+y": redo }[key];
    if (!does) return;
    event.preventDefault();
    does();
  }
  function hold(/** @type {boolean} */ erasing) {
    surface.take({ erases: Number(erasing) });
    [paint.ariaPressed, eraser.ariaPressed] = [String(!erasing), String(erasing)];
  }
  function resize(/** @type {number} */ by) {
    size.valueAsNumber += by;
    surface.take({ radius: size.valueAsNumber });
  }
  function turn(/** @type {boolean} */ whether) {
    on = whether;
    tell();
  }
  function set(/** @type {object} */ more) {
    value = { ...value, ...more };
    tell();
  }
  function apply() {
    applied = JSON.stringify(asked());
    trigger("apply");
    draw();
  }
  function word() {
    regions[at].own.words = own.value;
    tell();
  }
  /** @param {Region[]} next */
  function change(next) {
    past.push(regions);
    future = [];
    go(next);
  }
  /** @param {Region[]} next */
  function go(next) {
    at = Math.min(next.length > regions.length ? next.length - 1 : at, next.length - 1);
    regions = next;
    tell();
  }
  function undo() {
    if (!past.length) return;
    future.push(regions);
    go(/** @type {Region[]} */ (past.pop()));
  }
  function redo() {
    if (!future.length) return;
    past.push(regions);
    go(/** @type {Region[]} */ (future.pop()));
  }

  function enlarge() {
    dialog.showModal();
    settle(dialog);
  }
  function settle(/** @type {HTMLElement} */ place) {
    place.append(work);
    const name = dialog.open ? words.painter_smaller : words.painter_larger;
    larger.replaceChildren(icon(dialog.open ? "smaller" : "larger"));
    [larger.title, larger.ariaLabel] = [name, name];
    surface.element.focus({ preventScroll: true });
  }

  /** The regions, as Python reads them. */
  const asked = () => (on ? regions.map(({ strokes, own }) => ({ strokes, words: own.words })) : []);

  /** Write down what is painted, where Python reads it, and show it. */
  function tell() {
    props.value = { ...value, regions: asked() };
    trigger("input");
    draw();
  }

  function draw() {
    box.checked = on;
    element.classList.toggle("on", on && Boolean(value.photo));
    element.classList.toggle("painted", painted() && Boolean(value.photo));
    hint.hidden = !on || Boolean(value.photo);
    write(hint, value.address ? words.painter_address : words.painter_empty);
    open.hidden = !on || !value.photo;
    if (open.hidden) return void dialog.close();
    surface.paint(regions.map(({ strokes }) => strokes), at);
    back.disabled = !past.length;
    forth.disabled = !future.length;
    wipe.disabled = !regions[at].strokes.length;
    drawRegions();
    drawTold();
    applying.hidden = !value.of;
    again.disabled = !painted() || Boolean(applied);
    write(costs, applied ? words.painter_applying : words.painter_free);
    edge.show(String(value.edge));
  }

  function drawRegions() {
    const several = regions.length > 1;
    const more = !value.of && regions.every(({ strokes }) => strokes.length) && regions.length < INKS.length;
    const focused = chips.contains(document.activeElement) ? [...chips.children].indexOf(/** @type {Element} */ (document.activeElement)) : -1;
    chips.replaceChildren(
      ...(several ? regions.map(({ strokes }, index) => button("part", String(index + 1), () => { at = index; draw(); }, {
        style: `--ink: ${INKS[index]}`, class: !strokes.length && "bare", "aria-pressed": String(index === at),
        "aria-label": say(strokes.length ? "painter_part_number" : "painter_part_bare", { number: index + 1 }),
      })) : []),
      ...(more ? [button("add-part", [icon("plus"), several ? "" : words.painter_add], () => change([...regions, ...NEW()]), { "aria-label": words.painter_add })] : []),
    );
    /** @type {HTMLElement | undefined} */ (chips.children[focused])?.focus();
    chips.hidden = !chips.childElementCount;
    wording.hidden = !several && !regions[at].own.words && document.activeElement !== own;
    remove.hidden = !several;
    const calls = regions.filter(({ strokes }) => strokes.length);
    write(unsent, calls.length && calls.every(({ own }) => /\S/.test(own.words)) ? words.painter_unsent : "");
    own.ariaLabel = say("painter_part_words", { number: at + 1 });
    if (own.value !== regions[at].own.words) own.value = regions[at].own.words;
    wording.style.setProperty("--ink", INKS[at]);
  }

  function drawTold() {
    const known = painted() ? (props.told ?? {}) : {};
    const shares = ["part", "whole"].map((kind) => known[kind]);
    sees.show(value.sees, shares.map((share) => (share ? say("painter_sharp", { percent: percent(share) }) : "")));
    sees.element.hidden = Boolean(value.of); // what the model has seen, it has
    if (value.of) return write(told, words.painter_frame);
    const [width, height] = value.size, share = known[value.sees];
    const facts = { width, height, percent: percent(share) };
    if (!share) return write(told, say("painter_begin", facts));
    const drawn = say(share < 0.995 ? "painter_drawn" : "painter_drawn_sharp", facts);
    const kept = known.all ? "" : say("painter_kept", facts);
    write(told, drawn + kept + (known.apart && value.sees === "part" ? words.painter_apart : ""));
  }
  const percent = (/** @type {number} */ share) => Math.round(share * 100);

  /** A photo from Python, with its paint or without: then what is here stays with the photo that it was painted on, or for. */
  function take() {
    const { regions: given, ...came } = props.value ?? {};
    const same = given?.length && [applied, JSON.stringify(asked())].includes(JSON.stringify(given));
    const stays = same || (!given && came.photo && (!value.photo || (came.original && came.original === value.original)));
    if (!stays) {
      regions = given?.length ? given.map((/** @type {any} */ one) => ({ strokes: one.strokes, own: { words: one.words ?? "" } })) : NEW();
      [at, past, future] = [0, [], []];
    }
    if (given) on = given.length > 0;
    const adjusts = came.of && !applied;
    applied = "";
    value = { ...value, ...NONE, ...came };
    if (value.photo) surface.load(new URL(value.photo, document.baseURI).href, value.size, value.box);
    tell();
    if (adjusts) requestAnimationFrame(() => surface.element.scrollIntoView({ block: "nearest" })); // the form is shown from its top on first
  }

  watch("value", take); // only what Python sets comes here
  watch("told", draw);
  hold(false);
  if (props.value?.photo || props.value?.regions) take();
  else draw();
}
