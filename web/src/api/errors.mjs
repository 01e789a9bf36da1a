/** DarkSwapError, the errors that more than one module throws, and Python's errors in its shape. */

const BRAND = Symbol.for("darkswap.error");

export class DarkSwapError extends Error {
  constructor(code, message, { retryable = false, hint = "", cause, details = {} } = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = "DarkSwapError";
    this.code = code;
    this.retryable = retryable;
    this.hint = hint;
    this.details = details;
  }

  /** True for those of another copy of this module as well. */
  static [Symbol.hasInstance](value) {
    return this === DarkSwapError ? value?.[BRAND] === true : super[Symbol.hasInstance](value);
  }

  get [BRAND]() {
    return true;
  }

  /** What `JSON.stringify` would leave out: an error's own text and cause. */
  toJSON() {
    const { name, code, message, retryable, hint, details, cause } = this;
    const below = cause === undefined ? {} : { cause: cause instanceof DarkSwapError ? cause.toJSON() : String(cause) };
    return { name, code, message, retryable, hint, details, ...below };
  }
}

/** Gives `error` the stack of `caller`, an Error made when the call began: its own shows no line of the caller. */
export function calledFrom(caller, error) {
  const frames = String(caller.stack ?? "").replace(/^Error[^\n]*\n/, "");
  if (frames) error.stack = `${error.name}: ${error.message}\n${frames}`;
  return error;
}

/** From the fields that the Python side writes. */
export function fromShape({ code, message, retryable, hint, details, cause }) {
  const below = typeof cause === "object" && cause !== null ? fromShape(cause) : cause;
  return new DarkSwapError(code, message, { retryable, hint, details, cause: below });
}

export function invalid(name, reason, hint) {
  const path = name.slice(0, 80);
  return new DarkSwapError("INVALID_ARGUMENT", `${path}: ${reason}`, { hint: hint ?? `Check ${path}.`, details: { path, reason } });
}
export const freed = (what) =>
  new DarkSwapError("FREED", `${what} was freed`, { hint: "Create another object; this one was freed or closed." });
export const aborted = (what, cause) =>
  new DarkSwapError("ABORTED", `${what} was aborted`, { cause, hint: "The caller cancelled it." });
export const timedOut = (what, ms) =>
  new DarkSwapError("TIMEOUT", `${what} took longer than ${ms / 1000} s`, {
    retryable: true, hint: "Try again; if it persists, check that the other side is online.",
  });

/** The node runs in another tab now, and this call was under way. */
export const nodeMoved = () =>
  new DarkSwapError("NODE_MOVED", "the tab that ran the node is gone or was relieved", {
    retryable: true, hint: "Look whether the call had its effect, then make it again: it goes to the tab that runs the node now.",
  });
/** `reason`: "configuration" or "build". */
export const nodeDiffers = (name, reason) =>
  new DarkSwapError("IDENTITY_IN_USE", `another tab runs the node of identity "${name}" with another ${reason}`, {
    retryable: true, details: { name, reason },
    hint: reason === "build" ? "Reload all tabs of this site." : "Give all tabs the same configuration, or use another identity.name here.",
  });

export const runtimeDead = (cause) =>
  new DarkSwapError("RUNTIME_DEAD", "the Python runtime has stopped", { cause, hint: "Reload the page to start it again." });

/** An exception that Python let through: the interpreter died, or there is a fault in this library. */
export function fromPython(error) {
  if (error instanceof DarkSwapError) return error;
  const text = String(error?.message ?? error);
  if (error instanceof WebAssembly.RuntimeError || /fatally failed|memory access out of bounds|unreachable/.test(text)) {
    return runtimeDead(error);
  }
  const last = text.trimEnd().split("\n").at(-1);
  return new DarkSwapError("INTERNAL", last, { cause: error, hint: "This is a fault in DarkSwap; please report it." });
}
