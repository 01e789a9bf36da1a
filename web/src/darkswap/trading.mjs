/** The methods of DarkSwapWasm that trade. Amounts go in and out as decimal strings, atoms and sats come as bigint. */

import { invalid } from "./errors.mjs";
import { record, text } from "./arguments.mjs";

/** Every one takes its arguments and then options; a reader per argument, `null` for what may be left out. */
const METHODS = {
  get_available_wallets: [],
  connect_wallet: [["config", record]],
  disconnect_wallet: [],
  is_wallet_connected: [],
  get_wallet_info: [],
  export_mnemonic: [["passphrase", optional]],
  get_address: [["purpose", optional]],
  get_balances: [],
  get_coins: [],
  freeze_coin: [["outpoint", text], ["on", flag]],
  sign_message: [["message", text]],
  check_order: [["draft", record]],
  update_order: [["order_id", text], ["change", record]],
  cancel_order: [["order_id", text]],
  get_order: [["order_id", text]],
  get_orders: [],
  import_order: [["text", text]],
  confirm_trade: [["trade_id", text]],
  get_trade: [["trade_id", text]],
  get_trades: [],
  cancel_trade: [["trade_id", text], ["reason", optional]],
  revoke_trade: [["trade_id", text]],
  get_rune_info: [["id", text]],
  get_alkane_info: [["id", text]],
};
/** What is not known is null, as darkswap.d.ts has it; Python's None alone would be undefined. */
const OR_NULL = new Set(["get_wallet_info", "get_order", "get_trade", "get_rune_info", "get_alkane_info"]);
const POSITIONAL = ["base_type", "base_id", "quote_type", "quote_id", "side", "amount", "price"];
/** As the original bindings: how long `wait_for_trade` waits when nothing is said. */
const WAIT_MS = 300_000;

function optional(path, value) {
  return value === undefined || value === null ? null : text(path, value);
}

function flag(path, value) {
  if (typeof value !== "boolean") throw invalid(path, "is neither true nor false");
  return value;
}

/** What may be left out may be left out before the options as well: `get_address({ timeout_ms: 500 })`. */
function split(parts, given) {
  const last = given.at(-1);
  const isOptions = typeof last === "object" && last !== null && parts[given.length - 1]?.[1] !== record;
  return isOptions ? [given.slice(0, -1), last] : [given.slice(0, parts.length), given[parts.length]];
}

/** `ask(self, name, values, options)`: loads what is missing and calls Python. */
export function addTrading(target, ask) {
  const add = (name, method) => Object.defineProperty(target.prototype, name, { value: method, writable: true, configurable: true });
  for (const [name, parts] of Object.entries(METHODS)) {
    add(name, async function (...given) {
      const [values, options] = split(parts, given);
      const answer = await ask(this, name, parts.map(([path, read], index) => read(path, values[index])), options);
      return OR_NULL.has(name) ? answer ?? null : answer;
    });
  }
  add("create_order", async function (first, ...rest) {
    if (typeof first !== "string") return ask(this, "create_order", [record("draft", first)], rest[0]);
    const values = [first, ...rest.slice(0, POSITIONAL.length - 1)];
    const [base_type, base_id, quote_type, quote_id, side, amount, price] = POSITIONAL.map((path, index) =>
      path.endsWith("_id") ? values[index] ?? "" : text(path, values[index]));
    const more = rest.slice(POSITIONAL.length - 1);
    const expires_in = typeof more[0] === "object" ? null : more.shift() ?? null;
    const asset = (kind, id) => (kind.toLowerCase() === "btc" ? "BTC" : `${kind.toUpperCase()}:${id}`);
    const draft = { base_asset: asset(base_type, base_id), quote_asset: asset(quote_type, quote_id), side, amount, price };
    return ask(this, "create_order", [expires_in === null ? draft : { ...draft, expires_in: Number(expires_in) }], more[0]);
  });
  add("take_order", async function (order_id, ...rest) {
    const amount = typeof rest[0] === "object" ? null : optional("amount", rest.shift());
    const { review = false, fee_rate = null, ...options } = rest[0] ?? {};
    return ask(this, "take_order", [text("order_id", order_id), amount, flag("options.review", review), fee_rate], options);
  });
  add("wait_for_trade", async function (trade_id, options = {}) {
    return ask(this, "wait_for_trade", [text("trade_id", trade_id)], { timeout_ms: WAIT_MS, ...options });
  });
}
