/**
 * Two pages without any relay: the visitors themselves carry one text each way, by mail, paper or a messenger.
 * An invitation holds an offer and all its candidates; the reply holds the answer and its own.
 */

import { explain } from "./text.mjs";

/** Milliseconds without a new candidate after which the text is written. */
const QUIET = 700;
/** Longest wait for candidates: some STUN servers never answer. */
const LONGEST = 4000;
/** Characters of a text that is looked at at all; real ones have about a thousand. */
const TEXT_LIMIT = 32 * 1024;

export class ManualConnection {
  constructor(session) {
    this._session = session;
    this._count = 0;
    this._reset();
  }

  _reset() {
    Object.assign(this, { state: "idle", text: "", failure: null, _connection: null, _candidates: [], _heard: 0 });
  }

  cancel() {
    this._connection?.close();
    this._reset();
    this._session.changed();
  }

  /** Writes an invitation into `text`. */
  invite() {
    return this._attempt(async () => {
      this._begin();
      await this._connection.create_data_channel("talk");
      const offer = await this._connection.create_offer();
      await this._gathered();
      this.text = await pack({ ...offer, candidates: this._candidates });
      this.state = "invited";
    });
  }

  /** Takes what the other side wrote: answers an invitation, or completes one of ours. */
  take(text) {
    return this._attempt(async () => {
      const { type, sdp, candidates } = await unpack(text);
      if (type === "offer") {
        this._begin();
        await this._connection.set_remote_description({ type, sdp });
        for (const candidate of candidates) await this._connection.add_ice_candidate(candidate);
        const answer = await this._connection.create_answer();
        await this._gathered();
        this.text = await pack({ ...answer, candidates: this._candidates });
        this.state = "answered";
      } else {
        if (this.state !== "invited") throw notOurs("This is a reply, but no invitation of this tab is open.");
        await this._connection.set_remote_description({ type, sdp });
        for (const candidate of candidates) await this._connection.add_ice_candidate(candidate);
        this.state = "joining";
      }
    });
  }

  async _attempt(work) {
    this.failure = null;
    this._session.changed();
    try {
      await work();
    } catch (error) {
      this.failure = explain(error);
      if (this.state === "working") this.state = "idle";
    }
    this._session.changed();
  }

  _begin() {
    this._connection?.close();
    this._reset();
    this.state = "working";
    const session = this._session;
    const connection = new session.library.WebRtcConnection({ ice_servers: session.iceServers });
    this._connection = connection;
    let talk = null;
    connection.on_ice_candidate((candidate) => {
      this._candidates.push(candidate);
      this._heard = performance.now();
    });
    connection.on_data_channel_open(() => {
      if (talk) return;
      this._count += 1;
      const send = (to, data) => connection.send_message(data);
      talk = session.adopt(`By hand ${this._count}`, send, () => connection.close());
      this._reset();
    });
    connection.on_data_channel_message((data) => talk?.receive(data));
    connection.on_data_channel_close(() => talk?.closed());
  }

  async _gathered() {
    const started = performance.now();
    const quiet = () => performance.now() - Math.max(this._heard, started);
    while (quiet() < QUIET && performance.now() - started < LONGEST) {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

function notOurs(message) {
  return { code: "INVALID_ARGUMENT", message, hint: "Paste the whole text, from the first letter to the last." };
}

/** JSON, deflated, in base64url. */
async function pack(description) {
  const json = new Blob([JSON.stringify(description)]);
  const small = await new Response(json.stream().pipeThrough(new CompressionStream("deflate-raw"))).arrayBuffer();
  return btoa(String.fromCharCode(...new Uint8Array(small))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

async function unpack(text) {
  const trimmed = text.replace(/\s+/g, "");
  if (trimmed.length > TEXT_LIMIT) throw notOurs("The text is too long for an invitation.");
  let description;
  try {
    const bytes = Uint8Array.from(atob(trimmed.replaceAll("-", "+").replaceAll("_", "/")), (letter) => letter.charCodeAt(0));
    const json = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
    description = JSON.parse(await limited(json));
  } catch {
    throw notOurs("This is not an invitation, or a part of it is missing.");
  }
  const { type, sdp, candidates } = description ?? {};
  const whole = ["offer", "answer"].includes(type) && typeof sdp === "string" && Array.isArray(candidates);
  if (!whole) throw notOurs("This is not an invitation.");
  return { type, sdp, candidates };
}

/** The text of a stream, cut off where a small text would unpack to a huge one. */
async function limited(stream) {
  const decoder = new TextDecoder();
  let text = "";
  const reader = stream.getReader();
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    text += decoder.decode(part.value, { stream: true });
    if (text.length > 8 * TEXT_LIMIT) throw new RangeError("too long");
  }
  return text;
}
