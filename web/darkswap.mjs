// DarkSwap Browser for pages: loads Pyodide and the Python package, and wraps them in plain JavaScript classes.
// darkswap.d.ts beside this file says what each name promises.

export const version = "0.1.0";

const PACKAGE = "darkswap_browser";
const API = "darkswap_browser.app.js_api";
const HERE = new URL(".", import.meta.url);
const LOAD_TIMEOUT = 60_000;
/** As the Python side's limit of one message. */
const MAX_MESSAGE = 16 * 1024 * 1024;
/** Messages above this go alone; smaller ones of one moment share a call. */
const BIG = 48 * 1024;
const STAGE = 64 * 1024;

export class DarkSwapError extends Error {
  constructor(code, message, { retryable = false, hint = "", cause, details = {} } = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = "DarkSwapError";
    this.code = code;
    this.retryable = retryable;
    this.hint = hint;
    this.details = details;
  }
}

/** From the fields that the Python side writes. */
function fromShape({ code, message, retryable, hint, details, cause }) {
  return new DarkSwapError(code, message, { retryable, hint, details, cause: cause && fromShape(cause) });
}

const invalid = (path, reason) =>
  new DarkSwapError("INVALID_ARGUMENT", `${path}: ${reason}`, { hint: `Check ${path}.`, details: { path, reason } });
const freed = (what) =>
  new DarkSwapError("FREED", `${what} was freed`, { hint: "Create another object; this one was freed or closed." });
const aborted = (what, cause) =>
  new DarkSwapError("ABORTED", `${what} was aborted`, { cause, hint: "The caller cancelled it." });
const timedOut = (what, ms) =>
  new DarkSwapError("TIMEOUT", `${what} took longer than ${ms / 1000} s`, {
    retryable: true, hint: "Try again; if it persists, check that the other side is online.",
  });

const runtimeDead = (cause) =>
  new DarkSwapError("RUNTIME_DEAD", "the Python runtime has stopped", { cause, hint: "Reload the page to start it again." });

/** An exception that Python let through: the interpreter died, or there is a fault in this library. */
function fromPython(error) {
  if (error instanceof DarkSwapError) return error;
  const text = String(error?.message ?? error);
  if (error instanceof WebAssembly.RuntimeError || /fatally failed|memory access out of bounds|unreachable/.test(text)) {
    return runtimeDead(error);
  }
  const last = text.trimEnd().split("\n").at(-1);
  return new DarkSwapError("INTERNAL", last, { cause: error, hint: "This is a fault in DarkSwap; please report it." });
}

// --- loading

let loading = null;
/** The Python module of API, once loaded. */
let api = null;
let defaults = {};
/** Why Python has stopped, once it has. */
let death = null;
/** Objects that Python stands behind. */
const bridges = new Set();

function watchDeath(pyodide) {
  const internals = pyodide._api;
  if (!internals) return;
  const before = internals.on_fatal;
  internals.on_fatal = (cause) => {
    death = runtimeDead(cause);
    for (const bridge of bridges) bridge.fail(death);
    return before?.(cause);
  };
}

export default function init(options = {}) {
  loading ??= load(options).catch((error) => {
    loading = null;
    throw error;
  });
  return loading;
}

async function load(options) {
  const { signal, timeout_ms = LOAD_TIMEOUT } = options;
  let timer, onAbort;
  const stop = new Promise((_, reject) => {
    timer = setTimeout(() => reject(timedOut("loading", timeout_ms)), timeout_ms);
    onAbort = () => reject(aborted("loading", signal.reason));
    if (signal?.aborted) onAbort();
    else signal?.addEventListener("abort", onAbort);
  });
  try {
    return await Promise.race([loadAll(options), stop]);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", onAbort);
  }
}

