// The library: every kept picture of this visitor, in rows of their true shapes, by day. Only what is near the window is in the page.
import { dayOf, layOut, lineBelow, nameOf } from "./rows.js";
import { addressed, ask, button, h, icon, language, news, page, remove, say, small, star, words, write, writes, zip } from "./shared.js";
import { openViewer } from "./viewer.js";

/** @typedef {import("./shared.js").Picture} Picture */
/** @typedef {import("./shared.js").Part} Part */
/** @typedef {import("./rows.js").Line} Line */
/** @typedef {import("./rows.js").Layout} Layout */
/**
 * What is looked at: a picture of a list, and how far below the window's top it stands.
 * @typedef {{ list: Picture[], index: number, offset: number }} Held
 */

/** Drawn first, while the whole list is still on its way. */
const FIRST = 200;
/** Asked for when new ones came: more never come at once. */
const NEWEST = 50;
/** In px */
const EDGE = 12;
/** In ms */
const TYPING = 200, PRESS = 500, REST = 120, LABEL = 800;
/** Who crosses the window within so many ms reads days, not pictures. */
const FAST = 150;

const px = (/** @type {number} */ length) => `${length}px`;
const count = (/** @type {number} */ number) => new Intl.NumberFormat(language).format(number);
/** @param {any[]} row as the index has it @returns {Picture} */
const read = ([id, w, h, starred, prompt, token]) => ({ id, w, h, starred: Boolean(starred), prompt, token });

const blank = h("div", { class: "tile" },
  h("button", { type: "button", class: "open", "data-act": "open" }, h("img", { alt: "", decoding: "async", draggable: "false" })),
  h("button", { type: "button", class: "tick", "data-act": "select", role: "checkbox" }, icon("check")),
  h("span", { class: "star", role: "img", "aria-label": words.library_starred }, icon("star")));

/** @param {Picture} picture */
function tileOf({ id, prompt }) {
  const tile = blank.cloneNode(true);
  const [open, tick] = tile.children;
  open.dataset.picture = id;
  open.setAttribute("aria-label", say("open", { prompt }));
  tick.setAttribute("aria-label", say("library_select", { prompt }));
  return tile;
}

/** The id of the picture whose tile holds an element. @param {any} element @returns {string | undefined} */
const idAt = (element) => element.closest(".tile")?.firstElementChild.dataset.picture;

