// A picture that is dropped anywhere on the page: one of ours restores its settings, another goes into the tab's slot.
import { h, notice, page, words } from "./shared.js";

const files = (/** @type {DragEvent} */ event) => event.dataTransfer?.types.includes("Files");
/** Slots take what is dropped on them by themselves. */
const ofGradio = (/** @type {DragEvent} */ event) => event.target instanceof Element && event.target.closest(".image-slot");

/** @param {(file: File) => Promise<{ path: string }>} upload */
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
  document.addEventListener("drop", async (event) => {
    if (!files(event) || ofGradio(event)) return;
    event.preventDefault();
    veil.hidden = true;
    const file = event.dataTransfer?.files[0];
    const tab = /** @type {HTMLElement | null} */ (document.querySelector("[role=tab][aria-selected=true]"))?.dataset.tabId;
    try {
      if (file) page.fill({ act: "drop", path: (await upload(file)).path, tab });
    } catch {
      notice(words.unreachable);
    }
  });
}
