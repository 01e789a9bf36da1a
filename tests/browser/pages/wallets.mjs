/**
 * Wallet extensions by script: the objects they put into a page, with answers of recorded shape. What they were asked
 * lies in `window.asked`, where a Map among the options is told as "Map".
 */
const asked = (window.asked = []);
const shape = (value) => {
  if (value instanceof Map) return "Map";
  if (value instanceof Uint8Array) return `bytes ${value.length}`;
  if (Array.isArray(value)) return value.map(shape);
  if (value !== null && typeof value === "object") {
    if (Object.getPrototypeOf(value) !== Object.prototype) return `instance of ${value.constructor.name}`;
    return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, shape(each)]));
  }
  return value === undefined ? "undefined" : value;
};
const note = (wallet, method, params) => asked.push([wallet, method, shape(params)]);

/** UniSat: methods of its own; it throws plain objects; events by `on` and `removeListener`. */
class Unisat {
  #listeners = new Map();
  async requestAccounts() { note("unisat", "requestAccounts", []); return ["tb1pfirst"]; }
  async getAccounts() { return ["tb1pfirst"]; }
  async getPublicKey() { return "02" + "11".repeat(32); }
  async getChain() { return { enum: "BITCOIN_SIGNET", name: "Bitcoin Signet", network: "testnet" }; }
  async signPsbt(hex, options) { note("unisat", "signPsbt", [hex, options]); return "aa" + hex; }
  signMessage() { return Promise.reject({ code: 4001, message: "User rejected the request." }); }
  async getBalanceV2() { throw Object.assign(new Error("locked"), { code: -32603 }); }
  getInscriptions() { throw { code: 4001, message: "at once" }; }
  async getBitcoinUtxos() { return Array.from({ length: 20000 }, (_, n) => n); }
  async getVersion() { const loop = {}; loop.loop = loop; return loop; }
  async nothing() { return null; }
  on(event, callback) { this.#listeners.set(event, callback); }
  removeListener(event, callback) {
    note("unisat", "removeListener", [event, this.#listeners.get(event) === callback]);
    this.#listeners.delete(event);
  }
  tell(event, ...values) { this.#listeners.get(event)?.(...values); }
}

/** Xverse: one `request` that resolves to JSON-RPC; `addListener` returns what ends it. */
const xverse = {
  listeners: {},
  async request(method, params) {
    note("xverse", method, params);
    if (method === "signPsbt") return { jsonrpc: "2.0", id: "1", result: { psbt: params.psbt, txid: null } };
    if (method === "refuse") return { jsonrpc: "2.0", id: "1", error: { code: -32000, message: "User rejected" } };
    return { jsonrpc: "2.0", id: "1", error: { code: -32601, message: "Method not found" } };
  },
  addListener(event, callback) {
    this.listeners[event] = callback;
    return () => { note("xverse", "end", [event]); delete this.listeners[event]; };
  },
};

/** Leather: `request` that rejects with the JSON-RPC error; no events. */
const leather = {
  async request(method, params) {
    note("leather", method, params);
    if (method === "refuse") throw { jsonrpc: "2.0", id: "1", error: { code: 4001, message: "no" } };
    return { jsonrpc: "2.0", id: "1", result: { hex: params.hex } };
  },
};

/** A wallet-standard account: its fields are getters of a class, as the package's own are. */
class StandardAccount {
  #address;
  constructor(address) { this.#address = address; }
  get address() { return this.#address; }
  get publicKey() { return new Uint8Array(33).fill(2); }
  get chains() { return Object.freeze(["bitcoin:regtest"]); }
  get features() { return Object.freeze(["bitcoin:signTransaction"]); }
}

class StandardWallet {
  listeners = [];
  get name() { return "Page Wallet"; }
  get version() { return "1.0.0"; }
  get features() {
    return {
      "bitcoin:connect": { version: "1.0.0", connect: async (params) => {
        note("standard", "connect", params);
        this.account ??= new StandardAccount("bcrt1first");
        return { accounts: [this.account] };
      } },
      "bitcoin:signTransaction": { version: "1.0.0", signTransaction: async (params) => {
        note("standard", "signTransaction", { ...params, same: params.inputsToSign[0].account === this.account });
        return [{ signedPsbt: params.psbt }];
      } },
      "standard:events": { version: "1.0.0", on: (event, callback) => {
        this.listeners.push(callback);
        return () => { note("standard", "end", [event]); this.listeners = []; };
      } },
    };
  }
}

/** As the package `@wallet-standard/wallet` does: both events, whoever comes first. */
function register(wallet) {
  const callback = ({ register }) => register(wallet);
  class RegisterWalletEvent extends Event {
    get detail() { return callback; }
  }
  window.dispatchEvent(new RegisterWalletEvent("wallet-standard:register-wallet"));
  window.addEventListener("wallet-standard:app-ready", ({ detail: api }) => callback(api));
}

export function install() {
  window.unisat = new Unisat();
  window.okxwallet = { bitcoin: {}, bitcoinSignet: {} };
  window.XverseProviders = { BitcoinProvider: xverse };
  window.BitcoinProvider = xverse;
  window.LeatherProvider = leather;
  window.other = { wallet: { request: leather.request } };
  window.btc_providers = [
    { id: "XverseProviders.BitcoinProvider", name: "Xverse" }, { id: "LeatherProvider", name: "Leather" },
    { id: "other.wallet", name: "Other" }, { id: "missing.wallet", name: "Missing" }, null, { id: 7 },
  ];
  window.standardWallet = new StandardWallet();
  register(window.standardWallet);
  register({ name: "Other Chain", features: { "solana:connect": {} } });
}
