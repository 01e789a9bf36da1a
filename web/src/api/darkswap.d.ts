/**
 * DarkSwap Browser: two pages meet through any libp2p relay and talk over a direct, authenticated WebRTC channel.
 *
 * ```js
 * import init, { DarkSwapWasm } from "./darkswap.mjs";
 * await init();
 * const darkswap = DarkSwapWasm.new_with_defaults("regtest");
 * ```
 *
 * Conventions: every method that waits returns a native Promise, takes a last `CallOptions` object and rejects with
 * `DarkSwapError`. Values are plain: `Uint8Array` for bytes, objects for records, `bigint` for amounts in atoms and sats.
 * Amounts that go in are decimal strings in display units; a `bigint` there is refused.
 * `null` counts as left out. An option that a method does not have is refused with INVALID_ARGUMENT, which names it.
 * Names ending in `_ms` are milliseconds, `_at` unix seconds, sizes are bytes.
 */

/** Version of this module and of the Python package it loads. */
export const version: string;

/**
 * Loads Python and DarkSwap. There is one load a page: every call joins it, also while it is under way, and a retry goes
 * on where it is. `signal` and `timeout_ms` end only the waiting of the caller that gave them. Later calls may leave out
 * the other options; one that names others than the page was loaded with is refused (INVALID_ARGUMENT).
 *
 * Rejects with UNSUPPORTED outside of a browser, in classic workers and in service workers; with RUNTIME_DEAD once
 * Python has stopped: its sockets, locks and connections cannot be taken over, so only a reload of the page brings it back.
 *
 * Where another tab of this site runs the node of `defaults.identity` already, nothing is loaded and this resolves at once:
 * the tabs share that node (see `DarkSwapWasm`), and Python is loaded here when that tab is gone.
 */
export default function init(options?: InitOptions): Promise<InitResult>;

export interface InitOptions {
  /** Folder of the Pyodide files; default: the folder of `darkswap.mjs`. */
  indexURL?: string | URL;
  /** The lock file with the hashes of every package; default: `pyodide-lock.json` in `indexURL`. */
  lockFileURL?: string | URL;
  /** A Pyodide that the page has already loaded; nothing but the package is loaded then. */
  pyodide?: object;
  /**
   * Python's standard library. "small" (default): 1.7 MB, what DarkSwap and micropip import, without docstrings and
   * assertions; importing anything else says how to get it. "full" (3.5 MB): all that Pyodide has.
   */
  stdlib?: "small" | "full";
  /** Merged deeply under the configuration of every `DarkSwapWasm`: the relays of this site, for example. */
  defaults?: DarkSwapConfig;
  /** Called at once with where the load is, then with each step and as bytes arrive. */
  onProgress?: (progress: InitProgress) => void;
  /** Load Python here also where another tab runs the node: for pages that use it, or WebRtcConnection. Default false. */
  python?: boolean;
  /** Gives up waiting. */
  signal?: AbortSignal;
  /** How long loading may stand still, nothing arriving and no step made, before this caller gives up; default 60000. */
  timeout_ms?: number;
}

export interface InitProgress {
  stage: "check" | "download" | "python" | "packages" | "import" | "ready";
  /** From 0 to 1, never falling. */
  fraction: number;
  /** Bytes so far, and in all when known. */
  loaded: number;
  total: number;
  /** One short sentence for people. */
  message: string;
}

export interface InitResult {
  version: string;
  /** The interpreter, for pages that use Python themselves; null where another tab runs the node. */
  pyodide: object | null;
}

export type DarkSwapErrorCode =
  // loading
  | "WASM_BLOCKED" | "LOAD_FAILED" | "INTEGRITY" | "ABI_MISMATCH" | "PACKAGE_MISSING" | "NOT_INITIALIZED"
  | "RUNTIME_DEAD"
  // the call
  | "INVALID_ARGUMENT" | "FREED" | "MESSAGE_TOO_LARGE" | "UNDELIVERED" | "NOT_CONNECTED" | "NO_ADDRESS" | "UNKNOWN_RELAY"
  | "UNSUPPORTED" | "TOO_MANY_REQUESTS" | "STORAGE" | "STORAGE_FULL" | "LOCAL" | "TIMEOUT" | "ABORTED"
  | "SUBSCRIBER_FAILED" | "LISTEN_FAILED" | "NODE_MOVED"
  // the other side, the network
  | "REMOTE" | "MALFORMED_MESSAGE" | "PROTOCOL_VIOLATION" | "HANDSHAKE_FAILED" | "PEER_ID_MISMATCH"
  | "PROTOCOL_UNSUPPORTED" | "RELAY_REFUSED" | "VOUCHER_INVALID" | "RESOURCE_LIMIT" | "STREAM" | "STREAM_CLOSED"
  | "STREAM_RESET" | "END_OF_STREAM" | "STREAM_BUSY" | "CONNECTION_LOST" | "DIAL_FAILED" | "PEER_OFFLINE" | "NO_DIRECT_PATH"
  // chain servers
  | "CHAIN" | "CHAIN_UNREACHABLE" | "RATE_LIMITED" | "NOT_ON_CHAIN" | "CHAIN_INCONSISTENT" | "INDEXER_LAG"
  | "BROADCAST_REJECTED"
  // orders, trades, wallets
  | "INSUFFICIENT_FUNDS" | "ORDER_NOT_FOUND" | "TRADE_NOT_FOUND" | "INVALID_ORDER" | "TRADE_REFUSED"
  | "IDENTITY_IN_USE"
  | "SIGNATURE_INVALID" | "VERIFICATION_FAILED" | "WALLET" | "WALLET_NOT_CONNECTED" | "USER_REJECTED" | "WALLET_FAILED"
  // a fault in this library
  | "ERROR" | "INTERNAL";

