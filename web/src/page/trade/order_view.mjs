/** One order: its terms, its maker, its link, and taking or cancelling it. */

import { html, nothing } from "lit";
import "../copying.mjs";
import { qrCode } from "../copying.mjs";
import { PageElement } from "../page_element.mjs";
import { orderLink } from "../route.mjs";
import { explain, shortId } from "../text.mjs";
import { amountHint, fieldOf } from "./amount_field.mjs";
import { ORDER_WORDS, amountOf, assetName, chip, countdown, day, grouped, orderWords, quoteOf, sats, sides } from "./amounts.mjs";
import { firstSteps, stepList } from "./steps.mjs";

function coinsSaid(order) {
  if (order.funded) return "Found on chain, and proved to be the maker's.";
  if (order.funded === false) return html`<strong class="warn">Not there any more. Do not count on this order.</strong>`;
  return order.min_fill_atoms < order.base_atoms
    ? "Not known: the chain does not answer, or a part was sold already. The maker shows its coins to whoever takes of it."
    : "Not checked yet: the chain does not answer.";
}

class OrderView extends PageElement {
  static properties = { ...PageElement.properties, _field: { state: true }, _failure: { state: true }, _busy: { state: true } };

  constructor() {
    super();
    /** Empty: all that is left. */
    this._field = fieldOf();
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
    if (market.asking?.order.id === order.id) return this._asking(market.asking);
    return html`${this._terms(order, market)}${order.is_local ? this._share(market, order) : this._take(market, order)}`;
  }

  _terms(order, market) {
    const { give, get } = sides(order);
    const alike = [give, get].flatMap((one) => market.namesakes(one).map((other) => html`<li>${assetName(other)} looks the same as ${assetName(one)}.</li>`));
    return html`<section class="card" aria-labelledby="order-title">
      <div class="row"><h2 id="order-title">${order.is_local ? "Your order" : "Somebody's order"}</h2><span id="order-status">${chip(orderWords(order, market.trades))}</span></div>
      <div class="swap"><p><span class="muted">You give</span><span class="big">${grouped(give.amount)}</span>${assetName(give)}</p>
        <p aria-hidden="true" class="arrow">⇄</p>
        <p><span class="muted">You get</span><span class="big">${grouped(get.amount)}</span>${assetName(get)}</p></div>
      ${alike.length ? html`<div class="notice bad" id="namesakes"><strong>Look at the ids: another asset has a name that looks the same</strong><ul class="bullets">${alike}</ul></div>` : nothing}
      <dl class="facts">
        <div><dt>Price</dt><dd>${grouped(order.price)} ${assetName(order.quote)} for one ${assetName(order.base)}</dd></div>
        ${order.filled_atoms > 0n ? html`<div><dt>Still open</dt><dd id="still-open">${grouped(order.remaining_amount)} ${assetName(order.base)}</dd></div>` : nothing}
        <div><dt>Until</dt><dd>${day(order.expires_at)}${order.is_active ? html` <span class="muted">(${countdown(order.expires_at)})</span>` : nothing}</dd></div>
        <div><dt>Fees</dt><dd>${order.fee_rule === "taker_pays" ? "The taker pays the miners." : "Each side pays for its own part of the transaction."} Its maker pays ${sats(order.max_fee_sats)} at most.</dd></div>
        <div><dt>Time to sign</dt><dd>${order.signing_seconds} seconds, in which the price stands still</dd></div>
        <div><dt>Maker</dt><dd><span class="mono" translate="no" title=${order.maker}>${shortId(order.maker)}</span>${order.is_local ? " (you)" : ""}</dd></div>
        <div><dt>Coins</dt><dd>${coinsSaid(order)}</dd></div>
      </dl></section>`;
  }

