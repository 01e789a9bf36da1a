"""Who tells what to whom, and when."""

from __future__ import annotations

import asyncio
import dataclasses

import pytest

from darkswap_browser.errors import DarkSwapError, EndOfStream, MalformedMessage, ProtocolViolation
from darkswap_browser.identity.multiaddr import Multiaddr
from darkswap_browser.identity.peer_id import PeerId
from darkswap_browser.identity.peer_record import open_peer_record, seal_peer_record
from darkswap_browser.net.connection import Connection
from darkswap_browser.net.events import Event, PeerIdentified
from darkswap_browser.net.stream import BufferedStream
from darkswap_browser.protocols.identify.messages import (
    IDENTIFY_PROTOCOL,
    PUSH_PROTOCOL,
    IdentifyMessage,
    decode_identify,
    encode_identify,
)
from darkswap_browser.testing.host import SimulatedStore
from tests.support.native_identity import CRYPTO, identity
from tests.support.relays import Lan, Node, node


async def pair() -> tuple[Node, Node, Connection]:
    lan = Lan()
    alice, bob = await node(lan, "alice", "10.0.0.2"), await node(lan, "bob", "10.0.0.3")
    await bob.swarm.listen(bob.address)
    return alice, bob, await alice.swarm.dial_address(bob.full_address)


async def end(*nodes: Node) -> None:
    for each in nodes:
        await each.identify.close()
        await each.swarm.close()


async def raw(asker: Node, connection: Connection) -> tuple[bytes, IdentifyMessage]:
    stream = (await asker.swarm.new_stream(connection, [IDENTIFY_PROTOCOL])).stream
    data = await stream.read_message(8192)
    with pytest.raises(EndOfStream):
        await stream.read()
    return data, decode_identify(data, 8192, 64, 256)


async def say(speaker: Node, to: Connection, *messages: IdentifyMessage) -> None:
    """As a push."""
    stream = (await speaker.swarm.new_stream(to, [PUSH_PROTOCOL])).stream
    for message in messages:
        await stream.write_message(encode_identify(message))
    await stream.close()
    await asyncio.sleep(1)


def known(who: Node, peer: PeerId) -> tuple[Multiaddr, ...]:
    return who.swarm.address_book.addresses(peer, asyncio.get_running_loop().time())


async def test_both_sides_know_each_other_right_after_they_connect() -> None:
    alice, bob, _ = await pair()
    seen: list[Event] = []
    alice.swarm.subscribe(seen.append)
    await asyncio.sleep(1)
    assert alice.swarm.address_book.agent(bob.peer) == "darkswap-browser/test"
    assert IDENTIFY_PROTOCOL in alice.swarm.address_book.protocols(bob.peer)
    assert known(alice, bob.peer) == (bob.address,)
    assert bob.swarm.address_book.agent(alice.peer) == "darkswap-browser/test"
    identified, *_ = [event for event in seen if isinstance(event, PeerIdentified)]
    assert identified.peer == bob.peer
    assert identified.addresses == (bob.address,)
    await end(alice, bob)


async def test_the_answer_has_all_that_js_asks_for() -> None:
    alice, bob, connection = await pair()
    data, message = await raw(alice, connection)
    assert len(data) <= 4096
    assert message.public_key == bob.swarm.identity.public_key.to_protobuf()
    assert message.addresses == (bob.address,)
    assert message.observed == Multiaddr.parse("/ip4/10.0.0.2/tcp/50000")
    assert message.protocol_version == "ipfs/0.1.0"
    assert message.signed_record is not None
    record = await open_peer_record(CRYPTO, message.signed_record)
    assert (record.peer_id, record.addresses) == (bob.peer, (bob.address,))
    await end(alice, bob)


async def test_own_ids_are_left_out_and_a_hundred_addresses_fit_4096_bytes() -> None:
    alice, bob, connection = await pair()
    relay = (await identity("relay")).peer_id
    many = [
        Multiaddr.parse(f"/dns4/relay{n}.example/tcp/443/wss/p2p/{relay}/p2p-circuit/webrtc/p2p/{bob.peer}")
        for n in range(100)
    ]
    bob.swarm.set_announced("many", many)
    data, message = await raw(alice, connection)
    assert len(data) + 2 <= 4096
    assert message.signed_record is not None
    assert len(message.addresses) >= 8
    assert all(address.peer_id() is None for address in message.addresses)
    await end(alice, bob)


