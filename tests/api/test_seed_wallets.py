"""The wallet in the page as `connect_wallet` opens it: two tabs at once, and records that are damaged."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from itertools import count

import pytest

from darkswap_browser.api.darkswap import DarkSwap
from darkswap_browser.api.records import DarkSwapEvent
from darkswap_browser.errors import InvalidArgument, WalletFailed
from darkswap_browser.node.config import NetworkConfig
from darkswap_browser.testing.world import SimulatedWorld
from tests.support.cancelling import cancel_at, tasks_left
from tests.support.native_identity import CRYPTO
from tests.support.slow_store import SlowStore

CONFIG = NetworkConfig(bitcoin_network="regtest")
PLACE = "wallet/regtest/default"
OTHER_WORDS = "abandon " * 11 + "about"
DAMAGED = b"\x02damaged"


async def test_two_first_visits_at_once_open_one_wallet() -> None:
    world = SimulatedWorld(crypto=CRYPTO)
    store = SlowStore(world.store("alice"))
    tabs = world.runtime("alice"), world.tab("second", "alice")
    nodes = [DarkSwap(CONFIG, replace(each, store=store)) for each in tabs]
    one, two = await asyncio.gather(*(node.open_wallet({"type": "seed"}) for node in nodes))
    assert one.address == two.address
    assert sorted((one.is_new, two.is_new)) == [False, True]


async def test_same_words_restored_in_two_tabs_at_once_open_one_wallet() -> None:
    world = SimulatedWorld(crypto=CRYPTO)
    store = SlowStore(world.store("alice"))
    tabs = world.runtime("alice"), world.tab("second", "alice")
    nodes = [DarkSwap(CONFIG, replace(each, store=store)) for each in tabs]
    settings = {"type": "seed", "mnemonic": OTHER_WORDS}
    one, two = await asyncio.gather(*(node.open_wallet(settings) for node in nodes))
    assert one.address == two.address


async def test_damaged_wallet_is_told_stays_and_its_words_put_it_back() -> None:
    world = SimulatedWorld(crypto=CRYPTO)
    node, store = DarkSwap(CONFIG, world.runtime("alice")), world.store("alice")
    events: list[DarkSwapEvent] = []
    node.subscribe(events.append)
    made = await node.open_wallet({"type": "seed"})
    words = await node.export_mnemonic()
    await node.disconnect_wallet()
    await store.put(PLACE, DAMAGED)
    with pytest.raises(WalletFailed) as caught:
        await node.open_wallet({"type": "seed"})
    assert not caught.value.retryable
    assert "mnemonic" in caught.value.hint and "peer" not in caught.value.hint
    assert await store.get(PLACE) == DAMAGED
    back = await node.open_wallet({"type": "seed", "mnemonic": words})
    assert (back.address, back.is_new) == (made.address, False)
    assert await store.get(f"quarantine/{PLACE}") == DAMAGED
    await asyncio.sleep(1)
    assert [PLACE in str(each.fields["message"]) for each in events if each.type == "error"] == [True]
    await node.disconnect_wallet()
    assert (await node.open_wallet({"type": "seed"})).address == made.address
    await node.stop()


async def test_words_of_another_wallet_or_a_wrong_passphrase_replace_nothing() -> None:
    world = SimulatedWorld(crypto=CRYPTO)
    node, store = DarkSwap(CONFIG, world.runtime("alice")), world.store("alice")
    await node.open_wallet({"type": "seed", "passphrase": "right"})
    record = await store.get(PLACE)
    with pytest.raises(InvalidArgument, match="another wallet"):
        await node.open_wallet({"type": "seed", "passphrase": "right", "mnemonic": OTHER_WORDS})
    with pytest.raises(WalletFailed) as caught:
        await node.open_wallet({"type": "seed", "passphrase": "wrong", "mnemonic": OTHER_WORDS})
    assert "passphrase" in caught.value.hint and "name" in caught.value.hint
    assert await store.get(PLACE) == record
    assert await store.keys("quarantine/") == []


async def test_damaged_wallet_on_a_full_store_stays() -> None:
    world = SimulatedWorld(crypto=CRYPTO)
    node, store = DarkSwap(CONFIG, world.runtime("alice")), world.store("alice")
    await store.put(PLACE, DAMAGED)
    store.full = True
    with pytest.raises(Exception, match="takes no more"):
        await node.open_wallet({"type": "seed", "mnemonic": OTHER_WORDS})
    assert await store.get(PLACE) == DAMAGED
    store.full = False
    assert await node.open_wallet({"type": "seed", "mnemonic": OTHER_WORDS})


@pytest.mark.takes(30)
@pytest.mark.parametrize("words", [None, OTHER_WORDS])
async def test_connect_wallet_cancelled_at_any_await_connects_or_changes_nothing(words: str | None) -> None:
    settings = {"type": "seed", "mnemonic": words}
    for number in count(1):
        world = SimulatedWorld(number, crypto=CRYPTO)
        node = DarkSwap(CONFIG, replace(world.runtime("alice"), store=SlowStore(world.store("alice"))))
        before = asyncio.all_tasks()
        await node.start()
        outcome = await cancel_at(node.connect_wallet(settings), number)
        kept = await world.store("alice").get(PLACE)
        connected = await node.get_wallet_info()
        async with asyncio.timeout(60):
            info = await node.connect_wallet(settings)
        assert connected is None or connected.address == info.address
        assert kept in (None, await world.store("alice").get(PLACE))
        assert info.is_new == (words is None and kept is None), number
        await node.stop()
        await asyncio.sleep(1)
        assert tasks_left(before) == [], number
        if not outcome.was_cancelled:
            break
    assert number > 3
