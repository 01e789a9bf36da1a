/**
 * What two of these pages say to each other over a channel: notes, receipts and files cut into parts.
 * A message is one channel message: a kind byte, then JSON in UTF-8, or for a file's part its number (u32, big endian)
 * and raw bytes. Whatever a peer sends is judged here before anything else of the page sees it.
 */

export const FILE_LIMIT = 16 * 1024 * 1024;
/** Small enough that a note slips in between two parts, large enough for full speed. */
export const PART_SIZE = 64 * 1024;
/** Longest note in characters. */
export const NOTE_LIMIT = 64 * 1024;
const NAME_LIMIT = 255;

const KINDS = { note: 1, receipt: 2, "file-begin": 3, "file-part": 4, "file-end": 5, "file-cancel": 6 };
const NAMES = Object.fromEntries(Object.entries(KINDS).map(([name, kind]) => [kind, name]));
const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true });

export function encodeMessage(kind, fields) {
  const body = encoder.encode(JSON.stringify(fields));
  const bytes = new Uint8Array(1 + body.length);
  bytes[0] = KINDS[kind];
  bytes.set(body, 1);
  return bytes;
}

export function encodePart(id, part) {
  const bytes = new Uint8Array(5 + part.length);
  bytes[0] = KINDS["file-part"];
  new DataView(bytes.buffer).setUint32(1, id);
  bytes.set(part, 5);
  return bytes;
}

/** A checked message, or null when it is not one of ours: other programs may use the channel in their own way. */
export function decodeMessage(bytes) {
  const kind = NAMES[bytes[0]];
  if (kind === undefined) return null;
  if (kind === "file-part") {
    if (bytes.length < 6) return null;
    const id = new DataView(bytes.buffer, bytes.byteOffset).getUint32(1);
    return { kind, id, part: bytes.subarray(5) };
  }
  let fields;
  try {
    fields = JSON.parse(decoder.decode(bytes.subarray(1)));
  } catch {
    return null;
  }
  if (fields === null || typeof fields !== "object" || !isId(fields.id)) return null;
  return CHECKS[kind](fields) ? { ...fields, kind } : null;
}

const CHECKS = {
  note: (fields) => typeof fields.text === "string" && fields.text.length <= NOTE_LIMIT,
  receipt: () => true,
  "file-begin": (fields) =>
    typeof fields.name === "string" && fields.name.length <= NAME_LIMIT &&
    Number.isInteger(fields.size) && fields.size >= 0 && fields.size <= FILE_LIMIT,
  "file-end": (fields) => typeof fields.sha256 === "string" && [0, 64].includes(fields.sha256.length),
  "file-cancel": () => true,
};

function isId(value) {
  return Number.isInteger(value) && value >= 0 && value <= 0xffffffff;
}

/** First number of a conversation: random, so that receipts meant for the page before a reload match nothing. */
export function firstId() {
  return crypto.getRandomValues(new Uint32Array(1))[0];
}

export function nextId(id) {
  return (id + 1) >>> 0;
}

/** In hex; empty where the browser offers no digest, which it does in secure contexts only. */
export async function sha256(bytes) {
  if (!crypto.subtle) return "";
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
