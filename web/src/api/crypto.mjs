// What WebCrypto lacks, or offers only as a promise, from the audited noble libraries. darkswap.mjs registers this
// module with Pyodide as "darkswap_crypto"; without it the package falls back to its own, slower arithmetic.
import { chacha20poly1305 } from "@noble/ciphers/chacha.js";
import { ed25519, x25519 } from "@noble/curves/ed25519.js";
import { secp256k1 } from "@noble/curves/secp256k1.js";

// Frames pass through two buffers that stay: Python copies into one and out of the other, so that a call crosses
// the border with numbers only. The largest Noise message has 65,535 bytes.
const FRAME = 65535 + 16;
export const inbox = new Uint8Array(FRAME);
export const outbox = new Uint8Array(FRAME);

class Cipher {
  #key;
  #nonce = new Uint8Array(12);
  #empty = new Uint8Array(0);

  constructor(key) {
    this.#key = key.slice();
  }

  #prepare(high, middle, low, associated) {
    const view = new DataView(this.#nonce.buffer);
    view.setUint32(0, high);
    view.setUint32(4, middle);
    view.setUint32(8, low);
    return chacha20poly1305(this.#key, this.#nonce, associated ?? this.#empty);
  }

  // The nonce comes as three big-endian words. Both work from inbox[0, size) to outbox and return the size there.
  seal(high, middle, low, size, associated) {
    this.#prepare(high, middle, low, associated).encrypt(inbox.subarray(0, size), outbox.subarray(0, size + 16));
    return size + 16;
  }

  // -1: the tag does not hold.
  open(high, middle, low, size, associated) {
    try {
      this.#prepare(high, middle, low, associated).decrypt(inbox.subarray(0, size), outbox.subarray(0, size - 16));
      return size - 16;
    } catch {
      return -1;
    }
  }
}

export const cipher = (key) => new Cipher(key);

const orFalse = (check) => {
  try {
    return check();
  } catch {
    return false; // a malformed key or signature
  }
};

export const x25519_public = (secret) => x25519.getPublicKey(secret);

// A point of low order gives zero, as RFC 7748 computes it; noble throws instead.
export const x25519_shared = (secret, theirs) => {
  try {
    return x25519.getSharedSecret(secret, theirs);
  } catch {
    return new Uint8Array(32);
  }
};

export const ed25519_public = (seed) => ed25519.getPublicKey(seed);
export const ed25519_sign = (seed, message) => ed25519.sign(message, seed);
export const ed25519_verify = (key, message, signature) =>
  orFalse(() => ed25519.verify(signature, message, key, { zip215: false }));

// `signature` is r and s, 32 bytes each; either half of s is valid, as in go and rust.
export const secp256k1_verify = (key, message, signature) =>
  orFalse(() => secp256k1.verify(signature, message, key, { lowS: false, format: "compact" }));
