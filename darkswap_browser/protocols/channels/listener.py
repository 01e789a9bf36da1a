"""What a channel tells its owner."""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol, TypeVar

from darkswap_browser.protocols.channels.outbox import Undelivered

C = TypeVar("C", contravariant=True)


class ChannelState(StrEnum):
    CONNECTING = "connecting"
    """The peer was never reached."""
    OPEN = "open"
    RECONNECTING = "reconnecting"
    """There is no path; messages are kept until another one is found."""
    CLOSED = "closed"


class Listener(Protocol[C]):
    def changed(self, channel: C, reason: str) -> None:
        """State or path are others than before."""
        ...

    def progressed(self, channel: C, received: int, total: int) -> None:
        """A long message is on its way in."""
        ...

    def undelivered(self, channel: C, messages: Undelivered) -> None:
        """Accepted messages will not be sent any more."""
        ...

    def discarded(self, channel: C, count: int) -> None:
        """Messages of earlier sessions that the application never took were given up."""
        ...
