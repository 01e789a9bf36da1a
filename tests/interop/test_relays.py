"""Relays of js-libp2p and py-libp2p introduce our peers; js-libp2p peers meet through ours."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, asynccontextmanager
from typing import Any

import pytest

from darkswap_browser import Network, NetworkConfig
from darkswap_browser.errors import RelayRefused
from darkswap_browser.identity.multiaddr import Multiaddr
from darkswap_browser.identity.peer_id import PeerId
from darkswap_browser.net.connection import CircuitLimit
from darkswap_browser.net.events import Event, PeerIdentified
from darkswap_browser.protocols.relay.early_data import EarlyData, relay_keeps_early_data
from darkswap_browser.runtime.native.host import native_runtime
from tests.interop.processes import WEB, go_relay, js_relay, node_command, our_relay, py_relay
from tests.interop.toolchains import go_peer
from tests.support.native_identity import identity
from tests.support.native_nodes import NativeNode, native_node

pytestmark = [pytest.mark.native, pytest.mark.takes(25)]

Relay = Callable[[], AbstractContextManager[str]]
FOREIGN = [
    pytest.param(js_relay, id="js"),
    pytest.param(py_relay, id="py"),
    *([pytest.param(go_relay, id="go")] if go_peer() else []),
]
MESSAGE = os.urandom(200_000)


@asynccontextmanager
async def two_peers(relay: str) -> AsyncIterator[tuple[NativeNode, NativeNode, PeerId]]:
    """Alice, and bob with a reservation."""
    async with native_node() as alice, native_node() as bob:
        relay_id = bob.client.add_relay(Multiaddr.parse(relay))
        await bob.client.reserve(relay_id)
        yield alice, bob, relay_id


@pytest.mark.parametrize("start", FOREIGN)
async def test_our_peers_reserve_and_meet_through_a_relay_of_others(start: Relay) -> None:
    with start() as relay:
        async with two_peers(relay) as (alice, bob, relay_id):
            reservation = bob.client.reservation(relay_id)
            assert reservation is not None
            assert reservation.lifetime_seconds > 600
            announced = [each for each in bob.swarm.listen_addresses() if each.is_circuit]
            assert Multiaddr.parse(f"{relay}/p2p-circuit/p2p/{bob.peer}") in announced
            connection = await alice.swarm.dial(bob.peer, announced)
            assert connection.transport == "circuit"
            assert await alice.echoes(connection, MESSAGE)
            assert await alice.ping.ping(connection) < 5
            inbound = bob.swarm.connections(alice.peer)
            assert [each.transport for each in inbound] == ["circuit"]
            await connection.close()


@pytest.mark.parametrize("start", FOREIGN)
async def test_dial_through_identified_relay_of_others_survives_early_data(start: Relay) -> None:
    with start() as relay:
        async with two_peers(relay) as (alice, bob, _):
            identified: asyncio.Future[str] = asyncio.get_running_loop().create_future()

            def on_event(event: Event) -> None:
                if isinstance(event, PeerIdentified) and not identified.done():
                    identified.set_result(event.agent)

            alice.swarm.subscribe(on_event)
            await alice.swarm.dial_address(Multiaddr.parse(relay))
            async with asyncio.timeout(10):
                assert relay_keeps_early_data(await identified, EarlyData.KNOWN)
            connection = await alice.swarm.dial(bob.peer, [Multiaddr.parse(f"{relay}/p2p-circuit/p2p/{bob.peer}")])
            assert await alice.echoes(connection, MESSAGE)


@pytest.mark.parametrize("start", FOREIGN)
async def test_a_reservation_is_renewed_in_place(start: Relay) -> None:
    with start() as relay:
        async with two_peers(relay) as (alice, bob, relay_id):
            first = bob.client.reservation(relay_id)
            await bob.client.release(relay_id)
            again = await bob.client.reserve(relay_id)
            assert first is not None
            assert again.expires_at >= first.expires_at - 2
            connection = await alice.swarm.dial(bob.peer, bob.swarm.listen_addresses())
            assert await alice.echoes(connection, b"again")


@pytest.mark.parametrize("start", FOREIGN)
async def test_a_peer_without_reservation_is_refused_by_name(start: Relay) -> None:
    with start() as relay:
        async with native_node() as alice:
            relay_id = alice.client.add_relay(Multiaddr.parse(relay))
            with pytest.raises(RelayRefused) as caught:
                await alice.client.connect(relay_id, (await identity("nobody")).peer_id)
            assert caught.value.name in ("NO_RESERVATION", "CONNECTION_FAILED")


async def test_the_limits_of_the_js_relay_are_understood_in_seconds() -> None:
    with js_relay("limited") as relay:
        async with two_peers(relay) as (alice, bob, relay_id):
            reservation = bob.client.reservation(relay_id)
            assert reservation is not None
            assert reservation.limit == CircuitLimit(120, 131072)
            connection = await alice.swarm.dial(bob.peer, bob.swarm.listen_addresses())
            assert connection.limit == CircuitLimit(120, 131072)
            assert await alice.echoes(connection, b"small talk")


async def test_messages_beyond_the_limit_of_a_js_circuit_all_arrive() -> None:
    """128 KiB each way, which js-libp2p's relay cuts at in the middle of whatever is on its way."""
    sent = [os.urandom(size) for size in (300_000, *[10_000] * 30)]
    with js_relay("limited") as relay:
        config = NetworkConfig.from_mapping({"network": {"relays": [relay]}, "identity": {"persist": False}})
        async with Network(config, native_runtime()) as alice, Network(config, native_runtime()) as bob:
            for node in (alice, bob):
                await node.make_relay_reservation(relay)
            one, other = await alice.local_peer_id(), await bob.local_peer_id()
            sending = asyncio.ensure_future(send_all(alice, other, sent))
            async with asyncio.timeout(30):
                assert [await bob.receive_webrtc_message(one) for _ in sent] == sent
            await sending


