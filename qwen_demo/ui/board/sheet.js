// The contact sheet: an order's pictures, what differs between them, and its settings as one PNG. It is drawn here: a browser
// has fonts for every language.
import { dayHere } from "./rows.js";
import { download, h, inFeed, language, small, words } from "./shared.js";
import { absence } from "./slots.js";

/** @typedef {import("./orders.js").Card} Card */
/** @typedef {import("./orders.js").Slot} Slot */
/** @typedef {CanvasRenderingContext2D} Pen */
/**
 * Rows of places, undefined where there is none, below and beside the words that head them.
 * @typedef {{ columns: string[], rows: { heading: string, places: (number | undefined)[] }[] }} Table
 */

/** In px. A phone's canvas holds 16 megapixels. */
const WIDE = 2000, TALL = 8000, EDGE = 80, GAP = 24, HEADINGS = 300, LOWEST = 120;
/** The size of words and the height of their lines, in px. */
const SIZE = 26, LINE = 36;
/** Lines that a heading, a name, and all below the pictures may have. */
const HEADING = 5, NAME = 2, BELOW = 100;
/** A picture is at most so many times as high as wide: the others of its row would stand in a void. */
const HIGH = 1.25;
/** Columns of a table that are not made its rows. */
const ACROSS = 8;
/** The longer side in px up to which a small preview is as sharp as the picture. */
const PREVIEW = 512;
const INK = "#18181b", QUIET = "#6b6b73", PROBLEM = "#b91c1c", HAIRLINE = "#d4d4d8";

/** Save an order's contact sheet as a file. @param {Card} card @throws {Error} where the browser can't draw it */
export async function saveSheet(card) {
  const canvas = h("canvas", { width: WIDE, height: 1 });
  const sheet = layOut(card, penOf(canvas));
  canvas.height = sheet.height;
  const pen = penOf(canvas);
  pen.fillStyle = "#fff";
  pen.fillRect(0, 0, WIDE, sheet.height);
  for (const text of sheet.texts) write(pen, text);
  for (const frame of sheet.frames) await fill(pen, frame, card); // one after the other: decoded ones are large
  /** @type {Blob} */
  const file = await new Promise((resolve, reject) => canvas.toBlob((/** @type {Blob?} */ blob) => (blob ? resolve(blob) : reject(new Error()))));
  const address = URL.createObjectURL(file);
  download(address, `qwen-contact-sheet-${dayHere(new Date(card.at * 1000))}.png`);
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}

/** @param {HTMLCanvasElement} canvas @returns {Pen} */
function penOf(canvas) {
  const pen = canvas.getContext("2d");
  if (!pen) throw new Error();
  pen.font = `${SIZE}px ${getComputedStyle(document.body).fontFamily}`;
  pen.imageSmoothingQuality = "high";
  return pen;
}

/** What stands in which row and column. @param {Card} card @returns {Table} */
function arrange({ grid, n }) {
  if (!grid) {
    const across = n <= 3 ? n : Math.ceil(Math.sqrt(n * 0.7)); // about as on a sheet of paper
    const rows = Array.from({ length: Math.ceil(n / across) }, (_, row) => Array.from({ length: Math.min(across, n - row * across) }, (_, column) => row * across + column));
    return { columns: [], rows: rows.map((places) => ({ heading: "", places })) };
  }
  const turned = grid.columns.length > Math.max(ACROSS, grid.rows.length);
  const at = new Map(grid.cells.map(([row, column], place) => [turned ? `${column} ${row}` : `${row} ${column}`, place]));
  const [rows, columns] = turned ? [grid.columns, grid.rows] : [grid.rows, grid.columns];
  return { columns, rows: rows.map((heading, row) => ({ heading, places: columns.map((_, column) => at.get(`${row} ${column}`)) })) };
}

/**
 * @typedef {{ lines: string[], x: number, y: number, colour?: string }} Text
 * @typedef {{ slot?: Slot, x: number, y: number, width: number, height: number }} Frame
 */

