/**
 * Which wallet was open here, so that the next visit opens it again: one for all tabs of an identity. Storage throws where
 * the user forbids it: then a wallet is connected anew after each load.
 */

import { identityName } from "./identity_name.mjs";

const KEY = `darkswap.wallet.${identityName(new URLSearchParams(location.search))}`;

/** `{type, name, locked, closed}`: `locked` by a passphrase, `closed` by its owner; null when there was none. */
export function savedWallet() {
  try {
    return JSON.parse(localStorage.getItem(KEY));
  } catch {
    return null;
  }
}

export function saveWallet(wallet) {
  try {
    localStorage.setItem(KEY, JSON.stringify(wallet));
  } catch {
    // As above.
  }
}
