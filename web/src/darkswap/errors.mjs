/** DarkSwapError, the errors that more than one module throws, and Python's errors in its shape. */

export class DarkSwapError extends Error {
  constructor(code, message, { retryable = false, hint = "", cause, details = {} } = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = "DarkSwapError";
    this.code = code;
    this.retryable = retryable;
    this.hint = hint;
    this.details = details;
  }
}

/** From the fields that the Python side writes. */
export function fromShape({ code, message, retryable, hint, details, cause }) {
  return new DarkSwapError(code, message, { retryable, hint, details, cause: cause && fromShape(cause) });
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
