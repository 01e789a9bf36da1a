/** What stands below a field for an amount: what was understood, why it was not, or which of two meanings is meant. */

import { html, nothing } from "lit";
import { readAmount } from "./read_amount.mjs";

/** The state of a field in which `typed` stands. */
export const fieldOf = (typed = "") => ({ typed, ...readAmount(typed) });

/** The state after one of the choices: it is not asked about again, though 1.125 could mean two amounts. */
export const chosen = (amount) => ({ typed: amount, amount, problem: "", choices: [] });

/** `choose(field)` takes the state that replaces this one. */
export function amountHint(field, choose) {
  if (field.problem) return field.problem;
  if (field.choices.length > 0) {
    const [thousands, decimal] = field.choices;
    return html`<span class="question"><span>Do you mean ${thousands} or ${decimal}?</span>
      ${field.choices.map((amount) => html`<button type="button" class="quiet" data-amount=${amount} @click=${() => choose(chosen(amount))}>${amount}</button>`)}</span>`;
  }
  return field.amount && field.amount !== field.typed.trim() ? html`<span class="muted">Read as ${field.amount}.</span>` : nothing;
}
