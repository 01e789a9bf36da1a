/** Sending to one peer, many small messages in one call. */

import { acceptedIds, packed } from "./batches.mjs";

/** Messages above this go alone; smaller ones of one moment share a call. */
const BIG = 48 * 1024;
const STAGE = 64 * 1024;
/** Messages in one call. */
const MOST = 65536;

/** Messages to one peer: those of one moment share a call, and one call at a time waits for room. */
export class Outgoing {
  #bridge;
  #peer;
  #queue = [];
  #isWaiting = false;
  #isDue = false;
  #stage;
  #idle;
  #isEnding = false;
  #watched = null;

  /**
   * `stage.spare`: the staging memory of the last call, which Python has copied, shared by all peers. `idle()` is called
   * when nothing waits and nothing is on its way.
   */
  constructor(bridge, peer, stage, idle) {
    this.#bridge = bridge;
    this.#peer = peer;
    this.#stage = stage;
    this.#idle = idle;
  }

  send(data, entry) {
    if (data.length > BIG) {
      if (this.#queue.length > 0) this.#flush();
      const can = this.#queue.length === 0 && !this.#isWaiting;
      this.#queue.push({ data: can ? data : data.slice(), used: data.length, sizes: null, entries: [entry] });
      this.#flush();
      return;
    }
    let unit = this.#queue.at(-1);
    if (!unit?.sizes || unit.used + data.length > STAGE || unit.sizes.length === MOST) {
      unit = { data: this.#stage.spare ?? new Uint8Array(STAGE), used: 0, sizes: [], entries: [] };
      this.#stage.spare = null;
      this.#queue.push(unit);
    }
    unit.data.set(data, unit.used);
    unit.used += data.length;
    unit.sizes.push(data.length);
    unit.entries.push(entry);
    if (!this.#isDue) {
      this.#isDue = true;
      queueMicrotask(() => {
        this.#isDue = false;
        this.#flush();
      });
    }
  }

  #flush() {
    while (this.#queue.length > 0 && !this.#isWaiting) {
      const unit = this.#queue.shift();
      this.#hand_over(unit);
    }
    if (this.#isIdle && !this.#isEnding) this.#rest();
  }

  get #isIdle() {
    return this.#queue.length === 0 && !this.#isWaiting && !this.#isDue;
  }

  /** Soon, when no call is under way in which more is queued. */
  #rest() {
    this.#isEnding = true;
    queueMicrotask(() => {
      this.#isEnding = false;
      if (this.#isIdle) this.#idle();
    });
  }

  /**
   * A message that may be given up, is watched or kept, or whose delivery is awaited: in its turn like the others, alone
   * in its call. Those behind it wait until it is accepted. `how`: `{ until, durable }`.
   */
  send_with_progress(data, options, on_progress, how) {
    const unit = { data, used: data.length, sizes: null, number: 0, ...how };
    const begin = (number) => {
      unit.number = number;
      this.#queue.push(unit);
      this.#flush();
      if (this.#queue.includes(unit)) unit.data = data.slice();
    };
    const over = () => {
      if (this.#watched !== unit) return;
      this.#watched = null;
      this.#isWaiting = false;
      this.#flush();
    };
    const promise = this.#bridge.begin("send_webrtc_message", options, begin, on_progress, over);
    promise.then(over, over);
    return promise;
  }

  #hand_over(unit) {
    if (unit.number) this.#hand_over_watched(unit);
    else this.#hand_over_batch(unit);
  }

  #hand_over_watched(unit) {
    if (!this.#bridge.isPending(unit.number)) return;
    this.#isWaiting = true;
    this.#watched = unit;
    try {
      this.#bridge.now("send_with_progress", unit.number, this.#peer, unit.data, unit.until === "delivered", unit.durable === true);
    } catch (error) {
      this.#bridge.settle(unit.number, false, error);
    }
  }

  #hand_over_batch(unit) {
    const count = unit.entries.length;
    let left = unit.entries;
    // A reply may come while the call still runs, before it is known how many were accepted.
    let isCalling = true;
    let early = null;
    const done = (settle, value) => {
      if (isCalling) {
        early = [settle, value];
        return;
      }
      this.#isWaiting = false;
      left.forEach((entry, index) => entry[settle](settle === "resolve" ? value[index] : value));
      this.#flush();
    };
    const taken = (answer) => {
      const ids = acceptedIds(answer);
      ids.forEach((id, index) => left[index].resolve(id));
      left = left.slice(ids.length);
    };
    const number = this.#bridge.expect({
      resolve: (value) => done("resolve", value), reject: (error) => done("reject", error), accepted: taken,
    });
    this.#isWaiting = true;
    let answer = 0;
    try {
      answer = this.#bridge.now("send", number, this.#peer, packed(unit, count), count);
    } catch (error) {
      this.#bridge.settle(number, false, error);
    }
    isCalling = false;
    if (unit.sizes) this.#stage.spare = unit.data;
    taken(answer);
    if (early) {
      done(...early);
    } else if (left.length === 0) {
      this.#bridge.forget(number);
      this.#isWaiting = false;
    }
  }
}
