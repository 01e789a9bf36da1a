/** What every place of the page shows until Python runs: how far it is, that there is no network, or why it failed. */

import { html, nothing } from "lit";
import "./copying.mjs";
import { icons } from "./icons.mjs";
import { bytes, shortId } from "./words.mjs";

const TALKING = "Open conversations go on where the network still carries them. New ones need a connection to a relay.";

/** A card, or undefined when the node runs and the network is there. `meanwhile`: what being offline means here. */
export function startup(session, meanwhile = TALKING) {
  if (session.phase === "failed") return failed(session);
  if (!session.online) {
    return html`<section class="card startup bad"><h2>You are offline</h2>
      <p>${meanwhile}</p>
      <p class="muted">Check Wi-Fi or cable. The page goes on by itself when the network is back.</p></section>`;
  }
  return session.phase === "loading" ? loading(session) : undefined;
}

function loading(session) {
  const { stage, message, fraction, loaded, total } = session.progress;
  const said = stage === "ready" ? "Starting your peer" : message;
  // Files are counted when they are whole, so a share of the first large one says too little to be shown.
  const told = total && loaded > total / 8;
  const percent = Math.round(fraction * 100);
  return html`<section class="card startup" aria-label="Starting">
    <div class="row"><h2>Starting Python in this page</h2><span class="figure">${percent} %</span></div>
    <progress max="100" .value=${percent} aria-label="Loading">${percent} %</progress>
    <p class="muted">${said}${told ? ` · ${bytes(loaded)} of ${bytes(total)}` : ""}</p>
    ${queued(session)}
  </section>`;
}

function failed(session) {
  const { failure } = session;
  return html`<section class="card startup bad" role="alert">
    <h2>${failure.title}</h2>
    <p>${failure.reason}</p>
    <p><strong>What to do:</strong> ${failure.next}</p>
    <p class="actions"><button type="button" class="primary" @click=${() => session.start()}>Try again</button>
      <ds-copy .source=${() => session.report()} label="Copy report" what="the report"></ds-copy>
      <code class="muted">${failure.code}</code></p></section>`;
}

/** Somebody opened a link before Python was there. */
function queued(session) {
  return session.wanted ? html`<p class="fine">${icons.check} Then connecting to ${shortId(session.wanted.peer)}</p>` : nothing;
}
