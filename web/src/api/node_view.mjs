/** One user of a node: its numbers of calls, what it listens to, and its own messages to receive. */

import { acceptedCount, acceptedIds, slice } from "./batches.mjs";

/** Bytes of messages that may wait for a view's `receive` while another view takes the same ones. */
const MAX_WAITING = 8 * 1024 * 1024;
/** Calls about the wallet extensions of the tab that makes them. */
const OF_TAB = new Set(["connect_wallet", "get_available_wallets"]);

export class NodeView {
  #hub;
  /** Peer → messages for those who ask: `{messages, bytes, asks, isPulling}`. */
  #queues = new Map();
  /** Peer → numbers of the batches that this view got and has not acknowledged. */
  #owed = new Map();

  /**
   * `hooks`: `reply`, `reply_bytes`, `accepted`, `event`, `messages`, `progress`, `signal`, as `Bridge` has them; of a view in
   * another tab also `tab`, its name, and `ask_tab(number, text)`, which `told_by_tab` answers.
   */
  constructor(hub, hooks) {
    this.#hub = hub;
    this.hooks = hooks;
    this.listens = { messages: false, events: false, signals: false };
    /** null: it has asked for nothing yet; false: it has stopped. */
    this.isUp = null;
  }

  /** Name of the tab that the view is in; of this one "". */
  get tab() {
    return this.hooks.tab ?? "";
  }

