"""The page's own WebRTC: data channels as streams, `/webrtc` between two nodes, ends and leftovers, in Chromium."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from darkswap_browser.transports.webrtc.glare import SETTLE_SECONDS
from tests.support.chrome import Chrome, Page
from web.build.server import WebServer

pytestmark = pytest.mark.takes(15)

# Two nodes in one page; a memory link stands for the relayed connection.
TOOLS = """
import asyncio, hashlib, time
from darkswap_browser.errors import *
from darkswap_browser.identity.keys import Identity
from darkswap_browser.identity.multiaddr import Multiaddr
from darkswap_browser.net.address_book import AddressBook
from darkswap_browser.net.limits import Limits
from darkswap_browser.net.swarm import Swarm
from darkswap_browser.net.upgrade import Upgrader
from darkswap_browser.protocols.ping import Ping
from darkswap_browser.runtime.base.webrtc import *
from darkswap_browser.runtime.browser.host import browser_runtime
from darkswap_browser.transports.memory import memory_pair
from darkswap_browser.transports.webrtc.private import WebRtcTransport

host = browser_runtime()
RELAY = "/ip4/192.0.2.1/tcp/443/wss/p2p/12D3KooWGzxzKZYveHXtpG6AsrUJBcWxHBFS2HsEoGTxrMLvKXtf"

class Node:
    async def make(name, configuration=RtcConfiguration(), observer=None):
        self = Node()
        self.limits = Limits()
        me = await Identity.from_seed(host.crypto, hashlib.sha256(name.encode()).digest())
        self.swarm = Swarm(me, self.limits, AddressBook(self.limits))
        self.upgrader = Upgrader(me, host.crypto, host.entropy, self.limits)
        self.webrtc = WebRtcTransport(self.swarm, host.webrtc, lambda: configuration, observer)
        self.swarm.add_transport(self.webrtc)
        await self.swarm.listen(Multiaddr.parse("/webrtc"))
        self.ping = Ping(self.swarm, host.entropy)
        self.ping.start()
        self.arrived = asyncio.Queue()
        self.swarm.handle("/test/1", self.take)
        self.id = me.peer_id
        self.address = Multiaddr.parse(f"{RELAY}/p2p-circuit/webrtc/p2p/{me.peer_id}")
        return self

    async def take(self, connection, stream, protocol):
        done = asyncio.get_running_loop().create_future()
        self.arrived.put_nowait((stream, done))
        await done

    @property
    def direct(self):
        return [each for each in self.swarm.connections() if each.transport == "webrtc"]

async def pair(first=None, second=None):
    a, b = first or await Node.make("alice"), second or await Node.make("bob")
    one, two = memory_pair()
    where = Multiaddr.parse(f"{RELAY}/p2p-circuit")
    out, into = await asyncio.gather(
        a.upgrader.upgrade_outbound(one, peer=b.id, address=where.with_peer(b.id), transport="circuit"),
        b.upgrader.upgrade_inbound(two, peer=None, address=where.with_peer(a.id), transport="circuit"),
    )
    a.swarm.add_connection(out)
    b.swarm.add_connection(into)
    return a, b

async def streams():
    a, b = await pair()
    connection = await a.swarm.dial_address(b.address)
    opened = await a.swarm.new_stream(connection, ["/test/1"])
    far, done = await b.arrived.get()
    return a, b, opened.stream, far

async def end(*nodes):
    for node in nodes:
        await node.swarm.close()

async def read_all(stream):
    data = b""
    while True:
        try:
            data += await stream.read()
        except EndOfStream:
            return data
"""


@pytest.fixture(scope="module")
def tools(chrome: Chrome, site: WebServer) -> Iterator[Page]:
    page = chrome.new_page(site.url).open("/blank.html").load_python()
    page.run_python(TOOLS + "\nNone")
    yield page
    assert [line for line in page.console() if "favicon" not in line] == []
    page.close()


def told(page: Page, code: str) -> Any:
    return page.run_python(code, timeout=60)


def test_two_nodes_meet_directly_and_see_the_path(tools: Page) -> None:
    seen = told(
        tools,
        """
