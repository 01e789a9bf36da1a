/** The half of Python that trades, loaded when a page first trades: pages that only talk never pay for it. */

import { Downloads } from "./downloads.mjs";
import { fromPython } from "./errors.mjs";
import { addTo } from "./interpreter.mjs";
import { checkPackages, closure, missing } from "./package_files.mjs";
import { Progress } from "./progress.mjs";
import { interpreter } from "./runtime.mjs";

const API = "darkswap_browser.bridge.trading";
const NEEDED = "darkswap_browser_trade";

let loading = null;

/** Python's `bridge.trading`. */
export function tradingPart() {
  loading ??= load().catch((error) => {
    loading = null;
    throw error;
  });
  return loading;
}

async function load() {
  const { pyodide, lock, lockURL } = interpreter;
  const wanted = closure(lock, NEEDED);
  const downloads = new Downloads(new Progress());
  try {
    await addTo(pyodide, lock, lockURL, wanted);
    await checkPackages(downloads, pyodide, lockURL, wanted);
  } finally {
    downloads.end();
  }
  try {
    return pyodide.pyimport(API);
  } catch (cause) {
    const lost = /No module named '([^']+)'/.exec(String(cause?.message ?? cause));
    throw lost ? missing(lost[1], cause) : fromPython(cause);
  }
}
