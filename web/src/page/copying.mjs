/** A button that copies a text and says so, and the picture of a link for a phone's camera. */

import { LitElement, html, svg } from "lit";
import { encode } from "uqr";
import { icons } from "./icons.mjs";

const SAID_FOR = 1800;
/** Bytes that the largest QR code takes at its lowest error correction. */
const QR_MOST = 2950;

export class CopyButton extends LitElement {
  static properties = {
    text: { attribute: false }, label: {}, what: {}, source: { attribute: false }, _said: { state: true },
  };

  createRenderRoot() {
    return this;
  }

  render() {
    const off = !this.text && !this.source;
    return html`<button type="button" class="quiet" ?disabled=${off} @click=${this._copy}>
        ${this._said === "done" ? icons.check : icons.copy}
        <span>${this._said === "done" ? "Copied" : this._said === "refused" ? "Select and copy" : (this.label ?? html`Copy<span class="sr"> ${this.what}</span>`)}</span>
      </button><span class="sr" role="status">${this._said === "done" ? `Copied ${this.what}` : ""}</span>`;
  }

  async _copy() {
    try {
      await navigator.clipboard.writeText(this.source ? await this.source() : this.text);
      this._said = "done";
    } catch {
      // Not allowed here (no secure context, or the visitor said no).
      this._said = "refused";
    }
    setTimeout(() => (this._said = ""), SAID_FOR);
  }
}

/** A QR code as one path; always dark on white, as cameras expect. */
export function qrCode(text, label) {
  if (text.length > QR_MOST) return html`<span class="blank qr-none">Too long for a QR code: send the link.</span>`;
  const { data, size } = encode(text, { ecc: "L", border: 2 });
  let path = "";
  data.forEach((row, y) => row.forEach((dark, x) => {
    if (dark) path += `M${x} ${y}h1v1h-1z`;
  }));
  return html`<svg class="qr" role="img" aria-label=${label} viewBox="0 0 ${size} ${size}" shape-rendering="crispEdges">
    ${svg`<rect width=${size} height=${size} fill="#fff"/><path d=${path} fill="#000"/>`}</svg>`;
}

customElements.define("ds-copy", CopyButton);