  _share(market, order) {
    const link = orderLink(order.text);
    const open = order.is_active || order.status === "paused";
    return html`<section class="card invite" aria-labelledby="share-title"><h2 id="share-title">Send it</h2>
      ${open && !market.wallet ? html`<p class="notice bad"><strong>Your wallet is closed</strong><span>Whoever takes this order is turned away until you <a href="#/wallet">open it</a>.</span></p>` : nothing}
      <div class="invite-body"><div class="qr-box large">${qrCode(link, "Link of the order as a QR code")}</div>
        <div class="invite-text">${order.private_sale ? saleAdvice(order) : html`<p class="muted">Whoever opens the link sees the order, checks your coins and can take it. <strong>Keep this page open</strong>: it answers for you.</p>`}
          <label for="order-link">Link</label><input id="order-link" readonly translate="no" .value=${link} @focus=${(event) => event.target.select()}>
          <p class="actions"><ds-copy .text=${link} label="Copy link" what="the link of the order"></ds-copy>
            ${order.private_sale ? takeBack(this, order) : open ? html`
              <button type="button" class="quiet" id="pause-order" ?disabled=${this._busy} @click=${() => this._do((node) => node.update_order(order.id, { paused: order.status !== "paused" }))}>${order.status === "paused" ? "Go on" : "Pause"}</button>
              <button type="button" class="quiet" id="cancel-order" ?disabled=${this._busy} @click=${() => this._do((node) => node.cancel_order(order.id))}>Cancel order</button>` : nothing}</p>
          <p class="problem" aria-live="polite">${this._failure ? `${this._failure.reason} ${this._failure.next}` : ""}</p></div></div></section>`;
  }

  _take(market, order) {
    const mine = [...market.trades.values()].filter((trade) => trade.order_id === order.id).sort((a, b) => b.created_at - a.created_at)[0];
    const earlier = mine ? html`<p class="actions"><a class="button quiet" id="own-trade" href="#/trade/${mine.id}">Your trade with it</a></p>` : nothing;
    if (!order.is_active) return html`<section class="card startup"><h2>It cannot be taken</h2><p>${ORDER_WORDS[order.status][1]}. Ask its maker for another one.</p>${earlier}</section>`;
    if (!market.wallet) {
      return html`<section class="card startup"><h2>Open a wallet to take it</h2><p>It needs coins to give, and an address for what you get.</p>
        <p class="actions"><a class="button primary" href="#/wallet">Open a wallet</a></p></section>`;
    }
    const whole = order.min_fill_atoms >= order.remaining_atoms;
    const worth = quoteOf(order, this._part(order));
    const hint = amountHint(this._field, (field) => this._chosen(field));
    return html`<form class="card form" novalidate @submit=${(event) => this._submit(event, market, order)} aria-labelledby="take-title"><h2 id="take-title">Take it</h2>
      ${whole ? html`<p>All of it, as it stands.</p>` : html`<div><label for="take-amount">How much of ${assetName(order.base)} (${grouped(order.min_amount)} to ${grouped(order.remaining_amount)})</label>
        <input id="take-amount" inputmode="decimal" autocomplete="off" .value=${this._field.typed || order.remaining_amount} aria-invalid=${worth ? "false" : "true"} aria-describedby=${this._failure ? "take-problem worth" : "worth"}
          @input=${(event) => (this._field = fieldOf(event.target.value))}>
        <p class="fixed-line small below ${worth ? "" : "bad"}" id="worth" aria-live="polite">${worth ? html`for ${grouped(worth)} ${assetName(order.quote)}${hint === nothing ? "" : " · "}` : nothing}${hint}</p></div>`}
      <p class="muted">${order.private_sale ? "The maker has signed its part already and is not asked. This page" : "The maker answers with its coins. This page then"} builds the transaction itself, checks it, and shows what it does to your wallet before anything is signed. ${order.private_sale ? "Others who have the link may buy it before you, even while your purchase waits for a block; then your coins stay yours." : "The maker sees your coins' addresses and, on a direct link, your IP address."}</p>
      ${this._failure ? html`<div class="notice bad" id="take-problem" role="alert"><strong>${this._failure.reason}</strong><span>${this._failure.next}</span></div>` : nothing}
      <p class="actions"><button class="primary" id="take-order">${order.private_sale ? "Look at the purchase" : "Ask the maker"}</button></p>${earlier}</form>`;
  }

