// Saved prompts, below "Ideas": save the one above, use, rename and delete them; a file of them, out and in.
import { asFile, keeps, kept, remove, rename, save, saved, take } from "./prompts.js";
import { button, download, h, icon, notice, say, words } from "./shared.js";
import { promptOf, put } from "./writing.js";

/** @param {HTMLElement} element */
export function mount(element) {
  const file = h("input", { type: "file", accept: ".json,application/json", hidden: true, onchange: bring });
  const first = button("save", words.saved_save, add);
  const out = button("export", words.saved_export, hand);
  const list = h("ul");
  element.setAttribute("role", "group");
  element.ariaLabel = words.saved;
  element.append(
    h("span", { class: "label", "aria-hidden": "true" }, words.saved),
    h("div", { class: "acts" }, first, button("import", words.saved_import, () => file.click()), out, file),
    list, h("p", { hidden: keeps }, words.saved_forgets));
  saved.addEventListener("change", draw);
  draw();

  function draw() {
    if (list.querySelector("input")) return; // a name is being written; they are drawn when it is
    const all = kept();
    list.replaceChildren(...all.map(row));
    list.hidden = out.hidden = !all.length;
  }

  /** @param {import("./prompts.js").Saved} saved */
  function row({ name, prompt }) {
    const tool = (/** @type {string} */ act, /** @type {any} */ drawn, /** @type {string} */ text, /** @type {() => void} */ does) =>
      button(act, icon(drawn), does, { title: text, "aria-label": `${text}: ${name}` });
    return h("li", { "data-name": name },
      button("use", name, () => use(name, prompt), { title: prompt.slice(0, 400) }),
      tool("rename", "edit", words.saved_rename, () => askName(name)),
      tool("delete", "bin", words.delete, () => drop(name)));
  }
  /** @param {string} name @returns {HTMLElement | undefined} */
  const rowOf = (name) => [...list.children].find(({ dataset }) => dataset.name === name);

  /** Do it, or say why it can't be done. @param {() => void} does */
  function attempt(does) {
    try {
      does();
    } catch (error) {
      notice(/** @type {Error} */ (error).message);
    }
  }

  function add() {
    const prompt = promptOf(element);
    attempt(() => {
      const name = save(prompt.value);
      if (name) return askName(name);
      notice(words.saved_nothing);
      prompt.focus();
    });
  }

  /** @param {string} name @param {string} prompt */
  function use(name, prompt) {
    const text = promptOf(element), before = text.value;
    put(text, prompt);
    if (before.trim() && before !== prompt) notice(say("saved_used", { name }), words.undo, () => put(text, before));
  }

  /** Have a name written in the place of its row. @param {string} name */
  function askName(name) {
    const field = h("input", { type: "text", value: name, "aria-label": words.saved_name, onkeydown: press, onblur: () => end(field.value) });
    let asked = true;
    rowOf(name)?.replaceChildren(field);
    field.select();

    function press(/** @type {KeyboardEvent} */ event) {
      if (event.isComposing || !["Enter", "Escape"].includes(event.key)) return;
      event.preventDefault(); // or the button that has the focus then is pressed with it
      end(event.key === "Enter" ? field.value : name);
      rowOf(name)?.querySelector("button")?.focus();
    }
    function end(/** @type {string} */ written) {
      if (!asked) return;
      asked = false; // a field that is taken away is left, too
      field.remove();
      attempt(() => { name = rename(name, written); });
      draw();
    }
  }

  /** @param {string} name */
  function drop(name) {
    const next = rowOf(name)?.nextElementSibling ?? rowOf(name)?.previousElementSibling;
    attempt(() => {
      const back = remove(name);
      notice(say("saved_deleted", { name }), words.undo, () => attempt(back));
    });
    (rowOf(next?.dataset.name)?.querySelector("[data-act=delete]") ?? first).focus();
  }

  function hand() {
    const address = URL.createObjectURL(new Blob([asFile(kept())], { type: "application/json" }));
    download(address, "qwen-prompts.json");
    URL.revokeObjectURL(address);
  }

  async function bring() {
    const [chosen] = file.files;
    file.value = ""; // the same one can be chosen again
    notice(await take(chosen).then((count) => say("saved_came", { count }), ({ message }) => message));
  }
}
