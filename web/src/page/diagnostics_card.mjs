/** The list of `diagnostics.mjs`, run when asked for. */

import { html, nothing } from "lit";
import { runChecks } from "./diagnostics.mjs";
import { icons } from "./icons.mjs";
import { PageElement } from "./page_element.mjs";

class ChecksCard extends PageElement {
  static properties = { ...PageElement.properties, _running: { state: true } };

  render() {
    const { checks } = this.session;
    return html`<div class="card checks">
      <h2 id="checks-title">Does it work here?</h2>
      ${checks.length
        ? html`<ul aria-labelledby="checks-title">${checks.map((check) => this._row(check))}</ul>`
        : html`<p class="muted small">Tries out what the page needs of this browser, the network, your relays and chain servers.</p>`}
      <p class="actions"><button type="button" class="quiet" id="run-checks" ?disabled=${this._running} @click=${this._run}>${checks.length ? "Check again" : "Check"}</button>
        ${checks.length && !this._running ? html`<ds-copy .source=${() => this.session.report()} label="Copy report" what="the report"></ds-copy>` : nothing}</p>
      <span class="sr" role="status">${this._said ?? ""}</span>
    </div>`;
  }

  _row({ name, passed, words, hint, state }) {
    const tone = state === "running" ? "now" : passed === false ? "bad" : passed ? "done" : "open";
    const heard = { now: "running", bad: "failed", done: "passed", open: "not judged" }[tone];
    return html`<li class=${tone}>
      <span class="dot" aria-hidden="true">${tone === "done" ? icons.check : tone === "bad" ? icons.cross : nothing}</span>
      <span class="what">${name}<span class="sr">: ${heard}.</span><small class="muted">${words ?? "…"}</small>
        ${hint ? html`<small>${hint}</small>` : nothing}</span></li>`;
  }

  async _run() {
    const { session } = this;
    this._running = true;
    await runChecks(session, (rows) => {
      session.checks = rows;
      session.changed();
    });
    const failed = session.checks.filter((check) => check.passed === false).length;
    this._said = failed ? `${failed} ${failed === 1 ? "check" : "checks"} failed.` : session.checks.every((check) => check.passed) ? "All checks passed." : "No check failed.";
    this._running = false;
  }
}

customElements.define("ds-checks", ChecksCard);
