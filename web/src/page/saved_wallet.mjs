/**
 * Which wallet this tab had open, so that a reload opens it again. Storage throws where the user forbids it: then a
 * wallet is connected anew after each load.
 */

const KEY = "darkswap.wallet";

/** `{type, name, locked, closed}`: `locked` by a passphrase, `closed` by its owner; null when there was none. */
export function savedWallet() {
  try {
    return JSON.parse(sessionStorage.getItem(KEY));
  } catch {
    return null;
  }
}

export function saveWallet(wallet) {
  try {
    sessionStorage.setItem(KEY, JSON.stringify(wallet));
  } catch {
    // As above.
  }
}
