/** Line drawings in the colour of the text around them; words beside them say what they mean. */

import { svg, html } from "lit";

const draw = (inner) => html`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">${inner}</svg>`;

export const icons = {
  copy: draw(svg`<rect x="9" y="9" width="11" height="11" rx="2"/><path d="M5 15V6a2 2 0 0 1 2-2h8"/>`),
  check: draw(svg`<path d="m5 12.5 4.5 4.5L19 7.5"/>`),
  cross: draw(svg`<path d="m6 6 12 12M18 6 6 18"/>`),
  plus: draw(svg`<path d="M12 5v14M5 12h14"/>`),
  send: draw(svg`<path d="M4 12h15M13 6l6 6-6 6"/>`),
  clip: draw(svg`<path d="m20 11-8.5 8.5a5 5 0 0 1-7-7L13 4a3.4 3.4 0 0 1 4.8 4.8l-8.4 8.4a1.7 1.7 0 0 1-2.4-2.4L15 7"/>`),
  file: draw(svg`<path d="M7 3h7l5 5v13H7z"/><path d="M14 3v5h5"/>`),
  down: draw(svg`<path d="M12 4v12M7 11l5 5 5-5M5 20h14"/>`),
  sun: draw(svg`<circle cx="12" cy="12" r="4"/><path d="M12 2.5v2.5M12 19v2.5M2.5 12H5M19 12h2.5M5.3 5.3 7 7M17 17l1.7 1.7M5.3 18.7 7 17M17 7l1.7-1.7"/>`),
  moon: draw(svg`<path d="M20 14.5A8.5 8.5 0 1 1 9.5 4 7 7 0 0 0 20 14.5z"/>`),
  out: draw(svg`<path d="M14 4h6v6M20 4l-9 9M18 14v6H4V6h6"/>`),
  direct: draw(svg`<path d="M8 12h8"/><circle cx="5" cy="12" r="3"/><circle cx="19" cy="12" r="3"/>`),
  relayed: draw(svg`<path d="M6.5 15.5 10 9M14 9l3.5 6.5"/><circle cx="5" cy="18" r="2.6"/><circle cx="19" cy="18" r="2.6"/><circle cx="12" cy="6.5" r="2.6"/>`),
  turn: draw(svg`<path d="M6.5 15.5 10 9M14 9l3.5 6.5"/><circle cx="5" cy="18" r="2.6"/><circle cx="19" cy="18" r="2.6"/><circle cx="12" cy="6.5" r="2.6"/>`),
  none: draw(svg`<path d="M8 12h1.5M14.5 12H16"/><circle cx="5" cy="12" r="3"/><circle cx="19" cy="12" r="3"/>`),
};

export const mark = html`<svg class="mark" viewBox="0 0 32 32" aria-hidden="true"><rect width="32" height="32" rx="8"/><path d="M9 20h14"/><path class="arc" d="M9 17Q16 5 23 17"/><circle cx="8.5" cy="20" r="3.8"/><circle cx="23.5" cy="20" r="3.8"/></svg>`;
