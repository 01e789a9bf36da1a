/** The half of the page that trades: its parts, and which of them is shown. */

import { html, nothing } from "lit";
import { PageElement } from "../page_element.mjs";
import { startup } from "../startup.mjs";
import "./history_view.mjs";
import "./import_view.mjs";
import "./new_order_view.mjs";
import "./order_view.mjs";
import "./orders_view.mjs";
import "./trade_view.mjs";
import "./wallet_view.mjs";

export { Market } from "./market.mjs";

const VIEWS = {
  wallet: (session) => html`<ds-wallet .session=${session}></ds-wallet>`,
  orders: (session) => html`<ds-orders .session=${session}></ds-orders>`,
  new: (session) => html`<ds-new-order .session=${session}></ds-new-order>`,
  order: (session) => html`<ds-order .session=${session}></ds-order>`,
  import: (session) => html`<ds-import .session=${session}></ds-import>`,
  trade: (session) => html`<ds-one-trade .session=${session}></ds-one-trade>`,
  history: (session) => html`<ds-history .session=${session}></ds-history>`,
};
const TITLES = {
  wallet: ["Wallet", "Coins that this page may trade with. Nothing leaves without your word."],
  orders: ["Trade", "Orders travel from person to person as links. Nobody holds your coins in between."],
  new: ["New order", "What you give, and what you want for it."],
  order: ["Order", "Signed by its maker, so that nobody can change it on its way."],
  import: ["Order", "Reading the order of this link."],
  trade: ["Trade", "One Bitcoin transaction moves both sides at once, or nothing at all."],
  history: ["History", "Every trade of this browser, kept here and nowhere else."],
};

const OFFLINE = "What you see is what was known last. Nothing of yours can move meanwhile but what you have signed already.";

class Trade extends PageElement {
  /** What had the focus may be gone with the place that was left: then the heading has it, and not the top of the page. */
  updated() {
    const { view, id } = this.session.route;
    const place = `${view}/${id}`;
    if (this._place && this._place !== place && document.activeElement === document.body) this.querySelector("h1")?.focus();
    this._place = place;
  }

  render() {
    const { session } = this;
    const { view } = session.route;
    // Somewhere else already: the frame takes this part away.
    if (!TITLES[view]) return nothing;
    const [title, line] = TITLES[view];
    return html`<main class="home">
      <div class="lead"><h1 tabindex="-1">${title}</h1><p>${line}</p></div>
      ${startup(session, OFFLINE)}${session.phase === "ready" ? this._ready(view) : nothing}
    </main>`;
  }

  _ready(view) {
    const { market } = this.session;
    if (market.phase === "failed") {
      const { failure } = market;
      return html`<section class="card startup bad" role="alert"><h2>${failure.title}</h2><p>${failure.reason}</p>
        <p><strong>What to do:</strong> ${failure.next}</p>
        <p class="actions"><button type="button" class="primary" @click=${() => market.begin()}>Try again</button> <code class="muted">${failure.code}</code></p></section>`;
    }
    if (market.phase !== "ready") {
      return html`<section class="card startup" aria-busy="true"><h2>Opening what is kept here</h2>
        <progress aria-label="Loading"></progress><p class="muted">Orders, trades and the wallet of last time.</p></section>`;
    }
    return VIEWS[view](this.session);
  }
}

customElements.define("ds-trade", Trade);
