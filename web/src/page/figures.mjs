/** Beside a conversation: how the link came about and how it does, in words, as charts and as a table. */

import { html, nothing } from "lit";
import { dialSteps } from "./dial_steps.mjs";
import { icons } from "./icons.mjs";
import { PageElement } from "./page_element.mjs";
import { PATHS, bytes, candidateWords, clock, milliseconds, rate, timeLeft } from "./text.mjs";

/** Rows of the table twin: the chart's last ten seconds say enough in words. */
const TABLE_ROWS = 10;

class Figures extends PageElement {
  connectedCallback() {
    super.connectedCallback();
    // The charting library is fetched with the first conversation; the chart's place is kept for it.
    import("./line_chart.mjs").catch((error) => console.warn(error));
  }

  render() {
    const { conversation } = this.session;
    if (!conversation) return nothing;
    const path = conversation.open ? conversation.path : "none";
    return html`<aside class="figures" aria-label="Connection">
      <section class="card">
        <h2>Connection</h2>
        <p class="path ${path}">${icons[path]}<span><strong>${PATHS[path].badge}.</strong> ${PATHS[path].long}</span></p>
        ${conversation.hangUp ? html`<p class="muted small">Made by hand: no relay took part, and nothing is measured.</p>` : this._details(conversation)}
      </section>
      ${conversation.hangUp ? nothing : this._charts(conversation)}
      ${conversation.dial ? html`<section class="card"><h2>How you got here</h2>${dialSteps(this.session, conversation.dial)}</section>` : nothing}
    </aside>`;
  }

  _details({ stats, openedAt, limit, samples, path }) {
    const rtt = samples.at(-1)?.rtt ?? stats?.rtt_ms;
    const rows = [
      ["Round trip", rtt ? milliseconds(rtt) : "–"],
      ["Transport", stats?.transport ?? "–"],
      ...(limit || path === "relayed" ? [] : [
        ["Your end", candidateWords(stats?.local_candidate_type)], ["Their end", candidateWords(stats?.remote_candidate_type)],
      ]),
      ["Sent", stats ? `${bytes(stats.bytes_sent)} · ${stats.messages_sent} messages` : "–"],
      ["Received", stats ? `${bytes(stats.bytes_received)} · ${stats.messages_received} messages` : "–"],
      ["Connected", openedAt ? `since ${clock(openedAt)}` : "–"],
    ];
    if (limit) rows.push(["Relay's limit", limitWords(limit, stats, openedAt)]);
    return html`<dl class="facts">${rows.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`;
  }

  _charts({ samples }) {
    const recent = samples.slice(-TABLE_ROWS).reverse();
    return html`<section class="card charts">
      <h2>Live figures</h2>
      <h3>Round trip</h3>
      <ds-chart .samples=${samples} unit="1000" .names=${["rtt"]} .words=${milliseconds} .label=${summary(samples, "rtt", "Round trip", milliseconds)}></ds-chart>
      <h3>Throughput <span class="key up">sent</span> <span class="key down">received</span></h3>
      <ds-chart .samples=${samples} unit="1024" .names=${["up", "down"]} .words=${rate}
        .label=${`${summary(samples, "up", "Sent", rate)} ${summary(samples, "down", "Received", rate)}`}></ds-chart>
      <details><summary>As a table</summary>
        <table><caption class="sr">The last ${TABLE_ROWS} seconds</caption>
          <thead><tr><th scope="col">Time</th><th scope="col">Round trip</th><th scope="col">Sent</th><th scope="col">Received</th></tr></thead>
          <tbody>${recent.map((one) => html`<tr><th scope="row">${new Date(one.at * 1000).toLocaleTimeString()}</th>
            <td>${one.rtt ? milliseconds(one.rtt) : "–"}</td><td>${rate(one.up)}</td><td>${rate(one.down)}</td></tr>`)}</tbody></table>
      </details>
    </section>`;
  }
}

function summary(samples, name, title, words) {
  const values = samples.map((one) => one[name]).filter((value) => value !== null);
  if (values.length === 0) return `${title}: nothing measured yet.`;
  return `${title}: now ${words(values.at(-1))}, between ${words(Math.min(...values))} and ${words(Math.max(...values))} in the last ${values.length} seconds.`;
}

function limitWords(limit, stats, openedAt) {
  const parts = [];
  if (limit.data) parts.push(`${bytes(Math.max(0, limit.data - (stats?.bytes_sent ?? 0)))} left of ${bytes(limit.data)}`);
  if (limit.duration && openedAt) parts.push(`${timeLeft(openedAt / 1000 + limit.duration)} left`);
  return parts.join(", ") || "none";
}

customElements.define("ds-figures", Figures);
