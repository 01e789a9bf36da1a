/** A dial, step by step: what happens in plain words, its libp2p name, and how long it took. */

import { html, nothing } from "lit";
import { icons } from "./icons.mjs";
import { PATHS, milliseconds, shortId, stepText } from "./text.mjs";

export function dialSteps(session, dial) {
  const running = dial.state === "running";
  const failed = dial.state === "failed";
  return html`<div class="dial" data-state=${dial.state}>
    <p class="row"><strong>${heading(dial)}</strong><span class="figure">${dial.endedAt ? milliseconds(dial.endedAt - dial.startedAt) : ""}</span></p>
    <ol class="steps">
      ${dial.steps.map((step, index) => {
        const last = index === dial.steps.length - 1;
        const tone = last && running ? "now" : last && failed ? "bad" : "done";
        return html`<li class=${tone}>
          <span class="dot" aria-hidden="true">${tone === "done" ? icons.check : tone === "bad" ? icons.cross : nothing}</span>
          <span class="what">${stepText(step.step, step.detail)}${step.times > 1 ? html` <span class="muted">× ${step.times}</span>` : nothing}
            ${step.step.startsWith("page:") ? nothing : html`<code translate="no">${step.step}</code>`}</span>
          <span class="figure">${milliseconds(step.at)}</span></li>`;
      })}
    </ol>
    ${failed ? failure(session, dial) : nothing}
  </div>`;
}

function heading(dial) {
  const who = html`<span translate="no">${shortId(dial.peer)}</span>`;
  if (dial.state === "running") return html`Connecting to ${who}…`;
  if (dial.state === "done") return html`${PATHS[dial.path].badge} link to ${who}`;
  return dial.state === "cancelled" ? html`Cancelled: ${who}` : html`Could not connect to ${who}`;
}

function failure(session, dial) {
  const { title, reason, next, code } = dial.failure;
  return html`<div class="notice bad" role="alert">
    <p><strong>${title}.</strong> ${reason}</p>
    <p><strong>What to do:</strong> ${next}</p>
    <p class="actions"><button type="button" class="primary" id="retry" @click=${() => session.connect(dial)}>Try again</button>
      <ds-copy .source=${() => session.report()} label="Copy report" what="the report"></ds-copy><code class="muted">${code}</code></p>
  </div>`;
}
