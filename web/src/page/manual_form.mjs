/** The form beside `manual_connection.mjs`: one text out, one text in. */

import { html, nothing } from "lit";
import { PageElement } from "./page_element.mjs";

class ByHandForm extends PageElement {
  render() {
    const { byHand, phase } = this.session;
    const { state, text, failure } = byHand;
    return html`<details class="by-hand"><summary>Without any relay, by hand</summary><div>
      <p class="muted small">Carry one text each way yourselves: by mail, messenger or paper. Nobody else takes part.</p>
      ${text
        ? html`<label for="hand-out">${state === "answered" ? "Your reply: give it back" : "Your invitation: give it to them"}</label>
          <textarea id="hand-out" rows="4" readonly translate="no" .value=${text}></textarea>
          <p class="actions"><ds-copy .text=${text} label="Copy text" what="the text"></ds-copy>
            <button type="button" class="quiet" @click=${() => byHand.cancel()}>Start over</button></p>`
        : html`<p class="actions"><button type="button" class="quiet" id="hand-invite" ?disabled=${phase !== "ready" || state === "working"}
            @click=${() => byHand.invite()}>${state === "working" ? "Writing…" : "Write an invitation"}</button></p>`}
      ${state === "answered"
        ? html`<p class="muted small">As soon as they have pasted it, the conversation opens here.</p>`
        : html`<label for="hand-in">${state === "invited" ? "Their reply" : "Or paste the invitation you were given"}</label>
          <textarea id="hand-in" rows="3" translate="no" spellcheck="false" ?disabled=${phase !== "ready"} @input=${this._input}></textarea>`}
      ${failure ? html`<p class="problem" role="alert">${failure.reason} ${failure.next}</p>` : nothing}
    </div></details>`;
  }

  // Pasting is all there is to do, so it is enough.
  async _input(event) {
    const box = event.target;
    if (box.value.trim().length < 100) return;
    await this.session.byHand.take(box.value);
    if (!this.session.byHand.failure) box.value = "";
  }
}

customElements.define("ds-by-hand", ByHandForm);
