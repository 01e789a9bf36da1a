/** Runs in a client of the lab: up to two nodes at a time, each with numbered messages out and a record of what came. */

import init, { DarkSwapWasm } from "/darkswap.mjs";

/** Milliseconds between two looks at what is due. */
const PACE = 10;
const BURST_PIECE = 65536;

const TAB = crypto.randomUUID();

const byteOf = (number) => (number * 7 + 1) & 255;

function messageOf(number, size) {
  const data = new Uint8Array(size).fill(byteOf(number));
  const view = new DataView(data.buffer);
  view.setUint32(0, number);
  view.setUint32(4, size);
  view.setFloat64(8, Date.now());
  return data;
}

export class Station {
  node = null;
  burst = 0;
  /** To the tab that keeps what was taken here. */
  record = new BroadcastChannel("lab");

  constructor(name) {
    this.name = name;
  }

  /** A node with this configuration, in place of the one before; its peer id. */
  async begin(config) {
    await this.end();
    Object.assign(this, { events: [], got: [], bad: 0, sent: 0, accepted: 0, told: 0, errors: [], isSending: false });
    Object.assign(this, { ids: [], toldIds: [] });
    this.node = new DarkSwapWasm({ identity: { persist: false }, ...config });
    this.node.on_event((event) => {
      if (event.type === "message:undelivered") {
        this.told += event.count;
        this.toldIds.push([event.ids, event.count, event.maybe_delivered]);
      }
      if (event.type !== "message:progress") this.events.push([Date.now(), event]);
    });
    this.node.on_webrtc_message((_, data) => this.#take(data));
    return this.node.local_peer_id();
  }

  async end() {
    this.isSending = false;
    await this.node?.stop();
    this.node?.free();
    this.node = null;
  }

  #take(data) {
    const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
    const number = view.getUint32(0);
    if (view.getUint32(4) !== data.length || data.at(-1) !== byteOf(number)) this.bad += 1;
    this.got.push([number, view.getFloat64(8), Date.now()]);
    this.record.postMessage([this.name, TAB, number, view.getFloat64(8), Date.now()]);
  }

  /** `rate` messages a second, one after the other, and `this.burst` bytes at once where that is set. */
  async stream(peer, rate, size) {
    this.isSending = true;
    const from = performance.now();
    let made = 0;
    while (this.isSending) {
      // After a stand-still not all at once.
      const due = Math.floor(((performance.now() - from) / 1000) * rate);
      made = Math.max(made, due - 2 * rate);
      for (; made < due && this.isSending; made += 1) await this.#send(peer, size);
      for (; this.burst > 0 && this.isSending; this.burst -= BURST_PIECE) await this.#send(peer, Math.min(this.burst, BURST_PIECE));
      await new Promise((resolve) => setTimeout(resolve, PACE));
    }
  }

  async #send(peer, size) {
    const number = this.sent;
    this.sent += 1;
    try {
      this.ids.push([number, await this.node.send_webrtc_message(peer, messageOf(number, size))]);
      this.accepted += 1;
    } catch (error) {
      this.errors.push([Date.now(), number, error.code, error.message]);
      if (this.errors.length > 2000) this.isSending = false;
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  }

  /** What came: how many, doubled, out of order, and milliseconds from `healed` to the first that was sent after it. */
  judge(healed) {
    const seen = new Set();
    const found = { got: this.got.length, doubled: 0, reordered: 0, bad: this.bad, fresh: null, worst: 0 };
    let last = -1;
    for (const [number, sent, at] of this.got) {
      if (seen.has(number)) found.doubled += 1;
      if (number < last) found.reordered += 1;
      seen.add(number);
      last = Math.max(last, number);
      found.worst = Math.max(found.worst, at - sent);
      if (sent >= healed && found.fresh === null) found.fresh = at - healed;
    }
    return found;
  }

  counts() {
    return { sent: this.sent, accepted: this.accepted, told: this.told, got: this.got.length, newest: this.got.at(-1)?.[1] ?? 0, errors: this.errors.slice(0, 3) };
  }
}

await init();
globalThis.stations = [new Station(0), new Station(1)];
