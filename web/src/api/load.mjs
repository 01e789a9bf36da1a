/** One load, from an empty page to Python's API: files, interpreter, packages, imports. */

import { Downloads } from "./downloads.mjs";
import { DarkSwapError, fromPython } from "./errors.mjs";
import { LIBRARIES, addTo, boot } from "./interpreter.mjs";
import { PACKAGE, checkFiles, checkPackages, closure, fetchJson, missing } from "./package_files.mjs";
import { Progress } from "./progress.mjs";
import { started } from "./runtime.mjs";
import { version } from "./version.mjs";

const API = "darkswap_browser.bridge.node";
const LOOP = "darkswap_browser.runtime.browser.loop";
const STDLIB = "darkswap_browser.runtime.browser.stdlib";
/** Of the bundle, which has all of this in it. */
const HERE = new URL(".", import.meta.url);

/** `{progress, done, stop}`: `done` is what `init` resolves with; `stop(error)` ends the load with that error. */
export function load(settings) {
  const progress = new Progress();
  const downloads = new Downloads(progress);
  let stop;
  const stopped = new Promise((_, reject) => {
    stop = (error) => {
      downloads.abort(error);
      reject(error);
    };
  });
  const steps = run(settings, progress, downloads, stopped).finally(() => {
    downloads.end();
    progress.end();
  });
  return { progress, done: Promise.race([steps, stopped]), stop };
}

async function run({ indexURL, lockFileURL, stdlib = "small", pyodide: given, defaults }, progress, downloads, stopped) {
  const base = new URL(indexURL ?? HERE);
  if (!base.pathname.endsWith("/")) base.pathname += "/";
  const lockURL = new URL(lockFileURL ?? new URL("pyodide-lock.json", base));
  // Whoever began this listens first.
  await null;
  progress.step("check", 0, "Checking the browser");
  checkWasm();
  progress.step("download", 0.02, "Downloading Python");
  const manifest = fetchJson(downloads, new URL("manifest.json", base)).catch(() => null);
  const [lock, sizes] = await Promise.all([fetchJson(downloads, lockURL), manifest]);
  const wanted = closure(lock, PACKAGE);
  const core = given ? [] : ["pyodide.mjs", "pyodide.asm.mjs", "pyodide.asm.wasm", LIBRARIES[stdlib]];
  progress.expect(base, [...core, ...wanted.map((entry) => entry.file_name)], sizes?.files);
  // The crypto module comes beside the bundle, the rest from `indexURL`.
  const crypto = import(new URL("darkswap-crypto.mjs", HERE).href).catch(() => null);
  const start = given ? addTo(given, lock, lockURL, wanted) : boot(base, lockURL, stdlib, downloads);
  const pyodide = await Promise.race([start, checkFiles(downloads, lockURL, wanted), stopped]);
  progress.step("python", 0.8, "Starting Python");
  progress.step("packages", 0.9, "Checking packages");
  await checkPackages(downloads, pyodide, lockURL, wanted);
  const noble = await crypto;
  if (noble) pyodide.registerJsModule("darkswap_crypto", noble);
  progress.step("import", 0.94, "Starting DarkSwap");
  // A load that was stopped must not take the place of the one begun after it.
  const module = await Promise.race([importApi(pyodide), stopped]);
  // A page's own Pyodide keeps its event loop as it is.
  if (!given) install(pyodide, LOOP);
  started({ pyodide, lock, lockURL }, module, defaults ?? {});
  progress.step("ready", 1, "Ready");
  return { version, pyodide };
}

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

function install(pyodide, name) {
  const module = pyodide.pyimport(name);
  module.install();
  module.destroy();
}

async function importApi(pyodide) {
  let module;
  try {
    install(pyodide, STDLIB);
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
