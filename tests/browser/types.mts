// Compiled, never run: what a page in TypeScript may write against darkswap.d.ts.
import init, {
  DarkSwapError, DarkSwapWasm, WebRtcConnection, version,
  type DarkSwapEvent, type Order, type OrderCheck, type OrderDraft, type RelayReservation, type RuneInfo, type Trade,
  type Unsubscribe, type WalletInfo,
} from "./darkswap.mjs";

const loaded = await init({ onProgress: ({ stage, fraction }) => console.log(stage, fraction.toFixed(2)) });
const text: string = loaded.version + version;

const darkswap = new DarkSwapWasm.new_with_defaults("regtest");
const same: DarkSwapWasm = DarkSwapWasm.new_with_defaults("signet");
// @ts-expect-error: not a network
DarkSwapWasm.new_with_defaults("dogecoin");
// @ts-expect-error: not a setting
new DarkSwapWasm({ network: { relay: [] } });

const reservation: RelayReservation = await darkswap.make_webrtc_relay_reservation("relay", { timeout_ms: 1000 });
const expires: number = reservation.expires_at;
await darkswap.connect_through_webrtc_relay("relay", "peer", { signal: AbortSignal.timeout(1000) });
const metrics = await darkswap.get_webrtc_relay_metrics();
console.log(`Active connections: ${metrics.active_connections}`);
await darkswap.send_urgent_webrtc_message("peer", new Uint8Array(3), { timeout_ms: 1000 });
const checks = await darkswap.run_diagnostics({ on_check: ({ name, status }) => console.log(name, status) });
const failed: string[] = checks.filter((each) => each.status === "failed").map((each) => each.hint);
const relays: boolean[] = (await darkswap.get_stats()).relays.map((each) => each.reserved);
console.log(failed, relays, JSON.stringify(await darkswap.create_report()));
await darkswap.send_webrtc_message("peer", new Uint8Array(3), { on_progress: (sent, total) => sent / total });
// @ts-expect-error: text is not bytes
await darkswap.send_webrtc_message("peer", "text");
const data: Uint8Array = await darkswap.receive_webrtc_message("peer");

const told = (event: DarkSwapEvent): string => {
  switch (event.type) {
    case "dial:step": return event.step + event.detail;
    case "channel:open": return event.path;
    case "relay:reserved": return event.relay_peer_id;
    case "error": return event.code;
    default: return String(event.at);
  }
};
const end: Unsubscribe = darkswap.on_event((event) => void told(event));
end();

const wallet: WalletInfo = await darkswap.connect_wallet({ type: "seed", passphrase: "of eight letters" });
// @ts-expect-error: an extension keeps its words
await darkswap.connect_wallet({ type: "unisat", mnemonic: "abandon" });
const [bitcoin] = await darkswap.get_balances({ timeout_ms: 1000 });
const sum: bigint = bitcoin.available_atoms + (await darkswap.get_coins())[0].sats;
const draft: OrderDraft = { base_asset: "RUNE:840000:1", quote_asset: "BTC", side: "sell", amount: "10.5", price: "0.00001" };
// @ts-expect-error: an amount is a text
const wrong: OrderDraft = { ...draft, amount: 10.5 };
const check: OrderCheck = await darkswap.check_order(draft);
const order: Order = check.ok ? await darkswap.create_order(draft) : await darkswap.import_order("darkswap:1…");
await darkswap.create_order("rune", "840000:1", "btc", "", "sell", "10.5", "0.00001", 3600, { timeout_ms: 1000 });
const trade: Trade = await darkswap.take_order(order.id, "5.25", { review: true, fee_rate: 2.5, max_fee_sats: 900, timeout_ms: 1000 });
await darkswap.take_order(order.id, null, { review: true, signal: null });
// @ts-expect-error: not an option
await darkswap.take_order(order.id, null, { reveiw: true });
const given: bigint | undefined = trade.effect?.gives[0].atoms;
const over: Trade = await darkswap.wait_for_trade((await darkswap.confirm_trade(trade.id)).id, { signal: AbortSignal.timeout(1000) });
const rune: RuneInfo | null = await darkswap.get_rune_info("840000:1");
darkswap.on_event((event) => {
  if (event.type === "trade_completed") console.log(event.trade_id, event.trade.txid, event.at);
  if (event.type === "order_filled") console.log(event.order.remaining_atoms + sum);
});
console.log(wallet.is_new, wrong, over.advice, rune?.decimals, given);

const connection = new WebRtcConnection({ ice_servers: [{ urls: "stun:stun.example" }] });
connection.on_ice_candidate(({ candidate, sdpMid }) => console.log(candidate, sdpMid));
await connection.set_remote_description(await connection.create_offer());
try {
  await darkswap.start();
} catch (error) {
  if (error instanceof DarkSwapError && error.code === "TIMEOUT" && error.retryable) console.log(error.hint);
}
{
  using scoped = DarkSwapWasm.new_with_defaults("regtest");
  await using other = DarkSwapWasm.new_with_defaults("regtest");
  console.log(scoped.version(), other.version(), text, expires, data, same);
}
