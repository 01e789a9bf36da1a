/** What callers pass: each check throws INVALID_ARGUMENT with the path of what is wrong. */

import { invalid } from "./errors.mjs";

export function checkOptions(options) {
  if (options === undefined || options === null) return {};
  if (typeof options !== "object") throw invalid("options", "is not an object");
  const { signal, timeout_ms } = options;
  if (signal !== undefined && !(signal instanceof AbortSignal)) throw invalid("options.signal", "is not an AbortSignal");
  if (timeout_ms !== undefined && !(typeof timeout_ms === "number" && timeout_ms > 0 && timeout_ms < 2 ** 31)) {
    throw invalid("options.timeout_ms", "is not a positive number of milliseconds");
  }
  return options;
}

export function text(path, value) {
  if (typeof value !== "string" || value === "") throw invalid(path, "is not a text");
  return value;
}

export function bytes(path, value) {
  if (!(value instanceof Uint8Array)) throw invalid(path, "is not a Uint8Array");
  return value;
}

export function record(path, value) {
  if (typeof value !== "object" || value === null) throw invalid(path, "is not an object");
  return value;
}

export function callable(value) {
  if (typeof value !== "function") throw invalid("callback", "is not a function");
  return value;
}
