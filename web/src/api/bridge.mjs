/** Calls into Python and their replies. */

import { readOptions } from "./arguments.mjs";
import { aborted, calledFrom, freed, fromPython, fromShape, timedOut } from "./errors.mjs";
import { bridges, death } from "./runtime.mjs";

const MONEY = /(^|_)(atoms|sats)$/;

/** JSON from Python, where amounts are the texts of whole numbers, since JSON's own lose digits here. */
export const parse = (text) =>
  JSON.parse(text, (key, value) => (typeof value === "string" && MONEY.test(key) ? BigInt(value) : value));

/**
 * What a JavaScript object of ours has behind it: numbered calls to an end, which is a Python object here, or the line to
 * the tab that has it.
 */
export class Bridge {
  #what;
  #end;
  #next = 1;
  #pending = new Map();
  /** Progress goes on after a message was accepted, until the peer has it all. */
  #watches = new Map();
  #isFreed = false;
  #event;

  /** `connect(hooks)` returns the end; `hooks`: what it calls besides the replies. */
  constructor(what, hooks, connect) {
    if (death) throw death;
    this.#what = what;
    const all = {
      reply: (call, ok, text) => this.#reply(call, ok, text),
      reply_bytes: () => {},
      reply_messages: (call, messages) => this.settle(call, true, messages),
      accepted: (call, answer) => this.#pending.get(call)?.accepted?.(answer),
      progress: (number, done, total) => this.#progress(number, done, total),
      event: () => {},
      ...hooks,
    };
    this.#event = all.event;
    this.#end = connect(all);
    bridges.add(this);
  }

  get isFreed() {
    return this.#isFreed;
  }

  check() {
    if (this.#isFreed) throw freed(this.#what);
    if (death) throw death;
  }

  /** A synchronous call. */
  now(name, ...values) {
    this.check();
    try {
      return this.#end[name](...values);
    } catch (error) {
      throw fromPython(error);
    }
  }

  /** A call by name with arguments that JSON can hold, as the readers of `arguments.mjs` return them. */
  ask(name, values, options) {
    return this.begin(name, options, (number) => this.now("call", number, name, JSON.stringify(values)));
  }

  /** A promise for the reply to whatever `start(number)` begins; `accepted` is called when messages of it were. */
  begin(what, options, start, onProgress, accepted) {
    const caller = new Error();
    return new Promise((resolve, reject) => {
      this.check();
      const { signal, timeout_ms } = readOptions(options);
      if (signal?.aborted) throw aborted(what, signal.reason);
      const number = this.#next++;
      const entry = { resolve, reject, caller, accepted, end: null };
      this.#pending.set(number, entry);
      if (onProgress) this.#watches.set(number, onProgress);
      if (signal || timeout_ms !== undefined) this.#limit(what, number, entry, signal, timeout_ms);
      try {
        start(number);
      } catch (error) {
        this.settle(number, false, error);
      }
    });
  }

  /** A number whose reply goes to `entry` = {resolve, reject}. */
  expect(entry) {
    const number = this.#next++;
    this.#pending.set(number, { end: null, ...entry });
    return number;
  }

  isPending(number) {
    return this.#pending.has(number);
  }

  forget(number) {
    this.#pending.delete(number);
  }

  #progress(number, done, total) {
    const watch = this.#watches.get(number);
    if (done >= total) this.#watches.delete(number);
    try {
      watch?.(done, total);
    } catch (error) {
      reportError(error);
    }
  }

  #limit(what, number, entry, signal, timeout_ms) {
    const give_up = (error) => {
      this.settle(number, false, error);
      if (!this.#isFreed) this.now("cancel", number);
    };
    const { caller } = entry;
    const onAbort = () => give_up(calledFrom(caller, aborted(what, signal.reason)));
    const timer = timeout_ms === undefined ? 0 : setTimeout(() => give_up(calledFrom(caller, timedOut(what, timeout_ms))), timeout_ms);
    signal?.addEventListener("abort", onAbort);
    entry.end = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", onAbort);
    };
  }

  #reply(number, ok, text) {
    const value = parse(text);
    if (ok) return this.settle(number, true, value ?? undefined);
    const caller = this.#pending.get(number)?.caller;
    this.settle(number, false, caller ? calledFrom(caller, fromShape(value)) : fromShape(value));
  }

  settle(number, ok, value) {
    const entry = this.#pending.get(number);
    if (!entry) return;
    this.#pending.delete(number);
    if (!ok) this.#watches.delete(number);
    entry.end?.();
    (ok ? entry.resolve : entry.reject)(value);
  }

  /** The runtime is dead: whoever waits, and whoever only listens, is told. */
  die(error) {
    this.fail(error);
    const { code, message, hint } = error;
    this.#event(JSON.stringify({ at: Date.now() / 1000, type: "error", code, message, hint }));
  }

  /** Fails everything that waits, but the call `kept`. */
  fail(error, kept = 0) {
    for (const number of [...this.#pending.keys()]) if (number !== kept) this.settle(number, false, error);
  }

  /** Fails what waits; resolves when the end has let go of everything. */
  free() {
    if (this.#isFreed) return Promise.resolve();
    bridges.delete(this);
    const over = new Promise((resolve) => {
      const number = this.expect({ resolve, reject: resolve });
      try {
        if (death) resolve();
        else this.#end.free(number);
      } catch {
        // A dead runtime has nothing left to end.
        resolve();
      }
      this.#isFreed = true;
      this.#watches.clear();
      this.fail(freed(this.#what), number);
    });
    return over;
  }
}