/** Every failure. `message` is one sentence, never a Python traceback. */
export class DarkSwapError extends Error {
  constructor(code: DarkSwapErrorCode, message: string, options?: {
    retryable?: boolean; hint?: string; cause?: unknown; details?: Record<string, unknown>;
  });
  /** Stable; test this, not `message`. */
  readonly code: DarkSwapErrorCode;
  /** The same call may succeed later without a change by the caller. */
  readonly retryable: boolean;
  /** What to do next, for people. */
  readonly hint: string;
  /** The error below this one, where there is one. */
  readonly cause?: unknown;
  /** The fields of the Python error (`path`, `limit`, `status` …). */
  readonly details: Record<string, unknown>;
  /** All of the above, `name` and `message`, which `JSON.stringify` leaves out of other errors. */
  toJSON(): Record<string, unknown>;
}

export type BitcoinNetwork = "mainnet" | "testnet" | "signet" | "regtest";

/** What `new DarkSwapWasm(config)` takes, every part optional: merged deeply over the defaults. */
export interface DarkSwapConfig {
  bitcoin?: { network?: BitcoinNetwork };
  network?: {
    /** Full multiaddrs of relays, e.g. `/dns4/relay.example/tcp/443/wss/p2p/12D3KooW…`. */
    relays?: string[];
    /** Reserve a slot on every relay of `relays` as the node starts; default true. */
    reserve?: boolean;
    /**
     * STUN servers tell the page its public address, without which two networks seldom get a direct link; TURN servers
     * carry data where no direct link can be. Where none is named, the STUN servers of the relays are asked.
     * A direct link shows each side's address to the other; `relay_only` with TURN, or `direct: false`, does not.
     */
    ice_servers?: { urls: string | string[]; username?: string; credential?: string }[];
    /** Ask relays that answer STUN, as `darkswap-relay` does, where `ice_servers` names none; default true. */
    relay_stun?: boolean;
    /** An RFC 8484 server, such as `https://dns.example/dns-query`, to resolve `/dnsaddr` addresses; none by default. */
    dns_over_https?: string;
    /** Use TURN candidates only, so that no own address is shown to peers; default false. */
    relay_only?: boolean;
    /** Try to upgrade a relayed connection to a direct one; default true. */
    direct?: boolean;
    /** Accept the encrypted relayed connection when no direct one can be made; default true. */
    relayed_fallback?: boolean;
    /**
     * What a peer gets that you did not connect to, send to, trade with or `add_peer`: a direct link within the share of
     * strangers, which shows it your address ("direct", the default), a relayed connection only, or ("ours") none.
     */
    accept?: "direct" | "relayed" | "ours";
    /**
     * Which relays get the first bytes of a circuit together with the request for it, a round trip earlier: those
     * known to keep them ("known", the default), all ("always") or none ("never").
     */
    relay_early_data?: "known" | "always" | "never";
    /** "automatic", or "manual": then the page itself answers offers (`on_webrtc_offer`, `send_webrtc_answer`). */
    signaling?: "automatic" | "manual";
    /** Longest wait for a peer to be reached; default 30 s. */
    connect_timeout_ms?: number;
    /** Longest attempt at a direct link, which goes on beside the relayed one; default 15 s. */
    direct_timeout_ms?: number;
  };
  /** Base addresses of chain servers; needed for trading only. The presets of mainnet, testnet and signet name public ones. */
  chain?: {
    /** Esplora REST, e.g. `https://mempool.space/api`. */
    esplora?: string[];
    /** ord with `--index-runes`, JSON on. */
    ord?: string[];
    /** Alkanes JSON-RPC. */
    alkanes?: string[];
    /**
     * How many servers of a kind must agree before anything is signed, and on what an asset's amounts mean; default 1,
     * or 2 where two are given. A number that the servers of a kind cannot meet is refused; by default a kind with one
     * server is believed alone, which `Trade.vouchers` tells.
     */
    quorum?: number;
    /** Of a regtest service: `POST {address, asset, atoms?}`. */
    faucet?: string;
  };
  trade?: {
    /** "own_weight" (each side pays for what it adds) or "taker_pays"; default "own_weight". */
    fee_rule?: FeeRule;
    /** Sats per vbyte above which nothing is signed; default 500. */
    max_fee_rate?: number;
    /** Confirmations until a trade is completed; default 1. */
    confirmations?: number;
    /**
     * Make and take private sales: whole lots for bitcoin as a signature that others complete while the maker is away
     * (SIGHASH_SINGLE|ANYONECANPAY); default false. Know before:
     * - The signature never expires: until the coin is spent the sale stands, also after the order's own time is over.
     * - Whoever sees it can complete it, or outbid the buyer while the purchase waits in the mempool (sniping).
     * - The price is that of the moment of signing: whoever holds the sale may choose his moment, an option given away
     *   for nothing.
     * - Calling it off means to spend the coin to oneself, which costs a fee, and counts only once it is in a block.
     */
    private_sales?: boolean;
  };
  identity?: {
    /** Keys are kept per name in IndexedDB; tabs that use one name are one peer with one node. Default "default". */
    name?: string;
    /** false: a new identity and a node of its own, both gone with the page; wallets, orders and trades are kept. Default true. */
    persist?: boolean;
  };
}

/** Last argument of every method that waits. */
export interface CallOptions {
  /** Rejects with code ABORTED. */
  signal?: AbortSignal | null;
  /** Rejects with code TIMEOUT. */
  timeout_ms?: number | null;
}

