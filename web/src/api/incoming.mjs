/** Receiving from one peer by asking. */

/** Messages of one peer for those who ask: pulled in batches, given out one by one in the order of asking. */
export class Incoming {
  #bridge;
  #peer;
  #messages = [];
  #asking = [];
  #isPulling = false;

  #idle;

  /** `idle()` is called when nothing waits any more, neither messages nor those who ask. */
  constructor(bridge, peer, idle) {
    this.#bridge = bridge;
    this.#peer = peer;
    this.#idle = idle;
  }

  /** `number`: a pending call that wants the next message. */
  ask(number) {
    this.#asking.push(number);
    this.#give();
  }

  /** What was pulled and nobody asked for. */
  take() {
    const messages = this.#messages.splice(0);
    this.#rest();
    return messages;
  }

  /** Messages that came before those that wait here. */
  put_back(messages) {
    this.#messages.unshift(...messages);
    this.#give();
  }

  #rest() {
    if (this.#messages.length === 0 && this.#asking.length === 0 && !this.#isPulling) this.#idle();
  }

  #give() {
    this.#asking = this.#asking.filter((number) => this.#bridge.isPending(number));
    while (this.#messages.length > 0 && this.#asking.length > 0) {
      this.#bridge.settle(this.#asking.shift(), true, this.#messages.shift());
    }
    if (this.#asking.length > 0 && !this.#isPulling) this.#pull();
    this.#rest();
  }

  #pull() {
    const resolve = (messages) => {
      this.#isPulling = false;
      this.#messages = this.#messages.length > 0 ? this.#messages.concat(messages) : messages;
      this.#give();
    };
    const reject = (error) => {
      this.#isPulling = false;
      for (const number of this.#asking.splice(0)) this.#bridge.settle(number, false, error);
      this.#rest();
    };
    this.#isPulling = true;
    const number = this.#bridge.expect({ resolve, reject });
    try {
      this.#bridge.now("receive_batch", number, this.#peer);
    } catch (error) {
      this.#bridge.settle(number, false, error);
    }
  }
}
