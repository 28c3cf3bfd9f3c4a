// What is put into a form's prompt from beside it.

/** @param {Element} element @returns {HTMLTextAreaElement} the prompt of the form that it stands in */
export const promptOf = (element) => /** @type {any} */ (element.closest(".controls")?.querySelector(".prompt textarea"));

/** Write there as a hand does, and select a part of it. @param {HTMLTextAreaElement} prompt @param {string} text @param {number} from @param {number} to */
export function put(prompt, text, from = text.length, to = from) {
  prompt.value = text;
  prompt.dispatchEvent(new Event("input", { bubbles: true }));
  prompt.focus();
  prompt.setSelectionRange(from, to);
}
