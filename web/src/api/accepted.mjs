/** Messages of one view that a node accepted, and has neither delivered nor told not to be. */

import { acceptedCount, firstId } from "./batches.mjs";

export class Accepted {
  /** Number of a send without a reply → `{peer, delivered}`. */
  #sends = new Map();
  /** Peer → `[first, last]` of ids, which count up. */
  #ranges = new Map();
  /** Peer → the highest id there was. */
  #last = new Map();

  /** `delivered`: the reply says that the message was delivered. */
  sent(number, peer, delivered = false) {
    this.#sends.set(number, { peer, delivered });
  }

  /** Some of a send were accepted: `answer` as of `NodeBridge.send`. The reply is about the others. */
  took(number, answer) {
    const send = this.#sends.get(number);
    const count = acceptedCount(answer);
    if (send && count > 0) this.#add(send.peer, firstId(answer), count);
  }

  /** `text`: JSON of an id, or of several. */
  replied(number, ok, text) {
    const send = this.#sends.get(number);
    this.#sends.delete(number);
    if (!ok || !send) return;
    for (const id of [JSON.parse(text)].flat()) {
      if (send.delivered) this.settle(send.peer, id, id);
      else this.#add(send.peer, id, 1);
    }
  }

  forget(number) {
    this.#sends.delete(number);
  }

  #add(peer, first, count) {
    // Of a message whose acceptance was told before its reply.
    if (first <= (this.#last.get(peer) ?? 0)) return;
    const ranges = this.#ranges.get(peer);
    const last = first + count - 1;
    this.#last.set(peer, last);
    if (!ranges) this.#ranges.set(peer, [[first, last]]);
    else if (first === ranges.at(-1)[1] + 1) ranges.at(-1)[1] = last;
    else ranges.push([first, last]);
  }

  /** Forgets those with the ids `first` to `last`, and returns their ranges. */
  settle(peer, first, last) {
    const settled = [];
    const left = [];
    for (const [from, to] of this.#ranges.get(peer) ?? []) {
      if (from < first) left.push([from, Math.min(to, first - 1)]);
      if (from <= last && to >= first) settled.push([Math.max(from, first), Math.min(to, last)]);
      if (to > last) left.push([Math.max(from, last + 1), to]);
    }
    if (left.length > 0) this.#ranges.set(peer, left);
    else this.#ranges.delete(peer);
    return settled;
  }

  /** Peers of whose messages something is not known. */
  get peers() {
    return [...this.#ranges.keys()];
  }

  /** `[peer, ranges]` of all, which are then forgotten. */
  clear() {
    const all = [...this.#ranges];
    this.#ranges.clear();
    this.#last.clear();
    return all;
  }
}

export const idsOf = (ranges) => ranges.flatMap(([first, last]) => Array.from({ length: last - first + 1 }, (_, index) => first + index));
