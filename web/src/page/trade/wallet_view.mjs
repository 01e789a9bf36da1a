/** The wallet: connecting one, what it holds, coin by coin, and the faucet of a test chain. */

import { html, nothing } from "lit";
import { repeat } from "lit/directives/repeat.js";
import "../copying.mjs";
import { qrCode } from "../copying.mjs";
import { icons } from "../icons.mjs";
import { savedWallet } from "../saved_wallet.mjs";
import { PageElement } from "../page_element.mjs";
import { explain } from "../text.mjs";
import { amountOf, assetName, chip, grouped, sats } from "./amounts.mjs";

const KINDS = {
  seed: "A wallet in this page", unisat: "UniSat", okx: "OKX", wizz: "Wizz", tokeo: "Tokeo", keplr: "Keplr",
  xverse: "Xverse", leather: "Leather",
};
const COIN_STATES = { confirmed: ["good", "Free"], pending: ["busy", "Not confirmed yet"], reserved: ["", "Reserved"] };

class WalletView extends PageElement {
  static properties = { ...PageElement.properties, _words: { state: true }, _restoring: { state: true }, _problem: { state: true }, _showing: { state: true } };

  constructor() {
    super();
    this._words = "";
    this._restoring = false;
    this._problem = "";
    /** Whether the words are asked for again, after they were written down once. */
    this._showing = false;
  }

  render() {
    const { market } = this.session;
    return market.wallet ? this._open(market) : this._connect(market);
  }

  // --- no wallet yet

  _connect(market) {
    const extensions = market.walletKinds.filter((kind) => kind !== "seed");
    const test = market.network !== "mainnet";
    const locked = savedWallet()?.locked && !this._restoring;
    return html`<section class="card connect-wallet" aria-labelledby="connect-wallet-title">
        <h2 id="connect-wallet-title">${locked ? "Unlock your wallet" : "Connect a wallet"}</h2>
        ${isSecureContext ? nothing : html`<div class="notice bad"><strong>This page came over a line that others can change</strong><span>Use it with https, or from this very computer, before you trust it with coins.</span></div>`}
        ${market.walletFailure ? html`<div class="notice bad" role="alert"><strong>${market.walletFailure.title}</strong>
          <span>${market.walletFailure.reason}</span><span>${market.walletFailure.next}</span></div>` : nothing}
        <form class="form" novalidate @submit=${(event) => this._seed(event, market)}>
          <p id="hot-wallet">${test ? html`This is <strong>${market.network}</strong>: its coins are worth nothing, so a wallet in the page is the quick way.`
            : html`Its words are encrypted by your passphrase and kept in this browser only.`}
            <strong>Its key is used by this page: keep no more than small sums in it.</strong></p>
          <div>
            <label for="passphrase">Passphrase${test && !locked ? " (may stay empty here)" : ""}</label>
            <input id="passphrase" type="password" autocomplete="off" aria-describedby="wallet-problem">
          </div>
          ${this._restoring ? html`<div><label for="mnemonic">Your twelve words</label>
            <textarea id="mnemonic" rows="2" autocomplete="off" spellcheck="false" aria-describedby="wallet-problem"></textarea></div>` : nothing}
          <p class="problem" id="wallet-problem" aria-live="polite">${this._problem}</p>
          <p class="actions">
            <button class="primary" id="open-wallet" ?disabled=${market.connecting}>${market.connecting ? "Opening…" : this._restoring ? "Restore wallet" : "Open wallet"}</button>
            <button type="button" class="quiet" id="restore-wallet" @click=${() => (this._restoring = !this._restoring)}>${this._restoring ? "Not from words" : "Restore from words"}</button>
          </p>
        </form>
        ${extensions.length ? html`<h3>Or one of your extensions</h3><p class="actions">${extensions.map((kind) => html`<button type="button" class="quiet"
          ?disabled=${market.connecting} @click=${() => market.connect({ type: kind })}>${KINDS[kind] ?? kind.replace("standard:", "")}</button>`)}</p>`
          : html`<p class="muted small">No wallet extension was found in this browser.</p>`}
      </section>`;
  }

