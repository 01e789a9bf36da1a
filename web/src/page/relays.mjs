/** The relays of this tab: each named by address, reserved, and tried again when it goes away. */

import { relayPeer } from "./link.mjs";

const FIRST_WAIT = 2;
const LONGEST_WAIT = 30;

export class Relays {
  constructor(session) {
    this.list = [];
    this._session = session;
  }

  addresses() {
    return this.list.map((relay) => relay.address);
  }

  reserved() {
    return this.list.filter((relay) => relay.state === "reserved");
  }

  add(address) {
    const known = this.list.find((relay) => relay.address === address);
    if (known) return known;
    const relay = {
      address, id: relayPeer(address), state: "connecting", expires: 0, limit: null, error: null, retryAt: 0, wait: FIRST_WAIT,
    };
    this.list.push(relay);
    this._reserve(relay);
    return relay;
  }

  /** Makes a relay known to the node without asking for a place on it: enough to meet somebody there. */
  async learn(address) {
    return this._session.node.add_relay(address);
  }

  async remove(relay) {
    this.list = this.list.filter((one) => one !== relay);
    clearTimeout(relay.timer);
    this._session.changed();
    // It may not have been reached at all; then there is nothing to leave.
    await this._session.node.disconnect_from_webrtc_relay(relay.id).catch(() => undefined);
  }

  retryNow() {
    for (const relay of this.list) if (relay.state === "waiting") this._reserve(relay);
  }

  async _reserve(relay) {
    clearTimeout(relay.timer);
    relay.state = "connecting";
    this._session.changed();
    try {
      relay.id = await this.learn(relay.address);
      this._reserved(relay, await this._session.node.make_webrtc_relay_reservation(relay.id));
    } catch (error) {
      if (!this.list.includes(relay)) return;
      relay.error = error;
      // A refusal of the address itself will not get better by waiting.
      if (error.code === "INVALID_ARGUMENT") relay.state = "failed";
      else this._later(relay);
    }
    this._session.changed();
  }

  _reserved(relay, reservation) {
    Object.assign(relay, {
      state: "reserved", expires: reservation.expires_at, limit: reservation.limit ?? null, error: null, wait: FIRST_WAIT,
    });
    clearTimeout(relay.timer);
  }

  _later(relay) {
    relay.state = "waiting";
    relay.retryAt = Date.now() + relay.wait * 1000;
    relay.timer = setTimeout(() => this._reserve(relay), relay.wait * 1000);
    relay.wait = Math.min(relay.wait * 2, LONGEST_WAIT);
  }

  /** relay:reserved, relay:failed and relay:lost of the node. */
  happened(event) {
    const relay = this.list.find((one) => one.id === event.relay_peer_id);
    if (!relay) return;
    const error = { code: event.code, message: event.reason, hint: event.hint };
    if (event.type === "relay:reserved") this._reserved(relay, event);
    // A renewal that failed changes nothing while the reservation stands.
    else if (event.type === "relay:failed" && relay.state === "reserved") return;
    else if (event.retrying) {
      // The node asks again by itself.
      clearTimeout(relay.timer);
      Object.assign(relay, { state: "waiting", error, retryAt: Date.now() + event.retry_in_ms });
    } else if (relay.state === "reserved") {
      relay.error = error;
      this._later(relay);
    }
  }
}
