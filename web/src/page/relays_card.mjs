/** The relays of this tab and how each fares, and the form that adds one. */

import { html, nothing } from "lit";
import { repeat } from "lit/directives/repeat.js";
import { icons } from "./icons.mjs";
import { relayProblem } from "./link.mjs";
import { PageElement } from "./page_element.mjs";
import { bytes, explain, timeLeft } from "./text.mjs";

class RelaysCard extends PageElement {
  static properties = { ...PageElement.properties, _typed: { state: true } };

  constructor() {
    super();
    this._typed = "";
  }

  connectedCallback() {
    super.connectedCallback();
    // Countdowns move although nothing happens.
    this._ticking = setInterval(() => document.visibilityState === "visible" && this.requestUpdate(), 1000);
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    clearInterval(this._ticking);
  }

  render() {
    const { session } = this;
    const problem = relayProblem(this._typed);
    return html`<div class="card relays">
      <h2 id="relays-title">Relays</h2>
      <ul aria-labelledby="relays-title">
        ${repeat(session.relays.list, (relay) => relay.address, (relay) => this._relay(relay))}
        ${session.relays.list.length ? nothing : html`<li class="muted small">${session.phase === "loading" ? "Read as soon as Python runs." : "None yet."}</li>`}
      </ul>
      <details>
        <summary>Add a relay</summary>
        <form novalidate @submit=${this._submit}>
          <label for="relay">Multiaddr of any libp2p relay</label>
          <input id="relay" autocomplete="off" spellcheck="false" translate="no" placeholder="/dns4/…/wss/p2p/12D3KooW…" .value=${this._typed}
            aria-describedby="relay-problem" aria-invalid=${problem ? "true" : "false"} @input=${(event) => (this._typed = event.target.value)}>
          <p class="problem" id="relay-problem" aria-live="polite">${problem}</p>
          <button class="quiet" ?disabled=${session.phase !== "ready"}>${icons.plus}<span>Add</span></button>
        </form>
      </details>
    </div>`;
  }

  _relay(relay) {
    const { tone, word, more } = describe(relay);
    return html`<li class="relay">
      <span class="status ${tone}"><i aria-hidden="true"></i>${word}</span>
      <button type="button" class="bare" aria-label=${`Remove relay ${relay.id.slice(-6)}`} @click=${() => this.session.relays.remove(relay)}>${icons.cross}</button>
      <span class="address" translate="no" title=${relay.address}>${relay.address}</span>
      <span class="muted small more">${more}</span>
    </li>`;
  }

  _submit(event) {
    event.preventDefault();
    const address = this._typed.trim();
    if (address === "" || relayProblem(address)) return this.querySelector("#relay").focus();
    this.session.relays.add(address);
    this._typed = "";
  }
}

function describe(relay) {
  const why = relay.error ? explain(relay.error) : null;
  switch (relay.state) {
    case "reserved": {
      const limit = relay.limit?.data ? ` · relays up to ${bytes(relay.limit.data)} per connection` : "";
      return { tone: "good", word: "Reserved", more: `for ${timeLeft(relay.expires)} more, renewed by itself${limit}` };
    }
    case "waiting": {
      const left = Math.max(1, Math.ceil((relay.retryAt - Date.now()) / 1000));
      return { tone: "bad", word: `Retrying in ${left} s`, more: `${why.reason}. ${why.next}` };
    }
    case "failed":
      return { tone: "bad", word: "Not usable", more: `${why.reason}. ${why.next}` };
    default:
      return { tone: "busy", word: why ? "Reconnecting" : "Connecting", more: why ? why.reason : "Asking for a place" };
  }
}

customElements.define("ds-relays", RelaysCard);
