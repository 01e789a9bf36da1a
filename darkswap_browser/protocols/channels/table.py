"""Which channels there are, and which goes when there is no room for another."""

from __future__ import annotations

from collections.abc import Iterable

from darkswap_browser.errors import DarkSwapError, TooManyRequests
from darkswap_browser.identity.peer_id import PeerId
from darkswap_browser.net.limits import Limits
from darkswap_browser.net.our_peers import OurPeers
from darkswap_browser.protocols.channels.channel import Channel
from darkswap_browser.protocols.channels.hand_over import MAX_HAND_OVER, HandedChannel, HandOver, KeptName
from darkswap_browser.protocols.channels.listener import ChannelState

_NOT_EVICTED = 3


class ChannelTable:
    """One channel for each peer, a closed one too: messages may still wait in it."""

    def __init__(self, limits: Limits, ours: OurPeers) -> None:
        self._limits = limits
        self._ours = ours
        self._channels: dict[PeerId, Channel] = {}
        self.last_id = 0
        """Highest id of a message in a channel that is gone, so that none is given twice."""

    def get(self, peer: PeerId) -> Channel | None:
        return self._channels.get(peer)

    def all(self) -> tuple[Channel, ...]:
        return tuple(self._channels.values())

    def items(self) -> tuple[tuple[PeerId, Channel], ...]:
        return tuple(self._channels.items())

    def hand_over(self, error: DarkSwapError) -> HandOver:
        """End every channel because of `error`. What is too much to be handed over is told."""
        last_id = max((self.last_id, *(channel.machine.outbox.accepted_id for channel in self._channels.values())))
        room, handed = MAX_HAND_OVER // 2, []
        for peer, channel in self.items():
            size = channel.send_queue + channel.delivery.size
            if size > room:
                channel.end(error)
                continue
            room -= size
            session, earlier = channel.hand_over(error)
            if session is not None or earlier:
                names = channel.sending.kept.names if session is not None else {}
                kept = tuple(KeptName(number, name) for number, name in names.items())
                handed.append(HandedChannel(str(peer), peer in self._ours, session, earlier, kept))
        return HandOver(last_id, tuple(handed))

    def next_id(self, peer: PeerId) -> int:
        """Of the first message in a new session with `peer`."""
        before = self._channels.get(peer)
        return 1 + max(self.last_id, 0 if before is None else before.machine.outbox.accepted_id)

    def put(self, peer: PeerId, channel: Channel) -> None:
        """`channel` takes the place of the one before it, and what waits in that one."""
        before = self._channels.pop(peer, None)
        if before is not None:
            channel.inherit(before)
        self._channels[peer] = channel

    def remove(self, peer: PeerId) -> None:
        channel = self._channels.pop(peer, None)
        if channel is not None:
            self.last_id = max(self.last_id, channel.machine.outbox.accepted_id)

    def make_room(self, peer: PeerId) -> None:
        """For a channel that the application asked for. Raises `TooManyRequests`."""
        others = self._channels.keys() - {peer}
        if len(others) >= self._limits.channel_channels:
            self._evict(others, self._limits.channel_channels)

    def make_room_for_stranger(self, peer: PeerId) -> None:
        """For a channel that its peer asked for, and that the application has not used yet. Raises
        `TooManyRequests`."""
        others = self._channels.keys() - {peer}
        strangers = {other for other in others if self.is_stranger(other)}
        if len(strangers) >= self._limits.channel_channels_of_strangers or len(others) >= self._limits.channel_channels:
            self._evict(strangers, self._limits.channel_channels_of_strangers)

    def is_stranger(self, peer: PeerId) -> bool:
        return peer not in self._ours

    def _evict(self, among: Iterable[PeerId], limit: int) -> None:
        """Give up one channel, the one that is missed least."""
        peer = min(among, key=self._eviction_rank, default=None)
        if peer is None or self._eviction_rank(peer) == _NOT_EVICTED:
            raise TooManyRequests("channels", limit)
        self._channels[peer].end(TooManyRequests("channels", limit))
        self.remove(peer)

    def _eviction_rank(self, peer: PeerId) -> int:
        """Closed channels with nothing to receive go first, then strangers without a path, then other closed ones."""
        channel = self._channels[peer]
        if channel.state is ChannelState.CLOSED:
            return 2 if len(channel.delivery) and not self.is_stranger(peer) else 0
        return 1 if self.is_stranger(peer) and channel.state is not ChannelState.OPEN else _NOT_EVICTED
