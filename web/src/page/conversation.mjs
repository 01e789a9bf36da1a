/** One conversation: its messages in order, files on their way, and the figures of the link that carries them. */

import {
  FILE_LIMIT, NOTE_LIMIT, PART_SIZE, decodeMessage, encodeMessage, encodePart, firstId, nextId, sha256,
} from "./messages.mjs";
import { bytes as sizeWords } from "./text.mjs";

/** Messages kept on screen; the oldest go first. */
const ITEMS_KEPT = 500;
/** Files a peer may have under way at once: bounds what it can make this page hold. */
const INCOMING_FILES = 4;
/** Bytes of received files kept for saving; beyond that the oldest are let go. */
const RECEIVED_KEPT = 128 * 1024 * 1024;
/** Milliseconds. */
const REDRAW_EVERY = 100;
/** Longest wait for one round trip, milliseconds. */
const PING_TIMEOUT = 3000;
/** One figure a second. */
const SAMPLES_KEPT = 90;

export class Conversation {
  /** `send(peer, bytes, options)` delivers one channel message; `changed()` asks for a redraw. */
  constructor(peer, send, changed) {
    this.peer = peer;
    this.items = [];
    this.unread = 0;
    this.path = "none";
    this.state = "connecting";
    this.limit = null;
    this.dial = null;
    this.leaving = false;
    /** Ends a link that was made by hand; null where the node looks after it. */
    this.hangUp = null;
    this.stats = null;
    this.samples = [];
    this.openedAt = 0;
    this._send = send;
    this._changed = changed;
    this._id = firstId();
    this._added = 0;
    this._redraw = null;
    this._isMeasuring = false;
    this._incoming = new Map();
    this._sendingFile = Promise.resolve();
  }

  /** Messages are taken: also while the channel looks for another way, since none is lost then. */
  get open() {
    return this.state === "open" || this.state === "reconnecting";
  }

  addNotice(text, tone = "plain") {
    this._add({ kind: "notice", text, tone });
  }

  undelivered({ count, maybe_delivered: maybe }) {
    const what = count === 1 ? "The last message" : `The last ${count} messages`;
    this.addNotice(`${what} ${maybe ? "may not have arrived" : "did not arrive"}.`, "bad");
  }

  async sendNote(text) {
    const id = this._takeId();
    const item = this._add({ kind: "note", mine: true, id, text: text.slice(0, NOTE_LIMIT), state: "sending" });
    try {
      await this._send(this.peer, encodeMessage("note", { id, text: item.text }));
      if (item.state === "sending") item.state = "sent";
    } catch (error) {
      item.state = "failed";
      item.error = error;
    }
    this._changed();
  }

  /** Files go one after another, so that the first is complete early; notes pass between their parts. */
  sendFile(file) {
    const id = this._takeId();
    const abort = new AbortController();
    const item = this._add({
      kind: "file", mine: true, id, name: file.name, size: file.size, done: 0, state: "waiting",
      cancel: () => abort.abort(),
    });
    if (file.size > FILE_LIMIT) {
      item.state = "failed";
      item.error = { message: `Files may have up to ${sizeWords(FILE_LIMIT)}; this one has ${sizeWords(file.size)}.` };
      return this._changed();
    }
    if (this.limit && this.limit.data > 0 && file.size > this.limit.data) {
      item.state = "failed";
      item.error = {
        message: `The relay carries ${sizeWords(this.limit.data)} per connection. Larger files need a direct link.`,
      };
      return this._changed();
    }
    this._sendingFile = this._sendingFile.then(() => this._deliver(item, file, abort.signal));
  }

  async _deliver(item, file, signal) {
    try {
      signal.throwIfAborted();
      item.state = "sending";
      const content = new Uint8Array(await file.arrayBuffer());
      const digest = sha256(content);
      item.startedAt = performance.now();
      await this._send(this.peer, encodeMessage("file-begin", { id: item.id, name: file.name, size: content.length }), { signal });
      for (let at = 0; at < content.length; at += PART_SIZE) {
        await this._send(this.peer, encodePart(item.id, content.subarray(at, at + PART_SIZE)), { signal });
        item.done = Math.min(at + PART_SIZE, content.length);
        this._soon();
      }
      await this._send(this.peer, encodeMessage("file-end", { id: item.id, sha256: await digest }), { signal });
      item.seconds = (performance.now() - item.startedAt) / 1000;
      if (item.state === "sending") item.state = "sent";
    } catch (error) {
      item.state = signal.aborted ? "cancelled" : "failed";
      item.error = error;
      if (signal.aborted && this.open && item.startedAt) await this._reply("file-cancel", { id: item.id });
    }
    this._changed();
  }

  /** One channel message from the peer. Returns whether it was one of ours. */
  async receive(data) {
    const message = decodeMessage(data);
    if (message === null) {
      this.addNotice(`A message of ${sizeWords(data.length)} in a form this page does not know.`);
      return false;
    }
    await this._take[message.kind].call(this, message);
    if (message.kind === "file-part") this._soon();
    else this._changed();
    return true;
  }

