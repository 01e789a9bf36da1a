/** What a visitor types as an amount, read as a decimal text or refused with a sentence: never as another amount. */

/** Digits of a 128-bit number, decimals and separators. */
const LONGEST = 80;
const EXAMPLE = "Write it as 1000 or 0.25.";

const understood = (amount) => ({ amount, problem: "", choices: [] });
const refused = (problem) => ({ amount: "", problem, choices: [] });

/**
 * Reads an amount as it was typed: "10 000", "1,000,000", "10,000.50", "10.000,50" and "0,5" have one meaning each.
 *
 * Returns `{amount, problem, choices}`: `amount` is a decimal text as DarkSwapWasm takes it, or "" with either a sentence that
 * says why, or the two decimal texts that it could mean: "1,000" and "1.000" are a thousand to some people and one to others.
 */
export function readAmount(typed) {
  const text = typed.trim();
  if (text === "") return refused("");
  const wrong = shapeProblem(text);
  if (wrong) return refused(wrong);
  const twofold = /^([1-9]\d{0,2})[.,](\d{3})$/.exec(text);
  if (twofold) return { amount: "", problem: "", choices: [twofold[1] + twofold[2], decimal(twofold[1], twofold[2])] };
  const [whole, rest] = parts(text);
  const digits = ungrouped(whole);
  if (digits === null) return refused(`The groups of digits in ${text} are not of three digits each, so it could mean several amounts. ${EXAMPLE}`);
  return understood(decimal(digits, rest));
}

function shapeProblem(text) {
  if (text.length > LONGEST) return "That is longer than any amount can be.";
  if (/^[-−–]/.test(text)) return "An amount is above 0: leave out the minus sign.";
  if (/^[\d.,]+e[-+−]?\d*$/i.test(text)) return "Write the number out, without an exponent: 0.0005 instead of 5e-4.";
  if (/^[.,]\d+$/.test(text)) return `Put a 0 before the point: 0.${text.slice(1)}.`;
  if (/^[\d.,\s'’_]*\d[.,]$/.test(text)) return "Digits are missing after the point.";
  if (!/^\d([\d.,\s'’_]*\d)?$/.test(text)) return `This is not a number. ${EXAMPLE}`;
  return "";
}

/** `[whole, rest]`: split at the decimal point, which is the last separator if it occurs once and groups are of other signs. */
function parts(text) {
  const at = Math.max(text.lastIndexOf("."), text.lastIndexOf(","));
  if (at < 0) return [text, ""];
  const isSingle = text.indexOf(text[at]) === at;
  return isSingle && /^\d+$/.test(text.slice(at + 1)) ? [text.slice(0, at), text.slice(at + 1)] : [text, ""];
}

/** The digits of a whole number with or without groups of three by one separator; also India's "1,00,000". Null: neither. */
function ungrouped(whole) {
  if (/^\d+$/.test(whole)) return whole;
  const separator = /\D/.exec(whole)[0];
  const groups = whole.split(separator);
  const isThrees = /^[1-9]\d{0,2}$/.test(groups[0]) && groups.slice(1).every((group) => /^\d{3}$/.test(group));
  const isIndian = separator === "," && /^[1-9]\d?(,\d\d)+,\d{3}$/.test(whole);
  return isThrees || isIndian ? groups.join("") : null;
}

function decimal(whole, rest) {
  const digits = whole.replace(/^0+(?=\d)/, "");
  const decimals = rest.replace(/0+$/, "");
  return decimals ? `${digits}.${decimals}` : digits;
}
