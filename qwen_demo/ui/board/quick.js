// Edits that take one click: each adds its words to the prompt, or takes them back. In them stands [in brackets] what is to
// be typed over, as is an ellipsis.
import { button, h, words } from "./shared.js";
import { promptOf, put } from "./writing.js";

/** After these a sentence begins. */
const ENDED = /[.!?;:…。！？；：]$/u;
/** What is typed over: up to what follows, or where nothing does, up to the next mark. */
const GAP = /\[.*?\]|…/gu, TYPED = "[^\\n]*?", LAST = "[^\\n,.;，。；]*";

/** @param {HTMLElement} element @param {import("./shared.js").Part} part */
export function mount(element, { props }) {
  const prompt = promptOf(element);
  const edits = props.edits.map((/** @type {string} */ name) => newEdit(name, words[`quick_${name}_words`], prompt));
  element.setAttribute("role", "group");
  element.ariaLabel = words.quick;
  element.append(h("span", { class: "label", "aria-hidden": "true" }, words.quick_add), ...edits.map((/** @type {ReturnType<typeof newEdit>} */ edit) => edit.element));
  const mark = () => edits.forEach((/** @type {ReturnType<typeof newEdit>} */ edit) => edit.mark());
  // A text that the app fills in makes no event, but its length is written there each time.
  new MutationObserver(mark).observe(/** @type {Element} */ (prompt.closest(".prompt")), { attributeFilter: ["data-count"] });
  mark();
}

/** @param {string} name @param {string} marked its words @param {HTMLTextAreaElement} prompt */
function newEdit(name, marked, prompt) {
  const plain = marked.replace(/[[\]]/g, "");
  const gap = marked.includes("[") ? [marked.indexOf("["), marked.indexOf("]") - 1] : [plain.length, plain.length];
  const parts = marked.split(GAP).map(literally);
  parts.push(parts.pop() || LAST);
  const there = new RegExp(`(?:${literally(words.comma.trim())}\\s*)?${parts.join(TYPED)}`, "iu");
  const press = () => (there.test(prompt.value) ? takeBack() : add());
  const element = button("quick", words[`quick_${name}`], press, { "data-edit": name, title: marked });

  function add() {
    const before = prompt.value.trimEnd(), goesOn = before && !ENDED.test(before);
    const apart = before && (goesOn ? words.comma : words.comma.slice(1)); // Chinese has no spaces
    const [from, to] = gap.map((at) => before.length + apart.length + at);
    put(prompt, before + apart + (goesOn ? plain.charAt(0).toLowerCase() + plain.slice(1) : plain), from, to);
  }
  const takeBack = () => put(prompt, prompt.value.replace(there, "").replace(/^[\s,.;，。；]+/u, "").trimEnd());
  return { element, mark: () => { element.ariaPressed = String(there.test(prompt.value)); } };
}

const literally = (/** @type {string} */ text) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
