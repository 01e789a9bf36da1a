/** `init`: from a page without Python to one with DarkSwap ready, within its time. */

import { DarkSwapError, aborted, fromPython, invalid, timedOut } from "./errors.mjs";
import { LIBRARIES, addTo, boot } from "./interpreter.mjs";
import { PACKAGE, checkFiles, checkPackages, closure, fetchJson, missing } from "./package_files.mjs";
import { Progress } from "./progress.mjs";
import { started } from "./runtime.mjs";
import { version } from "./version.mjs";

const API = "darkswap_browser.app.js_api";
const STDLIB = "darkswap_browser.runtime.browser.stdlib";
/** Of the bundle, which has all of this in it. */
const HERE = new URL(".", import.meta.url);
const LOAD_TIMEOUT = 60_000;

let loading = null;

export function init(options = {}) {
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
  const { stdlib = "small" } = options;
  if (!Object.hasOwn(LIBRARIES, stdlib)) throw invalid("options.stdlib", "is neither \"small\" nor \"full\"");
  const base = new URL(options.indexURL ?? HERE, document_base());
  if (!base.pathname.endsWith("/")) base.pathname += "/";
  const lockURL = new URL(options.lockFileURL ?? "pyodide-lock.json", options.lockFileURL ? document_base() : base);
  const progress = new Progress(options.onProgress);
  progress.step("check", 0, "Checking the browser");
  checkWasm();
  progress.step("download", 0.02, "Downloading Python");
  const [lock, sizes] = await Promise.all([fetchJson(lockURL), fetchJson(new URL("manifest.json", base)).catch(() => null)]);
  const wanted = closure(lock, PACKAGE);
  progress.watch(base, sizes?.files, LIBRARIES[stdlib]);
  try {
    // The crypto module comes beside the bundle, the rest from `indexURL`.
    const crypto = import(new URL("darkswap-crypto.mjs", HERE).href).catch(() => null);
    const start = options.pyodide ? addTo(options.pyodide, lock, lockURL, wanted) : boot(base, lockURL, stdlib, progress);
    const pyodide = await Promise.race([start, checkFiles(lockURL, wanted)]);
    progress.step("packages", 0.9, "Checking packages");
    await checkPackages(pyodide, lockURL, wanted);
    const noble = await crypto;
    if (noble) pyodide.registerJsModule("darkswap_crypto", noble);
    progress.step("import", 0.94, "Starting DarkSwap");
    started({ pyodide, lock, lockURL }, await importApi(pyodide), options.defaults ?? {});
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

async function importApi(pyodide) {
  let module;
  try {
    const library = pyodide.pyimport(STDLIB);
    library.install();
    library.destroy();
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
