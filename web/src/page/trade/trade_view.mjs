/** One trade: how far it is, what its transaction does, what is safe to do. */

import { html, nothing } from "lit";
import "../copying.mjs";
import { icons } from "../icons.mjs";
import { Part } from "../part.mjs";
import { explain, shortId } from "../words.mjs";
import { TRADE_WORDS, amountOf, chip, countdown, day, sats } from "./amounts.mjs";

const STEPS = {
  request: "Ask the maker", verify: "Check the transaction", review: "You decide", sign: "You sign", countersign: "The other side signs",
  broadcast: "Sent to the network", confirm: "In a block",
};
const MAKER_STEPS = { ...STEPS, request: "Somebody takes your order", verify: "Check their coins", sign: "They sign", countersign: "You sign" };
const MARKS = { done: icons.check, failed: icons.cross };
const TONES = { done: "", active: "now", todo: "open", failed: "bad" };

class TradeView extends Part {
  static properties = { ...Part.properties, _busy: { state: true }, _failure: { state: true } };

  constructor() {
    super();
    this._busy = false;
    this._failure = null;
    this._leaving = (event) => {
      if (this._trade()?.status === "pending") event.preventDefault();
    };
  }

  connectedCallback() {
    super.connectedCallback();
    this._ticking = setInterval(() => document.visibilityState === "visible" && this.requestUpdate(), 1000);
    // A trade that is being agreed is lost to the other side with the page.
    addEventListener("beforeunload", this._leaving);
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    clearInterval(this._ticking);
    removeEventListener("beforeunload", this._leaving);
  }

  _trade() {
    return this.session.market.trades.get(this.session.route.id);
  }

  render() {
    const trade = this._trade();
    if (!trade) {
      return html`<section class="card startup bad"><h2>This trade is not known here</h2><p>Trades are kept by the browser that made them.</p>
        <p class="actions"><a class="button quiet" href="#/history">History</a></p></section>`;
    }
    return html`<div class="pair trade-pair">${this._progress(trade)}${this._effect(trade)}</div>${this._facts(trade)}`;
  }

  _progress(trade) {
    const words = trade.role === "maker" ? MAKER_STEPS : STEPS;
    const left = trade.expires_at ? countdown(trade.expires_at) : "";
    return html`<section class="card" aria-labelledby="steps-title">
      <div class="row"><h2 id="steps-title">Progress</h2><span id="trade-status">${chip(TRADE_WORDS[trade.status])}</span></div>
      <ol class="steps trade-steps">${trade.steps.map((step) => html`<li class=${TONES[step.state]} aria-current=${step.state === "active" ? "step" : nothing}>
        <span class="dot">${MARKS[step.state] ?? nothing}</span><span class="what">${words[step.name] ?? step.name}<span class="sr">: ${step.state}</span></span>
        <span class="figure">${step.state === "active" ? left : nothing}</span></li>`)}</ol>
      ${trade.reason ? html`<div class=${`notice ${trade.status === "failed" || trade.can_revoke ? "bad" : ""}`} id="trade-reason"><strong>${trade.reason.message}</strong><code class="muted">${trade.reason.code}</code></div>` : nothing}
      <p class="advice" id="trade-advice" aria-live="polite">${trade.advice}</p>
      ${this._actions(trade)}
    </section>`;
  }

  _actions(trade) {
    const button = (method, id, tone, words) => html`<button type="button" class=${tone} id=${id} ?disabled=${this._busy} @click=${() => this._act(trade, method)}>${words}</button>`;
    return html`<p class="actions trade-actions">
      ${trade.can_confirm ? button("confirm_trade", "confirm-trade", "primary", "Sign it") : nothing}
      ${trade.can_cancel ? button("cancel_trade", "cancel-trade", "quiet", "Cancel") : nothing}
      ${trade.can_revoke ? button("revoke_trade", "revoke-trade", "primary", "Take my signature back") : nothing}</p>
      <p class="problem" aria-live="polite">${this._failure ? `${this._failure.reason} ${this._failure.next}` : ""}</p>`;
  }

  _effect(trade) {
    const { effect } = trade;
    return html`<section class="card effect" aria-labelledby="effect-title"><h2 id="effect-title">What the transaction does to your wallet</h2>
      ${effect ? html`<dl class="effect-list" id="effect">
          <div><dt>You give</dt>${effect.gives.map((one) => html`<dd>${amountOf(one)}</dd>`)}</div>
          <div><dt>You get</dt>${effect.gets.map((one) => html`<dd>${amountOf(one)}</dd>`)}</div>
          <div><dt>Fee</dt><dd>${sats(effect.fee_sats)} to the miners</dd></div></dl>
          <p class="muted small">Read from the transaction itself, not from the order.</p>`
        : html`<p class="muted">Known as soon as both sides have named their coins and the transaction is built here.</p>`}
    </section>`;
  }

  _facts(trade) {
    return html`<section class="card" aria-labelledby="facts-title"><h2 id="facts-title">Details</h2><dl class="facts">
      <div><dt>Trade</dt><dd class="mono" translate="no">${trade.id}</dd></div>
      <div><dt>With</dt><dd class="mono" translate="no" title=${trade.peer_id}>${shortId(trade.peer_id)}</dd></div>
      <div><dt>Order</dt><dd><a href="#/order/${trade.order_id}" translate="no">${trade.order_id.slice(0, 16)}…</a></dd></div>
      <div><dt>Began</dt><dd>${day(trade.created_at)}</dd></div>
      <div><dt>Transaction</dt><dd class="mono" translate="no" id="trade-txid">${trade.txid ?? "–"}</dd></div>
      <div><dt>Confirmations</dt><dd>${trade.confirmations}</dd></div></dl>
      ${trade.raw ? html`<p class="actions"><ds-copy .text=${trade.raw} label="Copy transaction" what="the transaction"></ds-copy><span class="muted small">Signed by both: anybody may send it to the network.</span></p>` : nothing}</section>`;
  }

  async _act(trade, method) {
    this._busy = true;
    this._failure = null;
    try {
      await this.session.market.act(trade, method);
    } catch (error) {
      this._failure = explain(error);
    }
    this._busy = false;
  }
}

customElements.define("ds-one-trade", TradeView);
