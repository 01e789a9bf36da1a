/** Where in the page the visitor is, as the address says it: `#/wallet`, `#/trade/ID`, and so on. */

const ORDER = /^#order=(.+)$/;
const PLACES = {
  "": "talk", connect: "talk", wallet: "wallet", orders: "orders", new: "new", order: "order", trade: "trade",
  history: "history",
};

/** `{view, id}`; `view` is one of PLACES, or "import" with the text of an order. What is unknown is "talk". */
export function readRoute(hash) {
  const order = ORDER.exec(hash);
  if (order) return { view: "import", id: decodeURIComponent(order[1]) };
  const [, place = "", id = ""] = /^#\/([a-z]*)(?:\/([^?]*))?/.exec(hash) ?? [];
  return { view: PLACES[place] ?? "talk", id };
}

/** The link that brings an order to somebody. */
export function orderLink(text, base = location) {
  return `${base.origin}${base.pathname}${base.search}#order=${text}`;
}

export const go = (path) => {
  location.hash = path;
};
