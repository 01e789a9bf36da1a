/** What callers pass: each check throws INVALID_ARGUMENT with the path of what is wrong. */

import { DarkSwapError, invalid } from "./errors.mjs";

/** Levels of objects and arrays in a configuration, a draft or the like; more is a mistake, or a circle. */
const MAX_DEPTH = 16;
/** Values in all of it, each counted as often as it is named. */
const MAX_VALUES = 100_000;
const MANY = `has more than ${MAX_VALUES} values`;
/** Texts, numbers and booleans as objects: their members are not what they stand for. */
const BOXED = new Set(["[object String]", "[object Number]", "[object Boolean]"]);

const CALL_OPTIONS = { signal, timeout_ms: milliseconds };

/**
 * Reads the last argument of a method.
 *
 * `more`: readers of the options that this method has besides `signal` and `timeout_ms`. Null and undefined are left out;
 * what is not an option is refused, since a misspelt one would be ignored.
 */
export function readOptions(options, more = {}) {
  if (options === undefined || options === null) return {};
  const readers = { ...CALL_OPTIONS, ...more };
  return guarded("options", () => {
    if (!isPlain(options)) throw invalid("options", "is not a plain object");
    const read = {};
    for (const key of Object.keys(options)) {
      if (!Object.hasOwn(readers, key)) throw invalid(`options.${key}`, "is not an option", `Known here: ${Object.keys(readers).join(", ")}.`);
      const value = options[key];
      if (value !== undefined && value !== null) read[key] = readers[key](`options.${key}`, value);
    }
    return read;
  });
}

function signal(path, value) {
  if (!guarded(path, () => kind(value) === "AbortSignal")) throw invalid(path, "is not an AbortSignal");
  return value;
}

function milliseconds(path, value) {
  if (!(typeof value === "number" && value > 0 && value < 2 ** 31)) throw invalid(path, "is not a positive number of milliseconds");
  return value;
}

export function text(path, value) {
  if (typeof value !== "string" || value === "") throw invalid(path, "is not a text");
  return value;
}

/** A text that may be empty; null for what is left out. */
export function optionalText(path, value) {
  if (value === undefined || value === null) return null;
  if (typeof value !== "string") throw invalid(path, "is not a text");
  return value;
}

/** A decimal text in display units, as everywhere in this API; a bigint counts atoms. */
export function amount(path, value) {
  if (typeof value === "bigint") throw invalid(path, ATOMS);
  return text(path, value);
}

const ATOMS = 'is a bigint, and those count atoms: amounts are given in display units as decimal texts such as "0.5"';

export function flag(path, value) {
  if (typeof value !== "boolean") throw invalid(path, "is neither true nor false");
  return value;
}

/** A Uint8Array of this realm over the same memory: others (a frame's, npm's Buffer) are not known to Pyodide. */
export function bytes(path, value) {
  if (!guarded(path, () => ArrayBuffer.isView(value) && kind(value) === "Uint8Array")) throw invalid(path, "is not a Uint8Array");
  if (value.byteLength === 0 && isDetached(value.buffer)) throw invalid(path, "is a Uint8Array whose memory was handed to somebody else");
  return value.constructor === Uint8Array ? value : new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
}

/** What an object is, of whatever realm. */
function kind(value) {
  return Object.prototype.toString.call(value).slice(8, -1);
}

export function oneOf(...words) {
  return (path, value) => {
    if (!words.includes(value)) throw invalid(path, `is none of ${words.join(", ")}`);
    return value;
  };
}

/** Its length is 0, like that of an empty one. */
function isDetached(buffer) {
  try {
    return new Uint8Array(buffer) === null;
  } catch {
    return true;
  }
}

export function callable(value, path = "callback") {
  if (typeof value !== "function") throw invalid(path, "is not a function");
  return value;
}

/**
 * A copy of an object that JSON can hold and Python will read: whatever JSON would drop, or turn into something else, is
 * refused. Members without a value (undefined, null) are left out by those who read it.
 */