async def send_all(node: Network, peer: str, messages: list[bytes]) -> None:
    for each in messages:
        await node.send_webrtc_message(peer, each)


class JsPeer:
    """A js-libp2p node, driven over lines of JSON."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._count = 0
        self.peer = ""

    async def said(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            if wanted(value := json.loads(line)):
                return dict(value)
        raise RuntimeError("the js peer ended")

    async def do(self, action: str, **arguments: object) -> Any:
        assert self._process.stdin is not None
        self._count += 1
        number = self._count
        self._process.stdin.write(json.dumps({"id": number, "do": action, **arguments}).encode() + b"\n")
        answer = await self.said(lambda value: value.get("id") == number)
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer["ok"]


@asynccontextmanager
async def js_peer() -> AsyncIterator[JsPeer]:
    process = await asyncio.create_subprocess_exec(
        *node_command("js_circuit_peer.mjs"),
        cwd=WEB,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    peer = JsPeer(process)
    try:
        peer.peer = (await peer.said(lambda value: value.get("event") == "ready"))["peer"]
        yield peer
    finally:
        process.kill()
        await process.communicate()


UNLIMITED = ("--circuit-duration", "0", "--circuit-data", "0")


async def test_js_peers_reserve_on_our_relay_and_meet_through_it() -> None:
    with our_relay(*UNLIMITED) as relay:
        async with js_peer() as alice, js_peer() as bob:
            await bob.do("reserve", relay=relay)
            assert any(f"p2p-circuit/p2p/{bob.peer}" in address for address in await bob.do("addresses"))
            target = f"{relay}/p2p-circuit/p2p/{bob.peer}"
            assert await alice.do("echo", address=target, size=200_000) == 200_000
            assert await alice.do("limited", peer=bob.peer) == [False]


async def test_js_peers_take_our_relays_limit_for_one() -> None:
    with our_relay("--circuit-duration", "60", "--circuit-data", "50000") as relay:
        async with js_peer() as alice, js_peer() as bob:
            await bob.do("reserve", relay=relay)
            await alice.do("dial", address=f"{relay}/p2p-circuit/p2p/{bob.peer}")
            assert await alice.do("limited", peer=bob.peer) == [True]
            with pytest.raises(RuntimeError):
                await alice.do("echo", address=f"{relay}/p2p-circuit/p2p/{bob.peer}", size=200_000)


async def test_a_js_peer_and_ours_dial_each_other_through_our_relay() -> None:
    with our_relay(*UNLIMITED) as relay:
        async with js_peer() as theirs, native_node() as ours:
            await theirs.do("reserve", relay=relay)
            await ours.client.reserve(ours.client.add_relay(Multiaddr.parse(relay)))
            size = await theirs.do("echo", address=f"{relay}/p2p-circuit/p2p/{ours.peer}", size=100_000)
            assert size == 100_000
        async with js_peer() as theirs, native_node() as ours:
            await theirs.do("reserve", relay=relay)
            target = Multiaddr.parse(f"{relay}/p2p-circuit/p2p/{theirs.peer}")
            connection = await ours.swarm.dial(PeerId.parse(theirs.peer), [target])
            assert await ours.echoes(connection, MESSAGE)
            assert await ours.ping.ping(connection) < 5
