"""The relay's answers on the wire: every status, and what a connection's end does."""

from __future__ import annotations

import asyncio
import dataclasses

import pytest

from darkswap_browser.errors import EndOfStream, RelayRefused
from darkswap_browser.identity.multiaddr import Multiaddr
from darkswap_browser.net.connection import CircuitLimit, Connection
from darkswap_browser.net.rate_limit import Rate
from darkswap_browser.net.routing import ProtocolHandler
from darkswap_browser.net.stream import BufferedStream
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
    decode_stop,
    encode_hop,
    encode_stop,
)
from darkswap_browser.protocols.relay.server.limits import RelayLimits
from darkswap_browser.protocols.relay.server.relay_server import RelayServer
from tests.support.relays import RELAY_LIMITS, Lan, Node, node, relay


async def hop(who: Node, target: Connection, request: bytes) -> HopMessage:
    stream = (await who.swarm.new_stream(target, [HOP_PROTOCOL], allow_limited=True)).stream
    await stream.write_message(request)
    answer = decode_hop(await stream.read_message(MAX_MESSAGE))
    with pytest.raises(EndOfStream):
        await stream.read()
    return answer


class Scene:
    """A relay, alice connected to it, bob with a reservation."""

    def __init__(self, middle: Node, alice: Node, bob: Node, to_relay: Connection) -> None:
        self.middle, self.alice, self.bob, self.to_relay = middle, alice, bob, to_relay

    async def ask(self, message: HopMessage) -> HopMessage:
        return await hop(self.alice, self.to_relay, encode_hop(message))

    async def status(self, message: HopMessage) -> int | None:
        answer = await self.ask(message)
        assert answer.type == HopType.STATUS
        return answer.status

    def connect_to(self, who: Node) -> HopMessage:
        return HopMessage(HopType.CONNECT, CircuitPeer(who.peer))

    async def end(self) -> None:
        for each in (self.middle, self.alice, self.bob):
            await each.close()


async def scene(limits: RelayLimits = RELAY_LIMITS) -> Scene:
    lan = Lan()
    middle = await relay(lan, limits=limits)
    alice, bob = await node(lan, "alice", "10.0.0.2"), await node(lan, "bob", "10.0.0.3")
    bob.client.add_relay(middle.full_address)
    await bob.client.reserve(middle.peer)
    return Scene(middle, alice, bob, await alice.swarm.dial_address(middle.full_address))


async def test_a_reservation_names_expiry_address_and_limit() -> None:
    it = await scene(RelayLimits(circuit_duration=120, circuit_data=131072))
    answer = await it.ask(HopMessage(HopType.RESERVE))
    assert answer.status == Status.OK
    assert answer.limit == CircuitLimit(120, 131072)
    assert answer.reservation is not None
    assert answer.reservation.addresses == (it.middle.full_address,)
    assert abs(answer.reservation.expire - it.middle.runtime.clock.now() - 3600) < 2
    assert answer.reservation.voucher
    await it.end()


async def test_a_relay_without_limits_sends_no_limit() -> None:
    it = await scene()
    assert (await it.ask(HopMessage(HopType.RESERVE))).limit is None
    await it.end()


async def test_announced_addresses_replace_those_listened_on() -> None:
    public = Multiaddr.parse("/dns4/relay.example/tcp/443/wss")
    lan = Lan()
    middle, alice = await relay(lan, announce=[public]), await node(lan, "alice", "10.0.0.2")
    answer = await hop(
        alice, await alice.swarm.dial_address(middle.full_address), encode_hop(HopMessage(HopType.RESERVE))
    )
    assert answer.reservation is not None
    assert answer.reservation.addresses == (public.with_peer(middle.peer),)
    await alice.close()
    await middle.close()


async def test_malformed_and_unexpected_requests_have_their_status() -> None:
    it = await scene()
    assert (await hop(it.alice, it.to_relay, b"\xff\xff")).status == Status.MALFORMED_MESSAGE
    assert await it.status(HopMessage(HopType.STATUS)) == Status.UNEXPECTED_MESSAGE
    assert await it.status(HopMessage(17)) == Status.UNEXPECTED_MESSAGE
    assert await it.status(HopMessage(HopType.CONNECT)) == Status.MALFORMED_MESSAGE
    await it.end()


