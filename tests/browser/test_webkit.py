"""The page in WebKitGTK, Safari's engine, which has no WebRTC in Debian: relayed channels, the wallet, a trade."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.interop.processes import our_relay
from tests.support.headless import Headless, headless
from tests.support.trading_visitor import NODE, TradingVisitor, TwoVisitors, square
from tests.support.webkit import WebKit, missing_programs
from web.build.server import WebServer

pytestmark = pytest.mark.takes(20)


@pytest.fixture(scope="module")
def webkit() -> Iterator[WebKit]:
    if missing := missing_programs():
        pytest.skip(f"WebKit is not installed: no {', '.join(missing)} (Debian: webkit2gtk-driver, xvfb)")
    browser = WebKit()
    yield browser
    browser.quit()


@pytest.fixture(scope="module")
def place(site: WebServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwoVisitors]:
    with our_relay() as relay, square(site, relay, tmp_path_factory.mktemp("chain")) as found:
        yield found


@pytest.fixture(scope="module")
def visitor(webkit: WebKit, place: TwoVisitors) -> TradingVisitor:
    """Someone at the page, whom a relay holds a place for."""
    wanda = TradingVisitor("Wanda", webkit.page(place.site.url), place.chain)
    wanda.open("/").ready()
    return wanda


@pytest.fixture(scope="module")
def peer(place: TwoVisitors) -> Iterator[Headless]:
    """A trader on CPython."""
    with headless(place.chain, place.relay) as found:
        yield found


def test_page_starts_without_a_fault_and_says_that_direct_links_are_not_available(visitor: TradingVisitor) -> None:
    assert "Direct links are not available in this browser" in visitor.text("[data-testid=direct-links]")
    assert visitor.text("h1") == "Talk to another browser"
    assert not visitor.sees("ds-by-hand")
    assert visitor.page.faults() == []


def test_checks_say_the_same_and_fail_in_nothing_else(visitor: TradingVisitor) -> None:
    visitor.click("#run-checks")
    visitor.wait_for("#run-checks", "Check again")
    visitor.wait_for(".checks > .sr", "1 check failed")
    assert "Direct links are not available in this browser" in visitor.text(".checks li.bad")


def test_messages_pass_both_ways_through_the_relay(visitor: TradingVisitor, peer: Headless) -> None:
    there = peer.do(peer.node.local_peer_id())
    here = visitor.page.run_js(NODE + "return await node.local_peer_id()")
    visitor.connect(there)
    visitor.wait_for("#badge", "Relayed")
    visitor.say("hello from WebKit")
    assert b"hello from WebKit" in peer.do(peer.node.receive_webrtc_message(here))
    note = json.dumps({"id": 1, "text": "hello from CPython"})
    peer.do(peer.node.send_webrtc_message(here, b"\x01" + note.encode()))
    visitor.hears("hello from CPython")
    (told,) = visitor.page.run_js(NODE + """return session.log.filter(({ type }) => type === "direct:failed");""")
    assert (told["peer_id"], told["reason"]) == (there, "no_webrtc")
    assert "not available" in told["message"]


def test_a_wallet_opens_without_a_passphrase(visitor: TradingVisitor) -> None:
    visitor.go("#/wallet")
    visitor.opens_wallet()
    visitor.gets("BTC")


def test_an_order_is_taken_and_the_trade_completes(visitor: TradingVisitor, place: TwoVisitors, peer: Headless) -> None:
    dark = visitor.asset("DARK•TEST•COINS")
    for asset in ("BTC", dark):
        place.chain.faucet(peer.do(peer.node.get_address()), asset)
    draft = {"base_asset": dark, "quote_asset": "BTC", "side": "sell", "amount": "100", "total": "0.0005"}
    order = peer.do(peer.node.create_order(draft))
    visitor.buys("#order=" + order.text, place)
    assert visitor.wealth()[dark] == 10_000
    assert visitor.page.faults() == []
