/**
 * The line between the tab that runs a node and one view in another tab. Each follower has a channel of its own name, since
 * every listener of a channel gets a copy of every message.
 */

import { acceptedCount, acceptedIds } from "./batches.mjs";
import { fromShape } from "./errors.mjs";
import { nodeLock, takeLock } from "./locks.mjs";
import { build } from "./version.mjs";

const METHODS = ["call", "cancel", "send", "send_with_progress", "receive_batch", "acknowledge_batch", "listen_messages", "listen_events", "listen_signals", "free"];
const HOOKS = ["reply", "accepted", "event", "progress", "signal"];
/** Bytes of messages on their way to a follower above which the peers wait. */
const WINDOW = 4 * 1024 * 1024;

/** Messages that were accepted of a tab, by peer: both ends of a line count them alike. */
class Accepted {
  #sends = new Map();
  #counts = new Map();

  sent(number, peer, count) {
    this.#sends.set(number, { peer, count });
  }

  /** Of the call `number`, those of `answer` were accepted; with its reply all that were left, or none. */
  add(number, answer) {
    this.#add(number, acceptedCount(answer));
  }

  #add(number, some) {
    const send = this.#sends.get(number);
    if (!send) return;
    send.count -= some;
    this.#counts.set(send.peer, (this.#counts.get(send.peer) ?? 0) + some);
  }

  end(number, ok) {
    const send = this.#sends.get(number);
    if (ok && send) this.#add(number, send.count);
    this.#sends.delete(number);
  }

  /** The first `count` for `peer` were delivered. */
  settle(peer, count) {
    const left = (this.#counts.get(peer) ?? 0) - count;
    if (left > 0) this.#counts.set(peer, left);
    else this.#counts.delete(peer);
  }

  /** `[peer, count]` of those of which nothing is known. */
  left() {
    return [...this.#counts];
  }
}

/** Cloning a view would copy all the memory that it is a view of. */
const own = (data) => (data.byteLength === data.buffer.byteLength ? data : data.slice());

/** The follower's end. `welcome(state)`, `refuse(error)` and `cut()` are called as the other tab says so. */
export class RemoteEnd {
  #channel;
  #hooks;
  #on;
  #release = null;
  #accepted = new Accepted();
  isWelcome = false;

  constructor(name, hooks, on) {
    this.id = crypto.randomUUID();
    this.#hooks = hooks;
    this.#on = on;
    const place = `${nodeLock(name)}/${this.id}`;
    this.#channel = new BroadcastChannel(place);
    this.#channel.onmessage = ({ data: [what, ...values] }) => this.#told(what, values);
    // Held as long as this tab lives: the other one waits for it, and so learns of our end.
    this.ready = takeLock(place).then((release) => {
      this.#release = release;
    });
  }

  #told(what, values) {
    if (what === "welcome") {
      const isFirst = !this.isWelcome;
      this.isWelcome = true;
      this.#on.state(values[0]);
      if (isFirst) this.#on.welcome();
    } else if (what === "state") this.#on.state(values[0]);
    else if (what === "refuse") this.#on.refuse(fromShape(values[0]));
    else if (what === "cut") this.#on.cut();
    else if (what === "messages") this.#messages(...values);
    else if (what === "reply_messages") this.#hooks.reply_messages(...values);
    else if (what === "delivered") this.#accepted.settle(...values);
    else if (what === "reply" || what === "accepted") this.#replied(what, values);
    else if (HOOKS.includes(what)) this.#hooks[what](...values);
  }

  #replied(what, values) {
    if (what === "accepted") this.#accepted.add(...values);
    else this.#accepted.end(...values);
    this.#hooks[what](...values);
  }

  /** `[peer, count]` of messages that were accepted and may have gone with the other tab. */
  undelivered() {
    return this.#accepted.left();
  }

  #messages(peer, data, count) {
    if (!this.#hooks.messages(peer, data, count)) this.#post("acknowledge_batch", peer);
  }

  #post(...message) {
    this.#channel.postMessage(message);
  }

  close() {
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
    this.#accepted.sent(number, peer, count);
    this.#post("send", number, peer, own(data), count);
    return 0;
  }

  /** The other tab replies to every `send`. */
  settled() {}

  send_with_progress(number, peer, data, delivered) {
    this.#accepted.sent(number, peer, 1);
    this.#post("send_with_progress", number, peer, own(data), delivered);
  }

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

/** The other end, in the tab that runs the node: what the follower asks goes to `end`, a `SwitchEnd` with `hooks`. */
export class FollowerLine {
  #channel;
  #end = null;
  #unacknowledged = 0;
  #sizes = new Map();
  #gone = new AbortController();
  #accepted = new Accepted();

  constructor(name, id) {
    const place = `${nodeLock(name)}/${id}`;
    this.#channel = new BroadcastChannel(place);
    this.#channel.onmessage = ({ data: [what, ...values] }) => {
      if (METHODS.includes(what)) this.#asked(what, values);
    };
    this.ended = takeLock(place, { signal: this.#gone.signal }).then((release) => release(), () => {});
    /** When it has been full since, or 0. */
    this.fullSince = 0;
    this.hooks = {
      reply_messages: (number, messages) => this.tell("reply_messages", number, messages.map(own)),
      messages: (peer, data, count) => this.#messages(peer, data, count),
      isFull: () => this.#unacknowledged > WINDOW,
    };
    for (const name of HOOKS) this.hooks[name] = (...values) => this.tell(name, ...values);
    this.hooks.reply = (...values) => this.#reply(...values);
    this.hooks.accepted = (...values) => this.#took(...values);
  }

  #reply(number, ok, text) {
    this.#accepted.end(number, ok);
    this.tell("reply", number, ok, text);
  }

  #took(number, answer) {
    this.#accepted.add(number, answer);
    this.tell("accepted", number, answer);
  }

  /** Tells the tab what of its messages was delivered; `isDelivered(peer)`: all that this node accepted for that peer was. */
  async settle(isDelivered) {
    for (const [peer, count] of this.#accepted.left()) {
      if (!(await isDelivered(peer))) continue;
      this.#accepted.settle(peer, count);
      this.tell("delivered", peer, count);
    }
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

  #asked(what, values) {
    if (what === "acknowledge_batch") {
      this.#unacknowledged -= this.#sizes.get(values[0])?.shift() ?? 0;
      this.fullSince = this.hooks.isFull() ? performance.now() : 0;
    }
    const [number, peer, , count] = values;
    if (what === "send") this.#accepted.sent(number, peer, count);
    if (what === "send_with_progress") this.#accepted.sent(number, peer, 1);
    try {
      const answer = this.#end[what](...values);
      if (what !== "send" || answer === 0) return;
      if (acceptedCount(answer) === count) this.#reply(number, true, JSON.stringify(acceptedIds(answer)));
      else this.#took(number, answer);
    } catch (error) {
      this.#reply(number, false, JSON.stringify(error));
    }
  }

  close() {
    this.#gone.abort();
    this.#channel.close();
  }
}

export const hello = (id, config) => ({ what: "hello", id, build, config });
