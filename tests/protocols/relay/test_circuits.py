"""Two peers that meet through a relay, in virtual time."""

from __future__ import annotations

import asyncio

import pytest

from darkswap_browser.errors import ConnectionLost, StreamError
from darkswap_browser.net.connection import CircuitLimit, Connection
from darkswap_browser.net.stream import BufferedStream
from darkswap_browser.protocols.relay.client import Circuit
from darkswap_browser.protocols.relay.messages import (
    HOP_PROTOCOL,
    MAX_MESSAGE,
    STOP_PROTOCOL,
    CircuitPeer,
    HopMessage,
    HopType,
    Status,
    StopMessage,
    StopType,
    decode_hop,
    encode_hop,
    encode_stop,
)
from darkswap_browser.protocols.relay.server.limits import RelayLimits
from darkswap_browser.wire.framing import frame
from tests.support.relays import Lan, Node, node, relay

ECHO = "/test/echo/1.0.0"


async def echo(connection: Connection, stream: BufferedStream, protocol: str) -> None:
    while True:
        await stream.write(await stream.read())


async def meet(limits: RelayLimits | None = None) -> tuple[Node, Node, Node]:
    lan = Lan()
    middle = await relay(lan, limits=limits) if limits is not None else await relay(lan)
    alice, bob = await node(lan, "alice", "10.0.0.2"), await node(lan, "bob", "10.0.0.3")
    bob.client.add_relay(middle.full_address)
    await bob.client.reserve(middle.peer)
    bob.swarm.handle(ECHO, echo, allow_limited=True)
    return middle, alice, bob


async def end(*nodes: Node) -> None:
    for each in nodes:
        await each.close()


async def test_a_reserved_peer_is_dialled_by_the_address_it_announces_and_answers() -> None:
    middle, alice, bob = await meet()
    plain = [address for address in bob.swarm.listen_addresses() if address.is_circuit]
    assert plain == [middle.full_address.encapsulate(f"/p2p-circuit/p2p/{bob.peer}")]
    connection = await alice.swarm.dial(bob.peer, plain)
    assert connection.transport == "circuit"
    assert connection.limit is None
    assert connection.remote_addr == plain[0]
    stream = (await alice.swarm.new_stream(bob.peer, [ECHO])).stream
    await stream.write(b"hello")
    assert await stream.read_exactly(5) == b"hello"
    [inbound] = bob.swarm.connections(alice.peer)
    assert inbound.remote_addr == middle.full_address.encapsulate(f"/p2p-circuit/p2p/{alice.peer}")
    assert await alice.ping.ping(bob.peer) >= 0.0
    await end(middle, alice, bob)


async def test_both_addresses_are_announced_webrtc_first() -> None:
    middle, alice, bob = await meet()
    through = str(middle.full_address) + "/p2p-circuit"
    announced = [str(address) for address in bob.swarm.listen_addresses()]
    assert announced == [f"{through}/webrtc/p2p/{bob.peer}", f"{through}/p2p/{bob.peer}"]
    await end(middle, alice, bob)


async def test_the_relay_learns_the_addresses_by_identify_push() -> None:
    middle, alice, bob = await meet()
    await asyncio.sleep(2)
    now = asyncio.get_running_loop().time()
    assert any(address.is_circuit for address in middle.swarm.address_book.addresses(bob.peer, now))
    await end(middle, alice, bob)


async def test_a_limit_is_told_to_both_ends_and_identify_and_ping_still_work() -> None:
    middle, alice, bob = await meet(RelayLimits(circuit_duration=60, circuit_data=100_000))
    connection = await alice.swarm.dial(bob.peer, bob.swarm.listen_addresses())
    assert connection.limit == CircuitLimit(60, 100_000)
    await asyncio.sleep(1)
    assert bob.swarm.connections(alice.peer)[0].limit == CircuitLimit(60, 100_000)
    assert alice.swarm.address_book.agent(bob.peer) == "darkswap-browser/test"
    await alice.ping.ping(bob.peer)
    await asyncio.sleep(58.5)
    assert not connection.is_closed
    await asyncio.sleep(1)
    assert connection.is_closed
    assert middle.server is not None
    assert middle.server.circuits == 0
    await end(middle, alice, bob)


