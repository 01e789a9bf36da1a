/** A new order: what is given and what is wanted, judged while it is typed, with the fee it will cost. */

import { html, nothing } from "lit";
import { PageElement } from "../page_element.mjs";
import { explain } from "../text.mjs";
import { amountHint, fieldOf } from "./amount_field.mjs";
import { assetName, atomsOf, grouped, sats, textOf } from "./amounts.mjs";

/** Milliseconds of rest before what was typed is judged. */
const REST = 250;
const LIFETIMES = [[3600, "1 hour"], [86_400, "1 day"], [604_800, "1 week"]];

class NewOrderView extends PageElement {
  static properties = {
    ...PageElement.properties, _give: { state: true }, _get: { state: true }, _check: { state: true }, _failure: { state: true },
    _busy: { state: true },
  };

  constructor() {
    super();
    this._give = { text: "", field: fieldOf(), info: null };
    this._get = { text: "", field: fieldOf(), info: null };
    this._lifetime = 86_400;
    this._partial = false;
    this._sale = false;
    this._check = null;
    this._failure = null;
    this._busy = false;
    this._timer = 0;
    this._asked = 0;
  }

  render() {
    const { market } = this.session;
    if (!market.wallet) {
      return html`<section class="card startup"><h2>First a wallet</h2><p>An order shows that its coins are there, so it needs the wallet that has them.</p>
        <p class="actions"><a class="button primary" href="#/wallet">Open a wallet</a></p></section>`;
    }
    const problem = (field) => this._check?.problems.find((one) => one.field === field)?.message ?? "";
    const general = problem("wallet") || problem("base_asset") || problem("quote_asset") || problem("price") || problem("expires_in") || problem("private_sale") || problem("min_amount");
    return html`<form class="card form" novalidate @submit=${this._submit} aria-labelledby="terms-title">
      <h2 id="terms-title">Terms</h2>
      <div class="pair">
        ${this._side("give", "You give", this._give, this._draft()?.side === "sell" ? problem("amount") : problem("total"))}
        ${this._side("get", "You get", this._get, this._draft()?.side === "sell" ? problem("total") : problem("amount"))}
      </div>
      <datalist id="assets">${[...market.assets().values()].map((one) => html`<option value=${one.asset}>${one.name}</option>`)}</datalist>
      <div class="pair">
        <div><label for="lifetime">Open for</label><select id="lifetime" @change=${(event) => { this._lifetime = Number(event.target.value); this._changed(); }}>
          ${LIFETIMES.map(([seconds, words]) => html`<option value=${seconds} ?selected=${seconds === this._lifetime}>${words}</option>`)}</select></div>
        <div><span class="label">Parts</span><label class="check"><input type="checkbox" id="partial" .checked=${this._partial}
          @change=${(event) => { this._partial = event.target.checked; this._changed(); }}><span>Others may take a tenth of it or more</span></label></div>
      </div>
      ${this._saleBox()}
      <dl class="facts summary">${this._summary()}</dl>
      <p class="problem" id="order-problem" aria-live="polite">${this._failure ? `${this._failure.reason} ${this._failure.next}` : general}</p>
      <p class="actions"><button class="primary" id="create-order" ?disabled=${!this._check?.ok || this._busy}>${this._busy ? "Signing…" : "Sign and make the order"}</button>
        <a class="button quiet" href="#/orders">Back</a></p>
      ${market.wallet.is_new ? html`<p class="notice plain-notice" id="backup-first"><span><strong>First your words:</strong> <a href="#/wallet">write them down</a>, or what you get is lost with this browser's data.</span></p>` : nothing}
      <p class="muted small">The order names your peer id and the coins behind it to whoever has the link. ${this._sale ? nothing : html`<strong>Keep this page open</strong>: it answers when somebody takes it. `}What was traded cannot be taken back.</p>
    </form>`;
  }

  /** Only where the site's configuration has switched private sales on; their risks stand beside them. */
  _saleBox() {
    if (this.session.config?.trade?.private_sales !== true) return nothing;
    const warnings = this._sale ? this._check?.warnings ?? [] : [];
    return html`<fieldset><legend>Private sale</legend>
      <label class="check"><input type="checkbox" id="private-sale" .checked=${this._sale} aria-describedby="sale-risks"
        @change=${(event) => { this._sale = event.target.checked; this._changed(); }}><span>Sign my part now, so that the buyer completes it while I am away</span></label>
      <div class="small" id="sale-risks">${warnings.length ? html`<ul class="bullets">${warnings.map((one) => html`<li>${one}</li>`)}</ul>` : html`<p>For a whole coin of a rune or alkane, and for bitcoin only. <strong>The signature never expires</strong>. Whoever sees the link can buy at this price, or outbid your buyer in the mempool. When the market moves, the price does not. Calling it off costs a transaction fee.</p>`}</div></fieldset>`;
  }

  _side(name, title, side, problem) {
    const { market } = this.session;
    const held = market.balances?.find((one) => one.asset === side.info?.asset);
    const unknown = side.text && side.info === null && side.looked;
    const alike = side.info ? market.namesakes(side.info) : [];
    const wrong = side.failure ?? (unknown ? "No such asset is known to the index. Check its id." : "");
    const warning = alike.length ? `${alike.map((one) => one.asset).join(", ")} has a name that looks the same. Compare the ids.` : "";
    return html`<fieldset><legend>${title}</legend>
      <label for=${`${name}-asset`}>Asset</label>
      <input id=${`${name}-asset`} list="assets" autocomplete="off" spellcheck="false" translate="no" placeholder="BTC, RUNE:840000:1 or a name" .value=${side.text}
        aria-describedby=${`${name}-info`} aria-invalid=${wrong ? "true" : "false"} @input=${(event) => this._assetTyped(side, event.target.value)}>
      <p class=${`fixed-line small ${wrong ? "bad" : ""}`} id=${`${name}-info`} aria-live="polite">${wrong}${side.info ? assetName(side.info) : nothing}${name === "give" && held ? html` · ${grouped(held.available)} free` : nothing}${warning ? html`<br><strong class="warn">${warning}</strong>` : nothing}</p>
      <label for=${`${name}-amount`}>Amount</label>
      <input id=${`${name}-amount`} inputmode="decimal" autocomplete="off" .value=${side.field.typed} aria-describedby=${`${name}-said`}
        aria-invalid=${side.field.typed && (problem || !side.field.amount) ? "true" : "false"} @input=${(event) => this._amountTyped(side, fieldOf(event.target.value))}>
      <p class="problem" id=${`${name}-said`} aria-live="polite">${problem || amountHint(side.field, (field) => this._chosen(name, side, field))}</p></fieldset>`;
  }

  _amountTyped(side, field) {
    side.field = field;
    this._changed();
  }

  /** The button that had the focus is gone: the field has it. */
  _chosen(name, side, field) {
    this._amountTyped(side, field);
    this.querySelector(`#${name}-amount`).focus();
  }

