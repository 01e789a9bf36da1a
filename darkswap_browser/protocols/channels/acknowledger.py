"""When the peer is told what the application took."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from darkswap_browser.errors import ConnectionLost, StreamError
from darkswap_browser.net.limits import Limits
from darkswap_browser.protocols.channels.channel_stream import ChannelStream
from darkswap_browser.protocols.channels.inbox import Inbox
from darkswap_browser.protocols.channels.messages import Close, encode_control


class Acknowledger:
    """`say` takes a control frame for the peer, and drops it when there is no stream: the next HELLO tells the same."""

    def __init__(self, inbox: Inbox, limits: Limits, say: Callable[[bytes], None]) -> None:
        self.inbox = inbox
        self._limits = limits
        self._say = say
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._is_over = False
        self._said_at = 0.0
        self._drained = asyncio.Event()

    def consumed(self) -> None:
        """The application took something: tell at once when it was much, after a moment when it was little."""
        inbox = self.inbox
        if not len(inbox):
            self._drained.set()
        if inbox.grant_due:
            self.acknowledge()
        elif self._timer is None and not self._is_over and inbox.consumed != inbox.acknowledged:
            self._timer = self._loop.call_later(self._limits.channel_ack_delay, self._acknowledge_late)

    def _acknowledge_late(self) -> None:
        self._timer = None
        if self.inbox.consumed != self.inbox.acknowledged:
            self.acknowledge()

    def received(self) -> None:
        """Bytes came: the peer hears of it now and then, whatever the application does."""
        if self._loop.time() - self._said_at > self._limits.channel_alive_interval:
            self.acknowledge()

    def acknowledge(self) -> None:
        self._said_at = self._loop.time()
        self._say(encode_control(self.inbox.grant()))

    def end(self) -> None:
        self._is_over = True
        if self._timer is not None:
            self._timer.cancel()

    async def answer_close(self, link: ChannelStream) -> None:
        """Agree once the application took everything, or after a while: what is acknowledged then the peer counts as
        delivered."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._limits.channel_drain_timeout):
                while len(self.inbox):
                    self._drained.clear()
                    await self._drained.wait()
        try:
            await link.stream.write(encode_control(self.inbox.grant()) + encode_control(Close()))
            await link.stream.close()
        except (StreamError, ConnectionLost):
            link.stream.reset()
