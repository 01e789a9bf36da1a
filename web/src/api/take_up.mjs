/** Going on with what the node before this one had. */

/** Milliseconds in which the tab whose wallet was connected comes to the tab that runs the node now. */
const PATIENCE = 5000;

/** Its reservations, channels, trades and wallet; `state` as of `NodeState.save`. */
export function takeUp(hub, { relays, peers, isTrading, wallet }) {
  const lost = (peer_id) => () => hub.tell({ type: "channel:close", peer_id, state: "closed", path: "none", reason: "the node moved" });
  // What fails is asked for again by the node itself, and told as "relay:failed".
  for (const [, address] of relays) hub.run("make_webrtc_relay_reservation", [address]).catch(() => {});
  for (const peer of peers) hub.run("create_webrtc_data_channel", [peer]).catch(lost(peer));
  // Trades go on without a wallet, as far as they can.
  if (isTrading) hub.run("get_trades", []).catch(() => {});
  if (wallet) void connectAgain(hub, wallet);
}

/** Extensions are asked in the tab that connected them, and in no other. */
async function connectAgain(hub, { config, isLocked, tab }) {
  const gone = (reason) => hub.tell({ type: "wallet_disconnected", reason });
  if (isLocked) return gone("locked");
  const isElsewhere = config.type !== "seed" && tab !== hub.tab;
  if (isElsewhere && !(await hub.hasTab(tab, PATIENCE))) return gone("The tab with the wallet is gone.");
  await hub.run("connect_wallet", isElsewhere ? [config, tab] : [config]).catch(({ code }) => gone(code));
}
