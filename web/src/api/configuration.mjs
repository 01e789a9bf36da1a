/** A node's configuration, laid over the site's defaults, as Python reads it. */

import { record } from "./arguments.mjs";
import { invalid } from "./errors.mjs";
import { defaults } from "./runtime.mjs";

const merge = (under, over) => {
  if (over === undefined) return under;
  const plain = (value) => typeof value === "object" && value !== null && !Array.isArray(value);
  if (!plain(under) || !plain(over)) return over;
  const merged = { ...under };
  for (const [key, value] of Object.entries(over)) merged[key] = merge(under[key], value);
  return merged;
};

export function configText(config) {
  return JSON.stringify(merge(defaults, record("config", parsed(config ?? {}))));
}

function parsed(config) {
  if (typeof config !== "string") return config;
  try {
    return JSON.parse(config);
  } catch (error) {
    throw invalid("config", `is not JSON: ${error.message}`);
  }
}

/** The order of keys does not make another configuration. */
export function canonical(config) {
  const sorted = (key, value) =>
    typeof value === "object" && value !== null && !Array.isArray(value) ? Object.fromEntries(Object.entries(value).sort()) : value;
  return JSON.stringify(JSON.parse(config), sorted);
}
