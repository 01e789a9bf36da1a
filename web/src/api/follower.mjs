/**
 * The line between the tab that runs a node and one view in another tab. Each follower has a channel of its own name, since
 * every listener of a channel gets a copy of every message.
 */

import { acceptedCount, acceptedIds } from "./batches.mjs";
import { fromPython, fromShape } from "./errors.mjs";
import { lineLock, takeLock } from "./locks.mjs";
import { TabWallets } from "./tab_wallets.mjs";
import { build } from "./version.mjs";

const METHODS = ["call", "cancel", "send", "send_with_progress", "receive_batch", "acknowledge_batch", "listen_messages", "listen_events", "listen_signals", "told_by_tab", "free"];
const HOOKS = ["reply", "accepted", "event", "progress", "signal", "ask_tab"];
/** Bytes of messages on their way to a follower above which the peers wait. */
const WINDOW = 4 * 1024 * 1024;

/** Cloning a view would copy all the memory that it is a view of. */
const own = (data) => (data.byteLength === data.buffer.byteLength ? data : data.slice());

const isRecord = (value) => typeof value === "object" && value !== null;

/**
 * The follower's end. `welcome()`, `state(state)`, `refuse(error)`, `settled(lineage, settled)` and `cut()` are called as
 * the other tab says so; a `state` that is refused (false) is of a tab that was relieved and does not know it yet.
 */
export class RemoteEnd {
  #channel;
  #hooks;
  #on;
  #release = null;
  #isClosed = false;
  #wallets = null;
  isWelcome = false;

  constructor(hooks, on) {
    this.id = crypto.randomUUID();
    this.#hooks = hooks;
    this.#on = on;
    const place = lineLock(this.id);
    this.#channel = new BroadcastChannel(place);
    this.#channel.onmessage = ({ data }) => Array.isArray(data) && this.#told(...data);
    // Held as long as this tab lives: the other one waits for it, and so learns of our end.
    void takeLock(place).then((release) => {
      if (this.#isClosed) return release();
      this.#release = release;
      on.ready();
    });
  }

  /** Whether the other tab can learn of our end, and so may learn of us. */
  get isReady() {
    return this.#release !== null;
  }

  #told(what, ...values) {
    if (what === "welcome" || what === "state") this.#toldState(what, values[0]);
    else if (what === "refuse") this.#on.refuse(fromShape(values[0] ?? {}));
    else if (what === "cut") this.#on.cut();
    else if (what === "settled") this.#on.settled(...values);
    else if (what === "messages") this.#messages(...values);
    else if (what === "reply_messages") this.#hooks.reply_messages(...values);
    else if (what === "ask_tab") this.#askWallets(...values);
    else if (HOOKS.includes(what)) this.#hooks[what](...values);
  }

  #toldState(what, state) {
    if (!isRecord(state) || !this.#on.state(state)) return;
    if (what !== "welcome" || this.isWelcome) return;
    this.isWelcome = true;
    this.#on.welcome();
  }

  #askWallets(number, text) {
    this.#wallets ??= new TabWallets((to, answer) => this.#isClosed || this.#post("told_by_tab", to, answer), (kind) => {
      this.#hooks.event(JSON.stringify({ type: "wallet_available", at: Date.now() / 1000, kind }));
    });
    void this.#wallets.ask(number, text);
  }

  /** Asks what became of messages that were accepted for `peers`. */
  askSettled(peers) {
    this.#post("unsettled", peers);
  }

  #messages(peer, data, count) {
    if (!this.#hooks.messages(peer, data, count)) this.#post("acknowledge_batch", peer);
  }

  #post(...message) {
    this.#channel.postMessage(message);
  }

  close() {
    this.#isClosed = true;
    this.#wallets?.close();
    this.#channel.close();
    this.#release?.();
  }

  // --- as NodeView has them

  call(number, name, text) {
    this.#post("call", number, name, text);
  }

  cancel(number) {
    this.#post("cancel", number);
  }

  send(number, peer, data, count) {
    this.#post("send", number, peer, own(data), count);
    return 0;
  }

  /** The other tab replies to every `send`. */
  settled() {}

  send_with_progress(number, peer, data, ...how) {
    this.#post("send_with_progress", number, peer, own(data), ...how);
  }

  /** The node here asks no tab. */
  told_by_tab() {}

  receive_batch(number, peer) {
    this.#post("receive_batch", number, peer);
  }

  acknowledge_batch(peer) {
    this.#post("acknowledge_batch", peer);
  }

  listen_messages(on) {
    this.#post("listen_messages", on);
  }

  listen_events(on) {
    this.#post("listen_events", on);
  }

  listen_signals(on) {
    this.#post("listen_signals", on);
  }

  free(number) {
    this.#post("free", number);
  }
}

