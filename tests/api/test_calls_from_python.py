"""What a caller in Python may pass wrongly to a node, and what it learns of itself, in a simulated world."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from darkswap_browser.errors import InvalidArgument, PeerOffline, StreamBusy
from tests.api.world import Place, place

ABSENT = "12D3KooWGqFRmHaKM9RQe9Cc5AbbHNXYT4N8pTizyADdPHWNTUxj"
QUIC = f"/ip4/127.0.0.1/udp/4001/quic-v1/p2p/{ABSENT}"


async def linked() -> tuple[Place, Any, Any, str, str]:
    """A world, two nodes with an open channel, and their peer ids."""
    here = await place()
    alice, bob = await here.node("alice"), await here.node("bob")
    a, b = await alice.local_peer_id(), await bob.local_peer_id()
    await alice.connect_through_relay(here.relay_id, b)
    await alice.create_webrtc_data_channel(b)
    return here, alice, bob, a, b


@pytest.mark.parametrize("message", [5, True, [1, 2, 3], "text", None, object()])
async def test_send_of_what_is_not_bytes_is_refused(message: Any) -> None:
    _, alice, bob, _, b = await linked()
    with pytest.raises(InvalidArgument) as caught:
        await alice.send_webrtc_message(b, message)
    assert caught.value.path == "message"
    with pytest.raises(InvalidArgument):
        await (await alice.open_channel(b)).send(message)
    await asyncio.gather(alice.stop(), bob.stop())


async def test_send_of_bytearray_and_memoryview_arrives_as_it_was() -> None:
    _, alice, bob, a, b = await linked()
    data = bytearray(b"abc")
    await alice.send_webrtc_message(b, data)
    data[:] = b"xyz"
    await alice.send_webrtc_message(b, memoryview(b"0123").cast("I"))
    assert [await bob.receive_webrtc_message(a) for _ in range(2)] == [b"abc", b"0123"]
    await asyncio.gather(alice.stop(), bob.stop())


@pytest.mark.parametrize(
    ("method", "arguments"),
    [
        ("connect", (None,)),
        ("connect", (b"/ip4/127.0.0.1",)),
        ("ping", (5,)),
        ("disconnect", ([],)),
        ("add_relay", (None,)),
        ("make_relay_reservation", (None,)),
        ("is_relay_reservation_valid", (5,)),
        ("connect_through_relay", (None, ABSENT)),
        ("create_webrtc_data_channel", (None,)),
        ("send_webrtc_message", (None, b"")),
        ("receive_webrtc_message", (None,)),
        ("get_connection_stats", (None,)),
        ("add_relay", (f"/p2p/{ABSENT}",)),
        ("add_relay", (QUIC,)),
        ("make_relay_reservation", (QUIC,)),
    ],
)
async def test_method_with_wrong_peer_or_relay_is_refused(method: str, arguments: tuple[Any, ...]) -> None:
    here = await place()
    alice = await here.node("alice")
    with pytest.raises(InvalidArgument):
        await getattr(alice, method)(*arguments)
    await alice.stop()


async def test_send_to_an_absent_peer_raises_peer_offline_in_one_sentence() -> None:
    here = await place()
    alice = await here.node("alice")
    with pytest.raises(PeerOffline) as caught:
        await alice.send_webrtc_message(ABSENT, b"x")
    assert len(str(caught.value)) < 200 and len(caught.value.attempts) == 1
    assert caught.value.code == "PEER_OFFLINE" and "relay" in caught.value.hint
    await alice.stop()


async def test_pings_at_once_are_answered_in_turn() -> None:
    _, alice, bob, _, b = await linked()
    assert all(ms > 0 for ms in await asyncio.gather(*(alice.ping(b) for _ in range(20))))
    await asyncio.gather(alice.stop(), bob.stop())


async def test_pending_receive_is_busy_when_messages_go_to_a_sink() -> None:
    _, alice, bob, a, b = await linked()
    pending = asyncio.create_task(bob.receive_webrtc_message(a))
    await asyncio.sleep(1)
    got: list[bytes] = []
    bob.set_message_sink(lambda peer, messages: got.extend(messages))
    with pytest.raises(StreamBusy):
        await pending
    with pytest.raises(StreamBusy):
        await bob.receive_webrtc_message(a)
    await alice.send_webrtc_message(b, b"for the sink")
    await asyncio.sleep(1)
    assert got == [b"for the sink"]
    bob.set_message_sink(None)
    await alice.send_webrtc_message(b, b"for the receiver")
    assert await bob.receive_webrtc_message(a) == b"for the receiver"
    await asyncio.gather(alice.stop(), bob.stop())


async def test_receive_while_a_slow_sink_holds_messages_is_busy() -> None:
    _, alice, bob, a, b = await linked()
    hold: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    bob.set_message_sink(lambda peer, messages: hold)
    for index in range(3):
        await alice.send_webrtc_message(b, bytes([index]))
        await asyncio.sleep(1)
    with pytest.raises(StreamBusy):
        await bob.receive_webrtc_message(a)
    hold.set_result(None)
    await asyncio.gather(alice.stop(), bob.stop())


async def test_progress_of_a_long_message_ends_with_its_size() -> None:
    here, alice, bob, a, b = await linked()
    for size in (2_000_000, 3_000_000):
        await alice.send_webrtc_message(b, bytes(size))
        assert len(await bob.receive_webrtc_message(a)) == size
    told = [(each.fields["received"], each.fields["total"]) for each in here.seen("bob", "message:progress")]
    for size in (2_000_000, 3_000_000):
        seen = [received for received, total in told if total == size]
        assert len(seen) > 2 and seen == sorted(seen) and seen[-1] == size and seen.count(size) == 1
    await asyncio.gather(alice.stop(), bob.stop())


async def test_own_addresses_carry_the_own_peer_id_once() -> None:
    here = await place()
    alice = await here.node("alice")
    own = await alice.local_peer_id()
    addresses = await alice.get_multiaddrs()
    assert addresses and all(address.endswith(f"/p2p/{own}") for address in addresses)
    assert all(address.count(own) == 1 for address in addresses)
    told = here.seen("alice", "self:peer:update")[-1].fields["addresses"]
    assert sorted(told) == sorted(addresses)
    await alice.stop()
