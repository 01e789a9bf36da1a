/** A small chart over time. What a screen reader gets is the summary in `label`; the numbers stand in a table nearby. */

import { LitElement, html } from "lit";
import uPlot from "uplot";

const HEIGHT = 120;
/** Seconds on the horizontal axis. */
const SPAN = 60;
const COLOURS = { rtt: "--accent", up: "--accent", down: "--second" };

class LineChart extends LitElement {
  static properties = {
    samples: { attribute: false }, names: { attribute: false }, words: { attribute: false }, label: {},
    /** What round numbers are multiples of: 1000 for times, 1024 for bytes. */
    unit: { type: Number },
  };

  createRenderRoot() {
    return this;
  }

  render() {
    return html`<div class="chart" role="img" aria-label=${this.label}></div>`;
  }

  firstUpdated() {
    this._box = this.querySelector(".chart");
    this._resize = new ResizeObserver(() => this._plot?.setSize({ width: this._box.clientWidth, height: HEIGHT }));
    this._resize.observe(this._box);
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    this._resize?.disconnect();
    this._plot?.destroy();
    this._plot = null;
  }

  updated() {
    // Lit draws once a second at most here; the plot is made again when the colours changed.
    const colours = this._colours();
    if (!this._plot || this._drawnWith !== colours.join()) this._make(colours);
    const now = Date.now() / 1000;
    const shown = (this.samples ?? []).filter((one) => one.at > now - SPAN);
    this._plot.setData([shown.map((one) => one.at), ...this.names.map((name) => shown.map((one) => one[name]))], false);
    const most = Math.max(1, ...this.names.flatMap((name) => shown.map((one) => one[name] ?? 0)));
    this._plot.batch(() => {
      this._plot.setScale("x", { min: now - SPAN, max: now });
      this._plot.setScale("y", { min: 0, max: roundUp(most * 1.05, this.unit) });
    });
  }

  _colours() {
    const style = getComputedStyle(this._probe());
    return [style.color, style.borderTopColor, style.borderRightColor, style.borderBottomColor];
  }

  // light-dark() is resolved by the browser only where a colour is used, so an element uses each.
  _probe() {
    if (!this._swatch) {
      this._swatch = document.createElement("span");
      this._swatch.className = "swatch";
      this._swatch.hidden = true;
      this.append(this._swatch);
    }
    return this._swatch;
  }

  _make(colours) {
    this._plot?.destroy();
    this._drawnWith = colours.join();
    const [text, line, accent, second] = colours;
    const stroke = { "--accent": accent, "--second": second };
    const axis = { stroke: text, font: "11px system-ui", grid: { stroke: line, width: 1 }, ticks: { show: false } };
    this._plot = new uPlot(
      {
        width: this._box.clientWidth || 280, height: HEIGHT, legend: { show: false }, cursor: { show: false }, padding: [8, 2, 0, 0],
        scales: { x: { time: true, auto: false }, y: { auto: false } },
        axes: [
          {
            ...axis, size: 20, grid: { show: false },
            splits: (plot, index, from, to) => [from, (from + to) / 2, to],
            values: () => ["", `${SPAN / 2} s ago`, ""],
          },
          {
            ...axis, size: 62,
            splits: (plot, index, from, to) => [0, to / 2, to],
            values: (plot, ticks) => ticks.map((value) => this.words(value)),
          },
        ],
        series: [{}, ...this.names.map((name) => ({ stroke: stroke[COLOURS[name]], width: 2, points: { show: false }, spanGaps: true }))],
      },
      [[], ...this.names.map(() => [])],
      this._box,
    );
  }
}

/** The next of 1, 2, 4, 6, 8, 10 … at the leading digit, counted in `unit`s of `unit`. */
function roundUp(value, unit) {
  const scale = unit ** Math.max(0, Math.floor(Math.log(value) / Math.log(unit)));
  const digit = 10 ** Math.max(0, Math.floor(Math.log10(value / scale)));
  const lead = value / scale / digit;
  return [1, 2, 4, 6, 8, 10].find((step) => lead <= step) * digit * scale;
}

customElements.define("ds-chart", LineChart);
