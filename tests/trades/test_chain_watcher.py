from __future__ import annotations

import asyncio

from darkswap_browser.bitcoin.transaction import OutPoint, Transaction, TxInput, TxOutput
from darkswap_browser.settlement.effects import Watch
from darkswap_browser.trades.chain_watcher import (
    FAST_POLL_SECONDS,
    ChainObservation,
    ChainUnavailable,
    ChainWatcher,
    InBlock,
    InMempool,
    NotSeen,
    SpentElsewhere,
)
from tests.support.chain import SimChain, SimServers

SELF_SPEND = "11" * 32
SCRIPT = b"\x51\x20" + bytes(32)


class Scene:
    def __init__(self) -> None:
        self.chain = SimChain()
        self.servers = SimServers(self.chain)
        self.coin = self.chain.fund(SCRIPT, 10_000)
        self.sights: list[ChainObservation] = []
        self.watcher = ChainWatcher(self.servers, lambda trade_id, observation: self.sights.append(observation))
        self.made = spending(self.coin, 9000)
        self.watcher.watch("one", Watch((self.made.txid, SELF_SPEND), (self.coin,)))

    async def see(self, seconds: float = FAST_POLL_SECONDS) -> ChainObservation:
        await asyncio.sleep(seconds + 0.01)
        return self.sights[-1]


def spending(coin: OutPoint, sats: int) -> Transaction:
    return Transaction((TxInput(coin, witness=(b"\x00" * 64,)),), (TxOutput(sats, SCRIPT),))


async def test_a_settlement_is_seen_from_nowhere_to_mempool_to_depth_and_back() -> None:
    scene = Scene()
    assert await scene.see() == NotSeen()
    scene.chain.accept(scene.made.serialize())
    assert await scene.see() == InMempool(scene.made.txid)
    scene.chain.mine()
    observation = await scene.see()
    assert isinstance(observation, InBlock)
    assert (observation.height, observation.confirmations) == (2, 1)
    scene.chain.mine(2)
    observation = await scene.see()
    assert isinstance(observation, InBlock)
    assert observation.confirmations == 3
    scene.chain.reorg(3)
    assert await scene.see() == InMempool(scene.made.txid)
    await scene.watcher.close()


async def test_watch_that_begins_before_the_broadcast_sees_it_within_half_a_second() -> None:
    scene = Scene()
    await asyncio.sleep(0.01)
    scene.chain.accept(scene.made.serialize())
    assert await scene.see(0.5) == InMempool(scene.made.txid)
    await scene.watcher.close()


async def test_another_spend_is_told_with_its_depth_and_what_it_spends() -> None:
    scene = Scene()
    rival = spending(scene.coin, 5000)
    scene.chain.accept(rival.serialize())
    assert await scene.see() == SpentElsewhere(rival.txid, 0)
    scene.chain.mine()
    assert await scene.see() == SpentElsewhere(rival.txid, 1)
    await scene.watcher.close()


async def test_depth_one_server_that_is_far_ahead_does_not_make_a_settlement_deep() -> None:
    scene = Scene()
    scene.servers.told_height = 100
    scene.chain.accept(scene.made.serialize())
    scene.chain.mine()
    observation = await scene.see()
    assert isinstance(observation, InBlock) and observation.confirmations == 1
    await scene.watcher.close()
    scene = Scene()
    scene.servers.told_height = 100
    rival = spending(scene.coin, 5000)
    scene.chain.accept(rival.serialize())
    scene.chain.mine()
    assert await scene.see() == SpentElsewhere(rival.txid, 1)
    await scene.watcher.close()


async def test_silent_servers_are_told_and_looked_at_again() -> None:
    scene = Scene()
    scene.servers.down = True
    assert isinstance(await scene.see(), ChainUnavailable)
    scene.servers.down = False
    assert isinstance(await scene.see(), NotSeen)
    await scene.watcher.close()


async def test_looks_are_frequent_at_first_share_the_tip_and_stop_when_forgotten() -> None:
    scene = Scene()
    scene.chain.accept(scene.made.serialize())
    scene.chain.mine()
    scene.watcher.watch("two", Watch((scene.made.txid,), (scene.coin,)))
    await asyncio.sleep(179)
    assert scene.servers.asked.count("tip") == 89
    scene.servers.asked.clear()
    await asyncio.sleep(200)
    assert scene.servers.asked.count("tip") <= 11
    scene.watcher.forget("one")
    scene.watcher.forget("two")
    scene.servers.asked.clear()
    await asyncio.sleep(100)
    assert scene.servers.asked == []
    assert scene.watcher.watching == ()
    await scene.watcher.close()
