/**
 * The one node of an identity of this site. A Web Lock says which tab runs it; the others ask that tab, and one of them goes
 * on when it is gone, or has answered nobody for a while.
 */

import { canonical } from "./configuration.mjs";
import { nodeDiffers } from "./errors.mjs";
import { RemoteEnd, hello } from "./follower.mjs";
import { Followers } from "./followers.mjs";
import { lockClient, nodeLock, takeLock } from "./locks.mjs";
import { python } from "./loading.mjs";
import { NodeHub } from "./node_hub.mjs";
import { NodeState } from "./node_state.mjs";
import { deathListeners } from "./runtime.mjs";
import { SwitchEnd } from "./switch_end.mjs";

/** Milliseconds between two questions of a follower. */
const ASK_EVERY = 500;
/** Milliseconds without an answer to anybody after which the tab that runs the node is relieved. */
const SILENCE = 5000;
/** The same while it starts Python, which holds up a slow device for long. */
const STARTING_SILENCE = 60_000;
/** Milliseconds after which this tab, had it slept, might have been relieved: less than `SILENCE`. */
const MAY_HAVE_SLEPT = 4000;
/** Milliseconds for which no other tab may relieve the one that has just relieved another. */
const GUARD = 3000;

const sites = new Map();

/** The node of identity `name`, as this page sees it: one object a page, while anybody uses it. */
export function siteNode(name) {
  let site = sites.get(name);
  if (!site) sites.set(name, site = new SiteNode(name, () => sites.delete(name)));
  return site;
}

class SiteNode {
  #name;
  #over;
  /** `SwitchEnd` of each view in this page → its configuration. */
  #views = new Map();
  #followers;
  /** View → `RemoteEnd`, while the node runs elsewhere. */
  #remotes = new Map();
  #common;
  #hub = null;
  #config = "";
  #release = null;
  #queue = null;
  #timer = 0;
  #silence = 0;
  #patience = SILENCE;
  #state = new NodeState();
  /** Whether the node has run before, here or in another tab, so that `#state` is to be taken up. */
  #isKnown = false;
  #isClosed = false;
  #isLeaving = false;
  /** Whether Python is there, in the tab that runs the node. */
  #isReady = false;
  #id = crypto.randomUUID();
  /** When this tab was last seen awake, and the browser's name for it. */
  #awakeAt = 0;
  #client = "";
  /** View, of this page or another tab → its end, while the node runs here. */
  #ends = new Map();
  /** `#id` of the tab that runs the node. */
  #holder = "";
  /** The end of a node whose users are gone, before another may begin. */
  #ending = Promise.resolve();

