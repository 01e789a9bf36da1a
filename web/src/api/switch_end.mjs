/** The end of a `Bridge` that stays when the node behind it moves to another tab. */

import { idsOf } from "./accepted.mjs";
import { acceptedCount } from "./batches.mjs";
import { nodeMoved } from "./errors.mjs";

/** Calls that may be made twice: those under way when the node moves are made again, all others fail. */
const REPEATABLE = /^(get_|is_|start$|stop$|local_peer_id$|add_relay$|add_peer$|make_webrtc_relay_reservation$|connect_through_|create_webrtc_|ping$|check_order$|wait_for_trade$)/;

export class SwitchEnd {
  #end = null;
  #hooks;
  #gone;
  #view = null;
  #refusal = null;
  #mayGo;
  /** Number → `{begin(end), isRepeatable, isBegun}` of every call without an answer. */
  #pending = new Map();
  #listens = { messages: false, events: false, signals: false };
  #accepted;

  /**
   * `gone()`: the page has freed it. `mayGo()` is asked before each call: false lets it wait until `use` is called again,
   * since the tab may no longer be the one that runs the node. `accepted`: of a view of this page, whose node may go.
   */
  constructor(hooks, gone, mayGo = () => true, accepted = null) {
    this.#hooks = hooks;
    this.#gone = gone;
    this.#mayGo = mayGo;
    this.#accepted = accepted;
  }

  get isConnected() {
    return this.#end !== null;
  }