export interface SendOptions extends CallOptions {
  /** Called as parts of a large message are acknowledged by the peer's side. */
  on_progress?: ((sent: number, total: number) => void) | null;
  /** "accepted" (the default): queued. "delivered": the peer's application took it; UNDELIVERED when it will not. */
  until?: "accepted" | "delivered" | null;
  /**
   * Keep the message in the store (IndexedDB) before it is accepted, until it is delivered or told, and go on with it after
   * a reload or a crash: at most 1 MiB, and 16 MiB of all that are kept. One that was on its way when the node ended is told
   * as "message:undelivered" at the next start, without its id. INVALID_ARGUMENT with `persist: false`.
   */
  durable?: boolean | null;
}

export interface ReceivedMessage {
  peer_id: string;
  /** With memory of its own. */
  data: Uint8Array<ArrayBuffer>;
}

/** What a relay allows one circuit; 0 = unlimited. */
export interface CircuitLimit {
  /** Seconds. */
  duration: number;
  /** Bytes in each direction. */
  data: number;
}

export interface RelayReservation {
  relay_peer_id: string;
  /** Stable while the reservation is renewed. */
  reservation_id: string;
  /** Unix seconds. */
  expires_at: number;
  /** Addresses by which others reach this node through the relay. */
  addresses: string[];
  limit?: CircuitLimit;
}

export interface RelayMetrics {
  successful_connections: number;
  failed_connections: number;
  active_connections: number;
  /** Reservations held now. */
  reservations: number;
  bytes_sent: number;
  bytes_received: number;
  /** Of `active_connections`, those that are direct, and those that still go through a relay. */
  direct_connections: number;
  relayed_connections: number;
  messages_sent: number;
  messages_received: number;
}

/**
 * How messages travel: `direct` = WebRTC from page to page, `turn` = WebRTC through a TURN server, `relayed` = end-to-end
 * encrypted through the relay.
 */
export type Path = "direct" | "turn" | "relayed" | "none";

/** Why there is no direct link; see `direct:failed`. */
export type NoDirectReason =
  /** This browser has no WebRTC, or the node runs in a worker or on CPython: messages go through the relay. */
  | "no_webrtc"
  /** This side asked no STUN server. */
  | "no_stun"
  /** `relay_only` without a TURN server. */
  | "no_turn"
  /** The STUN server did not answer. */
  | "stun_silent"
  /** The TURN server refused the credential. */
  | "turn_refused"
  /** Several servers were asked, and none answered. */
  | "udp_blocked"
  /** The peer told no address outside its own network. */
  | "peer_no_stun"
  /** Both told public addresses, and no packet came through: symmetric NATs. */
  | "both_symmetric"
  /** The peer has no WebRTC, or makes no direct link with us. */
  | "peer_refused"
  | "failed";
export type ChannelState = "connecting" | "open" | "reconnecting" | "closed";

export interface ChannelInfo {
  peer_id: string;
  state: ChannelState;
  path: Path;
  /** Set while the path is a relayed one with limits. */
  limit?: CircuitLimit;
}

export interface ConnectionInfo {
  peer_id: string;
  path: Path;
  /** "webrtc", "circuit", "websocket" … */
  transport: string;
  /** Who opened it. */
  direction: "inbound" | "outbound";
  remote_addr: string;
  limit?: CircuitLimit;
}

export interface PeerInfo {
  peer_id: string;
  /** Best path now. */
  path: Path;
  channel: ChannelState | "none";
  /** A relay of ours. */
  relay: boolean;
  /** Software named by the peer; absent until it identified itself. */
  agent?: string;
  connections: ConnectionInfo[];
}

export interface ConnectionStats {
  peer_id: string;
  path: Path;
  transport?: string;
  channel: ChannelState | "none";
  /** Last measured round trip; absent until measured. */
  rtt_ms?: number;
  bytes_sent: number;
  bytes_received: number;
  messages_sent: number;
  messages_received: number;
  /** Bytes accepted and not yet acknowledged by the peer; bytes received and not yet taken. */
  send_queue: number;
  receive_queue: number;
  /** Unix seconds. */
  connected_at?: number;
  /** "host", "srflx", "prflx" or "relay" of the chosen ICE pair. */
  local_candidate_type?: string;
  remote_candidate_type?: string;
  limit?: CircuitLimit;
}

export interface RelayState {
  relay_peer_id: string;
  connected: boolean;
  reserved: boolean;
  /** Of the last failure, while no place is held there. */
  code?: DarkSwapErrorCode;
}

export interface NodeStats {
  uptime_ms: number;
  totals: RelayMetrics;
  relays: RelayState[];
  peers: ConnectionStats[];
}

export interface DiagnosticCheck {
  name: "storage" | "node" | "webrtc" | "candidates" | "relays" | "reservations" | "echo" | "clock" | "chain_servers";
  /** `warning`: it works without that, less well. `skipped`: there is nothing to try. */
  status: "running" | "passed" | "warning" | "failed" | "skipped";
  /** What was found, and what to do about it, in a sentence each. */
  message: string;
  hint: string;
  duration_ms: number;
  details: Record<string, unknown>;
}

export interface SessionDescription { type: "offer" | "answer"; sdp: string }
export interface IceCandidate { candidate: string; sdpMid?: string | null; sdpMLineIndex?: number | null }

export interface RelayTrouble {
  relay_peer_id: string;
  /** Why; `code` and `hint` as of an error. */
  reason: string;
  code?: DarkSwapErrorCode;
  hint?: string;
  /** Whether the node asks the relay again by itself, and after how long at the latest. */
  retrying: boolean;
  retry_in_ms?: number;
}

