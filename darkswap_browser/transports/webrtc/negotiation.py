"""Making a direct connection through a `Signaling`: offer, answer, trickled candidates, until ICE and DTLS are up.

https://github.com/libp2p/specs/blob/master/webrtc/webrtc.md. A description is sent before it is set locally, so that
no candidate can overtake it. Only the connection's own state decides: a signaling that ended early proves nothing
(the peer may simply have been connected first), a signaling that was reset means that the peer gave up.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from dataclasses import replace

from darkswap_browser.errors import (
    ConnectionLost,
    EndOfStream,
    HandshakeFailed,
    MalformedMessage,
    StreamError,
    StreamReset,
    TimedOut,
)
from darkswap_browser.identity.multiaddr import Multiaddr
from darkswap_browser.identity.peer_id import PeerId
from darkswap_browser.net.connection import Direction
from darkswap_browser.net.limits import Limits
from darkswap_browser.net.transport import StepHandler
from darkswap_browser.protocols.signaling.exchange import Signaling
from darkswap_browser.runtime.base import IceCandidate, RtcConfiguration, SessionDescription, WebRtc
from darkswap_browser.transports.webrtc.connection import DataChannelConnection
from darkswap_browser.transports.webrtc.sdp import mark_tool, only_relay_candidates, relay_candidate


class Negotiator:
    """What every negotiation of one node has in common."""

    def __init__(
        self,
        webrtc: WebRtc,
        configuration: RtcConfiguration,
        limits: Limits,
        agent_of: Callable[[PeerId], str] = lambda _: "",
    ) -> None:
        self.limits = limits
        self._webrtc = webrtc
        self._configuration = configuration
        self._agent_of = agent_of

    async def offer(
        self, signaling: Signaling, peer: PeerId, address: Multiaddr, on_step: StepHandler
    ) -> DataChannelConnection:
        """The dialler's half; returns once connected, with `signaling` still open.

        Raises `TimedOut`, `ConnectionLost`, `HandshakeFailed`, `RemoteError`, `StreamError`; then `signaling` was
        reset and nothing is left behind.
        """
        connection, exchange = self._attempt(signaling, peer, address, Direction.OUTBOUND)
        connection.create_init_channel()
        return await _made(connection, exchange.run(exchange.offer(on_step)))

    async def answer(
        self,
        signaling: Signaling,
        peer: PeerId,
        address: Multiaddr,
        on_offer: Callable[[SessionDescription], None] = lambda _: None,
    ) -> DataChannelConnection:
        """The listener's half; as `offer`. `on_offer` sees the offer as soon as it came."""
        connection, exchange = self._attempt(signaling, peer, address, Direction.INBOUND)
        return await _made(connection, exchange.run(exchange.answer(on_offer)))

    def exchange(self, connection: DataChannelConnection, signaling: Signaling) -> Exchange:
        """To describe an existing connection anew."""
        return Exchange(connection, signaling, self.limits, relay_only=self._configuration.relay_only)

    def _attempt(
        self, signaling: Signaling, peer: PeerId, address: Multiaddr, direction: Direction
    ) -> tuple[DataChannelConnection, Exchange]:
        connection = DataChannelConnection(
            self._webrtc,
            self._configuration,
            self.limits,
            remote_peer=peer,
            remote_addr=address,
            direction=direction,
            on_candidate=lambda _: None,
            agent_of=self._agent_of,
        )
        return connection, self.exchange(connection, signaling)


async def _made(connection: DataChannelConnection, work: Coroutine[None, None, None]) -> DataChannelConnection:
    """The connection once `work` is done; if that fails, nothing is left of it."""
    try:
        await work
    except BaseException:
        connection.abort()
        raise
    return connection


