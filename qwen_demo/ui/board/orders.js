// How this browser follows its visitor's orders: one stream while the page is looked at, questions now and then while it isn't.
import { addressed, ask } from "./shared.js";

/**
 * A place of an order: a picture, why there is none, or nothing while it is waited for. Its `name` stands below it: that of its
 * photo, or what is varied, as short as it can be, and its `title` is the whole of that; its `shape` is told where the others'
 * may be another.
 * @typedef {import("./shared.js").Picture & { name?: string, title?: string, shape?: [number, number], seed?: number, parts?: string, failed?: string, again?: boolean, gone?: boolean, dropped?: boolean }} Slot
 */

/**
 * How an order stands.
 * @typedef {object} Card
 * @property {number} at when it was placed, in the server's seconds
 * @property {string} kind
 * @property {string} prompt
 * @property {string} model
 * @property {[number, number]} shape the width and height of its pictures, or their ratio
 * @property {number} n pictures ordered
 * @property {"running" | "done" | "partly" | "failed" | "stopped" | "paused" | "lost" | "unread"} state `paused`: the app was started anew before
 *   all was sent
 * @property {number} place in the line, 0 where it waits for none
 * @property {number} way pictures that still come though it was stopped
 * @property {number | null} seconds it took, once it has ended
 * @property {number | null} usual seconds that others took
 * @property {string} cost with its currency, where a price is known
 * @property {string} said what is not as it should be, and what that costs
 * @property {boolean} billed whether anybody pays for it
 * @property {boolean} unread whether something that was paid for is not here yet
 * @property {boolean} lost whether something was sent, and nobody knows what came of it
 * @property {Record<string, Slot>} slots by their places, from 0
 * @property {{ rows: string[], columns: string[], whole_rows: string[], whole_columns: string[], cells: [number, number][] } | null} grid what varies in two ways: the headings, short and whole,
 *   and each place's row and column
 * @property {number} unsent pictures that were not sent
 * @property {number} open pictures that can be ordered in their places: not sent, or failed at no cost; 0 while it runs
 * @property {string} open_cost of those, with its currency, where a price is known
 * @property {boolean} zip whether its pictures are offered as one file
 * @property {[string, string][]} settings labels and values, for the contact sheet, once it has ended
 * @property {string[]} notes where what came is not what was asked for
 * @property {string} meta size, model and seed in a line
 * @property {[string, string][]} usage labels and values
 * @property {string[]} revised what the API made of the prompt
 * @property {string} painted the id of its last picture of which only a part was to change, or ""
 */

const POLL = 5_000; // ms between questions while nobody looks; browsers stretch that
const RETRY = 3_000; // ms until a stream that was refused is asked for again

/**
 * @param {(cards: Map<string, Card>, told: { now: number, session: string, left: string, whole: boolean }) => void} show gets all cards at
 *   each change
 * @param {(lost: boolean) => void} connection is told when it is lost and when it is back
 */
export function followOrders(show, connection) {
  /** @type {Map<string, Card>} */
  const cards = new Map();
  /** @type {EventSource | undefined} */
  let stream;
  let timer = 0;

  const take = (/** @type {any} */ told) => {
    connection(false);
    if (told.whole) for (const id of cards.keys()) if (!(id in told.cards)) cards.delete(id);
    for (const id of told.forgotten) cards.delete(id);
    for (const [id, more] of Object.entries(told.cards)) {
      const before = told.whole ? undefined : cards.get(id);
      cards.set(id, { ...before, ...more, slots: { ...before?.slots, ...more.slots } });
    }
    show(cards, told);
  };

  const listen = () => {
    stream = new EventSource(addressed("board/orders"));
    stream.onmessage = ({ data }) => take(JSON.parse(data));
    stream.onerror = () => {
      connection(true);
      // A broken stream begins again by itself, a refused one doesn't.
      if (stream?.readyState === EventSource.CLOSED) timer = setTimeout(follow, RETRY);
    };
  };

  const poll = async () => {
    if (![...cards.values()].some(({ state }) => state === "running")) return;
    await ask("board/orders?once=1").then(take, () => connection(true));
    if (document.hidden) timer = setTimeout(poll, POLL);
  };

  /** Only a page that is looked at holds a stream: a browser has six connections to a host, for all its tabs. */
  const follow = () => {
    clearTimeout(timer);
    stream?.close();
    if (document.hidden) timer = setTimeout(poll, POLL);
    else listen();
  };

  document.addEventListener("visibilitychange", follow);
  addEventListener("online", follow);
  addEventListener("pagehide", () => stream?.close());
  addEventListener("pageshow", ({ persisted }) => persisted && follow());
  follow();
}
