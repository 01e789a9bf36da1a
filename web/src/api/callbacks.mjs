/** Sets of callbacks that a page registers. */

import { callable } from "./arguments.mjs";

/** A set of callbacks; the one that throws, or whose promise is rejected, disturbs neither the others nor us. */
export class Callbacks {
  #all = new Set();
  #changed;

  /** `changed(on)` is told when the first comes and when the last goes. */
  constructor(changed = () => {}) {
    this.#changed = changed;
  }

  add(callback) {
    const entry = { callback: callable(callback), waits: new Set() };
    this.#all.add(entry);
    if (this.#all.size === 1) this.#changed(true);
    return () => {
      if (!this.#all.delete(entry)) return;
      for (const end of entry.waits) end();
      if (this.#all.size === 0) this.#changed(false);
    };
  }

  get size() {
    return this.#all.size;
  }

  /** Null, or a promise for the end of everything that the callbacks began and that is still subscribed. */
  call(...values) {
    let waits = null;
    for (const entry of this.#all) {
      try {
        const result = entry.callback(...values);
        if (typeof result?.then === "function") (waits ??= []).push(ended(entry, result));
      } catch (error) {
        reportError(error);
      }
    }
    return waits && Promise.all(waits);
  }
}

/** Resolves when `result` is settled, or when the callback is taken away: a promise may stay open for ever. */
function ended(entry, result) {
  return new Promise((resolve) => {
    entry.waits.add(resolve);
    Promise.resolve(result).catch(reportError).then(() => {
      entry.waits.delete(resolve);
      resolve();
    });
  });
}
