/** Who may write for an identity: a number in the store, which whoever takes the identity over counts up. */

import { DarkSwapError } from "./errors.mjs";

/** As `runtime/browser/store.py` has them. */
const DATABASE = "darkswap";
const VERSION = 1;
const RECORDS = "records";
const STORES = [RECORDS, "keys"];

/** How many earlier holders are remembered as relieved. */
const REMEMBERED = 4096;
/** Milliseconds after which a browser that has not answered hangs. */
const PATIENCE = 30_000;
/** Names of errors by which browsers say that this page may store nothing. */
const FORBIDDEN = ["SecurityError", "InvalidStateError", "NotAllowedError"];

/**
 * Counts up, beyond `least`, and returns the number. 0: this page may store nothing, so there is nothing to keep others
 * from. null: `isOurs()` says that another tab has the lock.
 *
 * It is asked within the transaction: whoever takes the lock later counts after this transaction, and higher.
 */
export async function countEpoch(name, least, isOurs) {
  const database = await open();
  if (!database) return 0;
  try {
    return await count(database, name, least, isOurs);
  } finally {
    database.close();
  }
}

const failed = (reason) =>
  new DarkSwapError("STORAGE", `IndexedDB failed: ${reason}`, { retryable: true, hint: "Check the place where this device keeps data." });

/** `begin(resolve, reject)`; `late()` when nothing came of it in time. */
function inTime(begin, late) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      late();
      reject(failed(`does not answer within ${PATIENCE / 1000} seconds`));
    }, PATIENCE);
    const end = (settle) => (value) => {
      clearTimeout(timer);
      settle(value);
    };
    begin(end(resolve), end(reject));
  });
}

function open() {
  let isLate = false;
  return inTime((resolve, reject) => {
    const refused = (error) => {
      const isForbidden = FORBIDDEN.includes(error?.name) || /denied/i.test(error?.message ?? "");
      if (isForbidden) resolve(null);
      else reject(failed(String(error)));
    };
    if (!globalThis.indexedDB) return resolve(null);
    try {
      const request = indexedDB.open(DATABASE, VERSION);
      request.onupgradeneeded = () => STORES.forEach((name) => request.result.createObjectStore(name));
      request.onsuccess = () => (isLate ? request.result.close() : resolve(request.result));
      request.onerror = () => refused(request.error);
    } catch (error) {
      refused(error);
    }
  }, () => {
    isLate = true;
  });
}

function count(database, name, least, isOurs) {
  const key = `epoch/${name}`;
  const transaction = database.transaction(RECORDS, "readwrite");
  const records = transaction.objectStore(RECORDS);
  let isHeld = null;
  let epoch = 0;
  const look = () => {
    records.get(key).onsuccess = ({ target }) => {
      // A transaction without a request would end before the answer is there.
      if (isHeld === null) return look();
      if (!isHeld) return transaction.abort();
      const before = target.result ?? 0;
      epoch = Math.max(before, least) + 1;
      records.put(epoch, key);
      // Whoever still writes with one of these fails, see `runtime/browser/store.py`.
      for (const each of [before, epoch - 1]) records.put(true, ["relieved", name, each]);
      records.delete(IDBKeyRange.bound(["relieved", name, 0], ["relieved", name, Math.max(0, epoch - REMEMBERED)]));
    };
  };
  return inTime((resolve, reject) => {
    transaction.oncomplete = () => resolve(epoch);
    transaction.onabort = () => (isHeld === false ? resolve(null) : reject(failed(String(transaction.error))));
    isOurs().then((answer) => {
      isHeld = answer;
    }, reject);
    look();
  }, () => transaction.abort());
}
