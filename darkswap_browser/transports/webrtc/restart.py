"""Finding a new path for a connection that lost its own: an ICE restart, agreed on through the relay.

Between two of ours only, as libp2p's signaling ends with the first connection. When a peer changes networks, the
relayed connection is back long before ICE gives up; with new credentials the same channels go on within a round
trip, and nothing that waits in them is lost. The side that dialled asks, so that both do not ask at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from darkswap_browser.concurrency.tasks import Tasks
from darkswap_browser.errors import DarkSwapError, HandshakeFailed, MalformedMessage
from darkswap_browser.identity.peer_id import PeerId
from darkswap_browser.net.connection import Connection, Direction
from darkswap_browser.net.stream import BufferedStream
from darkswap_browser.net.swarm import Swarm
from darkswap_browser.protocols.signaling.exchange import Libp2pSignaling
from darkswap_browser.runtime.base.webrtc import SessionDescription
from darkswap_browser.transports.webrtc.connection import DataChannelConnection
from darkswap_browser.transports.webrtc.negotiation import Negotiator
from darkswap_browser.transports.webrtc.sdp import fingerprint, is_darkswap_sdp

RESTART_PROTOCOL = "/darkswap/webrtc-restart/1.0.0"
"""Messages as in `/webrtc-signaling/0.0.1`, about a connection that exists."""

_RETRY = 1.5
"""Seconds between attempts while the connection still waits for a path."""

OpenStream = Callable[[DataChannelConnection, str], Awaitable[BufferedStream]]
"""A signaling stream to the peer of a connection, over the relay."""


class IceRestarter:
    """Mends every connection given to `watch`, and answers peers that mend theirs."""

    def __init__(self, swarm: Swarm, negotiator: Negotiator, open_stream: OpenStream) -> None:
        self._swarm = swarm
        self._negotiator = negotiator
        self._open_stream = open_stream
        self._mending: dict[DataChannelConnection, asyncio.Task[None]] = {}
        self._tasks = Tasks(swarm.faults.report)

    def start(self) -> None:
        self._swarm.handle(RESTART_PROTOCOL, self._answer, allow_limited=True, max_inbound=2)

    async def close(self) -> None:
        """Idempotent.

        Cancellation: Safe; everything was told to end before the first await.
        """
        self._swarm.unhandle(RESTART_PROTOCOL)
        await self._tasks.close()

    def watch(self, connection: DataChannelConnection) -> None:
        if connection.direction is Direction.OUTBOUND and is_darkswap_sdp(connection.remote_sdp):
            connection.on_disconnected = lambda: self._begin(connection)

    def _begin(self, connection: DataChannelConnection) -> None:
        if connection in self._mending:
            return
        task = self._tasks.spawn(self._mend(connection), "mend WebRTC connection")
        self._mending[connection] = task
        task.add_done_callback(lambda _: self._mending.pop(connection, None))

    async def _mend(self, connection: DataChannelConnection) -> None:
        """Until it is connected again, or given up by its own rules. An exchange that began is brought to its end:
        stopped half-way, the two sides would go by different credentials."""
        while _is_down(connection):
            try:
                stream = await self._open_stream(connection, RESTART_PROTOCOL)
                if not _is_down(connection):
                    stream.reset()
                    return
                signaling = Libp2pSignaling(stream, self._swarm.limits)
                exchange = self._negotiator.exchange(connection, signaling)
                await exchange.run(exchange.offer(lambda step, detail: None, restart=True))
                await signaling.close()
            except DarkSwapError:
                await asyncio.sleep(_RETRY)

    async def _answer(self, relayed: Connection, stream: BufferedStream, protocol: str) -> None:
        signaling = Libp2pSignaling(stream, self._swarm.limits)
        async with asyncio.timeout(self._swarm.limits.signaling_timeout):
            offer = await signaling.receive_event()
        if not isinstance(offer, SessionDescription) or offer.type != "offer":
            raise HandshakeFailed("an ICE restart begins with an offer")
        connection = self._meant(relayed.remote_peer, offer.sdp)
        if connection is None:
            raise HandshakeFailed("an ICE restart of no connection that we know")
        exchange = self._negotiator.exchange(connection, signaling)
        await exchange.follow(exchange.accept(offer))
        await signaling.close()

    def _meant(self, peer: PeerId, sdp: str) -> DataChannelConnection | None:
        """The peer's connection with the certificate that the offer names: a restart must not change it."""
        certificate = fingerprint(sdp)
        for connection in self._swarm.connections(peer):
            if isinstance(connection, DataChannelConnection) and connection.direction is Direction.INBOUND:
                try:
                    known = fingerprint(connection.remote_sdp)
                except MalformedMessage:
                    continue
                if known == certificate:
                    return connection
        return None


def _is_down(connection: DataChannelConnection) -> bool:
    return not connection.is_closed and connection.peer_connection.connection_state != "connected"
