"""What a caller in Python may pass wrongly to the trading methods: each is refused with the name of what is wrong."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from darkswap_browser.api.network import Network
from darkswap_browser.api.trading.trading import Trading
from darkswap_browser.errors import InvalidArgument, OrderNotFound
from darkswap_browser.node.config import NetworkConfig
from tests.api.world import place

DRAFT = {"base_asset": "BTC", "quote_asset": "BTC", "side": "sell", "amount": "1", "price": "1"}
CUT = "bye \ud83d"
"""Cut inside of a character, as JavaScript may."""
COIN = f"{'00' * 32}:0"
HUGE = 10**5000
"""More digits than Python writes."""


def nested(depth: int) -> list[Any]:
    made: list[Any] = []
    for _ in range(depth):
        made = [made]
    return made


NESTED = nested(100_000)


async def trading() -> tuple[Network, Trading]:
    here = await place()
    network = Network(NetworkConfig(bitcoin_network="regtest", persist=False), here.world.runtime("alice"))
    return network, Trading(network)


@pytest.mark.parametrize(
    ("method", "arguments", "path"),
    [
        ("connect_wallet", ([],), "config"),
        ("connect_wallet", ("seed",), "config"),
        ("connect_wallet", ({},), "type"),
        ("connect_wallet", ({"type": "seed", "colour": None},), "colour"),
        ("connect_wallet", ({"type": 5},), "type"),
        ("create_order", ([],), "draft"),
        ("create_order", ({**DRAFT, "amount": 100},), "amount"),
        ("create_order", ({**DRAFT, "price": 100},), "price"),
        ("create_order", ({**DRAFT, "total": 100, "price": None},), "total"),
        ("create_order", ({**DRAFT, "min_amount": 100},), "min_amount"),
        ("create_order", ({**DRAFT, "expires_in": 0.5},), "expires_in"),
        ("update_order", ("00", []), "change"),
        ("update_order", ("00", {"price": "1", "total": "1"}), "price"),
        ("update_order", ("00", {"pause": True}), "pause"),
        ("take_order", ("00", 100), "amount"),
        ("take_order", ("00", None, None), "review"),
        ("take_order", ("00", None, "yes"), "review"),
        ("take_order", ("00", None, True, True), "fee_rate"),
        ("take_order", ("00", None, True, None, 1.5), "max_fee_sats"),
        ("take_order", ("00", None, True, None, -1), "max_fee_sats"),
        ("create_order", ({**DRAFT, "max_fee_sats": 0.5},), "max_fee_sats"),
        ("bump_trade_fee", ("00", "fast"), "fee_rate"),
        ("bump_trade_fee", ("00", 5, 0), "max_fee_sats"),
        ("revoke_trade", ("00", 0), "fee_sats"),
        ("revoke_trade", ("00", 900, 800), "fee_sats"),
        ("create_order", ({**DRAFT, "signing_seconds": 9},), "signing_seconds"),
        ("get_address", (5,), "purpose"),
        ("get_address", (HUGE,), "purpose"),
        ("get_address", (NESTED,), "purpose"),
        ("connect_wallet", ({"type": "seed", HUGE: 1},), "a number of 16610 bits"),
        ("create_order", ({**DRAFT, "side": HUGE},), "side"),
        ("create_order", ({**DRAFT, "side": NESTED},), "side"),
        ("create_order", ({**DRAFT, "fee_rule": HUGE},), "fee_rule"),
        ("create_order", ({**DRAFT, HUGE: 1},), "a number of 16610 bits"),
        ("sign_message", (CUT,), "message"),
        ("sign_message", (5,), "message"),
        ("sign_message", (None,), "message"),
        ("release_coin", (None,), "outpoint"),
        ("freeze_coin", (5, True), "outpoint"),
        ("freeze_coin", (COIN, "no"), "on"),
        ("freeze_coin", (COIN, None), "on"),
        ("get_rune_info", (None,), "text"),
        ("get_alkane_info", (5,), "text"),
        ("import_order", (None,), "text"),
        ("import_order", (CUT,), "text"),
        ("cancel_order", ([],), "order_id"),
        ("get_order", ({},), "order_id"),
        ("update_order", ([], {"paused": True}), "order_id"),
        ("take_order", ([],), "order_id"),
        ("get_trade", ({},), "trade_id"),
        ("confirm_trade", ([],), "trade_id"),
        ("revoke_trade", ([],), "trade_id"),
        ("wait_for_trade", ([],), "trade_id"),
        ("cancel_trade", ([],), "trade_id"),
        ("cancel_trade", ("00", 5), "reason"),
        ("cancel_trade", ("00", CUT), "reason"),
        ("export_mnemonic", (5,), "passphrase"),
    ],
    ids=itertools.count(),
)
async def test_trading_method_with_wrong_argument_names_it(method: str, arguments: tuple[Any, ...], path: str) -> None:
    network, trades = await trading()
    with pytest.raises(InvalidArgument) as caught:
        await getattr(trades, method)(*arguments)
    assert caught.value.path == path
    await network.stop()


@pytest.mark.parametrize(("field", "value"), [("amount", 100), ("price", 5), ("total", 5), ("min_amount", 1)])
async def test_check_order_with_number_as_amount_tells_the_field(field: str, value: int) -> None:
    network, trades = await trading()
    draft = {**DRAFT, **({"price": None} if field == "total" else {}), field: value}
    check = await trades.check_order(draft)
    assert [(each.field, each.message) for each in check.problems] == [(field, "It is not a text.")]
    await network.stop()


async def test_unknown_order_with_long_id_is_quoted_in_part() -> None:
    network, trades = await trading()
    with pytest.raises(OrderNotFound) as caught:
        await trades.cancel_order("x" * 100_000)
    assert len(str(caught.value)) < 100
    await network.stop()
