/** DarkSwapWasm: one node, its relays, its peers and their messages. */

import { bytes, callable, flag, iceCandidate, oneOf, readOptions, sessionDescription, text } from "./arguments.mjs";
import { slice } from "./batches.mjs";
import { Bridge, parse } from "./bridge.mjs";
import { Callbacks } from "./callbacks.mjs";
import { configText } from "./configuration.mjs";
import { connectNode } from "./connect.mjs";
import { DarkSwapError } from "./errors.mjs";
import { Incoming } from "./incoming.mjs";
import { MessageIterator } from "./message_iterator.mjs";
import { Outgoing } from "./outgoing.mjs";
import { addTrading } from "./trading.mjs";
import { version } from "./version.mjs";

/** As the Python side's limit of one message. */
const MAX_MESSAGE = 16 * 1024 * 1024;
const MAX_URGENT = 16 * 1024;
const SEND_OPTIONS = {
  on_progress: (path, value) => callable(value, path), until: oneOf("accepted", "delivered"), durable: flag,
};

const DIAGNOSTICS_OPTIONS = { on_check: (path, value) => callable(value, path) };

export class DarkSwapWasm {
  #bridge;
  /** Only of peers to whom something is on its way, or from whom something waits: names of peers cost nothing. */
  #outgoing = new Map();
  #incoming = new Map();
  /** Peer → batches that callbacks have not taken yet, the first of which is under way. */
  #busy = new Map();
  #stage = { spare: null };
  #messages;
  #events;
  #signals;
  #iterators = new Set();

