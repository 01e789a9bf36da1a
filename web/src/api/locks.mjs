/** Web Locks: which tab of the site runs the node of an identity. */

export const nodeLock = (name) => `darkswap/node/${name}`;
/** Of one view in another tab, `id` a UUID; also the name of its channel. */
export const lineLock = (id) => `darkswap/line/${id}`;
/** Of the tab that takes a node away from another. */
export const reliefLock = (name) => `darkswap/relief/${name}`;

/** Why a node here cannot be shared with other tabs, or "" when it can. */
export function unshared() {
  if (typeof document === "undefined") return "a worker runs a node of its own";
  if (globalThis.origin === "null") return "this frame has an opaque origin";
  if (!globalThis.navigator?.locks) return "Web Locks need a secure context (https or localhost)";
  return typeof BroadcastChannel === "undefined" ? "this browser has no BroadcastChannel" : "";
}

/**
 * Resolves with `release()` once the lock is held; with null when `ifAvailable` was asked for and it is not. Rejects when
 * `signal` gives the request up, or the browser forbids it. `onStolen` is called when another tab takes the lock away.
 */
export function takeLock(name, { onStolen = () => {}, ...options } = {}) {
  return new Promise((resolve, reject) => {
    let isHeld = false;
    let isReleased = false;
    const request = navigator.locks.request(name, options, (lock) => {
      if (!lock) return resolve(null);
      isHeld = true;
      return new Promise((release) => {
        resolve(() => {
          isReleased = true;
          release();
        });
      });
    });
    request.catch((error) => {
      if (!isHeld) reject(error);
      else if (!isReleased) onStolen();
    });
  });
}

/** Whether some tab of the site holds the lock now. */
export async function isHeld(name) {
  if (unshared()) return false;
  try {
    const { held } = await navigator.locks.query();
    return held.some((lock) => lock.name === name);
  } catch {
    // A browser that forbids locks to this page: the node will be its own.
    return false;
  }
}

/** Whether this tab holds the lock now, as the browser sees it: a tab that slept has not heard yet of a lock that was stolen. */
export async function holdsLock(name) {
  const mark = lineLock(crypto.randomUUID());
  const release = await takeLock(mark);
  try {
    const { held } = await navigator.locks.query();
    const holder = (wanted) => held.find((lock) => lock.name === wanted)?.clientId;
    return holder(name) === holder(mark);
  } finally {
    release();
  }
}

const OWN = /^darkswap\/(?!(node|line|relief)\/)/;

/** Names of the locks of Python in the tab that holds the lock `name`. */
export async function locksBeside(name) {
  const { held } = await navigator.locks.query();
  const tab = held.find((lock) => lock.name === name)?.clientId;
  return held.filter((lock) => lock.clientId === tab && OWN.test(lock.name)).map((lock) => lock.name);
}

/** Takes locks away from a tab that stands still. */
export function freeLocks(names) {
  for (const name of names) void takeLock(name, { steal: true }).then((release) => release());
}