async def test_a_message_over_4096_bytes_is_malformed() -> None:
    it = await scene()
    assert (await hop(it.alice, it.to_relay, bytes(4097))).status == Status.MALFORMED_MESSAGE
    await it.end()


async def test_a_peer_without_reservation_cannot_be_reached() -> None:
    it = await scene()
    carol = await node(it.alice.lan, "carol", "10.0.0.4")
    await carol.swarm.dial_address(it.middle.full_address)
    assert await it.status(it.connect_to(carol)) == Status.NO_RESERVATION
    await carol.close()
    await it.end()


async def test_an_expired_reservation_is_none() -> None:
    it = await scene(dataclasses.replace(RELAY_LIMITS, reservation_ttl=100.0))
    connection = it.bob.swarm.connections(it.middle.peer)[0]
    await it.bob.client.release(it.middle.peer)
    await asyncio.sleep(101)
    assert not connection.is_closed
    assert await it.status(it.connect_to(it.bob)) == Status.NO_RESERVATION
    await it.end()


async def test_a_peer_is_not_connected_to_itself() -> None:
    it = await scene()
    await it.ask(HopMessage(HopType.RESERVE))
    assert await it.status(it.connect_to(it.alice)) == Status.PERMISSION_DENIED
    await it.end()


async def test_relays_are_not_chained() -> None:
    it = await scene()
    # Bob becomes a relay too, reachable only through the first one.
    from_alice = await it.alice.swarm.dial(it.bob.peer, it.bob.swarm.listen_addresses())
    server = RelayServer(it.bob.swarm, RELAY_LIMITS, it.bob.runtime.clock)
    server.start()
    for message in (HopMessage(HopType.RESERVE), it.connect_to(it.middle)):
        assert (await hop(it.alice, from_alice, encode_hop(message))).status == Status.PERMISSION_DENIED
    await server.close()
    await it.end()


async def test_reservations_over_the_total_and_over_an_address_are_refused() -> None:
    it = await scene(dataclasses.replace(RELAY_LIMITS, reservations=1))
    assert await it.status(HopMessage(HopType.RESERVE)) == Status.RESOURCE_LIMIT_EXCEEDED
    await it.end()
    it = await scene(dataclasses.replace(RELAY_LIMITS, reservations_per_ip=1))
    sister = await node(it.alice.lan, "sister", "10.0.0.2")
    assert await it.status(HopMessage(HopType.RESERVE)) == Status.OK
    connection = await sister.swarm.dial_address(it.middle.full_address)
    refused = await hop(sister, connection, encode_hop(HopMessage(HopType.RESERVE)))
    assert refused.status == Status.RESERVATION_REFUSED
    await sister.close()
    await it.end()


async def test_too_many_circuits_are_refused() -> None:
    it = await scene(dataclasses.replace(RELAY_LIMITS, circuits=1))
    carol = await node(it.alice.lan, "carol", "10.0.0.4")
    await carol.swarm.dial(it.bob.peer, it.bob.swarm.listen_addresses())
    assert await it.status(it.connect_to(it.bob)) == Status.RESOURCE_LIMIT_EXCEEDED
    await carol.close()
    await it.end()


async def test_requests_too_often_are_refused() -> None:
    it = await scene(dataclasses.replace(RELAY_LIMITS, peer_reservations=Rate(2, 60.0)))
    answers = [await it.status(HopMessage(HopType.RESERVE)) for _ in range(3)]
    assert answers == [Status.OK, Status.OK, Status.RESERVATION_REFUSED]
    await it.end()


async def refuse(connection: Connection, stream: BufferedStream, protocol: str) -> None:
    decode_stop(await stream.read_message(MAX_MESSAGE))
    answer = StopMessage(StopType.STATUS, status=Status.PERMISSION_DENIED)
    await stream.write_message(encode_stop(answer))


async def silent(connection: Connection, stream: BufferedStream, protocol: str) -> None:
    await asyncio.sleep(1000)


async def garbage(connection: Connection, stream: BufferedStream, protocol: str) -> None:
    await stream.write(b"\x03\xff\xff\xff")