  /** Hooks for a node's view; what a node says that was left since goes nowhere. */
  hooks() {
    const now = (call) => (...values) => (this.#view === view ? call(...values) : false);
    const view = {
      reply: now((number, ok, text) => {
        this.#pending.delete(number);
        this.#accepted?.replied(number, ok, text);
        this.#hooks.reply(number, ok, text);
      }),
      reply_messages: now((number, messages) => {
        this.#pending.delete(number);
        this.#hooks.reply_messages(number, messages);
      }),
      accepted: now((number, answer) => {
        this.#accepted?.took(number, answer);
        this.#hooks.accepted(number, answer);
      }),
      event: now((text) => {
        if (this.#accepted && text.includes('"message:undelivered"')) this.#told(JSON.parse(text));
        this.#hooks.event(text);
      }),
      messages: now((peer, data, count) => this.#hooks.messages(peer, data, count)),
      progress: now((...values) => this.#hooks.progress(...values)),
      signal: now((...values) => this.#hooks.signal(...values)),
      isFull: () => this.#hooks.isFull?.() ?? false,
      tab: this.#hooks.tab,
      ask_tab: now((number, text) => this.#hooks.ask_tab(number, text)),
    };
    this.#view = view;
    return view;
  }

  /** From now on `end` answers, which was made with `hooks()`. */
  use(end) {
    this.#end = end;
    for (const [kind, on] of Object.entries(this.#listens)) if (on) end[`listen_${kind}`](true);
    this.#beginWaiting();
  }

  /** What waits, but messages behind others of which it is not known yet what became of them: their ids begin anew. */
  #beginWaiting() {
    for (const [number, call] of [...this.#pending]) if (!call.isBegun && !this.#accepted?.isWaiting(call.peer)) this.#begin(number, call);
  }

  /** The node behind this has gone. */
  lose() {
    this.#end = null;
    this.#view = null;
    for (const [number, call] of [...this.#pending]) {
      if (!call.isBegun) continue;
      call.isBegun = false;
      if (!call.isRepeatable) this.#fail(number, nodeMoved());
    }
  }

  /** There is no node for this one: every call fails with `error`. */
  refuse(error) {
    this.#refusal = error;
    this.#end = null;
    for (const number of [...this.#pending.keys()]) this.#fail(number, error);
  }

  tell(event) {
    this.#hooks.event(JSON.stringify({ at: Date.now() / 1000, ...event }));
  }

  // --- what became of messages that were accepted

  /** Peers of whose messages something is not known. */
  get unsettled() {
    return this.#accepted.peers;
  }

  /** `settled`: peer → what the node knows of it, as `NodeBridge.settled` has it. */
  settle(settled) {
    for (const [peer, known] of Object.entries(settled)) {
      this.#tellUndelivered(peer, this.#accepted.learn(peer, known), true);
      this.#accepted.settle(peer, 0, known.id);
    }
    if (this.#end && this.#mayGo()) this.#beginWaiting();
  }

  #told({ type, peer_id, ids }) {
    if (type === "message:undelivered" && ids.length > 0) this.#accepted.settle(peer_id, ids[0], ids.at(-1));
  }

  /** What the node told while this view was away: `{peer_id, first, last, maybe_delivered}` of each. */
  catchUp(undelivered) {
    for (const { peer_id, first, last, maybe_delivered } of undelivered) {
      this.#tellUndelivered(peer_id, this.#accepted.settle(peer_id, first, last), maybe_delivered);
    }
  }

  /** The node that had accepted them is gone with them: `settle` of the next one tells what the peers did not take. */
  orphanAccepted() {
    for (const [peer_id, ranges] of this.#accepted.orphan()) this.#tellUndelivered(peer_id, ranges, true);
  }

  #tellUndelivered(peer_id, ranges, maybe_delivered) {
    const ids = idsOf(ranges);
    if (ids.length > 0) this.tell({ type: "message:undelivered", peer_id, count: ids.length, ids, maybe_delivered });
  }

  #fail(number, error) {
    this.#forget(number);
    this.#hooks.reply(number, false, JSON.stringify(error));
  }

  /** `peer`: of a message to it. */
  #add(number, isRepeatable, begin, peer = "") {
    if (this.#refusal) throw this.#refusal;
    const call = { begin, isRepeatable, isBegun: false, peer };
    this.#pending.set(number, call);
    if (this.#canSend(peer)) this.#begin(number, call);
  }

  #canSend(peer) {
    return this.#end !== null && this.#mayGo() && !this.#accepted?.isWaiting(peer);
  }

  #begin(number, call) {
    call.isBegun = true;
    try {
      call.begin(this.#end);
    } catch (error) {
      this.#fail(number, error);
    }
  }

  // --- what `Bridge` calls

  call(number, name, text) {
    this.#add(number, REPEATABLE.test(name), (end) => end.call(number, name, text));
  }

  cancel(number) {
    const call = this.#pending.get(number);
    this.#forget(number);
    if (call?.isBegun) this.#end?.cancel(number);
  }

  send(number, peer, data, count) {
    if (this.#refusal) throw this.#refusal;
    if (this.#canSend(peer)) return this.#send(number, peer, data, count);
    // The caller uses its memory again.
    const kept = data.slice();
    this.#add(number, false, (end) => {
      const answer = this.#send(number, peer, kept, count);
      if (acceptedCount(answer) === count) end.settled(number, answer);
      else if (answer > 0) this.#hooks.accepted(number, answer);
    }, peer);
    return 0;
  }

  #send(number, peer, data, count) {
    // A failure may be replied before this call returns.
    this.#pending.set(number, { begin: null, isRepeatable: false, isBegun: true });
    this.#accepted?.sent(number, peer);
    let answer = 0;
    try {
      answer = this.#end.send(number, peer, data, count);
    } catch (error) {
      this.#forget(number);
      throw error;
    }
    this.#accepted?.took(number, answer);
    if (acceptedCount(answer) === count) this.#forget(number);
    return answer;
  }

  #forget(number) {
    this.#pending.delete(number);
    this.#accepted?.forget(number);
  }

  send_with_progress(number, peer, data, delivered, durable) {
    const kept = data.slice();
    this.#add(number, false, (end) => {
      // What is in the store is looked after by whoever runs the node.
      if (!durable) this.#accepted?.sent(number, peer, delivered);
      end.send_with_progress(number, peer, kept, delivered, durable);
    }, peer);
  }

  /** An answer to `ask_tab`. */
  told_by_tab(number, text) {
    this.#end?.told_by_tab(number, text);
  }

  receive_batch(number, peer) {
    this.#add(number, true, (end) => end.receive_batch(number, peer));
  }

  acknowledge_batch(peer) {
    this.#end?.acknowledge_batch(peer);
  }

  listen_messages(on) {
    this.#listen("messages", on);
  }

  listen_events(on) {
    this.#listen("events", on);
  }

  listen_signals(on) {
    this.#listen("signals", on);
  }

  #listen(kind, on) {
    this.#listens[kind] = on;
    this.#end?.[`listen_${kind}`](on);
  }

  free(number) {
    this.#pending.clear();
    const end = this.#end;
    if (!end) {
      this.#gone();
      this.#hooks.reply(number, true, "null");
      return;
    }
    this.#pending.set(number, { begin: null, isRepeatable: false, isBegun: true });
    end.free(number);
    this.#gone();
  }
}