  /** From the first click it looks as the trade will. */
  _asking({ order, amount, controller }) {
    const { give, get } = sides({ ...order, amount, total: quoteOf(order, amount) });
    return html`<div class="trade-pair"><section class="card" aria-labelledby="steps-title" aria-busy="true">
        <div class="row"><h2 id="steps-title">Progress</h2><span id="trade-status">${chip(["busy", "Being agreed"])}</span></div>
        ${stepList(firstSteps(order), "taker", nothing)}
        <p class="advice" id="trade-advice" aria-live="polite">${order.private_sale ? "The purchase is built and checked here, and your coins are set aside."
          : "The maker's page is being called, and your coins are set aside."} Nothing is signed.</p>
        <p class="actions trade-actions"><button type="button" class="quiet" id="stop-asking" @click=${() => controller.abort()}>Cancel</button></p>
      </section>
      <div class="beside"><section class="card" aria-labelledby="effect-title"><h2 id="effect-title">What the order says</h2>
        <dl class="effect-list"><div><dt>You give</dt><dd>${amountOf(give)}</dd></div>
          <div><dt>You get</dt><dd>${amountOf(get)}</dd></div></dl>
        <p class="muted small">The transaction itself is read here before you sign it.</p></section></div></div>`;
  }

  /** How much of it is to be taken; "" while what was typed means nothing. */
  _part(order) {
    return order.min_fill_atoms < order.remaining_atoms && this._field.typed.trim() ? this._field.amount : order.remaining_amount;
  }

  /** The button that had the focus is gone: the field has it. */
  _chosen(field) {
    this._field = field;
    this._failure = null;
    this.querySelector("#take-amount").focus();
  }

  async _submit(event, market, order) {
    event.preventDefault();
    if (market.asking) return;
    const amount = this._part(order);
    if (!quoteOf(order, amount)) {
      const { problem, choices } = this._field;
      const reason = problem || (choices.length > 0 ? "It is not clear how much you mean." : "That much cannot be taken.");
      this._failure = { reason, next: `From ${grouped(order.min_amount)} to ${grouped(order.remaining_amount)} can.` };
      return;
    }
    await this._do(() => market.take(order, amount));
  }

  async _do(action) {
    const { market } = this.session;
    this._busy = true;
    this._failure = null;
    try {
      await action(market.node);
    } catch (error) {
      this._failure = explain(error);
    }
    this._busy = false;
    market.changed();
  }
}

/** The link of a private sale is the sale itself. */
function saleAdvice(order) {
  if (order.status === "canceled" && !order.cancel_txid) return html`<p class="muted" id="sale-advice">It was taken back: the link is worth nothing any more.</p>`;
  if (order.status === "canceled") {
    return html`<p class="muted" id="sale-advice">Your coin is on its way back to you (<span class="mono" translate="no">${shortId(order.cancel_txid)}</span>). <strong>Until that is in a block, whoever has the link can still buy.</strong></p>`;
  }
  return html`<p class="muted" id="sale-advice">Your signature is in the link: <strong>whoever has it can buy, now and after its time is over.</strong> Send it to one person, in private. This page may be closed.</p>`;
}

/** An expired sale stands as well; taking it back again pays a higher fee. */
function takeBack(view, order) {
  if (order.status === "filled" || order.status === "unfunded" || (order.status === "canceled" && !order.cancel_txid)) return nothing;
  return html`<button type="button" class="quiet" id="cancel-order" ?disabled=${view._busy} @click=${() => view._do((node) => node.cancel_order(order.id))}>${order.status === "canceled" ? "Take it back with a higher fee" : "Take it back (costs a fee)"}</button>`;
}

customElements.define("ds-order", OrderView);