  constructor(name, over) {
    this.#name = name;
    this.#over = over;
    this.#followers = new Followers(name, (end) => this.#closeIfUnused(end), () => this.#mayGo());
    this.#common = new BroadcastChannel(nodeLock(name));
    this.#common.onmessage = ({ data }) => this.#heard(data);
    deathListeners.add(this.#died);
    addEventListener("pagehide", this.#hidden);
    addEventListener("pageshow", this.#shown);
    void this.#elect();
  }

  /** The browser keeps the page for a way back, and runs it no more until then. */
  #hidden = ({ persisted }) => {
    // The goodbye that the node says now does not mean that its channels are not wanted any more.
    this.#isLeaving = true;
    if (!persisted) return;
    this.#release?.();
    this.#resign();
    this.#stopFollowing();
  };

  #shown = ({ persisted }) => {
    this.#isLeaving = false;
    if (persisted && !this.#isClosed) void this.#elect();
  };

  /** Python has stopped in this page: another tab may go on. */
  #died = () => {
    if (!this.#release) return;
    this.#followers.close();
    void this.#close();
  };

  /** The end of one more view in this page. */
  attach(config, hooks) {
    const view = new SwitchEnd(hooks, () => this.#left(view), () => this.#mayGo());
    this.#views.set(view, canonical(config));
    if (this.#release) void this.#join(view, this.#views.get(view));
    else if (this.#queue) this.#follow(view);
    return view;
  }

  // --- who runs the node

  async #elect() {
    const release = await takeLock(nodeLock(this.#name), { ifAvailable: true, onStolen: () => this.#relieved() });
    if (this.#isClosed) release?.();
    else if (release) return this.#hold(release);
    if (this.#isClosed) return;
    this.#queueUp();
    for (const view of this.#views.keys()) this.#follow(view);
  }

  /** Waits for the lock: it comes when the tab that holds it is gone. */
  #queueUp() {
    this.#queue = new AbortController();
    this.#silence = 0;
    clearInterval(this.#timer);
    this.#timer = setInterval(() => this.#ask(), ASK_EVERY);
    this.#ask();
    const { signal } = this.#queue;
    takeLock(nodeLock(this.#name), { signal, onStolen: () => this.#relieved() }).then((release) => {
      if (signal.aborted) release();
      else this.#hold(release);
    }, () => {});
  }

  #stopFollowing() {
    clearInterval(this.#timer);
    this.#queue?.abort();
    this.#queue = null;
    this.#leaveRemotes();
    for (const view of this.#views.keys()) view.lose();
  }

  /** What was accepted of a view, and whose end is not known, is told: it was in the tab that is gone. */
  #leaveRemotes() {
    for (const [view, remote] of this.#remotes) {
      for (const [peer_id, count] of remote.undelivered()) {
        view.tell({ type: "message:undelivered", peer_id, count, ids: [], maybe_delivered: true });
      }
      remote.close();
    }
    this.#remotes.clear();
  }

  /** This tab runs the node from now on. */
  async #hold(release) {
    const isMoved = this.#isKnown;
    this.#stopFollowing();
    this.#release = release;
    this.#tell("holder");
    try {
      this.#client = await lockClient(nodeLock(this.#name));
      await python();
    } catch (error) {
      return this.#giveUp(error);
    }
    if (this.#release !== release) return;
    this.#isReady = true;
    this.#awakeAt = performance.now();
    this.#tell("ready");
    clearInterval(this.#timer);
    this.#timer = setInterval(() => this.#watch(), ASK_EVERY);
    for (const [view, config] of this.#views) await this.#join(view, config);
    for (const [end, config] of this.#followers.ends()) await this.#join(end, config);
    if (isMoved) this.#resume();
    this.#isKnown = true;
    this.#closeIfUnused();
  }

  /** Python did not start: another tab may have more luck. */
  #giveUp(error) {
    for (const view of this.#views.keys()) view.refuse(error);
    this.#followers.close();
    void this.#close();
  }

  /** Another tab found this one silent, and took its place. */
  #relieved() {
    this.#resign();
    if (this.#views.size === 0) return this.#close();
    this.#queueUp();
    for (const view of this.#views.keys()) this.#follow(view);
    this.#moved(false);
  }

  /** This tab runs the node no longer. */
  #resign() {
    if (!this.#release) return;
    this.#release = null;
    this.#isReady = false;
    this.#ending = this.#hub?.end() ?? this.#ending;
    this.#hub = null;
    this.#ends.clear();
    clearInterval(this.#timer);
    this.#followers.close();
    for (const view of this.#views.keys()) view.lose();
  }

  #moved(here) {
    for (const view of this.#views.keys()) view.tell({ type: "node:moved", here, peer_id: this.#state.peer_id });
  }

  /** Whether this tab can be sure to be the one that runs the node, if it thinks so. */
  #mayGo() {
    if (!this.#isReady || performance.now() - this.#awakeAt < MAY_HAVE_SLEPT) return true;
    void this.#makeSure();
    return false;
  }

  /** After a sleep: when the lock is no longer ours, the news of that is on its way. */
  async #makeSure() {
    const client = await lockClient(nodeLock(this.#name));
    if (!this.#isReady || client !== this.#client) return;
    this.#awakeAt = performance.now();
    for (const [view, end] of this.#ends) view.use(end);
  }

  // --- running it

  /** Gives `view`, of this tab or of another, its end of the node. */
  async #join(view, config) {
    await this.#ending;
    if (!this.#isReady || view.isConnected || !(this.#views.has(view) || this.#followers.has(view))) return;
    if (this.#hub && config !== this.#config) {
      view.refuse(nodeDiffers(this.#name, "configuration"));
      return;
    }
    try {
      if (!this.#hub) {
        const hub = new NodeHub(config, true, () => hub === this.#hub && this.#stateChanged(hub));
        hub.state.load(this.#state.save());
        this.#hub = hub;
        this.#config = config;
      }
    } catch (error) {
      view.refuse(error);
      return;
    }
    const end = this.#hub.attach(view.hooks());
    this.#ends.set(view, end);
    view.use(end);
  }

  #stateChanged(hub) {
    if (this.#isLeaving) return;
    const state = hub.state.save();
    this.#state.load(state);
    this.#followers.tell("state", state);
  }

  /** What the node before this one had: its reservations, channels and wallet. */
  #resume() {
    this.#moved(true);
    const hub = this.#hub;
    if (!hub) return;
    const { relays, peers, wallet } = this.#state.save();
    const lost = (peer_id) => () => hub.tell({ type: "channel:close", peer_id, state: "closed", path: "none", reason: "the node moved" });
    const locked = ({ code }) => hub.tell({ type: "wallet_disconnected", reason: code });
    // What fails is asked for again by the node itself, and told as "relay:failed".
    for (const [, address] of relays) hub.run("make_webrtc_relay_reservation", [address]).catch(() => {});
    for (const peer of peers) hub.run("create_webrtc_data_channel", [peer]).catch(lost(peer));
    if (wallet?.isLocked) locked({ code: "locked" });
    else if (wallet) hub.run("connect_wallet", [wallet.config]).catch(locked);
  }

  #heard(message) {
    if (this.#release) {
      if (message.what === "hello") this.#welcome(message);
      if (message.what === "ask") this.#tell(this.#isReady ? "ready" : "holder");
      return;
    }
    if (message.what !== "holder" && message.what !== "ready") return;
    this.#silence = 0;
    this.#patience = message.what === "ready" ? SILENCE : STARTING_SILENCE;
    if (this.#holder === message.id) return;
    const isOther = this.#holder !== "";
    this.#holder = message.id;
    if (isOther && this.#queue) this.#followAnew();
  }

  #tell(what) {
    this.#common.postMessage({ what, id: this.#id });
  }

  #welcome(message) {
    const end = this.#followers.welcome(message, this.#state.save());
    if (end && this.#isReady) void this.#join(end, message.config);
  }

  /** Notes that this tab is awake. */
  #watch() {
    if (performance.now() - this.#awakeAt < MAY_HAVE_SLEPT) this.#awakeAt = performance.now();
    else void this.#makeSure();
    this.#followers.cutSilent();
    this.#followers.settle(this.#hub);
  }

  // --- using it

  #follow(view) {
    if (!this.#views.has(view)) return;
    const remote = new RemoteEnd(this.#name, view.hooks(), {
      welcome: () => {
        view.use(remote);
        this.#isKnown = true;
      },
      state: (state) => this.#state.load(state),
      refuse: (error) => view.refuse(error),
      cut: () => this.#missed(view),
    });
    this.#remotes.set(view, remote);
    void remote.ready.then(() => this.#common.postMessage(hello(remote.id, this.#views.get(view))));
  }

  /** This tab slept while messages came: they went to the others alone. */
  #missed(view) {
    this.#remotes.get(view)?.close();
    view.lose();
    this.#follow(view);
    view.tell({ type: "error", code: "RESOURCE_LIMIT", message: "this tab did not take its messages in time and missed some", hint: "Other tabs of this site have them." });
  }

  /** Another tab runs the node. */
  #followAnew() {
    this.#leaveRemotes();
    for (const view of this.#views.keys()) {
      view.lose();
      this.#follow(view);
    }
    this.#moved(false);
  }

  /** Each call is one step of silence at most: this tab may have been the one that slept. */
  #ask() {
    if (this.#silence >= this.#patience) void this.#relieve();
    this.#silence += ASK_EVERY;
    this.#tell("ask");
    for (const [view, remote] of this.#remotes) {
      if (!remote.isWelcome) this.#common.postMessage(hello(remote.id, this.#views.get(view)));
    }
  }

  /** Takes the node away from a tab that answers nobody. */
  async #relieve() {
    const done = await takeLock(`${nodeLock(this.#name)}/relieve`, { ifAvailable: true });
    if (!done) return;
    setTimeout(done, GUARD);
    if (this.#silence < this.#patience || !this.#queue) return;
    this.#queue.abort();
    this.#hold(await takeLock(nodeLock(this.#name), { steal: true, onStolen: () => this.#relieved() }));
  }

  // --- the end

  #left(view) {
    this.#views.delete(view);
    const remote = this.#remotes.get(view);
    this.#remotes.delete(view);
    // What it was asked last is still on its way.
    if (remote) setTimeout(() => remote.close(), GUARD);
    this.#closeIfUnused(view);
  }

  #closeIfUnused(view) {
    this.#ends.delete(view);
    if (this.#hub?.isEmpty) {
      this.#ending = this.#hub.end();
      this.#hub = null;
    }
    if (this.#views.size === 0 && this.#followers.size === 0) void this.#close();
  }

  async #close() {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#over();
    clearInterval(this.#timer);
    this.#queue?.abort();
    this.#common.close();
    deathListeners.delete(this.#died);
    removeEventListener("pagehide", this.#hidden);
    removeEventListener("pageshow", this.#shown);
    await this.#hub?.end();
    await this.#ending;
    this.#release?.();
  }
}
