"""Messages that go on after a restart: in the store before they are accepted, until they are delivered or told."""

from __future__ import annotations

import asyncio

import pytest

from darkswap_browser.api.durable_messages import (
    MAX_DURABLE_BYTES,
    MAX_DURABLE_MESSAGE,
    OutgoingMessage,
    decode_outgoing,
    encode_outgoing,
)
from darkswap_browser.api.network import Network
from darkswap_browser.errors import InvalidArgument, MessageTooLarge, TooManyRequests
from darkswap_browser.node.config import NetworkConfig
from tests.api.world import Place, place


async def kept(here: Place, name: str) -> list[OutgoingMessage]:
    store = here.world.runtime(name).store
    found = [await store.get(key) for key in await store.keys("outgoing-messages/")]
    return [decode_outgoing(data) for data in found if data is not None]


async def again(here: Place, before: Network, name: str) -> Network:
    """The next life of a node that crashed: nobody heard a word of it."""
    before.abandon()
    await before.stop()
    return await here.node(name)


async def talking(here: Place) -> tuple[Network, Network, str, str]:
    alice, bob = await here.node("alice"), await here.node("bob")
    a, b = await alice.local_peer_id(), await bob.local_peer_id()
    await alice.connect_through_relay(here.relay_id, b)
    await alice.send_webrtc_message(b, b"hello")
    assert await bob.receive_webrtc_message(a) == b"hello"
    await asyncio.sleep(1)
    return alice, bob, a, b


async def test_what_never_left_goes_out_after_a_restart_and_is_kept_no_longer_once_it_was_taken() -> None:
    here = await place()
    alice, bob, _, b = await talking(here)
    got: list[bytes] = []
    bob.set_message_sink(lambda _, messages: got.extend(messages))
    here.world.isolate("bob")
    await asyncio.sleep(20)
    for number in range(5):
        await alice.send_webrtc_message(b, b"%d" % number, durable=True)
    await alice.send_webrtc_message(b, b"not durable")
    assert [each.message for each in await kept(here, "alice")] == [b"%d" % number for number in range(5)]
    after = await again(here, alice, "alice")
    await asyncio.sleep(300)
    here.world.rejoin("bob")
    await asyncio.sleep(60)
    assert got == [b"%d" % number for number in range(5)]
    assert await kept(here, "alice") == []
    lost = [event.fields["count"] for event in here.seen("alice", "message:undelivered")]
    assert sum(lost) == 1  # the one that was not durable, with the node that crashed
    await asyncio.gather(after.stop(), bob.stop())


async def test_what_was_on_its_way_is_told_after_a_restart_and_not_sent_again() -> None:
    here = await place()
    alice, bob, a, b = await talking(here)
    for number in range(3):
        await alice.send_webrtc_message(b, b"%d" % number, durable=True)
    await asyncio.sleep(1)
    assert all(each.is_written for each in await kept(here, "alice"))
    here.events["alice"].clear()
    after = await again(here, alice, "alice")
    await after.send_webrtc_message(b, b"next", durable=True)
    async with asyncio.timeout(60):
        assert [await bob.receive_webrtc_message(a) for _ in range(4)] == [b"0", b"1", b"2", b"next"]
    told = [event.fields for event in here.seen("alice", "message:undelivered")]
    assert told == [{"peer_id": b, "count": 3, "ids": [], "maybe_delivered": True}]
    await asyncio.sleep(5)
    assert await kept(here, "alice") == []
    await asyncio.gather(after.stop(), bob.stop())


async def test_an_orderly_stop_keeps_what_was_not_delivered_and_does_not_tell_it() -> None:
    here = await place()
    alice, bob, a, b = await talking(here)
    here.world.isolate("bob")
    await asyncio.sleep(20)
    await alice.send_webrtc_message(b, b"later", durable=True)
    await alice.stop()
    assert not here.seen("alice", "message:undelivered")
    after = await here.node("alice")
    here.world.rejoin("bob")
    async with asyncio.timeout(60):
        assert await bob.receive_webrtc_message(a) == b"later"
    await asyncio.gather(after.stop(), bob.stop())


