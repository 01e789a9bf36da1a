/** WebRtcConnection: one connection whose signals the page carries itself. */

import { bytes, iceCandidate, record, sessionDescription, text } from "./arguments.mjs";
import { Bridge } from "./bridge.mjs";
import { Callbacks } from "./callbacks.mjs";
import { connectPeer } from "./connect.mjs";

export class WebRtcConnection {
  #bridge;
  #candidates = new Callbacks();
  #opens = new Callbacks();
  #messages = new Callbacks();
  #closes = new Callbacks();

  constructor(configuration) {
    const text = JSON.stringify(record("configuration", configuration ?? {}));
    const hooks = {
      candidate: (json) => this.#candidates.call(JSON.parse(json)),
      opened: (label) => this.#opens.call(label),
      message: (data) => this.#messages.call(data),
      closed: () => this.#closes.call(),
    };
    this.#bridge = new Bridge("WebRtcConnection", hooks, (all) => connectPeer(text, all));
  }

  create_offer(options) {
    return this.#bridge.ask("create_offer", [], options);
  }

  create_answer(options) {
    return this.#bridge.ask("create_answer", [], options);
  }

  async set_remote_description(description, options) {
    const { type, sdp } = sessionDescription("description", description);
    return this.#bridge.ask("set_remote_description", [type, sdp], options);
  }

  async add_ice_candidate(candidate, options) {
    return this.#bridge.ask("add_ice_candidate", iceCandidate("candidate", candidate), options);
  }

  async create_data_channel(label, options) {
    return this.#bridge.ask("create_data_channel", [text("label", label)], options);
  }

  async send_message(data, options) {
    const view = bytes("data", data);
    return this.#bridge.begin("send_message", options, (number) => this.#bridge.now("send", number, view));
  }

  close_data_channel(options) {
    return this.#bridge.ask("close_data_channel", [], options);
  }

  close(options) {
    return this.#bridge.ask("close", [], options);
  }

  free() {
    void this.#bridge.free();
  }

  [Symbol.dispose ?? Symbol.for("Symbol.dispose")]() {
    this.free();
  }

  on_ice_candidate(callback) {
    this.#bridge.check();
    return this.#candidates.add(callback);
  }

  on_data_channel_open(callback) {
    this.#bridge.check();
    return this.#opens.add(callback);
  }

  on_data_channel_message(callback) {
    this.#bridge.check();
    return this.#messages.add(callback);
  }

  on_data_channel_close(callback) {
    this.#bridge.check();
    return this.#closes.add(callback);
  }
}