async function loadAll(options) {
  const base = new URL(options.indexURL ?? HERE, document_base());
  if (!base.pathname.endsWith("/")) base.pathname += "/";
  const lockURL = new URL(options.lockFileURL ?? "pyodide-lock.json", options.lockFileURL ? document_base() : base);
  const progress = new Progress(options.onProgress);
  progress.step("check", 0, "Checking the browser");
  checkWasm();
  progress.step("download", 0.02, "Downloading Python");
  const [lock, sizes] = await Promise.all([fetchJson(lockURL), fetchJson(new URL("manifest.json", base)).catch(() => null)]);
  const wanted = closure(lock, PACKAGE);
  progress.watch(base, sizes?.files);
  try {
    // The crypto module comes beside this file, the rest from `indexURL`.
    const crypto = import(new URL("darkswap-crypto.mjs", HERE).href).catch(() => null);
    const start = options.pyodide ? addTo(options.pyodide, lock, lockURL, wanted) : boot(base, lockURL, progress);
    const pyodide = await Promise.race([start, checkFiles(lockURL, wanted)]);
    progress.step("packages", 0.9, "Checking packages");
    await checkPackages(pyodide, lockURL, wanted);
    const noble = await crypto;
    if (noble) pyodide.registerJsModule("darkswap_crypto", noble);
    progress.step("import", 0.94, "Starting DarkSwap");
    api = await importApi(pyodide);
    watchDeath(pyodide);
    defaults = options.defaults ?? {};
    progress.step("ready", 1, "Ready");
    return { version, pyodide };
  } finally {
    progress.end();
  }
}

const document_base = () => globalThis.document?.baseURI ?? globalThis.location?.href ?? import.meta.url;

/** Without this check a policy that forbids WebAssembly lets Pyodide wait for ever. */
function checkWasm() {
  try {
    if (typeof WebAssembly !== "object") throw new TypeError("no WebAssembly");
    new WebAssembly.Module(new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0]));
  } catch (cause) {
    throw new DarkSwapError("WASM_BLOCKED", "this page may not run WebAssembly", {
      cause, hint: "Add 'wasm-unsafe-eval' to script-src of the page's Content-Security-Policy.",
    });
  }
}

const loadFailed = (url, why, cause) =>
  new DarkSwapError("LOAD_FAILED", `${url} could not be loaded: ${why}`, {
    cause, retryable: true, hint: "Check that the file is served there and that connect-src allows it.",
    details: { url: String(url) },
  });

async function fetchJson(url) {
  let answer;
  try {
    answer = await fetch(url);
  } catch (cause) {
    throw loadFailed(url, "no answer", cause);
  }
  if (!answer.ok) throw loadFailed(url, `status ${answer.status}`);
  try {
    return await answer.json();
  } catch (cause) {
    throw loadFailed(url, "it is not JSON", cause);
  }
}

const normal = (name) => name.toLowerCase().replace(/[-_.]+/g, "-");

/** Entries of the lock that `name` needs, itself last. */
function closure(lock, name) {
  const byName = new Map(Object.values(lock.packages ?? {}).map((entry) => [normal(entry.name), entry]));
  const found = new Map();
  const visit = (wanted) => {
    const key = normal(wanted);
    const entry = byName.get(key);
    if (!entry) {
      throw new DarkSwapError("PACKAGE_MISSING", `${wanted} is not in the lock file`, {
        hint: "Serve the pyodide-lock.json of the same build as darkswap.mjs.",
      });
    }
    if (found.has(key)) return;
    found.set(key, null);
    for (const depend of entry.depends ?? []) visit(depend);
    found.delete(key);
    found.set(key, entry);
  };
  visit(name);
  return [...found.values()];
}

