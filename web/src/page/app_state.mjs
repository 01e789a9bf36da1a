/**
 * What the page knows, and what it asks of DarkSwapWasm. Components read it and redraw on `change`; no rule of the
 * protocol lives here, only the order of calls and the memory of what they told.
 */

import { ManualConnection } from "./manual_connection.mjs";
import { HAS_WEBRTC } from "./direct_links.mjs";
import { Conversation } from "./conversation.mjs";
import { savedWallet } from "./saved_wallet.mjs";
import { readFragment, relayPeer } from "./link.mjs";
import { Relays } from "./relays.mjs";
import { readRoute } from "./route.mjs";
import { identityName } from "./identity_name.mjs";
import { nodeConfig, readConfig } from "./site_config.mjs";
import { PATHS, endWords, explain, shortId } from "./text.mjs";

/** Events kept for the report. */
const LOG_KEPT = 200;
/** What a report tells of events, failures and figures, beside numbers. */
const TOLD = ["type", "code", "state", "reason", "step", "path", "transport", "channel", "local_candidate_type", "remote_candidate_type"];
/** Milliseconds between two looks at the figures of the conversation on screen. */
const FIGURES_EVERY = 1000;
/** Longest dial before it is given up, milliseconds. */
const DIAL_TIMEOUT = 45_000;
/** Milliseconds within which a step told twice is one. */
const SAME_STEP = 50;
/** Of one dial: attempts at a direct link go on for as long as a conversation is relayed. */
const STEPS_SHOWN = 60;
const FIRST_PROGRESS = { stage: "check", fraction: 0, loaded: 0, total: 0, message: "Checking this browser" };

export class AppState extends EventTarget {
  constructor() {
    super();
    this.phase = "loading";
    this.progress = { ...FIRST_PROGRESS };
    this.loadingSince = 0;
    this.failure = null;
    this.online = navigator.onLine;
    this.peerId = "";
    this.version = "";
    this.people = new Map();
    this.selected = "";
    this.dial = null;
    this.announcement = "";
    this.log = [];
    this.options = new URLSearchParams(location.search);
    this.identityName = identityName(this.options);
    this.relays = new Relays(this);
    this.byHand = new ManualConnection(this);
    this.library = null;
    this.checks = [];
    this.iceServers = [];
    this._node = null;
    this.wanted = readFragment(location.hash);
    this.route = readRoute(location.hash);
    /** null, "loading", "ready", or why the trading half of the page did not come. */
    this.tradingPart = null;
    /** What `trade/market.mjs` knows, once it is there. */
    this.market = null;
    this.config = null;
  }

  changed(detail) {
    this.dispatchEvent(new CustomEvent("change", { detail }));
  }

  get node() {
    return this._node;
  }

  get conversation() {
    return this.people.get(this.selected) ?? null;
  }

  /** Loads Python and starts the node; again after a failure. */
  async start() {
    this.phase = "loading";
    this.failure = null;
    this.progress = { ...FIRST_PROGRESS };
    this.loadingSince = performance.now();
    this._node?.free();
    this._node = null;
    this.changed();
    try {
      const config = await readConfig();
      this.config = config;
      const library = await loadLibrary();
      const defaults = { identity: { name: this.identityName } };
      const loaded = await library.default({ defaults, onProgress: (progress) => this._progressed(progress) });
      this.library = library;
      this.iceServers = config.network.ice_servers ?? [];
      this.version = loaded?.version ?? library.version;
      this._node = new library.DarkSwapWasm(nodeConfig(config, this.options));
      this._node.on_event((event) => this._happened(event));
      this._node.on_webrtc_message((peer, data) => this._conversation(peer).receive(data));
      await this._node.start();
      this.peerId = await this._node.local_peer_id();
      await this._joinConversations();
      this.phase = "ready";
      this.changed();
      for (const address of config.relays) this.relays.add(address);
      setInterval(() => this._figures(), FIGURES_EVERY);
      if (this.wanted) this.connect(this.wanted);
      if (this.market) this.market.begin();
      // Whoever had a wallet open may have orders out: they are answered wherever in the page the visitor is.
      else if (savedWallet() && !savedWallet().closed) void this.loadTradingPart();
    } catch (error) {
      this.phase = "failed";
      this.failure = this._noted("start", error);
      this.changed();
    }
  }

  /** Channels that are open already: another tab of this browser runs the node. */
  async _joinConversations() {
    for (const { peer_id, channel, path } of await this._node.get_peers()) {
      if (channel === "open" && !this.people.has(peer_id)) this._channel(this._conversation(peer_id), { state: channel, path });
    }
  }

  /** Loads the half of the page that trades; again after a failure. */
  async loadTradingPart() {
    if (this.tradingPart === "loading") return;
    this.tradingPart = "loading";
    try {
      const { Market } = await import("./trade/main.mjs");
      this.market = new Market(this);
      this.tradingPart = "ready";
      if (this.phase === "ready") this.market.begin();
    } catch (error) {
      this.tradingPart = error;
    }
    this.changed("trading");
  }

