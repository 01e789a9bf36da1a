/** Where in the page the visitor is, as the address says it: `#/wallet`, `#/trade/ID`, and so on. */

import { sharedBase } from "./identity_name.mjs";
import { readFragment } from "./link.mjs";

const ORDER = /^#order=(.*)$/s;
const PLACE = /^#\/([a-z]*)(?:\/([^?]*))?(?:\?.*)?$/;
const PLACES = {
  "": "talk", connect: "talk", wallet: "wallet", orders: "orders", new: "new", order: "order", trade: "trade",
  history: "history",
};

/**
 * `{view, id}`; `view` is one of PLACES, "import" with the text of an order, or "broken" with what the address should have
 * led to: "order", "peer" or "place". Throws for nothing that an address may hold.
 */
export function readRoute(hash) {
  if (hash === "" || hash === "#") return { view: "talk", id: "" };
  const order = ORDER.exec(hash);
  if (order) return importOf(order[1]);
  const [, place, id = ""] = PLACE.exec(hash) ?? [];
  if (place === "connect" && readFragment(hash) === null) return { view: "broken", id: "peer" };
  return Object.hasOwn(PLACES, place ?? "?") ? { view: PLACES[place], id } : { view: "broken", id: "place" };
}

function importOf(encoded) {
  try {
    const text = decodeURIComponent(encoded).trim();
    if (text) return { view: "import", id: text };
  } catch {
    // URIError: a percent sign was cut off or damaged.
  }
  return { view: "broken", id: "order" };
}

/** The link that brings an order to somebody. */
export function orderLink(text, base = location) {
  return `${sharedBase(base)}#order=${text}`;
}

export const go = (path) => {
  location.hash = path;
};
