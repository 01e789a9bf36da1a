/** What a tab must know of a node to go on with it when the tab that runs it is gone. */

/** Open channels that a successor opens again; a page rarely has more. */
const MAX_PEERS = 32;
/** What was told as undelivered is kept for tabs that were away. */
const MAX_TOLD = 64;
const SECRETS = ["mnemonic", "passphrase"];

export class NodeState {
  #changed;
  /** Peer id of each relay that holds a reservation → its address. */
  #relays = new Map();
  #peers = new Set();
  #wallet = null;
  #isTrading = false;
  /** `{peer_id, first, last, maybe_delivered}` of messages that were told as undelivered. */
  #undelivered = [];
  /** Of the sessions that the node has: a successor that cannot go on with them has another. */
  lineage = "";
  /** Of the node, once it has been ready. */
  peer_id = "";

  constructor(changed = () => {}) {
    this.#changed = changed;
  }

  /** Takes over what another node told of itself. */
  load({ relays = [], peers = [], wallet = null, isTrading = false, peer_id = "", lineage = "", undelivered = [] } = {}) {
    this.peer_id = peer_id;
    this.lineage = lineage;
    this.#undelivered = [...undelivered];
    this.#relays = new Map(relays);
    this.#peers = new Set(peers);
    this.#wallet = wallet;
    this.#isTrading = isTrading;
  }

  save() {
    return {
      relays: [...this.#relays], peers: [...this.#peers], wallet: this.#wallet, isTrading: this.#isTrading,
      peer_id: this.peer_id, lineage: this.lineage, undelivered: [...this.#undelivered],
    };
  }

  /** Sessions begin, of which nobody has sent anything yet. */
  beginLineage() {
    this.lineage = crypto.randomUUID();
    this.#undelivered = [];
  }

  /** `text`: JSON of an event. Only those are read that change something. */
  happened(text) {
    const kind = /"type": ?"([a-z_:]+)"/.exec(text)?.[1];
    if (!Object.hasOwn(READERS, kind ?? "")) return;
    const event = JSON.parse(text);
    READERS[kind](event, this.#relays, this.#peers);
    if (kind === "node") this.peer_id = event.peer_id || this.peer_id;
    if (kind === "wallet_disconnected") this.#wallet = null;
    if (kind === "message:undelivered") this.#toldUndelivered(event);
    this.#changed();
  }

  #toldUndelivered({ peer_id, ids, maybe_delivered }) {
    // Durable ones of an earlier node have none.
    if (ids.length === 0) return;
    this.#undelivered.push({ peer_id, first: ids[0], last: ids.at(-1), maybe_delivered });
    if (this.#undelivered.length > MAX_TOLD) this.#undelivered.shift();
  }

  /** The half of the node that trades is in use. */
  trades() {
    if (this.#isTrading) return;
    this.#isTrading = true;
    this.#changed();
  }

  /**
   * `connect_wallet` was asked for with `config` in the tab `tab`. Its secrets are not kept: a wallet with a passphrase stays
   * locked.
   */
  wallet(config, tab) {
    const isLocked = Boolean(config.passphrase);
    const kept = Object.fromEntries(Object.entries(config).filter(([key]) => !SECRETS.includes(key)));
    this.#wallet = { config: kept, isLocked, tab };
    this.#changed();
  }
}

const READERS = {
  "relay:reserved": ({ relay_peer_id, addresses }, relays) => {
    const address = addresses.map((each) => each.split("/p2p-circuit")[0]).find((each) => each.includes("/p2p/"));
    if (address) relays.set(relay_peer_id, address);
  },
  // One that failed is asked again by the node itself; without a code it was given up.
  "relay:lost": ({ relay_peer_id, code }, relays) => code || relays.delete(relay_peer_id),
  "channel:open": ({ peer_id }, relays, peers) => peers.size < MAX_PEERS && peers.add(peer_id),
  "channel:close": ({ peer_id }, relays, peers) => peers.delete(peer_id),
  wallet_disconnected: () => {},
  "message:undelivered": () => {},
  node: () => {},
};
