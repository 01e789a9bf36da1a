/** The views of one page on a node: what happens to all of them. */

export class Views {
  /** `SwitchEnd` → its configuration. */
  #all = new Map();

  add(view, config) {
    this.#all.set(view, config);
  }

  delete(view) {
    this.#all.delete(view);
  }

  has(view) {
    return this.#all.has(view);
  }

  get size() {
    return this.#all.size;
  }

  /** `[view, configuration]` of each. */
  [Symbol.iterator]() {
    return this.#all.entries();
  }

  /** The node behind them is gone. */
  lose() {
    for (const view of this.#all.keys()) view.lose();
  }

  refuse(error) {
    for (const view of this.#all.keys()) view.refuse(error);
  }

  tell(event) {
    for (const view of this.#all.keys()) view.tell(event);
  }

  /** A node tells what it told while they were away; one with other sessions has lost what was accepted before. */
  adopt({ lineage, undelivered }, before) {
    for (const view of this.#all.keys()) {
      if (lineage && lineage !== before) view.orphanAccepted();
      else view.catchUp(undelivered);
    }
  }

  /** The node runs here: `hub` knows what was delivered. */
  settle(hub) {
    for (const view of this.#all.keys()) {
      const peers = view.unsettled;
      if (peers.length > 0) view.settle(hub.settled(peers));
    }
  }
}
