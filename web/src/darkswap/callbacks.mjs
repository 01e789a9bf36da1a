/** Sets of callbacks that a page registers. */

import { callable } from "./arguments.mjs";

/** A set of callbacks; the one that throws disturbs neither the others nor us. */
export class Callbacks {
  #all = new Set();
  #changed;

  /** `changed(on)` is told when the first comes and when the last goes. */
  constructor(changed = () => {}) {
    this.#changed = changed;
  }

  add(callback) {
    const entry = { callback: callable(callback) };
    this.#all.add(entry);
    if (this.#all.size === 1) this.#changed(true);
    return () => {
      if (this.#all.delete(entry) && this.#all.size === 0) this.#changed(false);
    };
  }

  get size() {
    return this.#all.size;
  }

  /** Returns what the callbacks returned that can be waited for. */
  call(...values) {
    let waits = null;
    for (const { callback } of this.#all) {
      try {
        const result = callback(...values);
        if (typeof result?.then === "function") (waits ??= []).push(result);
      } catch (error) {
        reportError(error);
      }
    }
    return waits;
  }
}
