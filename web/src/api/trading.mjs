/** The methods of DarkSwapWasm that trade. Amounts go in and out as decimal strings, atoms and sats come as bigint. */

import { amount, flag, optionalText, readOptions, record, text } from "./arguments.mjs";
import { invalid } from "./errors.mjs";

/** Every one takes its arguments and then options; a reader per argument, `null` for what may be left out. */
const METHODS = {
  get_available_wallets: [],
  connect_wallet: [["config", record]],
  disconnect_wallet: [],
  is_wallet_connected: [],
  get_wallet_info: [],
  export_mnemonic: [["passphrase", optionalText]],
  get_address: [["purpose", optionalText]],
  get_balances: [],
  get_coins: [],
  freeze_coin: [["outpoint", text], ["on", flag]],
  release_coin: [["outpoint", text]],
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
  cancel_trade: [["trade_id", text], ["reason", optionalText]],
  estimate_revoke_fee: [["trade_id", text]],
  get_rune_info: [["id", text]],
  get_alkane_info: [["id", text]],
};
/** What the half of Python that trades answers. */
export const TRADING_METHODS = new Set([...Object.keys(METHODS), "create_order", "take_order", "revoke_trade", "bump_trade_fee", "wait_for_trade"]);
/** What is not known is null, as darkswap.d.ts has it; Python's None alone would be undefined. */
const OR_NULL = new Set(["get_wallet_info", "get_order", "get_trade", "get_rune_info", "get_alkane_info"]);
/** `create_order` as the original bindings have it. */
const POSITIONAL = [["base_type", text], ["base_id", optionalText], ["quote_type", text], ["quote_id", optionalText], ["side", text],
  ["amount", amount], ["price", amount], ["expiry", seconds]];
const DRAFT = [["draft", record]];
const TAKE = [["order_id", text], ["amount", optionalAmount]];
const REVOKE = [["trade_id", text]];
const REVOKE_OPTIONS = { fee_sats: number, max_fee_sats: number };
const BUMP_OPTIONS = { fee_rate: number, max_fee_sats: number };
const TAKE_OPTIONS = { review: flag, fee_rate: number, max_fee_sats: number };
/** As the original bindings: how long `wait_for_trade` waits when nothing is said. */
const WAIT_MS = 300_000;

function optionalAmount(path, value) {
  return value === undefined || value === null ? null : amount(path, value);
}

function number(path, value) {
  if (typeof value !== "number" || !Number.isFinite(value)) throw invalid(path, "is not a number");
  return value;
}

/** Also as a bigint, since the original bindings take 64 bits. */
function seconds(path, value) {
  if (value === undefined || value === null) return null;
  return number(path, typeof value === "bigint" ? Number(value) : value);
}

/**
 * The arguments as read, and the options after them. What may be left out may be left out before the options as well:
 * `get_address({ timeout_ms: 500 })`.
 */
function split(parts, given) {
  const all = given.slice(0, given.findLastIndex((value) => value !== undefined) + 1);
  const last = all.at(-1);
  const isOptions = all.length > parts.length || (typeof last === "object" && last !== null && parts[all.length - 1]?.[1] !== record);
  const options = isOptions ? all.pop() : undefined;
  if (all.length > parts.length) throw invalid("options", `is argument ${parts.length + 1}, and the last one`);
  return [parts.map(([path, read], index) => read(path, all[index])), options];
}

/** `ask(self, name, values, options)` calls Python. */
export function addTrading(target, ask) {
  const add = (name, method) => Object.defineProperty(target.prototype, name, { value: method, writable: true, configurable: true });
  for (const [name, parts] of Object.entries(METHODS)) {
    add(name, async function (...given) {
      const [values, options] = split(parts, given);
      const answer = await ask(this, name, values, readOptions(options));
      return OR_NULL.has(name) ? answer ?? null : answer;
    });
  }
  add("create_order", async function (...given) {
    const [values, options] = split(typeof given[0] === "string" ? POSITIONAL : DRAFT, given);
    return ask(this, "create_order", [values.length > 1 ? draftOf(values) : values[0]], readOptions(options));
  });
  add("take_order", async function (...given) {
    const [[order_id, part], given_options] = split(TAKE, given);
    const { review = false, fee_rate = null, max_fee_sats = null, ...options } = readOptions(given_options, TAKE_OPTIONS);
    return ask(this, "take_order", [order_id, part, review, fee_rate, max_fee_sats], options);
  });
  add("revoke_trade", async function (...given) {
    const [[trade_id], given_options] = split(REVOKE, given);
    const { fee_sats = null, max_fee_sats = null, ...options } = readOptions(given_options, REVOKE_OPTIONS);
    return ask(this, "revoke_trade", [trade_id, fee_sats, max_fee_sats], options);
  });
  add("bump_trade_fee", async function (...given) {
    const [[trade_id], given_options] = split(REVOKE, given);
    const { fee_rate = null, max_fee_sats = null, ...options } = readOptions(given_options, BUMP_OPTIONS);
    return ask(this, "bump_trade_fee", [trade_id, fee_rate, max_fee_sats], options);
  });
  add("wait_for_trade", async function (...given) {
    const [values, options] = split([["trade_id", text]], given);
    return ask(this, "wait_for_trade", values, { timeout_ms: WAIT_MS, ...readOptions(options) });
  });
}

function draftOf([base_type, base_id, quote_type, quote_id, side, base_amount, price, expires_in]) {
  const asset = (kind, id) => (kind.toLowerCase() === "btc" ? "BTC" : `${kind.toUpperCase()}:${id ?? ""}`);
  return {
    base_asset: asset(base_type, base_id), quote_asset: asset(quote_type, quote_id), side, amount: base_amount, price, expires_in,
  };
}
