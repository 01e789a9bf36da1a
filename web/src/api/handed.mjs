/** Channels that the tab which ran the node left to the one that goes on. */

/** Milliseconds. */
const PATIENCE = 100;

export class Handed {
  #epoch = 0;
  #bytes = null;
  #kept = () => {};

  /** Ends the node of `hub` here, and leaves its channels to the tab with the next epoch. */
  static give(hub, epoch, post) {
    const bytes = hub?.handOver();
    if (bytes) post({ what: "handed", epoch, bytes });
  }

  keep({ epoch, bytes }) {
    this.#epoch = epoch;
    this.#bytes = bytes;
    this.#kept();
  }

  /** Resolves once something is there, or nothing is on its way: a lock may come before the message posted ahead of it. */
  async come() {
    if (this.#bytes) return;
    await new Promise((resolve) => {
      this.#kept = resolve;
      setTimeout(resolve, PATIENCE);
    });
  }

  /** Whether `hub` goes on with what the tab right before `epoch` left. What an earlier one left is of no use any more. */
  taken(hub, epoch) {
    const bytes = this.#epoch + 1 === epoch ? this.#bytes : null;
    this.#bytes = null;
    return bytes !== null && hub.takeUp(bytes);
  }
}