  static {
    addTrading(this, (self, name, values, options) => self.#bridge.ask(name, values, options));
  }

  constructor(config) {
    const hooks = {
      event: (json) => this.#events.call(parse(json)),
      messages: (peer, data, count) => this.#received(peer, data, count),
      signal: (peer, kind, json) => this.#signals[kind].call(peer, JSON.parse(json)),
    };
    this.#bridge = new Bridge("DarkSwapWasm", hooks, (all) => connectNode(configText(config), all));
    const tell = (name) => (on) => this.#bridge.isFreed || this.#bridge.now(name, on);
    this.#messages = new Callbacks(tell("listen_messages"));
    this.#events = new Callbacks(tell("listen_events"));
    const anySignal = () => {
      const on = Object.values(this.#signals).some((callbacks) => callbacks.size > 0);
      if (!this.#bridge.isFreed) this.#bridge.now("listen_signals", on);
    };
    this.#signals = {
      offer: new Callbacks(anySignal), answer: new Callbacks(anySignal), candidate: new Callbacks(anySignal),
    };
  }

  start(options) {
    return this.#bridge.ask("start", [], options);
  }

  stop(options) {
    return this.#bridge.ask("stop", [], options);
  }

  free() {
    void this.#end();
  }

  [Symbol.dispose ?? Symbol.for("Symbol.dispose")]() {
    void this.#end();
  }

  [Symbol.asyncDispose ?? Symbol.for("Symbol.asyncDispose")]() {
    return this.#end();
  }

  #end() {
    for (const iterator of [...this.#iterators]) void iterator.return();
    return this.#bridge.free();
  }

  local_peer_id(options) {
    return this.#bridge.ask("local_peer_id", [], options);
  }

  version() {
    this.#bridge.check();
    return version;
  }

  get_multiaddrs(options) {
    return this.#bridge.ask("get_multiaddrs", [], options);
  }

  async add_relay(multiaddr, options) {
    return this.#bridge.ask("add_relay", [text("multiaddr", multiaddr)], options);
  }

  async add_peer(peer, options) {
    return this.#bridge.ask("add_peer", [text("peer", peer)], options);
  }

  async make_webrtc_relay_reservation(relay, options) {
    return this.#bridge.ask("make_webrtc_relay_reservation", [text("relay", relay)], options);
  }

  async is_webrtc_relay_reservation_valid(relay, options) {
    return this.#bridge.ask("is_webrtc_relay_reservation_valid", [text("relay", relay)], options);
  }

  get_active_webrtc_relay_reservations(options) {
    return this.#bridge.ask("get_active_webrtc_relay_reservations", [], options);
  }

  async connect_through_webrtc_relay(relay, target, options) {
    return this.#bridge.ask("connect_through_webrtc_relay", [text("relay", relay), text("target", target)], options);
  }

  async disconnect_from_webrtc_relay(peer, options) {
    return this.#bridge.ask("disconnect_from_webrtc_relay", [text("peer", peer)], options);
  }

  get_webrtc_relay_metrics(options) {
    return this.#bridge.ask("get_webrtc_relay_metrics", [], options);
  }

  async create_webrtc_data_channel(peer, options) {
    return this.#bridge.ask("create_webrtc_data_channel", [text("peer", peer)], options);
  }

  send_webrtc_message(peer, data, options) {
    return new Promise((resolve, reject) => {
      this.#bridge.check();
      text("peer", peer);
      const read = readOptions(options, SEND_OPTIONS);
      const { on_progress, until, durable, ...limits } = read;
      const view = bytes("data", data);
      if (view.length > MAX_MESSAGE) {
        throw new DarkSwapError("MESSAGE_TOO_LARGE", `message of ${view.length} bytes; at most ${MAX_MESSAGE} are allowed`, {
          hint: "Split the message into smaller ones.", details: { size: view.length, limit: MAX_MESSAGE },
        });
      }
      let outgoing = this.#outgoing.get(peer);
      if (!outgoing) {
        outgoing = new Outgoing(this.#bridge, peer, this.#stage, () => this.#outgoing.delete(peer));
        this.#outgoing.set(peer, outgoing);
      }
      if (Object.keys(read).length > 0) {
        outgoing.send_with_progress(view, limits, on_progress, { until, durable }).then(resolve, reject);
      } else {
        outgoing.send(view, { resolve, reject });
      }
    });
  }

  async send_urgent_webrtc_message(peer, data, options) {
    const view = bytes("data", data);
    if (view.length > MAX_URGENT) {
      throw new DarkSwapError("MESSAGE_TOO_LARGE", `urgent message of ${view.length} bytes; at most ${MAX_URGENT} are allowed`, {
        hint: "Send it as an ordinary message.", details: { size: view.length, limit: MAX_URGENT },
      });
    }
    const hex = Array.from(view, (each) => each.toString(16).padStart(2, "0")).join("");
    return this.#bridge.ask("send_urgent_webrtc_message", [text("peer", peer), hex], options);
  }

  receive_webrtc_message(peer, options) {
    return this.#bridge.begin("receive_webrtc_message", options, (number) => {
      this.#incoming_of(text("peer", peer)).ask(number);
    });
  }

  on_webrtc_message(callback) {
    this.#bridge.check();
    const end = this.#messages.add(callback);
    for (const [peer, incoming] of [...this.#incoming]) {
      for (const message of incoming.take()) this.#messages.call(peer, message);
    }
    return end;
  }

  [Symbol.asyncIterator]() {
    const iterator = new MessageIterator({
      subscribe: (callback) => this.on_webrtc_message(callback),
      put_back: (peer, data) => this.#bridge.isFreed || this.#incoming_of(peer).put_back([data]),
      over: () => this.#iterators.delete(iterator),
    });
    this.#iterators.add(iterator);
    return iterator;
  }

  /** True when the callbacks want time: the next messages of this peer then wait for `acknowledge_batch`. */
  #received(peer, data, count) {
    const messages = count === 1 ? [data] : slice(data, count);
    const busy = this.#busy.get(peer);
    if (busy) {
      // Another tab took the last batch at once.
      busy.push(messages);
      return true;
    }
    const wait = this.#deliver(peer, messages);
    if (wait) void this.#deliver_slowly(peer, messages, wait);
    return wait !== null;
  }

  /** Takes from `messages` until a callback wants time, and returns its promise; null when all are delivered. */
  #deliver(peer, messages) {
    while (messages.length > 0) {
      if (this.#messages.size === 0) {
        // The last callback went in the middle of them: the others are for `receive_webrtc_message`.
        this.#incoming_of(peer).put_back(messages.splice(0));
        return null;
      }
      const wait = this.#messages.call(peer, messages.shift());
      if (wait) return wait;
    }
    return null;
  }

  async #deliver_slowly(peer, first, firstWait) {
    const batches = [first];
    let wait = firstWait;
    this.#busy.set(peer, batches);
    while (batches.length > 0) {
      for (wait ??= this.#deliver(peer, batches[0]); wait; wait = this.#deliver(peer, batches[0])) await wait;
      batches.shift();
      if (!this.#bridge.isFreed) this.#bridge.now("acknowledge_batch", peer);
    }
    this.#busy.delete(peer);
  }

  #incoming_of(peer) {
    let incoming = this.#incoming.get(peer);
    if (!incoming) {
      incoming = new Incoming(this.#bridge, peer, () => this.#incoming.delete(peer));
      this.#incoming.set(peer, incoming);
    }
    return incoming;
  }

  async close_webrtc_data_channel(peer, options) {
    return this.#bridge.ask("close_webrtc_data_channel", [text("peer", peer)], options);
  }

  on_webrtc_offer(callback) {
    this.#bridge.check();
    return this.#signals.offer.add(callback);
  }

  on_webrtc_answer(callback) {
    this.#bridge.check();
    return this.#signals.answer.add(callback);
  }

  on_webrtc_ice_candidate(callback) {
    this.#bridge.check();
    return this.#signals.candidate.add(callback);
  }

  async send_webrtc_offer(peer, offer, options) {
    const { sdp } = sessionDescription("offer", offer);
    return this.#bridge.ask("send_webrtc_offer", [text("peer", peer), sdp], options);
  }

  async send_webrtc_answer(peer, answer, options) {
    const { sdp } = sessionDescription("answer", answer);
    return this.#bridge.ask("send_webrtc_answer", [text("peer", peer), sdp], options);
  }

  async send_webrtc_ice_candidate(peer, candidate, options) {
    return this.#bridge.ask("send_webrtc_ice_candidate", [text("peer", peer), ...iceCandidate("candidate", candidate)], options);
  }

  async create_webrtc_connection(peer, options) {
    return this.#bridge.ask("create_webrtc_connection", [text("peer", peer)], options);
  }

  get_peers(options) {
    return this.#bridge.ask("get_peers", [], options);
  }

  async get_connection_stats(peer, options) {
    return this.#bridge.ask("get_connection_stats", [text("peer", peer)], options);
  }

  async ping(peer, options) {
    return this.#bridge.ask("ping", [text("peer", peer)], options);
  }

  get_stats(options) {
    return this.#bridge.ask("get_stats", [], options);
  }

  async run_diagnostics(options) {
    const { on_check, ...limits } = readOptions(options, DIAGNOSTICS_OPTIONS);
    const heard = new Callbacks();
    if (on_check) heard.add(on_check);
    const checks = [];
    for (const name of await this.#bridge.ask("diagnostic_names", [], limits)) {
      heard.call({ name, status: "running", message: "", hint: "", duration_ms: 0, details: {} });
      checks.push(await this.#bridge.ask("run_diagnostic", [name], limits));
      heard.call(checks.at(-1));
    }
    return checks;
  }

  create_report(options) {
    return this.#bridge.ask("create_report", [], options);
  }

  on_event(callback) {
    this.#bridge.check();
    return this.#events.add(callback);
  }
}

// An ordinary function, so that `new DarkSwapWasm.new_with_defaults("regtest")` works as well as the call without.
DarkSwapWasm.new_with_defaults = function new_with_defaults(network) {
  return new DarkSwapWasm({ bitcoin: { network: text("network", network) } });
};