/**
 * The other end, in the tab that runs the node: what the follower asks goes to `end`, a `SwitchEnd` with `hooks`.
 * `settled(peers)` returns what `RemoteEnd` is told, or null while this tab does not know. `tab` is the name of the follower's tab.
 */
export class FollowerLine {
  #channel;
  #end = null;
  #settled;
  #unacknowledged = 0;
  #sizes = new Map();
  #gone = new AbortController();

  constructor(id, tab, settled) {
    const place = lineLock(id);
    this.#settled = settled;
    this.#channel = new BroadcastChannel(place);
    this.#channel.onmessage = ({ data }) => Array.isArray(data) && this.#asked(...data);
    this.ended = takeLock(place, { signal: this.#gone.signal }).then((release) => release(), () => {});
    /** When it has been full since, or 0. */
    this.fullSince = 0;
    this.hooks = {
      reply_messages: (number, messages) => this.tell("reply_messages", number, messages.map(own)),
      messages: (peer, data, count) => this.#messages(peer, data, count),
      isFull: () => this.#unacknowledged > WINDOW,
    };
    for (const name of HOOKS) this.hooks[name] = (...values) => this.tell(name, ...values);
    // Each tab has wallet extensions of its own, and finds them itself.
    this.hooks.event = (text) => text.includes('"wallet_available"') || this.tell("event", text);
    this.hooks.tab = tab;
  }

  serve(end) {
    this.#end = end;
  }

  tell(...message) {
    this.#channel.postMessage(message);
  }

  #messages(peer, data, count) {
    const sizes = this.#sizes.get(peer);
    if (sizes) sizes.push(data.length);
    else this.#sizes.set(peer, [data.length]);
    this.#unacknowledged += data.length;
    if (this.hooks.isFull()) this.fullSince ||= performance.now();
    this.tell("messages", peer, own(data), count);
    return true;
  }

  #asked(what, ...values) {
    try {
      if (what === "unsettled") this.#tellSettled(values[0]);
      else if (what === "send") this.#send(...values);
      else if (METHODS.includes(what)) this.#end[what](...values);
      if (what === "acknowledge_batch") this.#acknowledged(values[0]);
    } catch (error) {
      this.tell("reply", values[0], false, JSON.stringify(fromPython(error)));
    }
  }

  #tellSettled(peers) {
    const settled = this.#settled(peers);
    if (settled) this.tell("settled", ...settled);
  }

  #acknowledged(peer) {
    this.#unacknowledged -= this.#sizes.get(peer)?.shift() ?? 0;
    this.fullSince = this.hooks.isFull() ? performance.now() : 0;
  }

  #send(number, peer, data, count) {
    const answer = this.#end.send(number, peer, data, count);
    if (answer === 0) return;
    if (acceptedCount(answer) === count) this.tell("reply", number, true, JSON.stringify(acceptedIds(answer)));
    else this.tell("accepted", number, answer);
  }

  close() {
    this.#gone.abort();
    this.#channel.close();
  }
}

export const hello = (id, tab, config) => ({ what: "hello", id, tab, build, config });