steps = []
a, b = await pair()
connection = await a.swarm.dial_address(b.address, lambda step, _: steps.append(step))
path = await connection.path()
rtt = await a.ping.ping(connection)
await asyncio.sleep(0.1)
result = [steps[-1], len(a.direct), len(b.direct), path["local_candidate"], path["protocol"], rtt < 1]
await end(a, b)
result
""",
    )
    assert seen == ["webrtc:close-signaling-stream", 1, 1, "host", "udp", True]


def test_megabytes_arrive_whole_in_both_directions_and_each_ends_by_itself(tools: Page) -> None:
    assert told(
        tools,
        """
a, b, near, far = await streams()
data = bytes(range(256)) * 20_000
async def send(stream):
    await stream.write(data)
    await stream.close_write()
_, _, one, two = await asyncio.gather(send(near), send(far), read_all(near), read_all(far))
await asyncio.sleep(0.3)
result = [one == data, two == data, a.direct[0].streams, b.direct[0].streams]
await end(a, b)
result
""",
    ) == [True, True, 0, 0]


def test_a_writer_waits_above_the_high_water_mark(tools: Page) -> None:
    accepted, waited = told(
        tools,
        """
a, b, near, far = await streams()
accepted, chunk = 0, bytes(65536)
while near.raw.try_write(chunk):
    accepted += len(chunk)
writing = asyncio.ensure_future(near.write(chunk))
await asyncio.sleep(0)
waited = not writing.done()
await asyncio.wait_for(writing, 10)
await end(a, b)
[accepted, waited]
""",
    )
    assert 1024 * 1024 <= accepted <= 1024 * 1024 + 65536
    assert waited


def test_a_reset_and_a_closed_connection_are_noticed_within_a_moment(tools: Page) -> None:
    reset, closed, seconds = told(
        tools,
        """
a, b, near, far = await streams()
near.reset()
try:
    await asyncio.wait_for(far.read(), 2)
except StreamError as error:
    reset = type(error).__name__
[theirs] = b.direct
started = time.perf_counter()
await a.direct[0].close()
await asyncio.wait_for(theirs.wait_closed(), 5)
seconds = time.perf_counter() - started
await end(a, b)
[reset, theirs.close_reason, seconds]
""",
    )
    assert reset == "StreamReset"
    assert closed == "closed by the peer"
    assert seconds < 2


@pytest.mark.parametrize("head_start", [0.0, 0.02])
def test_two_who_dial_each_other_at_once_end_with_one_connection(tools: Page, head_start: float) -> None:
    assert told(
        tools,
        f"""
a, b = await pair()
async def late():
    await asyncio.sleep({head_start})
    return await b.swarm.dial_address(a.address)
await asyncio.gather(a.swarm.dial_address(b.address), late())
# Where both connections came up before either side saw the other's dial, one goes {SETTLE_SECONDS} s later.
async with asyncio.timeout({SETTLE_SECONDS} + 3):
    while [len(a.direct), len(b.direct)] != [1, 1]:
        await asyncio.sleep(0.05)
await asyncio.sleep(0.5)
result = [len(a.direct), len(b.direct)]
await end(a, b)
result
""",
    ) == [1, 1]


def test_a_fingerprint_changed_on_the_way_never_connects(tools: Page) -> None:
    assert told(
        tools,
        """
import re
from dataclasses import replace
from darkswap_browser.protocols.signaling.exchange import ManualSignaling
a, b = await pair()
def alter(event):
    if isinstance(event, SessionDescription):
        event = replace(event, sdp=re.sub(r"(fingerprint:sha-256 )(..)", r"\\g<1>00", event.sdp))
    to_a.deliver(event)
to_a = ManualSignaling(a.limits, lambda event: to_b.deliver(event))
to_b = ManualSignaling(b.limits, alter)
async def outcome(work):
    # Who was told the truth may believe in the connection for a moment, until the other side hangs up.
    try:
        connection = await asyncio.wait_for(work, 8)
        await asyncio.wait_for(connection.wait_closed(), 8)
        return "closed at once"
    except (ConnectionLost, TimeoutError) as error:
        return "refused"
