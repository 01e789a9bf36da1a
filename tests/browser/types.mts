// Compiled, never run: what a page in TypeScript may write against darkswap.d.ts.
import init, {
  DarkSwapError, DarkSwapWasm, WebRtcConnection, version,
  type DarkSwapEvent, type RelayReservation, type Unsubscribe,
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
