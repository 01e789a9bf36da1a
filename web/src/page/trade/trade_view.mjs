/** One trade: how far it is, what its transaction does, what is safe to do. */

import { html, nothing } from "lit";
import "../copying.mjs";
import { PageElement } from "../page_element.mjs";
import { explain, shortId } from "../text.mjs";
import { amountOf, chip, countdown, day, sats, tradeWords } from "./amounts.mjs";
import { signsLast, stepList } from "./steps.mjs";

/** Seconds without news after which the way out of a trade that both may still complete is offered. */
const PATIENCE = 4;
/** Seconds that a settlement waits for a block before taking it back is offered: two blocks, on average. */
const STUCK = 1200;

/** Whose word it is that the other side's coins hold what they are said to. */
function vouchedFor({ vouched_by: needed, vouchers }) {
  const who = needed === 1 ? "ONE server" : `${needed} servers that agree`;
  return `The contents of the other side's coins are vouched for by ${who}: ${vouchers.join(", ") || "none is set"}.`;
}

class TradeView extends PageElement {
  static properties = { ...PageElement.properties, _busy: { state: true }, _failure: { state: true } };

  constructor() {
    super();
    this._busy = "";
    this._failure = null;
    this._asked = "";
    this._fee = null;
  }

  connectedCallback() {
    super.connectedCallback();
    this._ticking = setInterval(() => document.visibilityState === "visible" && this.requestUpdate(), 1000);
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    clearInterval(this._ticking);
  }

  render() {
    const { market, route } = this.session;
    const trade = market.trades.get(route.id);
    if (!trade) {
      return html`<section class="card startup bad"><h2>This trade is not known here</h2><p>Trades are kept by the browser that made them.</p>
        <p class="actions"><a class="button quiet" href="#/history">History</a></p></section>`;
    }
    return html`<div class="trade-pair">${this._progress(trade, market)}<div class="beside">${this._effect(trade)}${this._facts(trade)}</div></div>`;
  }

  _progress(trade, market) {
    const going = trade.status === "pending" || trade.status === "confirming";
    const left = trade.expires_at ? countdown(trade.expires_at) : "";
    return html`<section class="card" aria-labelledby="steps-title">
      <div class="row"><h2 id="steps-title">Progress</h2><span id="trade-status">${chip(tradeWords(trade))}</span></div>
      ${stepList(trade.steps, trade.role, left)}
      ${trade.reason ? html`<div class=${`notice ${trade.status === "failed" || trade.can_revoke ? "bad" : "plain-notice"}`} id="trade-reason"><strong>${trade.reason.message}</strong><code class="muted">${trade.reason.code}</code></div>` : nothing}
      <p class="advice" id="trade-advice" aria-live="polite">${trade.advice}</p>
      ${going && !market.wallet ? html`<p class="advice"><a href="#/wallet">Open your wallet</a>: the trade goes on with it.</p>` : nothing}
      ${this._actions(trade)}
    </section>`;
  }

  _actions(trade) {
    const button = (method, id, tone, words, busy) => html`<button type="button" class=${tone} id=${id} ?disabled=${Boolean(this._busy)}
      @click=${() => this._act(trade, method)}>${this._busy === method ? busy : words}</button>`;
    return html`<p class="actions trade-actions">
      ${trade.can_confirm ? button("confirm_trade", "confirm-trade", "primary", "Sign it", "Signing…") : nothing}
      ${trade.can_cancel ? button("cancel_trade", "cancel-trade", "quiet", "Cancel", "Cancelling…") : nothing}
      ${this._mayRevoke(trade) ? button("revoke_trade", "revoke-trade", trade.status === "pending" ? "primary" : "quiet", "Take my signature back", "Taking it back…") : nothing}
      ${["completed", "failed", "canceled"].includes(trade.status) ? html`<a class="button quiet" href="#/wallet">Wallet</a><a class="button quiet" href="#/history">History</a>` : nothing}</p>
      ${this._mayRevoke(trade) ? this._cost(trade) : nothing}
      ${this._failure ? html`<p class="problem" role="alert">${this._failure.reason} ${this._failure.next}</p>` : nothing}`;
  }

