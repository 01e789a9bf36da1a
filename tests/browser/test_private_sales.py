"""Private sales in the page: offered only where the site switches them on, bought while the maker's tab is closed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.browser.looks import looks_right
from tests.interop.processes import our_relay
from tests.support.chrome import Chrome
from tests.support.trading_visitor import TradingVisitor, square
from web.build.server import WebServer

pytestmark = pytest.mark.takes(35)


def test_a_lot_is_sold_by_its_link_alone(chrome: Chrome, site: WebServer, tmp_path: Path) -> None:
    with our_relay() as relay, square(site, relay, tmp_path) as place:
        careful = TradingVisitor("Careful", chrome.new_page(site.url), place.chain)
        careful.open("/#/wallet")
        careful.opens_wallet()
        careful.go("#/new")
        careful.wait_for("#give-asset")
        assert not careful.sees("#private-sale")
        careful.page.close()
        place.configure(trade={"private_sales": True})
        alice, bob = (TradingVisitor(name, chrome.new_page(site.url), place.chain) for name in ("Alice", "Bob"))
        for visitor in (alice, bob):
            visitor.open("/#/wallet")
            visitor.opens_wallet()
        dark = alice.asset("DARK•TEST•COINS")
        alice.gets("BTC", dark)
        bob.gets("BTC")
        coins = alice.wealth()[dark]
        alice.go("#/new")
        alice.wait_for("#give-asset")
        assert "never expires" in alice.text("#sale-risks")
        alice.click("#private-sale")
        looks_right(alice)
        whole = f"{coins // 100}.{coins % 100:02}"
        link = alice.offers(dark, whole, "BTC", "0.0005")
        assert "whoever has it can buy" in alice.text("#sale-advice")
        looks_right(alice)
        assert "Take it back" in alice.text("#cancel-order")
        alice.page.close()

        before = bob.wealth()
        bob.reviews(link)
        bob.signs()
        place.chain.mine()
        bob.wait_for("#trade-status", "Completed")
        assert bob.moved_as_planned(before) and bob.wealth()[dark] == coins
        assert place.in_block(str(bob.trade()["txid"]))
        bob.page.close()
