/** The half of the page that trades: its parts, and what they know. */

import { html } from "lit";
import { Part } from "../part.mjs";

export { Market } from "./market.mjs";

class Trade extends Part {
  render() {
    return html`<main class="home"><div class="lead"><h1>Trade</h1></div></main>`;
  }
}

customElements.define("ds-trade", Trade);
