"""How records cross to JavaScript and into JSON: what is absent, and what is null."""

from __future__ import annotations

from dataclasses import fields

from darkswap_browser.api.serialization import plain
from darkswap_browser.api.trading.records import OrderInfo


def test_plain_of_order_whose_funding_is_unknown_says_null() -> None:
    sheet = plain(OrderInfo(**{each.name: None for each in fields(OrderInfo)}))
    assert sheet == {"funded": None}
