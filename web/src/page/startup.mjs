/** What every place of the page shows until Python runs: how far it is, that there is no network, or why it failed. */

import { html, nothing } from "lit";
import "./copying.mjs";
import { icons } from "./icons.mjs";
import { bytes, rate, shortId } from "./text.mjs";

const TALKING = "Open conversations go on where the network still carries them. New ones need a connection to a relay.";

const SLOW_AFTER_SECONDS = 8;

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
  const told = total > 0 && loaded < total;
  const percent = Math.round(fraction * 100);
  return html`<section class="card startup" aria-label="Starting">
    <div class="row"><h2>Starting Python in this page</h2><span class="figure">${percent} %</span></div>
    <progress max="100" .value=${percent} aria-label="Loading">${percent} %</progress>
    <p class="muted">${said}${told ? ` · ${bytes(loaded)} of ${bytes(total)}` : ""}</p>
    ${slow(session)}
    ${queued(session)}
  </section>`;
}

/** On a slow connection: that it is slow, and how long it will take. */
function slow({ progress: { loaded, total }, loadingSince }) {
  const seconds = (performance.now() - loadingSince) / 1000;
  if (seconds < SLOW_AFTER_SECONDS || loaded === 0 || loaded >= total) return nothing;
  const perSecond = loaded / seconds;
  const left = Math.ceil((total - loaded) / perSecond);
  const wait = left < 90 ? `${left} s` : `${Math.ceil(left / 60)} min`;
  return html`<p class="fine" data-testid="slow-connection">Your connection is slow: ${rate(perSecond)}, about ${wait} left.
    The next visit is faster, since the browser keeps the files.</p>`;
}

function failed(session) {
  const { failure } = session;
  return html`<section class="card startup bad" role="alert">
    <h2>${failure.title}</h2>
    <p>${failure.reason}</p>
    <p><strong>What to do:</strong> ${failure.next}</p>
    <p class="actions">${again(session)}
      <ds-copy .source=${() => session.report()} label="Copy report" what="the report"></ds-copy>
      <code class="muted">${failure.code}</code></p></section>`;
}

/** A dead Python comes back with the page only. */
function again(session) {
  const dead = session.failure.code === "RUNTIME_DEAD";
  return html`<button type="button" class="primary" @click=${() => (dead ? location.reload() : session.start())}>
    ${dead ? "Reload the page" : "Try again"}</button>`;
}

/** Somebody opened a link before Python was there. */
function queued(session) {
  return session.wanted ? html`<p class="fine">${icons.check} Then connecting to ${shortId(session.wanted.peer)}</p>` : nothing;
}
