/** What stands behind the objects of a page: a Python object of this page, or the node of another tab. */

import { DarkSwapError, fromPython, fromShape } from "./errors.mjs";
import { unshared } from "./locks.mjs";
import { python } from "./loading.mjs";
import { NodeHub } from "./node_hub.mjs";
import { api, isInitialized } from "./runtime.mjs";
import { siteNode } from "./site_node.mjs";
import { SwitchEnd } from "./switch_end.mjs";

const notInitialized = (hint) => new DarkSwapError("NOT_INITIALIZED", "DarkSwap is not loaded", { hint });

/** `config`: JSON. Throws the error of a wrong one, where Python is here to see it. */
export function connectNode(config, hooks) {
  if (!isInitialized) throw notInitialized("Call `await init()` first.");
  const { name, persist } = identityOf(config);
  if (!persist) return ownNode(config, hooks);
  const reason = unshared();
  if (!reason) return siteNode(name).attach(config, hooks);
  const end = ownNode(config, hooks);
  queueMicrotask(() => hooks.event(JSON.stringify({ type: "node:unshared", at: Date.now() / 1000, reason })));
  return end;
}

function identityOf(config) {
  if (api) {
    const read = JSON.parse(callPython("read_identity", config));
    if (read.code) throw fromShape(read);
    return read;
  }
  const { name = "default", persist = true } = JSON.parse(config).identity ?? {};
  return { name: String(name), persist: persist !== false };
}

function callPython(name, ...values) {
  try {
    return api[name](...values);
  } catch (error) {
    throw fromPython(error);
  }
}

/** A node that no other tab uses. */
function ownNode(config, hooks) {
  if (api) return new NodeHub(config).attach(hooks);
  let isFreed = false;
  const end = new SwitchEnd(hooks, () => {
    isFreed = true;
  });
  python().then(() => isFreed || end.use(new NodeHub(config).attach(end.hooks()))).catch((error) => end.refuse(error));
  return end;
}

/** The Python object of one WebRtcConnection, which is always of this page. */
export function connectPeer(configuration, hooks) {
  if (!api) throw notInitialized(isInitialized ? "Another tab runs the node: call `await init({ python: true })` first." : "Call `await init()` first.");
  let ending = 0;
  const reply = (number, ok, text) => {
    hooks.reply(number, ok, text);
    // Python is still in the call that told this.
    if (number === ending) setTimeout(() => made.destroy(), 0);
  };
  const made = callPython("make_connection", configuration, { ...hooks, reply });
  if (typeof made === "string") throw fromShape(JSON.parse(made));
  return {
    call: (number, name, text) => made.call(number, name, text),
    cancel: (number) => made.cancel(number),
    send: (number, data) => made.send(number, data),
    free(number) {
      ending = number;
      made.call(number, "close", "[]");
    },
  };
}