  #entry(number) {
    return {
      view: this, number, reply: (ok, text) => this.hooks.reply(number, ok, text),
      accepted: (answer) => this.hooks.accepted(number, answer),
    };
  }

  // --- calls

  call(number, name, text) {
    if (name === "stop") return this.#stop(number, text);
    this.#up();
    const values = name === "connect_wallet" ? JSON.parse(text) : null;
    const ready = this.#hub.prepare(name);
    const entry = this.#entry(number);
    if (values) {
      entry.reply = (ok, answer) => {
        if (ok) this.#hub.state.wallet(values[0], this.tab || this.#hub.tab);
        this.hooks.reply(number, ok, answer);
      };
    }
    const own = this.#hub.number(entry);
    const sent = this.tab && OF_TAB.has(name) ? JSON.stringify([...JSON.parse(text), this.tab]) : text;
    const begin = () => this.#hub.has(own) && this.#hub.python.call(own, name, sent);
    if (ready) ready.then(begin).catch((error) => this.#hub.fail(own, error));
    else begin();
  }

  /** Ends this view's share; the node itself stops with the last that is up. */
  #stop(number, text) {
    const wasUp = this.isUp;
    this.isUp = false;
    if (!this.#hub.isUpWithout(this)) {
      this.#hub.python.call(this.#hub.number(this.#entry(number)), "stop", text);
      return;
    }
    if (wasUp) this.#tellNode("stopped");
    this.hooks.reply(number, true, "null");
  }

  #up() {
    const wasStopped = this.isUp === false && this.#hub.isUpWithout(this);
    this.isUp = true;
    if (wasStopped) this.#tellNode("ready");
  }

  #tellNode(state) {
    const { peer_id } = this.#hub.state;
    if (this.listens.events) this.hooks.event(JSON.stringify({ type: "node", at: Date.now() / 1000, state, peer_id }));
  }

  cancel(number) {
    this.#hub.cancel(this, number);
  }

  /** Which of `count` packed messages were accepted at once (`acceptedIds`); the reply is about the others. */
  send(number, peer, data, count) {
    this.#up();
    const own = this.#hub.number(this.#entry(number));
    const answer = this.#hub.python.send(own, peer, data, count);
    if (acceptedCount(answer) === count) this.#hub.forget(own);
    return answer;
  }

  /** All of a `send` was accepted, and its caller is told by a reply. */
  settled(number, answer) {
    this.hooks.reply(number, true, JSON.stringify(acceptedIds(answer)));
  }

  send_with_progress(number, peer, data, ...how) {
    this.#up();
    const own = this.#hub.number(this.#entry(number));
    this.#hub.watch(own, (done, total) => this.hooks.progress(number, done, total));
    this.#hub.python.send_with_progress(own, peer, data, ...how);
  }

  told_by_tab(number, text) {
    this.#hub.python.told_by_tab(number, text);
  }

  // --- events and signals

  event(text) {
    if (this.listens.events && this.isUp !== false) this.hooks.event(text);
  }

  listen_events(on) {
    this.listens.events = on;
    this.#hub.listen();
  }

  listen_signals(on) {
    this.listens.signals = on;
    this.#hub.listen();
  }

  listen_messages(on) {
    this.listens.messages = on;
    this.#hub.listen();
  }

  /** Whether so much is on its way to another tab that the next messages wait. */
  get isFull() {
    return this.hooks.isFull?.() ?? false;
  }

  // --- messages

  /** Whether messages of `peer` are for this view. */
  wants(peer) {
    return this.isUp !== false && (this.listens.messages || this.#queues.has(peer));
  }

  /** True when it wants time: `acknowledge_batch` follows. */
  messages(peer, data, count, batch) {
    if (!this.listens.messages) {
      this.pulled(peer, data, count);
      return false;
    }
    if (!this.hooks.messages(peer, data, count)) return false;
    const owed = this.#owed.get(peer);
    if (owed) owed.push(batch);
    else this.#owed.set(peer, [batch]);
    return true;
  }

  acknowledge_batch(peer) {
    const owed = this.#owed.get(peer);
    if (!owed) return;
    const batch = owed.shift();
    if (owed.length === 0) this.#owed.delete(peer);
    this.#hub.acknowledge(peer, batch);
    this.#hub.release();
  }

  /** `[peer, batch]` of everything that was not acknowledged. */
  owed() {
    return [...this.#owed].flatMap(([peer, batches]) => batches.map((batch) => [peer, batch]));
  }

  /** Messages of `peer`, at least one, as soon as there are some: in the reply. */
  receive_batch(number, peer) {
    this.#up();
    let queue = this.#queues.get(peer);
    if (!queue) this.#queues.set(peer, queue = { messages: [], bytes: 0, asking: 0, isPulling: false });
    queue.asking = number;
    if (queue.messages.length > 0) this.#give(queue);
    else if (!this.#hub.isPulling(peer)) this.#pull(peer, queue);
  }

  #give(queue) {
    const number = queue.asking;
    queue.asking = 0;
    const messages = queue.messages.splice(0);
    queue.bytes = 0;
    this.hooks.reply_messages(number, messages);
  }

  asks(peer) {
    return this.#queues.has(peer) && !this.listens.messages && this.isUp !== false;
  }

  isPulling(peer) {
    return this.#queues.get(peer)?.isPulling ?? false;
  }

  #pull(peer, queue) {
    queue.isPulling = true;
    const own = this.#hub.number({
      view: this, number: 0,
      bytes: (data, count) => {
        queue.isPulling = false;
        this.#hub.pulled(peer, data, count, this);
      },
      reply: (ok, text) => {
        queue.isPulling = false;
        // While another view takes every message as it comes, this one gets its share of them.
        if (this.#hub.isListening && !this.listens.messages && JSON.parse(text).code === "STREAM_BUSY") return;
        const { asking } = queue;
        this.#queues.delete(peer);
        if (asking) this.hooks.reply(asking, false, text);
        this.#hub.pull_again();
      },
    });
    this.#hub.python.receive_batch(own, peer);
  }

  /** Begins to ask Python again for whoever waits: the view that did so is gone, or no view listens any more. */
  pull_again() {
    for (const [peer, queue] of [...this.#queues]) {
      if (queue.asking && !this.#hub.isPulling(peer)) this.#pull(peer, queue);
    }
  }

  /** Messages that came for all who ask. */
  pulled(peer, data, count) {
    const queue = this.#queues.get(peer);
    if (!queue) return;
    queue.messages.push(...(count === 1 ? [data] : slice(data, count)));
    queue.bytes += data.length;
    if (queue.asking) this.#give(queue);
    else this.#bound(peer, queue);
  }

  /** What nobody in this view asks for, while others take it, is bounded, and told. */
  #bound(peer, queue) {
    let lost = 0;
    while (queue.bytes > MAX_WAITING) {
      queue.bytes -= queue.messages.shift().length;
      lost += 1;
    }
    if (lost === 0) return;
    const message = `${lost} messages of ${peer.slice(-6)} were not received in this tab in time`;
    const hint = "Other tabs have them. Receive messages as they come, or take no part.";
    this.event(JSON.stringify({ type: "error", at: Date.now() / 1000, code: "RESOURCE_LIMIT", message, hint }));
  }

  /** The end of this view; the reply says that nothing of it is left. */
  free(number) {
    void this.#hub.detach(this).then(() => this.hooks.reply(number, true, "null"));
  }
}
