"""`/webrtc`: a direct connection between two peers that can only be reached through relays.

    <relay>/p2p-circuit/webrtc/p2p/<peer>

The relayed connection, authenticated by Noise, carries the descriptions and with them the fingerprints that
authenticate the direct one, which therefore needs no handshake of its own. It ends some seconds after that is proven.

When two of ours dial each other at once, both negotiations go on and the one whose dialler has the lower peer id
stays: its dialler holds back the other connection until it knows, the other dialler waits for it. Where neither saw the
other's dial in time, `glare` ends one afterwards. js peers, which know no such rule, keep both.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from darkswap_browser.concurrency.tasks import result_of
from darkswap_browser.errors import (
    ConnectionLost,
    DarkSwapError,
    EndOfStream,
    InvalidArgument,
    MalformedMessage,
    NoAddress,
    StreamError,
    TimedOut,
    TooManyRequests,
    Unsupported,
)
from darkswap_browser.identity.multiaddr import Multiaddr
from darkswap_browser.identity.peer_id import PeerId
from darkswap_browser.net.connection import Connection
from darkswap_browser.net.stream import BufferedStream
from darkswap_browser.net.swarm import Swarm
from darkswap_browser.net.transport import ConnectionHandler, StepHandler
from darkswap_browser.protocols.signaling.exchange import (
    Libp2pSignaling,
    ObservedSignaling,
    OutboundSignaling,
    Signaling,
    SignalingObserver,
)
from darkswap_browser.protocols.signaling.messages import SIGNALING_PROTOCOL
from darkswap_browser.runtime.base.webrtc import RtcConfiguration, SessionDescription, WebRtc
from darkswap_browser.transports.webrtc.connection import DataChannelConnection
from darkswap_browser.transports.webrtc.direct_links import DirectLinks
from darkswap_browser.transports.webrtc.glare import GlareSettler
from darkswap_browser.transports.webrtc.ice_report import IceReport
from darkswap_browser.transports.webrtc.negotiation import Negotiator, OutboundAttempt
from darkswap_browser.transports.webrtc.proof import RoundTripProof
from darkswap_browser.transports.webrtc.restart import IceRestarter
from darkswap_browser.transports.webrtc.sdp import is_darkswap_sdp

MAX_UNUSED_OFFERS = 8
"""After as many, peer connections are made only once the relay has connected us: a browser counts closed ones until
they are collected, and Chrome makes no more than 500 (kMaxPeerConnections)."""
MAX_REPORTS = 64


@dataclass(slots=True)
class _Answering:
    """An inbound negotiation, from its offer on. `outcome` is None when it failed."""

    outcome: asyncio.Future[Connection | None]
    is_ours: bool


@dataclass(slots=True)
class _Dialling:
    """An outbound negotiation; `outcome` tells whether it succeeded. Before it has `offered` it can still give way."""

    outcome: asyncio.Future[bool]
    offered: bool = False


class WebRtcTransport:
    """Answers to signaling from its first listening on.

    Args:
        configuration: Asked for each connection that is made.
    """

    def __init__(
        self,
        swarm: Swarm,
        webrtc: WebRtc,
        configuration: Callable[[], RtcConfiguration],
        observer: SignalingObserver | None = None,
        *,
        answers_strangers: bool = True,
    ) -> None:
        """`answers_strangers`: a direct link shows one's address to whoever asks for it."""
        self._swarm = swarm
        self._answers_strangers = answers_strangers
        self._limits = swarm.limits
        self._observer = observer
        self._negotiator = Negotiator(
            webrtc,
            configuration,
            swarm.limits,
            swarm.address_book.agent,
            swarm.faults.report,
            swarm.ours.__contains__,
            swarm.memory,
        )
        self._mender = IceRestarter(swarm, self._negotiator, self._restart_stream)
        self._glare = GlareSettler(swarm)
        self._is_available = webrtc.available
        self._handler: ConnectionHandler | None = None
        self._dialling: dict[PeerId, _Dialling] = {}
        self._answering: dict[PeerId, _Answering] = {}
        self._links = DirectLinks(swarm, self.name)
        self._reports: dict[PeerId, IceReport] = {}
        self._unused_offers = 0
        """Peer connections made in a row for peers that then could not be reached."""

    @property
    def name(self) -> str:
        return "webrtc"

    # --- dialling

    def can_dial(self, address: Multiaddr) -> bool:
        return self._is_available and address.is_webrtc

    async def dial(self, address: Multiaddr, peer: PeerId | None, on_step: StepHandler) -> Connection:
        target = peer or address.peer_id()
        parts = address.split_circuit()
        if target is None or parts is None:
            raise InvalidArgument("address", f"{address} does not say whom to reach", "It must end in /p2p/<peer id>.")
        known = await self._inbound(target) or self._fresh(target)
        if known is not None:
            return known
        self._links.make_room()
        dialling = self._dialling[target] = _Dialling(asyncio.get_running_loop().create_future())
        circuit = parts[0].encapsulate("/p2p-circuit").with_peer(target)
        try:
            with self._links.negotiating(target):
                connection = await self._dial(circuit, target, dialling, on_step)
            dialling.outcome.set_result(True)
            return connection
        except (ConnectionLost, StreamError) as error:
            # The peer may have settled a glare in favour of its own dial while ours was nearly there.
            other = self._direct(target)
            if other is None:
                raise ConnectionLost("WebRTC connection", str(error)) from error
            return other
        finally:
            if not dialling.outcome.done():
                dialling.outcome.set_result(False)
            if self._dialling.get(target) is dialling:
                del self._dialling[target]

    def ice_report(self, peer: PeerId) -> IceReport | None:
        """What ICE found in the last dial of `peer`; None when there was none, or long ago."""
        return self._reports.get(peer)

    async def _inbound(self, peer: PeerId) -> Connection | None:
        """What comes of the peer's own dial, when one is under way."""
        answering = self._answering.get(peer)
        return None if answering is None else await result_of(answering.outcome)

    async def _dial(self, circuit: Multiaddr, peer: PeerId, dialling: _Dialling, on_step: StepHandler) -> Connection:
        known = relayed = self._relayed(peer)
        if known is None and self._unused_offers >= MAX_UNUSED_OFFERS:
            relayed = await self._dial_relay(circuit, on_step)

        async def open_stream(offer: bytes) -> BufferedStream:
            assert relayed is not None
            try:
                return await self._signaling_stream(relayed, offer)
            except (ConnectionLost, StreamError, TimedOut) as error:
                # A connection found open may be dead without knowing; then through the relay anew.
                if known is None or (isinstance(error, StreamError) and not known.is_closed):
                    raise
            return await self._signaling_stream(await self._dial_relay(circuit, on_step), offer)

        signaling = self._observed(OutboundSignaling(open_stream, self._limits), peer)
        address = circuit.without_peer().encapsulate("/webrtc").with_peer(peer)
        attempt = self._negotiator.begin_offer(signaling, peer, address)
        self._reports[peer] = attempt.connection.ice
        if len(self._reports) > MAX_REPORTS:
            del self._reports[next(iter(self._reports))]
        try:
            proof = await RoundTripProof.send(attempt.connection, self._limits)
            attempt.prepare()
            if known is not None:
                on_step("webrtc:reuse-relay-connection", str(known.remote_addr))
            elif relayed is None:
                self._unused_offers += 1
                relayed = await self._dial_relay(circuit, on_step)
            winner = await self._inbound(peer)
            if winner is None:
                dialling.offered = True
                on_step("webrtc:open-signaling-stream", "")
                winner = await self._complete(attempt, proof, peer, on_step)
                on_step("webrtc:close-signaling-stream", "")
                await signaling.close()
        except BaseException:
            signaling.reset()
            await attempt.abort()
            raise
        if winner is not None:
            await attempt.abort()
            return winner
        self._mender.watch(attempt.connection)
        return attempt.connection

    async def _complete(
        self, attempt: OutboundAttempt, proof: RoundTripProof, peer: PeerId, on_step: StepHandler
    ) -> Connection | None:
        """None when the connection of `attempt` is up and proven; the peer's own connection when that one stays."""
        await attempt.complete(on_step)
        on_step("webrtc:connection", str(peer))
        winner = await self._yield_to_inbound(peer)
        if winner is None:
            await proof.receive()
        return winner

    async def _restart_stream(self, connection: DataChannelConnection, protocol: str) -> BufferedStream:
        """Over the relayed connection, which may be as dead as the direct one, or over a new one."""
        peer = connection.remote_peer
        parts = connection.remote_addr.split_circuit()
        relayed = next((each for each in self._swarm.connections(peer) if each.transport == "circuit"), None)
        if relayed is not None:
            try:
                async with asyncio.timeout(self._limits.restart_patience):
                    return (await self._swarm.new_stream(relayed, [protocol], allow_limited=True)).stream
            except (ConnectionLost, StreamError, TimeoutError):
                relayed.abort()
        if parts is None:
            raise NoAddress(str(peer))
        fresh = await self._swarm.dial_address(parts[0].encapsulate("/p2p-circuit").with_peer(peer))
        return (await self._swarm.new_stream(fresh, [protocol], allow_limited=True)).stream

    async def _dial_relay(self, circuit: Multiaddr, on_step: StepHandler) -> Connection:
        on_step("webrtc:dial-relay", str(circuit))
        connection = await self._swarm.dial_address(circuit, on_step)
        self._unused_offers = 0
        return connection

    async def _signaling_stream(self, connection: Connection, offer: bytes) -> BufferedStream:
        negotiated = await self._swarm.new_stream(connection, [SIGNALING_PROTOCOL], allow_limited=True, first=offer)
        return negotiated.stream

    def _relayed(self, peer: PeerId) -> Connection | None:
        open_ones = self._swarm.connections(peer)
        relayed = [connection for connection in open_ones if connection.transport == "circuit"]
        return next(reversed(relayed or open_ones), None)

    def _direct(self, peer: PeerId) -> Connection | None:
        """The newest one."""
        direct = [each for each in self._swarm.connections(peer) if each.transport == self.name]
        return direct[-1] if direct else None

    def _fresh(self, peer: PeerId) -> Connection | None:
        """A direct connection so young that the peer must have dialled while we were about to."""
        direct = self._direct(peer)
        if direct is None:
            return None
        age = asyncio.get_running_loop().time() - direct.opened_at
        return direct if age < self._limits.signaling_linger else None

    async def _yield_to_inbound(self, peer: PeerId) -> Connection | None:
        """The peer's own connection to us when both dialled at once and it has the lower id."""
        answering = self._answering.get(peer)
        if answering is None or not answering.is_ours or self._swarm.local_peer < peer:
            return None
        return await result_of(answering.outcome)

    def _observed(self, signaling: Signaling, peer: PeerId) -> Signaling:
        return signaling if self._observer is None else ObservedSignaling(signaling, str(peer), self._observer)

    # --- by other signaling

    async def offer_by(self, signaling: Signaling, peer: PeerId, on_step: StepHandler) -> Connection:
        """Dial `peer` with descriptions that the caller carries, who answers for their way. Not yet in the swarm."""
        self._swarm.ours.add(peer)
        self._links.make_room()
        observed = self._observed(signaling, peer)
        return await self._negotiator.offer(observed, peer, _carried(peer), on_step)

    async def answer_by(self, signaling: Signaling, peer: PeerId) -> Connection:
        """The other half of `offer_by`."""
        self._swarm.ours.add(peer)
        self._links.make_room()
        return await self._negotiator.answer(self._observed(signaling, peer), peer, _carried(peer))

    # --- listening

    def can_listen(self, address: Multiaddr) -> bool:
        return self._is_available and [component.name for component in address.components] == ["webrtc"]

    async def listen(self, address: Multiaddr, handler: ConnectionHandler) -> tuple[Multiaddr, ...]:
        """`/webrtc`: answer to signaling. The relay client announces where, so this returns no address."""
        if self._handler is not None:
            raise Unsupported("listening on /webrtc twice")
        self._handler = handler
        self._swarm.handle(SIGNALING_PROTOCOL, self._answer, allow_limited=True, max_inbound=4)
        self._mender.start()
        self._glare.start()
        return ()

    async def close(self) -> None:
        if self._handler is not None:
            self._handler = None
            self._swarm.unhandle(SIGNALING_PROTOCOL)
        await self._glare.close()
        await self._mender.close()

    # --- answering

    async def _answer(self, relayed: Connection, stream: BufferedStream, protocol: str) -> None:
        peer = relayed.remote_peer
        handler = self._handler
        try:
            if not self._answers_strangers and peer not in self._swarm.ours:
                raise TooManyRequests("direct connections of strangers", 0)
            self._links.make_room_for(peer)
        except TooManyRequests:
            stream.reset()
            return
        signaling = self._observed(Libp2pSignaling(stream, self._limits), peer)
        outcome: asyncio.Future[Connection | None] = asyncio.get_running_loop().create_future()
        answering = _Answering(outcome, is_ours=False)

        def on_offer(offer: SessionDescription) -> None:
            # A stream without an offer holds up nobody: two peers may each have opened one and wait for the other.
            answering.is_ours = is_darkswap_sdp(offer.sdp)
            self._answering[peer] = answering

        connection: DataChannelConnection | None = None
        try:
            address = relayed.remote_addr.without_peer().encapsulate("/webrtc").with_peer(peer)
            with self._links.negotiating(peer):
                connection = await self._negotiator.answer(signaling, peer, address, on_offer)
            if handler is None or await self._own_dial_wins(peer, answering):
                connection.abort()
            else:
                await handler(connection)
                answering.outcome.set_result(connection)
        finally:
            if not answering.outcome.done():
                answering.outcome.set_result(None)
                if connection is not None:
                    connection.abort()
            if self._answering.get(peer) is answering:
                del self._answering[peer]
        await self._let_dialler_finish(signaling)

    async def _own_dial_wins(self, peer: PeerId, answering: _Answering) -> bool:
        """Both dialled at once and ours has the lower id: hold the peer's connection back until ours is decided."""
        dialling = self._dialling.get(peer)
        if dialling is None or not dialling.offered or not answering.is_ours or peer < self._swarm.local_peer:
            return False
        return await result_of(dialling.outcome)

    async def _let_dialler_finish(self, signaling: Signaling) -> None:
        """The dialler ends the signaling once it is sure; ending it first would make older peers call it a failure."""
        try:
            async with asyncio.timeout(self._limits.signaling_linger):
                while True:
                    try:
                        await signaling.receive_event()
                    except MalformedMessage:
                        continue
        except (EndOfStream, TimeoutError):
            await signaling.close()
        except DarkSwapError:
            signaling.reset()


def _carried(peer: PeerId) -> Multiaddr:
    return Multiaddr.parse("/webrtc").with_peer(peer)
