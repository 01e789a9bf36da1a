/** The lines by which the views of this page use the node of another tab. */

import { RemoteEnd, hello } from "./follower.mjs";

/** Milliseconds for which the other tab is waited for by a view that is freed. */
const PATIENCE = 3000;
const MISSED = {
  type: "error", code: "RESOURCE_LIMIT", message: "this tab did not take its messages in time and missed some",
  hint: "Other tabs of this site have them.",
};

export class Remotes {
  #tab;
  #post;
  #on;
  /** View → `{config, remote}`. */
  #all = new Map();

  /**
   * `tab`: the name of this one. `post(message)` tells all tabs. `state(state)` is called when the other tab tells of its
   * node, and returns false if
   * that tab was relieved and does not know it yet; `isCurrent(lineage)` when it tells of messages it accepted.
   */
  constructor(tab, post, { state, isCurrent }) {
    this.#tab = tab;
    this.#post = post;
    this.#on = { state, isCurrent };
  }

  follow(view, config) {
    const remote = new RemoteEnd(view.hooks(), {
      ready: () => this.#greet(remote, config),
      welcome: () => view.use(remote),
      state: this.#on.state,
      settled: (lineage, settled) => this.#on.isCurrent(lineage) && view.settle(settled),
      refuse: (error) => view.refuse(error),
      cut: () => this.#missed(view, config),
    });
    this.#all.set(view, { config, remote });
  }

  #greet(remote, config) {
    if (remote.isReady && !remote.isWelcome) this.#post(hello(remote.id, this.#tab, config));
  }

  /** Called at short intervals. */
  tick() {
    for (const [view, { config, remote }] of this.#all) {
      this.#greet(remote, config);
      const peers = view.unsettled;
      if (peers.length > 0) remote.askSettled(peers);
    }
  }

  /** This tab slept while messages came: they went to the others alone. */
  #missed(view, config) {
    this.#all.get(view)?.remote.close();
    view.lose();
    this.follow(view, config);
    view.tell(MISSED);
  }

  /** A view was freed. What it was asked last is on its way, but a tab that hangs does not answer. */
  leave(view) {
    const known = this.#all.get(view);
    this.#all.delete(view);
    if (!known) return;
    setTimeout(() => {
      known.remote.close();
      view.lose();
    }, PATIENCE);
  }

  close() {
    for (const { remote } of this.#all.values()) remote.close();
    this.#all.clear();
  }
}
