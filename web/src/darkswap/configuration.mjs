/** A node's configuration, laid over the site's defaults, as Python reads it. */

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
  if (config === undefined || config === null) return JSON.stringify(defaults);
  if (typeof config !== "string" && typeof config !== "object") throw invalid("config", "is neither an object nor JSON");
  let given = config;
  if (typeof config === "string") {
    try {
      given = JSON.parse(config);
    } catch (error) {
      throw invalid("config", `is not JSON: ${error.message}`);
    }
  }
  return JSON.stringify(merge(defaults, given));
}
