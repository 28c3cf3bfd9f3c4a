() => {
  // What the page does by itself in the browser: keys, words inserted at the cursor, results in view on a phone.
  const seen = (selector) => [...document.querySelectorAll(selector)].find((element) => element.offsetParent);

  const keys = /^Mac|^iP/.test(navigator.platform) ? "⌘⏎" : "Ctrl ⏎"; // the run button says so
  document.documentElement.style.setProperty("--run-keys", `"${keys}"`);
  document.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      seen(".actions .run:not(:disabled)")?.click();
    }
    // Escape first closes what is open: a list, a picture in full size.
    const open = document.fullscreenElement || seen(".gallery-card .preview") || seen("ul[role=listbox]");
    if (event.key === "Escape" && !open) seen(".actions .cancel:not(:disabled)")?.click();
  }, true);

  const insert = (prompt, word) => {
    const [from, to] = [prompt.selectionStart, prompt.selectionEnd];
    prompt.setRangeText(word, from, to, "end");
    prompt.dispatchEvent(new Event("input", { bubbles: true }));
    prompt.focus();
  };
  document.addEventListener("click", (event) => {
    const word = event.target.closest("button.insert");
    if (word) insert(word.closest(".controls").querySelector(".prompt textarea"), word.textContent.trim());
    if (event.target.closest(".actions .run") && innerWidth <= 900) {
      event.target.closest(".studio").querySelector(".results").scrollIntoView({ behavior: "smooth" });
    }
  });
}