result = await asyncio.gather(
    outcome(a.webrtc.offer_by(to_a, b.id, lambda *_: None)), outcome(b.webrtc.answer_by(to_b, a.id))
)
await end(a, b)
result
""",
    ) in (["refused", "refused"], ["refused", "closed at once"])


def test_relay_only_without_a_turn_server_says_nothing_of_this_machine(tools: Page) -> None:
    said = told(
        tools,
        """
said = []
class Observer:
    def signaled(self, peer, event, *, outgoing):
        if outgoing:
            said.append(event.sdp if isinstance(event, SessionDescription) else event.candidate)
a, b = await pair(await Node.make("alice", RtcConfiguration(relay_only=True), Observer()))
try:
    await asyncio.wait_for(a.swarm.dial_address(b.address), 2)
except (TimeoutError, DarkSwapError):
    pass
await end(a, b)
said
""",
    )
    assert len(said) == 1
    assert "a=candidate" not in said[0]
    assert "c=IN IP4 0.0.0.0" in said[0]


@pytest.mark.parametrize(
    "call",
    [
        'await connection.set_remote_description(SessionDescription("offer", "v=0\\r\\nnonsense"))',
        'await connection.add_ice_candidate(IceCandidate("nonsense", "0", 0))',
    ],
)
def test_what_the_browser_refuses_is_malformed(tools: Page, call: str) -> None:
    assert (
        told(
            tools,
            f"""
class Listener:
    def ice_candidate(self, candidate): pass
    def ice_candidate_error(self, url, code): pass
    def data_channel(self, channel): pass
    def state_changed(self, state): pass
other = host.webrtc.create_peer_connection(RtcConfiguration(), Listener())
other.create_data_channel("x")
connection = host.webrtc.create_peer_connection(RtcConfiguration(), Listener())
if "candidate" in {call!r}:
    await connection.set_remote_description(await other.create_offer())
try:
    {call}
    result = "accepted"
except MalformedMessage:
    result = "malformed"
connection.close()
other.close()
connection.close()
result
""",
        )
        == "malformed"
    )


def test_an_ice_restart_keeps_channels_and_changes_credentials(tools: Page) -> None:
    assert told(
        tools,
        """
from darkswap_browser.protocols.signaling.exchange import Libp2pSignaling
from darkswap_browser.transports.webrtc.restart import RESTART_PROTOCOL
from darkswap_browser.transports.webrtc.sdp import ice_credentials
a, b, near, far = await streams()
[connection], [theirs] = a.direct, b.direct
before = ice_credentials(theirs.remote_sdp)
relayed = next(each for each in a.swarm.connections() if each.transport == "circuit")
stream = (await a.swarm.new_stream(relayed, [RESTART_PROTOCOL])).stream
exchange = a.webrtc._negotiator.exchange(connection, Libp2pSignaling(stream, a.limits))
writing = asyncio.ensure_future(near.write(bytes(3_000_000)))
await exchange.run(exchange.offer(lambda *_: None, restart=True))
await asyncio.sleep(0.5)
await stream.close()
received = 0
while received < 3_000_000:
    received += len(await far.read())
await writing
result = [before != ice_credentials(theirs.remote_sdp), connection.is_closed, theirs.is_closed]
await end(a, b)
result
""",
    ) == [True, False, False]


def test_connections_leave_no_proxy_behind(tools: Page) -> None:
    cycle = """
import gc
for _ in range(3):
    a, b, near, far = await streams()
    await near.write(b"x" * 100_000)
    await near.close()
    await end(a, b)
    del a, b, near, far
    await asyncio.sleep(0.3)
gc.collect()
None
"""
    told(tools, cycle)
    tools.run_js("pyodide._module.enable_pyproxy_allocation_tracing()")
    before = tools.run_js("return pyodide._module.pyproxy_alloc_map.size")
    told(tools, cycle)
    after = tools.run_js("return pyodide._module.pyproxy_alloc_map.size")
    tools.run_js("pyodide._module.disable_pyproxy_allocation_tracing()")
    assert after - before <= 1
