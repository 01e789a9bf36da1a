"""Carrying offers, answers and candidates between two peers: over a libp2p stream, or by whatever the page has.

`Signaling` is all that making a direct connection needs to know about it. The two SDPs hold the fingerprints that
authenticate the direct link, so whatever carries them must be authenticated itself: a libp2p stream is; by hand, the
people who carry the blobs answer for that.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from typing import Protocol

from darkswap_browser.concurrency.waiter import Waiter
from darkswap_browser.errors import ConnectionLost, DarkSwapError, ResourceLimit, StreamClosed, TooManyRequests
from darkswap_browser.net.limits import Limits
from darkswap_browser.net.stream import BufferedStream, close_or_reset
from darkswap_browser.protocols.signaling.messages import SignalingEvent, decode_event, encode_event
from darkswap_browser.runtime.base.webrtc import IceCandidate, SessionDescription
from darkswap_browser.wire.framing import frame


class Signaling(Protocol):
    """One negotiation with one peer."""

    async def send_offer(self, offer: SessionDescription) -> None: ...

    async def send_answer(self, answer: SessionDescription) -> None: ...

    async def send_ice_candidate(self, candidate: IceCandidate) -> None: ...

    async def receive_event(self) -> SignalingEvent:
        """The peer's next message.

        Raises `EndOfStream` when it has finished, `MalformedMessage` for one that means nothing (the next may be
        read all the same), `ResourceLimit` for a flood. Surplus candidates are passed over.
        """
        ...

    async def close(self) -> None:
        """The negotiation succeeded. Idempotent."""
        ...

    def reset(self) -> None:
        """The negotiation failed: the peer is to stop as well. Idempotent."""
        ...


class Libp2pSignaling:
    """`/webrtc-signaling/0.0.1` on a stream that has just been negotiated."""

    def __init__(self, stream: BufferedStream, limits: Limits) -> None:
        self._stream = stream
        self._limits = limits
        self._received = 0
        self._candidates = 0

    async def send_offer(self, offer: SessionDescription) -> None:
        await self._send(offer)

    async def send_answer(self, answer: SessionDescription) -> None:
        await self._send(answer)

    async def send_ice_candidate(self, candidate: IceCandidate) -> None:
        await self._send(candidate)

    async def _send(self, event: SignalingEvent) -> None:
        await self._stream.write_message(encode_event(event))

    async def receive_event(self) -> SignalingEvent:
        limits = self._limits
        while self._received < limits.signaling_messages:
            data = await self._stream.read_message(limits.signaling_message)
            self._received += 1
            event = decode_event(data, limits.signaling_message)
            if not isinstance(event, IceCandidate) or not event.candidate:
                return event
            self._candidates += 1
            if self._candidates <= limits.signaling_candidates:
                return event
        raise ResourceLimit("signaling messages", limits.signaling_messages)

    async def close(self) -> None:
        await close_or_reset(self._stream)

    def reset(self) -> None:
        self._stream.reset()


class OutboundSignaling:
    """The dialler's: its stream is opened by the offer, which travels with the proposal of the protocol.

    `open_stream` is given the offer as it goes on the wire. A round trip less than a stream opened before.
    """

    def __init__(self, open_stream: Callable[[bytes], Awaitable[BufferedStream]], limits: Limits) -> None:
        self._open_stream = open_stream
        self._limits = limits
        self._opened: Libp2pSignaling | None = None

    async def send_offer(self, offer: SessionDescription) -> None:
        stream = await self._open_stream(frame(encode_event(offer)))
        self._opened = Libp2pSignaling(stream, self._limits)

    async def send_answer(self, answer: SessionDescription) -> None:
        await self._after_offer().send_answer(answer)

    async def send_ice_candidate(self, candidate: IceCandidate) -> None:
        await self._after_offer().send_ice_candidate(candidate)

    async def receive_event(self) -> SignalingEvent:
        return await self._after_offer().receive_event()

    def _after_offer(self) -> Libp2pSignaling:
        if self._opened is None:
            raise StreamClosed()
        return self._opened

    async def close(self) -> None:
        if self._opened is not None:
            await self._opened.close()

    def reset(self) -> None:
        if self._opened is not None:
            self._opened.reset()


class ManualSignaling:
    """The page carries the messages: `on_send` is given each of ours, and what comes back is put in with `deliver`."""

    def __init__(self, limits: Limits, on_send: Callable[[SignalingEvent], None]) -> None:
        self._limits = limits
        self._on_send = on_send
        self._inbox: deque[SignalingEvent] = deque()
        self._waiter = Waiter()
        self._end: DarkSwapError | None = None

    async def send_offer(self, offer: SessionDescription) -> None:
        self._send(offer)

    async def send_answer(self, answer: SessionDescription) -> None:
        self._send(answer)

    async def send_ice_candidate(self, candidate: IceCandidate) -> None:
        self._send(candidate)

    def _send(self, event: SignalingEvent) -> None:
        if self._end is not None:
            raise self._end.fresh()
        self._on_send(event)

    def deliver(self, event: SignalingEvent) -> None:
        """A message of the peer. Raises `TooManyRequests` when nobody reads them."""
        if len(self._inbox) >= self._limits.signaling_candidates + 2:
            raise TooManyRequests("signaling messages", self._limits.signaling_candidates)
        self._inbox.append(event)
        self._waiter.wake()

    async def receive_event(self) -> SignalingEvent:
        while not self._inbox:
            if self._end is not None:
                raise self._end.fresh()
            await self._waiter.wait()
        return self._inbox.popleft()

    async def close(self) -> None:
        self.reset()

    def reset(self) -> None:
        if self._end is None:
            self._end = ConnectionLost("signaling", "ended")
        self._waiter.wake()


class SignalingObserver(Protocol):
    """Sees what passes, with the peer's id in text form; `outgoing` tells whose it is. Must not raise."""

    def signaled(self, peer: str, event: SignalingEvent, *, outgoing: bool) -> None: ...


class ObservedSignaling:
    """Another signaling, with every message shown to an observer on its way."""

    def __init__(self, inner: Signaling, peer: str, observer: SignalingObserver) -> None:
        self._inner = inner
        self._peer = peer
        self._observer = observer

    async def send_offer(self, offer: SessionDescription) -> None:
        self._observer.signaled(self._peer, offer, outgoing=True)
        await self._inner.send_offer(offer)

    async def send_answer(self, answer: SessionDescription) -> None:
        self._observer.signaled(self._peer, answer, outgoing=True)
        await self._inner.send_answer(answer)

    async def send_ice_candidate(self, candidate: IceCandidate) -> None:
        self._observer.signaled(self._peer, candidate, outgoing=True)
        await self._inner.send_ice_candidate(candidate)

    async def receive_event(self) -> SignalingEvent:
        event = await self._inner.receive_event()
        self._observer.signaled(self._peer, event, outgoing=False)
        return event

    async def close(self) -> None:
        await self._inner.close()

    def reset(self) -> None:
        self._inner.reset()
