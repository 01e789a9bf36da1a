"""One suite of `Transport` over memory, and over TCP and WebSocket on simulated and native sockets."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from darkswap_browser.errors import ConnectionLost, InvalidArgument, Unsupported
from darkswap_browser.identity.multiaddr import Multiaddr
from darkswap_browser.net.limits import DEFAULT_LIMITS
from darkswap_browser.net.transport import Transport
from darkswap_browser.net.upgrade import Upgrader
from darkswap_browser.runtime.base.links import Sockets
from darkswap_browser.runtime.native.host import SystemEntropy
from darkswap_browser.runtime.native.sockets import NativeSockets
from darkswap_browser.testing.world import SimulatedWorld
from darkswap_browser.transports.memory import MemoryHub, MemoryTransport
from darkswap_browser.transports.tcp import TcpTransport
from darkswap_browser.transports.websocket import WebSocketTransport
from tests.support.certificate import self_signed
from tests.support.check_transport import CHECKS, Node, Nodes
from tests.support.native_identity import CRYPTO, identity

Check = Callable[[Nodes], Awaitable[None]]
Make = Callable[[str, Upgrader], tuple[Transport, str]]


@asynccontextmanager
async def two_nodes(make: Make) -> AsyncIterator[tuple[Node, Node]]:
    """`make`: name and upgrader → transport and where it may listen."""
    nodes = []
    for name in ("one", "two"):
        who = await identity(name)
        transport, address = make(name, Upgrader(who, CRYPTO, SystemEntropy(), DEFAULT_LIMITS))
        nodes.append(Node(who.peer_id, transport, Multiaddr.parse(address)))
    try:
        yield nodes[0], nodes[1]
    finally:
        for node in nodes:
            await node.transport.close()
            for connection in node.accepted:
                connection.abort()


def over(sockets: Sockets, kind: str, ip: str, upgrader: Upgrader, tls: tuple[str, str]) -> tuple[Transport, str]:
    if kind == "tcp":
        return TcpTransport(sockets, upgrader), f"/ip4/{ip}/tcp/0"
    return WebSocketTransport(sockets, upgrader, tls), f"/ip4/{ip}/tcp/0/{kind}"


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
async def test_memory(check: Check) -> None:
    hub = MemoryHub()
    await check(lambda: two_nodes(lambda name, upgrader: (MemoryTransport(hub, upgrader), "/memory/0")))


@pytest.mark.parametrize("kind", ["tcp", "ws", "wss", "tls/ws"])
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
async def test_simulated(check: Check, kind: str) -> None:
    world = SimulatedWorld(1, crypto=CRYPTO)

    def make(name: str, upgrader: Upgrader) -> tuple[Transport, str]:
        return over(world.runtime(name).sockets, kind, world.ip(name), upgrader, ("chain", "key"))

    await check(lambda: two_nodes(make))


@pytest.mark.native
@pytest.mark.parametrize("kind", ["tcp", "ws", "wss", "tls/ws"])
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
async def test_native(check: Check, kind: str, tmp_path: Path) -> None:
    certificate = self_signed(tmp_path)
    sockets = NativeSockets(trusted=certificate.chain)
    await check(lambda: two_nodes(lambda name, it: over(sockets, kind, "127.0.0.1", it, certificate.paths)))


async def upgrader() -> Upgrader:
    return Upgrader(await identity(), CRYPTO, SystemEntropy(), DEFAULT_LIMITS)


async def test_secure_listening_needs_a_certificate() -> None:
    transport = WebSocketTransport(NativeSockets(), await upgrader())

    async def never(_: object) -> None:
        raise AssertionError

    with pytest.raises(Unsupported):
        await transport.listen(Multiaddr.parse("/ip4/127.0.0.1/tcp/0/wss"), never)


@pytest.mark.native
async def test_a_certificate_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    transport = WebSocketTransport(NativeSockets(), await upgrader(), (str(tmp_path / "no"), str(tmp_path / "no")))

    async def never(_: object) -> None:
        raise AssertionError

    with pytest.raises(InvalidArgument, match="tls"):
        await transport.listen(Multiaddr.parse("/ip4/127.0.0.1/tcp/0/wss"), never)


@pytest.mark.native
async def test_a_certificate_that_nobody_trusts_is_refused(tmp_path: Path) -> None:
    certificate = self_signed(tmp_path)

    def make(name: str, it: Upgrader) -> tuple[Transport, str]:
        return over(NativeSockets(), "wss", "127.0.0.1", it, certificate.paths)

    async with two_nodes(make) as (one, two):
        with pytest.raises(ConnectionLost):
            await one.dial(await two.listen())


@pytest.mark.parametrize(
    ("address", "tcp", "websocket", "memory"),
    [
        ("/ip4/1.2.3.4/tcp/4001", True, False, False),
        ("/dns4/relay.example/tcp/4001", True, False, False),
        ("/ip4/1.2.3.4/tcp/80/ws", False, True, False),
        ("/dns/relay.example/tcp/443/tls/ws", False, True, False),
        ("/dns4/relay.example/tcp/443/tls/sni/relay.example/ws", False, True, False),
        ("/dns4/relay.example/tcp/443/wss", False, True, False),
        ("/ip6/::1/tcp/1/ws", False, True, False),
        ("/memory/3", False, False, True),
        ("/ip4/1.2.3.4/udp/4001/quic-v1", False, False, False),
        ("/p2p-circuit", False, False, False),
    ],
)
async def test_each_transport_knows_its_addresses(address: str, tcp: bool, websocket: bool, memory: bool) -> None:
    it, parsed = await upgrader(), Multiaddr.parse(address)
    sockets = NativeSockets()
    assert TcpTransport(sockets, it).can_dial(parsed) is tcp
    assert WebSocketTransport(sockets, it).can_dial(parsed) is websocket
    assert MemoryTransport(MemoryHub(), it).can_dial(parsed) is memory
    circuit = parsed.encapsulate("/p2p/12D3KooWBtg3aaRMjxwedh83aGiUkwSxDwUZkzuJcfaqUmo7R3pq/p2p-circuit")
    assert not TcpTransport(sockets, it).can_dial(circuit)
    assert not WebSocketTransport(sockets, it).can_dial(circuit)