  async _seed(event, market) {
    event.preventDefault();
    const passphrase = this.querySelector("#passphrase").value;
    const mnemonic = this._restoring ? this.querySelector("#mnemonic").value.trim() : "";
    this._problem = "";
    if (this._restoring && mnemonic.split(/\s+/).length !== 12) this._problem = "These are not twelve words.";
    else if (market.network === "mainnet" && passphrase.length < 8) this._problem = "Real coins need a passphrase of 8 letters or more.";
    else await market.connectSeed({ passphrase, mnemonic });
  }

  // --- a wallet

  _open(market) {
    return html`${market.wallet.is_new || this._showing ? this._backup(market) : nothing}
      <div class="pair">${this._address(market)}${this._balances(market)}</div>
      ${market.faucetAddress ? this._faucet(market) : nothing}
      ${this._coins(market)}`;
  }

  _backup(market) {
    return html`<section class="card startup busy-note" aria-labelledby="backup-title">
      <h2 id="backup-title">Write down your words</h2>
      <p>Whoever has them has the coins; without them, clearing this browser's data loses the coins.</p>
      ${this._words ? html`<p class="words" translate="no" id="words">${this._words}</p>` : nothing}
      ${!this._words && savedWallet()?.locked ? html`<div><label for="words-passphrase">Passphrase</label><input id="words-passphrase" type="password" autocomplete="off"></div>` : nothing}
      ${this._problem ? html`<p class="problem" role="alert">${this._problem}</p>` : nothing}
      <p class="actions">${this._words
        ? html`<button type="button" class="primary" id="words-done" @click=${() => { market.wallet.is_new = false; this._words = ""; this._showing = false; market.changed(); }}>I wrote them down</button>`
        : html`<button type="button" class="quiet" id="show-words" @click=${() => this._showWords(market)}>Show the words</button>`}</p>
    </section>`;
  }

  async _showWords(market) {
    this._problem = "";
    try {
      this._words = await market.node.export_mnemonic(this.querySelector("#words-passphrase")?.value || undefined);
    } catch (error) {
      this._problem = explain(error).reason;
    }
  }

  _address({ wallet, network, disconnect }) {
    const market = this.session.market;
    return html`<section class="card receive" aria-labelledby="receive-title">
      <div class="row"><h2 id="receive-title">Receive</h2><span class="muted small">${KINDS[wallet.type] ?? wallet.type} · ${network}</span></div>
      <div class="invite-body"><div class="qr-box">${qrCode(wallet.address, "Your address as a QR code")}</div>
        <div class="invite-text">
          ${addressField("own-address", "Runes, alkanes and bitcoin", wallet.address)}
          ${wallet.payment_address === wallet.address ? nothing : addressField("pay-address", "Bitcoin for fees and payments", wallet.payment_address)}
          <p class="actions">
            ${wallet.type === "seed" && !wallet.is_new && !this._showing ? html`<button type="button" class="quiet" id="backup" @click=${() => (this._showing = true)}>Words</button>` : nothing}
            <button type="button" class="quiet" id="disconnect-wallet" @click=${() => disconnect.call(market)}>Disconnect</button></p>
        </div></div>
      ${wallet.type === "seed" ? html`<p class="muted small">Its key is in this page: for small sums. Send no asset other than bitcoin to the second address.</p>` : nothing}
    </section>`;
  }

