/** Going on with what the node before this one had. */

/** Its reservations, channels and wallet; `state` as of `NodeState.save`. */
export function takeUp(hub, { relays, peers, wallet }) {
  const lost = (peer_id) => () => hub.tell({ type: "channel:close", peer_id, state: "closed", path: "none", reason: "the node moved" });
  const locked = ({ code }) => hub.tell({ type: "wallet_disconnected", reason: code });
  // What fails is asked for again by the node itself, and told as "relay:failed".
  for (const [, address] of relays) hub.run("make_webrtc_relay_reservation", [address]).catch(() => {});
  for (const peer of peers) hub.run("create_webrtc_data_channel", [peer]).catch(lost(peer));
  if (wallet?.isLocked) locked({ code: "locked" });
  else if (wallet) hub.run("connect_wallet", [wallet.config]).catch(locked);
}
