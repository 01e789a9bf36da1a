/** How far loading is: for those who want to show it, and for those who wait no longer than it goes on. */

/** Share of the bar at which all files have come. */
const DOWNLOADED = 0.8;
/** Milliseconds between two calls of listeners while bytes arrive. */
const CALL_EVERY = 50;

export class Progress {
  #listeners = new Set();
  #state = { stage: "check", fraction: 0, loaded: 0, total: 0, message: "" };
  /** Address → `{size, loaded}` of each file that is counted. */
  #files = new Map();
  #observer = null;
  #calledAt = 0;

  /** `listener(state)` is called at once and with every step; returns how to end that. */
  listen(listener) {
    this.#listeners.add(listener);
    call(listener, { ...this.#state });
    return () => this.#listeners.delete(listener);
  }

  step(stage, fraction, message) {
    this.#state = { ...this.#state, stage, message, fraction: Math.max(fraction, this.#state.fraction) };
    this.#call();
  }

  #call() {
    this.#calledAt = performance.now();
    for (const listener of this.#listeners) call(listener, { ...this.#state });
  }

  /** `sizes`: manifest's entries; `names`: the files that will be loaded, relative to `base`. */
  expect(base, names, sizes) {
    for (const name of names) {
      if (sizes?.[name]) this.#files.set(new URL(name, base).href, { size: sizes[name].size, loaded: 0 });
    }
    this.#state.total = [...this.#files.values()].reduce((sum, { size }) => sum + size, 0);
    if (typeof PerformanceObserver === "undefined") return;
    // Modules are not ours to fetch: the browser tells when one is whole, also of what the page had preloaded.
    this.#observer = new PerformanceObserver((list) => {
      for (const { name, initiatorType } of list.getEntries()) if (initiatorType !== "fetch") this.finished(name);
    });
    this.#observer.observe({ type: "resource", buffered: true });
  }

  arrived(url, count) {
    const file = this.#files.get(url);
    if (!file) return this.#told();
    file.loaded = Math.min(file.size, file.loaded + count);
    this.#told();
  }

  finished(url) {
    const file = this.#files.get(url);
    if (file) file.loaded = file.size;
    this.#told();
  }

  #told() {
    const loaded = [...this.#files.values()].reduce((sum, file) => sum + file.loaded, 0);
    // A file that is asked for a second time, out of the browser's cache, is not counted again.
    this.#state.loaded = Math.max(loaded, this.#state.loaded);
    const { stage, total } = this.#state;
    const fraction = total ? 0.02 + (DOWNLOADED - 0.02) * (loaded / total) : 0;
    this.#state.fraction = Math.max(fraction, this.#state.fraction);
    if (stage === "download" && total > 0 && loaded >= total) this.step("python", DOWNLOADED, "Starting Python");
    else if (performance.now() - this.#calledAt >= CALL_EVERY) this.#call();
  }

  end() {
    this.#observer?.disconnect();
  }
}

/** A listener that throws ends neither the load nor the others. */
function call(listener, state) {
  try {
    listener(state);
  } catch (error) {
    reportError(error);
  }
}
