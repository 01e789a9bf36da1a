/** A link with an order in it was opened: its signature and the coins behind it are being checked. */

import { html } from "lit";
import { PageElement } from "../page_element.mjs";

class ImportView extends PageElement {
  render() {
    const { market, route } = this.session;
    const failure = market.imports.get(route.id);
    if (failure) {
      return html`<section class="card startup bad" role="alert"><h2>${failure.title}</h2><p>${failure.reason}</p>
        <p><strong>What to do:</strong> ${failure.next}</p>
        <p class="actions"><button type="button" class="quiet" @click=${() => { market.imports.delete(route.id); void market.import(route.id); }}>Try again</button>
          <a class="button quiet" href="#/orders">All orders</a><code class="muted">${failure.code}</code></p></section>`;
    }
    return html`<section class="card startup" aria-busy="true"><h2>Checking the order</h2><progress aria-label="Checking"></progress>
      <p class="muted">Its signature, and that the coins behind it exist and are its maker's.</p></section>`;
  }

  updated() {
    const { market, route } = this.session;
    if (route.view === "import") void market.import(route.id);
  }
}

customElements.define("ds-import", ImportView);
