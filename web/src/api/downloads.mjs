/** The files of one load: counted as their bytes arrive, and told by name when they do not come as they should. */

import { DarkSwapError } from "./errors.mjs";

/** Milliseconds within which a browser tells of a breach of the page's policy after it refused a request. */
const POLICY_REPORT_MS = 100;
/** Media types that a file must have; a browser compiles neither without. */
const NEEDED_TYPES = { wasm: /^application\/wasm\b/, mjs: /^(text|application)\/(x-)?(java|ecma)script\b/ };

export const loadFailed = (url, why, { cause, retryable = true, hint, details } = {}) =>
  new DarkSwapError("LOAD_FAILED", `${url} could not be loaded: ${why}`, {
    cause, retryable, hint: hint ?? "Check that the file is served there and that connect-src allows it.",
    details: { url: String(url), ...details },
  });

export class Downloads {
  #progress;
  #stop = new AbortController();
  #breaches = [];
  #scope = globalThis.document ?? globalThis;
  #fail;

  constructor(progress) {
    this.#progress = progress;
    /** Never resolves; rejects with the first failure of a request that Pyodide made and would wait for for ever. */
    this.failure = new Promise((_, reject) => (this.#fail = reject));
    this.failure.catch(() => {});
    this.#scope.addEventListener("securitypolicyviolation", this.#note);
  }

  end() {
    this.#scope.removeEventListener("securitypolicyviolation", this.#note);
  }

  /** Ends every request that is under way. */
  abort(reason) {
    this.#stop.abort(reason);
    this.end();
  }

  #note = ({ blockedURI, effectiveDirective, disposition }) => {
    if (disposition === "enforce") this.#breaches.push({ blockedURI, effectiveDirective });
  };

  /** `fetch` that throws a named error for whatever is no whole answer. */
  async get(url, options) {
    let answer;
    try {
      answer = await fetch(url, { ...options, signal: this.#stop.signal });
    } catch (cause) {
      throw await this.explain(url, cause);
    }
    if (!answer.ok) throw loadFailed(url, `status ${answer.status}`);
    checkType(url, answer);
    void this.#count(url, answer.clone());
    return answer;
  }

  /** What Pyodide is given in place of `fetch`; it waits for ever on some failures, so they are told beside it. */
  getForPyodide = async (url, options) => {
    try {
      return await this.get(url, options);
    } catch (error) {
      this.#fail(error);
      throw error;
    }
  };

  async #count(url, answer) {
    const key = new URL(url).href;
    try {
      for (let reader = answer.body.getReader(), part; !(part = await reader.read()).done; ) {
        this.#progress.arrived(key, part.value.byteLength);
      }
      this.#progress.finished(key);
    } catch (error) {
      this.#fail(loadFailed(url, "it broke off on its way", { cause: error }));
    }
  }

  /** Why a request got no answer, or a module was not imported. */
  async explain(url, cause) {
    await new Promise((resolve) => setTimeout(resolve, POLICY_REPORT_MS));
    const { href, origin } = new URL(url);
    const breach = this.#breaches.find(({ blockedURI }) => blockedURI === href || blockedURI === origin);
    if (!breach) return loadFailed(url, "no answer", { cause });
    const directive = breach.effectiveDirective.replace(/-elem$/, "");
    const source = origin === globalThis.location?.origin ? "'self'" : origin;
    return loadFailed(url, `the page's Content-Security-Policy forbids it (${directive})`, {
      cause, retryable: false, hint: `Add ${source} to ${directive} of the page's Content-Security-Policy.`, details: { directive },
    });
  }

  /** Imports a module; why not, if not, is found out by asking for the file. */
  async import(url) {
    try {
      return await import(url.href);
    } catch (cause) {
      await this.probe(url);
      const error = await this.explain(url, cause);
      if (error.details.directive) throw error;
      throw loadFailed(url, `the browser refused it: ${String(cause?.message ?? cause).split("\n")[0]}`, { cause });
    }
  }

  /** Throws if the file is not served, or not as what it is. */
  async probe(url) {
    let answer;
    try {
      answer = await fetch(url, { method: "HEAD", signal: this.#stop.signal });
    } catch (cause) {
      throw await this.explain(url, cause);
    }
    // Servers that know no HEAD say 405 or 501; that proves nothing.
    if ([403, 404, 410].includes(answer.status)) throw loadFailed(url, `status ${answer.status}`);
    if (answer.ok) checkType(url, answer);
  }
}

function checkType(url, answer) {
  const type = answer.headers.get("content-type") ?? "";
  const ending = new URL(url).pathname.split(".").at(-1);
  const needed = NEEDED_TYPES[ending];
  if (needed ? needed.test(type) : !type.startsWith("text/html")) return;
  const right = { wasm: "application/wasm", mjs: "text/javascript" }[ending];
  throw loadFailed(url, `it is served as ${type ? `"${type}"` : "no media type"}${right ? `, not as ${right}` : ""}`, {
    retryable: false, details: { content_type: type },
    hint: right
      ? `Let the web server send "Content-Type: ${right}" for .${ending} files.`
      : "The web server answers with a page instead of the file: serve all files of dist/.",
  });
}
