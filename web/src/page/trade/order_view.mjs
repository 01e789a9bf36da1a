/** One order: its terms, its maker, its link, and taking or cancelling it. */

import { html, nothing } from "lit";
import "../copying.mjs";
import { qrCode } from "../copying.mjs";
import { Part } from "../part.mjs";
import { orderLink } from "../route.mjs";
import { explain, shortId } from "../words.mjs";
import { ORDER_WORDS, assetName, chip, countdown, day, grouped } from "./amounts.mjs";

class OrderView extends Part {
  static properties = { ...Part.properties, _amount: { state: true }, _failure: { state: true }, _busy: { state: true } };

  constructor() {
    super();
    this._amount = "";
    this._failure = null;
    this._busy = false;
  }

  render() {
    const { market, route } = this.session;
    const order = market.orders.get(route.id);
    if (!order) {
      return html`<section class="card startup bad"><h2>This order is not known here</h2><p>Orders are kept by the browser that made or opened them.</p>
        <p class="actions"><a class="button quiet" href="#/orders">All orders</a></p></section>`;
    }
    return html`${this._terms(order)}${order.is_local ? this._share(order) : this._take(market, order)}`;
  }

  _terms(order) {
    const gives = order.side === "sell" ? [order.amount, order.base] : [order.total, order.quote];
    const gets = order.side === "sell" ? [order.total, order.quote] : [order.amount, order.base];
    const [who, them] = order.is_local ? ["You give", "You get"] : ["You give", "You get"];
    const [give, get] = order.is_local ? [gives, gets] : [gets, gives];
    return html`<section class="card" aria-labelledby="order-title">
      <div class="row"><h2 id="order-title">${order.is_local ? "Your order" : "Somebody's order"}</h2>${chip(ORDER_WORDS[order.status])}</div>
      <div class="swap"><p><span class="muted">${who}</span><span class="big">${grouped(give[0])}</span>${assetName(give[1])}</p>
        <p aria-hidden="true" class="arrow">⇄</p>
        <p><span class="muted">${them}</span><span class="big">${grouped(get[0])}</span>${assetName(get[1])}</p></div>
      <dl class="facts">
        <div><dt>Price</dt><dd>${grouped(order.price)} ${assetName(order.quote)} for one ${order.base_asset === "BTC" ? "BTC" : order.base.name}</dd></div>
        ${order.filled_atoms > 0n ? html`<div><dt>Still open</dt><dd>${grouped(order.remaining_amount)} ${assetName(order.base)}</dd></div>` : nothing}
        <div><dt>Until</dt><dd>${day(order.expires_at)}${order.is_active ? html` <span class="muted">(${countdown(order.expires_at)})</span>` : nothing}</dd></div>
        <div><dt>Fees</dt><dd>${order.fee_rule === "taker_pays" ? "The taker pays the miners." : "Each side pays for its own part of the transaction."}</dd></div>
        <div><dt>Maker</dt><dd><span class="mono" translate="no" title=${order.maker}>${shortId(order.maker)}</span>${order.is_local ? " (you)" : ""}</dd></div>
        <div><dt>Coins</dt><dd>${order.funded === true ? "Found on chain, and proved to be the maker's." : order.funded === false ? html`<strong class="warn">Not there any more. Do not count on this order.</strong>` : "Not checked yet."}</dd></div>
      </dl></section>`;
  }

  _share(order) {
    const link = orderLink(order.text);
    return html`<section class="card invite" aria-labelledby="share-title"><h2 id="share-title">Send it</h2>
      <div class="invite-body"><div class="qr-box large">${qrCode(link, "Link of the order as a QR code")}</div>
        <div class="invite-text"><p class="muted">Whoever opens the link sees the order, checks your coins and can take it. Keep this page open: it answers for you.</p>
          <label for="order-link">Link</label><input id="order-link" readonly translate="no" .value=${link} @focus=${(event) => event.target.select()}>
          <p class="actions"><ds-copy .text=${link} label="Copy link" what="the link of the order"></ds-copy>
            ${order.is_active || order.status === "paused" ? html`
              <button type="button" class="quiet" id="pause-order" ?disabled=${this._busy} @click=${() => this._do((node) => node.update_order(order.id, { paused: order.status !== "paused" }))}>${order.status === "paused" ? "Go on" : "Pause"}</button>
              <button type="button" class="quiet" id="cancel-order" ?disabled=${this._busy} @click=${() => this._do((node) => node.cancel_order(order.id))}>Cancel order</button>` : nothing}</p>
          <p class="problem" aria-live="polite">${this._failure ? `${this._failure.reason} ${this._failure.next}` : ""}</p></div></div></section>`;
  }

  _take(market, order) {
    if (!order.is_active) return html`<section class="card startup"><h2>It cannot be taken</h2><p>${ORDER_WORDS[order.status][1]}. Ask its maker for another one.</p></section>`;
    if (!market.wallet) {
      return html`<section class="card startup"><h2>Open a wallet to take it</h2><p>It needs coins to give, and an address for what you get.</p>
        <p class="actions"><a class="button primary" href="#/wallet">Open a wallet</a></p></section>`;
    }
    const whole = order.min_fill_atoms >= order.remaining_atoms;
    return html`<form class="card form" novalidate @submit=${(event) => this._submit(event, market, order)} aria-labelledby="take-title"><h2 id="take-title">Take it</h2>
      ${whole ? html`<p>All of it, as it stands.</p>` : html`<div><label for="take-amount">How much of ${order.base_asset === "BTC" ? "BTC" : order.base.name} (${grouped(order.min_amount)} to ${grouped(order.remaining_amount)})</label>
        <input id="take-amount" inputmode="decimal" autocomplete="off" .value=${this._amount || order.remaining_amount} aria-describedby="take-problem"
          @input=${(event) => (this._amount = event.target.value.trim().replace(",", "."))}></div>`}
      <p class="muted">The maker answers with its coins. This page then builds the transaction itself, checks it, and shows what it does to your wallet before anything is signed.</p>
      <p class="problem" id="take-problem" aria-live="polite">${this._failure ? `${this._failure.reason} ${this._failure.next}` : ""}</p>
      <p class="actions"><button class="primary" id="take-order" ?disabled=${this._busy}>${this._busy ? "Asking the maker…" : "Ask the maker"}</button></p></form>`;
  }

  async _submit(event, market, order) {
    event.preventDefault();
    const whole = order.min_fill_atoms >= order.remaining_atoms;
    await this._do(() => market.take(order, whole ? order.remaining_amount : this._amount || order.remaining_amount));
  }

  async _do(action) {
    const { market } = this.session;
    this._busy = true;
    this._failure = null;
    try {
      const order = await action(market.node);
      if (order?.id && order.text) market.orders.set(order.id, order);
    } catch (error) {
      this._failure = explain(error);
    }
    this._busy = false;
    market.changed();
  }
}

customElements.define("ds-order", OrderView);
