"""A js-libp2p node in one page and ours, Python in another: neither can tell the other from one of its own kind."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from tests.browser.conftest import BLANK
from tests.interop.processes import js_relay, our_relay, peers_bundle, py_relay
from tests.support.chrome import Chrome, JsError, Page
from web.build.server import Site, WebServer

pytestmark = pytest.mark.takes(30)

RELAYS: dict[str, Callable[[], contextlib.AbstractContextManager[str]]] = {
    "our relay": our_relay,
    "js-libp2p's relay": js_relay,
    "py-libp2p's relay": py_relay,
}

# py-libp2p's relay breaks about every third circuit between two peers that had one a moment ago, js-libp2p's own
# included, so through it each pair meets once.
through_ours_and_js = pytest.mark.parametrize("relay", ["our relay", "js-libp2p's relay"], indirect=True)

each_apart = pytest.mark.usefixtures("apart")

# Echo as js-libp2p's side of the test speaks it; everything else is the package's own.
_START = """
from darkswap_browser.node.config import NetworkConfig
from darkswap_browser.api.network import Network
from darkswap_browser.errors import EndOfStream
from darkswap_browser.identity.multiaddr import Multiaddr
from darkswap_browser.identity.peer_id import PeerId

ECHO = "/echo/1.0.0"
RELAY = "%s"
network = Network(NetworkConfig.from_mapping({"network": {"relays": [RELAY]}, "identity": {"persist": False}}))
relay_id = RELAY.rsplit("/", 1)[1]


async def answer_echo(connection, stream, protocol):
    try:
        while True:
            await stream.write(await stream.read())
    except EndOfStream:
        await stream.close()


async def echo(peer, size):
    swarm = await network.swarm()
    opened = await swarm.new_stream(PeerId.parse(peer), [ECHO])
    sent = bytes(index * 31 & 255 for index in range(size))
    await opened.stream.write(sent)
    back = await opened.stream.read_exactly(size)
    await opened.stream.close()
    return back == sent


swarm = await network.swarm()
swarm.handle(ECHO, answer_echo)
await network.make_relay_reservation(relay_id)
await network.local_peer_id()
"""

_GONE = """
import asyncio
async with asyncio.timeout(9):
    for connection in swarm.connections(PeerId.parse('%s')):
        await connection.wait_closed()
len(swarm.connections(PeerId.parse('%s')))
"""


@pytest.fixture(scope="module")
def site(built: object) -> Iterator[WebServer]:
    server = WebServer(Site({"/": built, "/peers/": peers_bundle()}, {"/blank.html": BLANK}))
    yield server
    server.close()


@pytest.fixture(scope="module", params=RELAYS)
def relay(request: pytest.FixtureRequest) -> Iterator[str]:
    with RELAYS[request.param]() as address:
        yield address


PING_MS = 1000
"""js-libp2p's own default is ten seconds."""


@contextlib.contextmanager
def js_peer(chrome: Chrome, site: WebServer, relay: str, ping_ms: int = 10_000) -> Iterator[Page]:
    page = chrome.new_page(site.url).open("/blank.html")
    page.run_js("await import('/peers/js_browser.mjs'); return jsPeer.start(...args)", relay, ping_ms)
    yield page
    page.close()


@contextlib.contextmanager
def our_peer(chrome: Chrome, site: WebServer, relay: str) -> Iterator[Page]:
    page = chrome.new_page(site.url).open("/blank.html").load_python()
    page.run_python(_START % relay)
    yield page
    page.close()


@pytest.fixture(scope="module")
def js(chrome: Chrome, site: WebServer, relay: str) -> Iterator[Page]:
    with js_peer(chrome, site, relay) as page:
        yield page


@pytest.fixture(scope="module")
def ours(chrome: Chrome, site: WebServer, relay: str) -> Iterator[Page]:
    with our_peer(chrome, site, relay) as page:
        yield page


@dataclass(frozen=True)
class Connected:
    """Pages of js-libp2p that dialled one of ours: `js` when it was `since`, untouched after that; on `left`, which is
    told nothing of it, ours has hung up."""

    js: Page
    left: Page
    ours: Page
    address: str
    since: float