/** Where everything stands, from top to bottom. @param {Card} card @param {Pen} pen */
function layOut(card, pen) {
  /** @type {Text[]} */
  const texts = [];
  /** @type {Frame[]} */
  const frames = [];
  const { columns, rows } = arrange(card);
  const left = EDGE + (columns.length ? HEADINGS + GAP : 0), across = rows[0].places.length;
  const width = (WIDE - EDGE - left - GAP * (across - 1)) / across;
  const x = (/** @type {number} */ column) => left + column * (width + GAP);
  const slots = rows.map(({ places }) => places.map((place) => (place === undefined ? undefined : card.slots[place])));
  const names = slots.map((row) => row.map((slot) => wrap(pen, slot?.name ?? "", width, NAME)));
  const nameHeight = (/** @type {number} */ row) => Math.max(...names[row].map((lines) => lines.length)) * LINE;

  const below = [...card.settings, [words.viewer_prompt, card.prompt]].map(([label, value]) => ({ label, lines: wrap(pen, value, WIDE - 2 * EDGE - HEADINGS - GAP, BELOW) }));
  const head = columns.map((text) => wrap(pen, text, width, HEADING));
  const headHeight = Math.max(0, ...head.map((lines) => lines.length)) * LINE;
  const belowHeight = Math.min(BELOW, below.reduce((sum, { lines }) => sum + lines.length, 0)) * LINE;
  const high = (/** @type {Slot | undefined} */ slot) => {
    const [w, h] = slot?.id ? [slot.w, slot.h] : slot?.shape ?? card.shape;
    return width * Math.min(HIGH, h / w);
  };
  const natural = slots.map((row) => Math.max(LOWEST, ...row.map(high)));
  const fixed = 3 * EDGE + headHeight + GAP + rows.reduce((sum, _, row) => sum + nameHeight(row) + GAP, 0) + belowHeight;
  const scale = Math.min(1, (TALL - fixed) / natural.reduce((sum, height) => sum + height));

  let y = EDGE;
  head.forEach((lines, column) => texts.push({ lines, x: x(column), y }));
  if (headHeight) y += headHeight + GAP;
  rows.forEach(({ heading }, row) => {
    const height = natural[row] * scale;
    texts.push({ lines: wrap(pen, heading, HEADINGS, Math.max(1, Math.floor(height / LINE))), x: EDGE, y });
    slots[row].forEach((slot, column) => frames.push({ slot, x: x(column), y, width, height }));
    y += height;
    names[row].forEach((lines, column) => texts.push({ lines, x: x(column), y: y + 8, colour: QUIET }));
    y += nameHeight(row) + GAP;
  });
  y += EDGE - GAP;
  let room = BELOW;
  for (const { label, lines } of below) {
    if (!room) break;
    texts.push({ lines: [label], x: EDGE, y, colour: QUIET }, { lines: lines.slice(0, room), x: EDGE + HEADINGS + GAP, y });
    y += Math.min(room, lines.length) * LINE;
    room -= Math.min(room, lines.length);
  }
  return { texts, frames, height: Math.ceil(y + EDGE) };
}

/** Words in lines that are at most so wide, and at most so many: the rest is cut. @param {Pen} pen @param {string} text @param {number} width @param {number} most */
function wrap(pen, text, width, most) {
  const fits = (/** @type {string} */ line) => pen.measureText(line.trimEnd()).width <= width;
  const lines = text ? text.split("\n").flatMap((paragraph) => {
    const made = [""];
    for (const word of unbroken(paragraph)) {
      for (const piece of fits(word) ? [word] : word) {
        if (fits(made[made.length - 1] + piece)) made[made.length - 1] += piece;
        else made.push(piece);
      }
    }
    return made;
  }) : [];
  if (lines.length <= most) return lines;
  let last = lines[most - 1].trimEnd();
  while (last && !fits(`${last}…`)) last = last.slice(0, -1);
  return [...lines.slice(0, most - 1), `${last}…`];
}

/** What no line ends in: a word with the signs behind it. In Chinese nothing stands between words. @param {string} text */
function unbroken(text) {
  /** @type {string[]} */
  const pieces = [];
  for (const { segment, isWordLike } of new Intl.Segmenter(language, { granularity: "word" }).segment(text)) {
    if (isWordLike || !pieces.length || /^[([{“‘（《「【]/.test(segment)) pieces.push(segment);
    else pieces[pieces.length - 1] += segment;
  }
  return pieces;
}

/** @param {Pen} pen @param {Text} text */
function write(pen, { lines, x, y, colour = INK }) {
  pen.fillStyle = colour;
  pen.textBaseline = "top";
  lines.forEach((line, number) => pen.fillText(line.trimEnd(), x, y + number * LINE));
}

/** Draw a picture in its true shape, or say why there is none. @param {Pen} pen @param {Frame} frame @param {Card} card */
async function fill(pen, { slot, x, y, width, height }, card) {
  if (!slot) return write(pen, { lines: ["–"], x: x + width / 2, y: y + height / 2, colour: QUIET });
  let why = absence(slot, card);
  if (slot.id && !slot.gone) {
    const scale = Math.min(width / slot.w, height / slot.h);
    const [wide, high] = [slot.w * scale, slot.h * scale];
    const image = new Image();
    image.src = Math.max(wide, high) <= PREVIEW ? small(slot) : inFeed(slot);
    if (await image.decode().then(() => true, () => false)) {
      pen.drawImage(image, x, y + height - high, wide, high);
      return;
    }
    why = words.viewer_broken;
  }
  pen.strokeStyle = HAIRLINE;
  pen.strokeRect(x + 0.5, y + 0.5, width - 1, height - 1);
  const lines = wrap(pen, why, width - 2 * GAP, Math.max(1, Math.floor(height / LINE) - 1));
  write(pen, { lines, x: x + GAP, y: y + Math.max(0, (height - lines.length * LINE) / 2), colour: slot.failed ? PROBLEM : QUIET });
}
