"""What the chain says of a settlement's coins, while blocks arrive."""

from __future__ import annotations

from darkswap_browser.chain.base import ChainConfig
from darkswap_browser.chain.quorum import open_chain
from darkswap_browser.trades.chain_snapshot import fetch_chain_snapshot
from tests.chain.test_quorum import KNOWN, OUT, STATUS
from tests.support.chain_servers import Hosts, block_hash, esplora


async def test_coin_of_a_block_that_just_came_has_a_confirmation() -> None:
    hosts, server = Hosts(), esplora()
    config = ChainConfig(esplora=(hosts.serve("e", server),), ord=(), alkanes=(), quorum=1)
    chain = open_chain(config, fetch=hosts.page.fetch, store=hosts.page.store, entropy=hosts.page.entropy)
    assert (await chain.tip(verify=True)).height == 800_000
    height, mined = 800_001, block_hash(800_001)
    server.routes |= {
        "GET /blocks/tip/height": str(height),
        f"GET /block-height/{height}": mined,
        STATUS: server.routes[STATUS] | {"block_height": height, "block_hash": mined},
    }
    snapshot = await fetch_chain_snapshot(chain, [OUT], 0.0)
    assert snapshot.of(OUT).height == snapshot.tip_height == height
    assert snapshot.of(OUT).raw == KNOWN.serialize()
