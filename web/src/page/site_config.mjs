/** What whoever serves the page says of its network, and the configuration of the node that comes of it. */

/** `/config.json` is written by whoever serves the page; without one there are no relays but those of links. */
export async function readConfig() {
  try {
    const answer = await fetch(new URL("config.json", document.baseURI), { cache: "no-cache" });
    const { relays = [], network = {}, bitcoin = {}, chain = {}, trade = {} } = answer.ok ? await answer.json() : {};
    return { relays, network, bitcoin, chain, trade };
  } catch {
    return { relays: [], network: {}, bitcoin: {}, chain: {}, trade: {} };
  }
}

/** `?direct=off` keeps to the relay, for those who want to see how that looks. */
export function nodeConfig(config, options) {
  const network = { ...config.network };
  if (options.get("direct") === "off") network.direct = false;
  const { bitcoin, trade } = config;
  // `assets`, which the page offers by name, are no setting of the node.
  const { assets, ...chain } = config.chain;
  return { network, bitcoin, chain, trade };
}
