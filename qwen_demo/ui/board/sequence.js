// What the viewer goes through: a list that may lack what it shows, and that may learn of news later.

/** @typedef {import("./shared.js").Picture} Picture */

/** @param {() => Picture[]} list asked again at every refresh */
export function newSequence(list) {
  /** With the deleted ones: whatever comes back has its place. @type {Picture[]} */
  let all = [];
  /** They stay where they are, though the list may lack them. @type {Set<string>} */
  const kept = new Set();
  /** Deleted ones: the list may still have them. @type {Set<string>} */
  const absent = new Set();
  const indexOf = (/** @type {string | undefined} */ wanted) => all.findIndex(({ id }) => id === wanted);

  return {
    /** Ask the list again. @param {Picture | undefined} shown stays, whatever the list says */
    refresh(shown) {
      const before = all;
      all = [...list()];
      const listed = new Set(all.map(({ id }) => id));
      if (shown && !listed.has(shown.id)) kept.add(shown.id);
      before.forEach((picture, index) => {
        if (kept.has(picture.id) && !listed.has(picture.id)) all.splice(indexOf(before[index - 1]?.id) + 1, 0, picture);
      });
      return all.filter(({ id }) => !absent.has(id));
    },
    /** Take in a picture that isn't there. @param {Picture} picture @param {string} [after] the id of the one before it */
    join(picture, after) {
      if (indexOf(picture.id) >= 0) return;
      kept.add(picture.id);
      all.splice(indexOf(after) + 1, 0, picture);
    },
    lose(/** @type {string[]} */ ids) {
      for (const id of ids) {
        kept.add(id);
        absent.add(id);
      }
    },
    regain(/** @type {string[]} */ ids) {
      for (const id of ids) absent.delete(id);
    },
  };
}
