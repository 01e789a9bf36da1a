"""What a stranger can send to a page through a relay, and what a page's own program can hand over."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from darkswap_browser.errors import ConnectionLost, StreamError
from darkswap_browser.identity.multiaddr import Multiaddr
from darkswap_browser.protocols.signaling.messages import SIGNALING_PROTOCOL
from darkswap_browser.wire.framing import frame
from darkswap_browser.wire.varint import encode_varint
from tests.browser.face import OpenPage, Relay
from tests.interop.processes import our_relay
from tests.support.chrome import Chrome
from tests.support.native_nodes import native_node
from web.build.server import WebServer

DEEP = 30_000
"""Levels of nesting in 30 kB: three times what ends the interpreter of a page."""


@pytest.fixture(scope="module")
def relay() -> Iterator[Relay]:
    with our_relay() as address:
        yield Relay(address)


@pytest.fixture(scope="module")
def victim(chrome: Chrome, site: WebServer, relay: Relay) -> Iterator[OpenPage]:
    page = OpenPage(chrome.new_page(site.url).open("/blank.html"))
    yield page.loaded(network={"relays": [relay.address]}).node(relay)
    page.page.close()


async def send_candidate(victim: OpenPage, relay: Relay, text: str) -> None:
    """As a peer that knows no more than the victim's id and relay: one signaling message, until it is refused."""
    async with native_node() as stranger:
        address = Multiaddr.parse(f"{relay.address}/p2p-circuit/p2p/{victim.peer_id}")
        connection = await stranger.swarm.dial_address(address)
        opened = await stranger.swarm.new_stream(connection, [SIGNALING_PROTOCOL], allow_limited=True)
        body = text.encode()
        await opened.stream.write(frame(b"\x08\x02\x12" + encode_varint(len(body)) + body))
        with pytest.raises((StreamError, ConnectionLost)):
            await opened.stream.read_exactly(10_000)


def test_page_candidate_of_a_stranger_nested_deeply_is_refused_and_python_lives(victim: OpenPage, relay: Relay) -> None:
    for text in ("[" * DEEP, '{"candidate":' * (DEEP // 15)):
        asyncio.run(send_candidate(victim, relay, text))
        assert victim.run("return await node.local_peer_id();") == victim.peer_id


def test_page_configuration_nested_deeply_is_an_invalid_argument(victim: OpenPage) -> None:
    code = victim.run(
        """let deep = 1;
        for (let level = 0; level < 4000; level++) deep = [deep];
        try { new lib.DarkSwapWasm({ network: { relays: deep } }); } catch (error) { return error.code; }"""
    )
    assert code == "INVALID_ARGUMENT"
    assert victim.run("return await node.local_peer_id();") == victim.peer_id


SPY = """
const Real = RTCPeerConnection; window.links = [];
window.RTCPeerConnection = class extends Real { constructor(...given) { super(...given); window.links.push(this); } };
"""
FLOOD = """
const link = window.links.at(-1), unit = new Uint8Array([3, 18, 1, 97]);
const blob = new Uint8Array(16000 * 4).map((_, index) => unit[index % 4]);
let sent = 0, channel = null;
const began = performance.now(), until = began + 4000;
while (performance.now() < until && link.connectionState === "connected") {
  if (channel === null || channel.readyState === "closed" || channel.readyState === "closing") {
    channel = link.createDataChannel("");
    await new Promise((done) => { channel.onopen = channel.onclose = done; setTimeout(done, 500); });
  }
  try { channel.send(blob); sent += blob.length; } catch { channel = null; }
  await new Promise((done) => setTimeout(done, 25));
}
return [sent, link.connectionState, (performance.now() - began) / 1000];
"""
WATCH = """
window.worst = 0; let last = performance.now();
const look = () => { const now = performance.now(); window.worst = Math.max(window.worst, now - last); last = now; };
setInterval(look, 10);
"""


def test_page_cuts_off_a_stranger_whose_frames_carry_next_to_nothing(
    chrome: Chrome, site: WebServer, relay: Relay, victim: OpenPage
) -> None:
    """20 Mbit/s in frames of one byte: half a megabyte of them kept a page busy for most of a second."""
    stranger = OpenPage(chrome.new_page(site.url).open("/blank.html"))
    stranger.run(SPY)
    stranger.loaded(network={"relays": [relay.address]}).node(relay)
    path = stranger.run(
        f"return (await node.connect_through_webrtc_relay('{relay.peer_id}', '{victim.peer_id}')).path;"
    )
    assert path == "direct"
    victim.run(WATCH)
    sent, state, _ = stranger.run(FLOOD)
    assert victim.run("return await node.local_peer_id();") == victim.peer_id
    assert state != "connected", f"still there after {sent} bytes"
    assert victim.run("return window.worst;") < 1000
    stranger.page.close()
