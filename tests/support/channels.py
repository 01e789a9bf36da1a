"""Pairs of simulated data channels and of connections over them, connected without any signaling."""

from __future__ import annotations

import asyncio

from darkswap_browser.identity.multiaddr import Multiaddr
from darkswap_browser.identity.peer_id import PeerId
from darkswap_browser.net.connection import Direction
from darkswap_browser.net.limits import DEFAULT_LIMITS, Limits
from darkswap_browser.runtime.base.webrtc import IceCandidate, RtcConfiguration
from darkswap_browser.runtime.native.crypto import NativeCrypto
from darkswap_browser.testing.world import SimulatedWorld
from darkswap_browser.transports.webrtc.connection import DataChannelConnection

PEER = PeerId.parse("12D3KooWGzxzKZYveHXtpG6AsrUJBcWxHBFS2HsEoGTxrMLvKXtf")


def make_world(**options: float) -> SimulatedWorld:
    return SimulatedWorld(crypto=NativeCrypto(), **options)  # type: ignore[arg-type]


def end(
    world: SimulatedWorld,
    name: str,
    direction: Direction,
    outbox: list[IceCandidate],
    limits: Limits,
    agent: str = "",
    is_ours: bool = True,
) -> DataChannelConnection:
    return DataChannelConnection(
        world.runtime(name).webrtc,
        RtcConfiguration(),
        limits,
        remote_peer=PEER,
        remote_addr=Multiaddr.parse("/memory/1"),
        direction=direction,
        on_candidate=lambda candidate: outbox.append(candidate) if candidate is not None else None,
        agent_of=lambda _: agent,
        is_ours=lambda: is_ours,
    )


async def connected_pair(
    world: SimulatedWorld, limits: Limits = DEFAULT_LIMITS, *, agent: str = "", is_ours: bool = True
) -> tuple[DataChannelConnection, DataChannelConnection]:
    """`agent`: what the first takes the second for. `is_ours`: whether the second asked for the first. Neither is
    started."""
    from_one: list[IceCandidate] = []
    from_two: list[IceCandidate] = []
    one = end(world, "one", Direction.OUTBOUND, from_one, limits, agent)
    two = end(world, "two", Direction.INBOUND, from_two, limits, is_ours=is_ours)
    one.create_init_channel()
    offer = await one.peer_connection.create_offer()
    await one.peer_connection.set_local_description(offer)
    await two.peer_connection.set_remote_description(offer)
    answer = await two.peer_connection.create_answer()
    await two.peer_connection.set_local_description(answer)
    await one.peer_connection.set_remote_description(answer)
    await asyncio.sleep(0.1)
    for candidate in from_one:
        await two.peer_connection.add_ice_candidate(candidate)
    for candidate in from_two:
        await one.peer_connection.add_ice_candidate(candidate)
    await asyncio.gather(one.wait_connected(), two.wait_connected())
    one.close_init_channel()
    return one, two
