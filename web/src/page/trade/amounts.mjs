/** Amounts, assets and states in words. Amounts arrive as decimal strings and are never made into floats. */

import { html } from "lit";

/** "1234567.5" → "1,234,567.5". */
export function grouped(amount) {
  const [whole, rest] = String(amount).split(".");
  const thousands = whole.replace(/\B(?=(\d{3})+$)/g, ",");
  return rest === undefined ? thousands : `${thousands}.${rest}`;
}

/** Bitcoin is named as such; of others the id stands beside the name, since names can be imitated. */
export function assetName({ asset, name, symbol }) {
  if (asset === "BTC") return html`<span class="asset">BTC</span>`;
  const sign = symbol ? html`<span aria-hidden="true"> ${symbol}</span>` : "";
  return html`<span class="asset">${name || asset}${sign} <small class="muted" translate="no">${asset}</small></span>`;
}

export const sats = (count) => `${grouped(count)} sats`;

export const amountOf = ({ amount, ...asset }) => html`<strong class="figure-text">${grouped(amount)}</strong> ${assetName(asset)}`;

export const ORDER_WORDS = {
  open: ["good", "Open"],
  paused: ["busy", "Paused"],
  filled: ["good", "Filled"],
  canceled: ["", "Cancelled"],
  expired: ["", "Expired"],
  unfunded: ["bad", "Its coins are gone"],
};

export const TRADE_WORDS = {
  pending: ["busy", "Being agreed"],
  confirming: ["busy", "Waiting for the chain"],
  completed: ["good", "Completed"],
  failed: ["bad", "Failed"],
  canceled: ["", "Cancelled"],
};

export function chip([tone, word]) {
  return html`<span class="status ${tone}"><i aria-hidden="true"></i>${word}</span>`;
}

/** "4 min 05 s" until `at`; "" when it has passed. */
export function countdown(at, now = Date.now() / 1000) {
  const left = Math.ceil(at - now);
  if (left <= 0) return "";
  if (left < 90) return `${left} s`;
  return left < 5400 ? `${Math.floor(left / 60)} min ${String(left % 60).padStart(2, "0")} s` : `${Math.round(left / 3600)} h`;
}

export const day = (at) => new Date(at * 1000).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });

/** Base first: "Sells 10 A for 0.001 BTC", as the maker sees it. */
export function sentence(order) {
  const base = html`${grouped(order.amount)} ${assetName(order.base)}`;
  const quote = html`${grouped(order.total)} ${assetName(order.quote)}`;
  return order.side === "sell" ? html`${base} for ${quote}` : html`${quote} for ${base}`;
}
