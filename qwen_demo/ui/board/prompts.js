// Prompts that were saved with names: one list for all tabs and windows of this browser, and a file, out and in. Every
// change begins with what is kept at that moment, which may be another window's.
import { say, words } from "./shared.js";

/** @typedef {{ name: string, prompt: string }} Saved no two have the same name */

const KEY = "qwen-image-demo-saved";
const MOST = 1000;
/** UTF-16 units of a prompt. */
const LONGEST = 20_000;
/** Characters of a name, and of one that is suggested. */
const NAME = 60, SUGGESTED = 32;
/** Bytes of a file: browsers keep no more, however it is written. */
const HEAVIEST = 30e6;

/** Says `change` when there are others, wherever they were changed. */
export const saved = new EventTarget();
const changed = () => saved.dispatchEvent(new Event("change"));
addEventListener("storage", ({ key }) => [KEY, null].includes(key) && changed());

/** Whether they outlive this page. */
export const keeps = localStorage instanceof Storage;

/** @returns {Saved[]} what is kept, the latest first */
export function kept() {
  try {
    return understood(localStorage.getItem(KEY) ?? "[]");
  } catch {
    return []; // not ours
  }
}

/** @param {Saved[]} prompts @returns {string} a file of them */
export const asFile = (prompts) => JSON.stringify({ prompts }, null, 1);

/** @param {string} prompt @returns {string} the name under which it is saved, at first its first words; "" if it has none */
export function save(prompt) {
  if (!line(prompt)) return "";
  const before = kept(), there = before.find((one) => one.prompt === prompt);
  const [all, name] = added(before, { name: there?.name ?? suggested(prompt), prompt });
  keep(all);
  return name;
}

/** @param {string} name @param {string} to @returns {string} the name that it has now: no other's, and not none */
export function rename(name, to) {
  const all = kept(), one = all.find((other) => other.name === name);
  if (!one || !line(to)) return name;
  const [, free] = added(all.filter((other) => other !== one), { ...one, name: line(to) });
  keep(all.filter((other) => other === one || other.name !== free).map((other) => (other === one ? { ...one, name: free } : other)));
  return free;
}

/** @param {string} name @returns {() => void} brings it back */
export function remove(name) {
  const all = kept(), at = all.findIndex((one) => one.name === name);
  if (at < 0) return () => {}; // another window was first
  const [one] = all.splice(at, 1);
  keep(all);
  return () => {
    const before = kept(), [all] = added(before, one);
    if (all.length > before.length) keep(all.slice(1).toSpliced(at, 0, all[0]));
  };
}

/**
 * Keep a file's prompts besides those that are there, or change nothing.
 * @param {File} file @returns {Promise<number>} how many are new
 * @throws {Error} in words for people
 */
export async function take(file) {
  /** @type {Saved[]} */
  let came;
  try {
    if (file.size > HEAVIEST) throw new RangeError();
    came = understood(decoded(await file.arrayBuffer()));
  } catch {
    throw new Error(words.saved_unread);
  }
  check(came);
  const before = kept(), texts = named(before);
  const all = came.reduceRight((prompts, one) => added(prompts, one, texts)[0], before);
  keep(all);
  return all.length - before.length;
}

/** @param {Saved[]} prompts @throws {Error} in words for people, when these are more than are kept, or longer */
function check(prompts) {
  if (prompts.length > MOST || prompts.some(({ prompt }) => prompt.length > LONGEST)) throw new Error(say("saved_most", { count: MOST, length: LONGEST }));
}

/** @param {Saved[]} prompts @throws {Error} in words for people, when that is more than there is room for */
function keep(prompts) {
  check(prompts);
  try {
    localStorage.setItem(KEY, asFile(prompts));
  } catch {
    throw new Error(words.saved_full);
  }
  changed();
}

/** @param {Saved[]} prompts @returns {Map<string, string>} their texts by their names */
const named = (prompts) => new Map(prompts.map(({ name, prompt }) => [name, prompt]));

/**
 * One more in front; if another text has its name, with a number.
 * @param {Saved[]} prompts @param {Saved} one @param {Map<string, string>} texts as `named` has those prompts; it gets
 * that of this one, too @returns {[Saved[], string]} all of them, and its name
 */
function added(prompts, { name, prompt }, texts = named(prompts)) {
  let free = name;
  for (let number = 2; texts.has(free) && texts.get(free) !== prompt; number++) free = `${name} ${number}`;
  if (texts.has(free)) return [prompts, free];
  texts.set(free, prompt);
  return [[{ name: free, prompt }, ...prompts], free];
}

/** @param {ArrayBuffer} bytes @returns {string} UTF-8, else as editors on Chinese Windows write @throws {TypeError} where it is neither */
function decoded(bytes) {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return new TextDecoder("gb18030", { fatal: true }).decode(bytes);
  }
}

/** @param {string} text a file of ours, or a list of prompts @returns {Saved[]} @throws {Error} where it is neither */
function understood(text) {
  const told = JSON.parse(text);
  /** @type {any[]} */
  const list = Array.isArray(told) ? told : told.prompts;
  return list.map((one) => {
    const { name = "", prompt } = typeof one === "string" ? { prompt: one } : one;
    const whole = prompt.replace(/\p{Cs}/gu, "\ufffd"); // half a character can't be sent
    return { name: line(name) || suggested(whole), prompt: whole };
  }).filter(({ prompt }) => line(prompt));
}

/** @param {string} text @returns {string} it in a line, as a name */
const line = (text) => Array.from(text.replace(/[\s\p{Cc}\p{Cs}\p{Bidi_Control}]+/gu, " ").trim()).slice(0, NAME).join("");

/** @param {string} prompt */
const suggested = (prompt) => new RegExp(`^.{1,${SUGGESTED}}(?= |$)|^.{1,${SUGGESTED}}`, "u").exec(line(prompt))?.[0].trim() ?? "";
