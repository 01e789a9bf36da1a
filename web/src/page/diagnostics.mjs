/**
 * What this page needs: of the browser, tried out here, and of the node, by its own checks. Each row is
 * `{name, passed, words, hint}`; `passed` is null where there is nothing to judge, and `hint` says what to do.
 */

import { HAS_WEBRTC } from "./direct_links.mjs";

/** Milliseconds two ends in one page may take to find each other. */
const LOOPBACK_TIMEOUT = 4000;
/** Seconds by which the clock may differ: relays date their vouchers. */
const SKEW_ALLOWED = 30;

const BROWSER = [
  { name: "Browser features", run: features },
  { name: "WebRTC within this page", run: loopback },
  { name: "Clock", run: clock },
];
/** The node's checks in words; what the browser's own tell already is left out unless it failed. */
const TITLES = {
  storage: "Storage for your identity", candidates: "Ways to be reached", relays: "Relays answer", reservations: "A relay holds a place",
  echo: "Reached through the relay", chain_servers: "Chain servers",
};
const PASSED = { passed: true, failed: false };

/** Runs every check; `tell(rows)` hears of all rows whenever one changes. */
export async function runChecks(session, tell) {
  const rows = [];
  const put = (row) => {
    const at = rows.findIndex(({ name }) => name === row.name);
    if (at < 0) rows.push(row);
    else rows[at] = row;
    tell([...rows]);
  };
  for (const { name, run } of BROWSER) {
    put({ name, state: "running" });
    put({ name, state: "ended", ...await run().catch((error) => ({ passed: false, words: error.message, hint: "" })) });
  }
  const heard = ({ name, status, message, hint }) => {
    const title = TITLES[name] ?? (status === "failed" ? name : null);
    if (title) put({ name: title, state: status === "running" ? "running" : "ended", passed: PASSED[status] ?? null, words: sentence(message), hint });
  };
  await session.node?.run_diagnostics({ on_check: heard }).catch((error) => {
    put({ name: "The node", state: "ended", passed: false, words: error.message, hint: error.hint });
  });
}

const sentence = (text) => text && text[0].toUpperCase() + text.slice(1);

async function features() {
  const missing = [
    ["WebAssembly", typeof WebAssembly === "object"],
    ["a secure context (https)", isSecureContext],
    ["WebCrypto", Boolean(globalThis.crypto?.subtle)],
    ["IndexedDB", Boolean(globalThis.indexedDB)],
  ].filter(([, there]) => !there).map(([name]) => name);
  return missing.length
    ? { passed: false, words: `Missing: ${missing.join(", ")}`, hint: "Use a current browser, outside of a private window." }
    : { passed: true, words: "WebAssembly, WebCrypto and IndexedDB are there" };
}

/** Two ends in this page exchange one message. */
async function loopback() {
  if (!HAS_WEBRTC) return { passed: false, words: "This browser has no WebRTC", hint: "Direct links are not available in this browser. Messages go through the relay." };
  const [one, other] = [new RTCPeerConnection(), new RTCPeerConnection()];
  const started = performance.now();
  try {
    one.onicecandidate = ({ candidate }) => candidate && other.addIceCandidate(candidate);
    other.onicecandidate = ({ candidate }) => candidate && one.addIceCandidate(candidate);
    const channel = one.createDataChannel("check");
    const heard = new Promise((resolve) => {
      other.ondatachannel = (event) => (event.channel.onmessage = resolve);
    });
    channel.onopen = () => channel.send("heard?");
    await one.setLocalDescription();
    await other.setRemoteDescription(one.localDescription);
    await other.setLocalDescription();
    await one.setRemoteDescription(other.localDescription);
    if (await inTime(heard, LOOPBACK_TIMEOUT)) return { passed: true, words: `A message passed after ${Math.round(performance.now() - started)} ms` };
    return { passed: false, words: "No message passed", hint: "An extension, a policy or a firewall blocks WebRTC. Messages will go through the relay." };
  } finally {
    one.close();
    other.close();
  }
}

/** Against the server this page came from; half of the journey is taken off. */
async function clock() {
  const started = Date.now();
  const answer = await fetch(document.baseURI, { method: "HEAD", cache: "no-store" }).catch(() => null);
  const told = Date.parse(answer?.headers.get("date") ?? "");
  if (Number.isNaN(told)) return { passed: null, words: "The server did not tell the time" };
  const skew = Math.round(((started + Date.now()) / 2 - told) / 1000);
  return Math.abs(skew) <= SKEW_ALLOWED
    ? { passed: true, words: "Right" }
    : { passed: false, words: `${Math.abs(skew)} s ${skew > 0 ? "ahead" : "behind"}`, hint: "Set your computer's clock." };
}

function inTime(promise, limit) {
  return Promise.race([promise, new Promise((resolve) => setTimeout(resolve, limit, false))]);
}