async function boot(base, lockURL, progress) {
  const core = ["pyodide.mjs", "pyodide.asm.mjs", "pyodide.asm.wasm", "python_stdlib.zip"];
  // Pyodide waits for ever on some missing files; asking for their headers is cheap.
  const probes = Promise.all(core.map((name) => probe(new URL(name, base))));
  const failure = probes.then(() => new Promise(() => {}));
  const start = async () => {
    let module;
    try {
      module = await import(new URL("pyodide.mjs", base).href);
    } catch (cause) {
      await probes;
      throw loadFailed(new URL("pyodide.mjs", base), "the browser refused it", cause);
    }
    progress.step("python", 0.5, "Starting Python");
    try {
      return await module.loadPyodide({
        indexURL: base.href, lockFileURL: lockURL.href, packageBaseUrl: new URL(".", lockURL).href,
        packages: [PACKAGE], stdout: () => {}, stderr: (line) => console.debug(line),
      });
    } catch (cause) {
      throw bootError(cause);
    }
  };
  return Promise.race([start(), failure]);
}

async function probe(url) {
  let answer;
  try {
    answer = await fetch(url, { method: "HEAD" });
  } catch (cause) {
    throw loadFailed(url, "no answer", cause);
  }
  // Servers that know no HEAD say 405 or 501; that proves nothing.
  if ([403, 404, 410].includes(answer.status)) throw loadFailed(url, `status ${answer.status}`);
}

function bootError(cause) {
  const text = String(cause?.message ?? cause);
  if (/abi|version does not match|API version/i.test(text)) {
    return new DarkSwapError("ABI_MISMATCH", "these files belong to different versions of Pyodide", {
      cause, hint: "Serve all files of one build together, and empty caches between.",
    });
  }
  return new DarkSwapError("LOAD_FAILED", `Python could not be started: ${text.split("\n")[0]}`, {
    cause, retryable: true, hint: "Reload the page; check that all files of dist/ are served.",
  });
}

/** Into a Pyodide of the page's own, whose lock file does not know us. */
async function addTo(pyodide, lock, lockURL, wanted) {
  const theirs = pyodide.lockfile?.info?.abi_version ?? pyodide._api?.lockfile_info?.abi_version;
  if (theirs && lock.info?.abi_version && theirs !== lock.info.abi_version) {
    throw new DarkSwapError("ABI_MISMATCH", `the page's Pyodide has ABI ${theirs}, the packages ${lock.info.abi_version}`, {
      hint: "Use the Pyodide of this build, or packages built for yours.",
    });
  }
  const have = new Set(Object.keys(pyodide.loadedPackages).map(normal));
  const lacking = wanted.filter((entry) => !have.has(normal(entry.name)));
  const urls = lacking.map((entry) => new URL(entry.file_name, lockURL).href);
  if (urls.length > 0) await pyodide.loadPackage(urls, { messageCallback() {}, errorCallback() {}, checkIntegrity: false });
  return pyodide;
}

/** `loadPackage` resolves whatever happens, so the files are asked for beforehand; Pyodide then finds them in the
 * browser's cache. Never resolves: it only ever has bad news. */
async function checkFiles(lockURL, wanted) {
  await Promise.all(wanted.map((entry) => checkFile(lockURL, entry)));
  return new Promise(() => {});
}

async function checkFile(lockURL, entry) {
  const url = new URL(entry.file_name, lockURL);
  const digest = Uint8Array.from(entry.sha256.match(/../g), (pair) => parseInt(pair, 16));
  const integrity = `sha256-${btoa(String.fromCharCode(...digest))}`;
  try {
    const answer = await fetch(url, { integrity });
    if (answer.ok) return;
  } catch {
    // A wrong hash looks like no network at all; asking again without it tells them apart.
  }
  let answer;
  try {
    answer = await fetch(url);
  } catch (cause) {
    throw loadFailed(url, "no answer", cause);
  }
  if (!answer.ok) throw loadFailed(url, `status ${answer.status}`);
  throw new DarkSwapError("INTEGRITY", `${entry.file_name} is not the file that the lock names`, {
    hint: "The file was changed on its way, or comes from another build; serve all files of one build together.",
    details: { url: url.href, expected: entry.sha256 },
  });
}

