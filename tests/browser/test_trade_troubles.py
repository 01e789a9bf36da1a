"""What the trading pages say when something is missing, broken, or somebody is gone: each time with a next step."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from darkswap_browser.market import order_codec
from darkswap_browser.market.order_codec import SignedOrder
from tests.browser.looks import looks_right
from tests.interop.processes import our_relay
from tests.market import cases
from tests.support.chrome import Chrome
from tests.support.native_identity import identity
from tests.support.regtest import RegtestProcess
from tests.support.trading_visitor import TradingVisitor, TwoVisitors, square
from web.build.server import WebServer

pytestmark = pytest.mark.takes(90)

ALKANE = "ALKANE:2:0"
TWELVE = "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about"

Pair = tuple[TradingVisitor, TradingVisitor]


@pytest.fixture(scope="module")
def place(site: WebServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwoVisitors]:
    with our_relay() as relay, square(site, relay, tmp_path_factory.mktemp("chain")) as found:
        yield found


@pytest.fixture(scope="module")
def newcomer(chrome: Chrome, place: TwoVisitors) -> Iterator[TradingVisitor]:
    """Has no wallet, and knows no orders."""
    # A rune that is only named here, by a name that an alkane of the chain has.
    imitation = {"asset": "RUNE:99:9", "name": "TEST•DIESEL", "symbol": "¤", "decimals": 0}
    config = place.chain.page_config
    place.configure(chain={**config["chain"], "assets": [*config["chain"]["assets"], imitation]})
    visitor = TradingVisitor("Nils", chrome.new_page(place.site.url), place.chain)
    visitor.network(bytes_per_second=3_000_000)
    visitor.open("/#/orders")
    yield visitor
    visitor.page.close()


@pytest.fixture(scope="module")
def pair(chrome: Chrome, place: TwoVisitors) -> Iterator[Pair]:
    """Mara with a rune and bitcoin for fees, Theo with bitcoin; all tests share them."""
    place.configure()
    mara, theo = (TradingVisitor(name, chrome.new_page(place.site.url), place.chain) for name in ("Mara", "Theo"))
    for visitor in (mara, theo):
        visitor.open("/#/wallet")
    for visitor in (mara, theo):
        visitor.opens_wallet()
        visitor.gets("BTC")
    mara.gets(mara.asset("DARK•TEST•COINS"))
    yield mara, theo
    for visitor in (mara, theo):
        visitor.page.close()


def link_of(**changes: object) -> str:
    """Of an order of somebody who is nowhere."""
    now = int(time.time())

    async def sign() -> str:
        maker = await identity("nowhere")
        terms = {
            "maker": str(maker.peer_id),
            "network": "regtest",
            "created_at": now,
            "expires_at": now + 3600,
            **changes,
        }
        order = replace(cases.order(), **terms)
        return order_codec.encode_text(SignedOrder(order, await maker.sign(order_codec.signing_bytes(order))))

    return "#order=" + asyncio.run(sign())


def damaged(link: str) -> str:
    """With another signature: what is signed follows after it."""
    begin, end = link[:25], link[25:]
    return begin + ("A" if end[0] != "A" else "B") + end[1:]


# --- nothing there yet


def test_while_python_loads_the_place_is_there_already(newcomer: TradingVisitor) -> None:
    newcomer.wait_for("h1", "Trade")
    newcomer.wait_for(".startup", "Starting Python")
    looks_right(newcomer)
    newcomer.network()
    newcomer.wait_for("#new-order", timeout=60)


@pytest.mark.parametrize(
    ("at", "says"),
    [
        ("#/orders", "First open a wallet"),
        ("#/new", "First a wallet"),
        ("#/history", "No trades yet"),
        ("#/order/0000", "This order is not known here"),
        ("#/trade/0000", "This trade is not known here"),
        ("#/wallet", "Connect a wallet"),
    ],
)
def test_an_empty_place_says_how_to_begin(newcomer: TradingVisitor, at: str, says: str) -> None:
    newcomer.go(at)
    newcomer.wait_for("main", says)
    assert newcomer.sees("main a.button, main button")
    looks_right(newcomer)


@pytest.mark.parametrize(
    ("link", "says"),
    [
        ("#order=darkswap:1AAAA", "Copy the whole link again"),
        (link_of(network="signet"), "this node trades on regtest"),
        (link_of(created_at=1_700_000_000, expires_at=1_700_003_600), "time has passed"),
        (damaged(link_of()), "Do not trade with whoever sent it"),
    ],
    ids=["cut", "of another network", "too late", "signed by somebody else"],
)
def test_a_link_that_is_no_good_says_why(newcomer: TradingVisitor, link: str, says: str) -> None:
    newcomer.go(link)
    newcomer.wait_for("ds-import .bad", says)
    assert "What to do" in newcomer.text("ds-import")
    looks_right(newcomer)


def test_what_can_go_wrong_is_a_page_that_needs_no_script(chrome: Chrome, place: TwoVisitors) -> None:
    visitor = TradingVisitor("Rosa", chrome.new_page(place.site.url), place.chain)
    visitor.open("/what-can-go-wrong.html").wait_for("h1", "What can go wrong")
    looks_right(visitor)
    assert visitor.page.faults() == []
    visitor.page.close()


def test_an_order_without_coins_behind_it_is_not_to_be_counted_on(newcomer: TradingVisitor) -> None:
    newcomer.go(link_of())
    newcomer.wait_for("ds-order", "Not there any more")
    looks_right(newcomer)


def test_what_is_pasted_without_an_order_in_it_says_so(newcomer: TradingVisitor) -> None:
    newcomer.go("#/orders")
    newcomer.type("#order-text", "https://example.org/#/wallet", enter=True)
    newcomer.wait_for("#order-problem", "This holds no order")


def test_a_wallet_is_restored_from_words_and_locked_by_a_passphrase(newcomer: TradingVisitor) -> None:
    newcomer.go("#/wallet")
    newcomer.wait_for("#open-wallet")
    newcomer.click("#restore-wallet")
    newcomer.type("#mnemonic", "abandon about")
    newcomer.click("#open-wallet")
    newcomer.wait_for("#wallet-problem", "not twelve words")
    newcomer.type("#mnemonic", TWELVE.replace("about", "abandon"))
    newcomer.click("#open-wallet")
    newcomer.wait_for(".connect-wallet .bad", "words")
    newcomer.type("#mnemonic", TWELVE)
    newcomer.type("#passphrase", "correct horse")
    newcomer.click("#open-wallet")
    newcomer.wait_for("#balances")
    # Any wallet that takes these words has that address (BIP84 at m/84'/1'/0'/0/0).
    assert newcomer.value("#pay-address") == "bcrt1q6rz28mcfaxtmd6v789l9rrlrusdprr9pz3cppk"
    newcomer.driver.refresh()
    newcomer.wait_for("#connect-wallet-title", "Unlock your wallet", timeout=60)
    newcomer.type("#passphrase", "wrong horse", enter=True)
    newcomer.wait_for(".connect-wallet .bad", "passphrase is wrong")
    looks_right(newcomer)
    newcomer.type("#passphrase", "correct horse", enter=True)
    newcomer.wait_for("#balances")
    newcomer.click("#backup")
    newcomer.type("#words-passphrase", "correct horse")
    newcomer.click("#show-words")
    newcomer.wait_for("#words", TWELVE)
    looks_right(newcomer)


def test_a_private_sale_is_offered_only_where_the_site_switches_it_on(newcomer: TradingVisitor) -> None:
    newcomer.go("#/new")
    newcomer.wait_for("#give-asset")
    assert not newcomer.sees("#private-sale")


def test_a_name_that_two_assets_have_is_pointed_out(newcomer: TradingVisitor) -> None:
    newcomer.go("#/new")
    newcomer.wait_for("#give-asset")
    newcomer.type("#give-asset", "nonsense")
    newcomer.wait_for("#give-info", "No such asset")
    newcomer.type("#give-asset", ALKANE)
    newcomer.wait_for("#give-info", "RUNE:99:9 has a name that looks the same")
    looks_right(newcomer)
    newcomer.type("#give-asset", "test diesel")
    newcomer.wait_for("#give-info", "Several assets have this name")
    assert {"RUNE:99:9", ALKANE} <= set(re.findall(r"\w+:\d+:\d+", newcomer.text("#give-info")))


def test_what_an_order_calls_an_asset_names_nothing(newcomer: TradingVisitor) -> None:
    dark = newcomer.asset("DARK•TEST•COINS")
    stranger = {"asset": "ALKANE:2:77777", "name": "DARK•TEST•COINS", "decimals": 0}
    set_order = 'document.querySelector("ds-app").session.market.orders.set("x", { base: args[0], quote: args[0] })'
    newcomer.page.run_js(set_order, stranger)
    newcomer.go("#/new")
    newcomer.wait_for("#give-asset")
    newcomer.type("#give-asset", "dark test coins")
    newcomer.wait_for("#give-info", f"{dark}")
    newcomer.wait_for("#give-info", "ALKANE:2:77777 has a name that looks the same")
    newcomer.type("#give-asset", "")
    newcomer.page.run_js('document.querySelector("ds-app").session.market.orders.delete("x")')


def test_a_faucet_that_does_not_give_says_what_to_do(newcomer: TradingVisitor) -> None:
    newcomer.go("#/wallet")
    newcomer.wait_for("#balances")
    for faucet, says in ((f"{newcomer.chain.url}/regtest/none", "verbs are"), ("http://127.0.0.1:9/", "ask again")):
        newcomer.page.run_js('document.querySelector("ds-app").session.config.chain.faucet = args[0]', faucet)
        newcomer.click('[data-faucet="BTC"]')
        newcomer.wait_for("#faucet-said.bad", says)
    looks_right(newcomer)


# --- coins that are there and not there


def test_a_coin_that_is_kept_is_not_spent(pair: Pair) -> None:
    mara, _ = pair
    dark = mara.asset("DARK•TEST•COINS")
    mara.go("#/wallet")
    mara.wait_for("#coins", dark)
    mara.click("#coins tr:has(.asset) input[type=checkbox]")
    mara.wait_for("#coins tr:has(.asset)", "Kept")
    mara.wait_for(f'[data-asset="{dark}"] .available', "0")
    looks_right(mara)
    mara.go("#/new")
    for box, text in (("#give-asset", dark), ("#give-amount", "1"), ("#get-asset", "BTC"), ("#get-amount", "0.0001")):
        mara.type(box, text)
    mara.wait_for("#give-said", "You have 0 free")
    looks_right(mara)
    mara.go("#/wallet")
    mara.click("#coins tr:has(.asset) input[type=checkbox]")
    mara.wait_for(f'[data-asset="{dark}"] .available', "1,000")


def test_a_coin_that_the_index_has_not_read_waits(pair: Pair, place: TwoVisitors) -> None:
    mara, _ = pair
    mara.go("#/wallet")
    place.chain.post("/regtest/fault", {"kind": "lag", "server": "ord", "amount": 3})
    mara.click(f'[data-faucet="{mara.asset("LIGHT•TEST•COINS")}"]')
    mara.wait_for("#coins", "Not read by the index yet")
    looks_right(mara)
    place.chain.post("/regtest/fault/reset", {})
    mara.wait_for("#faucet-said", "Here it is")


def test_a_chain_that_is_down_is_said_and_found_again(pair: Pair, place: TwoVisitors) -> None:
    mara, theo = pair
    place.chain.kill()
    theo.go("#/wallet")
    theo.click("#refresh")
    theo.wait_for("ds-wallet .notice.bad", "do not answer")
    assert "No answer from 127.0.0.1:" in theo.text("ds-wallet .notice.bad")
    assert "Nothing here yet" not in theo.text("ds-wallet")
    looks_right(theo)
    mara.go("#/new")
    mara.type("#give-asset", "RUNE:5:5")
    mara.wait_for("#give-info", "Check the network")
    port = int(place.chain.url.rpartition(":")[2])
    place.chain = mara.chain = theo.chain = RegtestProcess(place.folder, port=port)
    theo.click("#refresh")
    theo.wait_until(lambda: not theo.sees("ds-wallet .notice.bad"), "the chain to be there again")


def test_being_offline_is_said_in_the_middle_of_a_trade_and_ends(pair: Pair, place: TwoVisitors) -> None:
    mara, theo = pair
    theo.reviews(mara.offers(mara.asset("DARK•TEST•COINS"), "10", "BTC", "0.00005"))
    theo.network(online=False)
    theo.wait_for("main", "You are offline")
    looks_right(theo)
    theo.network()
    theo.wait_for("#confirm-trade")
    theo.signs()
    place.completes(mara, theo)


# --- makers


def test_an_order_that_was_cancelled_is_refused_by_its_maker(pair: Pair) -> None:
    mara, theo = pair
    link = mara.offers(mara.asset("DARK•TEST•COINS"), "10", "BTC", "0.00005")
    mara.click("#cancel-order")
    mara.wait_for("#order-status", "Cancelled")
    looks_right(mara)
    theo.opens_order(link)
    theo.click("#take-order")
    theo.wait_for("#trade-reason", "The order is no longer there")
    assert "Your coins are free" in theo.text("#trade-advice")
    looks_right(theo)


def test_a_signature_is_taken_back_from_a_maker_who_is_gone(pair: Pair, place: TwoVisitors) -> None:
    mara, theo = pair
    links = [mara.offers(mara.asset("DARK•TEST•COINS"), amount, "BTC", "0.00005") for amount in ("10", "20")]
    theo.reviews(links[0])
    before = theo.wealth()
    mara.page.open("/blank.html")
    theo.click("#confirm-trade")
    theo.wait_for("#trade-status", "Waiting for the maker")
    assert "can complete the trade now" in theo.text("#trade-advice")
    theo.wait_for("#revoke-trade")
    looks_right(theo)
    theo.wait_for("#revoke-cost", "costs about")
    theo.click("#revoke-trade")
    theo.wait_for("#revoke-txid")
    looks_right(theo)
    place.chain.mine_with(theo.text("#revoke-txid"), 7)
    theo.wait_for("#trade-status", "Cancelled")
    assert "worth nothing" in theo.text("#trade-advice")
    assert place.in_block(theo.text("#revoke-txid"))
    spent = before["BTC"] - theo.wealth()["BTC"]
    assert 0 < spent < 2_000
    looks_right(theo)
    theo.opens_order(links[1])
    theo.click("#take-order")
    theo.wait_for("#take-problem", "The maker is away")
    assert "your coins are free" in theo.text("#take-problem")
    looks_right(theo)


def test_wallet_extension_that_comes_late_is_offered_and_opened_again(chrome: Chrome, place: TwoVisitors) -> None:
    place.configure()
    page = chrome.new_page(place.site.url)
    page.open("/blank.html")
    page.run_js("localStorage.setItem('darkswap.wallet.default', args[0]);", '{"type": "standard:Page Wallet"}')
    visitor = TradingVisitor("Lena", page, place.chain)
    visitor.open("/#/wallet")
    visitor.wait_for("#open-wallet:not([disabled])", timeout=60)
    ready = "return document.querySelector('ds-app').session.market?.phase === 'ready'"
    visitor.wait_until(lambda: bool(page.run_js(ready)), "wallets are listed", 60)
    assert not visitor.sees(".connect-wallet [role=alert]")
    visitor.wait_for(".connect-wallet", "No wallet extension was found")
    page.run_js('const { install } = await import("/tests/wallets.mjs"); install();')
    asked = "return window.asked.some(([wallet, method]) => wallet === 'standard' && method === 'connect')"
    visitor.wait_until(lambda: bool(page.run_js(asked)), "the wallet of last time is asked")
    visitor.wait_for(".connect-wallet", "Page Wallet")
    page.close()
