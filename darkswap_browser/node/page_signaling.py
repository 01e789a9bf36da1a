"""Offers, answers and candidates in the page's own hands: sent to a peer, and received from it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from darkswap_browser.concurrency.tasks import Tasks
from darkswap_browser.errors import ConnectionLost, InvalidArgument, MalformedMessage, StreamError
from darkswap_browser.identity.peer_id import PeerId
from darkswap_browser.net.connection import Connection
from darkswap_browser.net.stream import BufferedStream
from darkswap_browser.net.swarm import Swarm
from darkswap_browser.protocols.signaling.exchange import Libp2pSignaling
from darkswap_browser.protocols.signaling.messages import SIGNALING_PROTOCOL, SignalingEvent
from darkswap_browser.runtime.base.webrtc import IceCandidate, SessionDescription

Received = Callable[[str, SignalingEvent], None]


class PageSignaling:
    """One negotiation per peer, over `/webrtc-signaling/0.0.1` on whatever connection leads to it.

    Also a `SignalingObserver`: it shows what the node's own negotiations receive.
    """

    def __init__(self, swarm: Swarm, reach: Callable[[PeerId], Awaitable[Connection]], received: Received) -> None:
        self._swarm = swarm
        self._reach = reach
        self._received = received
        self._open: dict[PeerId, Libp2pSignaling] = {}
        self._tasks = Tasks(swarm.faults.report)

    def answer_manually(self) -> None:
        """Inbound negotiations go to the page instead of the node."""
        self._swarm.handle(SIGNALING_PROTOCOL, self._accept, allow_limited=True, max_inbound=4)

    def signaled(self, peer: str, event: SignalingEvent, *, outgoing: bool) -> None:
        if not outgoing:
            self._received(peer, event)

    async def send(self, peer: PeerId, event: SignalingEvent) -> None:
        """An offer begins a negotiation; an answer or a candidate needs one that has begun."""
        self._swarm.ours.add(peer)
        signaling = self._open.get(peer)
        if isinstance(event, SessionDescription) and event.type == "offer":
            if signaling is not None:
                signaling.reset()
            signaling = await self._begin(peer)
        if signaling is None:
            raise InvalidArgument("peer", f"no negotiation with {peer} is under way", "It begins with an offer.")
        if isinstance(event, SessionDescription):
            await (signaling.send_offer if event.type == "offer" else signaling.send_answer)(event)
        else:
            await signaling.send_ice_candidate(event)

    async def close(self) -> None:
        """Idempotent.

        Cancellation: Safe; negotiations are then broken off.
        """
        try:
            for signaling in list(self._open.values()):
                await signaling.close()
        finally:
            self.abort()
        await self._tasks.close()

    def abort(self) -> None:
        """Break every negotiation off, without waiting."""
        self._tasks.cancel()
        for signaling in list(self._open.values()):
            signaling.reset()
        self._open.clear()

    async def _begin(self, peer: PeerId) -> Libp2pSignaling:
        connection = self._swarm.best_connection(peer) or await self._reach(peer)
        opened = await self._swarm.new_stream(connection, (SIGNALING_PROTOCOL,), allow_limited=True)
        signaling = self._open[peer] = Libp2pSignaling(opened.stream, self._swarm.limits)
        self._tasks.spawn(self._read(peer, signaling), "page signaling")
        return signaling

    async def _accept(self, connection: Connection, stream: BufferedStream, protocol: str) -> None:
        signaling = self._open[connection.remote_peer] = Libp2pSignaling(stream, self._swarm.limits)
        await self._read(connection.remote_peer, signaling)

    async def _read(self, peer: PeerId, signaling: Libp2pSignaling) -> None:
        try:
            while True:
                try:
                    self._received(str(peer), await signaling.receive_event())
                except MalformedMessage:
                    continue
        except (StreamError, ConnectionLost):
            await signaling.close()
        finally:
            if self._open.get(peer) is signaling:
                del self._open[peer]


def description(path: str, kind: str, sdp: object) -> SessionDescription:
    """Raises `InvalidArgument`."""
    if not isinstance(sdp, str) or not sdp:
        raise InvalidArgument(f"{path}.sdp", "is not a text")
    return SessionDescription(kind, sdp)


def candidate(path: str, text: object, mid: object, line: object) -> IceCandidate:
    """Raises `InvalidArgument`."""
    if not isinstance(text, str):
        raise InvalidArgument(f"{path}.candidate", "is not a text")
    if mid is not None and not isinstance(mid, str):
        raise InvalidArgument(f"{path}.sdpMid", "is neither a text nor null")
    if line is not None and (isinstance(line, bool) or not isinstance(line, int)):
        raise InvalidArgument(f"{path}.sdpMLineIndex", "is neither a number nor null")
    return IceCandidate(text, mid, line)
