/**
 * What a browser must be able to do for this page, tried out one by one. Each check returns `{passed, words, hint}`;
 * `passed` is null where there is nothing to judge, and `hint` says what a visitor can do about a failure.
 */

import { HAS_WEBRTC } from "./direct_links.mjs";

/** Milliseconds two ends in one page may take to find each other. */
const LOOPBACK_TIMEOUT = 4000;
const GATHER_TIMEOUT = 4000;
/** Seconds by which the clock may differ: relays date their vouchers. */
const SKEW_ALLOWED = 30;

export const CHECKS = [
  { name: "Browser features", run: features },
  { name: "Storage for your identity", run: storage },
  { name: "WebRTC within this page", run: loopback },
  { name: "Ways to be reached", run: ways },
  { name: "A relay holds a place", run: relay },
  { name: "Clock", run: clock },
];

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

async function storage() {
  try {
    await new Promise((resolve, reject) => {
      const opening = indexedDB.open("darkswap-check");
      opening.onerror = () => reject(opening.error);
      opening.onsuccess = () => {
        opening.result.close();
        indexedDB.deleteDatabase("darkswap-check");
        resolve();
      };
    });
  } catch {
    return { passed: false, words: "IndexedDB cannot be opened", hint: "Your identity is new at each visit. Allow storage for this site to keep it." };
  }
  const kept = await navigator.storage?.persisted?.();
  return { passed: true, words: kept ? "Kept until you delete it" : "Kept, unless the browser runs out of space" };
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

/** Which kinds of candidates this browser finds: what others can try. */
async function ways({ iceServers }) {
  if (!HAS_WEBRTC) return { passed: null, words: "Through a relay only" };
  const servers = iceServers.map(({ urls, username, credential }) => ({ urls, username, credential }));
  const connection = new RTCPeerConnection({ iceServers: servers });
  const kinds = new Set();
  try {
    const ended = new Promise((resolve) => {
      connection.onicecandidate = ({ candidate }) => (candidate ? kinds.add(candidate.type) : resolve(true));
    });
    connection.createDataChannel("check");
    await connection.setLocalDescription();
    await inTime(ended, GATHER_TIMEOUT);
  } finally {
    connection.close();
  }
  if (kinds.has("srflx") || kinds.has("relay")) return { passed: true, words: "From the Internet, through your router" };
  if (kinds.size === 0) return { passed: false, words: "None found", hint: "UDP is blocked here. Messages will go through the relay." };
  return servers.length
    ? { passed: false, words: "Within your own network only", hint: "The STUN server did not answer: UDP may be blocked. The relay stands in." }
    : { passed: null, words: "Within your own network; no STUN server is set to look further" };
}

async function relay({ relays }) {
  if (relays.reserved().length) return { passed: true, words: `${relays.reserved().length} of ${relays.list.length}` };
  return { passed: false, words: "None", hint: relays.list.length ? "See under Relays what each says." : "Add one under Relays." };
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