async function checkPackages(pyodide, lockURL, wanted) {
  const have = new Set(Object.keys(pyodide.loadedPackages).map(normal));
  for (const entry of wanted) {
    if (have.has(normal(entry.name))) continue;
    await checkFile(lockURL, entry);
    throw missing(entry.name);
  }
}

const missing = (name, cause) =>
  new DarkSwapError("PACKAGE_MISSING", `${name} is not there after loading`, {
    cause, retryable: true, hint: "Reload the page; serve all files of one build together.", details: { package: name },
  });

async function importApi(pyodide) {
  let module;
  try {
    module = pyodide.pyimport(API);
  } catch (cause) {
    const lost = /No module named '([^']+)'/.exec(String(cause?.message ?? cause));
    throw lost ? missing(lost[1], cause) : fromPython(cause);
  }
  if (module.version() !== version) {
    module.destroy();
    throw new DarkSwapError("ABI_MISMATCH", "darkswap.mjs and the Python package are of different versions", {
      hint: "Serve all files of one build together, and empty caches between.",
    });
  }
  return module;
}

/** Tells steps, and bytes as the browser reports each file as fetched. */
class Progress {
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

  watch(base, files) {
    if (!this.#tell || !files || typeof PerformanceObserver === "undefined") return;
    const wanted = Object.keys(files).filter((name) => /^(pyodide\.asm|python_stdlib)|-cp\d+-.*\.whl$/.test(name));
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

// --- calls into Python

/** One Python object behind a JavaScript one: numbered calls, and nothing that has to be destroyed but the object. */
class Bridge {
  #what;
  #python;
  #next = 1;
  #pending = new Map();
  /** Progress goes on after a message was accepted, until the peer has it all. */
  #watches = new Map();
  #isFreed = false;

  /** `make`: name of the maker in `api`; `hooks`: what Python calls besides the replies. */
  constructor(what, make, config, hooks) {
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

  /** A call by name with arguments that JSON can hold. */
  ask(name, values, options) {
    return this.begin(name, options, (number) => this.now("call", number, name, JSON.stringify(values)));
  }

  /** A promise for the reply to whatever `start(number)` begins. */
  begin(what, options, start, onProgress) {
    return new Promise((resolve, reject) => {
      this.check();
      const { signal, timeout_ms } = checkOptions(options);
      if (signal?.aborted) throw aborted(what, signal.reason);
      const number = this.#next++;
      const entry = { resolve, reject, end: null };
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
    const onAbort = () => give_up(aborted(what, signal.reason));
    const timer = timeout_ms === undefined ? 0 : setTimeout(() => give_up(timedOut(what, timeout_ms)), timeout_ms);
    signal?.addEventListener("abort", onAbort);
    entry.end = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", onAbort);
    };
  }

  #reply(number, ok, text) {
    const value = JSON.parse(text);
    this.settle(number, ok, ok ? value ?? undefined : fromShape(value));
  }

  settle(number, ok, value) {
    const entry = this.#pending.get(number);
    if (!entry) return;
    this.#pending.delete(number);
    if (!ok) this.#watches.delete(number);
    entry.end?.();
    (ok ? entry.resolve : entry.reject)(value);
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

function checkOptions(options) {
  if (options === undefined || options === null) return {};
  if (typeof options !== "object") throw invalid("options", "is not an object");
  const { signal, timeout_ms } = options;
  if (signal !== undefined && !(signal instanceof AbortSignal)) throw invalid("options.signal", "is not an AbortSignal");
  if (timeout_ms !== undefined && !(typeof timeout_ms === "number" && timeout_ms > 0 && timeout_ms < 2 ** 31)) {
    throw invalid("options.timeout_ms", "is not a positive number of milliseconds");
  }
  return options;
}

function text(path, value) {
  if (typeof value !== "string" || value === "") throw invalid(path, "is not a text");
  return value;
}

function bytes(path, value) {
  if (!(value instanceof Uint8Array)) throw invalid(path, "is not a Uint8Array");
  return value;
}

function record(path, value) {
  if (typeof value !== "object" || value === null) throw invalid(path, "is not an object");
  return value;
}

function callable(value) {
  if (typeof value !== "function") throw invalid("callback", "is not a function");
  return value;
}

/** Messages that share one array, behind their lengths: see `pack` on the Python side. */
function slice(data, count) {
  const view = new DataView(data.buffer, data.byteOffset);
  const messages = new Array(count);
  let at = 4 * count;
  for (let index = 0; index < count; index += 1) {
    const size = view.getUint32(4 * index, true);
    messages[index] = data.subarray(at, at + size);
    at += size;
  }
  return messages;
}

/** A set of callbacks; the one that throws disturbs neither the others nor us. */
class Callbacks {
  #all = new Set();
  #changed;

  /** `changed(on)` is told when the first comes and when the last goes. */
  constructor(changed = () => {}) {
    this.#changed = changed;
  }

  add(callback) {
    const entry = { callback: callable(callback) };
    this.#all.add(entry);
    if (this.#all.size === 1) this.#changed(true);
    return () => {
      if (this.#all.delete(entry) && this.#all.size === 0) this.#changed(false);
    };
  }

  get size() {
    return this.#all.size;
  }

  /** Returns what the callbacks returned that can be waited for. */
  call(...values) {
    let waits = null;
    for (const { callback } of this.#all) {
      try {
        const result = callback(...values);
        if (typeof result?.then === "function") (waits ??= []).push(result);
      } catch (error) {
        reportError(error);
      }
    }
    return waits;
  }
}

// --- sending in batches

/** Messages to one peer: those of one moment share a call, and one call at a time waits for room. */
class Outgoing {
  #bridge;
  #peer;
  #queue = [];
  #isWaiting = false;
  #isDue = false;
  /** The staging memory of the last call, which Python has copied. */
  #spare = null;
  #watched = null;

  constructor(bridge, peer) {
    this.#bridge = bridge;
    this.#peer = peer;
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
    if (!unit?.sizes || unit.used + data.length > STAGE) {
      unit = { data: this.#spare ?? new Uint8Array(STAGE), used: 0, sizes: [], entries: [] };
      this.#spare = null;
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
  }

  /** A message that may be given up or is watched: in its turn like the others, alone in its call. */
  send_watched(data, options, on_progress) {
    const unit = { data, used: data.length, sizes: null, number: 0 };
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
    const promise = this.#bridge.begin("send_webrtc_message", options, begin, on_progress);
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
      this.#bridge.now("send_watched", unit.number, this.#peer, unit.data);
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
      for (const entry of left) entry[settle](value);
      this.#flush();
    };
    const number = this.#bridge.expect({
      resolve: (value) => done("resolve", value), reject: (error) => done("reject", error),
    });
    this.#isWaiting = true;
    let accepted = 0;
    try {
      accepted = this.#bridge.now("send", number, this.#peer, packed(unit, count), count);
    } catch (error) {
      this.#bridge.settle(number, false, error);
    }
    isCalling = false;
    if (unit.sizes) this.#spare = unit.data;
    for (let index = 0; index < accepted; index += 1) unit.entries[index].resolve();
    left = left.slice(accepted);
    if (early) {
      done(...early);
    } else if (accepted === count) {
      this.#bridge.forget(number);
      this.#isWaiting = false;
    }
  }
}

/** Messages of one peer for those who ask: pulled in batches, given out one by one in the order of asking. */
class Incoming {
  #bridge;
  #peer;
  #messages = [];
  #asking = [];
  #isPulling = false;

  constructor(bridge, peer) {
    this.#bridge = bridge;
    this.#peer = peer;
  }

  /** `number`: a pending call that wants the next message. */
  ask(number) {
    this.#asking.push(number);
    this.#give();
  }

  /** What was pulled and nobody asked for. */
  take() {
    return this.#messages.splice(0);
  }

  #give() {
    this.#asking = this.#asking.filter((number) => this.#bridge.isPending(number));
    while (this.#messages.length > 0 && this.#asking.length > 0) {
      this.#bridge.settle(this.#asking.shift(), true, this.#messages.shift());
    }
    if (this.#asking.length > 0 && !this.#isPulling) this.#pull();
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
    };
    this.#isPulling = true;
    const number = this.#bridge.expect({ resolve, reject });
    try {
      this.#bridge.now("pull", number, this.#peer);
    } catch (error) {
      this.#bridge.settle(number, false, error);
    }
  }
}

function packed(unit, count) {
  if (count === 1) return unit.data.subarray(0, unit.used);
  const whole = new Uint8Array(4 * count + unit.used);
  const view = new DataView(whole.buffer);
  for (let index = 0; index < count; index += 1) view.setUint32(4 * index, unit.sizes[index], true);
  whole.set(unit.data.subarray(0, unit.used), 4 * count);
  return whole;
}

// --- DarkSwapWasm

const merge = (under, over) => {
  if (over === undefined) return under;
  const plain = (value) => typeof value === "object" && value !== null && !Array.isArray(value);
  if (!plain(under) || !plain(over)) return over;
  const merged = { ...under };
  for (const [key, value] of Object.entries(over)) merged[key] = merge(under[key], value);
  return merged;
};

function configText(config) {
  if (config === undefined || config === null) return JSON.stringify(defaults);
  if (typeof config !== "string" && typeof config !== "object") throw invalid("config", "is neither an object nor JSON");
  let given = config;
  if (typeof config === "string") {
    try {
      given = JSON.parse(config);
    } catch (error) {
      throw invalid("config", `is not JSON: ${error.message}`);
    }
  }
  return JSON.stringify(merge(defaults, given));
}

export class DarkSwapWasm {
  #bridge;
  #outgoing = new Map();
  #incoming = new Map();
  #messages;
  #events;
  #signals;

  constructor(config) {
    this.#bridge = new Bridge("DarkSwapWasm", "make_node", configText(config), {
      event: (json) => this.#events.call(JSON.parse(json)),
      messages: (peer, data, count) => this.#received(peer, data, count),
      progress: (number, done, total) => this.#bridge.progress(number, done, total),
      signal: (peer, kind, json) => this.#signals[kind].call(peer, JSON.parse(json)),
    });
    const tell = (name) => (on) => this.#bridge.isFreed || this.#bridge.now(name, on);
    this.#messages = new Callbacks(tell("listen_messages"));
    this.#events = new Callbacks(tell("listen_events"));
    const anySignal = () => {
      const on = Object.values(this.#signals).some((callbacks) => callbacks.size > 0);
      if (!this.#bridge.isFreed) this.#bridge.now("listen_signals", on);
    };
    this.#signals = {
      offer: new Callbacks(anySignal), answer: new Callbacks(anySignal), candidate: new Callbacks(anySignal),
    };
  }

  start(options) {
    return this.#bridge.ask("start", [], options);
  }

  stop(options) {
    return this.#bridge.ask("stop", [], options);
  }

  free() {
    void this.#end();
  }

  [Symbol.dispose ?? Symbol.for("Symbol.dispose")]() {
    void this.#end();
  }

  [Symbol.asyncDispose ?? Symbol.for("Symbol.asyncDispose")]() {
    return this.#end();
  }

  #end() {
    return this.#bridge.free((python, number) => python.free(number));
  }

  local_peer_id(options) {
    return this.#bridge.ask("local_peer_id", [], options);
  }

  version() {
    this.#bridge.check();
    return version;
  }

  get_multiaddrs(options) {
    return this.#bridge.ask("get_multiaddrs", [], options);
  }

  async add_relay(multiaddr, options) {
    return this.#bridge.ask("add_relay", [text("multiaddr", multiaddr)], options);
  }

  async make_webrtc_relay_reservation(relay, options) {
    return this.#bridge.ask("make_webrtc_relay_reservation", [text("relay", relay)], options);
  }

  async is_webrtc_relay_reservation_valid(relay, options) {
    return this.#bridge.ask("is_webrtc_relay_reservation_valid", [text("relay", relay)], options);
  }

  get_active_webrtc_relay_reservations(options) {
    return this.#bridge.ask("get_active_webrtc_relay_reservations", [], options);
  }

  async connect_through_webrtc_relay(relay, target, options) {
    return this.#bridge.ask("connect_through_webrtc_relay", [text("relay", relay), text("target", target)], options);
  }

  async disconnect_from_webrtc_relay(peer, options) {
    return this.#bridge.ask("disconnect_from_webrtc_relay", [text("peer", peer)], options);
  }

  get_webrtc_relay_metrics(options) {
    return this.#bridge.ask("get_webrtc_relay_metrics", [], options);
  }

  async create_webrtc_data_channel(peer, options) {
    return this.#bridge.ask("create_webrtc_data_channel", [text("peer", peer)], options);
  }

  send_webrtc_message(peer, data, options) {
    return new Promise((resolve, reject) => {
      this.#bridge.check();
      text("peer", peer);
      if (bytes("data", data).length > MAX_MESSAGE) {
        throw new DarkSwapError("MESSAGE_TOO_LARGE", `message of ${data.length} bytes; at most ${MAX_MESSAGE} are allowed`, {
          hint: "Split the message into smaller ones.", details: { size: data.length, limit: MAX_MESSAGE },
        });
      }
      let outgoing = this.#outgoing.get(peer);
      if (!outgoing) {
        outgoing = new Outgoing(this.#bridge, peer);
        this.#outgoing.set(peer, outgoing);
      }
      if (options?.on_progress || options?.signal || options?.timeout_ms !== undefined) {
        const progress = options.on_progress && callable(options.on_progress);
        outgoing.send_watched(data, options, progress).then(resolve, reject);
      } else {
        outgoing.send(data, { resolve, reject });
      }
    });
  }

  receive_webrtc_message(peer, options) {
    return this.#bridge.begin("receive_webrtc_message", options, (number) => {
      text("peer", peer);
      let incoming = this.#incoming.get(peer);
      if (!incoming) {
        incoming = new Incoming(this.#bridge, peer);
        this.#incoming.set(peer, incoming);
      }
      incoming.ask(number);
    });
  }

  on_webrtc_message(callback) {
    this.#bridge.check();
    const end = this.#messages.add(callback);
    for (const [peer, incoming] of this.#incoming) {
      for (const message of incoming.take()) this.#messages.call(peer, message);
    }
    return end;
  }

  /** True when the callbacks want time: then the next messages of this peer wait for `taken`. */
  #received(peer, data, count) {
    const messages = count === 1 ? [data] : slice(data, count);
    for (let index = 0; index < messages.length; index += 1) {
      const waits = this.#messages.call(peer, messages[index]);
      if (waits) {
        void this.#deliver_slowly(peer, messages.slice(index + 1), waits);
        return true;
      }
    }
    return false;
  }

  async #deliver_slowly(peer, messages, waits) {
    const settle = async (each) => {
      for (const result of await Promise.allSettled(each)) if (result.status === "rejected") reportError(result.reason);
    };
    await settle(waits);
    for (const message of messages) {
      const more = this.#messages.call(peer, message);
      if (more) await settle(more);
    }
    if (!this.#bridge.isFreed) this.#bridge.now("taken", peer);
  }

  async close_webrtc_data_channel(peer, options) {
    return this.#bridge.ask("close_webrtc_data_channel", [text("peer", peer)], options);
  }

  on_webrtc_offer(callback) {
    this.#bridge.check();
    return this.#signals.offer.add(callback);
  }

  on_webrtc_answer(callback) {
    this.#bridge.check();
    return this.#signals.answer.add(callback);
  }

  on_webrtc_ice_candidate(callback) {
    this.#bridge.check();
    return this.#signals.candidate.add(callback);
  }

  async send_webrtc_offer(peer, offer, options) {
    const { sdp } = record("offer", offer);
    return this.#bridge.ask("send_webrtc_offer", [text("peer", peer), sdp], options);
  }

  async send_webrtc_answer(peer, answer, options) {
    const { sdp } = record("answer", answer);
    return this.#bridge.ask("send_webrtc_answer", [text("peer", peer), sdp], options);
  }

  async send_webrtc_ice_candidate(peer, candidate, options) {
    const { candidate: line, sdpMid = null, sdpMLineIndex = null } = record("candidate", candidate);
    return this.#bridge.ask("send_webrtc_ice_candidate", [text("peer", peer), line, sdpMid, sdpMLineIndex], options);
  }

  async create_webrtc_connection(peer, options) {
    return this.#bridge.ask("create_webrtc_connection", [text("peer", peer)], options);
  }

  get_peers(options) {
    return this.#bridge.ask("get_peers", [], options);
  }

  async get_connection_stats(peer, options) {
    return this.#bridge.ask("get_connection_stats", [text("peer", peer)], options);
  }

  async ping(peer, options) {
    return this.#bridge.ask("ping", [text("peer", peer)], options);
  }

  on_event(callback) {
    this.#bridge.check();
    return this.#events.add(callback);
  }
}

// An ordinary function, so that `new DarkSwapWasm.new_with_defaults("regtest")` works as well as the call without.
DarkSwapWasm.new_with_defaults = function new_with_defaults(network) {
  return new DarkSwapWasm({ bitcoin: { network: text("network", network) } });
};

// --- WebRtcConnection

export class WebRtcConnection {
  #bridge;
  #candidates = new Callbacks();
  #opens = new Callbacks();
  #messages = new Callbacks();
  #closes = new Callbacks();

  constructor(configuration = {}) {
    this.#bridge = new Bridge("WebRtcConnection", "make_connection", JSON.stringify(record("configuration", configuration)), {
      candidate: (json) => this.#candidates.call(JSON.parse(json)),
      opened: (label) => this.#opens.call(label),
      message: (data) => this.#messages.call(data),
      closed: () => this.#closes.call(),
    });
  }

  create_offer(options) {
    return this.#bridge.ask("create_offer", [], options);
  }

  create_answer(options) {
    return this.#bridge.ask("create_answer", [], options);
  }

  async set_remote_description(description, options) {
    const { type, sdp } = record("description", description);
    return this.#bridge.ask("set_remote_description", [type, sdp], options);
  }

  async add_ice_candidate(candidate, options) {
    const { candidate: line, sdpMid = null, sdpMLineIndex = null } = record("candidate", candidate);
    return this.#bridge.ask("add_ice_candidate", [line, sdpMid, sdpMLineIndex], options);
  }

  async create_data_channel(label) {
    return this.#bridge.ask("create_data_channel", [text("label", label)]);
  }

  async send_message(data, options) {
    bytes("data", data);
    return this.#bridge.begin("send_message", options, (number) => this.#bridge.now("send", number, data));
  }

  close_data_channel() {
    return this.#bridge.ask("close_data_channel", []);
  }

  close() {
    return this.#bridge.ask("close", []);
  }

  free() {
    void this.#bridge.free((python, number) => python.call(number, "close", "[]"));
  }

  [Symbol.dispose ?? Symbol.for("Symbol.dispose")]() {
    this.free();
  }

  on_ice_candidate(callback) {
    this.#bridge.check();
    return this.#candidates.add(callback);
  }

  on_data_channel_open(callback) {
    this.#bridge.check();
    return this.#opens.add(callback);
  }

  on_data_channel_message(callback) {
    this.#bridge.check();
    return this.#messages.add(callback);
  }

  on_data_channel_close(callback) {
    this.#bridge.check();
    return this.#closes.add(callback);
  }
}