  /** Watches the browser for what the node cannot see. */
  watch() {
    for (const name of ["online", "offline"]) {
      addEventListener(name, () => {
        this.online = name === "online";
        if (this.online && this.phase === "ready") this.relays.retryNow();
        if (this.online && this.failure?.code === "LOAD_FAILED") this.start();
        this.changed();
      });
    }
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "visible" && this.conversation) this.select(this.selected);
    });
    addEventListener("hashchange", () => {
      const target = readFragment(location.hash);
      this.route = readRoute(location.hash);
      if (target) this.connect(target);
      if (this.route.view === "trade") this.market?.seen(this.route.id);
      this.changed("route");
    });
  }

  /** Meets a peer at one of the relays named, or at any of ours, and opens a channel. Waits for Python if need be. */
  async connect({ peer, relays }) {
    if (this.phase !== "ready") {
      this.wanted = { peer, relays };
      this.changed();
      return;
    }
    this.wanted = null;
    this.dial?.controller.abort();
    const known = this.people.get(peer);
    if (known?.open) return this.select(peer);
    const dial = {
      peer, relays, steps: [], state: "running", startedAt: performance.now(), endedAt: 0, failure: null,
      path: "none", controller: new AbortController(),
    };
    this.dial = dial;
    this.announce("Connecting…");
    try {
      await this._meet(dial);
      this._step(dial, "page:channel", "");
      const channel = await this._node.create_webrtc_data_channel(peer, { signal: dial.controller.signal, timeout_ms: DIAL_TIMEOUT });
      this._finish(dial, "done");
      dial.path = channel.path;
      await this._keepRelayOf(dial);
      const conversation = this._conversation(peer);
      conversation.dial = dial;
      this._channel(conversation, channel);
      this.dial = this.dial === dial ? null : this.dial;
      this.select(peer);
    } catch (error) {
      this._finish(dial, dial.controller.signal.aborted ? "cancelled" : "failed");
      dial.failure = this._noted("connect", error);
      this.announce(dial.state === "failed" ? `Connecting failed. ${dial.failure.title}.` : "Cancelled.");
    }
    this.changed();
  }

  /** Names the relays to the node, which asks all of them for the peer; the last failure counts where none can be one. */
  async _meet(dial) {
    const { controller } = dial;
    const addresses = dial.relays.length ? dial.relays : this.relays.addresses();
    if (addresses.length === 0) {
      throw { code: "UNKNOWN_RELAY", message: "You have no relay to meet at.", hint: "Add one under Relays, or ask for a link: it names the relay." };
    }
    let last = null;
    let named = 0;
    for (const address of addresses) {
      controller.signal.throwIfAborted();
      this._step(dial, "page:relay", `Meet at relay ${relayPeer(address).slice(-6)}`);
      try {
        await this.relays.learn(address);
        named += 1;
      } catch (error) {
        last = error;
      }
    }
    if (named === 0) throw last;
  }

  /** A page that came without a relay keeps the one that led it to the peer, to be reachable itself. */
  async _keepRelayOf({ peer, relays }) {
    if (this.relays.list.length || !relays.length) return;
    const there = (await this._node.get_peers()).find(({ peer_id }) => peer_id === peer);
    const through = (address) => there?.connections.some(({ remote_addr }) => remote_addr.includes(`/p2p/${relayPeer(address)}/p2p-circuit`));
    this.relays.add(relays.find(through) ?? relays[0]);
  }

  cancelDial() {
    this.dial?.controller.abort();
  }

  select(peer) {
    this.selected = peer;
    const conversation = this.people.get(peer);
    if (conversation) conversation.unread = 0;
    this._figures();
    this.changed();
  }

  async disconnect(peer) {
    const conversation = this.people.get(peer);
    if (conversation) conversation.leaving = true;
    if (conversation?.hangUp) return conversation.hangUp();
    try {
      await this._node.disconnect_from_webrtc_relay(peer);
    } catch (error) {
      this._noted("disconnect", error);
    }
    // The node tells of an open channel that it closes; of one that was not open there is nothing to tell.
    this._gone({ peer_id: peer });
  }

  announce(text) {
    this.announcement = text;
    this.changed();
  }

  /** For "copy report": versions, what failed, the last events. Addresses keep no IP. */
  async report() {
    const { failure, dial } = this;
    return JSON.stringify({
      page: this.version, browser: navigator.userAgent, phase: this.phase, online: this.online,
      features: {
        webassembly: typeof WebAssembly === "object", webrtc: typeof RTCPeerConnection === "function",
        secure: isSecureContext, indexeddb: typeof indexedDB === "object",
      },
      progress: this.progress?.stage, failure: failure && tellable(failure),
      dial: dial && { failure: dial.failure && tellable(dial.failure), steps: dial.steps?.map(({ step }) => step) },
      relays: this.relays.list.map(({ state, error }) => ({ state, error: error && tellable(error) })),
      checks: this.checks.map(({ name, passed }) => ({ name, passed })),
      stats: this.conversation?.stats && tellable(this.conversation.stats), events: this.log.map(tellable),
    }, null, 1);
  }

  _progressed(progress) {
    this.progress = progress;
    this.changed();
  }

  _happened(event) {
    this.log.push(event);
    if (this.log.length > LOG_KEPT) this.log.shift();
    if (event.type === "dial:step") {
      // The attempt at a direct link goes on beside a conversation that began through the relay.
      const dial = this.dial?.peer === event.peer_id ? this.dial : this.people.get(event.peer_id)?.dial;
      if (dial && dial.steps.length < STEPS_SHOWN) this._step(dial, event.step, event.detail);
    }
    if (event.type === "error" && event.code === "RUNTIME_DEAD") {
      this.phase = "failed";
      this.failure = explain(event);
    }
    if (event.type.startsWith("relay:")) this.relays.happened(event);
    if (event.type === "channel:open" || event.type === "channel:update") this._channel(this._conversation(event.peer_id), event);
    if (event.type === "channel:close") this._gone(event);
    if (event.type === "message:undelivered") this._conversation(event.peer_id).undelivered(event);
    this.market?.happened(event);
    this.changed();
  }

  _channel(conversation, { state, path, limit }) {
    const before = conversation.open ? conversation.path : "none";
    if (state === "reconnecting" && conversation.state === "open") conversation.addNotice("The line broke. Taking it up again…", "bad");
    if (state === "open" && conversation.state === "reconnecting" && before === path) conversation.addNotice("Connected again; nothing was lost.", "good");
    conversation.state = state;
    conversation.limit = limit ?? null;
    // While it looks for another way, what was known of the last one stays on screen.
    if (state !== "open") return;
    conversation.path = path;
    if (conversation.dial) conversation.dial.path = path;
    if (before === path) return;
    conversation.openedAt ||= Date.now();
    if (before !== "none") conversation.addNotice(PATHS[path].changed);
    else conversation.addNotice(PATHS[path].connected, "good");
    this.announce(`Connected to ${shortId(conversation.peer)}, ${path}.`);
    // Somebody came in: show them, unless the visitor is in the middle of something.
    const writing = document.activeElement?.matches("input:not([readonly]), textarea");
    if (this.selected === "" && !this.dial && !writing) this.select(conversation.peer);
  }

  _gone({ peer_id: peer, reason }) {
    const conversation = this.people.get(peer);
    if (!conversation || conversation.state === "closed") return;
    conversation.closed();
    conversation.addNotice(conversation.leaving ? "You disconnected." : endWords(reason), conversation.leaving ? "plain" : "bad");
    conversation.leaving = false;
    this.announce(`Disconnected from ${shortId(peer)}.`);
  }

  /** A conversation over a link that the page made itself. Returns what to tell it. */
  adopt(name, send, hangUp) {
    const conversation = this._conversation(name, send);
    conversation.hangUp = hangUp;
    this._channel(conversation, { state: "open", path: "direct" });
    return { receive: (data) => conversation.receive(data), closed: () => this._gone({ peer_id: name }) };
  }

  _conversation(peer, send = (to, data, options) => this._node.send_webrtc_message(to, data, options)) {
    let conversation = this.people.get(peer);
    if (!conversation) {
      conversation = new Conversation(peer, send, (item) => this._itemCame(conversation, item));
      this.people.set(peer, conversation);
    }
    return conversation;
  }

  _itemCame(conversation, item) {
    const seen = this.selected === conversation?.peer && document.visibilityState === "visible";
    if (item && !item.mine && item.kind !== "notice" && !seen) conversation.unread += 1;
    this.changed();
  }

  _step(dial, step, detail) {
    const at = performance.now() - dial.startedAt;
    const last = dial.steps.at(-1);
    // A dial within a dial tells each step for both, and that it begins at all.
    if (step === "dial" || (last?.step === step && last.detail === detail && at - last.at < SAME_STEP)) return;
    if (last?.step === step) Object.assign(last, { detail, times: last.times + 1 });
    else dial.steps.push({ step, detail, at, times: 1 });
    this.changed();
  }

  _finish(dial, state) {
    dial.state = state;
    dial.endedAt = performance.now();
  }

  _figures() {
    if (document.visibilityState === "visible") void this.conversation?.measure(this._node);
  }

  /** Remembers a failure for the report, and returns it in plain words. */
  _noted(where, error) {
    const failure = explain(error);
    this.log.push({ at: Date.now() / 1000, type: `page:${where}`, ...failure });
    return failure;
  }
}

async function loadLibrary() {
  try {
    return await import(new URL("darkswap.mjs", import.meta.url).href);
  } catch (error) {
    throw { code: "LOAD_FAILED", message: `darkswap.mjs could not be loaded. ${error.message}`, hint: "Check your connection, then reload the page." };
  }
}

/** Numbers, switches and words of our own: no sentence, which may name peers, servers and keys. */
function tellable(thing) {
  const isTold = ([name, value]) => typeof value === "number" || typeof value === "boolean"
    || (typeof value === "string" && TOLD.includes(name) && /^[\w:-]{1,40}$/.test(value));
  return Object.fromEntries(Object.entries(thing).filter(isTold));
}
