// Edits that take one click: each puts its words into the prompt. In them stands [in brackets] what is to be typed over.
import { button, words } from "./shared.js";
import { promptOf, put } from "./writing.js";

/** After these a sentence begins. */
const ENDED = /[.!?;:…。！？；：]$/u;

/** @param {HTMLElement} element @param {import("./shared.js").Part} part */
export function mount(element, { props }) {
  /** What the last click has put there. */
  let last = "";
  element.setAttribute("role", "group");
  element.ariaLabel = words.quick;
  element.append(...props.edits.map((/** @type {string} */ name) => {
    const marked = words[`quick_${name}_words`], plain = marked.replace(/[[\]]/g, "");
    const gap = marked.includes("[") ? [marked.indexOf("["), marked.indexOf("]") - 1] : [plain.length, plain.length];
    return button("quick", words[`quick_${name}`], () => add(plain, gap), { "data-edit": name, title: plain });
  }));

  /** Put words after what is there, or in the place of those that the last click put there. @param {string} plain @param {number[]} gap */
  function add(plain, gap) {
    const prompt = promptOf(element), text = prompt.value;
    const before = last && text.endsWith(last) ? text.slice(0, -last.length) : text.trimEnd();
    const goesOn = before && !ENDED.test(before);
    const apart = before && (goesOn ? words.comma : words.comma.slice(1)); // Chinese has no spaces
    last = apart + (goesOn ? plain.charAt(0).toLowerCase() + plain.slice(1) : plain);
    const [from, to] = gap.map((at) => before.length + apart.length + at);
    put(prompt, before + last, from, to);
  }
}
