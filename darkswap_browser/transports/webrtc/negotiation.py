"""Making a direct connection through a `Signaling`: offer, answer, trickled candidates, until ICE and DTLS are up.

https://github.com/libp2p/specs/blob/master/webrtc/webrtc.md. Candidates are sent after the description, so that none
can overtake it. Only the connection's own state decides: a signaling that ended early proves nothing (the peer may
simply have been connected first), a signaling that was reset means that the peer gave up.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from dataclasses import replace

from darkswap_browser.concurrency.faults import ReportFault, log_fault
from darkswap_browser.concurrency.tasks import Tasks, cancel_and_wait
from darkswap_browser.errors import (
    ConnectionLost,
    DarkSwapError,
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
from darkswap_browser.net.memory import MemoryBudget
from darkswap_browser.net.transport import StepHandler
from darkswap_browser.protocols.signaling.exchange import Signaling
from darkswap_browser.runtime.base.webrtc import IceCandidate, RtcConfiguration, SessionDescription, WebRtc
from darkswap_browser.transports.webrtc.candidates import StrangersCandidates
from darkswap_browser.transports.webrtc.connection import DataChannelConnection
from darkswap_browser.transports.webrtc.sdp import (
    candidate_key,
    candidate_keys,
    mark_tool,
    only_relay_candidates,
    relay_candidate,
)


class Negotiator:
    """What every negotiation of one node has in common."""

    def __init__(
        self,
        webrtc: WebRtc,
        configuration: Callable[[], RtcConfiguration],
        limits: Limits,
        agent_of: Callable[[PeerId], str] = lambda _: "",
        report: ReportFault = log_fault,
        is_ours: Callable[[PeerId], bool] = lambda _: True,
        memory: MemoryBudget | None = None,
    ) -> None:
        self.limits = limits
        self._report = report
        self._webrtc = webrtc
        self._configuration = configuration
        self._agent_of = agent_of
        self._is_ours = is_ours
        self._memory = memory

    async def offer(
        self, signaling: Signaling, peer: PeerId, address: Multiaddr, on_step: StepHandler
    ) -> DataChannelConnection:
        """The dialler's half; returns once connected, with `signaling` still open.

        Raises `TimedOut`, `ConnectionLost`, `HandshakeFailed`, `RemoteError`, `StreamError`; then `signaling` was
        reset and nothing is left behind.
        """
        attempt = self.begin_offer(signaling, peer, address)
        attempt.connection.create_init_channel()
        return await attempt.complete(on_step)

    def begin_offer(self, signaling: Signaling, peer: PeerId, address: Multiaddr) -> OutboundAttempt:
        """The dialler's half in steps. The caller creates the first channel, then completes or aborts the attempt.

        Raises `ConnectionLost` when the host makes no connection.
        """
        return OutboundAttempt(*self._attempt(signaling, peer, address, Direction.OUTBOUND))

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

    def exchange(self, connection: DataChannelConnection, signaling: Signaling) -> OfferAnswerExchange:
        """To describe an existing connection anew."""
        relay_only = self._configuration().relay_only
        exchange = OfferAnswerExchange(connection, signaling, self.limits, relay_only=relay_only, report=self._report)
        if connection.direction is Direction.INBOUND and not self._is_ours(connection.remote_peer):
            exchange.heeded = StrangersCandidates()
        return exchange

    def _attempt(
        self, signaling: Signaling, peer: PeerId, address: Multiaddr, direction: Direction
    ) -> tuple[DataChannelConnection, OfferAnswerExchange]:
        connection = DataChannelConnection(
            self._webrtc,
            self._configuration(),
            self.limits,
            remote_peer=peer,
            remote_addr=address,
            direction=direction,
            on_candidate=lambda _: None,
            agent_of=self._agent_of,
            is_ours=lambda: self._is_ours(peer),
            memory=self._memory,
        )
        return connection, self.exchange(connection, signaling)


class OutboundAttempt:
    """A dial whose offer can be made while the way to the peer is still being found."""

    def __init__(self, connection: DataChannelConnection, exchange: OfferAnswerExchange) -> None:
        self.connection = connection
        self._exchange = exchange
        self._preparing: asyncio.Task[None] | None = None

    def prepare(self) -> None:
        """Make the offer and gather candidates from now on, in the background."""
        work = self._exchange.prepare()
        self._preparing = asyncio.get_running_loop().create_task(work, name="prepare WebRTC offer")

    async def complete(self, on_step: StepHandler) -> DataChannelConnection:
        """Send the offer and go on until the connection is up. Raises as `Negotiator.offer`; then nothing is left.

        Cancellation: Safe; nothing is left either.
        """
        return await _made(self.connection, self._exchange.run(self._offer(on_step)))

    async def _offer(self, on_step: StepHandler) -> None:
        if self._preparing is not None:
            await self._preparing
        await self._exchange.offer(on_step)

    async def abort(self) -> None:
        """Close the connection and end what `prepare` began. After `complete` there is nothing left to do."""
        self.connection.abort()
        task = self._preparing
        if task is not None:
            await cancel_and_wait((task,))
            if not task.cancelled():
                # Retrieved: asyncio must not complain that nobody looked.
                task.exception()


async def _made(connection: DataChannelConnection, work: Coroutine[None, None, None]) -> DataChannelConnection:
    """The connection once `work` is done; if that fails, nothing is left of it."""
    try:
        await work
        await connection.note_path()
    except BaseException:
        connection.abort()
        raise
    return connection


class OfferAnswerExchange:
    """One offer, one answer and their candidates. On failure the signaling is reset; the connection is not touched."""

    def __init__(
        self,
        connection: DataChannelConnection,
        signaling: Signaling,
        limits: Limits,
        *,
        relay_only: bool,
        report: ReportFault,
    ) -> None:
        self._connection = connection
        self._host = connection.peer_connection
        self._signaling = signaling
        self._limits = limits
        self._outbox: asyncio.Queue[IceCandidate | None] = asyncio.Queue()
        self._relay_only = relay_only
        self._report = report
        self._early: list[IceCandidate] = []
        self.heeded: StrangersCandidates | None = None
        """Which of the peer's candidates are heeded; None: all."""
        self._is_prepared = False
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

    async def prepare(self) -> None:
        """Do the part of `offer` that needs no peer. Candidates found from now on wait until the offer is sent."""
        await self._host.set_local_description(await self._host.create_offer())
        self._is_prepared = True

    async def offer(self, on_step: StepHandler, *, restart: bool = False) -> None:
        """`restart`: look for a path anew, with new credentials; DTLS, channels and all that waits in them stay."""
        prepared = self._prepared_offer()
        offer = prepared or await self._host.create_offer(ice_restart=restart)
        on_step("webrtc:send-sdp-offer", "")
        await self._signaling.send_offer(self._outgoing(offer))
        if prepared is None:
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
        await self._host.set_remote_description(offer if self.heeded is None else self.heeded.filtered(offer))
        answer = await self._host.create_answer()
        await self._signaling.send_answer(self._outgoing(answer))
        await self._host.set_local_description(answer)

    def _prepared_offer(self) -> SessionDescription | None:
        """The offer of `prepare` with the candidates found since, which then need no message of their own."""
        offer = self._host.local_description if self._is_prepared else None
        if offer is None:
            return None
        described = candidate_keys(offer.sdp)
        for _ in range(self._outbox.qsize()):
            candidate = self._outbox.get_nowait()
            if candidate is not None and candidate_key(candidate.candidate) not in described:
                self._outbox.put_nowait(candidate)
        return offer

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
        tasks = Tasks(self._report)
        tasks.spawn(self._send_candidates(), "send ICE candidates")
        # That the peer gave up is raised below, unless the connection came up all the same.
        receiving = tasks.spawn(self._receive_candidates(), "receive ICE candidates", expected=DarkSwapError)
        connected = tasks.spawn(self._connection.wait_connected(), "wait for the direct path", expected=DarkSwapError)
        try:
            await asyncio.wait({receiving, connected}, return_when=asyncio.FIRST_COMPLETED)
            if not connected.done():
                # The peer's candidates ended or it gave up; the latter is raised here.
                await receiving
            await connected
        finally:
            await tasks.close()

    async def _trickle_to_the_end(self) -> None:
        for candidate in self._early:
            await self._add(candidate)
        tasks = Tasks(self._report)
        tasks.spawn(self._send_candidates(), "send ICE candidates")
        try:
            await self._receive_candidates()
        finally:
            await tasks.close()

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
        if self.heeded is not None and not self.heeded.heeds(candidate.candidate):
            return
        self._connection.ice.add_remote(candidate.candidate)
        with suppress(MalformedMessage, ConnectionLost):
            await self._host.add_ice_candidate(candidate)
