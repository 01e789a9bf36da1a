"""What a caller in Python may pass wrongly to the trading methods: each is refused with the name of what is wrong."""

from __future__ import annotations

from typing import Any

import pytest

from darkswap_browser.api.network import Network
from darkswap_browser.api.trading.trading import Trading
from darkswap_browser.errors import InvalidArgument, OrderNotFound
from darkswap_browser.node.config import NetworkConfig
from tests.api.world import place

DRAFT = {"base_asset": "BTC", "quote_asset": "BTC", "side": "sell", "amount": "1", "price": "1"}


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
        ("get_address", (5,), "purpose"),
    ],
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
