() => {
  // What the page does by itself in the browser: keys, words inserted at the cursor, results in view on a phone.
  const seen = (selector) => [...document.querySelectorAll(selector)].find((element) => element.offsetParent);

  const LARGE = ".gallery-card .preview button[aria-label=Close]"; // leaves the large view of a picture
  const keys = /^Mac|^iP/.test(navigator.platform) ? "⌘⏎" : "Ctrl ⏎"; // the run button says so
  document.documentElement.style.setProperty("--run-keys", `"${keys}"`);
  document.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      seen(".actions .run:not(:disabled)")?.click();
    }
    // Escape first closes what is open: a list, a picture in full size, a large one.
    if (event.key === "Escape" && !document.fullscreenElement && !seen("ul[role=listbox]")) {
      (seen(LARGE) ?? seen(".actions .cancel:not(:disabled)"))?.click();
    }
  }, true);

  const insert = (prompt, name) => {
    const [from, to] = [prompt.selectionStart, prompt.selectionEnd];
    // English words stand apart, and no digit may follow a number.
    const apart = (one, other) => (/[a-z0-9]/i.test(one) && /[a-z0-9]/i.test(other) ? " " : "");
    const [before, after] = [prompt.value.charAt(from - 1), prompt.value.charAt(to)];
    const word = apart(before, name.at(0)) + name + apart(name.at(-1), after);
    prompt.setRangeText(word, from, to, "end");
    prompt.dispatchEvent(new Event("input", { bubbles: true }));
    prompt.focus();
  };
  document.addEventListener("click", (event) => {
    const word = event.target.closest("button.insert");
    if (word) insert(word.closest(".controls").querySelector(".prompt textarea"), word.textContent.trim());
    const run = event.target.closest(".actions .run");
    if (run) seen(LARGE)?.click();
    if (innerWidth > 900) return;
    if (run) run.closest(".studio").querySelector(".results").scrollIntoView({ behavior: "smooth" });
    if (event.target.closest("#history-gallery button")) {
      document.querySelector("#history-picture")?.scrollIntoView({ behavior: "smooth", block: "center" });
    }
  });
}
