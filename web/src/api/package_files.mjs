/** The files of the lock: which are needed, and whether they are served whole. */

import { loadFailed } from "./downloads.mjs";
import { DarkSwapError } from "./errors.mjs";

export const PACKAGE = "darkswap_browser";

export async function fetchJson(downloads, url) {
  const answer = await downloads.get(url);
  try {
    return await answer.json();
  } catch (cause) {
    throw loadFailed(url, "it is not JSON", { cause });
  }
}

export const normal = (name) => name.toLowerCase().replace(/[-_.]+/g, "-");

/** Entries of the lock that `name` needs, itself last. */
export function closure(lock, name) {
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

/** `loadPackage` resolves whatever happens, so the files are asked for beforehand; Pyodide then finds them in the
 * browser's cache. Never resolves: it only ever has bad news. */
export async function checkFiles(downloads, lockURL, wanted) {
  await Promise.all(wanted.map((entry) => checkFile(downloads, lockURL, entry)));
  return new Promise(() => {});
}

async function checkFile(downloads, lockURL, entry) {
  const url = new URL(entry.file_name, lockURL);
  const digest = Uint8Array.from(entry.sha256.match(/../g), (pair) => parseInt(pair, 16));
  const integrity = `sha256-${btoa(String.fromCharCode(...digest))}`;
  try {
    await downloads.get(url, { integrity });
    return;
  } catch {
    // A wrong hash looks like no network at all; asking again without it tells them apart.
  }
  await downloads.get(url);
  throw new DarkSwapError("INTEGRITY", `${entry.file_name} is not the file that the lock names`, {
    hint: "The file was changed on its way, or comes from another build; serve all files of one build together.",
    details: { url: url.href, expected: entry.sha256 },
  });
}

export async function checkPackages(downloads, pyodide, lockURL, wanted) {
  const have = new Set(Object.keys(pyodide.loadedPackages).map(normal));
  for (const entry of wanted) {
    if (have.has(normal(entry.name))) continue;
    await checkFile(downloads, lockURL, entry);
    throw missing(entry.name);
  }
}

export const missing = (name, cause) =>
  new DarkSwapError("PACKAGE_MISSING", `${name} is not there after loading`, {
    cause, retryable: true, hint: "Reload the page; serve all files of one build together.", details: { package: name },
  });
