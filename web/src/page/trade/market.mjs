/**
 * What the page knows of the wallet, orders and trades, and what it asks of DarkSwapWasm. Parts read it and redraw when
 * the session changes; the rules are Python's.
 */

import { go } from "../route.mjs";
import { explain } from "../words.mjs";

/** Milliseconds between two looks at the wallet's coins while the page is seen. */
const LOOK_EVERY = 15_000;
const KEPT_WALLET = "darkswap.wallet";

export class Market {
  constructor(session) {
    this.session = session;
    /** "waiting" for Python, "loading", "ready" or "failed". */
    this.phase = "waiting";
    this.failure = null;
    this.wallet = null;
    this.walletKinds = ["seed"];
    this.connecting = false;
    this.walletFailure = null;
    this.balances = null;
    this.coins = null;
    this.coinsFailure = null;
    this.orders = new Map();
    this.trades = new Map();
    /** Text of an order's link that was opened → its failure, or null while it is looked at. */
    this.imports = new Map();
    /** What the faucet of a test chain was last asked for: {state, message}. */
    this.faucet = null;
    this._looking = null;
  }

  get node() {
    return this.session.node;
  }

  get network() {
    return this.session.config?.bitcoin?.network ?? "mainnet";
  }

  get faucetAddress() {
    return this.session.config?.chain?.faucet ?? "";
  }

  changed() {
    this.session.changed("market");
  }

  /** Once the node runs: the wallet of last time, orders and trades; again after a failure. */
  async begin() {
    this.phase = "loading";
    this.failure = null;
    this.changed();
    try {
      const [kinds, orders, trades] = await Promise.all([
        this.node.get_available_wallets(), this.node.get_orders(), this.node.get_trades(),
      ]);
      this.walletKinds = kinds;
      for (const order of orders) this.orders.set(order.id, order);
      for (const trade of trades) this.trades.set(trade.id, trade);
      this.phase = "ready";
      this._openKeptWallet();
    } catch (error) {
      this.phase = "failed";
      this.failure = explain(error);
    }
    this.changed();
  }

  happened(event) {
    if (event.order) this.orders.set(event.order_id, event.order);
    if (event.trade) {
      const before = this.trades.get(event.trade_id);
      this.trades.set(event.trade_id, event.trade);
      if (before?.status !== event.trade.status) this.session.announce(`Trade: ${event.trade.advice}`);
    }
    if (event.type === "balance_updated" || event.trade?.status === "completed") this.look();
    if (event.type === "wallet_disconnected") this._walletGone();
  }

  // --- wallet

  /** `config` as connect_wallet takes it. Resolves with true when it is there. */
  async connect(config) {
    this.connecting = true;
    this.walletFailure = null;
    this.changed();
    try {
      this.wallet = await this.node.connect_wallet(config);
      keep({ type: config.type, name: config.name, locked: Boolean(config.passphrase) });
      this.connecting = false;
      this._looking ??= setInterval(() => document.visibilityState === "visible" && this.look(), LOOK_EVERY);
      await this.look();
    } catch (error) {
      this.connecting = false;
      this.walletFailure = explain(error);
    }
    this.changed();
    return this.wallet !== null;
  }

  connectSeed({ passphrase = "", mnemonic } = {}) {
    const given = mnemonic ? { mnemonic } : {};
    return this.connect({ type: "seed", name: this.session.identityName || "default", passphrase, ...given });
  }

  async disconnect() {
    keep(null);
    await this.node.disconnect_wallet();
    this._walletGone();
  }

  _walletGone() {
    clearInterval(this._looking);
    this._looking = null;
    this.wallet = null;
    this.balances = null;
    this.coins = null;
    this.changed();
  }

  _openKeptWallet() {
    const kept = kept_wallet();
    if (kept?.type === "seed" && !kept.locked) this.connectSeed();
    else if (kept && kept.type !== "seed") this.connect({ type: kept.type });
  }

