/** The Python runtime of this page: its API once loaded, the site's defaults, and its end. */

import { runtimeDead } from "./errors.mjs";

/** Python's `bridge.node`, once loaded. */
export let api = null;
export let defaults = {};
/** Whether `init` has been called with success. */
export let isInitialized = false;
/** `{pyodide, lock, lockURL}`: to load more into it later. */
export let interpreter = null;
/** Why Python has stopped, once it has. */
export let death = null;
/** Called when Python stops. */
export const deathListeners = new Set();
/** Objects that Python stands behind. */
export const bridges = new Set();

export function started(source, module, siteDefaults) {
  const { pyodide } = source;
  interpreter = source;
  api = module;
  watchDeath(pyodide);
  setDefaults(siteDefaults);
}

/** Also of a page that loads no Python, since another tab runs its node. */
export function setDefaults(siteDefaults) {
  isInitialized = true;
  defaults = siteDefaults;
}

function watchDeath(pyodide) {
  const internals = pyodide._api;
  if (!internals) return;
  const before = internals.on_fatal;
  internals.on_fatal = (cause) => {
    death = runtimeDead(cause);
    for (const bridge of bridges) bridge.die(death);
    for (const listener of deathListeners) listener();
    return before?.(cause);
  };
}
