/** What is shown for an address that leads nowhere, so that nobody looks at an empty page or at another one. */

import { html } from "lit";

const WORDS = {
  order: {
    title: "This link is damaged",
    reason: "It should bring an order, but a part of it is missing or was changed on its way.",
    next: "Copy all of it again, or ask whoever sent it for a new one. Nothing was opened or signed.",
  },
  peer: {
    title: "This link is damaged",
    reason: "It should lead to a person, but the peer id in it is missing or damaged.",
    next: "Copy all of it again, or ask whoever sent it for a new one.",
  },
  place: {
    title: "There is no such page",
    reason: "The end of this address, from the # on, names nothing here.",
    next: "Choose a page above. If somebody sent you this link, copy all of it again.",
  },
};

/** `kind`: what the link should have led to, as `readRoute` tells it. */
export function brokenLink(kind) {
  const { title, reason, next } = WORDS[kind];
  return html`<main class="home"><div class="lead"><h1 tabindex="-1">${title}</h1><p>${reason}</p></div>
    <section class="card startup bad" role="alert" id="broken-link"><p><strong>What to do:</strong> ${next}</p></section></main>`;
}
