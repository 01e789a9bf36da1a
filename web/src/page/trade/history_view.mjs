/** Every trade of this browser, and a file of them to take along. */

import { html } from "lit";
import { repeat } from "lit/directives/repeat.js";
import { icons } from "../icons.mjs";
import { PageElement } from "../page_element.mjs";
import { amountOf, chip, day, tradeWords } from "./amounts.mjs";

const COLUMNS = ["id", "order_id", "role", "status", "base_asset", "amount", "quote_asset", "total", "price", "txid", "created_at", "completed_at"];

class HistoryView extends PageElement {
  render() {
    const { market } = this.session;
    const trades = [...market.trades.values()].sort((a, b) => b.created_at - a.created_at);
    if (trades.length === 0) {
      return html`<section class="card"><h2>No trades yet</h2><p class="muted">They appear here as soon as one begins.</p>
        <p class="actions"><a class="button quiet" href="#/orders">Orders</a></p></section>`;
    }
    return html`<section class="card" aria-labelledby="history-title">
      <div class="row"><h2 id="history-title">${trades.length === 1 ? "One trade" : `${trades.length} trades`}</h2>
        <span class="actions"><a class="button quiet" id="export-csv" download="darkswap-trades.csv" href=${file("text/csv", csv(trades))}>${icons.down}<span>CSV</span></a>
          <a class="button quiet" id="export-json" download="darkswap-trades.json" href=${file("application/json", json(trades))}>${icons.down}<span>JSON</span></a></span></div>
      <div class="scroll"><table class="wide"><thead><tr><th scope="col">When</th><th scope="col">You give</th><th scope="col">You get</th><th scope="col">State</th></tr></thead>
        <tbody>${repeat(trades, (trade) => trade.id, (trade) => this._row(trade))}</tbody></table></div></section>`;
  }

  _row(trade) {
    const known = this.session.market.assets();
    const agreed = (asset, amount) => amountOf({ asset, name: "", ...known.get(asset), amount });
    const givesBase = (trade.side === "sell") === (trade.role === "maker");
    const base = agreed(trade.base_asset, trade.amount);
    const quote = agreed(trade.quote_asset, trade.total);
    const gave = trade.effect ? trade.effect.gives.map(amountOf) : givesBase ? base : quote;
    const got = trade.effect ? trade.effect.gets.map(amountOf) : givesBase ? quote : base;
    // Of what never happened the terms are told, less loudly.
    const moved = ["failed", "canceled"].includes(trade.status) ? "muted" : "";
    return html`<tr data-trade=${trade.id}><th scope="row" class="when"><a href="#/trade/${trade.id}">${day(trade.created_at)}</a></th><td class=${moved}>${gave}</td><td class=${moved}>${got}</td><td>${chip(tradeWords(trade))}</td></tr>`;
  }
}

const json = (trades) => JSON.stringify(trades, (_, value) => (typeof value === "bigint" ? String(value) : value), 1);
const csv = (trades) => [COLUMNS, ...trades.map((trade) => COLUMNS.map((name) => trade[name] ?? ""))]
  .map((row) => row.map((cell) => `"${String(cell).replaceAll('"', '""')}"`).join(",")).join("\r\n");
const file = (type, text) => `data:${type};charset=utf-8,${encodeURIComponent(text)}`;

customElements.define("ds-history", HistoryView);
