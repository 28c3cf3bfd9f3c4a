// What is dropped anywhere on the page: a picture of ours restores its settings, another goes into the tab's slot; in the
// edit tab several, or a folder, become a batch.
import { byName } from "./names.js";
import { h, notice, page, words } from "./shared.js";

/** Files of a drop that are looked at: whoever drops a whole disk doesn't wait for it. */
const MOST = 2000;
/** What pictures are called for which not every system knows a type. */
const UNTYPED = /\.(heic|heif|hif|avif|tiff?)$/i;

const files = (/** @type {DragEvent} */ event) => event.dataTransfer?.types.includes("Files");
/** Slots take what is dropped on them by themselves. */
const ofGradio = (/** @type {DragEvent} */ event) => event.target instanceof Element && event.target.closest(".image-slot");

/** @typedef {(file: File) => Promise<{ path: string }>} Upload */

/** @param {Upload} upload */
export function acceptDrops(upload) {
  const veil = h("div", { class: "board-drop", hidden: true }, h("p", {}, words.drop_here));
  document.body.append(veil);
  let leaving = 0;

  document.addEventListener("dragover", (event) => {
    if (!files(event)) return;
    clearTimeout(leaving);
    veil.hidden = Boolean(ofGradio(event));
    if (!ofGradio(event)) event.preventDefault();
    leaving = setTimeout(() => { veil.hidden = true; }, 300); // nothing tells reliably that the file left the window
  });
  // Before all others: a slot would take the first of several.
  addEventListener("drop", (event) => {
    if (!files(event) || !event.dataTransfer) return;
    const tab = /** @type {HTMLElement | null} */ (document.querySelector("[role=tab][aria-selected=true]"))?.dataset.tabId;
    const dropped = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry?.() ?? item.getAsFile()).filter((one) => one !== null);
    const many = tab === "edit" && page.photos && (dropped.length > 1 || dropped.some(isFolder) || document.querySelector("#photos .many"));
    if (ofGradio(event) && !many) return;
    event.preventDefault();
    veil.hidden = true;
    const [file] = event.dataTransfer.files;
    if (many) {
      event.stopImmediatePropagation();
      walk(dropped).then(({ found, others }) => page.photos?.(found, others));
    } else if (file) give(file, upload, tab);
  }, true);
}

/** Hand a file over to a tab, as a picture by itself. @param {File} file @param {Upload} upload @param {string} [tab] */
export async function give(file, upload, tab) {
  try {
    page.fill({ act: "drop", path: (await upload(file)).path, tab });
  } catch {
    notice(words.unreachable);
  }
}

/** @param {File | FileSystemEntry} one @returns {one is FileSystemDirectoryEntry} */
const isFolder = (one) => "isDirectory" in one && one.isDirectory;
const isPicture = (/** @type {File} */ { name, type }) => !name.startsWith(".") && (type.startsWith("image/") || UNTYPED.test(name));

/**
 * The files of what was dropped. Folders give the pictures in them, by their names; what else is there is counted.
 * @param {(File | FileSystemEntry)[]} dropped
 */
async function walk(dropped) {
  const found = /** @type {File[]} */ ([]);
  let others = 0;
  const take = async (/** @type {File | FileSystemEntry} */ one, within = true) => {
    if (found.length + others >= MOST) return;
    if (isFolder(one)) {
      for (const inner of await listed(one)) await take(inner);
      return;
    }
    const file = one instanceof File ? one : await new Promise((resolve) => /** @type {FileSystemFileEntry} */ (one).file(resolve, () => resolve(null)));
    if (!file || (within && !isPicture(file))) others += 1;
    else found.push(file);
  };
  for (const one of dropped) await take(one, false);
  return { found, others };
}

/** @param {FileSystemDirectoryEntry} folder @returns {Promise<FileSystemEntry[]>} */
async function listed(folder) {
  const reader = folder.createReader(), all = /** @type {FileSystemEntry[]} */ ([]);
  for (;;) { // a hundred at a time
    const more = await new Promise((resolve) => reader.readEntries(resolve, () => resolve([])));
    if (!more.length) return all.sort((one, other) => byName(one.name, other.name));
    all.push(...more);
  }
}
