"""Waiting for peers and their messages, whoever they are."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable

from darkswap_browser.errors import ObjectClosed
from darkswap_browser.identity.peer_id import PeerId
from darkswap_browser.protocols.channels.channel import Channel
from darkswap_browser.protocols.channels.listener import ChannelState

UNCLAIMED = 256
"""Channels that wait for `accept`; the oldest go first."""


class Arrivals:
    """`get` and `all` name the channels there are."""

    def __init__(
        self, get: Callable[[PeerId], Channel | None], all_channels: Callable[[], tuple[Channel, ...]]
    ) -> None:
        self._get = get
        self._all = all_channels
        self._unclaimed: deque[Channel] = deque(maxlen=UNCLAIMED)
        self._waiting: list[asyncio.Future[None]] = []
        self._is_over = False

    def accepted(self, channel: Channel) -> None:
        """A peer opened `channel`."""
        self._unclaimed.append(channel)
        self.wake()

    def wake(self) -> None:
        """A channel is there, or a message in one."""
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            if not future.done():
                future.set_result(None)

    def end(self) -> None:
        self._is_over = True
        self.wake()

    async def _wait(self) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        await future

    async def channel(self, peer: PeerId) -> Channel:
        """The channel with `peer`, once there is one. Raises `ObjectClosed` when the node stops."""
        while (channel := self._get(peer)) is None:
            self._check()
            await self._wait()
        return channel

    async def accept(self) -> Channel:
        """The next channel that a peer opened, in the order they came. Raises `ObjectClosed` when the node stops."""
        while True:
            while self._unclaimed:
                channel = self._unclaimed.popleft()
                if channel.state is not ChannelState.CLOSED or len(channel.delivery):
                    return channel
            self._check()
            await self._wait()

    async def messages(self) -> AsyncIterator[tuple[str, bytes]]:
        """(peer, message) of all, each peer's in order and the peers in turn, until the node stops."""
        while not self._is_over:
            channels = [channel for channel in self._all() if len(channel.delivery)]
            for channel in channels:
                if len(channel.delivery):
                    yield channel.peer, channel.delivery.take_one()
            if not channels:
                for channel in self._all():
                    channel.delivery.want()
                await self._wait()

    def _check(self) -> None:
        if self._is_over:
            raise ObjectClosed("node")