/** Facts, as `on_event` tells them. `at` is unix seconds with fraction. */
export type DarkSwapEvent = { at: number } & (
  /** `peer_id` is "" while the node starts: the identity is not read yet. A start that fails ends in "stopped". */
  | { type: "node"; state: "starting" | "ready" | "stopped"; peer_id: string }
  /** Addresses by which others reach us. */
  | { type: "self:peer:update"; addresses: string[] }
  | { type: "connection:open" } & ConnectionInfo
  | { type: "connection:close"; reason: string } & ConnectionInfo
  | { type: "peer:connect" | "peer:disconnect"; peer_id: string }
  | { type: "peer:identify"; peer_id: string; agent: string; addresses: string[] }
  /** `step` as js-libp2p names them ("webrtc:send-sdp-offer" …), `detail` for people. */
  | { type: "dial:step"; peer_id: string; step: string; detail: string }
  /**
   * An attempt at a direct link to a peer failed; messages go through the relay, and it is tried again. Told once for each
   * reason. `local` and `remote` name the kinds of ICE candidates found on each side: "host", "srflx" (by STUN), "relay"
   * (by TURN), "public".
   */
  | { type: "direct:failed"; peer_id: string; reason: NoDirectReason; message: string; hint: string | null; local: string[]; remote: string[] }
  /** "channel:update": its path, limit or state is another now. */
  | { type: "channel:open" | "channel:close" | "channel:update"; reason?: string } & ChannelInfo
  /** A large message on its way in; the last one tells `total` twice. */
  | { type: "message:progress"; peer_id: string; received: number; total: number }
  /**
   * Accepted messages that will not be sent any more: the peer began anew, the channel ended, or the tab that ran the
   * node is gone, which is told to each tab of its own messages once the peer has said what it took, or 3 s have passed:
   * messages to that peer wait until then. `ids` are those that `send_webrtc_message` gave.
   * `maybe_delivered`: they were on their way, and the peer may have taken them; else it has not.
   */
  | { type: "message:undelivered"; peer_id: string; count: number; ids: number[]; maybe_delivered: boolean }
  /** Messages of earlier sessions of a peer, which nobody received, were given up for want of room. */
  | { type: "message:discarded"; peer_id: string; count: number }
  | { type: "relay:reserved" } & RelayReservation
  /** A request for a reservation failed. One that was reserved before stands until "relay:lost". */
  | { type: "relay:failed" } & RelayTrouble
  /** A reservation is gone; "released", without a code, when this node gave it up. */
  | { type: "relay:lost" } & RelayTrouble
  /**
   * The tab that ran the node is gone, or answered nobody for five seconds. `here`: this tab runs it now. Calls under way
   * that may be made twice (reading, reserving, connecting) were made again, others failed with NODE_MOVED; reservations,
   * channels, trades and the wallet are taken up again: channels that were not handed over in a new session, a seed wallet
   * with a passphrase not ("wallet_disconnected", reason "locked"), an extension once its tab has found the node.
   */
  | { type: "node:moved"; here: boolean; peer_id: string }
  /** This node cannot be shared with other tabs, for `reason`; another tab would be a second node of the same identity. */
  | { type: "node:unshared"; reason: string }
  | { type: "lifecycle"; state: "online" | "offline" | "visible" | "hidden" | "resumed" | "leaving" }
  /**
   * Something failed in the background, or (SUBSCRIBER_FAILED) in a Python callback of the application. The node goes
   * on, but after RUNTIME_DEAD, which is the last event of all.
   */
  | { type: "error"; code: DarkSwapErrorCode; message: string; hint: string }
  | TradingEvent
);

// --- trading. The half of Python that trades is loaded by the first of these calls.

/** "BTC", "RUNE:840000:1" or "ALKANE:2:0": ids, never names, since names can be imitated. */
export type AssetText = string;
export type AssetKind = "btc" | "rune" | "alkane";
export type Side = "buy" | "sell";
export type FeeRule = "own_weight" | "taker_pays";

export interface AssetInfo {
  asset: AssetText;
  kind: AssetKind;
  /** "840000:1"; "" for bitcoin. */
  id: string;
  /** With spacers, for display. */
  name: string;
  symbol: string;
  /** One display unit is 10**decimals atoms. */
  decimals: number;
  /** What exists now, in display units, and in atoms; absent when the index does not tell. */
  supply?: string;
  supply_atoms?: bigint;
  created_height?: number;
}
export type RuneInfo = AssetInfo;
export type AlkaneInfo = AssetInfo;

/** An amount of something: `amount` in display units as a decimal string, `atoms` the whole number it stands for. */
export interface AssetAmount { asset: AssetText; name: string; amount: string; atoms: bigint }

export type WalletKind = "seed" | "unisat" | "okx" | "wizz" | "tokeo" | "keplr" | "xverse" | "leather" | `standard:${string}`;

/** `seed` lives in the page, encrypted by `passphrase`: for test networks and small sums. The others are extensions. */
export type WalletConfig =
  | {
      type: "seed";
      /** Twelve words to restore from; without them the stored wallet is opened, or one is made. */
      mnemonic?: string;
      /** May be empty on test networks only. */
      passphrase?: string;
      /** Wallets are kept per network and name; default "default". */
      name?: string;
    }
  | { type: Exclude<WalletKind, "seed"> };

export interface WalletInfo {
  type: WalletKind;
  network: BitcoinNetwork;
  /** Where runes and alkanes are kept and received; the same as `payment_address` in wallets with one address. */
  address: string;
  payment_address: string;
  supports_runes: boolean;
  supports_alkanes: boolean;
  /** A seed wallet that was made just now: show `export_mnemonic()` to its owner. */
  is_new: boolean;
}

