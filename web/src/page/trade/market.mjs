/**
 * What the page knows of the wallet, orders and trades, and what it asks of DarkSwapWasm. Parts read it and redraw when
 * the session changes; the rules are Python's.
 */

import { saveWallet, savedWallet } from "../saved_wallet.mjs";
import { go } from "../route.mjs";
import { explain } from "../text.mjs";
import { plain, skeleton } from "./asset_names.mjs";

/** Milliseconds between two looks at the wallet's coins while the page is seen. */
const LOOK_EVERY = 15_000;
/** Milliseconds after which the faucet's coins are looked for again. */
const LOOK_SOON = 1500;
/** Wallets that one tab may have restored from words, beside its own. */
const MOST_WALLETS = 9;
/** Names of which the index is asked whether a rune has them. */
const MOST_NAMES = 100;
/** How a maker's page that is closed shows itself when it is called. */
const AWAY = ["DIAL_FAILED", "PEER_OFFLINE", "NO_ADDRESS", "UNKNOWN_RELAY", "RELAY_REFUSED", "CONNECTION_LOST", "TIMEOUT", "NOT_CONNECTED"];

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
    /** What the faucet of a test chain was last asked for: {state, message, txid}. */
    this.faucet = null;
    /** An order that its maker is being asked for: {order, amount, controller}; null when none is. */
    this.asking = null;
    /** Trades of our orders that began while nobody looked. */
    this.unseen = new Set();
    this._looking = null;
    /** Name → the rune that the index knows by it, or null. */
    this._runes = new Map();
    /** Ids of orders and trades that events told of since the lists of them were asked for. */
    this._told = new Set();
    addEventListener("beforeunload", (event) => {
      // A trade that is being agreed is lost to the other side with the page.
      if ([...this.trades.values()].some((trade) => trade.status === "pending")) event.preventDefault();
    });
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
    this._told.clear();
    this.changed();
    try {
      const [kinds, orders, trades, wallet] = await Promise.all([
        this.node.get_available_wallets(), this.node.get_orders(), this.node.get_trades(), this.node.get_wallet_info(),
      ]);
      this._learnWallets(kinds);
      // What events told meanwhile is newer than these lists.
      for (const order of orders) if (!this._told.has(order.id)) this.orders.set(order.id, order);
      for (const trade of trades) {
        if (!this._told.has(trade.id)) this.trades.set(trade.id, trade);
        if (trade.role === "maker" && trade.status === "pending") this.unseen.add(trade.id);
      }
      if (this.session.route.view === "trade") this.unseen.delete(this.session.route.id);
      this.phase = "ready";
      // Another tab of this browser may have opened it.
      if (wallet) void this._walletCame(wallet);
      else this._openKeptWallet();
    } catch (error) {
      this.phase = "failed";
      this.failure = explain(error);
    }
    this.changed();
  }

  happened(event) {
    if (event.order) {
      this.orders.set(event.order_id, event.order);
      this._told.add(event.order_id);
    }
    if (event.trade) {
      this._told.add(event.trade_id);
      const before = this.trades.get(event.trade_id);
      this.trades.set(event.trade_id, event.trade);
      if (!before && event.trade.role === "maker") this.unseen.add(event.trade_id);
      if (before?.status !== event.trade.status) this.session.announce(`Trade: ${event.trade.advice}`);
      if (this.session.route.view === "trade") this.seen(this.session.route.id);
    }
    if (event.type === "balance_updated" || event.trade?.status === "completed") this.look();
    if (event.type === "wallet_connected" && !this.connecting) void this._walletCame(event.wallet);
    if (event.type === "wallet_disconnected") this._walletGone();
    if (event.type === "wallet_available") {
      this._learnWallets([event.kind]);
      this.changed();
      if (this.phase === "ready" && savedWallet()?.type === event.kind && !this.wallet && !this.connecting) this._openKeptWallet();
    }
  }

  /** What the visitor should be told of wherever they are: the newest trade of an order of theirs, or null. */
  get calling() {
    return this.trades.get([...this.unseen].at(-1)) ?? null;
  }

  seen(tradeId) {
    if (this.unseen.delete(tradeId)) this.changed();
  }

  // --- wallet

  /** `config` as connect_wallet takes it. Resolves with true when it is there. */
  async connect(config) {
    this.connecting = true;
    this.walletFailure = null;
    this.changed();
    try {
      const wallet = await this.node.connect_wallet(config);
      saveWallet({ type: config.type, name: config.name, locked: Boolean(config.passphrase) });
      this.connecting = false;
      await this._walletCame(wallet);
    } catch (error) {
      this.connecting = false;
      this.walletFailure = explain(error);
    }
    this.changed();
    return this.wallet !== null;
  }

  async _walletCame(wallet) {
    this.wallet = wallet;
    this._looking ??= setInterval(() => document.visibilityState === "visible" && this.look(), LOOK_EVERY);
    await this.look();
  }

  /** The wallet of this browser, or the one of `mnemonic` under a name that is free or its own. */
  async connectSeed({ passphrase = "", mnemonic } = {}) {
    const own = this.session.identityName || "default";
    const kept = savedWallet();
    const name = kept?.type === "seed" ? kept.name : own;
    if (!mnemonic) return this.connect({ type: "seed", name, passphrase });
    for (let number = 1; number <= MOST_WALLETS; number += 1) {
      const there = await this.connect({ type: "seed", name: number === 1 ? own : `${own}-${number}`, passphrase, mnemonic });
      // Another wallet has that name: it says so, or its passphrase is another.
      const taken = this.walletFailure?.code === "WALLET_FAILED" || this.walletFailure?.path === "name";
      if (there || !taken) return there;
    }
    return false;
  }

  async disconnect() {
    saveWallet({ ...savedWallet(), closed: true });
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

  /** `kinds` as get_available_wallets and its event name them; an event may come before the answer. */
  _learnWallets(kinds) {
    this.walletKinds = [...new Set([...this.walletKinds, ...kinds])];
  }

  /** An extension that is not in the page yet opens when `wallet_available` tells of it. */
  _openKeptWallet() {
    const kept = savedWallet();
    if (!kept || kept.closed || kept.locked || !this.walletKinds.includes(kept.type)) return;
    if (kept.type === "seed") this.connectSeed();
    else this.connect({ type: kept.type });
  }

  /** Asks the chain for balances and coins. */
  async look() {
    if (!this.wallet || !this.session.online) return;
    try {
      [this.balances, this.coins] = await Promise.all([this.node.get_balances(), this.node.get_coins()]);
      this.coinsFailure = null;
    } catch (error) {
      this.coinsFailure = explain(error);
    }
    this.changed();
  }

  async freeze(outpoint, on) {
    try {
      await this.node.freeze_coin(outpoint, on);
    } catch (error) {
      this.coinsFailure = explain(error);
    }
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
      this.faucet = { state: "good", message: "Given. Asking the chain…", txid: (await answer.json()).txid };
    } catch (error) {
      const reason = error instanceof TypeError ? "it does not answer. Check that the test chain runs, then ask again" : explain(error).reason;
      this.faucet = { state: "bad", message: `The faucet did not give: ${reason}.`.replace("..", ".") };
    }
    this.session.announce(this.faucet.message);
    await this._awaitGift(this.faucet);
  }

  /** Says what is true of the coins given: that they are here, or what they wait for. */
  async _awaitGift(faucet) {
    if (!faucet.txid) return;
    await this.look();
    const coin = this.coins?.find((one) => one.outpoint.startsWith(faucet.txid));
    if (this.faucet !== faucet) return;
    const here = coin?.state === "confirmed" && coin.known;
    this.faucet = { ...faucet, message: here ? "Here it is, and can be spent." : coin ? "On its way: it can be spent after the next block." : faucet.message };
    this.changed();
    if (here) this.session.announce(this.faucet.message);
    else setTimeout(() => void this._awaitGift(this.faucet), LOOK_SOON);
  }

  /** Of everything seen so far: text of the asset → {name, decimals, symbol}. */
  assets() {
    const known = new Map([["BTC", { asset: "BTC", name: "Bitcoin", symbol: "₿", decimals: 8 }]]);
    for (const { asset, name, symbol, decimals } of this.balances ?? []) known.set(asset, { asset, name, symbol, decimals });
    for (const order of this.orders.values()) for (const one of [order.base, order.quote]) known.set(one.asset, one);
    for (const one of this.session.config?.chain?.assets ?? []) if (!known.has(one.asset)) known.set(one.asset, one);
    return known;
  }

  /** Other assets whose names look like this one's: those known here, and the rune of that name. */
  namesakes({ asset, name }) {
    if (asset === "BTC" || !name) return [];
    const shape = skeleton(name);
    const here = [...this.assets().values(), this._runeNamed(name)].filter((one) => one && one.asset !== asset && skeleton(one.name) === shape);
    return [...new Map(here.map((one) => [one.asset, one])).values()];
  }

  /** By the index's word; null while it is asked, where it knows none, and once it has been asked for too many. */
  _runeNamed(name) {
    const key = plain(skeleton(name));
    if (!this._runes.has(key) && this._runes.size < MOST_NAMES && /^[A-Z]+$/.test(key)) {
      this._runes.set(key, null);
      void this.node.get_rune_info(key).then((rune) => {
        this._runes.set(key, rune);
        if (rune) this.changed();
      }, () => this._runes.delete(key));
    }
    return this._runes.get(key) ?? null;
  }

  /**
   * What an id or a name means: nothing, one asset, or several that a name does not tell apart. Names are those of the
   * index's runes, of coins held here and of the site's own list; what a stranger's order calls an asset names nothing.
   */
  async lookUp(text) {
    const wanted = text.trim();
    const known = this.assets().get(wanted.toUpperCase());
    if (known) return [known];
    const [, kind, id] = /^(rune|alkane):(.+)$/i.exec(wanted) ?? [];
    if (kind?.toLowerCase() === "alkane") return present([await this.node.get_alkane_info(id)]);
    if (id !== undefined || wanted === "") return present([wanted ? await this.node.get_rune_info(id) : null]);
    if (plain(wanted) === "BITCOIN") return [this.assets().get("BTC")];
    const own = [...(this.balances ?? []), ...(this.session.config?.chain?.assets ?? [])].filter((one) => plain(one.name) === plain(wanted));
    const rune = await this.node.get_rune_info(wanted).catch((error) => {
      if (error.code !== "INVALID_ARGUMENT") throw error;
      return null;
    });
    return present([...own, rune]);
  }

  // --- orders and trades

  async createOrder(draft) {
    const order = await this.node.create_order(draft);
    learn(this.orders, order);
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

  /** Calls the maker. Throws in words when that comes to nothing. */
  async take(order, amount) {
    const controller = new AbortController();
    this.asking = { order, amount, controller };
    this.changed();
    try {
      const trade = await this.node.take_order(order.id, amount, { review: true, signal: controller.signal });
      learn(this.trades, trade);
      go(`#/trade/${trade.id}`);
    } catch (error) {
      if (!controller.signal.aborted) throw AWAY.includes(error.code) ? away(error) : error;
    } finally {
      this.asking = null;
      this.changed();
    }
  }

  /** `confirm_trade`, `cancel_trade` or `revoke_trade`; what it changes is told by events. */
  async act(trade, method) {
    await this.node[method](trade.id);
  }
}

/** What a call returns may be older than what events have told meanwhile. */
function learn(known, thing) {
  if (!known.has(thing.id)) known.set(thing.id, thing);
}

/** Each asset once, without what was not found. */
const present = (found) => [...new Map(found.filter(Boolean).map((one) => [one.asset, one])).values()];

function away(error) {
  return {
    code: error.code,
    message: "The maker is away: its page is not open now, or cannot be reached.",
    hint: "Ask the maker to open it again, then try once more. Nothing is signed, and your coins are free.",
  };
}
