/** Share links, and what a visitor may type to name a peer. Only shapes are judged here; the library has the last word. */

import { sharedBase } from "./identity_name.mjs";

const PEER = /^(12D3KooW[1-9A-HJ-NP-Za-km-z]{44}|Qm[1-9A-HJ-NP-Za-km-z]{44}|16Uiu2HA[1-9A-HJ-NP-Za-km-z]{45,46}|b[a-z2-7]{50,80})$/;

export function looksLikePeer(text) {
  return PEER.test(text);
}

/** `…#/connect?peer=ID&relay=MULTIADDR…` on this page's own address. */
export function shareLink(peer, relays, base = location) {
  const query = new URLSearchParams({ peer });
  for (const relay of relays) query.append("relay", relay);
  // Slashes stay readable: they are allowed in a fragment, and a multiaddr has many.
  return `${sharedBase(base)}#/connect?${query.toString().replaceAll("%2F", "/")}`;
}

/** `{peer, relays}` of a fragment, or null when it asks for nothing. */
export function readFragment(hash) {
  const found = /^#\/connect\?(.*)$/.exec(hash);
  if (!found) return null;
  const query = new URLSearchParams(found[1]);
  const peer = query.get("peer") ?? "";
  return looksLikePeer(peer) ? { peer, relays: query.getAll("relay").filter((text) => text.startsWith("/")) } : null;
}

/**
 * What somebody pasted: a share link, a circuit address or a bare peer id.
 * Returns `{peer, relays}` or `{problem}`, where an empty problem means "nothing typed yet".
 */
export function readTarget(text, own) {
  const target = parseTarget(text.trim());
  if (target.peer && target.peer === own) {
    return { problem: "That is you. Send your link to somebody else, or open it in another browser." };
  }
  return target;
}

function parseTarget(text) {
  if (text === "") return { problem: "" };
  if (looksLikePeer(text)) return { peer: text, relays: [] };
  if (text.startsWith("/")) {
    const circuit = /^(\/.+\/p2p\/[^/]+)\/p2p-circuit(?:\/webrtc)?\/p2p\/([^/]+)$/.exec(text);
    if (circuit && looksLikePeer(circuit[2])) return { peer: circuit[2], relays: [circuit[1]] };
    return { problem: "An address of a peer ends in /p2p-circuit/webrtc/p2p/ and its id. A relay is added under Relays." };
  }
  const hash = text.indexOf("#");
  const link = hash < 0 ? null : readFragment(text.slice(hash));
  if (link) return link;
  if (text.includes("://")) return { problem: "This link names no peer. It should contain #/connect?peer=…" };
  return { problem: "Not a peer id. It starts with 12D3KooW and has 52 characters; a link works as well." };
}

/** Problem with a relay's address, or "" when it may be tried. */
export function relayProblem(text, secure = location.protocol === "https:") {
  const address = text.trim();
  if (address === "") return "";
  if (!address.startsWith("/")) return "An address starts with a slash: /dns4/relay.example/tcp/443/wss/p2p/12D3KooW…";
  if (address.includes("/p2p-circuit")) return "Give the relay itself: stop before /p2p-circuit.";
  const last = /\/p2p\/([^/]+)$/.exec(address);
  if (!last) return "The relay's id is missing: it ends in /p2p/12D3KooW…";
  if (!looksLikePeer(last[1])) return "What follows the last /p2p/ is not a peer id.";
  if (!/\/(ws|wss|webrtc-direct)(\/|$)/.test(address)) return "A page can reach relays over /ws, /wss or /webrtc-direct only.";
  if (secure && /\/ws(\/|$)/.test(address) && !address.includes("/tls/ws")) {
    return "A page loaded over https may use /wss only, not /ws.";
  }
  return "";
}

/** The peer id at the end of a relay's address, or "". */
export function relayPeer(address) {
  return /\/p2p\/([^/]+)$/.exec(address)?.[1] ?? "";
}