/** All in display units as decimal strings, atoms beside them. */
export interface Balance {
  asset: AssetText;
  type: AssetKind;
  name: string;
  symbol: string;
  decimals: number;
  /** Confirmed, pending and reserved together. */
  amount: string;
  atoms: bigint;
  /** Confirmed and free. */
  available: string;
  available_atoms: bigint;
  pending: string;
  pending_atoms: bigint;
  /** Held by trades and orders, or frozen. */
  locked: string;
  locked_atoms: bigint;
  /** Sats on coins that no index vouches for: not spendable until one does. */
  unknown_atoms: bigint;
}

/** One unspent output. */
export interface Coin {
  /** `txid:vout`. */
  outpoint: string;
  sats: bigint;
  address: string;
  state: "confirmed" | "pending" | "reserved";
  /** Trade id, "order " and the id of a private sale, "cancel " and that id, "frozen" or "". */
  reserved_by: string;
  /** Runes and alkanes on it. */
  assets: AssetAmount[];
  /** Ids of inscriptions; such coins are never spent. */
  inscriptions: string[];
  /** false: an index does not know it (yet), so it is not spent. */
  known: boolean;
}

export interface OrderDraft {
  base_asset: AssetText;
  quote_asset: AssetText;
  /** "sell": the maker gives base and gets quote. */
  side: Side;
  /** Of base, in display units. */
  amount: string;
  /** Quote per one base, in display units. Give this or `total`. */
  price?: string;
  /** Of quote for all of `amount`. */
  total?: string;
  /** Smallest part that may be taken; default all of it. */
  min_amount?: string;
  /** Seconds from now; default 86400, at most 604800. */
  expires_in?: number;
  fee_rule?: FeeRule;
  /**
   * Sats that you pay the miners for one trade at most, whatever rate its taker names; default a tenth of what the
   * smallest part brings in bitcoin, or three times what such a part costs today, whichever is more.
   */
  max_fee_sats?: number;
  /** Seconds that a taker gets for its signature, while the price stands still: 10 to 600, default 60. */
  signing_seconds?: number;
  /**
   * A whole lot for bitcoin that others complete without this node: needs `trade.private_sales`, where its risks are
   * told, and one coin that holds exactly `amount`. The taker pays the whole fee. Give its text to one person only.
   */
  private_sale?: boolean;
}

export type OrderStatus = "open" | "paused" | "filled" | "canceled" | "expired" | "unfunded";

export interface Order {
  id: string;
  /** Of this revision. */
  hash: string;
  seq: number;
  maker: string;
  network: BitcoinNetwork;
  base: AssetInfo;
  quote: AssetInfo;
  base_asset: AssetText;
  quote_asset: AssetText;
  side: Side;
  price: string;
  amount: string;
  base_atoms: bigint;
  total: string;
  quote_atoms: bigint;
  min_amount: string;
  min_fill_atoms: bigint;
  remaining_amount: string;
  remaining_atoms: bigint;
  filled_amount: string;
  filled_atoms: bigint;
  fee_rule: FeeRule;
  /** Most that its maker pays the miners for one trade. */
  max_fee_sats: bigint;
  /** What a taker gets for its signature. */
  signing_seconds: number;
  status: OrderStatus;
  /** Made by this node. */
  is_local: boolean;
  /** Can be taken now. */
  is_active: boolean;
  /**
   * Whether the coins behind it were found on chain and proved to be the maker's; null while unknown: the chain does not
   * answer, or a part of the order was sold, and its maker shows what it has left to whoever takes of it.
   */
  funded: boolean | null;
  created_at: number;
  updated_at: number;
  expires_at: number;
  /** The whole signed order as text, to be sent, put behind `#order=` of a link, or drawn as a QR code. */
  text: string;
  /** Its text holds the maker's signature: whoever has it can complete the sale, whether or not the maker is there. */
  private_sale: boolean;
  /**
   * Of the transaction by which `cancel_order` takes the coin of a private sale back: counts once it is in a block.
   * Absent again when the coin is back for good.
   */
  cancel_txid?: string;
}

/** What an order to be would be: nothing is kept or reserved. */
export interface OrderCheck {
  ok: boolean;
  problems: { field: keyof OrderDraft | "wallet"; message: string }[];
  /** What its maker should know before, in plain words; they hinder nothing. */
  warnings: string[];
  price: string;
  total: string;
  quote_atoms: bigint;
  /** Sats that this side will pay the miners at today's rate, about. */
  fee_sats: bigint;
  fee_rate: string;
}

/**
 * The words of the original bindings, kept for programs written against those. Do not decide by them: no PSBT is sent
 * before the taker's signatures, whatever "MakerPsbtSent" says. `phase` tells where a trade is.
 */
export type TradeState =
  | "Created" | "MakerPsbtSent" | "TakerPsbtSent" | "TakerSigned" | "MakerSigned" | "Completed" | "Failed" | "Canceled"
  | "Expired";
export type TradeStatus = "pending" | "confirming" | "completed" | "failed" | "canceled";

export interface TradeStep {
  /** "request", "verify", "review", "sign", "countersign", "broadcast", "confirm". */
  name: string;
  state: "done" | "active" | "todo" | "failed";
}

