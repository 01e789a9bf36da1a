"""The trading acts of the demo: three kinds of trades between two tabs, each ended in a block that the kernel took."""

from __future__ import annotations

from dataclasses import dataclass

from tests.demo.report import DemoReport
from tests.support.trading_visitor import TradingVisitor, TwoVisitors

DARK, LIGHT, DIESEL = "DARK•TEST•COINS", "LIGHT•TEST•COINS", "TEST DIESEL"


@dataclass(frozen=True, slots=True)
class DemoTrade:
    """What Alice gives and what she gets: names of assets, and amounts as they are typed."""

    name: str
    title: str
    gives: str
    amount: str
    gets: str
    total: str
    taken: str = ""
    """The part that Bob takes; all of it when empty."""


DEALS = (
    DemoTrade("rune", "Bitcoin for a rune, a part of the order", DARK, "100", "BTC", "0.0005", "40"),
    DemoTrade("runes", "A rune for a rune", DARK, "20", LIGHT, "30"),
    DemoTrade("alkane", "Bitcoin for an alkane", DIESEL, "2", "BTC", "0.0002"),
)


def open_wallets(place: TwoVisitors, alice: TradingVisitor, bob: TradingVisitor, report: DemoReport) -> None:
    report.begin("wallets", "Two wallets on a chain under Bitcoin Core's own validation (libbitcoinkernel)")
    with report.tell("Alice and Bob open the page and make a wallet in it"):
        for visitor in (alice, bob):
            visitor.open("/#/wallet")
        for visitor in (alice, bob):
            visitor.opens_wallet()
    report.picture(alice, "wallet-empty")
    with report.tell("The faucet gives Alice bitcoin, a rune and an alkane; Bob bitcoin and another rune"):
        alice.gets("BTC", alice.asset(DARK), alice.asset(DIESEL))
        bob.gets("BTC", bob.asset(LIGHT))
    report.picture(alice, "wallet")


def trade(deal: DemoTrade, place: TwoVisitors, alice: TradingVisitor, bob: TradingVisitor, report: DemoReport) -> None:
    report.begin(f"trade-{deal.name}", deal.title)
    give, get = (name if name == "BTC" else alice.asset(name) for name in (deal.gives, deal.gets))
    before = {visitor: visitor.wealth() for visitor in (alice, bob)}
    with report.tell(f"Alice offers {deal.amount} {deal.gives} for {deal.total} {deal.gets}, signed; she gets a link"):
        link = alice.offers(give, deal.amount, get, deal.total, parts=bool(deal.taken))
    report.picture(alice, "order")
    with report.tell("Bob opens the link; his page checks the signature and that the coins are there"):
        bob.opens_order(link)
        bob.wait_for("ds-order", "proved to be the maker's")
        if deal.taken:
            bob.type("#take-amount", deal.taken)
    report.picture(bob, "order")
    with report.tell(f"Bob asks for {deal.taken or 'all of it'}; both pages build the transaction and check it"):
        bob.click("#take-order")
        bob.wait_for("#confirm-trade")
    report.picture(bob, "review")
    with report.tell("Alice's page tells that somebody takes her order"):
        alice.wait_for(".call", "Somebody takes your order")
    report.picture(alice, "called")
    with report.tell("Bob signs, Alice's page signs, and the transaction is with the network"):
        bob.signs()
    report.picture(bob, "sent")
    with report.tell("A block is mined; both pages say Completed"):
        txid = place.completes(alice, bob)
    report.picture(alice, "completed")
    report.picture(bob, "completed")
    height = place.chain.get(f"/api/tx/{txid}/status")["block_height"]
    report.line(f"The kernel took {txid} into block {height}.")
    for visitor in (alice, bob):
        if not visitor.moved_as_planned(before[visitor]):
            raise AssertionError(f"{visitor.name}'s coins did not move as the review said")
        report.line(f"{visitor.name} {effect_of(visitor)}: to the atom and the sat, as planned.")


def effect_of(visitor: TradingVisitor) -> str:
    effect = visitor.trade()["effect"]
    given, got = (
        " and ".join(f"{leg['amount']} {leg['name']}" for leg in effect[side]) or "nothing"
        for side in ("gives", "gets")
    )
    return f"gave {given}, got {got}, paid {effect['fee_sats']} sats to the miners"


def histories(alice: TradingVisitor, bob: TradingVisitor, report: DemoReport) -> None:
    report.begin("after", "What is left")
    with report.tell("Both histories have the three trades"):
        for visitor in (alice, bob):
            visitor.go("#/history")
            visitor.wait_for("#history-title", f"{len(DEALS)} trades")
    report.picture(bob, "history")
    with report.tell("Bob's wallet has what he bought"):
        bob.go("#/wallet")
        bob.wait_for(f'[data-asset="{bob.asset(DIESEL)}"] .available', "2")
    report.picture(bob, "wallet")


def play_trades(place: TwoVisitors, alice: TradingVisitor, bob: TradingVisitor, report: DemoReport) -> None:
    open_wallets(place, alice, bob, report)
    for deal in DEALS:
        trade(deal, place, alice, bob, report)
    histories(alice, bob, report)
