/** `for await (const { peer_id, data } of node)`. */

/** The messages of all peers, one by one; the next one of a peer waits until this one was asked for. */
export class MessageIterator {
  #node;
  #end;
  /** Messages that nobody asked for yet, at most one of each peer. */
  #waiting = [];
  #asking = [];
  #isOver = false;

  /** `node.put_back(peer, data)` takes what was not asked for when the loop was left; `node.over()` is told of that. */
  constructor(node) {
    this.#node = node;
    this.#end = node.subscribe((peer_id, data) => this.#came({ peer_id, data }));
  }

  [Symbol.asyncIterator]() {
    return this;
  }

  #came(value) {
    const asking = this.#asking.shift();
    if (asking) {
      asking({ value, done: false });
      return undefined;
    }
    return new Promise((taken) => {
      this.#waiting.push({ value, taken });
    });
  }

  next() {
    const waiting = this.#waiting.shift();
    if (waiting) {
      waiting.taken();
      return Promise.resolve({ value: waiting.value, done: false });
    }
    if (this.#isOver) return Promise.resolve({ value: undefined, done: true });
    return new Promise((resolve) => {
      this.#asking.push(resolve);
    });
  }

  return() {
    if (!this.#isOver) {
      this.#isOver = true;
      for (const asking of this.#asking.splice(0)) asking({ value: undefined, done: true });
      const left = this.#waiting.splice(0);
      for (const { value } of left) this.#node.put_back(value.peer_id, value.data);
      this.#end();
      this.#node.over();
    }
    return Promise.resolve({ value: undefined, done: true });
  }
}