@pytest.fixture(scope="module", autouse=True)
def connected(chrome: Chrome, site: WebServer) -> Iterator[Connected]:
    """Made before the first test here, so that its time passes while the others run."""
    with (
        our_relay() as relay,
        js_peer(chrome, site, relay, PING_MS) as js,
        js_peer(chrome, site, relay) as left,
        our_peer(chrome, site, relay) as ours,
    ):
        address = _webrtc_address(relay, _our_id(ours))
        for page in (js, left):
            page.run_js("return jsPeer.dial(args[0])", address)
        ours.run_python(f"await network.disconnect('{left.run_js('return jsPeer.peerId()')}')")
        yield Connected(js, left, ours, address, time.monotonic())


@pytest.fixture
def apart(ours: Page, js: Page, relay: str) -> Iterator[None]:
    """Each test begins with two peers that know the relay and not each other."""
    yield
    js.run_js("return jsPeer.hangUp(args[0])", _webrtc_address(relay, _our_id(ours)))
    ours.run_python(_gone(js), timeout=15)


def _webrtc_address(relay: str, peer: str) -> str:
    return f"{relay}/p2p-circuit/webrtc/p2p/{peer}"


def _gone(js: Page) -> str:
    return _GONE.replace("%s", js.run_js("return jsPeer.peerId()"))


def _our_id(page: Page) -> str:
    return str(page.run_python("await network.local_peer_id()"))


@each_apart
def test_we_dial_a_js_browser_peer_over_webrtc(ours: Page, js: Page, relay: str) -> None:
    address = js.run_js("return (await jsPeer.webrtcAddresses())[0]")
    peer = address.rsplit("/", 1)[1]
    found = ours.run_python(f"info = await network.connect_through_relay(relay_id, '{peer}'); info.transport")
    assert found == "webrtc"
    assert ours.run_python(f"await echo('{peer}', 100_000)")
    assert ours.run_python(f"await network.ping('{peer}')") < 2000
    assert js.run_js("return jsPeer.echo(args[0], 100000)", _webrtc_address(relay, _our_id(ours)))


@each_apart
@through_ours_and_js
def test_a_js_browser_peer_dials_us_over_webrtc(ours: Page, js: Page, relay: str) -> None:
    address = _webrtc_address(relay, _our_id(ours))
    dialled = js.run_js("return jsPeer.dial(args[0])", address)
    assert "/webrtc/" in dialled["remote"]
    assert js.run_js("return jsPeer.echo(args[0], 100000)", address)
    assert js.run_js("return jsPeer.ping(args[0])", address) < 2000
    theirs = js.run_js("return jsPeer.peerId()")
    assert ours.run_python(f"await echo('{theirs}', 100_000)")
    known = {agent["peer"]: agent for agent in js.run_js("return jsPeer.agents()")}
    assert "darkswap-browser" in known[_our_id(ours)]["agent"]


@each_apart
@through_ours_and_js
def test_we_see_at_once_that_js_hung_up(ours: Page, js: Page, relay: str) -> None:
    address = _webrtc_address(relay, _our_id(ours))
    js.run_js("return jsPeer.dial(args[0])", address)
    js.run_js("return jsPeer.hangUp(args[0])", address)
    assert ours.run_python(_gone(js), timeout=10) == 0


@each_apart
def test_a_dial_to_someone_who_is_not_there_says_so(ours: Page, js: Page, relay: str) -> None:
    stranger = "12D3KooWBtg3aaRMjxwedh83aGiUkwSxDwUZkzuJcfaqUmo7R3pq"
    with pytest.raises(JsError, match="NO_RESERVATION"):
        ours.run_python(f"await network.connect_through_relay(relay_id, '{stranger}')", timeout=40)


def test_the_connection_outlives_six_rounds_of_js_monitoring(connected: Connected) -> None:
    # js-libp2p pings each connection and aborts those that do not answer, so only time can tell.
    js, address = connected.js, connected.address
    left = connected.since * 1000 + 6.5 * PING_MS - time.monotonic() * 1000
    js.run_js("await new Promise((resolve) => setTimeout(resolve, args[0]))", max(0, left), timeout=70)
    us = _our_id(connected.ours)
    alive = [
        one for one in js.run_js("return jsPeer.connections()") if one["peer"] == us and "/webrtc/" in one["address"]
    ]
    assert [one["status"] for one in alive] == ["open"]
    assert js.run_js("return jsPeer.echo(args[0], 5000)", address)


def test_js_sees_that_we_hung_up(connected: Connected) -> None:
    # RTCPeerConnection.close() tells nobody: a js-libp2p node without open streams, like one dialled by its own
    # kind, learns of it when ICE consent runs out, after about 15 s.
    connected.left.run_js("return jsPeer.gone(args[0])", _our_id(connected.ours), timeout=30)
