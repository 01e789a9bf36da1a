"""The same face on CPython: two processes' worth of nodes over real sockets, through our relay and without it."""

from __future__ import annotations

import asyncio

import pytest

from darkswap_browser import Network, NetworkConfig
from darkswap_browser.identity.multiaddr import Multiaddr
from darkswap_browser.runtime.native.host import native_runtime
from tests.interop.processes import our_relay

pytestmark = pytest.mark.native


def node(**settings: object) -> Network:
    return Network(NetworkConfig(persist=False, **settings), native_runtime())


async def test_two_nodes_talk_through_a_relay():
    with our_relay() as address:
        relay = address.rpartition("/")[2]
        async with node() as alice, node(relays=(Multiaddr.parse(address),)) as bob:
            await alice.add_relay(address)
            await bob.make_relay_reservation(relay)
            a, b = await alice.local_peer_id(), await bob.local_peer_id()
            connection = await alice.connect_through_relay(relay, b)
            assert (connection.path, connection.transport) == ("relayed", "circuit")
            channel = await alice.open_channel(b)
            await asyncio.gather(*(channel.send(b"%d" % n) for n in range(1000)))
            assert [await bob.receive_webrtc_message(a) for _ in range(1000)] == [b"%d" % n for n in range(1000)]
            await bob.send_webrtc_message(a, bytes(5_000_000))
            assert await channel.receive() == bytes(5_000_000)


async def test_two_nodes_talk_over_tcp_without_any_relay():
    async with node(listen=(Multiaddr.parse("/ip4/127.0.0.1/tcp/0"),)) as bob, node() as alice:
        a, b = await alice.local_peer_id(), await bob.local_peer_id()
        await alice.connect((await bob.get_multiaddrs())[0])
        await alice.send_webrtc_message(b, b"no relay in sight")
        assert await bob.receive_webrtc_message(a) == b"no relay in sight"
        assert (await alice.get_connection_stats(b)).transport == "tcp"
