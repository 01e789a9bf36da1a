/** Plain words for what the machinery reports: dial steps, failures, sizes and times. */

/** js-libp2p's names of the steps, so that people can look them up, each with what it means. */
const STEPS = {
  "webrtc:dial-relay": "Call the relay",
  "webrtc:reuse-relay-connection": "Use the open line to the relay",
  "webrtc:open-signaling-stream": "Reach the peer through the relay",
  "webrtc:send-sdp-offer": "Offer a direct link",
  "webrtc:read-sdp-answer": "Read the peer's answer",
  "webrtc:read-ice-candidates": "Exchange ways to reach each other",
  "webrtc:add-ice-candidate": "Try a way to reach the peer",
  "webrtc:end-of-ice-candidates": "All ways exchanged",
  "webrtc:close-signaling-stream": "Hang up the introduction",
  "webrtc:connection": "Direct link established",
  "circuit-relay:open-connection": "Ask the relay for the peer",
  "circuit-relay:upgrade": "Prove who we are, encrypt end to end",
  "websocket:connect": "Call the relay",
  "websocket:upgrade": "Prove who we are to the relay, and it to us",
  "page:channel": "Open the message channel",
};

export function stepText(step, detail) {
  return STEPS[step] ?? (detail || step);
}

/** What the visitor can do about it; `hint` of the error comes first where there is one. */
const NEXT = {
  WASM_BLOCKED: "The site's security policy blocks WebAssembly. Its script-src needs 'wasm-unsafe-eval'.",
  LOAD_FAILED: "Check your connection and reload the page.",
  INTEGRITY: "The files differ from the ones this page was built with. Reload; if it stays so, do not trust this copy.",
  TIMEOUT: "Try again. If it stays so, check that the other side is online.",
  CONNECTION_LOST: "Check your network. The other side may also have closed its page.",
  INVALID_ARGUMENT: "Correct it and try again.",
  INVALID_ORDER: "Ask whoever sent it for the present link.",
  INTERNAL: "This is a fault of the page. Copy the report, reload, and tell us.",
};

/** One for every `DarkSwapErrorCode` of darkswap.d.ts: tests/api/test_error_codes.py. */
const TITLES = {
  WASM_BLOCKED: "WebAssembly is blocked here",
  LOAD_FAILED: "A file could not be loaded",
  INTEGRITY: "A file was changed on its way",
  ABI_MISMATCH: "The files do not fit together",
  PACKAGE_MISSING: "A part of the program is missing",
  NOT_INITIALIZED: "The program is not loaded yet",
  RUNTIME_DEAD: "Python stopped",
  INVALID_ARGUMENT: "That does not look right",
  FREED: "This was closed before",
  MESSAGE_TOO_LARGE: "The message is too large",
  UNDELIVERED: "The message was not delivered",
  NOT_CONNECTED: "You are not connected to that peer",
  NO_ADDRESS: "No way to that peer is known",
  UNKNOWN_RELAY: "No relay to meet at",
  UNSUPPORTED: "This browser cannot do that",
  NODE_MOVED: "Another tab runs your peer now",
  SUBSCRIBER_FAILED: "This page failed to handle an event",
  LISTEN_FAILED: "Nothing can listen there",
  TOO_MANY_REQUESTS: "Too much at once",
  STORAGE: "This device could not store something",
  STORAGE_FULL: "This device has no room left",
  LOCAL: "That cannot be done now",
  TIMEOUT: "It took too long",
  ABORTED: "Cancelled",
  REMOTE: "The other side broke the rules",
  MALFORMED_MESSAGE: "The other side sent something unreadable",
  PROTOCOL_VIOLATION: "The other side broke the rules",
  HANDSHAKE_FAILED: "The other side could not prove who it is",
  PEER_ID_MISMATCH: "Somebody else answered",
  PROTOCOL_UNSUPPORTED: "The other side cannot do this",
  RELAY_REFUSED: "The relay said no",
  VOUCHER_INVALID: "The relay's answer cannot be trusted",
  RESOURCE_LIMIT: "The other side asks for too much",
  STREAM: "The line broke",
  STREAM_CLOSED: "The line is closed",
  STREAM_RESET: "The other side hung up",
  END_OF_STREAM: "The other side hung up",
  STREAM_BUSY: "The line is busy",
  CONNECTION_LOST: "The line broke",
  DIAL_FAILED: "Nobody could be reached",
  PEER_OFFLINE: "That peer is not online",
  NO_DIRECT_PATH: "No direct link could be made",
  CHAIN: "The chain cannot be asked now",
  CHAIN_UNREACHABLE: "The chain servers do not answer",
  RATE_LIMITED: "The chain server asks for a pause",
  NOT_ON_CHAIN: "The chain does not know that",
  CHAIN_INCONSISTENT: "The chain servers contradict each other",
  INDEXER_LAG: "An index is behind the chain",
  BROADCAST_REJECTED: "The network refused the transaction",
  INSUFFICIENT_FUNDS: "There are not enough coins",
  ORDER_NOT_FOUND: "This order is not known here",
  TRADE_NOT_FOUND: "This trade is not known here",
  INVALID_ORDER: "This order is not valid",
  TRADE_REFUSED: "The other side refused the trade",
  IDENTITY_IN_USE: "Another tab uses this identity",
  SIGNATURE_INVALID: "A signature does not hold",
  VERIFICATION_FAILED: "The trade is not what was agreed",
  WALLET: "The wallet has a problem",
  WALLET_NOT_CONNECTED: "No wallet is connected",
  USER_REJECTED: "It was declined in the wallet",
  WALLET_FAILED: "The wallet did not do it",
  ERROR: "Something went wrong",
  INTERNAL: "Something went wrong",
};

