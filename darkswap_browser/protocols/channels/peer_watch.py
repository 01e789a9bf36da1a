"""The listener of one channel, which knows the peer that the channel belongs to."""

from __future__ import annotations

from typing import Protocol

from darkswap_browser.identity.peer_id import PeerId
from darkswap_browser.protocols.channels.channel import Channel
from darkswap_browser.protocols.channels.outbox import Undelivered


class ChannelOwner(Protocol):
    def changed(self, peer: PeerId, channel: Channel, reason: str) -> None: ...

    def progressed(self, channel: Channel, received: int, total: int) -> None: ...

    def undelivered(self, channel: Channel, messages: Undelivered) -> None: ...

    def discarded(self, channel: Channel, count: int) -> None: ...


class PeerWatch:
    """Tells the owner of all channels what one of them tells."""

    def __init__(self, owner: ChannelOwner, peer: PeerId) -> None:
        self._owner = owner
        self._peer = peer

    def changed(self, channel: Channel, reason: str) -> None:
        self._owner.changed(self._peer, channel, reason)

    def progressed(self, channel: Channel, received: int, total: int) -> None:
        self._owner.progressed(channel, received, total)

    def undelivered(self, channel: Channel, messages: Undelivered) -> None:
        self._owner.undelivered(channel, messages)

    def discarded(self, channel: Channel, count: int) -> None:
        self._owner.discarded(channel, count)
