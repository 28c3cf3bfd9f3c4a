// Before Gradio starts: it takes its language from the browser's and knows no "zh", and its colours from the system.
(() => {
  const chosen = document.cookie.match(/(?:^|; )language=(en|zh-CN)/)?.[1];
  const language = chosen || (/^zh\b/i.test(navigator.language) ? "zh-CN" : "en");
  Object.defineProperty(navigator, "language", { get: () => language });
  Object.defineProperty(navigator, "languages", { get: () => [language] });
  document.documentElement.lang = language;

  const scheme = localStorage.getItem("qwen-image-demo-colours");
  const media = window.matchMedia.bind(window);
  const fixed = (dark) => ({ matches: dark === (scheme === "dark"), addEventListener() {}, removeEventListener() {} });
  window.matchMedia = (query) =>
    scheme && query.includes("prefers-color-scheme") ? fixed(query.includes("dark")) : media(query);
})();