export interface Trade {
  id: string;
  order_id: string;
  role: "maker" | "taker";
  peer_id: string;
  maker_id: string;
  taker_id: string;
  base_asset: AssetText;
  quote_asset: AssetText;
  side: Side;
  price: string;
  amount: string;
  base_atoms: bigint;
  total: string;
  quote_atoms: bigint;
  state: TradeState;
  status: TradeStatus;
  /** Where it is, finer than `state`: "reviewing", "exposed", "revoking" … */
  phase: string;
  steps: TradeStep[];
  /** What the very transaction does to this wallet, computed from it; absent until it is known. */
  effect?: { gives: AssetAmount[]; gets: AssetAmount[]; fee_sats: bigint };
  txid?: string;
  /** The final transaction, hex, once both have signed. */
  raw?: string;
  confirmations: number;
  created_at: number;
  updated_at: number;
  /** End of the present step, unix seconds; absent where nothing runs out. */
  expires_at?: number;
  completed_at?: number;
  /** Why it ended or waits: a stable code, and a sentence in plain words. */
  reason?: { code: string; message: string };
  /** What is safe to do now, in plain words. */
  advice: string;
  can_confirm: boolean;
  can_cancel: boolean;
  /** Our signature is out and the settlement in no block: a coin can be moved so that the signature is worth nothing. */
  can_revoke: boolean;
  /** The settlement waits for a block, and an output of ours in it can pay for more speed. */
  can_bump_fee: boolean;
  /** Of our self-spend that makes the signature given away worth nothing. */
  revoke_txid?: string;
  /** How many of `vouchers` must agree on what the other side's coins hold before anything is signed. */
  vouched_by: number;
  /** Servers that are asked what the other side's coins hold: indexes of the asset, or of bitcoin the chain servers. */
  vouchers: string[];
}

export interface RevokeOptions extends CallOptions {
  /** What taking the signature back shall cost, in sats; default: what it needs to, more than all that stands against it. */
  fee_sats?: number | null;
  /** What it may cost; default five times what the settlement pays, or 10,000 if that is more. */
  max_fee_sats?: number | null;
}

export interface BumpOptions extends CallOptions {
  /** Sats per vbyte that settlement and child pay together; default: the next block's. */
  fee_rate?: number | null;
  /** What it may cost; default five times what the settlement pays, or 10,000 if that is more. */
  max_fee_sats?: number | null;
}

export interface TakeOptions extends CallOptions {
  /** Wait for `confirm_trade` after the transaction was verified and before it is signed; default false. */
  review?: boolean | null;
  /** Sats per vbyte; default: today's rate for the next blocks. */
  fee_rate?: number | null;
  /**
   * Sats that the miners get of you at most; default a quarter of the trade's bitcoin side, or where there is none twice
   * the usual at that rate, and 2,000 at least. A trade that would cost more is refused before anything is signed.
   */
  max_fee_sats?: number | null;
}

export type TradingEvent =
  | { type: "order_created" | "order_updated" | "order_canceled" | "order_expired" | "order_filled"; order_id: string; order: Order }
  | { type: "trade_created" | "trade_updated" | "trade_completed" | "trade_failed" | "trade_canceled"; trade_id: string; trade: Trade }
  /** An extension put itself into the page after `get_available_wallets` had answered. */
  | { type: "wallet_available"; kind: WalletKind }
  | { type: "wallet_connected"; wallet: WalletInfo }
  | { type: "wallet_disconnected"; reason: string }
  | { type: "balance_updated" };

/** Ends a subscription; calling it again does nothing. */
export type Unsubscribe = () => void;

/**
 * One node for each identity of a site: objects and tabs that use one name share it. The first tab runs it, the others ask
 * that tab, and one of them goes on when it is gone. Messages and events reach every tab; a message counts as taken when the
 * first tab took it, and `receive_webrtc_message` gives each tab that calls it every message from its first call on.
 * `stop` and `free` end the share of their tab, the node ends with the last one.
 *
 * A wallet extension is found, and asked, in the tab that called `get_available_wallets` or `connect_wallet`, whichever tab
 * runs the node. When that tab is gone the wallet is ("wallet_disconnected"); trades that need it wait for the next one.
 *
 * In a tab that does not run the node: a wrong configuration, or another than the node's (IDENTITY_IN_USE, as for another
 * build of these files), fails the calls and not the constructor;
 * a message or batch crosses in one piece. Aborts, time-outs, progress, callbacks and errors work as in the tab itself.
 */
export class DarkSwapWasm {
  /** Cheap and synchronous. Throws INVALID_ARGUMENT with the offending path; NOT_INITIALIZED before `init()`; RUNTIME_DEAD. */
  constructor(config?: DarkSwapConfig | string);
  /** The defaults of one Bitcoin network. Works with and without `new`. */
  static new_with_defaults: {
    new (network: BitcoinNetwork): DarkSwapWasm;
    (network: BitcoinNetwork): DarkSwapWasm;
  };

  /** Every networked method starts the node by itself; call it to choose the moment. */
  start(options?: CallOptions): Promise<void>;
  /**
   * Says goodbye to every peer. The node can be started again; a `start` meanwhile waits. Given up by `signal` or
   * `timeout_ms`, it drops every connection at once.
   */
  stop(options?: CallOptions): Promise<void>;
  /** Stops the node and forgets everything; nothing is sought after it, later calls fail with FREED. Again: does nothing. */
  free(): void;
  [Symbol.dispose](): void;
  [Symbol.asyncDispose](): Promise<void>;

  local_peer_id(options?: CallOptions): Promise<string>;
  version(): string;
  /** Addresses by which others reach this node, with its peer id; empty until a relay granted a reservation. */
  get_multiaddrs(options?: CallOptions): Promise<string[]>;

  /** Name a relay by its full multiaddr, which must be one that a page can dial, once; its peer id will do afterwards. */
  add_relay(multiaddr: string, options?: CallOptions): Promise<string>;
  /**
   * Make a peer one of yours, as connecting, sending, receiving by its name and trading do. Other peers are strangers: they share a
   * part of connections, direct links and memory, and go first where there is no room. See `network.accept`.
   */
  add_peer(peer: string, options?: CallOptions): Promise<void>;
  /** `relay`: peer id of a known relay, or a full multiaddr. Kept alive until `disconnect_from_webrtc_relay`. */
  make_webrtc_relay_reservation(relay: string, options?: CallOptions): Promise<RelayReservation>;
  is_webrtc_relay_reservation_valid(relay: string, options?: CallOptions): Promise<boolean>;
  get_active_webrtc_relay_reservations(options?: CallOptions): Promise<RelayReservation[]>;
  /**
   * Meets `target` at `relay`, then tries for a direct link. Resolves when messages can be sent: with the direct link, or
   * after 1.5 s with the relayed one, beside which the attempt goes on.
   */
  connect_through_webrtc_relay(relay: string, target: string, options?: CallOptions): Promise<ConnectionInfo>;
  /** A peer: closes every connection to it. A relay: gives up its reservation too. */
  disconnect_from_webrtc_relay(peer: string, options?: CallOptions): Promise<void>;
  get_webrtc_relay_metrics(options?: CallOptions): Promise<RelayMetrics>;

