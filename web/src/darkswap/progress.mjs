/** How far loading is, for those who want to show it. */

/** Tells steps, and bytes as the browser reports each file as fetched. */
export class Progress {
  #tell;
  #state = { stage: "check", fraction: 0, loaded: 0, total: 0, message: "" };
  #observer = null;

  constructor(tell) {
    this.#tell = tell;
  }

  step(stage, fraction, message) {
    this.#state = { ...this.#state, stage, message, fraction: Math.max(fraction, this.#state.fraction) };
    this.#tell?.({ ...this.#state });
  }

  watch(base, files, library) {
    if (!this.#tell || !files || typeof PerformanceObserver === "undefined") return;
    const wanted = Object.keys(files).filter((name) => name === library || /^pyodide\.asm|-cp\d+-.*\.whl$/.test(name));
    const total = wanted.reduce((sum, name) => sum + files[name].size, 0);
    const left = new Set(wanted.map((name) => new URL(name, base).href));
    this.#state.total = total;
    this.#observer = new PerformanceObserver((list) => {
      for (const { name, transferSize, decodedBodySize } of list.getEntries()) {
        // An answer without a body was to one of `probe`'s questions; of other origins both sizes are hidden, as 0.
        if ((transferSize > 0 && decodedBodySize === 0) || !left.delete(name)) continue;
        this.#state.loaded += files[name.slice(name.lastIndexOf("/") + 1)].size;
        this.step(this.#state.stage, 0.02 + 0.7 * (this.#state.loaded / total), this.#state.message);
      }
    });
    // What the page had preloaded counts too.
    this.#observer.observe({ type: "resource", buffered: true });
  }

  end() {
    this.#observer?.disconnect();
  }
}