/** What a relay's refusal means, by the name of its status. */
const REFUSALS = {
  NO_RESERVATION: "That peer is not at this relay now",
  CONNECTION_FAILED: "The relay could not reach that peer",
  RESOURCE_LIMIT_EXCEEDED: "The relay is full",
  RESERVATION_REFUSED: "The relay takes no more guests from you",
};

/** `{title, reason, next, code}` of any failure. */
export function explain(error) {
  const code = error?.code ?? error?.name ?? "ERROR";
  return {
    code,
    path: error?.details?.path,
    title: REFUSALS[error?.details?.name] ?? TITLES[code] ?? "Something went wrong",
    reason: sentence(shorten(reasonOf(error))),
    next: hintOf(error) || NEXT[code] || "Try again. If it stays so, copy the report and tell us.",
  };
}

/** What arguments are to whoever reads the page. */
const ARGUMENTS = { order_id: "order", mnemonic: "wallet's words", funding: "coins behind it", base_atoms: "amount", expires_at: "order's time" };

/** "amount: is too much" in a sentence. */
function reasonOf(error) {
  const { path, reason, source } = error?.details ?? {};
  // What a browser says of a failed request tells nobody anything.
  if (error?.code === "CHAIN_UNREACHABLE" && URL.canParse(source)) return `No answer from ${new URL(source).host}.`;
  const plain = /^[a-z_]+$/.test(path ?? "") && /^(is|are|was|were|has|have|holds?|makes?) /.test(reason ?? "");
  return plain ? `The ${ARGUMENTS[path] ?? path.replaceAll("_", " ")} ${reason}.` : error?.message || String(error);
}

/** "Check amount." says nothing that the sentence before it did not. */
function hintOf(error) {
  return error?.hint === `Check ${error?.details?.path}.` ? "" : error?.hint;
}

/** The library's sentences begin small, since others go before them. */
function sentence(text) {
  return /^[a-z]+[ :,]/.test(text) ? text.charAt(0).toUpperCase() + text.slice(1) : text;
}

/** Long ids of a sentence, cut to their ends. */
export function shorten(text) {
  return text.replace(/\b(12D3KooW[1-9A-HJ-NP-Za-km-z]{44}|Qm[1-9A-HJ-NP-Za-km-z]{44})\b/g, (id) => shortId(id));
}

/** First and last letters: `12D3KooW` is the same for everybody and says nothing. */
export function shortId(id) {
  return id.length > 20 ? `${id.slice(8, 13)}…${id.slice(-5)}` : id;
}

const number = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });
const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

export function bytes(count) {
  if (count < 1000) return `${whole.format(count)} B`;
  if (count < 1000 * 1024) return `${number.format(count / 1024)} KiB`;
  return `${number.format(count / (1024 * 1024))} MiB`;
}

export function rate(perSecond) {
  return `${bytes(perSecond)}/s`;
}

export function milliseconds(ms) {
  if (ms < 10) return `${number.format(ms)} ms`;
  return ms < 1000 ? `${whole.format(ms)} ms` : `${number.format(ms / 1000)} s`;
}

export function clock(at) {
  return new Date(at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
}

/** "4 min", "59 min", "3 h 20 min": time left until `at`, unix seconds. */
export function timeLeft(at, now = Date.now() / 1000) {
  const left = Math.max(0, at - now);
  if (left < 60) return `${Math.round(left)} s`;
  const minutes = Math.round(left / 60);
  return minutes < 120 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

export const PATHS = {
  direct: {
    badge: "Direct", long: "Page to page over WebRTC. No server carries your data.",
    connected: "Connected directly.", changed: "The link is direct now.",
  },
  turn: {
    badge: "Through TURN", long: "Over WebRTC, carried by a TURN server, which sees only ciphertext.",
    connected: "Connected through a TURN server, end-to-end encrypted.", changed: "The link goes through a TURN server now.",
  },
  relayed: {
    badge: "Relayed", long: "End-to-end encrypted through the relay, which sees only ciphertext.",
    connected: "Connected through the relay, end-to-end encrypted.", changed: "The link goes through the relay now.",
  },
  none: { badge: "Not connected", long: "There is no connection at the moment." },
};

/** Why a channel ended, as the library tells it. */
export function endWords(reason) {
  if (!reason) return "The connection ended.";
  if (reason.includes("leaving")) return "The other side closed its page.";
  if (reason.includes("disconnected")) return "The other side disconnected.";
  return `The connection ended: ${shorten(reason)}`;
}

const CANDIDATES = {
  host: "same network",
  srflx: "through a router (STUN)",
  prflx: "found on the way",
  relay: "through a TURN server",
};

export function candidateWords(kind) {
  return kind ? `${kind} – ${CANDIDATES[kind] ?? "other"}` : "–";
}
