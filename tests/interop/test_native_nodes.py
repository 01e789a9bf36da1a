"""Our peer on CPython beside js-, py- and go-libp2p, over TCP and WebSocket, each dialling the other."""

from __future__ import annotations

import asyncio
import importlib.util
import itertools
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from darkswap_browser.errors import EndOfStream, PeerIdMismatch, ProtocolUnsupported
from darkswap_browser.identity.keys import Identity
from darkswap_browser.identity.multiaddr import Multiaddr
from darkswap_browser.identity.peer_id import PeerId
from darkswap_browser.net.address_book import AddressBook
from darkswap_browser.net.connection import Connection
from darkswap_browser.net.events import PeerIdentified
from darkswap_browser.net.limits import DEFAULT_LIMITS
from darkswap_browser.net.stream import BufferedStream
from darkswap_browser.net.swarm import Swarm
from darkswap_browser.net.upgrade import Upgrader
from darkswap_browser.protocols.identify.identify import Identify
from darkswap_browser.protocols.ping import Ping
from darkswap_browser.runtime.native.host import native_runtime
from darkswap_browser.transports.tcp import TcpTransport
from darkswap_browser.transports.websocket import WebSocketTransport
from tests.interop.processes import PEERS, ROOT, WEB, node_command
from tests.interop.toolchains import go_peer

pytestmark = [pytest.mark.native, pytest.mark.takes(25)]

ECHO = "/echo/1.0.0"
BIG = (10 if go_peer() else 3) * 1024 * 1024 + 17
"""Bytes: more than every initial window, and no multiple of anything; in `build.py interop` more."""

LINKS = ["tcp", "ws"]
KINDS = [
    pytest.param(
        "js", marks=pytest.mark.skipif(not (WEB / "node_modules").exists(), reason="python3 build.py test runs npm ci")
    ),
    pytest.param(
        "py", marks=pytest.mark.skipif(importlib.util.find_spec("libp2p") is None, reason="py-libp2p is not installed")
    ),
    *(["go"] if go_peer() else []),
]