async def dropping(connection: Connection, stream: BufferedStream, protocol: str) -> None:
    connection.abort()


@pytest.mark.parametrize("answer", [refuse, silent, garbage, dropping])
async def test_a_target_that_does_not_take_the_circuit_is_a_failed_connection(answer: ProtocolHandler) -> None:
    it = await scene()
    it.bob.swarm.unhandle(STOP_PROTOCOL)
    it.bob.swarm.handle(STOP_PROTOCOL, answer)
    assert await it.status(it.connect_to(it.bob)) == Status.CONNECTION_FAILED
    assert it.middle.server is not None
    assert it.middle.server.circuits == 0
    it.bob.swarm.unhandle(STOP_PROTOCOL)
    await it.end()


async def test_a_target_without_the_stop_protocol_is_a_failed_connection() -> None:
    it = await scene()
    it.bob.swarm.unhandle(STOP_PROTOCOL)
    assert await it.status(it.connect_to(it.bob)) == Status.CONNECTION_FAILED
    await it.end()


async def test_the_client_learns_the_status_by_name() -> None:
    it = await scene()
    it.alice.client.add_relay(it.middle.full_address)
    carol = await node(it.alice.lan, "carol", "10.0.0.4")
    with pytest.raises(RelayRefused) as caught:
        await it.alice.client.connect(it.middle.peer, carol.peer)
    assert (caught.value.status, caught.value.name) == (204, "NO_RESERVATION")
    assert "reservation" in caught.value.hint
    await carol.close()
    await it.end()


async def test_a_lost_connection_frees_the_reservation() -> None:
    it = await scene()
    assert it.middle.server is not None
    await it.ask(HopMessage(HopType.RESERVE))
    assert it.middle.server.reservations == 2
    await it.to_relay.close()
    await asyncio.sleep(1)
    assert it.middle.server.reservations == 1
    await it.end()


async def test_a_hop_stream_on_which_nothing_comes_ends_in_time() -> None:
    it = await scene()
    stream = (await it.alice.swarm.new_stream(it.to_relay, [HOP_PROTOCOL])).stream
    started = asyncio.get_running_loop().time()
    with pytest.raises(Exception, match="reset"):
        await stream.read()
    assert asyncio.get_running_loop().time() - started <= RELAY_LIMITS.stream_timeout + 1
    await it.end()


async def test_draining_lets_circuits_end_and_everybody_else_go() -> None:
    it = await scene()
    assert it.middle.server is not None
    carol = await node(it.alice.lan, "carol", "10.0.0.4")
    idle = await carol.swarm.dial_address(it.middle.full_address)
    circuit = await it.alice.swarm.dial(it.bob.peer, it.bob.swarm.listen_addresses())
    draining = asyncio.create_task(it.middle.server.drain(30))
    await asyncio.sleep(10)
    assert idle.is_closed
    assert not circuit.is_closed
    assert await it.status(HopMessage(HopType.RESERVE)) == Status.RESERVATION_REFUSED
    await circuit.close()
    assert await draining
    await carol.close()
    await it.end()


async def test_draining_ends_after_its_time_even_when_circuits_do_not() -> None:
    it = await scene()
    assert it.middle.server is not None
    await it.alice.swarm.dial(it.bob.peer, it.bob.swarm.listen_addresses())
    assert not await it.middle.server.drain(30)
    await it.end()


async def test_when_room_gets_scarce_idle_connections_go_and_those_in_use_stay() -> None:
    lan = Lan()
    middle = await relay(lan, connections=10)
    bob = await node(lan, "bob", "10.0.0.3")
    bob.client.add_relay(middle.full_address)
    await bob.client.reserve(middle.peer)
    idle = [await node(lan, f"idle{n}", "10.0.0.4") for n in range(9)]
    held = [await each.swarm.dial_address(middle.full_address) for each in idle]
    await asyncio.sleep(50)
    assert not any(connection.is_closed for connection in held)
    await asyncio.sleep(80)
    assert [connection.is_closed for connection in held] == [True, True] + [False] * 7
    assert bob.client.reservation(middle.peer) is not None
    for each in (*idle, bob, middle):
        await each.close()
