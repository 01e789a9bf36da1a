/** How long the tab that runs a node has answered nobody. */

/** Milliseconds between two questions of a follower. */
export const ASK_EVERY = 500;
/** Milliseconds without an answer after which that tab is relieved. */
const LIMIT = 5000;
/** The same while it starts Python, which holds up a slow device for long. */
const STARTING_LIMIT = 60_000;

export class Silence {
  #ms = 0;
  #limit = LIMIT;

  begin() {
    this.#ms = 0;
  }

  /** The other tab has answered; `isReady`: it does not start Python any more. */
  heard(isReady) {
    this.#ms = 0;
    this.#limit = isReady ? LIMIT : STARTING_LIMIT;
  }

  /** One more question. Each is one step of silence at most: this tab may have been the one that slept. */
  asked() {
    this.#ms += ASK_EVERY;
  }

  get isTooLong() {
    return this.#ms >= this.#limit;
  }
}
