/** Channels that the tab which ran the node left to the one that goes on. */

export class Handed {
  #epoch = 0;
  #bytes = null;

  /** Ends the node of `hub` here, and leaves its channels to the tab with the next epoch. */
  static give(hub, epoch, post) {
    const bytes = hub?.handOver();
    if (bytes) post({ what: "handed", epoch, bytes });
  }

  keep({ epoch, bytes }) {
    this.#epoch = epoch;
    this.#bytes = bytes;
  }

  /** Whether `hub` goes on with what the tab right before `epoch` left. What an earlier one left is of no use any more. */
  taken(hub, epoch) {
    const bytes = this.#epoch + 1 === epoch ? this.#bytes : null;
    this.#bytes = null;
    return bytes !== null && hub.takeUp(bytes);
  }
}
