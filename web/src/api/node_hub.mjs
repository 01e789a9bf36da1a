/** One Python node and its views: objects of this page, and other tabs (`follower.mjs`). */

import { fromPython, fromShape, nodeMoved } from "./errors.mjs";
import { NodeState } from "./node_state.mjs";
import { NodeView } from "./node_view.mjs";
import { api, death } from "./runtime.mjs";
import { TRADING_METHODS } from "./trading.mjs";
import { tradingPart } from "./trading_loader.mjs";

export class NodeHub {
  #python = null;
  #views = new Set();
  /** Python's number of a call → whose it is: `{view, number, reply, bytes}`. */
  #calls = new Map();
  #watches = new Map();
  #next = 1;
  #trading = null;
  /** Peer → number of the batch that Python waits for. */
  #unacknowledged = new Map();
  /** Of those, what was taken while a view was full. */
  #held = new Map();
  #batches = 0;
  #isOver = false;
  #ended = null;
  /** `[tab, came]` of each tab that is waited for. */
  #awaited = new Set();

  /**
   * `isShared`: it is the node of an identity of the site, as `epoch` of `epoch.mjs`, run by the tab `tab`. Throws the error
   * of a wrong configuration. `onState(state)` is called when what a successor would have to know has changed.
   */
  constructor(config, { isShared = false, epoch = 0, tab = "", onState = () => {} } = {}) {
    this.state = new NodeState(onState);
    this.tab = tab;
    this.#python = make(config, epoch, {
      reply: (call, ok, text) => this.#reply(call, ok, text),
      reply_bytes: (call, data, count) => this.#take(call)?.bytes(data, count),
      accepted: (call, answer) => this.#calls.get(call)?.accepted?.(answer),
      event: (text) => this.#event(text),
      messages: (peer, data, count) => this.#messages(peer, data, count),
      progress: (call, done, total) => this.#progress(call, done, total),
      signal: (peer, kind, text) => {
        for (const view of this.#views) if (view.listens.signals) view.hooks.signal(peer, kind, text);
      },
      ask_tab: (name, number, text) => this.#askTab(name, number, text),
    });
    if (isShared) this.#python.listen_events(true);
    this.isShared = isShared;
  }

  get isEmpty() {
    return this.#views.size === 0;
  }

  /** The end of one view, by which `hooks` are told. */
  attach(hooks) {
    const view = new NodeView(this, hooks);
    this.#views.add(view);
    for (const [tab, came] of [...this.#awaited]) if (tab === view.tab) came();
    return view;
  }

  // --- other tabs

  #viewOf(tab) {
    return [...this.#views].find((view) => view.tab === tab);
  }

  #askTab(tab, number, text) {
    const view = this.#viewOf(tab);
    if (view) view.hooks.ask_tab(number, text);
    else this.#python.tab_gone(tab);
  }

  /** Resolves with true once a view of `tab` is there, with false if that takes longer than `ms`. */
  hasTab(tab, ms) {
    if (this.#viewOf(tab)) return Promise.resolve(true);
    return new Promise((resolve) => {
      const end = (isThere) => {
        this.#awaited.delete(entry);
        resolve(isThere);
      };
      const entry = [tab, () => end(true)];
      this.#awaited.add(entry);
      setTimeout(() => end(false), ms);
    });
  }

  /** Python's object. Throws when it has ended. */
  get python() {
    if (this.#isOver) throw nodeMoved();
    return this.#python;
  }

  /** Python's number for a call; `entry` has `reply`, and `bytes` for an answer of messages. */
  number(entry) {
    const number = this.#next++;
    this.#calls.set(number, entry);
    return number;
  }

  forget(number) {
    this.#calls.delete(number);
  }

  has(number) {
    return this.#calls.has(number);
  }

  fail(number, error) {
    this.#take(number)?.reply(false, JSON.stringify(error));
  }

  /** Ends a call that its view no longer waits for. */
  cancel(view, number) {
    for (const [own, entry] of this.#calls) {
      if (entry.view !== view || entry.number !== number) continue;
      this.#calls.delete(own);
      this.#watches.delete(own);
      this.python.cancel(own);
      return;
    }
  }

  watch(number, entry) {
    this.#watches.set(number, entry);
  }

  #take(number) {
    const entry = this.#calls.get(number);
    this.#calls.delete(number);
    return entry;
  }

  #reply(number, ok, text) {
    if (!ok) this.#watches.delete(number);
    this.#take(number)?.reply(ok, text);
  }

  #progress(number, done, total) {
    const entry = this.#watches.get(number);
    if (done >= total) this.#watches.delete(number);
    entry?.(done, total);
  }

  /** A call of the page itself. */
  async run(name, values) {
    await this.prepare(name);
    const answer = await new Promise((resolve, reject) => {
      const reply = (ok, text) => (ok ? resolve(JSON.parse(text)) : reject(fromShape(JSON.parse(text))));
      this.python.call(this.number({ reply }), name, JSON.stringify(values));
    });
    if (name === "connect_wallet") this.state.wallet(values[0], values[1] ?? this.tab);
    return answer;
  }

  /** Peer → what became of messages to it, as `NodeBridge.settled` has it. */
  settled(peers) {
    return this.#isOver ? {} : JSON.parse(this.#python.settled(JSON.stringify(peers)));
  }

  /** An event for all views that is not Python's. */
  tell(event) {
    this.#event(JSON.stringify({ at: Date.now() / 1000, ...event }));
  }

  /** Loads what `name` needs; null when it is there. */
  prepare(name) {
    if (!TRADING_METHODS.has(name) || this.#trading === true) return null;
    this.state.trades();
    this.#trading ??= tradingPart().then((module) => {
      module.attach(this.python);
      this.#trading = true;
    }).catch((error) => {
      this.#trading = null;
      throw fromPython(error);
    });
    return this.#trading;
  }

  // --- what Python tells

  #event(text) {
    // Of one that another tab goes on with, the rest is not true any more.
    if (this.#isOver && !text.includes('"message:undelivered"')) return;
    for (const view of this.#views) view.event(text);
    // After that, since a state tells views that were away what the others were told.
    this.state.happened(text);
  }

  /** True when the peer's next messages are to wait for an acknowledgement. */
  #messages(peer, data, count) {
    const batch = ++this.#batches;
    let isTaken = false;
    let isFirst = true;
    for (const view of this.#views) {
      // Each view gets bytes of its own: a page may change or transfer them.
      if (!view.wants(peer)) continue;
      const waits = view.messages(peer, isFirst ? data : data.slice(), count, batch);
      isFirst = false;
      if (!waits) isTaken = true;
    }
    if (isFirst || (isTaken && !this.#isFull)) return false;
    this.#unacknowledged.set(peer, batch);
    if (isTaken) this.#held.set(peer, batch);
    return true;
  }

  /** Whether a view has so much on its way that no peer's next messages may come. */
  get #isFull() {
    return [...this.#views].some((view) => view.isFull);
  }

  /** A view has taken `batch` of `peer`: the first that does lets the next come. */
  acknowledge(peer, batch) {
    if (this.#unacknowledged.get(peer) !== batch || this.#isOver) return;
    if (this.#isFull) {
      this.#held.set(peer, batch);
      return;
    }
    this.#unacknowledged.delete(peer);
    this.#held.delete(peer);
    this.#python.acknowledge_batch(peer);
  }

  /** A view has room again, or is gone. */
  release() {
    for (const [peer, batch] of [...this.#held]) this.acknowledge(peer, batch);
  }

  /** Messages of `peer` that one view asked for go to all that ask for this peer's messages. */
  pulled(peer, data, count, asker) {
    asker.pulled(peer, data, count);
    for (const view of this.#views) if (view !== asker && view.asks(peer)) view.pulled(peer, data.slice(), count);
  }

  isPulling(peer) {
    return [...this.#views].some((view) => view.isPulling(peer));
  }

  listen() {
    if (this.#isOver) return;
    const any = (kind) => [...this.#views].some((view) => view.listens[kind]);
    const python = this.#python;
    if (!this.isShared) python.listen_events(any("events"));
    python.listen_signals(any("signals"));
    const wasOn = this.isListening;
    this.isListening = any("messages");
    if (wasOn !== this.isListening) python.listen_messages(this.isListening);
    if (wasOn && !this.isListening) for (const view of this.#views) view.pull_again();
  }

  // --- the end

  /** Whether the node has to go on when `view` stops. */
  isUpWithout(view) {
    return [...this.#views].some((other) => other !== view && other.isUp === true);
  }

  /** Takes a view away. Resolves when that, or with the last one the node, has ended. */
  async detach(view) {
    if (!this.#views.delete(view)) return;
    if (this.isEmpty || this.#isOver) {
      await this.end();
      return;
    }
    for (const [peer, batch] of view.owed()) this.acknowledge(peer, batch);
    if (view.tab && !this.#viewOf(view.tab)) this.#python.tab_gone(view.tab);
    for (const [number, entry] of [...this.#calls]) {
      if (entry.view !== view) continue;
      this.#calls.delete(number);
      this.#python.cancel(number);
    }
    this.release();
    this.listen();
    for (const other of this.#views) other.pull_again();
  }

  /** Says goodbye, and lets go of the Python object. */
  end() {
    this.#ended ??= this.#end("free");
    return this.#ended;
  }

  /**
   * Another tab goes on with the node: drops everything at once, and says nothing to any peer. Views that
   * were not left yet are told before this returns of what was accepted and not acknowledged.
   */
  abandon() {
    this.#ended ??= this.#end("abandon");
    return this.#ended;
  }

  /** As `abandon`, with the channels: bytes for `takeUp` in the tab that goes on, or null. What it goes on with is not told. */
  handOver() {
    let handed = null;
    this.#ended ??= this.#end("hand_over", (bytes) => { handed = bytes; });
    return handed;
  }

  /** Whether the node goes on with what `handOver` returned, from its start. */
  takeUp(handed) {
    return this.#python.take_up(handed) === "";
  }

  /** As `abandon`, but peers are told that this page may come back. */
  leave() {
    this.#ended ??= this.#end("leave");
    return this.#ended;
  }

  async #end(how, taken = () => {}) {
    this.#isOver = true;
    const python = this.#python;
    await new Promise((resolve) => {
      const number = this.number({ reply: resolve });
      try {
        taken(python[how](number));
        if (death) resolve();
      } catch {
        // A dead runtime has nothing left to end.
        resolve();
      }
    });
    try {
      python.destroy();
    } catch {
      // As above.
    }
  }
}

function make(config, epoch, hooks) {
  let made;
  try {
    made = api.make_node(config, hooks, epoch);
  } catch (error) {
    throw fromPython(error);
  }
  if (typeof made === "string") throw fromShape(JSON.parse(made));
  return made;
}