  /**
   * Opens the channel, or returns the open one. The peer must be connected, or reachable through a known relay; all of them
   * are asked. It opens over the first path there is, and moves to a direct one without losing a message (`channel:update`).
   */
  create_webrtc_data_channel(peer: string, options?: CallOptions): Promise<ChannelInfo>;
  /**
   * Resolves with the message's id when it is accepted: queued, within a bound of what is not acknowledged. It is then
   * delivered once and in order, across changes of path and for as long as this node lives, or named in an event
   * "message:undelivered"; both only where the peer ended between taking and acknowledging it. Ids of one peer count up.
   * A peer that was never reached accepts nothing: such sends reject with the channel. Up to 16 MiB, copied before this
   * returns.
   */
  send_webrtc_message(peer: string, data: Uint8Array, options?: SendOptions): Promise<number>;
  /**
   * Sends a short message (up to 16 KiB) that does not wait for those before it: on a stream of its own, received before
   * whatever waits there, in no order but that of urgent messages whose sending was awaited. Resolves when it waits for the
   * peer's application. It arrives once or not at all and is not kept for another path: after TIMEOUT, CONNECTION_LOST and
   * NODE_MOVED it may have arrived. STREAM_RESET when 64 of them wait there; PROTOCOL_UNSUPPORTED from peers without them.
   */
  send_urgent_webrtc_message(peer: string, data: Uint8Array, options?: CallOptions): Promise<void>;
  /** The next message of that peer, who need not be there yet; STREAM_BUSY while, or as soon as, `on_webrtc_message` has a callback. */
  receive_webrtc_message(peer: string, options?: CallOptions): Promise<Uint8Array>;
  /**
   * Every message of every peer, in order; what had been waiting comes first, and `receive_webrtc_message` gets
   * nothing more. When `callback` returns a promise, the next message of that peer waits for it (back-pressure), as
   * long as the callback is subscribed.
   */
  on_webrtc_message(callback: (peer_id: string, data: Uint8Array) => void | Promise<void>): Unsubscribe;
  /**
   * `for await (const { peer_id, data } of node)`: the messages of all peers until the node is freed, each peer's next
   * one when this one was asked for. Counts as a callback of `on_webrtc_message`. What a loop that is left did not get waits.
   */
  [Symbol.asyncIterator](): AsyncIterableIterator<ReceivedMessage>;
  /** Delivers what was accepted, then closes. */
  close_webrtc_data_channel(peer: string, options?: CallOptions): Promise<void>;

  /** With automatic signaling these observe; with `signaling: "manual"` the page answers. */
  on_webrtc_offer(callback: (peer_id: string, offer: SessionDescription) => void): Unsubscribe;
  on_webrtc_answer(callback: (peer_id: string, answer: SessionDescription) => void): Unsubscribe;
  on_webrtc_ice_candidate(callback: (peer_id: string, candidate: IceCandidate) => void): Unsubscribe;
  send_webrtc_offer(peer: string, offer: SessionDescription, options?: CallOptions): Promise<void>;
  send_webrtc_answer(peer: string, answer: SessionDescription, options?: CallOptions): Promise<void>;
  send_webrtc_ice_candidate(peer: string, candidate: IceCandidate, options?: CallOptions): Promise<void>;
  /** Reaches a peer (id, or full multiaddr) through whatever relay or address is known; direct where possible. */
  create_webrtc_connection(peer: string, options?: CallOptions): Promise<ConnectionInfo>;

  get_peers(options?: CallOptions): Promise<PeerInfo[]>;
  get_connection_stats(peer: string, options?: CallOptions): Promise<ConnectionStats>;
  /** Measures one round trip, in milliseconds; several to one peer at once take their turns. */
  ping(peer: string, options?: CallOptions): Promise<number>;
  /** Figures of the whole node, its relays and peers. */
  get_stats(options?: CallOptions): Promise<NodeStats>;
  /**
   * Tries out what the node needs, part by part: `on_check` hears of each as it begins (`running`) and as it ends. A
   * check that fails rejects nothing; each takes 15 s at most, and `timeout_ms` holds for each. Chain servers are tried
   * once something of the trading half was used.
   */
  run_diagnostics(options?: CallOptions & { on_check?: ((check: DiagnosticCheck) => void) | null }): Promise<DiagnosticCheck[]>;
  /** What to hand to whoever helps: the checks, figures and latest events, without addresses, peer ids and keys. */
  create_report(options?: CallOptions): Promise<Record<string, unknown>>;
  on_event(callback: (event: DarkSwapEvent) => void): Unsubscribe;

  // --- trading