class ForeignPeer:
    """A process that obeys JSON lines."""

    def __init__(self, process: asyncio.subprocess.Process, ready: dict[str, Any]) -> None:
        self._process = process
        self._numbers = itertools.count()
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self.peer = PeerId.parse(ready["peer"])
        self.addresses = [Multiaddr.parse(address) for address in ready["addresses"]]
        self.reader = asyncio.create_task(self._read())

    def address(self, link: str) -> Multiaddr:
        return next(each for each in self.addresses if (each.is_websocket if link == "ws" else each.is_tcp))

    async def do(self, action: str, **arguments: object) -> Any:
        """What the peer answers. `RuntimeError` with its words when it failed."""
        number = next(self._numbers)
        waiting = self._waiting[number] = asyncio.get_running_loop().create_future()
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"id": number, "do": action, **arguments}).encode() + b"\n")
        async with asyncio.timeout(20):
            answer = await waiting
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer["ok"]

    async def _read(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            said = json.loads(line)
            if "id" in said:
                self._waiting.pop(said["id"]).set_result(said)


@asynccontextmanager
async def foreign(kind: str) -> AsyncIterator[ForeignPeer]:
    commands = {
        "js": node_command("js_node.mjs"),
        "py": [sys.executable, str(PEERS / "py_node.py")],
        "go": [go_peer() or ""],
    }
    process = await asyncio.create_subprocess_exec(
        *commands[kind],
        cwd=WEB if kind == "js" else ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        peer = ForeignPeer(process, json.loads(await process.stdout.readline()))
        yield peer
        process.stdin.close()
        async with asyncio.timeout(10):
            await process.wait()
            await peer.reader
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def echo(connection: Connection, stream: BufferedStream, protocol: str) -> None:
    while True:
        await stream.write(await stream.read())


class OurPeer:
    def __init__(self, swarm: Swarm, ping: Ping) -> None:
        self.swarm = swarm
        self.ping = ping
        self.identified: asyncio.Queue[PeerIdentified] = asyncio.Queue()
        swarm.subscribe(lambda event: self.identified.put_nowait(event) if isinstance(event, PeerIdentified) else None)

    def address(self, link: str) -> str:
        bound = next(each for each in self.swarm.listen_addresses() if each.is_websocket == (link == "ws"))
        return f"{bound}/p2p/{self.swarm.local_peer}"

    async def echo(self, peer: PeerId, data: bytes) -> bytes:
        stream = (await self.swarm.new_stream(peer, [ECHO])).stream

        async def write() -> None:
            for at in range(0, len(data), 65536):
                await stream.write(data[at : at + 65536])
            await stream.close_write()

        writing = asyncio.create_task(write())
        received = bytearray()
        try:
            while True:
                received += await stream.read()
        except EndOfStream:
            await writing
        return bytes(received)


@asynccontextmanager
async def ours() -> AsyncIterator[OurPeer]:
    runtime = native_runtime()
    identity = await Identity.generate(runtime.crypto)
    swarm = Swarm(identity, DEFAULT_LIMITS, AddressBook(DEFAULT_LIMITS))
    upgrader = Upgrader(identity, runtime.crypto, runtime.entropy, DEFAULT_LIMITS)
    swarm.add_transport(TcpTransport(runtime.sockets, upgrader))
    swarm.add_transport(WebSocketTransport(runtime.sockets, upgrader))
    ping, identify = Ping(swarm, runtime.entropy), Identify(swarm, "darkswap-browser/test", runtime)
    ping.start()
    identify.start()
    swarm.handle(ECHO, echo)
    peer = OurPeer(swarm, ping)
    for address in ("/ip4/127.0.0.1/tcp/0", "/ip4/127.0.0.1/tcp/0/ws"):
        await swarm.listen(Multiaddr.parse(address))
    try:
        yield peer
    finally:
        await identify.close()
        await swarm.close()


@pytest.mark.parametrize("kind", KINDS)
async def test_we_dial_them(kind: str):
    async with foreign(kind) as them, ours() as us:
        for link in LINKS:
            connection = await us.swarm.dial(them.peer, [them.address(link)])
            assert await us.ping.ping(connection) < 5
            data = bytes(index * 31 & 255 for index in range(BIG))
            assert await us.echo(them.peer, data) == data
            with pytest.raises(ProtocolUnsupported):
                await us.swarm.new_stream(them.peer, ["/unknown/1.0.0"])
            async with asyncio.timeout(10):
                identified = await us.identified.get()
            assert identified.peer == them.peer
            assert kind in identified.agent
            assert ECHO in identified.protocols
            await connection.close()


@pytest.mark.parametrize("kind", KINDS)
async def test_they_dial_us(kind: str):
    async with foreign(kind) as them, ours() as us:
        for link in LINKS:
            address = us.address(link)
            assert await them.do("dial", address=address) == str(us.swarm.local_peer)
            await them.do("ping", address=address)
            assert await them.do("echo", address=address, size=BIG) == BIG
            with pytest.raises(RuntimeError):
                await them.do("propose", address=address, protocol="/unknown/1.0.0")
            async with asyncio.timeout(10):
                assert (await us.identified.get()).peer == them.peer
            seen = await them.do("identified", peer=str(us.swarm.local_peer))
            assert ECHO in seen["protocols"]
            await them.do("hang_up", peer=str(us.swarm.local_peer))
            for connection in us.swarm.connections():
                async with asyncio.timeout(10):
                    await connection.wait_closed()


@pytest.mark.parametrize("kind", KINDS)
async def test_whom_we_expected_is_not_there(kind: str):
    somebody = (await Identity.generate(native_runtime().crypto)).peer_id
    async with foreign(kind) as them, ours() as us:
        address = them.address("tcp").without_peer()
        with pytest.raises(PeerIdMismatch):
            await us.swarm.dial_address(Multiaddr.parse(f"{address}/p2p/{somebody}"))


@pytest.mark.parametrize("kind", KINDS)
async def test_many_streams_at_once_both_ways(kind: str):
    async with foreign(kind) as them, ours() as us:
        connection = await us.swarm.dial(them.peer, [them.address("tcp")])
        # js resets streams beyond ten that come before it has set the connection up.
        await us.ping.ping(connection)
        data = bytes(range(256)) * 1024
        address = us.address("tcp")
        both = [us.echo(them.peer, data) for _ in range(16)]
        counts = [them.do("echo", address=address, size=len(data)) for _ in range(4)]
        results = await asyncio.gather(*both, *counts)
        assert results[:16] == [data] * 16
        assert results[16:] == [len(data)] * 4
