/** How far a trade is, as a list: the same before the maker answered and after. */

import { html, nothing } from "lit";
import { icons } from "../icons.mjs";

const TAKER = {
  request: "Ask the maker", verify: "Check the transaction", review: "You decide", sign: "You sign", countersign: "The other side signs",
  broadcast: "Sent to the network", confirm: "In a block",
};
const MAKER = { ...TAKER, request: "Somebody takes your order", verify: "Check their coins", sign: "They sign", countersign: "You sign" };
const MARKS = { done: icons.check, failed: icons.cross };
const TONES = { done: "", active: "now", todo: "open", failed: "bad" };

/** `steps`: as those of a trade. `figure` stands beside the one that goes on. */
export function stepList(steps, role, figure) {
  const words = role === "maker" ? MAKER : TAKER;
  return html`<ol class="steps trade-steps">${steps.map((step) => html`<li class=${TONES[step.state]} aria-current=${step.state === "active" ? "step" : nothing}>
    <span class="dot">${MARKS[step.state] ?? nothing}</span><span class="what">${words[step.name] ?? step.name}<span class="sr">: ${step.state}</span></span>
    <span class="figure">${step.state === "active" ? figure : nothing}</span></li>`)}</ol>`;
}

/** Of a private sale, whose maker has signed and is not asked. */
const SALE = ["verify", "review", "sign", "broadcast", "confirm"];

/** Those of a trade that has not begun. */
export function firstSteps(order) {
  return (order.private_sale ? SALE : Object.keys(TAKER)).map((name, index) => ({ name, state: index ? "todo" : "active" }));
}

/** Whether the other side has signed before us: then our signature is the last one. */
export const signsLast = (trade) => trade.role === "taker" && !trade.steps.some((step) => step.name === "countersign");
