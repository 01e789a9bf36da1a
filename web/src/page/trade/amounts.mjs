/** Amounts, assets and states in words. Amounts arrive as decimal strings and are never made into floats. */

import { html } from "lit";

/** "1234567.5" → "1,234,567.5". */
export function grouped(amount) {
  const [whole, rest] = String(amount).split(".");
  const thousands = whole.replace(/\B(?=(\d{3})+$)/g, ",");
  return rest === undefined ? thousands : `${thousands}.${rest}`;
}

/** Bitcoin is named as such; of others the id stands beside the name, as large, since names can be imitated and it cannot. */
export function assetName({ asset, name, symbol }) {
  if (asset === "BTC") return html`<span class="asset">BTC</span>`;
  // A rune's symbol is one sign; an alkane's is a word that may say anything.
  const sign = symbol && [...symbol].length === 1 ? html`<span aria-hidden="true"> ${symbol}</span>` : "";
  return html`<span class="asset">${name && name !== asset ? html`<bdi>${name}</bdi>${sign} ` : ""}<span class="muted" translate="no">${asset}</span></span>`;
}

const DECIMAL = /^\d+(\.\d+)?$/;

/** A decimal text in atoms, by whole numbers; null for what is none, or is finer than the asset. */
export function atomsOf(amount, decimals) {
  const [whole, rest = ""] = amount.split(".");
  return DECIMAL.test(amount) && rest.length <= decimals ? BigInt(whole + rest.padEnd(decimals, "0")) : null;
}

export function textOf(atoms, decimals) {
  const text = String(atoms).padStart(decimals + 1, "0");
  return decimals ? `${text.slice(0, -decimals)}.${text.slice(-decimals)}`.replace(/\.?0+$/, "") : text;
}

/** What a part of an order is worth, as text of quote; a part of an atom is the maker's. "" for what cannot be taken. */
export function quoteOf(order, fill) {
  const atoms = atomsOf(fill, order.base.decimals);
  if (atoms === null || atoms < order.min_fill_atoms || atoms > order.remaining_atoms) return "";
  const exact = order.quote_atoms * atoms;
  const up = order.side === "sell" && exact % order.base_atoms ? 1n : 0n;
  return textOf(exact / order.base_atoms + up, order.quote.decimals);
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

const TRADE_WORDS = {
  pending: ["busy", "Being agreed"],
  confirming: ["busy", "Waiting for the chain"],
  completed: ["good", "Completed"],
  failed: ["bad", "Failed"],
  canceled: ["", "Cancelled"],
};

/** The state of a trade; what has both signatures waits for the chain, not for a person. */
export function tradeWords(trade) {
  if (trade.status !== "confirming" || trade.raw) return TRADE_WORDS[trade.status];
  return ["busy", trade.phase === "revoking" ? "Being taken back" : trade.role === "taker" ? "Waiting for the maker" : "Being agreed"];
}

export function chip([tone, word]) {
  return html`<span class="status ${tone}"><i aria-hidden="true"></i>${word}</span>`;
}

/** "4 min 05 s" until `at`; "" when it has passed. */
export function countdown(at, now = Date.now() / 1000) {
  const left = Math.ceil(at - now);
  if (left <= 0) return "";
  if (left < 90) return `${left} s`;
  return left < 5400 ? `${Math.floor(left / 60)} min ${String(left % 60).padStart(2, "0")} s` : `${Math.round(left / 3600)}\u00a0h`;
}

export const day = (at) => new Date(at * 1000).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });

/** What whoever looks at an order would give and get: its maker as it says, anybody else the other way round. */
export function sides(order) {
  const base = { ...order.base, amount: order.amount };
  const quote = { ...order.quote, amount: order.total };
  return (order.side === "sell") === order.is_local ? { give: base, get: quote } : { give: quote, get: base };
}

/** The state of an order; of somebody's that was taken from here, that it was. */
export function orderWords(order, trades) {
  const taken = [...trades.values()].some((trade) => trade.order_id === order.id && ["confirming", "completed"].includes(trade.status)
    && trade.base_atoms >= order.base_atoms);
  return !order.is_local && order.is_active && taken ? ["good", "Taken by you"] : ORDER_WORDS[order.status];
}
