"""Coins whose trade, order or reservations cannot be read: told, in nobody's way, and freed by a call."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from darkswap_browser.api.darkswap import DarkSwap
from darkswap_browser.api.network import Network
from darkswap_browser.api.records import DarkSwapEvent
from darkswap_browser.api.trading import lost_coins
from darkswap_browser.bitcoin.transaction import OutPoint
from darkswap_browser.errors import InvalidArgument
from darkswap_browser.node.config import NetworkConfig
from darkswap_browser.node.identity import load_identity
from darkswap_browser.testing.host import SimulatedStore
from darkswap_browser.testing.world import SimulatedWorld
from darkswap_browser.wallets.reservations import ReservationTable
from tests.support import private_sales
from tests.support.native_identity import CRYPTO
from tests.support.trade_world import NETWORK, TradeWorld, sells_dog

CONFIG = NetworkConfig(bitcoin_network=NETWORK)
TRADE = "ab" * 16
COIN, OTHER = (OutPoint(f"{number:064x}", number) for number in (1, 2))


async def test_unreadable_trade_is_told_with_its_coins_and_release_coin_frees_them() -> None:
    world = SimulatedWorld(crypto=CRYPTO)
    node, store = DarkSwap(CONFIG, world.runtime("alice")), world.store("alice")
    events: list[DarkSwapEvent] = []
    node.subscribe(events.append)
    await Network.start(node)
    key = f"trades/{NETWORK}/{(await load_identity(CONFIG, node.runtime)).peer_id}/{TRADE}"
    await store.put(key, b"of another version")
    await store.put(f"coins/{NETWORK}", ReservationTable({COIN: TRADE, OTHER: "cd" * 16}).encode())
    assert await node.get_trades() == []
    await asyncio.sleep(1)
    (told,) = (event.fields for event in events if event.type == "error")
    assert told["code"] == "MALFORMED_MESSAGE" and key in str(told["message"])
    assert str(COIN) in str(told["hint"]) and str(OTHER) not in str(told["hint"])
    for _ in range(2):  # the second changes nothing
        await node.release_coin(str(COIN))
        assert ReservationTable.decode(await store.get(f"coins/{NETWORK}") or b"").held == {OTHER: "cd" * 16}
    await asyncio.sleep(1)
    assert [event.type for event in events].count("balance_updated") == 1
    assert await store.get(f"quarantine/{key}") == b"of another version"
    await node.stop()


async def test_kept_trades_and_orders_leave_what_they_cannot_read_to_the_program_that_trades() -> None:
    world = SimulatedWorld(crypto=CRYPTO)
    node, store = DarkSwap(CONFIG, world.runtime("alice")), world.store("alice")
    events: list[DarkSwapEvent] = []
    node.subscribe(events.append)
    peer = (await load_identity(CONFIG, node.runtime)).peer_id
    for kind in ("trades", "orders"):
        await store.put(f"{kind}/{NETWORK}/{peer}/{TRADE}", b"of another version")
    assert (await node.kept_trades(), await node.kept_orders()) == ([], [])
    await asyncio.sleep(1)
    for kind in ("trades", "orders"):
        assert await store.get(f"{kind}/{NETWORK}/{peer}/{TRADE}") == b"of another version"
    assert await store.keys("quarantine/") == []
    told = [str(event.fields["hint"]) for event in events if event.type == "error"]
    assert len(told) == 2 and not any("quarantine/" in hint for hint in told)
    await node.stop()


async def test_reservations_made_anew_leave_the_records_of_other_identities_where_they_are() -> None:
    world = SimulatedWorld(crypto=CRYPTO)
    store = world.store("alice")
    key = f"trades/{NETWORK}/12D3KooWSomebodyElse/{TRADE}"
    await store.put(key, b"of another version")
    await store.put(f"coins/{NETWORK}", b"{")
    async with DarkSwap(CONFIG, world.runtime("alice")) as node:
        await node.release_coin(str(COIN))
    assert await store.get(key) == b"of another version"
    assert await store.keys("quarantine/") == [f"quarantine/coins/{NETWORK}"]


@pytest.mark.parametrize(
    ("owner", "record"),
    [
        (TRADE, f"trades/{NETWORK}/12D3KooWSomebodyElse/{TRADE}"),
        (TRADE, f"pending-takes/{NETWORK}/12D3KooWMe/{TRADE}"),
        (f"order {TRADE}", f"orders/{NETWORK}/12D3KooWMe/{TRADE}"),
        (f"cancel {TRADE}", f"orders/{NETWORK}/12D3KooWMe/{TRADE}"),
        (f"order {TRADE}", f"pending-sales/{NETWORK}/12D3KooWMe/{TRADE}"),
    ],
)
async def test_release_coin_with_an_owner_of_any_identity_is_refused(owner: str, record: str) -> None:
    world = SimulatedWorld(crypto=CRYPTO)
    node, store = DarkSwap(CONFIG, world.runtime("alice")), world.store("alice")
    await store.put(f"coins/{NETWORK}", ReservationTable({COIN: owner}, {OTHER}).encode())
    await store.put(record, b"whatever it says")
    for outpoint, word in ((COIN, "reserved"), (OTHER, "frozen")):
        with pytest.raises(InvalidArgument, match=word):
            await node.release_coin(str(outpoint))
    # The same name on another network is another trade.
    await store.delete(record)
    await store.put(record.replace(NETWORK, "signet"), b"whatever it says")
    await node.release_coin(str(COIN))
    assert ReservationTable.decode(await store.get(f"coins/{NETWORK}") or b"").held == {}


class _Moving(SimulatedStore):
    """Once a look at one of `kinds` is over, what goes on moves its record from the first of them to the second."""

    def __init__(self, kinds: tuple[str, str]) -> None:
        super().__init__()
        self._kinds = kinds

    async def keys(self, prefix: str) -> list[str]:
        found = await super().keys(prefix)
        begun, kept = (f"{kind}/{NETWORK}/12D3KooWMe/{TRADE}" for kind in self._kinds)
        if prefix.partition("/")[0] in self._kinds and await self.get(begun) is not None:
            await self.put(kept, b"whatever it says")
            await self.delete(begun)
        return found


@pytest.mark.parametrize(
    ("owner", "kinds"), [(TRADE, ("pending-takes", "trades")), (f"order {TRADE}", ("pending-sales", "orders"))]
)
async def test_release_coin_while_its_owner_is_just_kept_is_refused(owner: str, kinds: tuple[str, str]) -> None:
    async with TradeWorld() as world:
        await world.taker.peer.runtime.store.put(f"coins/{NETWORK}", ReservationTable({COIN: owner}).encode())
        store = _Moving(kinds)
        await store.put(f"{kinds[0]}/{NETWORK}/12D3KooWMe/{TRADE}", b"begun")
        with pytest.raises(InvalidArgument, match="reserved"):
            await lost_coins.release(world.taker.coins, store, NETWORK, COIN)


async def test_coins_of_an_unreadable_trade_can_be_traded_again_once_released() -> None:
    async with TradeWorld() as world:
        order = await sells_dog(world)
        view = await world.taker.takes(order, review=True)
        await world.taker.until("reviewing")
        store = world.taker.peer.runtime.store
        (key,) = await store.keys("trades/")
        (coin,) = await lost_coins.of_record(world.taker.coins, key)
        with pytest.raises(InvalidArgument, match="reserved"):
            await lost_coins.release(world.taker.coins, store, NETWORK, coin)
        await world.taker.stop()
        await store.put(key, b"of another version")
        await world.maker.trades.cancel(world.maker.only().id)
        await world.reload(world.taker)
        assert world.taker.trades.all() == [] and len(world.taker.aside) == 1
        assert await world.taker.reserved(view.id) == 1
        assert await lost_coins.release(world.taker.coins, store, NETWORK, coin)
        await world.taker.takes(order)
        await world.settles()
        await world.taker.until("completed")


@pytest.mark.parametrize(
    "damage", [lambda text: text[:-2], lambda text: text.replace(b'"version": 1', b'"version": 2')]
)
async def test_unreadable_reservations_are_rebuilt_and_what_nobody_explains_stays_frozen(
    damage: Callable[[bytes], bytes],
) -> None:
    async with TradeWorld() as world:
        order = await sells_dog(world)
        view = await world.taker.takes(order, review=True)
        await world.taker.until("reviewing")
        store, key = world.taker.peer.runtime.store, f"coins/{NETWORK}"
        (held,) = await world.taker.coins.reserved(view.id)
        await world.taker.coins.freeze(OTHER, True)
        damaged = damage(await store.get(key) or b"")
        await store.put(key, damaged)
        world.taker.give(200_000)
        await world.taker.coins.refresh()
        assert await store.get(f"quarantine/{key}") == damaged
        table = ReservationTable.decode(await store.get(key) or b"")
        assert (table.held, table.frozen) == ({held: view.id}, {OTHER})
        assert [told for told, _ in world.taker.aside] == [key]
        await world.taker.trades.confirm(view.id)
        await world.settles()
        await world.taker.until("completed")


async def test_unreadable_reservations_without_a_word_keep_coins_of_trades_and_private_sales() -> None:
    async with private_sales.world() as world:
        order = await private_sales.sells(world.maker)
        store, key = world.maker.peer.runtime.store, f"coins/{NETWORK}"
        await store.put(key, b"?")
        assert await private_sales.held(world.maker, order) == [private_sales.lot_of(order)]
        assert (await world.maker.orders.cancel(order.id)).id == order.id
        fees = await world.maker.coins.reserved(f"cancel {order.id}")
        await store.put(key, b"?")
        assert await world.maker.coins.reserved(f"cancel {order.id}") == fees
        assert await private_sales.held(world.maker, order) == [private_sales.lot_of(order)]


async def test_unreadable_reservations_are_told_once_and_no_call_fails() -> None:
    world = SimulatedWorld(crypto=CRYPTO)
    node, store = DarkSwap(CONFIG, world.runtime("alice")), world.store("alice")
    events: list[DarkSwapEvent] = []
    node.subscribe(events.append)
    await Network.start(node)
    await store.put(f"coins/{NETWORK}", f'{{"frozen": ["{COIN}'.encode())
    assert await node.get_trades() == []
    await node.release_coin(str(OTHER))
    await node.freeze_coin(str(OTHER), True)
    await asyncio.sleep(1)
    (told,) = (event.fields for event in events if event.type == "error")
    assert told["code"] == "MALFORMED_MESSAGE" and f"coins/{NETWORK}" in str(told["message"])
    assert str(COIN) in str(told["hint"]) and "freeze_coin" in str(told["hint"])
    await node.freeze_coin(str(COIN), False)
    assert ReservationTable.decode(await store.get(f"coins/{NETWORK}") or b"").frozen == {OTHER}
    await node.stop()
