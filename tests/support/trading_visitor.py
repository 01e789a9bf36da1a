"""A visitor of the trading half of the page, and the place where two of them meet: relay, regtest chain, site."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.chrome import Page
from tests.support.regtest import RegtestProcess
from tests.support.visitor import Visitor
from web.build.server import WebServer

NODE = 'const { session } = document.querySelector("ds-app"); const { node } = session;'


class TradingVisitor(Visitor):
    def __init__(self, name: str, page: Page, chain: RegtestProcess) -> None:
        super().__init__(name, page)
        self.chain = chain

    # --- places
    def go(self, place: str) -> None:
        """Within the loaded page: "#/wallet", or the fragment of a link."""
        self._js("location.hash = arguments[0]", place)

    def opens_wallet(self) -> None:
        """A wallet of its own in the page, without a passphrase."""
        self.wait_for("#open-wallet", timeout=60)
        self.click("#open-wallet")
        self.wait_for("#balances tbody", "BTC")

    def gets(self, *assets: str) -> None:
        """From the faucet, by the buttons of the page, one after the other until each is there."""
        for asset in assets:
            before = self.wealth()[asset]
            self.click(f'[data-faucet="{asset}"]')
            self.wait_for("#faucet-said", "Here it is")
            assert self.wealth()[asset] > before

    # --- what it has
    def wealth(self) -> Counter[str]:
        """Atoms by asset, sats on all coins as "BTC", asked of the chain now."""
        self.wait_until(lambda: bool(self._js(NODE + "return Boolean(node && session.market?.wallet)")), "a wallet", 60)
        coins = self.page.run_js(NODE + "return await node.get_coins()")
        held: Counter[str] = Counter(BTC=sum(coin["sats"] for coin in coins))
        for coin in coins:
            held.update({each["asset"]: each["atoms"] for each in coin["assets"]})
        return held

    def trade(self) -> dict[str, Any]:
        """The newest trade as the library tells it."""
        return dict(self.page.run_js(NODE + "return (await node.get_trades())[0]"))

    def asset(self, name: str) -> str:
        """Text of one that the faucet gives."""
        return next(str(each["asset"]) for each in self.chain.assets if each["name"] == name)

    # --- trading
    def offers(
        self, give: str, amount: str, get: str, total: str, *, parts: bool = False, private: bool = False
    ) -> str:
        """Fills the form of an order, or of a private sale; returns its link."""
        self.go("#/new")
        self.wait_for("#give-asset")
        for box, text in (("#give-asset", give), ("#give-amount", amount), ("#get-asset", get), ("#get-amount", total)):
            self.type(box, text)
        if parts:
            self.click("#partial")
        if private:
            self.click("#private-sale")
        self.wait_for("#create-order:not([disabled])")
        self.click("#create-order")
        self.wait_for("#order-link")
        return self.value("#order-link")

    def opens_order(self, link: str) -> None:
        self.go("#" + link.partition("#")[2])
        self.wait_for("#take-order")

    def reviews(self, link: str, amount: str = "") -> None:
        """Takes an order up to where it may be signed."""
        self.opens_order(link)
        if amount:
            self.type("#take-amount", amount)
        self.click("#take-order")
        self.wait_for("#confirm-trade")

    def signs(self) -> None:
        self.click("#confirm-trade")
        self.wait_for("#trade-advice", "waits for a block")

    def buys(self, link: str, place: TwoVisitors) -> None:
        """Takes an order, signs, and sees it completed by a block; every atom is where the review said."""
        before = self.wealth()
        self.reviews(link)
        self.signs()
        txid = self.trade()["txid"]
        place.chain.mine_with(txid)
        self.wait_for("#trade-status", "Completed")
        assert place.in_block(txid)
        assert self.moved_as_planned(before)

    def moved_as_planned(self, before: Counter[str]) -> bool:
        """Whether the newest trade changed the wallet by what its review said, to the atom and the sat."""
        plan = self.trade()["effect"]
        wanted = Counter(before)
        for sign, legs in ((1, plan["gets"]), (-1, plan["gives"])):
            for leg in legs:
                wanted[leg["asset"]] += sign * leg["atoms"]
        wanted["BTC"] -= plan["fee_sats"]
        return +wanted == +self.wealth()


@dataclass
class TwoVisitors:
    """Where they meet."""

    site: WebServer
    chain: RegtestProcess
    relay: str
    folder: Path
    """Where the chain is kept."""

    def configure(self, **changes: object) -> None:
        self.site.site.configure({"relays": [self.relay], "network": {}, **self.chain.page_config, **changes})

    def in_block(self, txid: str) -> bool:
        """As the kernel's chain has it."""
        return bool(self.chain.get(f"/api/tx/{txid}/status")["confirmed"])

    def completes(self, maker: TradingVisitor, taker: TradingVisitor) -> str:
        """A block, and both pages told that it is done; the txid."""
        self.chain.mine()
        taker.wait_for("#trade-status", "Completed")
        trade = taker.trade()
        maker.go(f"#/trade/{trade['id']}")
        maker.wait_for("#trade-status", "Completed")
        assert maker.text("#trade-txid") == taker.text("#trade-txid") == trade["txid"]
        assert self.in_block(trade["txid"])
        return str(trade["txid"])


@contextlib.contextmanager
def square(site: WebServer, relay: str, folder: Path) -> Iterator[TwoVisitors]:
    """The chain runs meanwhile; the site's configuration names it."""
    with RegtestProcess(folder) as chain:
        place = TwoVisitors(site, chain, relay, folder)
        place.configure()
        yield place
        # Another one than at first when a test has started it anew.
        place.chain.kill()
    site.site.configure({"relays": []})
