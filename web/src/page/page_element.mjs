/** What every part of the page is: an element in the page's own tree that redraws when the session changes. */

import { LitElement } from "lit";

export class PageElement extends LitElement {
  static properties = { session: { attribute: false } };

  connectedCallback() {
    super.connectedCallback();
    this._redraw ??= () => this.requestUpdate();
    this.session?.addEventListener("change", this._redraw);
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    this.session?.removeEventListener("change", this._redraw);
  }

  // No shadow tree: one style sheet, and labels may point at any element of the page.
  createRenderRoot() {
    return this;
  }
}
