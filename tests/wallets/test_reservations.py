from __future__ import annotations

import asyncio
import json

import pytest

from darkswap_browser.errors import InvalidArgument, MalformedMessage, TooManyRequests
from darkswap_browser.runtime.base.host import Runtime
from darkswap_browser.testing.world import SimulatedWorld
from darkswap_browser.wallets.reservations import (
    FROZEN,
    MAX_ENTRIES,
    MAX_RECORD,
    CoinReservations,
    ReservationTable,
    check_owner,
)
from tests.support.native_identity import CRYPTO
from tests.support.wallet_chain import outpoint

ONE = str(outpoint(1))
MALFORMED = (
    b"",
    b"[]",
    b"\xff",
    b"[" * 100_000,
    b'{"version": 2, "held": {}, "frozen": []}',
    b'{"version": 1, "held": [], "frozen": []}',
    b'{"version": 1, "held": {}}',
    b'{"version": 1, "held": {"x:0": "me"}, "frozen": []}',
    json.dumps({"version": 1, "held": {ONE: ""}, "frozen": []}).encode(),
    json.dumps({"version": 1, "held": {ONE: 7}, "frozen": []}).encode(),
    json.dumps({"version": 1, "held": {ONE: "x" * 129}, "frozen": []}).encode(),
    json.dumps({"version": 1, "held": {}, "frozen": [7]}).encode(),
    json.dumps({"version": 1, "held": {}, "frozen": [ONE] * (MAX_ENTRIES + 1)}).encode(),
    b" " * (MAX_RECORD + 1),
)


async def nothing_to_recover(key: str, data: bytes, reason: str) -> ReservationTable:
    raise MalformedMessage(key, reason)


def reservations(runtime: Runtime, network: str = "regtest") -> CoinReservations:
    return CoinReservations(runtime.store, runtime.locks, network, nothing_to_recover)


def test_a_record_is_read_as_it_was_written() -> None:
    claims = ReservationTable({outpoint(2): "trade", outpoint(1): "other"}, {outpoint(3)})
    assert ReservationTable.decode(claims.encode()) == claims
    assert claims.encode() == ReservationTable(dict(reversed(claims.held.items())), {outpoint(3)}).encode()
    assert ReservationTable.decode(ReservationTable().encode()) == ReservationTable()


@pytest.mark.parametrize("data", MALFORMED, ids=range(len(MALFORMED)))
def test_a_damaged_record_is_told(data: bytes) -> None:
    with pytest.raises(MalformedMessage):
        ReservationTable.decode(data)


def test_more_entries_than_can_be_read_are_not_written() -> None:
    with pytest.raises(TooManyRequests):
        ReservationTable(frozen={outpoint(number) for number in range(MAX_ENTRIES + 1)}).encode()


def test_a_frozen_coin_that_a_trade_holds_is_the_trades() -> None:
    claims = ReservationTable({outpoint(1): "trade"}, {outpoint(1), outpoint(2)})
    assert [claims.owner(outpoint(number)) for number in (1, 2, 3)] == ["trade", FROZEN, ""]


@pytest.mark.parametrize("owner", ["", FROZEN, "x" * 129])
def test_who_cannot_hold_coins(owner: str) -> None:
    with pytest.raises(InvalidArgument):
        check_owner(owner)


async def test_what_is_changed_is_durable_and_an_error_changes_nothing() -> None:
    world = SimulatedWorld(crypto=CRYPTO)
    mine = reservations(world.runtime("alice"))
    async with mine.change() as claims:
        claims.held[outpoint(1)] = "trade"
    with pytest.raises(KeyError):
        async with mine.change() as claims:
            claims.held.clear()
            raise KeyError
    again = reservations(world.reload("alice"))
    assert (await again.read()).held == {outpoint(1): "trade"}
    assert (await reservations(world.runtime("alice"), "signet").read()).held == {}
    assert (await reservations(world.runtime("bob")).read()).held == {}


async def test_two_tabs_change_one_after_the_other() -> None:
    world = SimulatedWorld(crypto=CRYPTO)
    tabs = [reservations(world.runtime("alice")), reservations(world.tab("alice 2", site="alice"))]

    async def add(number: int) -> None:
        async with tabs[number % 2].change() as claims:
            await asyncio.sleep(0.01)
            claims.held[outpoint(number)] = f"trade {number}"

    await asyncio.gather(*map(add, range(10)))
    assert len((await tabs[0].read()).held) == 10