class Exchange:
    """One offer, one answer and their candidates. On failure the signaling is reset; the connection is not touched."""

    def __init__(
        self,
        connection: DataChannelConnection,
        signaling: Signaling,
        limits: Limits,
        *,
        relay_only: bool,
    ) -> None:
        self._connection = connection
        self._host = connection.peer_connection
        self._signaling = signaling
        self._limits = limits
        self._outbox: asyncio.Queue[IceCandidate | None] = asyncio.Queue()
        self._relay_only = relay_only
        self._early: list[IceCandidate] = []
        connection.on_candidate = self._outbox.put_nowait

    async def run(self, half: Coroutine[None, None, None]) -> None:
        """`offer` or `answer`, then candidates until the connection is up."""
        await self._bounded(half, self._trickle)

    async def follow(self, half: Coroutine[None, None, None]) -> None:
        """As `run`, but until the peer ends the signaling: for a connection that may not even know it is down."""
        await self._bounded(half, self._trickle_to_the_end)

    async def _bounded(self, half: Coroutine[None, None, None], rest: Callable[[], Awaitable[None]]) -> None:
        try:
            async with asyncio.timeout(self._limits.signaling_timeout):
                await half
                await rest()
        except BaseException as error:
            self._signaling.reset()
            if isinstance(error, TimeoutError):
                raise TimedOut("making a direct connection", self._limits.signaling_timeout) from None
            if isinstance(error, EndOfStream):
                raise HandshakeFailed("the peer ended the signaling") from None
            raise

    async def offer(self, on_step: StepHandler, *, restart: bool = False) -> None:
        """`restart`: look for a path anew, with new credentials; DTLS, channels and all that waits in them stay."""
        offer = await self._host.create_offer(ice_restart=restart)
        on_step("webrtc:send-sdp-offer", "")
        await self._signaling.send_offer(self._outgoing(offer))
        await self._host.set_local_description(offer)
        on_step("webrtc:read-sdp-answer", "")
        answer = await self._description("answer")
        self._connection.remote_sdp = answer.sdp
        await self._host.set_remote_description(answer)
        on_step("webrtc:read-ice-candidates", "")

    async def answer(self, on_offer: Callable[[SessionDescription], None]) -> None:
        offer = await self._description("offer")
        on_offer(offer)
        await self.accept(offer)

    async def accept(self, offer: SessionDescription) -> None:
        """Answer an offer that was read already."""
        self._connection.remote_sdp = offer.sdp
        await self._host.set_remote_description(offer)
        answer = await self._host.create_answer()
        await self._signaling.send_answer(self._outgoing(answer))
        await self._host.set_local_description(answer)

    def _outgoing(self, description: SessionDescription) -> SessionDescription:
        kept = only_relay_candidates(description) if self._relay_only else description
        return replace(kept, sdp=mark_tool(kept.sdp))

    async def _description(self, expected: str) -> SessionDescription:
        """The peer's description. Candidates that come before it, as from peers other than js, are kept."""
        while True:
            event = await self._signaling.receive_event()
            if isinstance(event, SessionDescription):
                if event.type != expected:
                    raise HandshakeFailed(f"an SDP {event.type} came where an {expected} was due")
                return event
            if event.candidate:
                self._early.append(event)

    # --- candidates

    async def _trickle(self) -> None:
        for candidate in self._early:
            await self._add(candidate)
        sending = asyncio.create_task(self._send_candidates(), name="send ICE candidates")
        receiving = asyncio.create_task(self._receive_candidates(), name="receive ICE candidates")
        connected = asyncio.create_task(self._connection.wait_connected(), name="wait for the direct path")
        tasks = (sending, receiving, connected)
        try:
            await asyncio.wait({receiving, connected}, return_when=asyncio.FIRST_COMPLETED)
            if not connected.done():
                # The peer's candidates ended or it gave up; the latter is raised here.
                await receiving
            await connected
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            for task in tasks:
                if not task.cancelled():
                    task.exception()

    async def _trickle_to_the_end(self) -> None:
        for candidate in self._early:
            await self._add(candidate)
        sending = asyncio.create_task(self._send_candidates(), name="send ICE candidates")
        try:
            await self._receive_candidates()
        finally:
            sending.cancel()
            await asyncio.wait((sending,))

    async def _send_candidates(self) -> None:
        while True:
            candidate = await self._outbox.get()
            # The end of candidates is never said: js 3 does not say it, and needs it not.
            if candidate is None or not candidate.candidate:
                continue
            allowed = relay_candidate(candidate) if self._relay_only else candidate
            if allowed is not None:
                try:
                    await self._signaling.send_ice_candidate(allowed)
                except (StreamError, ConnectionLost):
                    return

    async def _receive_candidates(self) -> None:
        """Ends quietly when the signaling does; raises when the peer gave up or floods."""
        while True:
            try:
                event = await self._signaling.receive_event()
            except MalformedMessage:
                continue
            except StreamReset:
                raise HandshakeFailed("the peer gave up the direct connection") from None
            except (StreamError, ConnectionLost):
                return
            if isinstance(event, IceCandidate) and event.candidate:
                await self._add(event)

    async def _add(self, candidate: IceCandidate) -> None:
        """A candidate that the host refuses is no reason to stop: another may do."""
        with suppress(MalformedMessage, ConnectionLost):
            await self._host.add_ice_candidate(candidate)
