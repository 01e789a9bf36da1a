/**
 * What the page knows of the wallet, orders and trades, and what it asks of DarkSwapWasm. Parts read it and redraw when
 * the session changes; the rules are Python's.
 */

import { explain } from "../words.mjs";

export class Market {
  constructor(session) {
    this.session = session;
    this.phase = "waiting";
    this.failure = null;
    this.wallet = null;
    this.balances = [];
    this.orders = new Map();
    this.trades = new Map();
  }

  get node() {
    return this.session.node;
  }

  /** Once the node runs: the wallet of last time, orders and trades. */
  async begin() {
    this.phase = "loading";
    this.failure = null;
    this.session.changed("market");
    try {
      const [orders, trades] = await Promise.all([this.node.get_orders(), this.node.get_trades()]);
      this.orders = new Map(orders.map((order) => [order.id, order]));
      this.trades = new Map(trades.map((trade) => [trade.id, trade]));
      this.phase = "ready";
    } catch (error) {
      this.phase = "failed";
      this.failure = explain(error);
    }
    this.session.changed("market");
  }

  happened(event) {
    if (event.order) this.orders.set(event.order_id, event.order);
    if (event.trade) this.trades.set(event.trade_id, event.trade);
  }
}