async def test_a_closed_channel_tells_what_it_kept_and_keeps_it_no_longer() -> None:
    here = await place()
    alice, bob, _, b = await talking(here)
    here.world.isolate("bob")
    await asyncio.sleep(20)
    number = await alice.send_webrtc_message(b, b"given up", durable=True)
    await alice.close_webrtc_data_channel(b)
    await asyncio.sleep(1)
    assert [event.fields["ids"] for event in here.seen("alice", "message:undelivered")] == [[number]]
    assert await kept(here, "alice") == []
    await asyncio.gather(alice.stop(), bob.stop())


async def test_a_hand_over_goes_on_with_what_is_kept_and_sends_nothing_twice() -> None:
    here = await place()
    alice, bob, a, b = await talking(here)
    for number in range(3):
        await alice.send_webrtc_message(b, b"%d" % number, durable=True)
    handed = alice.hand_over()
    await alice.stop()
    after = Network(alice.config, here.world.runtime("alice"))
    after.take_up(handed)
    await after.start()
    await after.make_relay_reservation(here.relay_id)
    await after.send_webrtc_message(b, b"3", durable=True)
    async with asyncio.timeout(60):
        assert [await bob.receive_webrtc_message(a) for _ in range(4)] == [b"0", b"1", b"2", b"3"]
    await asyncio.sleep(5)
    assert await kept(here, "alice") == []
    assert not here.seen("alice", "message:undelivered")
    await asyncio.gather(after.stop(), bob.stop())


async def test_a_record_that_cannot_be_read_is_set_aside_and_told() -> None:
    here = await place()
    alice, bob, a, b = await talking(here)
    here.world.isolate("bob")
    await asyncio.sleep(20)
    for number in range(2):
        await alice.send_webrtc_message(b, b"%d" % number, durable=True)
    store = here.world.runtime("alice").store
    first, _ = await store.keys("outgoing-messages/")
    await store.put(first, b"\x93no record")
    after = await again(here, alice, "alice")
    assert [event.fields["code"] for event in here.seen("alice", "error")] == ["MALFORMED_MESSAGE"]
    assert await store.get(f"quarantine/{first}") == b"\x93no record"
    here.world.rejoin("bob")
    async with asyncio.timeout(60):
        assert await bob.receive_webrtc_message(a) == b"1"
    await asyncio.gather(after.stop(), bob.stop())


async def test_what_is_kept_is_bounded_and_refused_where_nothing_is_kept() -> None:
    here = await place()
    alice, bob, _, b = await talking(here)
    here.world.isolate("bob")
    await asyncio.sleep(20)
    with pytest.raises(MessageTooLarge):
        await alice.send_webrtc_message(b, bytes(MAX_DURABLE_MESSAGE + 1), durable=True)
    count = MAX_DURABLE_BYTES // (512 * 1024)
    sends = [
        asyncio.create_task(alice.send_webrtc_message(b, bytes(512 * 1024), durable=True)) for _ in range(count + 1)
    ]
    await asyncio.sleep(1)
    refused = [send for send in sends if send.done() and isinstance(send.exception(), TooManyRequests)]
    assert refused == sends[count - 1 :]  # each counts a little more than its bytes
    for send in sends:
        send.cancel()
    await asyncio.sleep(1)
    assert len(await kept(here, "alice")) == len([send for send in sends if not send.cancelled()]) - len(refused)
    memory = Network(NetworkConfig(persist=False), here.world.runtime("memory"))
    with pytest.raises(InvalidArgument):
        await memory.send_webrtc_message(b, b"x", durable=True)
    await asyncio.gather(alice.stop(), bob.stop(), memory.stop())


def test_a_record_is_what_it_was() -> None:
    message = OutgoingMessage("peer", b"message", is_written=True)
    assert decode_outgoing(encode_outgoing(message)) == message
