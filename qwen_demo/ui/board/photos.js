// Many photos for the edit tab: chosen or dropped together, made ready two at a time, and shown in the slot's place.
import { give } from "./drop.js";
import { apart, byName, newName, writeNames } from "./names.js";
import { arrowed, ask, button, h, icon, language, notice, page, redraw, say, words, write } from "./shared.js";
import { preview } from "./thumbs.js";

/**
 * A photo of the batch.
 * @typedef {object} Photo
 * @property {string} name
 * @property {"waiting" | "going" | "ready" | "away"} is
 * @property {File} [file] as it was chosen
 * @property {string} path where the app has the upload
 * @property {string} background with which it was made ready
 * @property {string} id of the reference picture that it became
 * @property {import("./shared.js").Picture} [picture] that one
 * @property {HTMLElement} [element]
 */

/** Pictures of one order, as in `axes.py`. */
const MOST = 50;
const AT_ONCE = 2;
const WHITE = "#ffffff";
/** Of those that are left out: more are counted, and named where that is unfolded. */
const NAMED = 3;
const LIST = new Intl.ListFormat(language);
/** How Gradio says it, in the browser and on the server. */
const TOO_LARGE = /exceed|HTTP 413/;
const ACCEPTED = "image/*,.heic,.heif,.hif,.avif,.tif,.tiff"; // not every system knows a type for these

