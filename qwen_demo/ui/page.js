// What the page does by itself in the browser. Gradio's listeners name the functions of `page`, and the page listens to
// keys and clicks itself. Stands in the head: nothing of the page is there yet when this is read.
window.page = (() => {
  const STORE = "qwen-image-demo-";
  /** The open tab, over one reload. */
  const TAB = `${STORE}tab`;
  /** What was kept when the page was opened: a form in which somebody writes before its draft is there stays as it is. */
  const opened = { ...localStorage };

  /** As `catalog.py` counts: characters of Chinese, Japanese and Korean. */
  const ONE_TOKEN = /[\u2e80-\ud7ff\uf900-\ufaff\uff00-\uffef\u{20000}-\u{3ffff}]/u;

  /** @param {string} selector @returns {HTMLElement | undefined} the first that is in sight */
  const seen = (selector) => [...document.querySelectorAll(selector)].find((element) => element.offsetParent);

  /** @param {string} tab @returns a function that keeps a prompt, and offers the tab's last twelve in a dropdown */
  const keepPrompt = (tab) => (/** @type {string} */ prompt) => {
    const kept = JSON.parse(localStorage.getItem(`${STORE}prompts-${tab}`) ?? "[]");
    const prompts = [...new Set([prompt, ...kept])].filter(Boolean).slice(0, 12);
    localStorage.setItem(`${STORE}prompts-${tab}`, JSON.stringify(prompts));
    return { __type__: "update", choices: prompts.map((one) => [one, one]), value: null };
  };

  /** @param {string} language @returns a function that loads the page in that language, with the same tab open */
  const chooseLanguage = (language) => () => {
    sessionStorage.setItem(TAB, document.querySelector("[role=tab][aria-selected=true]")?.dataset.tabId ?? "");
    // A Space shows the page in a frame of another site, where only the longer form is kept.
    const sites = location.protocol === "https:" ? "samesite=none; secure; partitioned" : "samesite=lax";
    document.cookie = `language=${language}; path=/; max-age=31536000; ${sites}`;
    location.reload();
  };

  /** @param {string} tab @param {Record<string, unknown>} settings @returns {string} them as a link's query */
  const asQuery = (tab, settings) => {
    const drawn = (name) => name === "seed" && settings.random_seed;
    const filled = Object.entries(settings).filter(([name, value]) => ![null, undefined, ""].includes(value) && !drawn(name));
    return `?${new URLSearchParams([["tab", tab], ...filled])}`;
  };

  /**
   * @param {string} tab
   * @param {string[]} names what the values are called, in their order
   * @returns a function that keeps what is set in the tab's form, over reloads; of an upload, where the server has it
   */
  const keepDraft = (tab, names) => (...values) => {
    const told = (value) => value?.path ?? (typeof value === "object" ? JSON.stringify(value) : value);
    const settings = Object.fromEntries(names.map((name, at) => [name, told(values[at] ?? "")]));
    localStorage.setItem(`${STORE}draft-${tab}`, asQuery(tab, settings));
  };

  /**
   * @param {string[]} tabs
   * @returns a function that gives the queries to fill the forms with, a line each: first the address's, or the tab that was
   *   open before the language was chosen, or ""; then the drafts of all tabs but the one that the address fills
   */
  const keptQueries = (tabs) => () => {
    const tab = sessionStorage.getItem(TAB);
    sessionStorage.removeItem(TAB);
    const link = new URLSearchParams(location.search);
    const filled = [...link.keys()].some((name) => name !== "tab") ? (link.get("tab") ?? tabs[0]) : undefined;
    const drafts = tabs.filter((one) => one !== filled).map((one) => `${STORE}draft-${one}`);
    const kept = drafts.filter((draft) => opened[draft] && opened[draft] === localStorage.getItem(draft));
    return [location.search || (tab ? `?tab=${tab}` : ""), ...kept.map((draft) => opened[draft])].join("\n");
  };

  /** Take the query out of the address, or a reload would fill the form again. */
  const forgetQuery = () => history.replaceState(null, "", location.pathname);

  /** End this browser's session, which brings the login back. */
  const signOut = () => fetch(new URL("logout", document.baseURI), { method: "POST" }).then(() => location.reload());

  /** Day to night or back. */
  const changeColours = () => {
    const dark = document.body.classList.toggle("dark");
    localStorage.setItem(`${STORE}colours`, dark ? "dark" : "light");
  };

  /** @param {number} max @returns a function from a seed to the next, with "random" switched off */
  const nextSeed = (max) => (/** @type {number} */ seed) => [(seed + 1) % (max + 1), false];

  /** What asks for several pictures at once: braces with a bar between them, or lines that are prompts by themselves. */
  const SEVERAL = /[{｛][^]*[|｜][^]*[}｝]|\\[{|}｛｜｝]/u;
  /** @param {string | null} text @param {boolean} lines @returns {string} a prompt that may stand for several; else "" */
  const several = (text, lines) => (text && (lines || SEVERAL.test(text)) ? `${lines}${text}` : "");

  /**
   * @param {string} id of a field
   * @param {Record<string, [number, boolean]>} limits by the model's name: how long it may be, and whether in tokens
   * @returns a function that shows a text's length there, as Python and the API count it: an emoji is one, and of tokens
   *   a Chinese character is one, and so are four others. Of a prompt that may stand for several, none is shown.
   */
  const count = (id, limits) => (/** @type {string | null} */ text, model = "", lines = false) => {
    const [limit, inTokens] = limits[model] ?? Object.values(limits)[0] ?? [Infinity, false];
    const letters = [...(text ?? "")];
    const own = letters.filter((letter) => ONE_TOKEN.test(letter)).length;
    const length = several(text, lines) ? 0 : inTokens ? own + Math.ceil((letters.length - own) / 4) : letters.length;
    const { dataset } = document.getElementById(id);
    dataset.count = length ? `${length}/${limit}` : "";
    dataset.over = length > limit ? "1" : "";
  };

  /** @param {string} choice @returns a function that shows a part while that is chosen */
  const shownFor = (choice) => (/** @type {string} */ chosen) => ({ __type__: "update", visible: chosen === choice });

  const UNANSWERED = 30_000; // ms after which nothing will come any more: the network is gone
  /**
   * @param {string} tab
   * @param {Record<string, string>} texts what its run button says meanwhile, by language
   * @returns a function that shows at once, where a photo is painted on, that its order is prepared, and empties the
   *   status. A camera's photo takes its time, and a second press would be a second order.
   */
  const prepare = (tab, texts) => () => {
    const run = document.getElementById(`${tab}-run`);
    if (!run.closest(".controls:not(:has(#photos .many))")?.querySelector("#painter .painted")) return { __type__: "update" };
    run.dataset.busy = texts[document.documentElement.lang];
    run.ariaBusy = "true";
    setTimeout(prepared(tab), UNANSWERED, "unanswered");
    return "";
  };
  /** @param {string} tab @returns a function that ends that, as soon as the status says anything */
  const prepared = (tab) => (/** @type {string} */ status) => {
    if (status) document.getElementById(`${tab}-run`).ariaBusy = null;
  };

  const same = (value) => value;
  const off = () => false;

  const keys = /^Mac|^iP/.test(navigator.platform) ? "⌘⏎" : "Ctrl ⏎"; // the run button says so
  document.documentElement.style.setProperty("--run-keys", `"${keys}"`);
  document.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      if (event.repeat) return;
      document.querySelector("#painter dialog[open]")?.close(); // what happens now is to be seen
      seen(".actions .run")?.click();
    }
  }, true);

  // The form ends where the window does, however far the page is scrolled.
  const measure = () => {
    const top = document.querySelector("#board > .modes > .tab-wrapper")?.getBoundingClientRect().bottom; // whatever is open
    if (top !== undefined) document.documentElement.style.setProperty("--board-top", `${Math.round(top + 12)}px`);
  };
  addEventListener("scroll", measure, { passive: true });
  new ResizeObserver(measure).observe(document.documentElement);

  // Every order is paid for: a double click is meant as one, and so is a press while one is prepared.
  document.addEventListener("click", (event) => {
    const run = event.target.closest(".actions .run");
    if (!run || (event.detail < 2 && run.ariaBusy !== "true")) return;
    event.preventDefault();
    event.stopImmediatePropagation();
  }, true);

  /** Put a picture's name where the cursor is. @param {HTMLTextAreaElement} prompt @param {string} name */
  const insert = (prompt, name) => {
    const [from, to] = [prompt.selectionStart, prompt.selectionEnd];
    // In languages with spaces words stand apart, and in all of them no digit may follow a number.
    const letter = name.includes(" ") ? /[\p{L}\p{N}]/u : /[a-z0-9]/i;
    const apart = (one, other) => (letter.test(one) && letter.test(other) ? " " : "");
    const [before, after] = [prompt.value.charAt(from - 1), prompt.value.charAt(to)];
    const word = apart(before, name.at(0)) + name + apart(name.at(-1), after);
    prompt.setRangeText(word, from, to, "end");
    prompt.dispatchEvent(new Event("input", { bubbles: true }));
    prompt.focus();
  };

  /** Tell a note's listener which place was chosen with a button of it. @param {HTMLElement} note @param {Function} trigger */
  const tellPlace = (note, trigger) => note.addEventListener("click", (event) => {
    const place = event.target.closest("button[data-place]")?.dataset.place;
    if (place) trigger("click", { place });
  });

  // Gradio and file dialogs go by a file's type, and not every system knows one for these. What a file is, the app sees
  // by its content.
  const UNTYPED = /\.(heic|heif|hif|avif|tiff?)$/i;
  const SLOT = ".image-slot input[type=file]";
  /** @param {FileList} files @returns {DataTransfer | undefined} them with types; nothing where they have some */
  const typed = (files) => {
    const unknown = (file) => !file.type.startsWith("image/") && UNTYPED.test(file.name);
    if (![...files].some(unknown)) return undefined;
    const all = new DataTransfer();
    for (const file of files) {
      const type = unknown(file) ? `image/${UNTYPED.exec(file.name)[1].toLowerCase()}` : file.type;
      all.items.add(new File([file], file.name, { type }));
    }
    return all;
  };
  document.addEventListener("click", ({ target }) => {
    if (target.matches(SLOT)) target.accept = "image/*,.heic,.heif,.hif,.avif,.tif,.tiff";
  }, true);
  document.addEventListener("change", ({ target }) => {
    const all = target.matches(SLOT) && typed(target.files);
    if (all) target.files = all.files;
  }, true);
  document.addEventListener("drop", (event) => {
    const all = event.target.closest(".image-slot") && typed(event.dataTransfer.files);
    if (!all) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    event.target.dispatchEvent(new DragEvent("drop", { bubbles: true, cancelable: true, dataTransfer: all }));
  }, true);

  // In a frame of another site some browsers keep no cookies. Then the page says so.
  document.cookie = "probe=1; path=/; " + (location.protocol === "https:" ? "samesite=none; secure; partitioned" : "");
  document.documentElement.classList.toggle("no-cookies", !document.cookie.includes("probe=1"));

  document.addEventListener("click", (event) => {
    const word = event.target.closest("button.insert");
    if (word) insert(word.closest(".controls").querySelector(".prompt textarea"), word.textContent.trim());
    const run = event.target.closest(".actions .run");
    const prompt = run?.closest(".controls").querySelector(".prompt textarea");
    if (prompt && !prompt.value.trim()) prompt.focus(); // on a phone it is out of sight
  });

  return {
    changeColours, chooseLanguage, count, forgetQuery, keepDraft, keepPrompt, keptQueries, nextSeed, off, prepare, prepared, several,
    same, shownFor, signOut, tellPlace,
  };
})();