  /**
   * Wallets that can be connected now: "seed", and the extensions found in the page. It answers at once; extensions that
   * come later, up to seconds after the page, are told by `wallet_available`.
   */
  get_available_wallets(options?: CallOptions): Promise<WalletKind[]>;
  /** Opens, makes or restores a wallet, then takes up the trades that were going on. */
  connect_wallet(config: WalletConfig, options?: CallOptions): Promise<WalletInfo>;
  disconnect_wallet(options?: CallOptions): Promise<void>;
  is_wallet_connected(options?: CallOptions): Promise<boolean>;
  get_wallet_info(options?: CallOptions): Promise<WalletInfo | null>;
  /** The words of a seed wallet. */
  export_mnemonic(passphrase?: string | null, options?: CallOptions): Promise<string>;
  get_address(purpose?: "assets" | "payment" | null, options?: CallOptions): Promise<string>;
  /** Bitcoin first, then runes and alkanes. */
  get_balances(options?: CallOptions): Promise<Balance[]>;
  get_coins(options?: CallOptions): Promise<Coin[]>;
  /** Keeps a coin from being spent, or lets it go. */
  freeze_coin(outpoint: string, on: boolean, options?: CallOptions): Promise<void>;
  /**
   * Frees a coin reserved for a trade or an order whose record is lost or unreadable. A signature for it may still be
   * out: then whoever has that may spend the coin before you do. INVALID_ARGUMENT while a trade or order that is known
   * on this device holds it, or it is frozen.
   */
  release_coin(outpoint: string, options?: CallOptions): Promise<void>;
  /** BIP322 "simple", base64. */
  sign_message(message: string, options?: CallOptions): Promise<string>;

  check_order(draft: OrderDraft, options?: CallOptions): Promise<OrderCheck>;
  create_order(draft: OrderDraft, options?: CallOptions): Promise<Order>;
  /** As the original bindings take it: amounts and price as decimal strings, `expiry` in seconds from now. */
  create_order(
    base_type: AssetKind, base_id: string, quote_type: AssetKind, quote_id: string, side: Side, amount: string,
    price: string, expiry?: number | null, options?: CallOptions,
  ): Promise<Order>;
  /** Owner only: signed again with the next sequence number. */
  update_order(
    order_id: string, change: { price?: string; total?: string; expires_in?: number; paused?: boolean }, options?: CallOptions,
  ): Promise<Order>;
  cancel_order(order_id: string, options?: CallOptions): Promise<Order>;
  /** null: not known here. */
  get_order(order_id: string, options?: CallOptions): Promise<Order | null>;
  get_orders(options?: CallOptions): Promise<Order[]>;
  /** From its text, or a link that holds it; its signature and the coins behind it are checked. */
  import_order(text: string, options?: CallOptions): Promise<Order>;

  /** Resolves as soon as the maker was asked; progress by `on_event`, the end by `wait_for_trade`. `amount` of base. */
  take_order(order_id: string, amount?: string | null, options?: TakeOptions): Promise<Trade>;
  /** After `review: true`: sign what `effect` says. */
  confirm_trade(trade_id: string, options?: CallOptions): Promise<Trade>;
  get_trade(trade_id: string, options?: CallOptions): Promise<Trade | null>;
  get_trades(options?: CallOptions): Promise<Trade[]>;
  /** Possible until our signature has left. */
  cancel_trade(trade_id: string, reason?: string | null, options?: CallOptions): Promise<Trade>;
  /** Spends a coin of the trade to ourselves, so that the signature given away is worth nothing. */
  revoke_trade(trade_id: string, options?: RevokeOptions): Promise<Trade>;
  /**
   * Speeds up a settlement that waits for a block: a child of your bitcoin output in it pays for both (CPFP). Again, with
   * a higher rate, it replaces the child. `can_bump_fee` says whether there is such an output.
   */
  bump_trade_fee(trade_id: string, options?: BumpOptions): Promise<{ txid: string; fee_sats: bigint }>;
  /** What `revoke_trade` would cost now, and what it may cost where `max_fee_sats` does not say. */
  estimate_revoke_fee(trade_id: string, options?: CallOptions): Promise<{ fee_sats: bigint; max_fee_sats: bigint }>;
  /** Until it is completed, failed, canceled or expired; `timeout_ms` defaults to 300000. */
  wait_for_trade(trade_id: string, options?: CallOptions): Promise<Trade>;

  /** By id ("840000:1") or name; null when there is none. */
  get_rune_info(id: string, options?: CallOptions): Promise<RuneInfo | null>;
  get_alkane_info(id: string, options?: CallOptions): Promise<AlkaneInfo | null>;
}

/**
 * One RTCPeerConnection with one data channel. The page carries descriptions and candidates to the other side. It lives in
 * the tab that made it: where another tab runs the node, call `init({ python: true })` first (else NOT_INITIALIZED).
 */
export class WebRtcConnection {
  constructor(configuration?: {
    ice_servers?: { urls: string | string[]; username?: string; credential?: string }[];
    relay_only?: boolean;
  });
  /** Also sets it as the local description. Create the data channel first. */
  create_offer(options?: CallOptions): Promise<SessionDescription>;
  create_answer(options?: CallOptions): Promise<SessionDescription>;
  set_remote_description(description: SessionDescription, options?: CallOptions): Promise<void>;
  /** Candidates that come before the remote description are kept for it. */
  add_ice_candidate(candidate: IceCandidate, options?: CallOptions): Promise<void>;
  create_data_channel(label: string, options?: CallOptions): Promise<void>;
  /** Resolves when the browser's send buffer has room again. */
  send_message(data: Uint8Array, options?: CallOptions): Promise<void>;
  close_data_channel(options?: CallOptions): Promise<void>;
  close(options?: CallOptions): Promise<void>;
  free(): void;
  [Symbol.dispose](): void;

  on_ice_candidate(callback: (candidate: IceCandidate) => void): Unsubscribe;
  on_data_channel_open(callback: (label: string) => void): Unsubscribe;
  on_data_channel_message(callback: (data: Uint8Array) => void): Unsubscribe;
  on_data_channel_close(callback: () => void): Unsubscribe;
}
