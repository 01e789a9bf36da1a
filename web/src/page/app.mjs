/** The frame: top bar, people, what is in the middle, figures, and this tab's own card. */

import { html, nothing } from "lit";
import { repeat } from "lit/directives/repeat.js";
import { brokenLink } from "./broken_link.mjs";
import "./diagnostics_card.mjs";
import "./conversation_pane.mjs";
import "./copying.mjs";
import "./figures.mjs";
import "./home.mjs";
import { icons, mark } from "./icons.mjs";
import { PageElement } from "./page_element.mjs";
import "./relays_card.mjs";
import { isDark, toggleTheme } from "./theme.mjs";
import { PATHS, explain, shortId } from "./text.mjs";

const STATUS = {
  loading: ["busy", "Starting"],
  ready: ["good", "Reachable"],
  searching: ["busy", "Looking for a relay"],
  failed: ["bad", "Not running"],
};

const PLACES = [["#/orders", "Trade", ["orders", "new", "order", "import", "trade"]], ["#/wallet", "Wallet", ["wallet"]],
  ["#/history", "History", ["history"]], ["#/", "Talk", ["talk"]]];

const TITLES = { broken: "Damaged link", wallet: "Wallet", orders: "Trade", new: "New order", order: "Order", import: "Order", trade: "Trade", history: "History" };
/** What a visitor who looks elsewhere is told of a trade of an order of theirs, by its status. */
const CALLS = {
  pending: "Somebody takes your order.", confirming: "Your order was taken and waits for a block.",
  completed: "A trade of your order is completed.", failed: "A trade of your order failed.",
  canceled: "A trade of your order was cancelled.",
};

class App extends PageElement {
  createRenderRoot() {
    this.replaceChildren();
    return this;
  }

  connectedCallback() {
    super.connectedCallback();
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", this._redraw);
  }

  // The element stands in the document before the session is given to it.
  willUpdate(changes) {
    if (changes.has("session") && this.session) this.session.addEventListener("change", this._redraw);
  }

  updated() {
    const { session } = this;
    const unread = [...(session?.people.values() ?? [])].reduce((sum, one) => sum + one.unread, 0);
    const waiting = unread + (session?.market?.unseen.size ?? 0);
    const place = TITLES[session?.route.view];
    document.title = `${waiting ? `(${waiting}) ` : ""}${place ? `${place} · ` : ""}DarkSwap Browser`;
  }

  render() {
    const { session } = this;
    if (!session) return nothing;
    const { view } = session.route;
    if (view !== "talk") {
      return html`${this._top()}<div class="layout trading">${view === "broken" ? brokenLink(session.route.id) : this._trading()}</div>${this._call()}
        <div class="sr" role="status" aria-live="polite">${session.announcement}</div>`;
    }
    const talking = session.conversation !== null;
    return html`
      ${this._top()}
      <div class="layout ${talking ? "talking" : ""}">
        ${this._people()}
        ${talking
          ? html`<ds-conversation .session=${session}></ds-conversation><ds-figures .session=${session}></ds-figures>`
          : html`<ds-home .session=${session}></ds-home>`}
        ${this._self()}
      </div>
      ${this._call()}
      <div class="sr" role="status" aria-live="polite">${session.announcement}</div>`;
  }

  _top() {
    const { session } = this;
    const searching = session.phase === "ready" && session.relays.reserved().length === 0;
    const [tone, word] = session.online ? STATUS[searching ? "searching" : session.phase] : ["bad", "Offline"];
    return html`<header class="top">
      <span class="brand">${mark}<span class="name">DarkSwap<span class="more"> Browser</span></span></span>
      <nav class="places" aria-label="Pages">${PLACES.map(([href, name, views]) => html`<a href=${href}
        aria-current=${views.includes(session.route.view) ? "page" : nothing}>${name}</a>`)}</nav>
      <span class="status ${tone}" id="status"><i aria-hidden="true"></i><span>${word}</span></span>
      <button type="button" class="quiet square" @click=${this._theme} aria-label=${isDark() ? "Use light colours" : "Use dark colours"}>
        ${isDark() ? icons.sun : icons.moon}</button>
    </header>`;
  }

  /** Over the page, so that nothing moves. */
  _call() {
    const { market } = this.session;
    const trade = market?.calling;
    return html`<div class="call-place" role="status">${trade ? html`<div class="call card"><strong>${CALLS[trade.status]}</strong>
      <a class="button primary" id="open-call" href="#/trade/${trade.id}">Look at it</a>
      <button type="button" class="bare" aria-label="Not now" @click=${() => market.seen(trade.id)}>${icons.cross}</button></div>` : nothing}</div>`;
  }

  /** The trading half of the page comes when it is first looked at. */
  _trading() {
    const { session } = this;
    if (!session.tradingPart) void session.loadTradingPart();
    if (session.tradingPart === "ready") return html`<ds-trade .session=${session}></ds-trade>`;
    if (!session.tradingPart || session.tradingPart === "loading") return html`<main class="home"><div class="lead"><h1>Trade</h1><p>Loading…</p></div></main>`;
    const failure = explain(session.tradingPart);
    return html`<main class="home"><section class="card startup bad" role="alert"><h2>${failure.title}</h2><p>${failure.reason}</p>
      <p class="actions"><button type="button" class="primary" @click=${() => session.loadTradingPart()}>Try again</button></p></section></main>`;
  }

  _theme() {
    toggleTheme();
    this.session.changed("theme");
  }

  _people() {
    const { session } = this;
    return html`<nav class="people card" aria-label="People">
      <button type="button" class="person" aria-current=${session.selected === "" ? "page" : nothing} @click=${() => session.select("")}>
        <span class="face">${icons.plus}</span><span class="who"><span>New<span class="more"> connection</span></span></span></button>
      ${repeat(session.people.values(), (one) => one.peer, (one) => this._person(one))}
      ${session.people.size === 0 ? html`<p class="muted small hint">People you are connected to appear here.</p>` : nothing}
    </nav>`;
  }

  _person(one) {
    const { session } = this;
    const path = one.open ? one.path : "none";
    return html`<button type="button" class="person" data-peer=${one.peer}
        aria-current=${session.selected === one.peer ? "page" : nothing} @click=${() => session.select(one.peer)}>
      <span class="face ${path}">${icons[path]}</span>
      <span class="who"><span translate="no">${shortId(one.peer)}</span><small>${PATHS[path].badge}</small></span>
      ${one.unread ? html`<span class="unread">${one.unread}<span class="sr"> unread</span></span>` : nothing}
    </button>`;
  }

  _self() {
    const { session } = this;
    return html`<section class="self" aria-label="This tab">
      <div class="card">
        <div class="row"><h2>You</h2><ds-copy .text=${session.peerId} what="your peer id"></ds-copy></div>
        <p class="id" translate="no" id="own-id">${session.peerId || html`<span class="blank">Your peer id comes with Python</span>`}</p>
        <p class="muted small">${session.identityName === "default"
          ? "You are this peer in every tab. Its key stays in this browser."
          : "In this tab you are somebody else than in your other tabs. The key stays in this browser."}</p>
      </div>
      <ds-relays .session=${session}></ds-relays>
      <ds-checks .session=${session}></ds-checks>
    </section>`;
  }
}

customElements.define("ds-app", App);