async def test_changes_are_pushed_once_for_many() -> None:
    alice, bob, _ = await pair()
    await asyncio.sleep(1)
    heard: list[PeerIdentified] = []
    alice.swarm.subscribe(lambda event: heard.append(event) if isinstance(event, PeerIdentified) else None)

    async def nothing(connection: Connection, stream: BufferedStream, protocol: str) -> None:
        """Never called."""

    for number in range(5):
        bob.swarm.handle(f"/test/{number}", nothing)
    more = Multiaddr.parse("/dns4/bob.example/tcp/443/wss")
    bob.swarm.set_announced("more", [more])
    await asyncio.sleep(2)
    assert len(heard) == 1
    assert "/test/4" in alice.swarm.address_book.protocols(bob.peer)
    assert more in known(alice, bob.peer)
    await end(alice, bob)


async def test_a_push_with_missing_fields_changes_only_the_others() -> None:
    alice, bob, connection = await pair()
    await asyncio.sleep(1)
    protocols = bob.swarm.address_book.protocols(alice.peer)
    await say(alice, connection, IdentifyMessage(agent="renamed/2"))
    assert bob.swarm.address_book.agent(alice.peer) == "renamed/2"
    assert bob.swarm.address_book.protocols(alice.peer) == protocols
    await end(alice, bob)


async def test_up_to_ten_messages_are_one() -> None:
    alice, bob, connection = await pair()
    await asyncio.sleep(1)
    parts = [IdentifyMessage(protocols=(f"/p/{n}",)) for n in range(10)]
    await say(alice, connection, *parts)
    assert bob.swarm.address_book.protocols(alice.peer) == tuple(f"/p/{n}" for n in range(10))
    await say(alice, connection, *parts, IdentifyMessage(protocols=("/p/eleventh",)))
    assert bob.swarm.address_book.protocols(alice.peer) == tuple(f"/p/{n}" for n in range(10))
    assert not connection.is_closed
    await end(alice, bob)


async def test_a_key_that_is_not_the_peers_spoils_the_whole_message() -> None:
    alice, bob, connection = await pair()
    await asyncio.sleep(1)
    other = (await identity("mallory")).public_key.to_protobuf()
    await say(alice, connection, IdentifyMessage(public_key=other, agent="mallory/1"))
    assert bob.swarm.address_book.agent(alice.peer) == "darkswap-browser/test"
    await end(alice, bob)


async def test_private_addresses_are_believed_of_a_peer_that_is_in_that_network() -> None:
    alice, bob, connection = await pair()
    await asyncio.sleep(1)
    texts = ("/ip4/127.0.0.1/tcp/1", "/ip4/192.168.0.1/tcp/1", "/ip4/10.0.0.9/tcp/1", "/ip4/203.0.113.1/tcp/1")
    *hidden, near, public = [Multiaddr.parse(text) for text in texts]
    await say(alice, connection, IdentifyMessage(addresses=(*hidden, near, public)))
    assert {near, public} <= set(known(bob, alice.peer))
    assert not set(hidden) & set(known(bob, alice.peer))
    await end(alice, bob)


async def test_addresses_that_lead_to_others_are_dropped() -> None:
    alice, bob, connection = await pair()
    await asyncio.sleep(1)
    mine = Multiaddr.parse("/ip4/203.0.113.1/tcp/1")
    foreign = mine.with_peer((await identity("mallory")).peer_id)
    await say(alice, connection, IdentifyMessage(addresses=(foreign, mine)))
    assert foreign not in known(bob, alice.peer)
    assert mine in known(bob, alice.peer)
    await end(alice, bob)


async def test_a_valid_record_is_preferred_and_an_older_one_is_not() -> None:
    alice, bob, connection = await pair()
    await asyncio.sleep(1)
    plain, newer, older = (Multiaddr.parse(f"/ip4/203.0.113.{n}/tcp/1") for n in (1, 2, 3))
    far = 2**62
    message = IdentifyMessage(
        addresses=(plain,), signed_record=await seal_peer_record(alice.swarm.identity, far, [newer])
    )
    await say(alice, connection, message)
    assert newer in known(bob, alice.peer)
    assert plain not in known(bob, alice.peer)
    stale = await seal_peer_record(alice.swarm.identity, far - 1, [older])
    await say(alice, connection, dataclasses.replace(message, signed_record=stale))
    assert older not in known(bob, alice.peer)
    assert plain in known(bob, alice.peer)
    await end(alice, bob)


