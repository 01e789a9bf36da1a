/**
 * The one node of an identity of this site. A Web Lock says which tab runs it; the others ask that tab, and one of them goes
 * on when it is gone, or has answered nobody for a while.
 */

import { Accepted } from "./accepted.mjs";
import { Awake } from "./awake.mjs";
import { canonical } from "./configuration.mjs";
import { countEpoch } from "./epoch.mjs";
import { nodeDiffers } from "./errors.mjs";
import { Followers } from "./followers.mjs";
import { Handed } from "./handed.mjs";
import { freeLocks, holdsLock, locksBeside, nodeLock, reliefLock, takeLock } from "./locks.mjs";
import { python } from "./loading.mjs";
import { NodeHub } from "./node_hub.mjs";
import { NodeState } from "./node_state.mjs";
import { Remotes } from "./remotes.mjs";
import { deathListeners } from "./runtime.mjs";
import { ASK_EVERY, Silence } from "./silence.mjs";
import { SwitchEnd } from "./switch_end.mjs";
import { takeUp } from "./take_up.mjs";
import { Views } from "./views.mjs";

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
  #views = new Views();
  #followers;
  #remotes;
  #common;
  #hub = null;
  #config = "";
  #release = null;
  #queue = null;
  #timer = 0;
  #silence = new Silence();
  #state = new NodeState();
  /** Whether the node has run before, here or in another tab, so that `#state` is to be taken up. */
  #isKnown = false;
  #isClosed = false;
  #isLeaving = false;
  /** Whether Python is there, in the tab that runs the node. */
  #isReady = false;
  #id = crypto.randomUUID();
  #awake;
  /** View, of this page or another tab → its end, while the node runs here. */
  #ends = new Map();
  /** `#id` of the tab that runs the node. */
  #holder = "";
  /** The highest epoch of a tab that runs or ran the node, and this tab's own, once it has one. */
  #epoch = 0;
  #ownEpoch = null;
  /** Locks of a tab that stands still. */
  #left = [];
  /** Lets others relieve this tab again, which has just relieved one. */
  #endGuard = () => {};
  #handed = new Handed();
  /** The end of a node whose users are gone, before another may begin. */
  #ending = Promise.resolve();

  constructor(name, over) {
    this.#name = name;
    this.#over = over;
    this.#awake = new Awake(nodeLock(name), () => this.#isSure());
    this.#followers = new Followers(name, (end) => this.#closeIfUnused(end), () => this.#awake.isSure, (peers) => this.#settled(peers));
    this.#remotes = new Remotes(this.#id, (message) => this.#common.postMessage(message), {
      state: (state) => this.#toldState(state),
      isCurrent: (lineage) => lineage === this.#state.lineage,
    });
    this.#listen();
    deathListeners.add(this.#died);
    addEventListener("pagehide", this.#hidden);
    addEventListener("pageshow", this.#shown);
    void this.#elect();
  }

  #listen() {
    this.#common = new BroadcastChannel(nodeLock(this.#name));
    this.#common.onmessage = ({ data }) => typeof data?.id === "string" && this.#heard(data);
  }

  /** The browser keeps the page for a way back, and runs it no more until then. */
  #hidden = ({ persisted }) => {
    // The goodbye that the node says now does not mean that its channels are not wanted any more.
    this.#isLeaving = true;
    if (this.#followers.size > 0) Handed.give(this.#hub, this.#ownEpoch, (left) => this.#common.postMessage({ ...left, id: this.#id }));
    if (!persisted) return;
    const release = this.#release;
    this.#resign("leave");
    // Browsers keep no page that has a lock which another asks for, nor one to which a message comes.
    release?.();
    this.#endGuard();
    this.#stopFollowing();
    this.#common.close();
  };

  #shown = ({ persisted }) => {
    this.#isLeaving = false;
    if (!persisted || this.#isClosed) return;
    this.#listen();
    void this.#elect();
  };

  /** Python has stopped in this page: another tab may go on. */
  #died = () => {
    if (!this.#release) return;
    this.#followers.close();
    void this.#close();
  };

  /** The end of one more view in this page. */
  attach(config, hooks) {
    const view = new SwitchEnd(hooks, () => this.#leave(view), () => this.#awake.isSure, new Accepted());
    const text = canonical(config);
    this.#views.add(view, text);
    if (this.#release) void this.#join(view, text);
    else if (this.#queue) this.#remotes.follow(view, text);
    return view;
  }

  // --- who runs the node

  async #elect() {
    const release = await takeLock(nodeLock(this.#name), { ifAvailable: true, onStolen: () => this.#relieved() });
    if (this.#isClosed) return release?.();
    if (release) return this.#hold(release);
    this.#queueUp();
    this.#follow();
  }

  /** Waits for the lock: it comes when the tab that holds it is gone. */
  #queueUp() {
    this.#queue = new AbortController();
    this.#silence.begin();
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
    this.#remotes.close();
    this.#views.lose();
  }

  /** This tab runs the node from now on. */
  async #hold(release) {
    const isMoved = this.#isKnown;
    this.#stopFollowing();
    this.#release = release;
    this.#tell("holder");
    try {
      const epoch = await countEpoch(this.#name, this.#epoch, () => holdsLock(nodeLock(this.#name)));
      // If another tab has the lock, the news of that is on its way.
      if (this.#release !== release || epoch === null) return;
      this.#epoch = this.#ownEpoch = epoch;
      // Now that it can write no more.
      freeLocks(this.#left.splice(0));
      this.#tell("holder");
      await Promise.all([python(), isMoved && this.#handed.come()]);
    } catch (error) {
      if (this.#release === release) this.#giveUp(error);
      return;
    }
    if (this.#release !== release) return;
    this.#isReady = true;
    this.#awake.begin();
    this.#tell("ready");
    clearInterval(this.#timer);
    this.#timer = setInterval(() => this.#watch(), ASK_EVERY);
    for (const [view, config] of [...this.#views, ...this.#followers.ends()]) await this.#join(view, config);
    if (isMoved) {
      this.#moved(true);
      if (this.#hub) takeUp(this.#hub, this.#state.save());
    }
    this.#isKnown = true;
    this.#closeIfUnused();
  }

  /** Python did not start: another tab may have more luck. */
  #giveUp(error) {
    this.#views.refuse(error);
    this.#followers.close();
    void this.#close();
  }

  /** Another tab found this one silent, and took its place. */
  #relieved() {
    this.#resign("abandon");
    if (this.#views.size === 0) return this.#close();
    this.#queueUp();
    this.#follow();
    this.#moved(false);
  }

  /** This tab runs the node no longer: `how` as `NodeHub` has it. */
  #resign(how) {
    if (!this.#release) return;
    this.#release = null;
    this.#isReady = false;
    this.#ownEpoch = null;
    this.#holder = "";
    this.#awake.end();
    // First, or the node would tell what it had accepted: the next one learns from the peers what became of it.
    this.#views.lose();
    this.#ending = this.#hub?.[how]() ?? this.#ending;
    this.#hub = null;
    this.#ends.clear();
    clearInterval(this.#timer);
    this.#followers.close();
  }

  #moved(here) {
    this.#views.tell({ type: "node:moved", here, peer_id: this.#state.peer_id });
  }

  /** After a sleep: the node still runs here. */
  #isSure() {
    this.#tell("ready");
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
        const onState = () => hub === this.#hub && this.#stateChanged(hub);
        const hub = new NodeHub(config, { isShared: true, epoch: this.#ownEpoch, tab: this.#id, onState });
        hub.state.load(this.#state.save());
        if (!this.#handed.taken(hub, this.#ownEpoch)) hub.state.beginLineage();
        this.#hub = hub;
        this.#config = config;
        this.#adopt(hub.state.save());
        this.#followers.tell("state", this.#saved());
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
    this.#state.load(hub.state.save());
    this.#followers.tell("state", this.#saved());
  }

  #saved() {
    return { ...this.#state.save(), epoch: this.#ownEpoch };
  }

  /** What the node says of itself, here or in another tab. What an earlier one had accepted is lost with it. */
  #adopt(state) {
    this.#views.adopt(state, this.#state.lineage);
    this.#state.load(state);
  }

  /** `[lineage, settled]` as `SwitchEnd.settle` takes it, or null when it is not known here. */
  #settled(peers) {
    return this.#hub && this.#awake.isSure ? [this.#hub.state.lineage, this.#hub.settled(peers)] : null;
  }

  #heard(message) {
    if (message.what === "handed") this.#handed.keep(message);
    if (this.#release) {
      // A tab that slept may have been relieved, and whoever believes it would leave the one that runs the node.
      if (!this.#awake.isSure) return;
      if (message.what === "hello" && this.#ownEpoch !== null) this.#welcome(message);
      if (message.what === "ask") this.#tell(this.#isReady ? "ready" : "holder");
      return;
    }
    if (message.what !== "holder" && message.what !== "ready") return;
    const { epoch } = message;
    // Of a tab that was relieved, and does not know it yet.
    if (epoch !== null && !(epoch >= this.#epoch)) return;
    this.#silence.heard(message.what === "ready");
    if (epoch === null || this.#holder === message.id) return;
    this.#epoch = epoch;
    const isOther = this.#holder !== "";
    this.#holder = message.id;
    if (isOther && this.#queue) this.#followAnew();
  }

  #tell(what) {
    this.#common.postMessage({ what, id: this.#id, epoch: this.#ownEpoch });
  }

  #welcome(message) {
    const end = this.#followers.welcome(message, this.#saved());
    if (end && this.#isReady) void this.#join(end, message.config);
  }

  #watch() {
    this.#awake.tick();
    this.#followers.cutSilent();
    if (this.#hub) this.#views.settle(this.#hub);
  }

  // --- using it

  #follow() {
    for (const [view, config] of this.#views) this.#remotes.follow(view, config);
  }

  #toldState(state) {
    if (!(state.epoch >= this.#epoch)) return false;
    this.#adopt(state);
    this.#isKnown = true;
    return true;
  }

  /** Another tab runs the node. */
  #followAnew() {
    this.#remotes.close();
    this.#views.lose();
    this.#follow();
    this.#moved(false);
  }

  #ask() {
    if (this.#silence.isTooLong) void this.#relieve();
    this.#silence.asked();
    this.#tell("ask");
    this.#remotes.tick();
  }

  /** Takes the node away from a tab that answers nobody. */
  async #relieve() {
    const done = await takeLock(reliefLock(this.#name), { ifAvailable: true });
    if (!done) return;
    this.#endGuard = done;
    setTimeout(done, GUARD);
    this.#left = await locksBeside(nodeLock(this.#name));
    if (!this.#silence.isTooLong || !this.#queue) return;
    this.#queue.abort();
    this.#hold(await takeLock(nodeLock(this.#name), { steal: true, onStolen: () => this.#relieved() }));
  }

  // --- the end

  #leave(view) {
    this.#views.delete(view);
    this.#remotes.leave(view);
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
