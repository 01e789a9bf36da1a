/** A Pyodide with the packages in it: one of our own, or the page's. */

import { DarkSwapError } from "./errors.mjs";
import { PACKAGE, normal } from "./package_files.mjs";

/** The standard libraries of a build: without what pages seldom want, and whole. */
export const LIBRARIES = { small: "python_stdlib_small.zip", full: "python_stdlib.zip" };

/** `pyodide.mjs` of this build takes a `fetch` of ours (`setFetch`): files are then counted, and their failures named. */
export async function boot(base, lockURL, stdlib, downloads) {
  const library = new URL(LIBRARIES[stdlib], base);
  const module = await downloads.import(new URL("pyodide.mjs", base));
  module.setFetch?.(downloads.getForPyodide);
  const start = module.loadPyodide({
    indexURL: base.href, stdLibURL: library.href, lockFileURL: lockURL.href, packageBaseUrl: new URL(".", lockURL).href,
    packages: [PACKAGE], stdout: () => {}, stderr: (line) => console.debug(line),
  });
  try {
    return await Promise.race([start, module.setFetch ? downloads.failure : probed(base, library, downloads)]);
  } catch (cause) {
    if (cause instanceof DarkSwapError) throw cause;
    await downloads.import(new URL("pyodide.asm.mjs", base));
    throw bootError(cause);
  } finally {
    module.setFetch?.();
  }
}

/** Any other `pyodide.mjs` waits for ever on a missing file: asks for their headers, and never resolves. */
async function probed(base, library, downloads) {
  const names = ["pyodide.asm.mjs", "pyodide.asm.wasm"].map((name) => new URL(name, base));
  await Promise.all([...names, library].map((url) => downloads.probe(url)));
  return new Promise(() => {});
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
export async function addTo(pyodide, lock, lockURL, wanted) {
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
