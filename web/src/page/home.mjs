/** The middle of the page while nobody is selected: start-up, the invitation, and the way to somebody else. */

import { html, nothing } from "lit";
import "./manual_form.mjs";
import { qrCode } from "./copying.mjs";
import { dialSteps } from "./dial_steps.mjs";
import { HAS_WEBRTC, NO_WEBRTC } from "./direct_links.mjs";
import { icons } from "./icons.mjs";
import { asOther } from "./identity_name.mjs";
import { readTarget, shareLink } from "./link.mjs";
import { PageElement } from "./page_element.mjs";
import { startup } from "./startup.mjs";
import { shortId } from "./text.mjs";

class Home extends PageElement {
  static properties = { ...PageElement.properties, _typed: { state: true }, _asked: { state: true } };

  constructor() {
    super();
    this._typed = "";
    this._asked = false;
  }

  render() {
    return html`<main class="home">
      <div class="lead">
        <h1>Talk to another browser${HAS_WEBRTC ? ", directly" : ""}</h1>
        <p data-testid="direct-links">${HAS_WEBRTC
          ? "A relay introduces the two of you. Then your pages are linked straight to each other."
          : NO_WEBRTC}</p>
      </div>
      ${this._state()}
      <div class="pair">${this._invite()}${this._connect()}</div>
    </main>`;
  }

  _state() {
    return startup(this.session) ?? this._ready();
  }

  _ready() {
    const { session } = this;
    const reserved = session.relays.reserved();
    if (reserved.length) {
      return html`<section class="card startup good"><h2>You can be reached</h2>
        <p>The whole peer runs in this browser. ${reserved.length === 1 ? "One relay holds a place" : `${reserved.length} relays hold places`} for you, to introduce whoever has your link.</p>
        <p class="muted">${this._whatTheRelaySees()}</p></section>`;
    }
    if (session.relays.list.length === 0) {
      return html`<section class="card startup"><h2>Python runs. Now a relay is needed</h2>
        <p>A relay is where others find you. This page came without one.</p>
        <p class="muted">Add any libp2p relay under Relays, or open a link that somebody sent you.</p></section>`;
    }
    return html`<section class="card startup"><h2>Python runs. Reaching the relay…</h2>
      <p>As soon as it holds a place for you, your link works.</p>
      <p class="muted">How each relay fares is told under Relays.</p></section>`;
  }

  _whatTheRelaySees() {
    if (!HAS_WEBRTC) return "The relay sees only ciphertext.";
    return this.session.options.get("direct") === "off"
      ? "Direct links are switched off in this tab: the relay will carry the ciphertext."
      : "The relay sees only ciphertext, and nothing at all once the link is direct.";
  }

  _invite() {
    const { session } = this;
    const reserved = session.relays.reserved();
    const link = session.peerId && reserved.length ? shareLink(session.peerId, reserved.map((one) => one.address)) : "";
    return html`<section class="card invite" aria-labelledby="invite-title">
      <h2 id="invite-title">Invite someone</h2>
      <div class="invite-body">
        <div class="qr-box">${link ? qrCode(link, "Your link as a QR code") : html`<span class="blank" aria-hidden="true"></span>`}</div>
        <div class="invite-text">
          <p class="muted">Send your link, scan it with a phone, or try it here: a tab opened as somebody else finds this one.</p>
          <label for="own-link">Your link</label>
          <input id="own-link" readonly translate="no" .value=${link} placeholder="Comes with the first relay" @focus=${(event) => event.target.select()}>
          <p class="actions"><ds-copy .text=${link} label="Copy link" what="your link"></ds-copy>
            ${link
              ? html`<a class="button quiet" id="open-tab" href=${asOther(link)} target="_blank" rel="noopener">${icons.out}<span>Open as somebody else</span></a>`
              : html`<button type="button" class="quiet" disabled>${icons.out}<span>Open as somebody else</span></button>`}</p>
        </div>
      </div>
    </section>`;
  }

  _connect() {
    const { session } = this;
    const target = readTarget(this._typed, session.peerId);
    const problem = target.problem === "" ? (this._asked ? "Paste a link or a peer id first." : "") : target.problem;
    const shown = this._asked || this._typed.length > 8 ? (problem ?? "") : "";
    const running = session.dial?.state === "running";
    return html`<section class="card connect" aria-labelledby="connect-title">
      <h2 id="connect-title">Connect to someone</h2>
      <form novalidate @submit=${this._submit}>
        <label for="target">Their link or peer id</label>
        <input id="target" name="target" autocomplete="off" spellcheck="false" translate="no" .value=${this._typed}
          placeholder="Link or 12D3KooW…" aria-describedby="target-problem" aria-invalid=${shown ? "true" : "false"} @input=${this._input}>
        <p class="problem" id="target-problem" aria-live="polite">${shown || (target.peer ? html`<span class="fine">${icons.check} Peer ${shortId(target.peer)}${
          target.relays.length ? ", with a relay to meet at" : ""}</span>` : "")}</p>
        <p class="actions">
          <button class="primary" id="connect" ?disabled=${running || session.phase === "failed"}>Connect</button>
          ${running ? html`<button type="button" class="quiet" id="cancel" @click=${() => session.cancelDial()}>Cancel</button>` : nothing}
        </p>
      </form>
      ${session.dial ? dialSteps(session, session.dial) : this._explain()}
      ${HAS_WEBRTC ? html`<ds-by-hand .session=${session}></ds-by-hand>` : nothing}
    </section>`;
  }

  _explain() {
    if (!HAS_WEBRTC) return nothing;
    return html`<ol class="how">
      <li>The relay introduces you: a few kilobytes, encrypted.</li>
      <li>Your browsers agree on a direct WebRTC link.</li>
      <li>If no direct link can be made, the relay carries ciphertext, within its limits.</li>
    </ol>`;
  }

  _input(event) {
    this._typed = event.target.value;
    this._asked = false;
  }

  _submit(event) {
    event.preventDefault();
    const target = readTarget(this._typed, this.session.peerId);
    this._asked = true;
    if (target.peer) this.session.connect(target);
    else this.querySelector("#target").focus();
  }
}

customElements.define("ds-home", Home);
