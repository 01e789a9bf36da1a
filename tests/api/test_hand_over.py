"""Another program goes on with a node and its channels: peers see one session, nothing is lost and nothing doubled."""

from __future__ import annotations

import asyncio

import pytest

from darkswap_browser.api.network import Network
from darkswap_browser.errors import MalformedMessage, NodeMoved
from tests.api.world import Place, place


async def handed_over(here: Place, before: Network) -> Network:
    """The next holder of alice's identity, which has not started yet."""
    handed = before.hand_over()
    await before.stop()
    after = Network(before.config, here.world.runtime("alice"))
    told = here.events["alice"]
    after.subscribe(told.append)
    after.take_up(handed)
    return after


class Talk:
    """Sends numbered messages until it is stopped."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.ids: list[int] = []

    async def run(self, network: Network, peer: str) -> None:
        while True:
            message = b"%d" % len(self.sent)
            found = await network.send_webrtc_message(peer, message)
            self.sent.append(message)
            self.ids.append(found)
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("direct", [True, False], ids=["direct", "relayed"])
async def test_a_conversation_goes_on_with_another_holder_of_the_identity(direct: bool) -> None:
    here = await place()
    alice, bob = await here.node("alice", direct=direct), await here.node("bob", direct=direct)
    a, b = await alice.local_peer_id(), await bob.local_peer_id()
    await alice.connect_through_relay(here.relay_id, b)
    got: dict[str, list[bytes]] = {"alice": [], "bob": []}
    alice.set_message_sink(lambda _, messages: got["alice"].extend(messages))
    bob.set_message_sink(lambda _, messages: got["bob"].extend(messages))
    from_alice, from_bob = Talk(), Talk()
    first = asyncio.create_task(from_alice.run(alice, b))
    await asyncio.sleep(1)
    back = asyncio.create_task(from_bob.run(bob, a))
    await asyncio.sleep(4.02)
    await asyncio.gather(alice.send_webrtc_message(b, bytes(3_000_000)), bob.send_webrtc_message(a, bytes(3_000_000)))
    first.cancel()
    after = await handed_over(here, alice)
    after.set_message_sink(lambda _, messages: got["alice"].extend(messages))
    await after.start()
    await after.make_relay_reservation(here.relay_id)
    moved = asyncio.create_task(from_alice.run(after, b))
    await asyncio.sleep(10)
    moved.cancel()
    back.cancel()
    await asyncio.sleep(10)
    assert [message for message in got["bob"] if len(message) < 9] == from_alice.sent
    assert [message for message in got["alice"] if len(message) < 9] == from_bob.sent
    assert [sum(len(message) == 3_000_000 for message in each) for each in got.values()] == [1, 1]
    assert from_alice.ids == sorted(set(from_alice.ids)) and from_alice.ids[-1] == len(from_alice.ids) + 1
    assert not here.seen("alice", "message:undelivered") + here.seen("bob", "message:undelivered")
    assert not here.seen("bob", "channel:close")
    assert "peer restarted" not in [event.fields.get("reason") for event in here.seen("bob", "channel:update")]
    await asyncio.gather(after.stop(), bob.stop())


async def test_what_no_application_took_yet_and_what_waits_without_a_path_is_handed_over() -> None:
    here = await place()
    alice, bob = await here.node("alice"), await here.node("bob")
    a, b = await alice.local_peer_id(), await bob.local_peer_id()
    await alice.connect_through_relay(here.relay_id, b)
    await bob.send_webrtc_message(a, b"not taken")
    await asyncio.sleep(1)
    here.world.isolate("alice")
    await asyncio.sleep(10)
    await alice.send_webrtc_message(b, b"without a path")
    waiting = asyncio.create_task(alice.send_webrtc_message(b, b"its delivery is waited for", until="delivered"))
    await asyncio.sleep(1)
    after = await handed_over(here, alice)
    with pytest.raises(NodeMoved):
        await waiting
    here.world.rejoin("alice")
    await after.start()
    await after.make_relay_reservation(here.relay_id)
    async with asyncio.timeout(30):
        assert await after.receive_webrtc_message(b) == b"not taken"
        assert [await bob.receive_webrtc_message(a) for _ in range(2)] == [
            b"without a path",
            b"its delivery is waited for",
        ]
    assert not here.seen("alice", "message:undelivered")
    await asyncio.gather(after.stop(), bob.stop())


async def test_a_hand_over_that_cannot_be_read_is_refused_and_one_of_nothing_is_nothing() -> None:
    here = await place()
    alice = Network(runtime=here.world.runtime("alice"))
    assert alice.hand_over() == b""
    alice.take_up(b"")
    with pytest.raises(MalformedMessage):
        alice.take_up(b"\x81\xa0\xa1x")