  _take = {
    note(message) {
      this._add({ kind: "note", mine: false, id: message.id, text: message.text });
      return this._reply("receipt", { id: message.id });
    },
    receipt(message) {
      const item = this.items.find((one) => one.mine && one.id === message.id);
      if (!item || item.state === "cancelled") return;
      item.state = "delivered";
      if (item.kind === "file") item.done = item.size;
    },
    "file-begin"(message) {
      const item = { kind: "file", mine: false, id: message.id, name: plainName(message.name), size: message.size, done: 0 };
      if (this._incoming.size >= INCOMING_FILES || this._incoming.has(message.id)) return this._reply("file-cancel", { id: message.id });
      this._add({ ...item, state: "receiving", cancel: () => this._refuse(message.id) });
      this._incoming.set(message.id, { item: this.items.at(-1), parts: [], startedAt: performance.now() });
    },
    "file-part"(message) {
      const incoming = this._incoming.get(message.id);
      if (!incoming) return;
      incoming.item.done += message.part.length;
      if (incoming.item.done > incoming.item.size) return this._refuse(message.id, "The peer sent more than it announced.");
      incoming.parts.push(message.part);
    },
    async "file-end"(message) {
      const incoming = this._incoming.get(message.id);
      if (!incoming) return;
      this._incoming.delete(message.id);
      const { item, parts, startedAt } = incoming;
      // The type is never the peer's word: a download is bytes, and nothing here may open it as a page.
      const blob = new Blob(parts, { type: "application/octet-stream" });
      const digest = message.sha256 ? await sha256(await blob.arrayBuffer()) : "";
      item.checked = digest !== "" && digest === message.sha256;
      const whole = item.done === item.size && (item.checked || digest === "");
      item.state = whole ? "received" : "failed";
      item.seconds = (performance.now() - startedAt) / 1000;
      if (!whole) item.error = { message: "The file arrived incomplete or altered, and was thrown away." };
      else item.url = URL.createObjectURL(blob);
      this._makeRoom();
      if (whole) await this._reply("receipt", { id: message.id });
    },
    "file-cancel"(message) {
      const mine = this.items.find((one) => one.mine && one.kind === "file" && one.id === message.id);
      const incoming = this._incoming.get(message.id);
      if (incoming) {
        this._incoming.delete(message.id);
        incoming.item.state = "cancelled";
      } else if (mine && mine.state !== "delivered") {
        mine.cancel();
        mine.state = "cancelled";
      }
    },
  };

  _makeRoom() {
    const kept = this.items.filter((item) => item.url);
    let total = kept.reduce((sum, item) => sum + item.size, 0);
    for (const item of kept) {
      if (total <= RECEIVED_KEPT) return;
      URL.revokeObjectURL(item.url);
      Object.assign(item, { url: undefined, state: "failed", error: { message: "Let go to save memory. Ask for it again." } });
      total -= item.size;
    }
  }

  _refuse(id, why) {
    const incoming = this._incoming.get(id);
    if (!incoming) return undefined;
    this._incoming.delete(id);
    incoming.item.state = why ? "failed" : "cancelled";
    incoming.item.error = why ? { message: why } : undefined;
    this._changed();
    return this._reply("file-cancel", { id });
  }

  // A reply that cannot be delivered says nothing that the closing channel does not say by itself.
  async _reply(kind, fields) {
    try {
      await this._send(this.peer, encodeMessage(kind, fields));
    } catch {
      this._changed();
    }
  }

  /** The channel is gone: what was under way will not arrive. */
  closed() {
    this.state = "closed";
    this.path = "none";
    this.openedAt = 0;
    for (const { item } of this._incoming.values()) {
      item.state = "failed";
      item.error = { message: "The connection ended before the file was complete." };
    }
    this._incoming.clear();
    this._changed();
  }

  /** Asks `node` for the figures of this moment. */
  async measure(node) {
    // A round trip may take longer than a second while a file is on its way; figures are then told less often.
    if (!this.open || this.hangUp || this._isMeasuring) return;
    this._isMeasuring = true;
    try {
      const stats = await node.get_connection_stats(this.peer);
      const at = Date.now() / 1000;
      if (!this.stats) this._shows(stats);
      const rtt = await node.ping(this.peer, { timeout_ms: PING_TIMEOUT }).catch(() => null);
      this.sample(at, stats, rtt ?? stats.rtt_ms);
    } catch {
      // The peer has just gone; channel:close tells it.
    } finally {
      this._isMeasuring = false;
    }
  }

  /** Keeps the figures of one moment, `at` in unix seconds. */
  sample(at, stats, rtt) {
    const span = at - (this.samples.at(-1)?.at ?? at - 1);
    const rate = (name) => (this.stats && span > 0 ? Math.max(0, stats[name] - this.stats[name]) / span : 0);
    this.samples.push({ at, rtt: rtt ?? null, up: rate("bytes_sent"), down: rate("bytes_received") });
    if (this.samples.length > SAMPLES_KEPT) this.samples.shift();
    this._shows(stats);
  }

  _shows(stats) {
    this.stats = stats;
    this._changed();
  }

  /** A redraw for progress: a fast file has hundreds of parts a second, the eye needs ten pictures. */
  _soon() {
    this._redraw ??= setTimeout(() => {
      this._redraw = null;
      this._changed();
    }, REDRAW_EVERY);
  }

  _takeId() {
    this._id = nextId(this._id);
    return this._id;
  }

  _add(item) {
    item.key = this._added += 1;
    item.at = Date.now();
    this.items.push(item);
    if (this.items.length > ITEMS_KEPT) {
      const gone = this.items.shift();
      if (gone.url) URL.revokeObjectURL(gone.url);
    }
    this._changed(item);
    return item;
  }
}

/** A name that is a name: no folders, no control characters, nothing that turns the reading direction. */
function plainName(name) {
  return name.replace(/[\u0000-\u001f\u007f\u202a-\u202e\u2066-\u2069]/g, "").split(/[\\/]/).at(-1) || "file";
}