/** @param {HTMLElement} element @param {import("./shared.js").Part} part */
export function mount(element, { trigger, props, upload, watch }) {
  /** @type {Photo[]} */
  let rows = [];
  /** What there was no room for. @type {File[]} */
  let over = [];
  /** Why others were left out. @type {string[]} */
  let refused = [];
  /** Names of those that are here already. @type {string[]} */
  let twice = [];
  let others = 0; // files of folders that are no pictures
  let trouble = ""; // why some did not get through
  let at = 0; // the row that has the keys
  let held = false; // whether the run button waits
  let told = "[]"; // the value, in JSON

  const file = h("input", { type: "file", multiple: true, accept: ACCEPTED, hidden: true, onchange: choose });
  const first = button("photos", words.photos, () => file.click(), { title: say("photos_hint", { most: MOST }) });
  const count = h("b", { role: "status" });
  const progress = h("span", { class: "progress" });
  const more = button("more", words.photos_more, () => file.click());
  const clear = button("clear", words.photos_clear, removeAll);
  const list = h("ul", { "aria-label": words.photos_list, onkeydown: move });
  const away = h("span");
  const retry = h("p", { class: "away", role: "alert" }, away, button("retry", words.library_retry, tryAgain));
  const batch = h("div", { class: "batch" }, h("div", { class: "head" }, count, progress, more, clear), list, retry);
  const notes = h("ul");
  const left = h("div", { class: "left", role: "status" }, notes, button("hide", icon("close"), hide, { title: words.photos_hide, "aria-label": words.photos_hide }));
  element.replaceChildren(first, batch, left, file);
  const run = /** @type {HTMLElement} */ (element.closest(".controls")?.querySelector(".run"));

  /** The colour behind what is transparent: of a part in a tab that is opened later, Gradio may keep nothing but the value. */
  const chosen = () => props.background ?? WHITE;

  function choose() {
    take([...file.files]);
    file.value = "";
  }

  /** @param {File[]} files @param {number} [skipped] how many there were beside them that are no pictures */
  function take(files, skipped = 0) {
    if (!files.length) return void notice(words.photos_none);
    if (files.length === 1 && !rows.length) return void give(files[0], upload, "edit");
    forget();
    others = skipped;
    for (const file of files) {
      if ([...rows.map((row) => row.file), ...over].some((other) => other && isSame(file, other))) twice.push(file.name);
      else over.push(file);
    }
    fill();
    proceed();
  }

  function fill() {
    const added = over.splice(0, MOST - rows.length);
    for (const file of added) {
      const name = apart(file.name, rows.map((row) => row.name));
      rows.push({ name, is: "waiting", file, path: "", background: "", id: "" });
    }
  }

  function proceed() {
    const free = AT_ONCE - rows.filter(({ is }) => is === "going").length;
    for (const row of rows.filter(({ is }) => is === "waiting").slice(0, Math.max(0, free))) void bring(row);
    draw();
  }

  /** Make a photo ready, or say why it can't be. @param {Photo} row */
  async function bring(row) {
    row.is = "going";
    const background = chosen();
    const told = await made(row, background).catch((error) => void (trouble = error.message));
    const here = rows.includes(row); // or it was removed meanwhile
    const known = told && rows.some((other) => other !== row && other.id === told.id);
    if (!told) row.is = "away";
    else if (told.refused || known) {
      row.is = "waiting";
      rows = rows.filter((other) => other !== row);
      if (here) told.refused ? refused.push(told.refused) : twice.push(row.file?.name ?? row.name);
      fill();
    } else Object.assign(row, { is: background === chosen() ? "ready" : "waiting", background, id: told.id, picture: told });
    tell();
  }

  /** @param {Photo} row @param {string} background @returns {Promise<any>} the picture that it became, or why it is `refused` */
  async function made(row, background) {
    try {
      if (!row.path && row.file) row.path = (await upload(row.file)).path;
    } catch (error) {
      if (TOO_LARGE.test(String(error))) return { refused: say("photos_large", { name: row.name }) };
      throw new Error(words.unreachable);
    }
    const same = row.background === background || !row.path;
    return ask("board/photo", { name: row.name, path: row.path, background, id: same ? row.id : "" });
  }

  /** Photos from Python: an order's, a draft's, or none where a single picture takes their place. */
  function receive() {
    put((props.value ?? []).map((/** @type {Photo} */ row) => ({ ...row, is: "waiting" })));
  }

  /** Have these in the place of those that are here, with a way back. @param {Photo[]} next */
  function put(next) {
    const gone = { rows, over, refused, twice, others };
    rows = next;
    forget();
    tell();
    const lost = gone.rows.filter(({ id }) => !id || !next.some((other) => other.id === id)).length;
    if (lost) notice(say("photos_cleared", { count: lost }), words.undo, () => {
      rows = [...gone.rows, ...rows.filter((row) => !next.includes(row))].slice(0, MOST);
      ({ over, refused, twice, others } = gone);
      tell();
    });
  }

  /** Write down what is ready, where Python reads it, and go on. */
  function tell() {
    const value = rows.filter(({ id }) => id).map(({ name, path, background, id }) => ({ name, path, background, id }));
    if (JSON.stringify(value) !== told) {
      told = JSON.stringify(value);
      props.value = value;
      trigger("input");
    }
    proceed();
  }

  function remove(/** @type {Photo} */ row) {
    const place = rows.indexOf(row);
    at = Math.min(place, rows.length - 2);
    rows = rows.filter((other) => other !== row);
    tell();
    focus();
    notice(say("photos_removed", { name: row.name }), words.undo, () => {
      rows = rows.toSpliced(place, 0, row).slice(0, MOST);
      tell();
    });
  }

  function removeAll() {
    put([]);
    focus();
  }

  function forget() {
    [over, refused, twice, others] = [[], [], [], 0];
  }

  function hide() {
    forget();
    draw();
  }

  function tryAgain() {
    for (const row of rows) if (row.is === "away") row.is = "waiting";
    proceed();
  }

  /** The photos are one stop for Tab; arrows lead from one to the next. @param {KeyboardEvent} event */
  function move(event) {
    const items = [...list.children], to = arrowed(event.key, items[at], items);
    if (event.key === "Delete") remove(rows[at]);
    else if (!to) return;
    else {
      at = items.indexOf(to);
      focus();
    }
    event.preventDefault();
  }
  function focus() {
    draw();
    (list.children[at]?.querySelector("button") ?? first).focus();
  }

  function draw() {
    const ready = rows.filter(({ is }) => is === "ready").length, lost = rows.filter(({ is }) => is === "away").length;
    const busy = ready + lost < rows.length;
    at = Math.max(0, Math.min(at, rows.length - 1));
    element.classList.toggle("many", rows.length > 0);
    first.hidden = rows.length > 0;
    batch.hidden = !rows.length;
    write(count, rows.length === 1 ? words.photos_one : say("photos_sum", { count: rows.length }));
    write(progress, busy ? say("of", { count: ready, n: rows.length }) : "");
    more.hidden = rows.length >= MOST;
    drawRows();
    retry.hidden = !lost;
    if (lost) write(away, say("photos_away", { count: lost, reason: trouble }));
    drawLeft();
    if (busy) run.dataset.busy = say("photos_wait", { count: ready, n: rows.length }); // an order of a part of them would be a surprise
    if (busy || held) run.ariaBusy = busy ? "true" : null;
    held = busy;
  }

  function drawRows() {
    const elements = rows.map((row) => (row.element ??= newRow(row)));
    writeNames(elements.map((item) => item.querySelector("bdi")), rows.map(({ name }) => name));
    for (const old of [...list.children]) if (!elements.includes(old)) old.remove();
    elements.forEach((item, index) => {
      if (list.children[index] !== item) list.insertBefore(item, list.children[index] ?? null);
      item.dataset.is = rows[index].is;
      item.lastChild.tabIndex = index === at ? 0 : -1;
      if (rows[index].picture && !item.querySelector("img")) item.prepend(preview(rows[index].picture, { loading: "lazy" }));
    });
  }

  /** @param {Photo} row */
  function newRow(row) {
    const label = say("photos_remove", { name: row.name });
    return h("li", { title: row.name }, newName(),
      button("remove", icon("close"), () => remove(row), { title: label, "aria-label": label, onfocus: () => { at = rows.indexOf(row); } }));
  }

  /** Which photo is judged first is chance, so what was left out is told in the order of the names. */
  function drawLeft() {
    const folded = (/** @type {string} */ told, /** @type {string[]} */ all) => [told, ...all.toSorted(byName)];
    const named = (/** @type {string[]} */ all, /** @type {(names: string) => string} */ told) =>
      (all.length > NAMED ? [folded(told(say("photos_sum", { count: all.length })), all)]
        : all.length ? [[told(LIST.format(all.toSorted(byName)))]] : []);
    const lines = [
      ...(refused.length > NAMED ? [folded(say("photos_refused", { count: refused.length }), refused)]
        : refused.toSorted(byName).map((reason) => [reason])),
      ...named(over.map(({ name }) => name), (names) => say("photos_over", { most: MOST, names })),
      ...named(twice, (names) => say("photos_twice", { names })),
      ...(others ? [[say("photos_others", { count: others })]] : []),
    ];
    left.hidden = !lines.length;
    redraw(notes, lines, ([line, ...rest]) => h("li", {}, rest.length ? h("details", {}, h("summary", {}, line), rest.map((one) => h("p", {}, one))) : line));
  }

  watch("value", receive); // only what Python sets comes here
  watch("background", () => {
    for (const row of rows) if (row.is === "ready" && row.background !== chosen()) row.is = "waiting";
    proceed();
  });
  // The large place takes several too: who clicks there needn't know that there is a button for them.
  document.addEventListener("click", ({ target }) => { if (isLarge(target)) target.multiple = true; }, true);
  document.addEventListener("change", (event) => {
    const { target } = event;
    if (!isLarge(target) || target.files.length < 2) return;
    event.stopImmediatePropagation();
    take([...target.files]);
    target.value = "";
  }, true);
  page.photos = take;
  if (props.value?.length) receive();
  else draw();
}

/** @param {any} target */
const isLarge = (target) => target instanceof HTMLInputElement && target.matches("#edit-image input[type=file]");
const isSame = (/** @type {File} */ one, /** @type {File} */ other) =>
  one.name === other.name && one.size === other.size && one.lastModified === other.lastModified;