async def test_more_data_than_the_limit_ends_the_circuit() -> None:
    middle, alice, bob = await meet(RelayLimits(circuit_duration=0, circuit_data=50_000))
    connection = await alice.swarm.dial(bob.peer, bob.swarm.listen_addresses())
    stream = (await alice.swarm.new_stream(bob.peer, [ECHO], allow_limited=True)).stream
    await stream.write(bytes(60_000))
    await connection.wait_closed()
    await end(middle, alice, bob)


async def test_two_circuits_at_once_do_not_mix() -> None:
    middle, alice, bob = await meet()
    carol = await node(alice.lan, "carol", "10.0.0.4")
    for each in (alice, carol):
        await each.swarm.dial(bob.peer, bob.swarm.listen_addresses())

    async def talk(who: Node, text: bytes) -> bytes:
        stream = (await who.swarm.new_stream(bob.peer, [ECHO])).stream
        await stream.write(text * 10_000)
        return await stream.read_exactly(len(text) * 10_000)

    one, two = await asyncio.gather(talk(alice, b"alice"), talk(carol, b"carol"))
    assert one == b"alice" * 10_000
    assert two == b"carol" * 10_000
    await end(middle, alice, bob, carol)


async def test_bytes_sent_right_behind_the_request_reach_the_target() -> None:
    """go pipelines: it does not wait for the relay's answer."""
    middle, alice, bob = await meet()
    got = asyncio.get_running_loop().create_future()
    bob.swarm.unhandle(STOP_PROTOCOL)

    async def take(connection: Connection, stream: BufferedStream, protocol: str) -> None:
        await stream.read_message(MAX_MESSAGE)
        answer = frame(encode_stop(StopMessage(StopType.STATUS, status=Status.OK)))
        await stream.write(answer + b"and at once")
        got.set_result(await stream.read_exactly(8))

    bob.swarm.handle(STOP_PROTOCOL, take)
    to_relay = await alice.swarm.dial_address(middle.full_address)
    stream = (await alice.swarm.new_stream(to_relay, [HOP_PROTOCOL])).stream
    await stream.write(frame(encode_hop(HopMessage(HopType.CONNECT, CircuitPeer(bob.peer)))) + b"too soon")
    assert decode_hop(await stream.read_message(MAX_MESSAGE)).status == Status.OK
    assert await stream.read_exactly(11) == b"and at once"
    assert await got == b"too soon"
    await end(middle, alice, bob)


@pytest.mark.parametrize("agent", ["darkswap-browser/test", "go-libp2p/0.49"])
async def test_early_data_counts_against_the_limit_of_the_circuit(agent: str) -> None:
    """Whether they went with the request or waited for the target's answer."""
    middle, alice, bob = await meet(RelayLimits(circuit_duration=0, circuit_data=50))
    await asyncio.sleep(1)
    middle.swarm.address_book.set_agent(bob.peer, agent)
    got: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def take(circuit: Circuit) -> None:
        got.set_result(await circuit.stream.read_exactly(50))
        with pytest.raises((StreamError, ConnectionLost)):
            await circuit.stream.read()

    bob.client.accept(take)
    to_relay = await alice.swarm.dial_address(middle.full_address)
    stream = (await alice.swarm.new_stream(to_relay, [HOP_PROTOCOL])).stream
    await stream.write(frame(encode_hop(HopMessage(HopType.CONNECT, CircuitPeer(bob.peer)))) + b"a" * 40)
    assert decode_hop(await stream.read_message(MAX_MESSAGE)).status == Status.OK
    await stream.write(b"b" * 11)
    assert await got == b"a" * 40 + b"b" * 10
    with pytest.raises((StreamError, ConnectionLost)):
        await stream.read()
    await end(middle, alice, bob)


async def test_bytes_behind_the_status_belong_to_the_circuit() -> None:
    middle, alice, bob = await meet()
    bob.swarm.unhandle(STOP_PROTOCOL)

    async def talk_first(connection: Connection, stream: BufferedStream, protocol: str) -> None:
        await stream.read_message(MAX_MESSAGE)
        await stream.write(frame(encode_stop(StopMessage(StopType.STATUS, status=Status.OK))) + b"hello")
        await asyncio.sleep(10)

    bob.swarm.handle(STOP_PROTOCOL, talk_first)
    alice.client.add_relay(middle.full_address)
    circuit = await alice.client.connect(middle.peer, bob.peer)
    assert await circuit.stream.read_exactly(5) == b"hello"
    circuit.stream.reset()
    await end(middle, alice, bob)
