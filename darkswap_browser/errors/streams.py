"""Errors of streams, and of the messages that channels carry over them."""

from __future__ import annotations

from darkswap_browser.errors.base import DarkSwapError


class StreamError(DarkSwapError):
    code = "STREAM"
    hint = "Open another stream."


class StreamClosed(StreamError):
    code = "STREAM_CLOSED"

    def __str__(self) -> str:
        return "the stream was closed on this side"


class StreamReset(StreamError):
    code = "STREAM_RESET"
    retryable = True

    def __str__(self) -> str:
        return "the stream was reset"


class EndOfStream(StreamError):
    code = "END_OF_STREAM"

    def __str__(self) -> str:
        return "the peer finished writing"


class StreamBusy(StreamError):
    code = "STREAM_BUSY"
    hint = "One reader and one writer at a time."

    def __str__(self) -> str:
        return "another task already uses the stream"


class MessageUndelivered(DarkSwapError):
    """An accepted message that is not sent any more. `maybe_delivered`: the peer may have taken it nevertheless."""

    code = "UNDELIVERED"

    def __init__(self, peer: str, number: int, maybe_delivered: bool) -> None:
        self.peer = peer
        self.number = number
        self.maybe_delivered = maybe_delivered
        self.hint = "Ask the peer whether it has the message." if maybe_delivered else "Send the message again."
        super().__init__(peer, number, maybe_delivered)

    def __str__(self) -> str:
        doubt = "; the peer may have taken it" if self.maybe_delivered else ""
        return f"message {self.number} to {self.peer} was not acknowledged{doubt}"