  _summary() {
    const check = this._check;
    const draft = this._draft();
    const quote = draft ? (draft.side === "sell" ? this._get : this._give).info : null;
    const base = draft ? (draft.side === "sell" ? this._give : this._get).info : null;
    return html`<div><dt>Price</dt><dd>${check?.price && base ? html`${grouped(check.price)} ${assetName(quote)} for one ${assetName(base)}` : "–"}</dd></div>
      <div><dt>Your fee</dt><dd>${check?.fee_sats ? `about ${sats(check.fee_sats)} at ${check.fee_rate} sat/vB` : check?.ok && this._sale ? "none: the buyer pays the miners" : "–"}</dd></div>`;
  }

  async _assetTyped(side, text) {
    side.text = text;
    side.info = null;
    side.looked = false;
    this._changed();
    const asked = (side.asked = (side.asked ?? 0) + 1);
    await new Promise((resolve) => setTimeout(resolve, REST));
    if (asked !== side.asked || !text.trim()) return;
    side.failure = null;
    const found = await this.session.market.lookUp(text).catch((error) => {
      side.failure = error.code === "INVALID_ARGUMENT" ? null : `${explain(error).reason} ${explain(error).next}`;
      return [];
    });
    if (asked !== side.asked) return;
    if (found.length > 1) side.failure = `Several assets have this name: ${found.map((one) => one.asset).join(", ")}. Type the id of the one you mean.`;
    side.info = found.length === 1 ? found[0] : null;
    side.looked = true;
    this._changed();
  }

  /** Base is what is not bitcoin; of two such, what is given. */
  _draft() {
    const [give, get] = [this._give, this._get];
    if (!give.info || !get.info) return null;
    const sells = get.info.asset === "BTC" || give.info.asset !== "BTC";
    const [base, quote] = sells ? [give, get] : [get, give];
    const draft = { base_asset: base.info.asset, quote_asset: quote.info.asset, side: sells ? "sell" : "buy", amount: base.field.amount, total: quote.field.amount, expires_in: this._lifetime };
    if (this._sale) return { ...draft, private_sale: true };
    return this._partial ? { ...draft, min_amount: tenth(base.field.amount, base.info.decimals) } : draft;
  }

  _changed() {
    this._check = null;
    this._failure = null;
    this.requestUpdate();
    clearTimeout(this._timer);
    this._timer = setTimeout(() => this._judge(), REST);
  }

  async _judge() {
    const draft = this._draft();
    if (!draft?.amount || !draft.total) return;
    const asked = (this._asked += 1);
    try {
      const check = await this.session.market.node.check_order(draft);
      if (asked === this._asked) this._check = check;
    } catch (error) {
      if (asked === this._asked) this._failure = explain(error);
    }
  }

  async _submit(event) {
    event.preventDefault();
    const draft = this._draft();
    if (!draft || !this._check?.ok || this._busy) return;
    this._busy = true;
    try {
      await this.session.market.createOrder(draft);
    } catch (error) {
      this._failure = explain(error);
    }
    this._busy = false;
  }
}

/** A tenth of a decimal text, rounded down to what the asset can be divided into, by whole numbers. */
function tenth(amount, decimals) {
  const all = atomsOf(amount, decimals);
  if (all === null) return amount;
  return textOf(all / 10n || 1n, decimals);
}

customElements.define("ds-new-order", NewOrderView);
