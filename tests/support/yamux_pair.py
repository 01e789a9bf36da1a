"""Two yamux connections over a pipe, or one whose peer the test plays by hand."""

from __future__ import annotations

import asyncio

from darkswap_browser.errors import (
    EndOfStream,
)
from darkswap_browser.identity.multiaddr import Multiaddr
from darkswap_browser.net.connection import Direction
from darkswap_browser.net.limits import DEFAULT_LIMITS, Limits
from darkswap_browser.net.stream import BufferedStream, Stream
from darkswap_browser.net.yamux.muxer import YamuxConnection
from tests.support.pipe import PipeEnd, identity, pipe

ADDRESS = Multiaddr.parse("/memory/1")


async def connection(end: PipeEnd, direction: Direction, limits: Limits = DEFAULT_LIMITS) -> YamuxConnection:
    return YamuxConnection(
        BufferedStream(end),
        remote_peer=(await identity("remote")).peer_id,
        remote_addr=ADDRESS,
        direction=direction,
        transport="memory",
        limit=None,
        limits=limits,
    )


async def pair(limits: Limits = DEFAULT_LIMITS) -> tuple[YamuxConnection, YamuxConnection, asyncio.Queue[Stream]]:
    """(dialer, listener, streams that arrive at the listener)."""
    left, right = pipe()
    dialer = await connection(left, Direction.OUTBOUND, limits)
    listener = await connection(right, Direction.INBOUND, limits)
    arrived: asyncio.Queue[Stream] = asyncio.Queue()
    listener.start(arrived.put_nowait)
    dialer.start(lambda stream: stream.reset())
    return dialer, listener, arrived


async def lone(limits: Limits = DEFAULT_LIMITS) -> tuple[PipeEnd, YamuxConnection, list[Stream]]:
    """(raw end of a peer that we play by hand, our listening side, its streams)."""
    peer, ours = pipe()
    side = await connection(ours, Direction.INBOUND, limits)
    streams: list[Stream] = []
    side.start(streams.append)
    return peer, side, streams


async def read_all(stream: Stream) -> bytes:
    data = b""
    while True:
        try:
            data += await stream.read()
        except EndOfStream:
            return data


async def settle() -> None:
    """Every task has done what it can without time passing."""
    for _ in range(20):
        await asyncio.sleep(0)
