/** `init`: from a page without Python to one with DarkSwap ready. One load, which every caller joins. */

import { callable, flag, readOptions, record } from "./arguments.mjs";
import { DarkSwapError, aborted, invalid } from "./errors.mjs";
import { LIBRARIES } from "./interpreter.mjs";
import { load as begin } from "./load.mjs";
import { isHeld, nodeLock } from "./locks.mjs";
import { death, setDefaults } from "./runtime.mjs";
import { version } from "./version.mjs";

/** Milliseconds without progress after which a caller gives up, unless told otherwise, and a load is begun anew. */
const STALL_MS = 60_000;
const OWN_OPTIONS = {
  indexURL: address,
  lockFileURL: address,
  onProgress: (path, value) => callable(value, path),
  defaults: record,
  python: flag,
  stdlib: (path, value) => {
    if (!Object.hasOwn(LIBRARIES, value)) throw invalid(path, 'is neither "small" nor "full"');
    return value;
  },
  pyodide: (path, value) => {
    if (typeof value?.loadPackage !== "function") throw invalid(path, "is no Pyodide: it has no loadPackage");
    return value;
  },
};

/** The load under way, or the one that is done: `{settings, progress, done, stall_ms}`. */
let current = null;
/** Settings of the load that this page needs no sooner than it has to run a node itself. */
let deferred = null;

export async function init(options) {
  const { signal, timeout_ms = STALL_MS, onProgress, python: wantsPython = false, ...settings } = readOptions(options, OWN_OPTIONS);
  checkPlace();
  if (death) throw death;
  if (signal?.aborted) throw aborted("loading", signal.reason);
  if (!current && !deferred) tellCopies();
  if (!wantsPython && (await isDeferred(settings))) {
    onProgress?.({ stage: "ready", fraction: 1, loaded: 0, total: 0, message: "Ready" });
    return { version, pyodide: null };
  }
  if (signal?.aborted) throw aborted("loading", signal.reason);
  const load = joined(deferred ? { ...deferred, ...settings } : settings);
  load.stall_ms = Math.max(load.stall_ms, timeout_ms);
  return wait(load, signal, timeout_ms, onProgress);
}

/** Whether another tab runs the node that this page will use: then Python is loaded when that tab is gone. */
async function isDeferred(settings) {
  if (current || settings.pyodide) return false;
  if (deferred) {
    checkSame(deferred, settings);
    return true;
  }
  const { name = "default", persist = true } = settings.defaults?.identity ?? {};
  if (persist === false || !(await isHeld(nodeLock(name))) || current) return false;
  deferred = settings;
  setDefaults(settings.defaults ?? {});
  return true;
}

/** Resolves when Python is there: loads it, where `init` left that for later. */
export async function python() {
  await (current ?? joined(deferred ?? {})).done;
}

function joined(settings) {
  if (current) {
    checkSame(current.settings, settings);
    return current;
  }
  const load = { settings, stall_ms: STALL_MS, ...begin(settings) };
  current = load;
  const end = patience(load.progress, () => load.stall_ms, (error) => load.stop(error));
  load.done.catch(() => {
    if (current === load) current = null;
  }).finally(end);
  return load;
}

/** One caller's share of a load: its signal and its patience end only its own waiting. */
function wait(load, signal, timeout_ms, onProgress) {
  return new Promise((resolve, reject) => {
    const ends = [];
    const settle = (how) => (value) => {
      for (const end of ends) end();
      how(value);
    };
    const onAbort = () => settle(reject)(aborted("loading", signal.reason));
    signal?.addEventListener("abort", onAbort);
    ends.push(() => signal?.removeEventListener("abort", onAbort));
    if (onProgress) ends.push(load.progress.listen(onProgress));
    ends.push(patience(load.progress, () => timeout_ms, settle(reject)));
    load.done.then(settle(resolve), settle(reject));
  });
}

/** Calls `giveUp` when `progress` has stood still for `limit()` milliseconds. Returns how to end that. */
function patience(progress, limit, giveUp) {
  let timer;
  const began = () => {
    clearTimeout(timer);
    timer = setTimeout(() => giveUp(stalled(limit())), limit());
  };
  const quiet = progress.listen(began);
  return () => {
    clearTimeout(timer);
    quiet();
  };
}

const stalled = (ms) =>
  new DarkSwapError("TIMEOUT", `loading made no progress for ${ms / 1000} s`, {
    retryable: true, hint: "Check your connection and try again; what has arrived is not loaded twice.",
  });

/** Calls that name other settings than the load they would join are refused: it cannot have both. */
function checkSame(has, wanted) {
  for (const [key, value] of Object.entries(wanted)) {
    const same = key === "pyodide" ? value === has[key] : JSON.stringify(value) === JSON.stringify(has[key]);
    if (same) continue;
    throw invalid(`options.${key}`, "differs from what this page was loaded with", "Call init() once with all its options; other calls may leave them out.");
  }
}

function address(path, value) {
  const base = globalThis.document?.baseURI ?? globalThis.location?.href ?? import.meta.url;
  if ((typeof value !== "string" && !(value instanceof URL)) || !URL.canParse(value, base)) throw invalid(path, "is not an address");
  return new URL(value, base);
}

/** DarkSwap needs what only pages and module workers have. */
function checkPlace() {
  const { process, document, WorkerGlobalScope, ServiceWorkerGlobalScope, location } = globalThis;
  const refuse = (message, hint) => {
    throw new DarkSwapError("UNSUPPORTED", message, { hint });
  };
  if (ServiceWorkerGlobalScope && globalThis instanceof ServiceWorkerGlobalScope) {
    refuse("init() does not run in a service worker: it may not import modules", "Call it in a page, or in an offscreen document of the extension.");
  }
  if (WorkerGlobalScope && globalThis instanceof WorkerGlobalScope && isClassicWorker()) {
    refuse("init() does not run in a classic worker", 'Start the worker as a module: new Worker(url, { type: "module" }).');
  }
  if (!document && !WorkerGlobalScope && (process?.versions?.node || globalThis.Deno || !location)) {
    refuse("init() needs a browser, and this is not in one", "Call it in the browser only: in an effect, onMount, or a component that is not rendered on the server.");
  }
}

/** In a module worker `importScripts` always throws. */
function isClassicWorker() {
  try {
    globalThis.importScripts();
    return true;
  } catch {
    return false;
  }
}

/** Two copies of this module (another address of it, hot reloading) load two Pythons, and know nothing of each other. */
function tellCopies() {
  const key = Symbol.for("darkswap.copies");
  const copies = (globalThis[key] ??= new Set());
  copies.add(import.meta.url);
  if (copies.size > 1) {
    console.warn(`DarkSwap ${version} is loaded ${copies.size} times in this page, each with a Python of its own: ${[...copies].join(" ")}`);
  }
}
