/** Orders known here, the way to make one, and the way to open somebody else's. */

import { html, nothing } from "lit";
import { repeat } from "lit/directives/repeat.js";
import { icons } from "../icons.mjs";
import { PageElement } from "../page_element.mjs";
import { go } from "../route.mjs";
import { amountOf, chip, day, orderWords, sides, tradeWords } from "./amounts.mjs";

const TEXT = /darkswap:1[A-Za-z0-9_-]+/g;

class OrdersView extends PageElement {
  static properties = { ...PageElement.properties, _problem: { state: true } };

  constructor() {
    super();
    this._problem = "";
  }

  render() {
    const { market } = this.session;
    const orders = [...market.orders.values()].sort((a, b) => b.updated_at - a.updated_at);
    const going = [...market.trades.values()].filter((trade) => trade.status === "pending" || trade.status === "confirming");
    return html`
      ${going.length ? html`<section class="card" aria-labelledby="going-title"><h2 id="going-title">Going on now</h2>
        <ul class="plain">${going.map((trade) => html`<li class="row"><a href="#/trade/${trade.id}">Trade ${trade.id.slice(0, 8)}</a>${chip(tradeWords(trade))}</li>`)}</ul></section>` : nothing}
      <div class="pair">
        <section class="card start" aria-labelledby="make-title"><h2 id="make-title">Offer something</h2>
          <p class="muted">Say what you give and what you want. You get a link to send, and stay here to answer.</p>
          ${market.wallet ? nothing : html`<p>First <a href="#/wallet">open a wallet</a>: an order shows that its coins are there.</p>`}
          <p class="actions"><a class="button primary" id="new-order" href="#/new">${icons.plus}<span>New order</span></a></p></section>
        <section class="card start" aria-labelledby="open-title"><h2 id="open-title">Take somebody's order</h2>
          <form novalidate @submit=${this._open}>
            <label for="order-text">Their link</label>
            <input id="order-text" autocomplete="off" spellcheck="false" translate="no" placeholder="…#order=darkswap:1…" aria-describedby="order-problem" aria-invalid=${this._problem ? "true" : "false"}>
            <p class="problem" id="order-problem" aria-live="polite">${this._problem}</p>
            <p class="actions"><button class="quiet" id="open-order">Open order</button></p>
          </form></section>
      </div>
      <section class="card" aria-labelledby="known-title"><h2 id="known-title">Orders known here</h2>
        ${orders.length ? html`<div class="scroll"><table class="wide"><thead><tr><th scope="col">You give</th><th scope="col">You get</th><th scope="col">Whose</th><th scope="col">Until</th><th scope="col">State</th></tr></thead>
          <tbody>${repeat(orders, (order) => order.id, (order) => this._row(order, market))}</tbody></table></div>`
          : html`<p class="muted">None yet. Orders are not published anywhere: they come as links.</p>`}
      </section>
      <p class="muted small"><a href="what-can-go-wrong.html">What can go wrong, and what then happens to your money</a></p>`;
  }

  _row(order, market) {
    const { give, get } = sides(order);
    return html`<tr data-order=${order.id}><th scope="row"><a href="#/order/${order.id}">${amountOf(give)}</a></th><td>${amountOf(get)}</td>
      <td>${order.is_local ? "Yours" : "Somebody's"}</td><td>${day(order.expires_at)}</td><td>${chip(orderWords(order, market.trades))}</td></tr>`;
  }

  _open(event) {
    event.preventDefault();
    // The last one, as the library reads it: a message may quote an older link above.
    const text = this.querySelector("#order-text").value.match(TEXT)?.at(-1);
    this._problem = text ? "" : "This holds no order. A link of an order has #order=darkswap:1… in it.";
    if (text) go(`#order=${text}`);
  }
}

customElements.define("ds-orders", OrdersView);
