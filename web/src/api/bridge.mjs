/** Calls into Python and their replies. */

import { readOptions } from "./arguments.mjs";
import { slice } from "./batches.mjs";
import { aborted, calledFrom, DarkSwapError, freed, fromPython, fromShape, timedOut } from "./errors.mjs";
import { api, bridges, death } from "./runtime.mjs";

const MONEY = /(^|_)(atoms|sats)$/;

/** JSON from Python, where amounts are the texts of whole numbers, since JSON's own lose digits here. */
export const parse = (text) =>
  JSON.parse(text, (key, value) => (typeof value === "string" && MONEY.test(key) ? BigInt(value) : value));

/** One Python object behind a JavaScript one: numbered calls, and nothing that has to be destroyed but the object. */
export class Bridge {
  #what;
  #python;
  #next = 1;
  #pending = new Map();
  /** Progress goes on after a message was accepted, until the peer has it all. */
  #watches = new Map();
  #isFreed = false;
  #event;

  /** `make`: name of the maker in `api`; `hooks`: what Python calls besides the replies. */
  constructor(what, make, config, hooks) {
    if (death) throw death;
    if (!api) {
      throw new DarkSwapError("NOT_INITIALIZED", "DarkSwap is not loaded", { hint: "Call `await init()` first." });
    }
    this.#what = what;
    const all = {
      reply: (call, ok, text) => this.#reply(call, ok, text),
      reply_bytes: (call, data, count) => this.settle(call, true, count === 1 ? [data] : slice(data, count)),
      event: () => {},
      ...hooks,
    };
    this.#event = all.event;
    let made;
    try {
      made = api[make](config, all);
    } catch (error) {
      throw fromPython(error);
    }
    if (typeof made === "string") throw fromShape(JSON.parse(made));
    this.#python = made;
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
      return this.#python[name](...values);
    } catch (error) {
      throw fromPython(error);
    }
  }

  /** A call by name with arguments that JSON can hold, as the readers of `arguments.mjs` return them. */
  ask(name, values, options) {
    return this.begin(name, options, (number) => this.now("call", number, name, JSON.stringify(values)));
  }

  /** Teaches the Python object the methods of another module of ours. */
  extend(module) {
    this.check();
    try {
      module.attach(this.#python);
    } catch (error) {
      throw fromPython(error);
    }
  }

  /** A promise for the reply to whatever `start(number)` begins. */
  begin(what, options, start, onProgress) {
    const caller = new Error();
    return new Promise((resolve, reject) => {
      this.check();
      const { signal, timeout_ms } = readOptions(options);
      if (signal?.aborted) throw aborted(what, signal.reason);
      const number = this.#next++;
      const entry = { resolve, reject, caller, end: null };
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

  progress(number, done, total) {
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

  /** Fails what waits, lets `last` begin the end of the Python object, and drops it when that is over. */
  free(last) {
    if (this.#isFreed) return Promise.resolve();
    bridges.delete(this);
    const over = new Promise((resolve) => {
      const number = this.expect({ resolve, reject: resolve });
      try {
        if (death) resolve();
        else last(this.#python, number);
      } catch {
        // A dead runtime has nothing left to end.
        resolve();
      }
      this.#isFreed = true;
      this.#watches.clear();
      this.fail(freed(this.#what), number);
    });
    return over.then(() => {
      try {
        this.#python.destroy();
      } catch {
        // As above.
      }
    });
  }
}
