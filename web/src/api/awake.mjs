/** Whether the tab that runs a node may have slept for so long that another has taken its place. */

import { holdsLock } from "./locks.mjs";

/** Milliseconds after which it might have been relieved: less than others wait before they do so. */
const MAY_HAVE_SLEPT = 4000;

export class Awake {
  #lock;
  #sure;
  #isRunning = false;
  #isAsking = false;
  /** When this tab was last seen awake. */
  #at = 0;

  /** `sure()` is called after a sleep, when the lock is still this tab's. */
  constructor(lock, sure) {
    this.#lock = lock;
    this.#sure = sure;
  }

  /** This tab runs the node from now on. */
  begin() {
    this.#isRunning = true;
    this.#at = performance.now();
  }

  end() {
    this.#isRunning = false;
  }

  /** Called at short intervals. */
  tick() {
    if (this.#isFresh) this.#at = performance.now();
    else void this.#ask();
  }

  get #isFresh() {
    return performance.now() - this.#at < MAY_HAVE_SLEPT;
  }

  /** Whether this tab can be sure to be the one that runs the node, if it thinks so. If not, `sure` may follow. */
  get isSure() {
    if (!this.#isRunning || this.#isFresh) return true;
    void this.#ask();
    return false;
  }

  async #ask() {
    if (this.#isAsking) return;
    this.#isAsking = true;
    const asked = performance.now();
    const isOurs = await holdsLock(this.#lock);
    this.#isAsking = false;
    // If it is not, the news of that is on its way.
    if (!isOurs || !this.#isRunning) return;
    this.#at = asked;
    this.#sure();
  }
}
