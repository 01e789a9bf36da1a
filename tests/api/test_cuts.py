"""What a lost network costs: how soon a channel says so, and how soon messages flow again."""

from __future__ import annotations

import asyncio

import pytest

from darkswap_browser.api.network import Network
from tests.api.world import place


async def _talk(alice: Network, peer: str, sent: list[bytes]) -> None:
    while True:
        sent.append(b"%d" % len(sent))
        await alice.send_webrtc_message(peer, sent[-1])
        await asyncio.sleep(0.1)


@pytest.mark.parametrize("seconds", [5, 30, 120, 600])
@pytest.mark.parametrize("direct", [True, False], ids=["direct", "relayed"])
async def test_a_cut_is_told_within_five_seconds_and_costs_no_message(seconds: int, direct: bool) -> None:
    here = await place()
    alice, bob = await here.node("alice", direct=direct), await here.node("bob", direct=direct)
    peer = await bob.local_peer_id()
    await alice.connect_through_relay(here.relay_id, peer)
    got: list[tuple[float, bytes]] = []
    loop = asyncio.get_running_loop()
    bob.set_message_sink(lambda _, messages: got.extend((loop.time(), message) for message in messages))
    sent: list[bytes] = []
    talk = asyncio.create_task(_talk(alice, peer, sent))
    await asyncio.sleep(5)
    here.world.isolate("alice")
    cut_at = here.world.runtime("alice").clock.now()
    await asyncio.sleep(seconds)
    if seconds > 5:
        told = [event for event in here.seen("alice", "channel:update") if event.fields["state"] == "reconnecting"]
        assert told and told[0].at - cut_at <= 5
    here.world.rejoin("alice")
    healed = loop.time()
    count = len(sent)
    while not got or int(got[-1][1]) < count:
        await asyncio.sleep(0.1)
        assert loop.time() - healed < 60
    assert loop.time() - healed <= 5
    talk.cancel()
    await asyncio.sleep(5)
    assert [message for _, message in got] == sent
    assert not here.seen("alice", "message:undelivered")
    await asyncio.gather(alice.stop(), bob.stop())


@pytest.mark.parametrize("mover", ["alice", "bob"])
@pytest.mark.parametrize("direct", [True, False], ids=["direct", "relayed"])
async def test_messages_flow_again_soon_after_a_change_of_address(mover: str, direct: bool) -> None:
    here = await place(latency=0.04)
    alice, bob = await here.node("alice", direct=direct), await here.node("bob", direct=direct)
    peer = await bob.local_peer_id()
    await alice.connect_through_relay(here.relay_id, peer)
    got: list[bytes] = []
    bob.set_message_sink(lambda _, messages: got.extend(messages))
    sent: list[bytes] = []
    talk = asyncio.create_task(_talk(alice, peer, sent))
    await asyncio.sleep(5)
    loop = asyncio.get_running_loop()
    here.world.change_address(mover)
    changed, count = loop.time(), len(sent)
    while len(got) <= count:
        await asyncio.sleep(0.05)
        assert loop.time() - changed < 60
    # Who only receives has no right to look for the other, who notices by the silence.
    assert loop.time() - changed <= (2.5 if mover == "alice" else 5)
    talk.cancel()
    await asyncio.sleep(5)
    assert got == sent
    assert not here.seen("alice", "message:undelivered")
    await asyncio.gather(alice.stop(), bob.stop())


async def test_link_without_any_relay_outlives_a_cut_of_ten_seconds() -> None:
    here = await place()
    alice, bob = await here.node("alice"), await here.node("bob")
    peer = await bob.local_peer_id()
    await alice.connect_through_relay(here.relay_id, peer)
    got: list[bytes] = []
    bob.set_message_sink(lambda _, messages: got.extend(messages))
    sent: list[bytes] = []
    talk = asyncio.create_task(_talk(alice, peer, sent))
    await asyncio.sleep(5)
    here.world.kill("relay")
    here.world.isolate("alice")
    await asyncio.sleep(10)
    here.world.rejoin("alice")
    await asyncio.sleep(5)
    talk.cancel()
    await asyncio.sleep(2)
    assert got == sent
    assert not here.seen("alice", "message:undelivered")
    await asyncio.gather(alice.stop(), bob.stop())
