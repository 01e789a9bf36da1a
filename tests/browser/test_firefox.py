"""The same `dist/` in Firefox: it loads under the strict policy, pages find each other, and one of them trades."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.browser.face import OpenPage, Relay
from tests.interop.processes import our_relay
from tests.support.chrome import Chrome
from tests.support.firefox import Firefox, FirefoxPage, firefox_command
from tests.support.scripted_page import JsError
from tests.support.trading_visitor import TradingVisitor, TwoVisitors, square
from web.build.server import WebServer

pytestmark = pytest.mark.takes(28)


@pytest.fixture(scope="module")
def firefox() -> Iterator[Firefox]:
    if not firefox_command():
        pytest.skip("Firefox is not installed (Debian: firefox-esr)")
    browser = Firefox()
    yield browser
    browser.quit()


@pytest.fixture(scope="module")
def relay() -> Iterator[Relay]:
    with our_relay() as address:
        yield Relay(address)


@pytest.fixture(scope="module")
def faces(firefox: Firefox, site: WebServer, relay: Relay) -> Iterator[tuple[OpenPage, OpenPage]]:
    """Two pages with `globalThis.lib`, whose `globalThis.node` holds a reservation."""
    pages = [firefox.new_page(site.url).open("/blank.html") for _ in range(2)]
    first, second = (OpenPage(page).loaded(network={"relays": [relay.address]}).node(relay) for page in pages)
    yield first, second
    for page in pages:
        page.close()


@pytest.fixture(scope="module")
def place(site: WebServer, relay: Relay, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwoVisitors]:
    with square(site, relay.address, tmp_path_factory.mktemp("chain")) as found:
        yield found


@pytest.fixture(scope="module")
def chromium_face(chrome: Chrome, place: TwoVisitors, relay: Relay) -> Iterator[OpenPage]:
    """The same in Chromium; it may trade."""
    page = chrome.new_page(place.site.url).open("/blank.html")
    yield OpenPage(page).loaded(network={"relays": [relay.address]}, **place.chain.config).node(relay)
    page.close()


@pytest.fixture
def blank(firefox: Firefox, site: WebServer) -> Iterator[FirefoxPage]:
    page = firefox.new_page(site.url).open("/blank.html")
    yield page
    page.close()


def talk(here: OpenPage, there: OpenPage, relay: Relay) -> str:
    """A message each way over a connection of its own; returns the path of the connection."""
    there.run(
        "globalThis.stop = node.on_webrtc_message((peer, data) => node.send_webrtc_message(peer, data.reverse()))"
    )
    path, answer = here.run(
        """const [relay, peer] = args;
        const { path } = await node.connect_through_webrtc_relay(relay, peer);
        await node.send_webrtc_message(peer, new Uint8Array([1, 2, 3]));
        const answer = await node.receive_webrtc_message(peer, { timeout_ms: 30000 });
        await node.disconnect_from_webrtc_relay(peer);
        return [path, answer];""",
        relay.peer_id,
        there.peer_id,
        timeout=60,
    )
    there.run("stop()")
    assert answer == bytes([3, 2, 1])
    return str(path)


def test_a_script_returns_its_value(blank: FirefoxPage) -> None:
    assert blank.run_js("return [args[0] + 1, 2n ** 64n, new Uint8Array(args[1])]", 1, b"\x00\xff") == [
        2,
        2**64,
        b"\x00\xff",
    ]


def test_a_script_that_throws_raises_its_fields(blank: FirefoxPage) -> None:
    with pytest.raises(JsError) as caught:
        blank.run_js("throw Object.assign(new RangeError('too far'), { code: 'FAR', retryable: false })")
    assert (caught.value.name, caught.value.message, caught.value.code) == ("RangeError", "too far", "FAR")


def test_a_script_that_does_not_end_times_out_and_may_be_waited_for_again(blank: FirefoxPage) -> None:
    job = blank.start("await new Promise((resolve) => (globalThis.go = resolve)); return 7")
    with pytest.raises(TimeoutError):
        job.wait(0.1)
    blank.run_js("go()")
    assert job.wait() == 7


def test_what_goes_wrong_in_a_page_is_a_fault(blank: FirefoxPage) -> None:
    blank.run_js(
        """await fetch("/nowhere");
        console.info("fine");
        const seen = (target, event) => new Promise((resolve) => target.addEventListener(event, resolve));
        setTimeout(() => { throw new Error("uncaught") });
        await seen(window, "error");
        const image = new Image();
        image.src = "https://other.example/picture.png";
        await seen(image, "error");"""
    )
    lines = blank.faults()
    for sign in ("/nowhere 404", "uncaught", "policy violation"):
        assert any(sign in line for line in lines), (sign, lines)
    assert not any("fine" in line for line in lines)


def test_the_package_loads_and_reserves_without_a_fault(faces: tuple[OpenPage, OpenPage]) -> None:
    assert [face.page.faults() for face in faces] == [[], []]


def test_two_firefox_pages_exchange_messages_directly(faces: tuple[OpenPage, OpenPage], relay: Relay) -> None:
    here, there = faces
    assert talk(here, there, relay) == "direct"


@pytest.mark.parametrize("dials", ["firefox", "chromium"])
def test_firefox_and_chromium_exchange_messages_directly(
    dials: str, faces: tuple[OpenPage, OpenPage], chromium_face: OpenPage, relay: Relay
) -> None:
    here, there = (faces[0], chromium_face) if dials == "firefox" else (chromium_face, faces[0])
    assert talk(here, there, relay) == "direct"
    assert chromium_face.page.faults() == []


def test_the_page_takes_an_order_from_chromium_and_the_trade_completes(
    firefox: Firefox, chromium_face: OpenPage, place: TwoVisitors
) -> None:
    visitor = TradingVisitor("Fiona", firefox.new_page(place.site.url), place.chain)
    visitor.open("/#/wallet")
    address = chromium_face.run("await node.connect_wallet({ type: 'seed' }); return await node.get_address()")
    dark = visitor.asset("DARK•TEST•COINS")
    for asset in ("BTC", dark):
        place.chain.faucet(address, asset)
    visitor.opens_wallet()
    visitor.gets("BTC")
    draft = {"base_asset": dark, "quote_asset": "BTC", "side": "sell", "amount": "100", "total": "0.0005"}
    order = chromium_face.run("return (await node.create_order(args[0])).text", draft)
    visitor.buys("#order=" + order, place)
    assert visitor.wealth()[dark] == 10_000
    paths = visitor.page.run_js(
        """const { session } = document.querySelector("ds-app");
        const peer = session.log.filter(({ type }) => type === "connection:open");
        return peer.filter(({ peer_id }) => peer_id === args[0]).map(({ path }) => path);""",
        chromium_face.peer_id,
    )
    assert "direct" in paths
    # A transaction that the chain does not know yet is asked for, and sent by either side.
    assert [line for line in visitor.page.faults() if place.chain.url not in line] == []
    visitor.page.close()