/** @param {HTMLElement} element @param {Part} part */
export function mount(element, { props }) {
  const filter = { q: "", kind: "", model: "", starred: "" };
  /** All that is known, newest first. Those `away` are deleted and keep their place, as they may come back. @type {Picture[]} */
  let known = [];
  const away = new Set();
  /** @type {Picture[]} */
  let shown = [];
  /** @type {Map<string, number>} */
  let indexes = new Map();
  /** @type {Layout} */
  let layout = { lines: [], places: [], height: 0 };
  /** In the order in which they were chosen. @type {Set<string>} */
  const chosen = new Set();
  /** Where a range begins. @type {string | undefined} */
  let begin;
  /** The tile that has, or had, the focus: it stays in the page. @type {string | undefined} */
  let current;
  /** The elements in the page, by a picture's id or a day. @type {Map<string, any>} */
  const drawn = new Map();

  // What is always there

  const sum = h("span", { class: "sum", role: "status" });
  const bar = h("div", { class: "bar", role: "search", "aria-label": words.library_search }, searchField(),
    choice("kind", words.library_kinds, ["text_to_image", "edit", "fusion"].map((kind) => [kind, words[`kind_${kind}`]])),
    choice("model", words.library_models, props.models.map((/** @type {string} */ model) => [model, model])),
    button("starred", [icon("star"), words.library_starred], toggleStarred, { "aria-pressed": "false" }),
    h("span", { class: "facts" }, sum,
      h("a", { href: addressed("board/usage.csv"), download: true, "data-act": "csv" }, words.library_csv)));
  const many = h("span", { role: "status" });
  const toStar = button("star", words.star, () => star([...chosen], !allStarred()));
  const toCompare = button("compare", words.library_compare, compare);
  const toFuse = button("fuse", words.fuse, () => page.fill({ act: "fuse", ids: [...chosen] }));
  const tools = h("div", { class: "tools", role: "toolbar", "aria-label": words.library_selection, hidden: true }, many,
    h("span", {}, button("zip", words.library_zip, () => zip({ ids: [...chosen] })), toCompare, toFuse, toStar,
      button("delete", words.delete, removeChosen)),
    button("clear", icon("close"), () => choose([]), { "aria-label": words.library_clear, title: words.library_clear }));
  const rows = h("div", { class: "rows" });
  const told = h("div", { class: "told" });
  const label = h("div", { class: "label", "aria-hidden": "true", hidden: true });
  const root = h("div", { class: "library" }, bar, tools, rows, told, label);
  element.replaceChildren(root);

  function searchField() {
    let typing = 0;
    const field = h("input", {
      type: "search", "data-act": "search", placeholder: words.library_hint, title: words.library_help,
      "aria-label": words.library_search, autocomplete: "off", spellcheck: "false",
    });
    field.addEventListener("input", () => {
      clearTimeout(typing);
      typing = setTimeout(() => narrowTo({ q: field.value.trim() }), TYPING);
    });
    return field;
  }
  /** @param {"kind" | "model"} name @param {string} all @param {string[][]} choices */
  function choice(name, all, choices) {
    const onchange = (/** @type {any} */ { target }) => narrowTo({ [name]: target.value });
    const options = [["", all], ...choices].map(([value, text]) => h("option", { value }, text));
    return h("select", { "data-act": name, "aria-label": all, onchange }, options);
  }
  function toggleStarred(/** @type {any} */ { currentTarget }) {
    const on = !filter.starred;
    currentTarget.setAttribute("aria-pressed", String(on));
    narrowTo({ starred: on ? "1" : "" });
  }

  // What is asked for

  /** Which list is asked for, and which one is there. */
  let turn = 0, taken = 0;
  let total = 0, loading = false, missed = false, failed = false;
  /** @param {number} [limit] */
  function address(limit) {
    const asked = Object.entries({ ...filter, limit: String(limit ?? "") }).filter(([, value]) => value);
    return `board/library?${new URLSearchParams(asked)}`;
  }

  /** @param {Partial<typeof filter>} change */
  function narrowTo(change) {
    if (Object.entries(change).every(([name, value]) => filter[/** @type {keyof typeof filter} */ (name)] === value)) return;
    Object.assign(filter, change);
    current = begin = undefined;
    choose([]);
    load(true);
  }
  /** Ask for all: of a filter that is new, its beginning first, else quietly for what has changed meanwhile. @param {boolean} fresh */
  async function load(fresh) {
    const mine = ++turn;
    [loading, missed] = [true, false];
    try {
      if (!fresh || (await take(mine, FIRST))) await take(mine);
      if (mine !== turn) return;
      failed = loading = false;
      tellState();
      if (missed) merge();
    } catch (error) {
      if (mine === turn) fail(fresh, /** @type {Error} */ (error));
    }
  }
  /** @param {number} mine its turn @param {number} [limit] @returns {Promise<boolean>} whether there are more */
  async function take(mine, limit) {
    const answer = await ask(address(limit));
    if (mine !== turn) return false; // asked anew meanwhile
    taken = mine;
    known = answer.pictures.map(read);
    total = answer.total;
    show(limit ? null : hold());
    if (limit) toBeginning();
    return known.length < total;
  }
  /** Put what came before what is known. */
  async function merge() {
    if (loading) return void (missed = true); // the list that is under way may be older
    const mine = turn;
    const answer = await ask(address(NEWEST)).catch(() => null); // they come with the next list
    if (!answer || mine !== turn) return;
    const old = new Set(known.map(({ id }) => id));
    const added = answer.pictures.map(read).filter((/** @type {Picture} */ { id }) => !old.has(id));
    if (!added.length) return;
    known = [...added, ...known].sort((one, other) => dayOf(other).localeCompare(dayOf(one)));
    show();
  }
  /** @param {boolean} fresh @param {Error} error */
  function fail(fresh, { message }) {
    loading = false;
    if (!fresh && shown.length) return; // what is there is good, and is asked for again
    failed = true;
    if (fresh && taken !== turn) {
      known = []; // they are not what was asked for
      show(null);
      write(sum, "");
    }
    told.replaceChildren(h("p", { role: "alert" }, message), button("retry", words.library_retry, () => load(fresh)));
  }
  function tellState() {
    if (failed) return;
    const none = Object.values(filter).some(Boolean) ? words.library_none : words.library_empty;
    write(told, loading || shown.length ? "" : none);
    const all = loading ? total : shown.length;
    write(sum, all === 1 ? words.library_one : say("library_sum", { count: count(all) }));
  }

  // What is drawn

  /** Whether its tab is open, since when its size is known. */
  let opened = false;
  let wide = 0;
  /** Where one was, also while the tab is not open. @type {Held | null} */
  let kept = null;
  const seen = () => opened && root.checkVisibility();
  /** Pictures are seen from below the bar down to the tools. */
  const edge = () => Math.max(0, bar.getBoundingClientRect().bottom);
  const floor = () => (tools.hidden ? innerHeight : tools.getBoundingClientRect().top) - EDGE;
  const topOfRows = () => rows.getBoundingClientRect().top;

  /** @returns {Held | null} nothing where the list's beginning is in view: new ones are to be seen there */
  function hold() {
    const top = topOfRows();
    const line = layout.lines[lineBelow(layout.lines, edge() - top)];
    return !line || top >= edge() - EDGE ? null : { list: shown, index: line.first, offset: top + line.top };
  }
  /** Have what is held where it was, or what has taken its place. @param {Held | null} held */
  function settle(held) {
    const index = held?.list.slice(held.index).map(({ id }) => indexes.get(id)).find((one) => one !== undefined);
    if (held && index !== undefined) scrollBy(0, topOfRows() + lineOf(index).top - held.offset);
  }
  function toBeginning() {
    if (topOfRows() < edge()) scrollBy(0, topOfRows() - bar.offsetHeight - parseFloat(getComputedStyle(bar).top));
  }
  const pictureOf = (/** @type {string} */ id) => shown[/** @type {number} */ (indexes.get(id))];
  const lineOf = (/** @type {number} */ index) => layout.places[index].line;

  /** Lay out anew. @param {Held | null} [held] */
  function show(held = hold()) {
    shown = known.filter(({ id }) => !away.has(id));
    indexes = new Map(shown.map(({ id }, index) => [id, index]));
    layout = layOut(shown, wide);
    rows.style.height = px(layout.height);
    settle(held);
    choose([...chosen].filter((id) => indexes.has(id)));
    tellState();
  }

  /** @param {boolean} [anew] whether what is in the page already may have changed */
  function draw(anew = false) {
    if (!seen()) return;
    kept = hold();
    const { lines } = layout;
    const top = topOfRows();
    const near = lines.slice(lineBelow(lines, -top - innerHeight), lineBelow(lines, -top + 2 * innerHeight) + 1);
    const pinned = indexes.get(current ?? "");
    if (pinned !== undefined && !near.includes(lineOf(pinned))) {
      near.push(lineOf(pinned));
      near.sort((one, other) => one.top - other.top);
    }
    const keys = new Set(near.flatMap(keysOf));
    for (const [key, element] of drawn) if (!keys.has(key)) drop(key, element);
    const stop = pinned !== undefined ? current : shown[lines[lineBelow(lines, edge() - top)]?.first]?.id;
    let place = rows.firstElementChild;
    for (const line of near) for (const key of keysOf(line)) {
      let element = drawn.get(key);
      if (!element || anew) dress((element ??= make(key, line)), key, line);
      // Those that stay keep their order, so none of them is moved: a moved one would lose the focus.
      if (element !== place) rows.insertBefore(element, place);
      if (line.end > line.first) ready(element, key === stop);
      place = element.nextElementSibling;
    }
  }
  /** @param {Line} line */
  const keysOf = ({ day, first, end }) => (first === end ? [day] : shown.slice(first, end).map(({ id }) => id));
  /** @param {string} key @param {Line} line */
  function make(key, { first, end }) {
    const element = first === end ? h("h2") : tileOf(pictureOf(key));
    drawn.set(key, element);
    return element;
  }
  /** @param {any} element @param {string} key @param {Line} line */
  function dress(element, key, { day, top, height, first, end }) {
    Object.assign(element.style, { top: px(top), height: px(height) });
    if (first === end) return write(element, nameOf(day));
    const index = /** @type {number} */ (indexes.get(key));
    Object.assign(element.style, { left: px(layout.places[index].left), width: px(layout.places[index].width) });
    const [, tick, mark] = element.children;
    tick.setAttribute("aria-checked", String(chosen.has(key)));
    mark.hidden = !shown[index].starred;
  }
  /** Have its picture loaded, unless the page flies by. @param {any} tile @param {boolean} stop whether Tab stops at it */
  function ready(tile, stop) {
    const [open, tick] = tile.children;
    if (!fast && !open.firstChild.src) open.firstChild.src = small(pictureOf(open.dataset.picture));
    if (open.tabIndex !== (stop ? 0 : -1)) open.tabIndex = tick.tabIndex = stop ? 0 : -1;
  }
  /** @param {string} key @param {any} element */
  function drop(key, element) {
    element.querySelector("img")?.removeAttribute("src"); // what is still on its way is not waited for
    element.remove();
    drawn.delete(key);
  }

  // While one scrolls

  let frame = 0, last = 0, lastTop = 0, fast = false, rest = 0, labelled = 0;
  function scrolled() {
    frame ||= requestAnimationFrame((now) => {
      frame = 0;
      if (!seen()) return;
      const top = topOfRows();
      fast = Math.abs(top - lastTop) * FAST > Math.min(now - last, 50) * innerHeight;
      [last, lastTop] = [now, top];
      draw();
      clearTimeout(rest);
      if (fast) rest = setTimeout(() => { fast = false; draw(); }, REST);
      if (fast || !label.hidden) tellDay(top);
    });
  }
  /** Say beside the scrollbar which day one has come to. @param {number} top of the rows */
  function tellDay(top) {
    const line = layout.lines[lineBelow(layout.lines, edge() - top)];
    label.hidden = !line;
    if (line) write(label, nameOf(line.day));
    const way = scrollY / Math.max(1, document.documentElement.scrollHeight - innerHeight);
    label.style.top = px(edge() + EDGE + way * (floor() - edge() - EDGE - label.offsetHeight));
    clearTimeout(labelled);
    labelled = setTimeout(() => (label.hidden = true), LABEL);
  }
  document.addEventListener("scroll", scrolled, { passive: true });
  addEventListener("resize", scrolled);
  // The bar is as wide as the rows, its height doesn't follow theirs, and in a tab that is not open it has no size.
  new ResizeObserver(() => {
    const before = opened;
    opened = root.checkVisibility();
    if (!opened) return;
    const same = rows.clientWidth === wide;
    wide = rows.clientWidth;
    if (before) return void (same || show());
    const held = kept;
    if (shown.length) show(held);
    if (!held) toBeginning();
    load(!shown.length);
  }).observe(bar);
  document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && seen() && merge());

  // What is chosen

  const allStarred = () => [...chosen].every((id) => pictureOf(id)?.starred);

  /** @param {Iterable<string>} ids */
  function choose(ids) {
    const now = new Set(ids);
    chosen.clear();
    for (const id of now) chosen.add(id);
    const left = tools.contains(document.activeElement) && !chosen.size;
    tools.hidden = !chosen.size;
    root.classList.toggle("choosing", chosen.size > 0);
    if (chosen.size) write(many, say("library_selected", { count: count(chosen.size) }));
    toCompare.disabled = chosen.size !== 2;
    toFuse.disabled = chosen.size < 2 || chosen.size > 3;
    write(toStar, allStarred() ? words.unstar : words.star);
    draw(true);
    if (left) rows.querySelector(".open[tabindex='0']")?.focus({ preventScroll: true });
  }
  /** @param {string} id @param {boolean} [range] from the last one to this one */
  function toggle(id, range = false) {
    const from = indexes.get(begin ?? ""), to = indexes.get(id);
    begin = id;
    if (range && from !== undefined && to !== undefined) {
      const [low, high] = [Math.min(from, to), Math.max(from, to)];
      choose([...chosen, ...shown.slice(low, high + 1).map((picture) => picture.id)]);
    } else choose(chosen.has(id) ? [...chosen].filter((one) => one !== id) : [...chosen, id]);
  }
  let removing = false;
  async function removeChosen() {
    if (removing) return;
    removing = true;
    await remove([...chosen]);
    removing = false;
  }
  function compare() {
    const [pin, other] = [...chosen].map(pictureOf);
    openViewer({ list: () => shown, start: other.id, pin, from: toCompare, closed });
  }
  /** Who looked at a picture is at its tile afterwards, however far away that was. @param {string} id */
  function closed(id) {
    const index = indexes.get(id);
    if (index === undefined || !seen()) return false;
    focus(index);
    return true;
  }

  // Mouse, finger, keys

  let pressing = 0, pressed = false;
  rows.addEventListener("pointerdown", (/** @type {PointerEvent} */ event) => {
    const id = idAt(event.target);
    pressed = false;
    if (event.pointerType !== "touch" || !id) return;
    clearTimeout(pressing);
    pressing = setTimeout(() => { pressed = true; toggle(id); }, PRESS);
  });
  for (const end of ["pointerup", "pointercancel", "pointerleave"]) rows.addEventListener(end, () => clearTimeout(pressing));
  rows.addEventListener("contextmenu", (/** @type {PointerEvent} */ event) => event.pointerType === "touch" && event.preventDefault());
  rows.addEventListener("click", (/** @type {MouseEvent} */ event) => {
    const id = idAt(event.target);
    if (!id || pressed) return void (pressed = false); // a long press is no click
    const target = /** @type {Element} */ (event.target);
    if (event.shiftKey || event.ctrlKey || event.metaKey || chosen.size || target.closest(".tick")) toggle(id, event.shiftKey);
    else openViewer({ list: () => shown, start: id, from: /** @type {HTMLElement} */ (target.closest(".open")), closed });
  });
  rows.addEventListener("focusin", (/** @type {FocusEvent} */ event) => {
    current = idAt(event.target);
    draw();
  });

  /** Where an arrow leads from a picture. @type {Record<string, (index: number) => number>} */
  const ways = {
    ArrowLeft: (index) => index - 1,
    ArrowRight: (index) => index + 1,
    ArrowUp: (index) => nearest(index, lineOf(index).first - 1),
    ArrowDown: (index) => nearest(index, lineOf(index).end),
  };
  /** The picture of another's row that is nearest to this one. @param {number} index @param {number} other */
  function nearest(index, other) {
    if (!shown[other]) return index;
    const middle = (/** @type {number} */ one) => layout.places[one].left + layout.places[one].width / 2;
    const { first, end } = lineOf(other);
    const distance = (/** @type {number} */ one) => Math.abs(middle(one) - middle(index));
    let best = first;
    for (let one = first; one < end; one++) if (distance(one) < distance(best)) best = one;
    return best;
  }
  /** @param {number} index */
  function focus(index) {
    if (!shown[index]) return;
    current = shown[index].id;
    const top = topOfRows() + lineOf(index).top, bottom = top + lineOf(index).height;
    if (top < edge() + EDGE) scrollBy(0, top - edge() - EDGE);
    else if (bottom > floor()) scrollBy(0, bottom - floor());
    draw();
    drawn.get(current).firstElementChild.focus({ preventScroll: true });
  }
  rows.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
    const id = idAt(event.target);
    if (!id || event.altKey) return;
    const command = event.ctrlKey || event.metaKey;
    if (event.key === " " && command) toggle(id);
    else if (ways[event.key] && !command) focus(ways[event.key](/** @type {number} */ (indexes.get(id))));
    else return;
    event.preventDefault();
  });
  // Firefox clicks when Space goes up, whatever became of its going down.
  rows.addEventListener("keyup", (/** @type {KeyboardEvent} */ event) => {
    if (event.key === " " && (event.ctrlKey || event.metaKey)) event.preventDefault();
  });
  document.addEventListener("keydown", (event) => {
    if (!seen() || writes(event) || event.defaultPrevented || document.querySelector("dialog[open]")) return;
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "a" && shown.length) {
      event.preventDefault();
      choose(shown.map(({ id }) => id));
    } else if (event.key === "Escape" && chosen.size) choose([]);
    else if (event.key === "Delete" && chosen.size) removeChosen();
  });

  // What happens to pictures

  news.addEventListener("came", () => seen() && merge());
  /** What was deleted last, and where one was then. @type {{ ids: string[], held: Held | null }} */
  let removed = { ids: [], held: null };
  news.addEventListener("gone", (/** @type {any} */ { detail: ids }) => {
    removed = { ids, held: hold() };
    for (const id of ids) away.add(id);
    const focused = rows.contains(document.activeElement);
    current = heir(current);
    show();
    if (focused) drawn.get(current ?? "")?.firstElementChild.focus({ preventScroll: true });
  });
  news.addEventListener("back", (/** @type {any} */ { detail: ids }) => {
    for (const id of ids) away.delete(id);
    show((ids[0] === removed.ids[0] ? removed.held : null) ?? hold()); // else they come back above what is seen
    if (seen() && ids.some((/** @type {string} */ id) => !indexes.has(id))) load(false);
  });
  news.addEventListener("starred", (/** @type {any} */ { detail: { ids, on } }) => {
    const marked = new Set(ids);
    for (const picture of known) if (marked.has(picture.id)) picture.starred = on;
    choose(chosen);
  });
  /** Who stood on one that is gone stands on what takes its place. @param {string | undefined} id */
  function heir(id) {
    const index = indexes.get(id ?? "") ?? shown.length;
    const stays = (/** @type {Picture} */ picture) => !away.has(picture.id);
    return (shown.slice(index).find(stays) ?? (index < shown.length ? shown.slice(0, index).findLast(stays) : undefined))?.id;
  }
}
