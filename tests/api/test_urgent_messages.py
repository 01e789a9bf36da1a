"""Urgent messages: past what is queued, once, few, and refused where nobody takes them."""

from __future__ import annotations

import asyncio

import pytest

from darkswap_browser.api.network import Network
from darkswap_browser.errors import DarkSwapError, MessageTooLarge, StreamReset
from darkswap_browser.identity.peer_id import PeerId
from darkswap_browser.net.limits import DEFAULT_LIMITS
from darkswap_browser.protocols.channels.urgent import ID_BYTES, TAKEN, URGENT_PROTOCOL
from darkswap_browser.wire.framing import frame
from tests.api.world import Place, place, talking

BULK = 5_000_000
RATE = 500_000.0
"""Bytes per second, so that the bulk takes ten seconds."""


async def seconds_past_bulk(here: Place, alice: Network, bob: Network, *, urgent: bool) -> float:
    """How long a short message takes that is sent after 5 MB."""
    to, sender = await bob.local_peer_id(), await alice.local_peer_id()
    for name in ("alice", "bob"):
        here.world.shape(name, "relay", bandwidth=RATE)
    here.world.shape("alice", "bob", bandwidth=RATE)
    await bob.send_webrtc_message(sender, b"warm")
    await alice.receive_webrtc_message(to)
    bulk = asyncio.create_task(alice.send_webrtc_message(to, bytes(BULK), until="delivered"))
    await asyncio.sleep(1)
    loop = asyncio.get_running_loop()
    started = loop.time()
    if urgent:
        await alice.send_urgent_webrtc_message(to, b"now")
    else:
        await alice.send_webrtc_message(to, b"now")
    while await bob.receive_webrtc_message(sender) != b"now":
        pass
    seconds = loop.time() - started
    if urgent:
        assert len(await bob.receive_webrtc_message(sender)) == BULK
    await bulk
    return seconds


@pytest.mark.parametrize("direct", [True, False], ids=["direct", "relayed"])
async def test_short_message_overtakes_five_megabytes_only_when_urgent(direct: bool) -> None:
    took = {}
    for urgent in (True, False):
        here = await place()
        alice, bob = await here.node("alice", direct=direct), await here.node("bob", direct=direct)
        await alice.connect_through_relay(here.relay_id, await bob.local_peer_id())
        await alice.create_webrtc_data_channel(await bob.local_peer_id())
        took[urgent] = await seconds_past_bulk(here, alice, bob, urgent=urgent)
        await asyncio.gather(alice.stop(), bob.stop())
    assert took[False] > 7
    assert took[True] < 2.5


async def test_urgent_messages_come_before_those_that_wait_and_in_their_own_order() -> None:
    here = await place()
    alice, bob, to = await talking(here)
    sender = await alice.local_peer_id()
    for number in range(3):
        await alice.send_webrtc_message(to, b"ordinary %d" % number)
    for number in range(3):
        await alice.send_urgent_webrtc_message(to, b"urgent %d" % number)
    await asyncio.sleep(1)
    got = [await bob.receive_webrtc_message(sender) for _ in range(6)]
    assert got == [b"urgent 0", b"urgent 1", b"urgent 2", b"ordinary 0", b"ordinary 1", b"ordinary 2"]
    await alice.send_urgent_webrtc_message(to, b"")
    assert await bob.receive_webrtc_message(sender) == b""
    await asyncio.gather(alice.stop(), bob.stop())


async def test_urgent_message_opens_the_channel_and_reaches_a_sink() -> None:
    here = await place()
    alice, bob = await here.node("alice"), await here.node("bob")
    got: list[bytes] = []
    bob.set_message_sink(lambda peer, messages: got.extend(messages))
    await alice.connect_through_relay(here.relay_id, await bob.local_peer_id())
    await alice.send_urgent_webrtc_message(await bob.local_peer_id(), b"hello")
    await asyncio.sleep(1)
    assert got == [b"hello"]
    await asyncio.gather(alice.stop(), bob.stop())


async def test_urgent_message_has_a_bound_on_both_sides_of_it() -> None:
    here = await place()
    alice, bob, to = await talking(here)
    await alice.send_urgent_webrtc_message(to, bytes(DEFAULT_LIMITS.channel_urgent))
    with pytest.raises(MessageTooLarge):
        await alice.send_urgent_webrtc_message(to, bytes(DEFAULT_LIMITS.channel_urgent + 1))
    await asyncio.gather(alice.stop(), bob.stop())


async def test_urgent_messages_that_nobody_takes_are_refused_beyond_a_few() -> None:
    here = await place()
    alice, bob, to = await talking(here)
    most = DEFAULT_LIMITS.channel_urgent_messages
    for number in range(most):
        await alice.send_urgent_webrtc_message(to, b"%d" % number)
    with pytest.raises(StreamReset):
        await alice.send_urgent_webrtc_message(to, b"one too many")
    sender = await alice.local_peer_id()
    assert [await bob.receive_webrtc_message(sender) for _ in range(most)] == [b"%d" % each for each in range(most)]
    await alice.send_urgent_webrtc_message(to, b"again")
    assert await bob.receive_webrtc_message(sender) == b"again"
    await asyncio.gather(alice.stop(), bob.stop())


async def raw(node: Network, to: str, data: bytes) -> bytes:
    opened = await (await node.swarm()).new_stream(to, [URGENT_PROTOCOL], allow_limited=True)
    await opened.stream.write(data)
    await opened.stream.close_write()
    return await opened.stream.read_exactly(1)


async def test_urgent_message_that_is_sent_again_arrives_once() -> None:
    here = await place()
    alice, bob, to = await talking(here)
    sender = await alice.local_peer_id()
    again = frame(b"i" * ID_BYTES + b"once")
    assert [await raw(alice, to, again) for _ in range(3)] == [TAKEN] * 3
    await alice.send_urgent_webrtc_message(to, b"next")
    assert [await bob.receive_webrtc_message(sender) for _ in range(2)] == [b"once", b"next"]
    await asyncio.gather(alice.stop(), bob.stop())


MALFORMED = {
    "nothing": b"",
    "empty": frame(b""),
    "short": frame(b"x" * (ID_BYTES - 1)),
    "long": frame(bytes(ID_BYTES + DEFAULT_LIMITS.channel_urgent + 1)),
    "no length": b"\xff" * 20,
    "cut": b"\x20x",
}


@pytest.mark.parametrize("data", MALFORMED.values(), ids=MALFORMED.keys())
async def test_malformed_urgent_messages_cost_their_stream_only(data: bytes) -> None:
    here = await place()
    alice, bob, to = await talking(here)
    with pytest.raises(DarkSwapError):
        await raw(alice, to, data)
    await alice.send_urgent_webrtc_message(to, b"fine")
    assert await bob.receive_webrtc_message(await alice.local_peer_id()) == b"fine"
    await asyncio.gather(alice.stop(), bob.stop())


async def test_stranger_without_a_channel_gets_no_urgent_message_through() -> None:
    here = await place()
    alice, bob = await here.node("alice"), await here.node("bob")
    to = await bob.local_peer_id()
    await alice.connect_through_relay(here.relay_id, to)
    with pytest.raises(DarkSwapError):
        await raw(alice, to, frame(bytes(ID_BYTES) + b"psst"))
    assert (await bob.swarm()).connections(PeerId.parse(await alice.local_peer_id()))
    await asyncio.gather(alice.stop(), bob.stop())
