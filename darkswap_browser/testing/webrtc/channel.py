"""Simulated data channels and the association (DTLS and SCTP in one) that carries them between two connections."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from darkswap_browser.errors import MessageTooLarge, StreamClosed, TooManyRequests
from darkswap_browser.runtime.base.webrtc import DataChannelListener
from darkswap_browser.testing.pipe import Pipe, Route
from darkswap_browser.testing.webrtc.sdp import MAX_MESSAGE_SIZE

SEND_QUEUE = 16 * 1024 * 1024
"""Bytes that Chrome queues on one channel; beyond it `send` throws."""

MAX_CHANNELS = 1024
"""Per connection, as Chrome."""

MESSAGE_OVERHEAD = 28
"""SCTP chunk, DTLS record and UDP/IP headers of one message, roughly, for bandwidth."""


@dataclass(frozen=True, slots=True)
class Open:
    number: int
    label: str


@dataclass(frozen=True, slots=True)
class Message:
    number: int
    data: bytes


@dataclass(frozen=True, slots=True)
class CloseChannel:
    number: int


Item = Open | Message | CloseChannel


class SimulatedDataChannel:
    """Fulfils `runtime.base.DataChannel`. Callbacks come from the event loop, never from within a call of the user,
    but for early messages, which `listen` hands over at once."""

    def __init__(self, label: str, state: str) -> None:
        self._label = label
        self._state = state
        self._listener: DataChannelListener | None = None
        self._low = 0
        self._early: list[bytes] = []
        self._open_told = False
        self.buffered = 0
        self.association: AssociationEnd | None = None
        self.number = 0

    @property
    def label(self) -> str:
        return self._label

    @property
    def ready_state(self) -> str:
        return self._state

    @property
    def buffered_amount(self) -> int:
        return self.buffered

    def listen(self, listener: DataChannelListener, low_threshold: int) -> None:
        self._listener = listener
        self._low = low_threshold
        early, self._early = self._early, []
        for data in early:
            listener.received(data)
        if self._open_told and self._state == "open":
            asyncio.get_running_loop().call_soon(listener.opened)

    def send(self, data: bytes) -> None:
        if self._state != "open" or self.association is None:
            raise StreamClosed()
        if len(data) > MAX_MESSAGE_SIZE:
            raise MessageTooLarge(len(data), MAX_MESSAGE_SIZE)
        if self.buffered + len(data) > SEND_QUEUE:
            raise TooManyRequests("bytes queued on a data channel", SEND_QUEUE)
        self.buffered += len(data)
        self.association.send(Message(self.number, bytes(data)), len(data) + MESSAGE_OVERHEAD)

    def close(self) -> None:
        if self._state in ("closing", "closed"):
            return
        self._state = "closing"
        if self.association is None:
            asyncio.get_running_loop().call_soon(self.ended)
        else:
            self.association.send(CloseChannel(self.number), MESSAGE_OVERHEAD)

    def open_event(self) -> None:
        if self._state in ("connecting", "open"):
            self._state = "open"
            self._open_told = True
            if self._listener is not None:
                self._listener.opened()

    def received(self, data: bytes) -> None:
        """A closing channel hears no more, as in Chrome."""
        if self._state != "open":
            return
        if self._listener is None:
            self._early.append(data)
        else:
            self._listener.received(data)

    def delivered(self, size: int) -> None:
        before, self.buffered = self.buffered, self.buffered - size
        if before > self._low >= self.buffered and self._listener is not None and self._state == "open":
            self._listener.drained()

    def ended(self) -> None:
        """The other side agreed, or the association is gone."""
        if self._state != "closed":
            self._state = "closed"
            if self._listener is not None:
                self._listener.closed()

    def drop(self) -> None:
        """Its own connection was closed: W3C fires no event then."""
        self._state = "closed"
        self._listener = None


class AssociationEnd:
    """One end: its channels and the way to the other end."""

    def __init__(self, parity: int, route: Route, incoming: Callable[[SimulatedDataChannel], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._incoming = incoming
        self._next = parity
        self._pipe: Pipe[Item] = Pipe(route, self._arrived)
        self._channels: dict[int, SimulatedDataChannel] = {}
        self.other: AssociationEnd = self
        self.bytes_sent = 0
        self.bytes_received = 0

    def __len__(self) -> int:
        return len(self._channels)

    def open(self, channel: SimulatedDataChannel) -> None:
        if channel.ready_state != "connecting":
            return
        channel.number = self._next
        channel.association = self
        self._next += 2
        self._channels[channel.number] = channel
        self.send(Open(channel.number, channel.label), MESSAGE_OVERHEAD)
        self._loop.call_soon(channel.open_event)

    def send(self, item: Item, size: int) -> None:
        if isinstance(item, Message):
            self.bytes_sent += len(item.data)
        self._pipe.send(item, size)

    def resume(self) -> None:
        self._pipe.resume()

    def shut_down(self) -> None:
        """Our connection closes. What the peer has not received by now is lost, as with an SCTP ABORT."""
        self._pipe.clear()
        for channel in self._channels.values():
            channel.drop()
        self._channels.clear()

    def peer_gone(self) -> None:
        """The other connection was closed: an ABORT arrived behind all that had arrived before."""
        self._pipe.clear()
        gone, self._channels = self._channels, {}
        for channel in gone.values():
            channel.ended()

    def _arrived(self, item: Item) -> None:
        """An item of ours reached the other end."""
        if isinstance(item, Message) and item.number in self._channels:
            self._channels[item.number].delivered(len(item.data))
        self.other.receive(item)

    def receive(self, item: Item) -> None:
        match item:
            case Open():
                channel = SimulatedDataChannel(item.label, "open")
                channel.number = item.number
                channel.association = self
                self._channels[item.number] = channel
                self._incoming(channel)
                self._loop.call_soon(channel.open_event)
            case Message():
                self.bytes_received += len(item.data)
                if item.number in self._channels:
                    self._channels[item.number].received(item.data)
            case CloseChannel():
                ending = self._channels.pop(item.number, None)
                if ending is not None:
                    self.send(CloseChannel(item.number), MESSAGE_OVERHEAD)
                    ending.ended()
