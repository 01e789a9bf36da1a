"""Random and damaged bytes on hop and stop streams: an answer or a reset, and the node goes on as before."""

from __future__ import annotations

import asyncio
import random

from darkswap_browser.errors import DarkSwapError
from darkswap_browser.net.connection import Connection
from darkswap_browser.protocols.relay.messages import (
    HOP_PROTOCOL,
    MAX_MESSAGE,
    STOP_PROTOCOL,
    CircuitPeer,
    HopMessage,
    HopType,
    StopMessage,
    StopType,
    decode_hop,
    decode_stop,
    encode_hop,
    encode_stop,
)
from darkswap_browser.wire.varint import encode_varint
from tests.support.examples import examples
from tests.support.relays import Lan, Node, node, relay

ROUNDS = examples(150)


def spoiled(valid: bytes, chance: random.Random) -> bytes:
    """Framed well or badly: damaged, cut, doubled, random, or with a length that is not true."""
    kind = chance.randrange(5)
    body = bytearray(valid)
    if kind == 0 and body:
        body[chance.randrange(len(body))] ^= chance.randrange(1, 256)
    elif kind == 1:
        body = body[: chance.randrange(len(body) + 1)]
    elif kind == 2:
        body *= 2
    elif kind == 3:
        body = bytearray(chance.randbytes(chance.randrange(200)))
    else:
        return encode_varint(chance.randrange(1 << 20)) + bytes(body)
    return encode_varint(len(body)) + bytes(body)


async def attack(who: Node, target: Connection, protocol: str, data: bytes) -> bytes | None:
    """What came back, if anything did."""
    try:
        stream = (await who.swarm.new_stream(target, [protocol])).stream
        await stream.write(data)
        await stream.close_write()
        async with asyncio.timeout(30):
            return await stream.read_message(MAX_MESSAGE)
    except (DarkSwapError, TimeoutError):
        return None


async def test_nothing_that_is_sent_breaks_the_relay_or_its_client() -> None:
    chance, lan = random.Random(7), Lan()
    middle = await relay(lan)
    alice, bob = await node(lan, "alice", "10.0.0.2"), await node(lan, "bob", "10.0.0.3")
    bob.client.add_relay(middle.full_address)
    await bob.client.reserve(middle.peer)
    to_relay = await alice.swarm.dial_address(middle.full_address)
    to_bob = middle.swarm.connections(bob.peer)[0]
    hops = [HopMessage(HopType.RESERVE), HopMessage(HopType.CONNECT, CircuitPeer(bob.peer, (bob.address,)))]
    stop = encode_stop(StopMessage(StopType.CONNECT, CircuitPeer(alice.peer)))
    answers = 0
    for _ in range(ROUNDS):
        data = spoiled(encode_hop(chance.choice(hops)), chance)
        if (answer := await attack(alice, to_relay, HOP_PROTOCOL, data)) is not None:
            assert decode_hop(answer).type == HopType.STATUS
            answers += 1
        if (answer := await attack(middle, to_bob, STOP_PROTOCOL, spoiled(stop, chance))) is not None:
            assert decode_stop(answer).type == StopType.STATUS
            answers += 1
    assert answers > ROUNDS // 4
    await asyncio.sleep(60)
    assert middle.server is not None
    assert middle.server.circuits == 0
    assert not to_relay.is_closed
    assert not to_bob.is_closed
    assert bob.client.reservation(middle.peer) is not None
    connection = await alice.swarm.dial(bob.peer, bob.swarm.listen_addresses())
    assert await alice.ping.ping(connection) >= 0
    for each in (alice, bob, middle):
        await each.close()
