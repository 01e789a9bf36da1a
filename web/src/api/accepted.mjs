/** Messages of one view that a node accepted, and has neither delivered nor told not to be. */

import { acceptedCount, firstId } from "./batches.mjs";

/** Milliseconds in which the peer may say what it took of a session whose node is gone. */
const PATIENCE = 3000;

export class Accepted {
  /** Number of a send without a reply → `{peer, delivered}`. */
  #sends = new Map();
  /** Peer → `[first, last]` of ids, which count up. */
  #ranges = new Map();
  /** Peer → the highest id there was. */
  #last = new Map();
  /** Peer → `{session, first}`: the session that its messages are in, and the id of the session's first one. */
  #sessions = new Map();
  /** Those of a node that is gone: peer → `{ranges, since, session, first}`. */
  #orphans = new Map();

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
    const [settled, left] = split(this.#ranges.get(peer) ?? [], first, last);
    if (left.length > 0) this.#ranges.set(peer, left);
    else this.#ranges.delete(peer);
    return settled;
  }

  /** Peers of whose messages something is not known. */
  get peers() {
    return [...new Set([...this.#ranges.keys(), ...this.#orphans.keys()])];
  }

  /** The node that accepted them is gone. Returns `[peer, ranges]` of those of a node before it, which are forgotten. */
  orphan() {
    const before = [...this.#orphans].map(([peer, { ranges }]) => [peer, ranges]);
    const since = performance.now();
    this.#orphans = new Map([...this.#ranges].map(([peer, ranges]) => [peer, { ranges, since, ...this.#sessions.get(peer) }]));
    for (const known of [this.#ranges, this.#last, this.#sessions]) known.clear();
    return before;
  }

  /** Whether it is not known yet what became of messages to `peer` that went with their node. */
  isWaiting(peer) {
    return this.#orphans.has(peer);
  }

  /** What a node knows of `peer`, as `NodeBridge.settled` has it. Returns the ranges that are lost for certain by that. */
  learn(peer, { session, first, heard, earlier, taken }) {
    if (session) this.#sessions.set(peer, { session, first });
    const lost = this.#orphans.get(peer);
    if (!lost || !(heard || performance.now() - lost.since > PATIENCE)) return [];
    this.#orphans.delete(peer);
    return heard && earlier && earlier === lost.session ? split(lost.ranges, 0, lost.first + taken - 1)[1] : lost.ranges;
  }
}

/** The parts of `ranges` within `first` and `last`, and those beyond. */
function split(ranges, first, last) {
  const within = [];
  const beyond = [];
  for (const [from, to] of ranges) {
    if (from < first) beyond.push([from, Math.min(to, first - 1)]);
    if (from <= last && to >= first) within.push([Math.max(from, first), Math.min(to, last)]);
    if (to > last) beyond.push([Math.max(from, last + 1), to]);
  }
  return [within, beyond];
}

export const idsOf = (ranges) => ranges.flatMap(([first, last]) => Array.from({ length: last - first + 1 }, (_, index) => first + index));
