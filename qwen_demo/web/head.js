// Before Gradio starts: it takes its language from the browser's and its colours from the system.
// LANGUAGES, from the codes that browsers use to the page's languages, stands before this, English first.
(() => {
  // A browser that blocks storage keeps what it is given for as long as the page is open.
  class Forgetful {
    getItem(key) { return this[key] ?? null; }
    setItem(key, value) { this[key] = String(value); }
    removeItem(key) { delete this[key]; }
  }
  for (const storage of ["localStorage", "sessionStorage"]) {
    try {
      window[storage];
    } catch {
      Object.defineProperty(window, storage, { value: new Forgetful() });
    }
  }

  const root = document.documentElement;
  const named = document.cookie.match(/(?:^|; )language=([^;]*)/)?.[1];
  // As the server decides it: zh-Hant-HK, else zh-Hant, else zh.
  const subtags = navigator.language.toLowerCase().split("-");
  const codes = subtags.map((_, at) => subtags.slice(0, subtags.length - at).join("-"));
  const [english] = Object.values(LANGUAGES);
  const chosen = Object.values(LANGUAGES).find((language) => language === named);
  const language = chosen ?? LANGUAGES[codes.find((code) => code in LANGUAGES)] ?? english;
  Object.defineProperty(navigator, "language", { get: () => language });
  Object.defineProperty(navigator, "languages", { get: () => [language] });
  root.lang = language;
  // In a language that Gradio doesn't know it speaks English: then that is where it finds this page's words, while the
  // page goes on to say which language it is in.
  let config;
  Object.defineProperty(window, "gradio_config", {
    get: () => config,
    set(given) {
      config = given;
      const words = given.i18n_translations;
      if (words) words[english] = words[language];
    },
  });
  const relabel = () => { if (root.lang !== language) root.lang = language; };
  new MutationObserver(relabel).observe(root, { attributeFilter: ["lang"] });

  const scheme = localStorage.getItem("qwen-image-demo-colours");
  const media = window.matchMedia.bind(window);
  const fixed = (dark) => ({ matches: dark === (scheme === "dark"), addEventListener() {}, removeEventListener() {} });
  window.matchMedia = (query) =>
    scheme && query.includes("prefers-color-scheme") ? fixed(query.includes("dark")) : media(query);
})();