export function record(path, value) {
  if (typeof value !== "object" || value === null) throw invalid(path, "is not an object");
  const copy = guarded(path, () => copied(path, "", value, 0, { left: MAX_VALUES }));
  if (typeof copy !== "object" || copy === null || Array.isArray(copy)) throw invalid(path, "is not an object");
  return copy;
}

/** `room.left`: how many more values the whole copy may have. */
function copied(root, path, value, depth, room) {
  const where = path || root;
  room.left -= 1;
  if (room.left < 0) throw invalid(where, MANY);
  if (value === null || value === undefined || typeof value === "string" || typeof value === "boolean") return value;
  if (typeof value === "bigint") throw invalid(where, ATOMS);
  if (typeof value === "number") {
    if (!Number.isFinite(value)) throw invalid(where, `is ${value}`);
    return value;
  }
  if (typeof value !== "object") throw invalid(where, `is a ${typeof value}`);
  if (depth === MAX_DEPTH) throw invalid(where, `has more than ${MAX_DEPTH} levels below each other`);
  if (Array.isArray(value)) return copiedList(root, path, value, depth, room);
  if (typeof value.toJSON === "function") {
    const said = value.toJSON();
    if (said === null || said === undefined) throw invalid(where, "has no value that JSON can hold");
    return copied(root, path, said, depth + 1, room);
  }
  if (!isPlain(value) && (Object.keys(value).length === 0 || ArrayBuffer.isView(value) || BOXED.has(tagOf(value)))) throw invalid(where, "is not a plain object");
  const copy = {};
  for (const key of Object.keys(value)) {
    const each = copied(root, path ? `${path}.${key}` : key, value[key], depth + 1, room);
    Object.defineProperty(copy, key, { value: each, enumerable: true, configurable: true, writable: true });
  }
  return copy;
}

function copiedList(root, path, value, depth, room) {
  const { length } = value;
  if (!(length <= room.left)) throw invalid(path || root, MANY);
  const copy = [];
  for (let index = 0; index < length; index += 1) {
    if (value[index] === undefined) throw invalid(`${path}[${index}]`, "is missing");
    copy.push(copied(root, `${path}[${index}]`, value[index], depth + 1, room));
  }
  return copy;
}

const tagOf = (value) => Object.prototype.toString.call(value);

/** `{type, sdp}`; also an RTCSessionDescription, whose members are its prototype's. */
export function sessionDescription(path, value) {
  if (typeof value !== "object" || value === null) throw invalid(path, "is not an object");
  return guarded(path, () => ({ type: optionalText(`${path}.type`, value.type), sdp: text(`${path}.sdp`, value.sdp) }));
}

/** `[candidate, sdpMid, sdpMLineIndex]`; an empty candidate says that no more will come. */
export function iceCandidate(path, value) {
  if (typeof value !== "object" || value === null) throw invalid(path, "is not an object");
  return guarded(path, () => {
    const { candidate, sdpMid, sdpMLineIndex: line = null } = value;
    if (typeof candidate !== "string") throw invalid(`${path}.candidate`, "is not a text");
    if (line !== null && !(Number.isInteger(line) && line >= 0 && line < 2 ** 16)) throw invalid(`${path}.sdpMLineIndex`, "is not a small whole number");
    return [candidate, optionalText(`${path}.sdpMid`, sdpMid), line];
  });
}

/** An object literal, of whatever realm: neither an array, nor a Date, a URL, an AbortSignal … */
function isPlain(value) {
  if (typeof value !== "object" || value === null) return false;
  const prototype = Object.getPrototypeOf(value);
  return prototype === null || (Object.getPrototypeOf(prototype) === null && Object.hasOwn(prototype, "hasOwnProperty"));
}

/** Getters and proxies of the caller may throw anything. */
function guarded(path, read) {
  try {
    return read();
  } catch (error) {
    if (error instanceof DarkSwapError) throw error;
    throw invalid(path, `cannot be read: ${said(error)}`);
  }
}

function said(error) {
  try {
    return String(error).slice(0, 80);
  } catch {
    return "an exception";
  }
}