  /** Asks the chain for balances and coins. */
  async look() {
    if (!this.wallet) return;
    try {
      [this.balances, this.coins] = await Promise.all([this.node.get_balances(), this.node.get_coins()]);
      this.coinsFailure = null;
    } catch (error) {
      this.coinsFailure = explain(error);
    }
    this.changed();
  }

  async freeze(outpoint, on) {
    await this.node.freeze_coin(outpoint, on);
    await this.look();
  }

  /** Coins of a test chain. */
  async askFaucet(asset) {
    this.faucet = { state: "busy", message: "Asking the faucet…" };
    this.changed();
    try {
      const bitcoin = asset === "BTC";
      const address = bitcoin ? this.wallet.payment_address : this.wallet.address;
      const answer = await fetch(this.faucetAddress, { method: "POST", body: JSON.stringify({ address, asset }) });
      if (!answer.ok) throw { code: "CHAIN", message: (await answer.text()).slice(0, 200) };
      this.faucet = { state: "good", message: "On its way: it can be spent after the next block." };
      setTimeout(() => this.look(), 1000);
    } catch (error) {
      this.faucet = { state: "bad", message: `The faucet did not give: ${explain(error).reason}` };
    }
    this.session.announce(this.faucet.message);
  }

  /** Of everything seen so far: text of the asset → {name, decimals, symbol}. */
  assets() {
    const known = new Map([["BTC", { asset: "BTC", name: "Bitcoin", symbol: "₿", decimals: 8 }]]);
    for (const { asset, name, symbol, decimals } of this.balances ?? []) known.set(asset, { asset, name, symbol, decimals });
    for (const order of this.orders.values()) for (const one of [order.base, order.quote]) known.set(one.asset, one);
    for (const one of this.session.config?.chain?.assets ?? []) if (!known.has(one.asset)) known.set(one.asset, one);
    return known;
  }

  /** What an id or a name means, or null: asked of the index when it is not known here. */
  async lookUp(text) {
    const wanted = text.trim();
    const known = [...this.assets().values()].find((one) =>
      one.asset === wanted.toUpperCase() || plain(one.name) === plain(wanted));
    if (known) return known;
    const [, kind, id] = /^(rune|alkane):(.+)$/i.exec(wanted) ?? [];
    if (kind?.toLowerCase() === "alkane") return this.node.get_alkane_info(id);
    return this.node.get_rune_info(id ?? wanted);
  }

  // --- orders and trades

  async createOrder(draft) {
    const order = await this.node.create_order(draft);
    this.orders.set(order.id, order);
    go(`#/order/${order.id}`);
  }

  /** An order's link was opened. */
  async import(text) {
    if (this.imports.has(text)) return;
    this.imports.set(text, null);
    try {
      const order = await this.node.import_order(text);
      this.orders.set(order.id, order);
      this.imports.delete(text);
      location.replace(`#/order/${order.id}`);
    } catch (error) {
      this.imports.set(text, explain(error));
      this.changed();
    }
  }

  async take(order, amount) {
    const trade = await this.node.take_order(order.id, amount, { review: true });
    this.trades.set(trade.id, trade);
    go(`#/trade/${trade.id}`);
  }

  /** `confirm_trade`, `cancel_trade` or `revoke_trade`. */
  async act(trade, method) {
    const changed = await this.node[method](trade.id);
    this.trades.set(changed.id, changed);
    this.changed();
  }
}

export const plain = (name) => name.replace(/[•.\s]/g, "").toUpperCase();

// Storage throws where the user forbids it: then a wallet is connected anew after each load.
function keep(wallet) {
  try {
    if (wallet) sessionStorage.setItem(KEPT_WALLET, JSON.stringify(wallet));
    else sessionStorage.removeItem(KEPT_WALLET);
  } catch {
    // As above.
  }
}

function kept_wallet() {
  try {
    return JSON.parse(sessionStorage.getItem(KEPT_WALLET));
  } catch {
    return null;
  }
}
