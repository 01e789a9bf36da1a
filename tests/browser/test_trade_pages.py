"""Trades as visitors make them: two tabs, a link, a review, two signatures, one transaction in a block."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium.webdriver.common.keys import Keys

from tests.browser.looks import looks_right
from tests.interop.processes import our_relay
from tests.support.chrome import Chrome
from tests.support.trading_visitor import TradingVisitor, TwoVisitors, square
from web.build.server import WebServer

pytestmark = pytest.mark.takes(140)

ALKANE = "ALKANE:2:0"

Pair = tuple[TradingVisitor, TradingVisitor]


@pytest.fixture(scope="module")
def place(site: WebServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwoVisitors]:
    with our_relay() as relay, square(site, relay, tmp_path_factory.mktemp("chain")) as found:
        found.configure(trade={"private_sales": True})
        yield found


@pytest.fixture(scope="module")
def pair(chrome: Chrome, place: TwoVisitors) -> Iterator[Pair]:
    """Alice with runes, an alkane and bitcoin for fees, Bob with bitcoin and another rune; all tests share them."""
    alice, bob = (TradingVisitor(name, chrome.new_page(place.site.url), place.chain) for name in ("Alice", "Bob"))
    for visitor in (alice, bob):
        visitor.open("/#/wallet")
    for visitor, names in ((alice, ("DARK•TEST•COINS",)), (bob, ("LIGHT•TEST•COINS",))):
        visitor.opens_wallet()
        visitor.gets("BTC", *map(visitor.asset, names))
    alice.gets(ALKANE)
    yield alice, bob
    for visitor in (alice, bob):
        visitor.page.close()


def test_a_wallet_looks_right_and_says_what_it_is_for(pair: Pair) -> None:
    alice, _ = pair
    assert "for small sums" in alice.text("ds-wallet")
    assert "Write down your words" in alice.text("ds-wallet")
    assert alice.text(f'[data-asset="{ALKANE}"] th').endswith(ALKANE)
    looks_right(alice)


def test_each_address_of_a_wallet_has_a_button_that_copies_it(pair: Pair) -> None:
    _, bob = pair
    bob.go("#/wallet")
    bob.wait_for("#pay-address")
    copied = bob.driver.execute_script(
        "return [...document.querySelectorAll('.receive ds-copy')].map((one) => one.text)"
    )
    assert copied == [bob.value("#own-address"), bob.value("#pay-address")]
    assert len(set(copied)) == 2
    bob.click(".copied:has(#pay-address) button")
    bob.wait_for(".copied:has(#pay-address) [role=status]", "Copied the address for: Bitcoin for fees and payments")
    looks_right(bob)


def test_a_second_tab_is_the_same_person_with_the_same_wallet(chrome: Chrome, place: TwoVisitors, pair: Pair) -> None:
    _, bob = pair
    bob.go("#/wallet")
    bob.wait_for("#balances tbody", "BTC")
    second = TradingVisitor("Bob's second tab", chrome.new_page(place.site.url, bob.page), place.chain)
    second.open("/#/wallet")
    second.wait_for("#balances tbody", "BTC", timeout=60)
    assert second.value("#own-address") == bob.value("#own-address")
    assert second.wealth() == bob.wealth()
    second.page.close()


def test_bar_of_a_wait_of_unknown_length_moves(pair: Pair) -> None:
    alice, _ = pair
    alice.motion()
    names = alice.driver.execute_script("""
        const bars = [document.createElement("progress"), document.createElement("progress")];
        bars[1].value = 0.5;
        document.body.append(...bars);
        const names = bars.map((bar) => getComputedStyle(bar).animationName);
        bars.forEach((bar) => bar.remove());
        return names;""")
    assert names == ["sweep", "none"]


def test_a_rune_is_sold_for_bitcoin(pair: Pair, place: TwoVisitors) -> None:
    alice, bob = pair
    dark = alice.asset("DARK•TEST•COINS")
    before = alice.wealth(), bob.wealth()
    link = alice.offers(dark, "100", "BTC", "0.0005")
    assert "Keep this page open" in alice.text("ds-order")
    assert alice.sees('svg[aria-label="Link of the order as a QR code"] path')
    looks_right(alice)
    bob.opens_order(link)
    assert dark in bob.text(".swap")
    assert "proved to be the maker's" in bob.text("ds-order")
    looks_right(bob)
    bob.click("#take-order")
    bob.wait_for("#trade-advice", "being called", timeout=5)
    bob.wait_for("#confirm-trade")
    assert bob.text("#effect").split("\n")[:4] == ["You give", "0.0005 BTC", "You get", f"100 DARK•TEST•COINS {dark}"]
    for warning in ("ids, not the names", "Your signature goes first", "nobody can undo it"):
        assert warning in bob.text("#before-signing")
    looks_right(bob)
    bob.signs()
    looks_right(bob)
    place.completes(alice, bob)
    looks_right(bob)
    assert alice.moved_as_planned(before[0])
    assert bob.moved_as_planned(before[1])
    assert bob.wealth()[dark] == 10_000


def test_the_maker_is_told_wherever_in_the_page_it_is(pair: Pair, place: TwoVisitors) -> None:
    alice, bob = pair
    light = bob.asset("LIGHT•TEST•COINS")
    link = alice.offers(alice.asset("DARK•TEST•COINS"), "20", light, "30")
    alice.go("#/")
    before = alice.wealth(), bob.wealth()
    begun = bob.moment()
    bob.reviews(link)
    alice.wait_for(".call", "Somebody takes your order")
    assert alice.driver.title.startswith("(1) ")
    looks_right(alice)
    alice.click("#open-call")
    alice.wait_for("#trade-advice", "The taker decides now")
    alice.wait_until(lambda: not alice.sees(".call"), "the notice to go")
    assert not alice.driver.title.startswith("(")
    bob.signs()
    place.completes(alice, bob)
    assert bob.shift_since(begun) < 0.05
    assert alice.moved_as_planned(before[0])
    assert bob.moved_as_planned(before[1])
    assert alice.wealth()[light] == 30


def test_the_keyboard_alone_buys_an_alkane(pair: Pair, place: TwoVisitors) -> None:
    alice, bob = pair
    before = alice.wealth(), bob.wealth()
    alice.go("#/wallet")
    alice.wait_for("#balances")
    alice.tab_to('.places a[href="#/orders"]')
    alice.keys(Keys.ENTER)
    alice.wait_for("#new-order")
    alice.tab_to("#new-order")
    alice.keys(Keys.ENTER)
    alice.wait_for("#give-asset")
    for box, text in (("give-asset", ALKANE), ("give-amount", "2"), ("get-asset", "BTC"), ("get-amount", "0.0002")):
        alice.tab_to(f"#{box}")
        alice.keys(text)
    alice.wait_for("#create-order:not([disabled])")
    alice.tab_to("#create-order")
    alice.keys(Keys.ENTER)
    alice.wait_for("#order-link")
    bob.go("#/orders")
    bob.wait_for("#order-text")
    bob.tab_to("#order-text")
    bob.keys(f"it was {alice.value('#order-link')}, have fun", Keys.ENTER)
    bob.wait_for("#take-order")
    bob.tab_to("#take-order")
    bob.keys(Keys.ENTER)
    bob.wait_for("#confirm-trade")
    bob.tab_to("#confirm-trade")
    bob.keys(Keys.ENTER)
    bob.wait_for("#trade-advice", "waits for a block")
    place.completes(alice, bob)
    assert alice.moved_as_planned(before[0])
    assert bob.moved_as_planned(before[1])
    assert bob.wealth()[ALKANE] > 0


def test_a_part_of_an_order_is_taken_and_the_rest_stays_open(pair: Pair, place: TwoVisitors) -> None:
    alice, bob = pair
    dark = alice.asset("DARK•TEST•COINS")
    held = bob.wealth()[dark]
    link = alice.offers(dark, "50", "BTC", "0.0001", parts=True)
    bob.opens_order(link)
    bob.type("#take-amount", "51")
    bob.click("#take-order")
    bob.wait_for("#take-problem", "From 5 to 50")
    looks_right(bob)
    bob.type("#take-amount", "12.5")
    bob.wait_for("#worth", "for 0.000025 BTC")
    bob.click("#take-order")
    bob.wait_for("#confirm-trade")
    bob.signs()
    place.completes(alice, bob)
    assert bob.wealth()[dark] == held + 1250
    alice.go("#" + f"/order/{alice.trade()['order_id']}")
    alice.wait_for("#still-open", "37.5")
    assert alice.text("#order-status") == "Open"


def test_amount_of_two_meanings_is_asked_about(pair: Pair) -> None:
    alice, bob = pair
    dark = alice.asset("DARK•TEST•COINS")
    alice.go("#/new")
    alice.wait_for("#give-asset")
    for box, text in (
        ("#give-asset", dark),
        ("#get-asset", "BTC"),
        ("#get-amount", "0.0005"),
        ("#give-amount", "1,000"),
    ):
        alice.type(box, text)
    alice.wait_for("#give-said", "Do you mean 1000 or 1?")
    alice.wait_for("#give-info", "DARK")
    assert alice.value("#give-amount") == "1,000"
    assert alice.sees("#create-order[disabled]")
    looks_right(alice)
    alice.click('#give-said [data-amount="1"]')
    alice.wait_for("#create-order:not([disabled])")
    assert alice.value("#give-amount") == "1" and not alice.sees(".question")
    for typed, says in (("-5", "minus"), ("5e-4", "exponent"), (".0005", "0.0005"), ("10 00", "groups")):
        alice.type("#give-amount", typed)
        alice.wait_for("#give-said", says)
        assert alice.sees("#create-order[disabled]")
    alice.type("#give-amount", "0,010")
    alice.wait_for("#give-said", "Read as 0.01")
    alice.wait_for("#create-order:not([disabled])")
    link = alice.offers(dark, "50.00", "BTC", "0,0001", parts=True)
    bob.opens_order(link)
    bob.type("#take-amount", "12.500")
    bob.wait_for("#worth", "Do you mean 12500 or 12.5?")
    bob.click("#take-order")
    bob.wait_for("#take-problem", "not clear")
    looks_right(bob)
    bob.click('#worth [data-amount="12.5"]')
    bob.wait_for("#worth", "for 0.000025 BTC")
    assert not bob.sees("#take-problem")
    alice.click("#cancel-order")


def test_who_cancels_while_reviewing_is_heard_by_the_other(pair: Pair) -> None:
    alice, bob = pair
    link = alice.offers(alice.asset("DARK•TEST•COINS"), "10", "BTC", "0.00005")
    before = alice.wealth(), bob.wealth()
    bob.reviews(link)
    bob.click("#cancel-trade")
    bob.wait_for("#trade-status", "Cancelled")
    assert "Your coins are free" in bob.text("#trade-advice")
    looks_right(bob)
    alice.wait_for(".call", "cancelled")
    alice.click("#open-call")
    alice.wait_for("#trade-reason", "The taker ended it")
    assert (alice.wealth(), bob.wealth()) == before
    alice.go(f"#/order/{alice.trade()['order_id']}")
    alice.wait_for("#order-status", "Open")


def test_pages_that_are_reloaded_come_to_the_same_end(pair: Pair, place: TwoVisitors) -> None:
    alice, bob = pair
    link = alice.offers(alice.asset("DARK•TEST•COINS"), "10", "BTC", "0.00005")
    before = alice.wealth(), bob.wealth()
    bob.reviews(link)
    alice.go("#/")
    for visitor in (alice, bob):
        visitor.page.focus()
        visitor.driver.refresh()
    alice.wait_for(".call", "Somebody takes your order", timeout=60)
    bob.wait_for("#confirm-trade", timeout=60)
    bob.signs()
    bob.driver.refresh()
    place.chain.mine()
    bob.wait_for("#trade-status", "Completed", timeout=60)
    alice.go(f"#/trade/{bob.trade()['id']}")
    alice.wait_for("#trade-status", "Completed", timeout=60)
    assert alice.moved_as_planned(before[0])
    assert bob.moved_as_planned(before[1])


def test_the_history_is_taken_along_as_files(pair: Pair, tmp_path: Path) -> None:
    _, bob = pair
    bob.go("#/history")
    bob.wait_for("#history-title", "6 trades")
    looks_right(bob)
    table = bob.saves("#export-csv", tmp_path / "darkswap-trades.csv").decode()
    text = bob.saves("#export-json", tmp_path / "darkswap-trades.json").decode()
    rows = list(csv.DictReader(io.StringIO(table)))
    trades = json.loads(text)
    assert [row["id"] for row in rows] == [trade["id"] for trade in trades]
    assert [row["status"] for row in rows].count("completed") == 5
    assert rows[-1]["amount"] == "100" and trades[-1]["base_atoms"] == "10000"


def test_a_private_sale_is_bought_while_its_maker_is_away(pair: Pair, place: TwoVisitors) -> None:
    alice, bob = pair
    silver = alice.asset("TEST SILVER")
    alice.go("#/wallet")
    alice.wait_for("#balances")
    alice.gets(silver)
    alice.wait_for(f'[data-asset="{silver}"] .available')
    lot = alice.text(f'[data-asset="{silver}"] .available').replace(",", "")
    held = alice.wealth()[silver]
    alice.go("#/new")
    alice.wait_for("#give-asset")
    assert "never expires" in alice.text("#sale-risks")
    alice.click("#private-sale")
    looks_right(alice)
    alice.click("#private-sale")
    link = alice.offers(silver, lot, "BTC", "0.0001", private=True)
    assert "whoever has it can buy" in alice.text("#sale-advice")
    assert "Take it back" in alice.text("#cancel-order")
    looks_right(alice)
    alice.page.open("/blank.html")
    before = bob.wealth()
    bob.opens_order(link)
    assert "is not asked" in bob.text("ds-order")
    looks_right(bob)
    bob.click("#take-order")
    bob.wait_for("#confirm-trade")
    assert "The maker has signed already" in bob.text("#before-signing")
    looks_right(bob)
    bob.signs()
    place.chain.mine()
    bob.wait_for("#trade-status", "Completed")
    assert place.in_block(bob.text("#trade-txid"))
    assert bob.moved_as_planned(before)
    assert bob.wealth()[silver] == held
