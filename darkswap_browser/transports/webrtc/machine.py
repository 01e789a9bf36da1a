"""How a stream on a data channel closes half, closes whole and breaks: FIN, FIN_ACK, STOP_SENDING, RESET.

https://github.com/libp2p/specs/tree/master/webrtc#multiplexing, and what the implementations make of it. The machine
holds two directions and one deadline; it is told what happened and answers with actions for its driver, in order.
Data itself does not pass through: the driver asks `can_write` and `can_read`.
"""

from __future__ import annotations

from enum import StrEnum

from darkswap_browser.transports.webrtc.messages import Flag


class WriteState(StrEnum):
    OPEN = "open"
    FINISHED = "finished"
    """FIN sent, FIN_ACK awaited."""
    CLOSED = "closed"
    """FIN_ACK came, or was waited for long enough."""
    STOPPED = "stopped"
    """The peer reads no more; writing is an error from now on, though the stream lives on."""
    RESET = "reset"


class ReadState(StrEnum):
    OPEN = "open"
    ABANDONED = "abandoned"
    """We read no more: data is dropped, flags still count."""
    ENDED = "ended"
    RESET = "reset"


class StreamAction(StrEnum):
    SEND_FIN = "send FIN"
    SEND_FIN_ACK = "send FIN_ACK"
    SEND_STOP_SENDING = "send STOP_SENDING"
    SEND_RESET = "send RESET"
    END_READ = "end of data"
    """What is buffered is still delivered, then `EndOfStream`."""
    BREAK_READ = "drop what is buffered, reads fail"
    BREAK_WRITE = "writes fail"
    CLOSE_CHANNEL = "close the channel once everything is sent"


LINGER = 30.0
"""Seconds a stream that we closed whole waits for the peer's FIN before its channel is closed all the same."""

_WRITE_OVER = (WriteState.CLOSED, WriteState.STOPPED, WriteState.RESET)


class StreamMachine:
    """One stream. Times are loop seconds; `fin_ack_timeout` is how long a FIN waits for its FIN_ACK.

    `prompt_ack`: FIN_ACK answers FIN at once, as js and go expect (js ends the whole connection without it). rust
    takes any frame without data for the end of data, so towards rust it waits until we have finished writing, and
    STOP_SENDING is never sent.
    """

    def __init__(self, fin_ack_timeout: float, *, prompt_ack: bool = True) -> None:
        self.write = WriteState.OPEN
        self.read = ReadState.OPEN
        self.deadline: float | None = None
        """When `handle_timeout` wants to be called."""
        self.is_over = False
        """CLOSE_CHANNEL was given, or the channel is gone: nothing more will happen."""
        self._fin_ack_timeout = fin_ack_timeout
        self._prompt_ack = prompt_ack
        self._peer_finished = False
        self._owes_ack = False

    @property
    def can_write(self) -> bool:
        return self.write is WriteState.OPEN

    @property
    def can_read(self) -> bool:
        return self.read is ReadState.OPEN

    def receive_flag(self, flag: int, now: float) -> list[StreamAction]:
        """A flag of the peer; unknown ones mean nothing."""
        if self.is_over:
            return []
        if flag == Flag.FIN:
            return self._receive_fin(now)
        if flag == Flag.FIN_ACK and self.write is WriteState.FINISHED:
            self.write = WriteState.CLOSED
            return self._settle(now)
        if flag == Flag.STOP_SENDING and self.write is WriteState.OPEN:
            # Not to be answered with a reset; what the peer still sends is still wanted.
            self.write = WriteState.STOPPED
            return [StreamAction.BREAK_WRITE, *self._settle(now)]
        if flag == Flag.RESET_STREAM:
            return self._break(close=True)
        return []

    def _receive_fin(self, now: float) -> list[StreamAction]:
        if self._peer_finished:
            return []
        self._peer_finished = True
        actions = []
        if self.read is ReadState.OPEN:
            self.read = ReadState.ENDED
            actions.append(StreamAction.END_READ)
        if self._prompt_ack or self.write is not WriteState.OPEN:
            actions.append(StreamAction.SEND_FIN_ACK)
        else:
            self._owes_ack = True
        return actions + self._settle(now)

    def finish_writing(self, now: float) -> list[StreamAction]:
        """All data was sent; end our direction."""
        if self.is_over:
            return []
        if self.write is WriteState.STOPPED:
            # The peer asked for no more data, but still waits for the end of it.
            self.write = WriteState.CLOSED
            return [StreamAction.SEND_FIN, *self._pay_ack(), *self._settle(now)]
        if self.write is not WriteState.OPEN:
            return []
        self.write = WriteState.FINISHED
        self.deadline = now + self._fin_ack_timeout
        return [StreamAction.SEND_FIN, *self._pay_ack()]

    def _pay_ack(self) -> list[StreamAction]:
        if not self._owes_ack:
            return []
        self._owes_ack = False
        return [StreamAction.SEND_FIN_ACK]

    def abandon_reading(self, now: float) -> list[StreamAction]:
        """Nobody will read: what is buffered goes, and the peer is told unless it has finished."""
        if self.is_over or self.read is not ReadState.OPEN:
            return []
        self.read = ReadState.ABANDONED
        stop = [StreamAction.SEND_STOP_SENDING] if self._prompt_ack else []
        return [StreamAction.BREAK_READ, *stop, *self._settle(now)]

    def reset(self) -> list[StreamAction]:
        """Break off both directions and tell the peer."""
        if self.is_over:
            return []
        return [StreamAction.SEND_RESET, *self._break(close=True)]

    def channel_closed(self) -> list[StreamAction]:
        """The channel is gone. Clean when the peer's FIN came and ours was acknowledged; a reset otherwise."""
        if self.is_over:
            return []
        if self._peer_finished and self.write is WriteState.FINISHED:
            self.write = WriteState.CLOSED
        return self._break(close=False)

    def handle_timeout(self, now: float) -> list[StreamAction]:
        """`deadline` has come: FIN_ACK or the peer's FIN was waited for long enough."""
        if self.is_over or self.deadline is None or now < self.deadline:
            return []
        self.deadline = None
        if self.write is WriteState.FINISHED:
            self.write = WriteState.CLOSED
            return self._settle(now)
        self.is_over = True
        return [StreamAction.CLOSE_CHANNEL]

    def _break(self, *, close: bool) -> list[StreamAction]:
        actions = []
        if self.read is ReadState.OPEN:
            self.read = ReadState.RESET
            actions.append(StreamAction.BREAK_READ)
        if self.write in (WriteState.OPEN, WriteState.FINISHED):
            self.write = WriteState.RESET
            actions.append(StreamAction.BREAK_WRITE)
        self.deadline = None
        self.is_over = True
        if close:
            actions.append(StreamAction.CLOSE_CHANNEL)
        return actions

    def _settle(self, now: float) -> list[StreamAction]:
        """Close the channel when both directions are over; wait a while for the peer when only ours is."""
        if self.write not in _WRITE_OVER:
            return []
        if self._peer_finished and self.write is not WriteState.STOPPED:
            self.deadline = None
            self.is_over = True
            return [StreamAction.CLOSE_CHANNEL]
        if self.write is WriteState.CLOSED:
            # While we still read, the peer may take as long as it likes.
            self.deadline = now + LINGER if self.read is ReadState.ABANDONED else None
        return []