  _balances(market) {
    const rows = market.balances;
    return html`<section class="card" aria-labelledby="balances-title">
      <div class="row"><h2 id="balances-title">Balances</h2><button type="button" class="quiet" id="refresh" @click=${() => market.look()}>Refresh</button></div>
      ${market.coinsFailure ? html`<div class="notice bad" role="alert"><strong>${market.coinsFailure.title}</strong><span>${market.coinsFailure.reason}</span><span>${market.coinsFailure.next}</span></div>` : nothing}
      <div class="scroll" tabindex="0" role="group" aria-labelledby="balances-title"><table class="wide" id="balances"><thead><tr><th scope="col">Asset</th><th scope="col">Available</th><th scope="col">Pending</th><th scope="col">Reserved</th></tr></thead>
        <tbody>${rows === null ? html`<tr><th scope="row" class="muted">Asking the chain…</th><td></td><td></td><td></td></tr>`
          : rows.map((one) => html`<tr data-asset=${one.asset}><th scope="row">${assetName(one)}</th><td class="available">${grouped(one.available)}</td>
            <td>${grouped(one.pending)}</td><td>${grouped(one.locked)}</td></tr>`)}</tbody></table></div>
      ${rows?.some((one) => one.unknown_atoms > 0n) ? html`<p class="muted small below">${sats(rows.find((one) => one.unknown_atoms > 0n).unknown_atoms)} lie on coins that the index has not read yet: they are not spent until it has.</p>` : nothing}
      ${!market.coinsFailure && rows?.every((one) => one.atoms === 0n) ? html`<p class="muted below">Nothing here yet. ${market.faucetAddress ? "The faucet below gives coins of this test chain." : "Send coins to your address."}</p>` : nothing}
    </section>`;
  }

  _faucet(market) {
    const busy = market.faucet?.state === "busy";
    const given = this.session.config.chain.assets ?? [{ asset: "BTC" }];
    return html`<section class="card" aria-labelledby="faucet-title"><h2 id="faucet-title">Faucet of this test chain</h2>
      <p class="muted">Coins without value, to try everything with.</p>
      <p class="actions">${given.map((one) => html`<button type="button" class="quiet" data-faucet=${one.asset} ?disabled=${busy}
        @click=${() => market.askFaucet(one.asset)}>${icons.down}<span>${one.asset === "BTC" ? "Bitcoin" : one.name}</span></button>`)}</p>
      <p class="fixed-line ${market.faucet?.state ?? ""}" id="faucet-said">${market.faucet?.message ?? ""}</p></section>`;
  }

  _coins(market) {
    const { coins } = market;
    return html`<section class="card" aria-labelledby="coins-title"><h2 id="coins-title">Coins</h2>
      ${coins === null ? html`<p class="muted">Asking the chain…</p>` : coins.length === 0 ? html`<p class="muted">No coins.</p>`
        : html`<div class="scroll"><table class="wide" id="coins"><thead><tr><th scope="col">Coin</th><th scope="col">Holds</th><th scope="col">State</th><th scope="col">Keep</th></tr></thead>
          <tbody>${repeat(coins, (coin) => coin.outpoint, (coin) => this._coin(market, coin))}</tbody></table></div>`}
    </section>`;
  }

  _coin(market, coin) {
    const frozen = coin.reserved_by === "frozen";
    const state = !coin.known && coin.state === "confirmed" ? ["busy", "Not read by the index yet"] : frozen ? ["", "Kept"] : COIN_STATES[coin.state];
    return html`<tr><th scope="row" class="mono" translate="no" title=${coin.outpoint}>${coin.outpoint.slice(0, 8)}…:${coin.outpoint.split(":")[1]}</th>
      <td>${sats(coin.sats)}${coin.assets.map((one) => html`<br>${amountOf(one)}`)}${coin.inscriptions.map((id) => html`<br><span class="muted">inscription ${id.slice(0, 8)}…</span>`)}</td>
      <td>${chip(state)}</td>
      <td>${coin.state === "reserved" && !frozen ? nothing : html`<label class="check"><input type="checkbox" .checked=${frozen}
        @change=${(event) => market.freeze(coin.outpoint, event.target.checked)}><span class="sr">Never spend this coin</span></label>`}</td></tr>`;
  }
}

function addressField(id, label, address) {
  return html`<label for=${id}>${label}</label>
    <div class="copied"><input id=${id} readonly translate="no" .value=${address} @focus=${(event) => event.target.select()}>
      <ds-copy .text=${address} what=${`the address for: ${label}`}></ds-copy></div>`;
}

customElements.define("ds-wallet", WalletView);