@pytest.mark.parametrize("kind", ["garbage", "another signer", "damaged"])
async def test_a_record_that_does_not_hold_is_no_record_and_no_error(kind: str) -> None:
    alice, bob, connection = await pair()
    await asyncio.sleep(1)
    plain, forged = Multiaddr.parse("/ip4/203.0.113.1/tcp/1"), Multiaddr.parse("/ip4/198.51.100.6/tcp/1")
    signer = await identity("mallory") if kind == "another signer" else alice.swarm.identity
    record = b"\xff" * 50 if kind == "garbage" else await seal_peer_record(signer, 2**62, [forged])
    if kind == "damaged":
        record = record[:-1] + bytes((record[-1] ^ 1,))
    await say(alice, connection, IdentifyMessage(addresses=(plain,), signed_record=record, agent="fine/1"))
    assert plain in known(bob, alice.peer)
    assert forged not in known(bob, alice.peer)
    assert bob.swarm.address_book.agent(alice.peer) == "fine/1"
    await end(alice, bob)


async def test_sequence_numbers_grow_with_each_change_and_over_reloads_with_a_clock_set_back() -> None:
    lan, store = Lan(), SimulatedStore()
    alice = await node(lan, "alice", "10.0.0.2")

    async def sequence(bob: Node) -> int:
        _, message = await raw(alice, await alice.swarm.dial_address(bob.full_address))
        assert message.signed_record is not None
        return (await open_peer_record(CRYPTO, message.signed_record)).seq

    seen = []
    for skew in (0.0, -86400.0):
        bob = await node(lan, "bob", "10.0.0.3", store=store)
        bob.runtime.clock.skew = skew  # type: ignore[attr-defined]
        await bob.swarm.listen(bob.address)
        seen.append(await sequence(bob))
        assert await sequence(bob) == seen[-1], "the same addresses, the same record"
        bob.swarm.set_announced("x", [Multiaddr.parse("/ip4/203.0.113.1/tcp/1")])
        seen.append(await sequence(bob))
        await end(bob)
        lan.gone(bob.address)
    assert seen == sorted(set(seen))
    await end(alice)


async def test_a_host_without_storage_still_identifies() -> None:
    lan, store = Lan(), SimulatedStore()
    store.blocked = True
    alice, bob = await node(lan, "alice", "10.0.0.2"), await node(lan, "bob", "10.0.0.3", store=store)
    await bob.swarm.listen(bob.address)
    await alice.swarm.dial_address(bob.full_address)
    await asyncio.sleep(1)
    assert alice.swarm.address_book.agent(bob.peer)
    await end(alice, bob)


@pytest.mark.parametrize(
    ("reply", "error"),
    [(b"\x02\xff\xff", MalformedMessage), (b"", ProtocolViolation), (b"\xff\xff\x03", MalformedMessage)],
    ids=["garbage", "nothing", "too long"],
)
async def test_an_answer_that_makes_no_sense_is_a_typed_error_and_the_connection_lives(
    reply: bytes, error: type[DarkSwapError]
) -> None:
    alice, bob, connection = await pair()
    await asyncio.sleep(1)
    bob.swarm.unhandle(IDENTIFY_PROTOCOL)

    async def lie(connection: Connection, stream: BufferedStream, protocol: str) -> None:
        if reply:
            await stream.write(reply)
        await stream.close_write()

    bob.swarm.handle(IDENTIFY_PROTOCOL, lie)
    with pytest.raises(error):
        await alice.identify.identify(connection)
    assert not connection.is_closed
    await end(alice, bob)


async def test_a_peer_that_does_not_answer_is_given_up_after_five_seconds() -> None:
    alice, bob, connection = await pair()
    await asyncio.sleep(1)
    bob.swarm.unhandle(IDENTIFY_PROTOCOL)

    async def silent(connection: Connection, stream: BufferedStream, protocol: str) -> None:
        await asyncio.sleep(100)

    bob.swarm.handle(IDENTIFY_PROTOCOL, silent)
    started = asyncio.get_running_loop().time()
    with pytest.raises(TimeoutError):
        await alice.identify.identify(connection)
    assert asyncio.get_running_loop().time() - started == pytest.approx(5.0)
    await end(alice, bob)