  /** What taking it back costs, asked once for each change of the trade. */
  _cost(trade) {
    const key = `${trade.id} ${trade.updated_at}`;
    if (this._asked !== key) {
      this._asked = key;
      void this.session.market.node.estimate_revoke_fee(trade.id).then((fee) => {
        this._fee = fee;
        this.requestUpdate();
      }, () => { this._fee = null; });
    }
    const told = this._fee ? `about ${sats(this._fee.fee_sats)}, and at most ${sats(this._fee.max_fee_sats)}` : "a fee";
    return html`<p class="muted small" id="revoke-cost">Taking it back costs ${told}.</p>`;
  }

  /** In a trade that goes well it can be taken back for a moment as well, but nobody should think of that then. */
  _mayRevoke(trade) {
    const quiet = Date.now() / 1000 - trade.updated_at;
    const silent = trade.reason || quiet > (trade.phase === "pending" ? STUCK : PATIENCE);
    return trade.can_revoke && (silent || trade.phase === "exposed");
  }

  _effect(trade) {
    const { effect } = trade;
    return html`<section class="card" aria-labelledby="effect-title"><h2 id="effect-title">${["failed", "canceled"].includes(trade.status) ? "What the transaction would have done" : "What the transaction does to your wallet"}</h2>
      ${effect ? html`<dl class="effect-list" id="effect">
          <div><dt>You give</dt>${effect.gives.map((one) => html`<dd>${amountOf(one)}</dd>`)}</div>
          <div><dt>You get</dt>${effect.gets.map((one) => html`<dd>${amountOf(one)}</dd>`)}</div>
          <div><dt>Fee</dt><dd>${sats(effect.fee_sats)} to the miners</dd></div></dl>
          <p class="muted small">Read from the transaction itself, not from the order.</p>`
        : html`<p class="muted effect-list">${["failed", "canceled"].includes(trade.status) ? "It was never built." : "Known as soon as both sides have named their coins and the transaction is built here."}</p>`}
      ${trade.can_confirm ? html`<ul class="bullets small" id="before-signing">
        <li>Compare the ids, not the names: names can be imitated.</li>
        <li id="vouchers">${vouchedFor(trade)}</li>
        <li>${signsLast(trade) ? "The maker has signed already. When you sign, the purchase is sent to the network."
          : "Your signature goes first. The maker can then complete this trade, and nothing else, until you take it back."}</li>
        <li>Once it is in a block, nobody can undo it. <a href="what-can-go-wrong.html">What can go wrong</a></li></ul>` : nothing}
    </section>`;
  }

  _facts(trade) {
    return html`<section class="card" aria-labelledby="facts-title"><h2 id="facts-title">Details</h2><dl class="facts">
      <div><dt>Transaction</dt><dd class="mono" translate="no" id="trade-txid">${trade.txid ?? "–"}</dd></div>
      <div><dt>Confirmations</dt><dd id="trade-depth">${trade.confirmations}</dd></div>
      ${trade.revoke_txid ? html`<div><dt>Taken back by</dt><dd class="mono" translate="no" id="revoke-txid">${trade.revoke_txid}</dd></div>` : nothing}
      <div><dt>With</dt><dd class="mono" translate="no" title=${trade.peer_id}>${shortId(trade.peer_id)}</dd></div>
      <div><dt>Order</dt><dd><a class="mono" href="#/order/${trade.order_id}" translate="no">${trade.order_id.slice(0, 16)}…</a></dd></div>
      <div><dt>Trade</dt><dd class="mono" translate="no">${trade.id}</dd></div>
      <div><dt>Began</dt><dd>${day(trade.created_at)}</dd></div></dl>
      ${trade.raw ? html`<p class="actions"><ds-copy .text=${trade.raw} label="Copy transaction" what="the transaction"></ds-copy><span class="muted small">Signed by both: anybody may send it to the network.</span></p>` : nothing}</section>`;
  }

  async _act(trade, method) {
    this._busy = method;
    this._failure = null;
    try {
      await this.session.market.act(trade, method);
    } catch (error) {
      this._failure = explain(error);
    }
    this._busy = "";
  }
}

customElements.define("ds-one-trade", TradeView);
