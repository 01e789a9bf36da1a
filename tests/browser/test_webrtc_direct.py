"""`/webrtc-direct` from a page to a js-libp2p node, and in `build.py interop` to one of go-libp2p."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.interop.processes import WEB, node_command, running
from tests.interop.toolchains import go_peer
from tests.support.chrome import Page

pytestmark = pytest.mark.takes(25)

TOOLS = """
import asyncio, hashlib
from darkswap_browser.errors import DarkSwapError
from darkswap_browser.identity.keys import Identity
from darkswap_browser.identity.multiaddr import Multiaddr
from darkswap_browser.net.address_book import AddressBook
from darkswap_browser.net.limits import Limits
from darkswap_browser.net.swarm import Swarm
from darkswap_browser.net.upgrade import Upgrader
from darkswap_browser.protocols.ping import Ping
from darkswap_browser.runtime.browser.host import browser_runtime
from darkswap_browser.transports.webrtc.direct import WebRtcDirectTransport
host, limits = browser_runtime(), Limits()
me = await Identity.from_seed(host.crypto, b"1" * 32)
swarm = Swarm(me, limits, AddressBook(limits))
swarm.add_transport(
    WebRtcDirectTransport(host.webrtc, Upgrader(me, host.crypto, host.entropy, limits).handshaker, host.entropy, limits)
)
ping = Ping(swarm, host.entropy)
ping.start()
"""


@pytest.fixture(scope="module", params=["js", *(["go"] if go_peer() else [])])
def address(request: pytest.FixtureRequest) -> Iterator[str]:
    command = node_command("js_direct.mjs") if request.param == "js" else [go_peer() or ""]
    with running(command, folder=WEB) as addresses:
        yield next(each for each in addresses if "/127.0.0.1/" in each and "/webrtc-direct/" in each)


def refused(page: Page, address: str) -> Any:
    return page.run_python(
        TOOLS
        + f"""
try:
    await swarm.dial_address(Multiaddr.parse({address!r}))
    result = "connected"
except DarkSwapError as error:
    result = error.code
await swarm.close()
result
""",
        timeout=60,
    )


def test_a_node_is_dialled_by_its_certificate_hash_and_echoes(python_page: Page, address: str) -> None:
    transport, rtt, size = python_page.run_python(
        TOOLS
        + f"""
connection = await swarm.dial_address(Multiaddr.parse({address!r}))
rtt = await ping.ping(connection)
stream = (await swarm.new_stream(connection, ["/echo/1.0.0"])).stream
await stream.write(b"x" * 100_000)
echoed = await stream.read_exactly(100_000)
await stream.close()
result = [connection.transport, rtt, len(echoed)]
await swarm.close()
result
""",
        timeout=60,
    )
    assert transport == "webrtc-direct"
    assert rtt < 5
    assert size == 100_000


def test_another_identity_behind_the_address_is_refused(python_page: Page, address: str) -> None:
    other = re.sub("/p2p/.*", "/p2p/12D3KooWGzxzKZYveHXtpG6AsrUJBcWxHBFS2HsEoGTxrMLvKXtf", address)
    assert refused(python_page, other) == "PEER_ID_MISMATCH"


def test_another_certificate_behind_the_address_is_refused(python_page: Page, address: str) -> None:
    other = re.sub("/certhash/[^/]+", "/certhash/uEiDikp5KVUgkLta1EjUN-IKbHk-dUBg8VzKgf5nXxLK46w", address)
    assert refused(python_page, other) in ("CONNECTION_LOST", "TIMEOUT")
