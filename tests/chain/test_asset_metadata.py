"""What several indexes say an asset is, of which one lies: an amount means nothing without its decimals."""

from __future__ import annotations

from typing import Any

import pytest

from darkswap_browser.errors import ChainInconsistent
from darkswap_browser.market.assets import AssetKind
from tests.chain.test_quorum import GOODS, opened
from tests.support.chain_servers import ChainServer, esplora, ord_server


def described(**entry: Any) -> ChainServer:
    """An index that says otherwise of its rune."""
    server = ord_server()
    for path in ("GET /rune/1:0", "GET /rune/UNCOMMONGOODS"):
        rune = server.routes[path]
        server.routes[path] = {**rune, "entry": {**rune["entry"], **entry}}
    return server


@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("lie", [{"divisibility": 0}, {"spaced_rune": "OTHER•NAME"}])
async def test_one_lying_index_of_two_does_not_say_what_an_asset_is(lie: dict[str, Any], first: bool) -> None:
    indexes = (described(**lie), ord_server()) if first else (ord_server(), described(**lie))
    chain = opened(esplora(), ord=indexes).chain
    with pytest.raises(ChainInconsistent):
        await chain.info(GOODS)
    with pytest.raises(ChainInconsistent):
        await chain.find(AssetKind.RUNE, "UNCOMMONGOODS")


async def test_two_of_three_indexes_outvote_a_liar_on_what_an_asset_is() -> None:
    chain = opened(esplora(), ord=(described(divisibility=0), ord_server(), ord_server())).chain
    found = await chain.find(AssetKind.RUNE, "UNCOMMONGOODS")
    assert found is not None and (found.decimals, found.agreed_by) == (2, 2)
    assert await chain.info(GOODS) == found


async def test_an_index_that_alone_does_not_know_an_asset_is_no_answer() -> None:
    blank = ord_server()
    del blank.routes["GET /rune/1:0"]
    with pytest.raises(ChainInconsistent, match="what RUNE:1:0 is"):
        await opened(esplora(), ord=(ord_server(), blank)).chain.info(GOODS)
