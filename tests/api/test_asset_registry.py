"""What assets are called: kept in the store as a cache, whose troubles fail no call that only reads."""

from __future__ import annotations

import pytest

from darkswap_browser.api.trading.assets import AssetRegistry
from darkswap_browser.api.trading.info import order_info
from darkswap_browser.errors import ChainUnreachable, InvalidOrder, StorageFull
from darkswap_browser.market.assets import AssetKind, AssetMetadata
from darkswap_browser.testing.host import SimulatedStore
from tests.support.chain import SimChain, SimServers
from tests.support.trade_world import CAT, DOG, NETWORK, TradeWorld, sells_dog

INFOS = {each: AssetMetadata(asset=each, name=name, decimals=2) for each, name in ((DOG, "DOG"), (CAT, "CAT"))}


class _FailingStore(SimulatedStore):
    async def get(self, key: str) -> bytes | None:
        raise StorageFull("the store", "cannot even be read")


def _servers() -> SimServers:
    servers = SimServers(SimChain())
    servers.chain.infos.update(INFOS)
    return servers


async def test_names_of_assets_with_a_full_store_are_told() -> None:
    servers, store = _servers(), SimulatedStore()
    store.full = True
    registry = AssetRegistry(lambda: servers, store, NETWORK)
    assert await registry.info(DOG) == INFOS[DOG]
    assert await registry.shown(CAT) == INFOS[CAT]
    for _ in range(2):
        assert await registry.find(AssetKind.RUNE, "DOG") == INFOS[DOG]


async def test_names_of_assets_without_an_index_come_from_the_store_or_are_their_ids() -> None:
    servers, store = _servers(), SimulatedStore()
    await AssetRegistry(lambda: servers, store, NETWORK).info(DOG)
    servers.down = True
    registry = AssetRegistry(lambda: servers, store, NETWORK)
    assert await registry.shown(DOG) == INFOS[DOG]
    assert (await registry.shown(CAT)).name == str(CAT)


async def test_names_of_assets_without_an_index_and_a_store_fail_for_the_index() -> None:
    servers = _servers()
    servers.down = True
    registry = AssetRegistry(lambda: servers, _FailingStore(), NETWORK)
    assert (await registry.shown(DOG)).name == str(DOG)
    with pytest.raises(ChainUnreachable):
        await registry.info(DOG)


async def test_what_fewer_indexes_said_than_must_agree_now_is_not_taken_from_the_store() -> None:
    servers, store = _servers(), SimulatedStore()
    await AssetRegistry(lambda: servers, store, NETWORK).info(DOG)
    servers.down, servers.needed = True, 2
    with pytest.raises(ChainUnreachable):
        await AssetRegistry(lambda: servers, store, NETWORK).info(DOG)


async def test_an_order_of_other_decimals_than_the_indexes_tell_is_refused() -> None:
    """One lying index made "1000 DOG" of 10.00."""
    registry = AssetRegistry(lambda: servers, SimulatedStore(), NETWORK)
    servers = _servers()
    assert await registry.agreed(DOG, 2, "base_asset") == INFOS[DOG]
    with pytest.raises(InvalidOrder, match="has 2 decimals by your indexes, and 0 by the order") as refused:
        await registry.agreed(DOG, 0, "base_asset")
    assert refused.value.path == "base_asset"


async def test_amounts_of_an_order_are_shown_with_its_makers_decimals_while_no_index_tells() -> None:
    """Whole atoms beside them would be a hundred times as much."""
    servers, store = _servers(), SimulatedStore()
    servers.down = True
    registry = AssetRegistry(lambda: servers, store, NETWORK)
    async with TradeWorld() as world:
        view = await sells_dog(world, 600, 30_000)
        sheet = await order_info(view, registry)
        assert (sheet.amount, sheet.base.decimals, sheet.base.name) == ("6", 2, str(DOG))
        servers.down = False
        assert (await order_info(view, registry)).base.name == "DOG"
